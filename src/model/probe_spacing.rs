//! Observed time between unanswered keepalive probes.

use super::socket::SocketKey;
use std::time::Duration;

/// Time between the keepalive probes of one connection, as its timer showed it
/// over several tables. The kernel adds up to an eighth to what is set, as long
/// timers are coarse (`kernel/time/timer.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSpacing {
    /// Connection.
    pub key: SocketKey,
    /// Time between the last two probes; the mean if several were sent between
    /// two tables.
    pub spacing: Duration,
}
