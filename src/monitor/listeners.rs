//! Index of the TCP listeners by port, and matching of connections to
//! listeners.

use crate::model::row::Row;
use crate::model::socket::Socket;

/// Row numbers of the TCP listeners, by port.
#[derive(Default)]
pub(super) struct Listeners {
    by_port: Vec<(u16, u32)>,
}

impl Listeners {
    /// Adds one; [`Self::sort`] must follow before any lookup.
    pub(super) fn insert(&mut self, port: u16, row: u32) {
        self.by_port.push((port, row));
    }

    /// Sorts them.
    pub(super) fn sort(&mut self) {
        self.by_port.sort_unstable();
    }

    /// True if one of them accepts connections to the local address of
    /// `connection`.
    pub(super) fn any_match(&self, rows: &[Row], connection: &Socket) -> bool {
        self.matches(rows, connection).next().is_some()
    }

    /// Returns the listener that the kernel gives it to: first one bound to
    /// that very address, then one for any address of its family
    /// (`compute_score` in `net/ipv4/inet_hashtables.c`). Of several that share
    /// an address (`SO_REUSEPORT`) it is the first.
    pub(super) fn best_match<'a>(&self, rows: &'a [Row], connection: &Socket) -> Option<&'a Row> {
        let wanted = connection.local;
        self.matches(rows, connection).min_by_key(|listener| {
            let bound = listener.socket.local;
            (bound != wanted, bound.is_v4() != wanted.is_v4())
        })
    }

    fn matches<'a>(&self, rows: &'a [Row], connection: &Socket) -> impl Iterator<Item = &'a Row> {
        let port = connection.local.port;
        let first = self.by_port.partition_point(|(known, _)| *known < port);
        self.by_port[first..]
            .iter()
            .take_while(move |(known, _)| *known == port)
            .filter_map(|(_, row)| rows.get(*row as usize))
            .filter(|listener| listener.socket.accepts_connection(connection))
    }

    /// Their rows, by port.
    pub(super) fn rows<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        let numbers = self.by_port.iter();
        numbers.filter_map(|(_, number)| rows.get(*number as usize))
    }

    /// Row number and row of each, by port.
    pub(super) fn numbered<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = (u32, &'a Row)> {
        let numbers = self.by_port.iter();
        numbers.filter_map(|(_, number)| Some((*number, rows.get(*number as usize)?)))
    }

    /// Port and row number of each, by port.
    pub(super) fn into_inner(self) -> Vec<(u16, u32)> {
        self.by_port
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::socket;
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::owner::OwnerSpan;
    use crate::model::row::Phase;
    use crate::model::state::State;
    use crate::model::time::Timestamp;

    fn at(local: &str, state: State) -> Socket {
        let (address, port) = local.rsplit_once(':').unwrap();
        Socket {
            local: Endpoint::new(address.parse().unwrap(), port.parse().unwrap()),
            ..socket(1, state)
        }
    }

    fn row(socket: Socket) -> Row {
        Row {
            socket,
            owners: OwnerSpan::default(),
            no_owner_reason: None,
            last_owner: None,
            first_seen: Timestamp(0),
            state_since: Timestamp(0),
            saw_state_entry: false,
            phase: Phase::Unchanged,
            severity: None,
            metrics: None,
        }
    }

    #[test]
    fn the_closest_bound_listener_takes_a_connection() {
        let bound = [
            ":::80",
            "127.0.0.1:80",
            "0.0.0.0:80",
            "192.0.2.1:80",
            "192.0.2.1:81",
        ];
        let mut rows: Vec<Row> = bound.map(|local| row(at(local, State::Listen))).to_vec();
        rows.push(row(Socket {
            namespace: 2,
            ..at("192.0.2.7:80", State::Listen)
        }));
        let mut listeners = Listeners::default();
        for (number, row) in (0u32..).zip(&rows) {
            listeners.insert(row.socket.local.port, number);
        }
        listeners.sort();
        for (arrived, expected) in [
            ("192.0.2.1:80", Some("192.0.2.1:80")),
            ("127.0.0.1:80", Some("127.0.0.1:80")),
            ("192.0.2.7:80", Some("0.0.0.0:80")),
            ("2001:db8::1:80", Some(":::80")),
            ("192.0.2.7:81", None),
        ] {
            let taker = listeners.best_match(&rows, &at(arrived, State::SynReceived));
            let expected = expected.map(|local| at(local, State::Listen).local);
            let local = taker.map(|row| (row.socket.local, row.socket.namespace));
            assert_eq!(local, expected.map(|local| (local, 1)), "{arrived}");
        }
    }
}
