//! The `ss` command that shows the same socket, and the prefix of commands for
//! another network namespace.

use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::state::State;
use std::fmt::Write as _;

/// Returns the prefix of a command that is to run in the row's network
/// namespace: empty for the one that we were started in; none if another cannot be
/// entered, so that the command would be about ours.
pub(super) fn netns_prefix(row: &Row, observation: &Observation) -> Option<String> {
    let there = observation.namespace(&row.socket);
    let prefix = there.and_then(|there| Some(there.entry.as_ref()?.command_prefix()));
    prefix.or_else(|| observation.is_in_current_namespace(row).then(String::new))
}

/// Returns the `ss` command for the same socket, ready to paste; empty if none
/// would show it.
pub(super) fn ss_command(row: &Row, observation: &Observation) -> String {
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
    // Sockets of another namespace show only from within it.
    let Some(mut command) = netns_prefix(row, observation) else {
        return String::new();
    };
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
