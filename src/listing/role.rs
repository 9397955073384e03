//! Role of a socket for its owner: a listener, an accepted connection, or one
//! that the owner opened. The question before a process is ended shows it.

use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::filter::{SocketEnd, write_address};
use crate::model::event_history::Timeline;
use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::state::State;

/// The role of a row for the process that owns it, in order of importance: a
/// process with several sockets is described by the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SocketRole {
    /// It listens (TCP).
    Listener,
    /// It receives datagrams from any host (UDP).
    DatagramReceiver,
    /// The peer opened this connection.
    Accepted,
    /// The owner opened this connection.
    Client,
    /// A connection with an unknown initiator.
    UnknownInitiator,
    /// Bound to its port, and neither listening nor connected.
    Bound,
}

impl SocketRole {
    /// The role of a row.
    ///
    /// A connection was accepted if there is a listener that accepts it, or if it
    /// was seen in `SYN_RECV`. It was opened here if it was seen in `SYN_SENT`,
    /// if a listener of this namespace has the other end, or if only the local
    /// port is one that the kernel assigns (`ip_local_port_range`).
    #[must_use]
    pub fn from_row(row: &Row, observation: &Observation) -> Self {
        let socket = &row.socket;
        let Some(peer) = socket.peer() else {
            return match (socket.state, socket.protocol) {
                (State::Listen, _) => Self::Listener,
                (_, Protocol::Udp) => Self::DatagramReceiver,
                _ => Self::Bound,
            };
        };
        // A failed connection keeps its port and the address of its peer.
        if socket.state == State::BoundInactive {
            return Self::Bound;
        }
        let passed = |state| has_passed(&observation.timeline(row), state);
        if socket.protocol == Protocol::Tcp {
            if socket.state == State::SynSent || passed(State::SynSent) {
                return Self::Client;
            }
            if observation.best_listeners(row).next().is_some() || passed(State::SynReceived) {
                return Self::Accepted;
            }
            let mut mirrored = *row;
            mirrored.socket.local = peer;
            mirrored.socket.remote = socket.local;
            if observation.best_listeners(&mirrored).next().is_some() {
                return Self::Client;
            }
        }
        let Some((first, last)) = observation.limits.local_ports else {
            return Self::UnknownInitiator;
        };
        let handed_out = |port: u16| (first..=last).contains(&port);
        match (handed_out(socket.local.port), handed_out(peer.port)) {
            (true, false) => Self::Client,
            (false, true) => Self::Accepted,
            _ => Self::UnknownInitiator,
        }
    }

    /// The key of its message in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Listener => "listens",
            Self::DatagramReceiver => "receives",
            Self::Accepted => "accepted",
            Self::Client => "client",
            Self::UnknownInitiator => "connected",
            Self::Bound => "bound",
        }
    }

    /// Every key a role can have.
    pub const KEYS: [&'static str; 6] = [
        "listens",
        "receives",
        "accepted",
        "client",
        "connected",
        "bound",
    ];

    /// True if it serves its port.
    #[must_use]
    pub fn is_server(self) -> bool {
        matches!(self, Self::Listener | Self::DatagramReceiver)
    }
}

/// The role of one row with its ends, independent of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketRelation {
    /// The role.
    pub role: SocketRole,
    port: u16,
    local: String,
    remote: String,
}

impl SocketRelation {
    /// Role of a row for its owner.
    #[must_use]
    pub fn from_row(row: &Row, observation: &Observation) -> Self {
        Self {
            role: SocketRole::from_row(row, observation),
            port: row.socket.local.port,
            local: format_end(SocketEnd::Local, row, observation),
            remote: format_end(SocketEnd::Remote, row, observation),
        }
    }

    /// Returns it in words: `listens on :5173`, `client of 192.0.2.9:5432`.
    #[must_use]
    pub fn render(&self, words: &Catalogue) -> String {
        let told = render(words.closing("roles", self.role.key()), |place| {
            Some(match place {
                "port" => self.port.to_string(),
                "local" => self.local.clone(),
                _ => self.remote.clone(),
            })
        });
        told.unwrap_or_default()
    }
}

fn has_passed(timeline: &Timeline, state: State) -> bool {
    timeline.steps.iter().any(|step| step.state == state)
}

/// Formats one end of a row for the sentence about its role: `:5173` for any
/// address.
fn format_end(side: SocketEnd, row: &Row, observation: &Observation) -> String {
    let local = row.socket.local;
    if side == SocketEnd::Local && local.is_unspecified() && row.socket.interface == 0 {
        return format!(":{}", local.port);
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_address(&mut text, side, row, observation);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::test_world::row;
    use std::sync::Arc;

    #[test]
    fn each_socket_has_its_role() {
        let tcp = |state, local, remote| row(Protocol::Tcp, state, local, remote);
        let udp = |state, local, remote| row(Protocol::Udp, state, local, remote);
        let open = State::Established;
        let cases = [
            (tcp(State::Listen, "0.0.0.0:5173", "-"), "listens on :5173"),
            (
                tcp(State::Listen, "127.0.0.1:80", "-"),
                "listens on 127.0.0.1:80",
            ),
            (
                udp(State::Unconnected, "[::]:53", "-"),
                "receives datagrams on :53",
            ),
            (
                tcp(open, "192.0.2.1:5173", "192.0.2.7:40000"),
                "connection from 192.0.2.7:40000 on :5173",
            ),
            // The listener is stronger evidence than the numbers.
            (
                tcp(open, "192.0.2.1:5173", "192.0.2.7:80"),
                "connection from 192.0.2.7:80 on :5173",
            ),
            (
                tcp(open, "127.0.0.1:40001", "127.0.0.1:5173"),
                "client of 127.0.0.1:5173",
            ),
            (
                tcp(open, "192.0.2.1:40001", "192.0.2.9:5432"),
                "client of 192.0.2.9:5432",
            ),
            // An ephemeral source port does not make a server's end a client.
            (
                tcp(open, "192.0.2.1:2222", "192.0.2.9:50000"),
                "connection from 192.0.2.9:50000 on :2222",
            ),
            (
                tcp(State::SynSent, "192.0.2.1:99", "192.0.2.9:50000"),
                "client of 192.0.2.9:50000",
            ),
            (
                tcp(open, "192.0.2.1:33000", "192.0.2.9:50000"),
                "connected with 192.0.2.9:50000 from 192.0.2.1:33000",
            ),
            (
                tcp(State::BoundInactive, "0.0.0.0:81", "-"),
                "bound to :81 without listening",
            ),
            (
                udp(open, "192.0.2.1:40000", "192.0.2.53:53"),
                "client of 192.0.2.53:53",
            ),
        ];
        let mut world = Observation {
            listeners: vec![(80, 1), (5173, 0)],
            ..Observation::default()
        };
        world.limits.local_ports = Some((32768, 60999));
        world.rows = Arc::new(cases.iter().map(|(row, _)| *row).collect());
        let words = Catalogue::of(Language::English);
        for (row, told) in cases {
            let relation = SocketRelation::from_row(&row, &world);
            assert_eq!(relation.render(words), told);
            assert!(SocketRole::KEYS.contains(&relation.role.key()));
        }
    }
}
