//! The kernel's own counts of what happened in a network namespace, between
//! tables too.

/// Counts since boot (`/proc/net/snmp`, `/proc/net/netstat`; meanings: RFC 4022
/// and the kernel's `snmp_counter` document). None where this kernel does not
/// tell. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `Tcp.ActiveOpens`: connections tried from here.
    pub active_opens: Option<u64>,
    /// `Tcp.AttemptFails`: attempts that failed, both those from here (refused,
    /// unreachable, timed out) and half-open ones to here that were reset; not
    /// those that a program gave up by closing.
    pub attempt_fails: Option<u64>,
    /// `TcpExt.EmbryonicRsts`: of these, the half-open ones to here.
    pub embryonic_resets: Option<u64>,
    /// `TcpExt.ListenOverflows`: connections dropped because an accept queue
    /// was full.
    pub listen_overflows: Option<u64>,
    /// `TcpExt.ListenDrops`: dropped by a listener for any reason, the overflows
    /// among them.
    pub listen_drops: Option<u64>,
    /// `TcpExt.TCPReqQFullDoCookies`: SYNs answered with a cookie for want of
    /// room.
    pub queue_full_cookies: Option<u64>,
    /// `TcpExt.TCPReqQFullDrop`: SYNs dropped for want of room.
    pub queue_full_drops: Option<u64>,
    /// `TcpExt.SyncookiesSent`: cookies sent.
    pub cookies_sent: Option<u64>,
    /// `TcpExt.SyncookiesRecv`: cookies that came back and were right: clients
    /// that exist.
    pub cookies_returned: Option<u64>,
    /// `TcpExt.TCPTimeWaitOverflow`: connections that got no `TIME_WAIT` because
    /// of `tcp_max_tw_buckets`.
    pub time_wait_overflows: Option<u64>,
    /// `TcpExt.TCPWinProbe`: probes sent to peers whose window is closed.
    pub window_probes: Option<u64>,
    /// `TcpExt.TCPToZeroWindowAdv`: how often a window of ours was closed.
    pub windows_closed: Option<u64>,
}

/// What there is at present (`/proc/net/sockstat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// `TCP: orphan`: connections without a program that the kernel finishes,
    /// on the whole machine.
    pub orphans: Option<u32>,
    /// `TCP: tw`: connections in `TIME_WAIT`, and those in `FIN_WAIT_2` kept as
    /// short, in this namespace.
    pub time_waits: Option<u32>,
}
