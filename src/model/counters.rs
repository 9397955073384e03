//! The kernel's counters of a network namespace, which include events between
//! tables.

/// Counts since boot (`/proc/net/snmp`, `/proc/net/netstat`; meanings: RFC 4022
/// and the kernel's `snmp_counter` document). None if this kernel does not report
/// them. Only differences are meaningful.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// `Tcp.ActiveOpens`: connections tried from here.
    pub active_opens: Option<u64>,
    /// `Tcp.AttemptFails`: attempts that failed, both outgoing ones (refused,
    /// unreachable, timed out) and incoming half-open ones that were reset; not
    /// those that a program closed early.
    pub attempt_fails: Option<u64>,
    /// `TcpExt.EmbryonicRsts`: the incoming half-open ones of these.
    pub embryonic_resets: Option<u64>,
    /// `TcpExt.ListenOverflows`: connections dropped because an accept queue
    /// was full.
    pub listen_overflows: Option<u64>,
    /// `TcpExt.ListenDrops`: dropped by a listener for any reason, the overflows
    /// among them.
    pub listen_drops: Option<u64>,
    /// `TcpExt.TCPReqQFullDoCookies`: SYNs answered with a cookie because the SYN
    /// queue was full.
    pub queue_full_cookies: Option<u64>,
    /// `TcpExt.TCPReqQFullDrop`: SYNs dropped because the SYN queue was full.
    pub queue_full_drops: Option<u64>,
    /// `TcpExt.SyncookiesSent`: cookies sent.
    pub cookies_sent: Option<u64>,
    /// `TcpExt.SyncookiesRecv`: valid cookies that came back: clients that exist.
    pub cookies_returned: Option<u64>,
    /// `TcpExt.TCPTimeWaitOverflow`: connections that got no `TIME_WAIT` because
    /// of `tcp_max_tw_buckets`.
    pub time_wait_overflows: Option<u64>,
    /// `TcpExt.TCPWinProbe`: probes sent to peers whose window is closed.
    pub window_probes: Option<u64>,
    /// `TcpExt.TCPToZeroWindowAdv`: number of times a window of this end was
    /// closed.
    pub zero_windows_advertised: Option<u64>,
}

/// Current values (`/proc/net/sockstat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// `TCP: orphan`: connections without a program that the kernel finishes,
    /// on the whole machine.
    pub orphans: Option<u32>,
    /// `TCP: tw`: connections in `TIME_WAIT`, and minisockets in `FIN_WAIT_2`, in
    /// this namespace.
    pub time_waits: Option<u32>,
}
