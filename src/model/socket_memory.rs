//! Buffer memory and drops of one socket, as the kernel counts them.

use super::protocol::Protocol;
use super::socket::{Socket, SocketKey};
use super::state::State;

/// Buffers and drops of one socket (`INET_DIAG_SKMEMINFO`, or the `drops` column
/// of `/proc/net/udp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SocketMemory {
    /// Use and limit of both buffers; none from `/proc`.
    pub buffers: Option<Buffers>,
    /// Number of datagrams, or for a listener of connection requests, that the
    /// kernel dropped at this socket since it was opened; none before Linux 4.7.
    pub drops: Option<u32>,
}

/// Use and limit of the buffers of one socket, in bytes, with the kernel's
/// overhead for each segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Buffers {
    /// Allocated for received data (`sk_rmem_alloc`).
    pub receive_used: u32,
    /// Limit of the receive buffer (`SO_RCVBUF`).
    pub receive_limit: u32,
    /// Allocated for data that is being sent (`sk_wmem_alloc`).
    pub send_used: u32,
    /// Limit of the send buffer (`SO_SNDBUF`).
    pub send_limit: u32,
}

/// The memory of the socket with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryEntry {
    /// Key of the socket.
    pub key: SocketKey,
    /// Its memory.
    pub memory: SocketMemory,
}

impl SocketMemory {
    /// True if the table lists the memory of this socket: UDP sockets and TCP
    /// listeners, which are few and whose drops matter.
    #[must_use]
    pub fn is_listed(socket: &Socket) -> bool {
        socket.protocol == Protocol::Udp || socket.state == State::Listen
    }
}
