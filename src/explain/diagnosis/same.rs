//! The command of another tool that shows the same socket.

use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::state::State;
use std::fmt::Write as _;

/// The `ss` command for the same socket, ready to paste.
pub(super) fn same_as(row: &Row, observation: &Observation) -> String {
    let socket = &row.socket;
    let protocol = match socket.protocol {
        Protocol::Tcp => 't',
        Protocol::Udp => 'u',
    };
    let state = match socket.state {
        State::Listen => "listening",
        State::SynSent => "syn-sent",
        State::SynReceived => "syn-recv",
        State::Established => "established",
        State::FinWait1 => "fin-wait-1",
        State::FinWait2 => "fin-wait-2",
        State::Closing => "closing",
        State::TimeWait => "time-wait",
        State::CloseWait => "close-wait",
        State::LastAck => "last-ack",
        State::Closed | State::BoundInactive | State::Unconnected | State::Unknown(_) => "all",
    };
    let mut command = String::new();
    // Another namespace's sockets show only from within it.
    if observation
        .namespace(socket)
        .is_some_and(|there| !there.own)
        && let Some(owner) = observation.first_owner(row)
    {
        let _ = write!(command, "nsenter -t {} -n ", owner.pid);
    }
    // Writing to a String cannot fail.
    let _ = write!(
        command,
        "ss -{protocol}anpoie state {state} 'sport = :{}",
        socket.local.port
    );
    if let Some(peer) = socket.peer() {
        command.push_str(&format_peer(peer.port));
    }
    command.push('\'');
    command
}

fn format_peer(port: u16) -> String {
    format!(" and dport = :{port}")
}
