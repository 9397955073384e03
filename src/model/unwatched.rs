//! Time that sockets had been in their state before they were first seen there, as far
//! as `TCP_INFO` tells.

use super::socket::SocketKey;
use std::time::Duration;

/// One socket that was not seen to enter its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwatched {
    /// Key of the socket.
    pub key: SocketKey,
    /// Lower bound.
    pub at_least: Duration,
}
