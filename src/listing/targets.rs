//! Selection of the targets of a signal among the rows that a filter matches.
//!
//! `:8080` matches both ends of every connection of that port, so that a table
//! shows them together. The target of "end the process on port 8080" is the
//! server, not the browser: a port that names no end is the local port here, and
//! among the rows with that local port those that serve it go first.

use super::select_rows::matcher_with_urgencies as ready;
use crate::filter::{Filter, Matcher, UnknownReason};
use crate::listing::SocketRole;
use crate::model::endpoint::Endpoint;
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use std::collections::BTreeSet;

/// Rows whose owners are targets, and rows whose owners are spared.
#[derive(Clone, Debug, Default)]
pub struct Targets<'o> {
    /// The rows whose owners are targets.
    pub selected: Vec<&'o Row>,
    /// The matching rows whose owners are spared: clients of the port, and
    /// connections on it if another socket serves it.
    pub spared: Vec<&'o Row>,
}

/// Partitions the matching rows of a filter. All are targets unless it has a port
/// without naming an end.
#[must_use]
pub fn select_targets<'o>(
    rows: &[&'o Row],
    filter: &Filter,
    observation: &'o Observation,
) -> Targets<'o> {
    Targets::partition(rows, &TargetRule::new(rows, filter, observation))
}

impl<'o> Targets<'o> {
    /// Partitions the rows by a rule.
    #[must_use]
    pub fn partition(rows: &[&'o Row], rule: &TargetRule<'_>) -> Self {
        let (selected, spared) = rows.iter().partition(|row| rule.matches(row));
        Self { selected, spared }
    }
}

/// Decides which rows that a filter matches, or may match, are targets.
pub struct TargetRule<'o> {
    observation: &'o Observation,
    /// The filter with local ports only.
    matcher: Matcher<'o>,
    /// The ports served by matching rows, with their namespaces; none if all rows
    /// are targets.
    served: Option<BTreeSet<(u32, u16)>>,
}

impl<'o> TargetRule<'o> {
    /// Returns the rule for the matching rows of a filter.
    #[must_use]
    pub fn new(found: &[&Row], filter: &Filter, observation: &'o Observation) -> Self {
        if !filter.has_unqualified_port() {
            return Self::match_all(filter, observation);
        }
        let matcher = ready(&filter.with_local_ports(), observation);
        let serving = found
            .iter()
            .filter(|row| is_server_socket(row, observation));
        let served = serving
            .filter(|row| matcher.matches(row))
            .map(|row| namespace_and_port(row))
            .collect();
        Self {
            observation,
            matcher,
            served: Some(served),
        }
    }

    /// Returns the rule by which every matching row is a target.
    #[must_use]
    pub fn match_all(filter: &Filter, observation: &'o Observation) -> Self {
        Self {
            observation,
            matcher: ready(filter, observation),
            served: None,
        }
    }

    /// True if a row is a target.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.is_not_shadowed_by_server(row) && self.matcher.matches(row)
    }

    /// Returns the reason why it is unknown if a row is a target, if so. `alone`
    /// is the row with one of its owners only.
    #[must_use]
    pub fn unknown_reason(&self, row: &Row, alone: &Row) -> Option<UnknownReason> {
        self.matcher
            .unknown_reason(alone)
            .filter(|_| self.is_not_shadowed_by_server(row))
    }

    /// True unless the row is spared in favour of the server of its port.
    fn is_not_shadowed_by_server(&self, row: &Row) -> bool {
        self.served.as_ref().is_none_or(|served| {
            is_server_socket(row, self.observation) || !served.contains(&namespace_and_port(row))
        })
    }
}

fn namespace_and_port(row: &Row) -> (u32, u16) {
    (row.socket.namespace, row.socket.local.port)
}

/// True for the socket that serves a port.
fn is_server_socket(row: &Row, observation: &Observation) -> bool {
    row.socket.peer().is_none()
        && row.phase != Phase::Closed
        && SocketRole::from_row(row, observation).is_server()
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
    use crate::filter::test_world::row;
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
    fn server_of_a_port_is_selected_and_its_clients_are_spared() {
        // The filter, the targets, the spared rows.
        let cases: [(&str, &[usize], &[usize]); 14] = [
            (":5173", &[0], &[1, 2, 3]),
            ("port:5173,81", &[0, 7], &[1, 2, 3]),
            (":5000-5200", &[0], &[1, 2, 3]),
            // No server: the row with that local port.
            (":41021", &[3], &[]),
            (":40001", &[2], &[1]),
            (":81", &[7], &[]),
            // Of both protocols; connections on it are spared.
            (":53", &[4], &[5, 6]),
            // Other conditions are applied first.
            (":5173 and state established", &[1], &[2, 3]),
            // A named end is explicit.
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
            let parted = select_targets(&found, &filter, &world);
            let numbers = |some: &[&Row]| -> Vec<usize> {
                let place = |row: &&Row| rows.iter().position(|other| std::ptr::eq(*other, *row));
                some.iter().filter_map(place).collect()
            };
            assert_eq!(numbers(&parted.selected), meant, "{text}");
            assert_eq!(numbers(&parted.spared), spared, "{text}");
        }
    }

    /// It is unknown of every connection here if its round trip takes that long.
    #[test]
    fn only_possible_targets_are_undecided() {
        let world = world();
        let doubted = |text: &str, all: bool| -> Vec<usize> {
            let filter = Filter::parse(text).unwrap();
            let rows = world.rows.iter();
            let found: Vec<&Row> = rows
                .clone()
                .filter(|row| filter.matches(row, &world))
                .collect();
            let rule = if all {
                TargetRule::match_all(&filter, &world)
            } else {
                TargetRule::new(&found, &filter, &world)
            };
            let doubted =
                |(place, row): (usize, &Row)| rule.unknown_reason(row, row).map(|_| place);
            rows.enumerate().filter_map(doubted).collect()
        };
        // The server of the port is known: neither clients nor connections
        // matter.
        let known = ":5173 and (state listen or rtt > 1ms)";
        assert!(doubted(known, false).is_empty());
        assert_eq!(doubted(known, true), [1, 2, 3]);
        assert_eq!(
            doubted("either :5173 and (state listen or rtt > 1ms)", false),
            [1, 2, 3]
        );
        // No certain match serves it: the row with that local port does.
        assert_eq!(doubted(":5173 and rtt > 1ms", false), [1]);
        assert_eq!(doubted(":41021 and rtt > 1ms", false), [3]);
        assert!(doubted(":9 and rtt > 1ms", false).is_empty());
    }

    #[test]
    fn filter_by_urgency_selects_targets() {
        let world = crate::filter::test_world::world();
        let urgencies = crate::explain::urgency::urgencies(&world);
        let urgent = |row: &&Row| urgencies.of_row(row) != crate::explain::urgency::Urgency::Normal;
        let expected = world.rows.iter().filter(urgent).count();
        assert!(expected > 0);
        for text in [
            "urgency:look,act",
            "urgency:look,act and either :443 or urgency:look,act",
        ] {
            let filter = Filter::parse(text).unwrap();
            let rows: Vec<&Row> = world.rows.iter().filter(urgent).collect();
            let parted = select_targets(&rows, &filter, &world);
            assert_eq!(parted.selected.len(), expected, "{text}");
        }
    }

    #[test]
    fn matches_by_remote_end_only_are_recognised() {
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
