//! Whom a signal is meant for among the rows that a filter finds.
//!
//! `:8080` finds both ends of every connection of that port, so that a table
//! shows them together. Whoever ends "what has port 8080" means the server, not
//! the browser: a port that names no end is the local port here, and of those
//! who have it locally the ones that serve it go first.

use crate::filter::{Filter, Matcher};
use crate::listing::Role;
use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use std::collections::BTreeSet;

/// Rows whose owners are meant, and rows whose owners are left alone.
#[derive(Clone, Debug, Default)]
pub struct Targets<'o> {
    /// The rows whose owners a signal is meant for.
    pub meant: Vec<&'o Row>,
    /// The rows that match, too, and are left alone: clients of the port, and
    /// connections on it where somebody serves it.
    pub spared: Vec<&'o Row>,
}

/// Parts the rows that a filter has found. All are meant unless it asks for a
/// port without naming an end.
#[must_use]
pub fn targets<'o>(rows: &[&'o Row], filter: &Filter, observation: &'o Observation) -> Targets<'o> {
    if !filter.asks_for_bare_port() {
        return Targets {
            meant: rows.to_vec(),
            spared: Vec::new(),
        };
    }
    let local = filter.with_local_ports();
    let matcher = Matcher::new(&local, observation);
    let place = |row: &Row| (row.socket.namespace, row.socket.local.port);
    let serves = |row: &Row| row.phase != Phase::Closed && Role::of(row, observation).serves();
    let held: BTreeSet<(u32, u16)> = rows
        .iter()
        .filter(|row| row.socket.peer().is_none() && matcher.matches(row) && serves(row))
        .map(|row| place(row))
        .collect();
    let (meant, spared) = rows.iter().partition(|row| {
        let is_first = row.socket.peer().is_none() && serves(row);
        matcher.matches(row) && (is_first || !held.contains(&place(row)))
    });
    Targets { meant, spared }
}

/// True if a row matches only because of its remote end: without it, the filter
/// would not find the row.
#[must_use]
pub fn matches_by_remote_only(row: &Row, matcher: &Matcher<'_>) -> bool {
    let mut alone = *row;
    alone.socket.remote = Endpoint::default();
    matcher.matches(row) && !matcher.matches(&alone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::row;
    use crate::model::protocol::Protocol;
    use crate::model::state::State;
    use std::sync::Arc;

    /// A development server with its browser, an unrelated program whose local
    /// port happens to be 41021, and a UDP service.
    fn world() -> Observation {
        let tcp = |state, local, remote| row(Protocol::Tcp, state, local, remote);
        let udp = |state, local, remote| row(Protocol::Udp, state, local, remote);
        let open = State::Established;
        Observation {
            rows: Arc::new(vec![
                tcp(State::Listen, "127.0.0.1:5173", "-"),
                tcp(open, "127.0.0.1:5173", "127.0.0.1:40001"),
                tcp(open, "127.0.0.1:40001", "127.0.0.1:5173"),
                tcp(open, "192.0.2.1:41021", "192.0.2.9:5173"),
                udp(State::Unconnected, "0.0.0.0:53", "-"),
                udp(open, "192.0.2.1:53", "192.0.2.8:9"),
                tcp(open, "192.0.2.1:53", "192.0.2.8:9"),
                tcp(State::BoundInactive, "0.0.0.0:81", "-"),
            ]),
            listeners: vec![(5173, 0)],
            ..Observation::default()
        }
    }

    #[test]
    fn who_serves_a_port_is_meant_and_its_clients_are_left_alone() {
        // The filter, who is meant, who is left alone.
        let cases: [(&str, &[usize], &[usize]); 14] = [
            (":5173", &[0], &[1, 2, 3]),
            ("port:5173,81", &[0, 7], &[1, 2, 3]),
            (":5000-5200", &[0], &[1, 2, 3]),
            // Nobody serves it: who has it locally.
            (":41021", &[3], &[]),
            (":40001", &[2], &[1]),
            (":81", &[7], &[]),
            // Of both protocols; connections on it are somebody else's affair.
            (":53", &[4], &[5, 6]),
            // Other conditions count first.
            (":5173 and state established", &[1], &[2, 3]),
            // Who names an end means it.
            ("sport = :5173", &[0, 1], &[]),
            ("dport = :5173", &[2, 3], &[]),
            ("either :5173", &[0, 1, 2, 3], &[]),
            ("dst 192.0.2.9", &[3], &[]),
            ("tcp and not :5173", &[6, 7], &[]),
            (":5173 or udp", &[0, 4], &[1, 2, 3, 5]),
        ];
        let world = world();
        for (text, meant, spared) in cases {
            let filter = Filter::parse(text).unwrap();
            let rows: Vec<&Row> = world.rows.iter().collect();
            let found: Vec<&Row> = rows
                .iter()
                .copied()
                .filter(|row| filter.matches(row, &world))
                .collect();
            let parted = targets(&found, &filter, &world);
            let numbers = |some: &[&Row]| -> Vec<usize> {
                let place = |row: &&Row| rows.iter().position(|other| std::ptr::eq(*other, *row));
                some.iter().filter_map(place).collect()
            };
            assert_eq!(numbers(&parted.meant), meant, "{text}");
            assert_eq!(numbers(&parted.spared), spared, "{text}");
        }
    }

    #[test]
    fn what_only_the_remote_end_matches_is_known() {
        let world = world();
        let only = |text: &str| -> Vec<usize> {
            let filter = Filter::parse(text).unwrap();
            let matcher = Matcher::new(&filter, &world);
            let by_remote = |(place, row)| matches_by_remote_only(row, &matcher).then_some(place);
            world
                .rows
                .iter()
                .enumerate()
                .filter_map(by_remote)
                .collect()
        };
        assert_eq!(only("either :5173"), [2, 3]);
        assert_eq!(only("dport = :5173"), [2, 3]);
        assert_eq!(only("dst 192.0.2.9"), [3]);
        assert_eq!(only("192.0.2.9"), [3]);
        assert_eq!(only("\"2.0.2.9\""), [3], "as text, too");
        assert!(only("sport = :5173").is_empty());
        assert!(only("state established").is_empty());
        assert!(only("tcp and not dst 192.0.2.8").is_empty());
        assert!(only("").is_empty());
    }
}
