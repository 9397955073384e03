//! The kernel's settings that bound how long a state may last, on this machine.

/// Values of `/proc/sys/net/ipv4`, `None` where one could not be read.
/// Meanings: the kernel's `ip-sysctl` document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// `tcp_syn_retries`: how often a SYN is sent again.
    pub syn_retries: Option<u32>,
    /// `tcp_syn_linear_timeouts`: how many of these come 1 s apart (6.5 on).
    pub syn_linear_timeouts: Option<u32>,
    /// `tcp_synack_retries`: how often a SYN+ACK is sent again.
    pub synack_retries: Option<u32>,
    /// `tcp_fin_timeout`, seconds.
    pub fin_timeout: Option<u32>,
    /// `tcp_orphan_retries`; 0 means 8.
    pub orphan_retries: Option<u32>,
    /// `tcp_retries2`: when an unanswered connection is given up.
    pub retries2: Option<u32>,
    /// `tcp_rto_max_ms`: the longest wait between two tries (6.15 on).
    pub rto_max_ms: Option<u32>,
    /// `tcp_keepalive_time`, seconds.
    pub keepalive_time: Option<u32>,
    /// `tcp_keepalive_intvl`, seconds.
    pub keepalive_interval: Option<u32>,
    /// `tcp_keepalive_probes`.
    pub keepalive_probes: Option<u32>,
    /// `net.core.somaxconn`: the cap on a listener's backlog.
    pub somaxconn: Option<u32>,
    /// `tcp_syncookies`: 0 never, 1 when full, 2 always.
    pub syncookies: Option<u32>,
    /// `tcp_max_syn_backlog`: without cookies, three quarters of it are the most
    /// half-open connections that a listener keeps, whatever its backlog.
    pub max_syn_backlog: Option<u32>,
    /// `tcp_max_tw_buckets`.
    pub max_time_wait: Option<u32>,
    /// `tcp_max_orphans`, of the whole machine; only the initial namespace tells.
    pub max_orphans: Option<u32>,
    /// How many ports of that range are reserved (`ip_local_reserved_ports`).
    pub reserved_ports: Option<u32>,
    /// `tcp_tw_reuse`: 0 never, 1 always, 2 on loopback.
    pub time_wait_reuse: Option<u32>,
    /// `ip_local_port_range`.
    pub local_ports: Option<(u16, u16)>,
}
