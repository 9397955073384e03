//! Kernel settings of this machine that bound how long a state may last.

/// Values of `/proc/sys/net/ipv4`, `None` if one could not be read. Meanings: the
/// kernel's `ip-sysctl` document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Limits {
    /// `tcp_syn_retries`: number of retransmissions of a SYN.
    pub syn_retries: Option<u32>,
    /// `tcp_syn_linear_timeouts`: number of these that are 1 s apart (6.5 on).
    pub syn_linear_timeouts: Option<u32>,
    /// `tcp_synack_retries`: number of retransmissions of a SYN+ACK.
    pub synack_retries: Option<u32>,
    /// `tcp_fin_timeout`, seconds.
    pub fin_timeout: Option<u32>,
    /// `tcp_orphan_retries`; 0 means 8.
    pub orphan_retries: Option<u32>,
    /// `tcp_retries2`: bound on retransmissions after which an unanswered
    /// connection is given up.
    pub retries2: Option<u32>,
    /// `tcp_rto_max_ms`: maximum wait between two attempts (6.15 on).
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
    /// `tcp_max_syn_backlog`: without cookies, a listener keeps half-open
    /// connections up to three quarters of it, whatever its backlog.
    pub max_syn_backlog: Option<u32>,
    /// `tcp_max_tw_buckets`.
    pub max_time_wait: Option<u32>,
    /// `tcp_max_orphans`, of the whole machine; readable in the initial namespace
    /// only.
    pub max_orphans: Option<u32>,
    /// Number of reserved ports in that range (`ip_local_reserved_ports`).
    pub reserved_ports: Option<u32>,
    /// `tcp_tw_reuse`: 0 never, 1 always, 2 on loopback.
    pub time_wait_reuse: Option<u32>,
    /// `ip_local_port_range`.
    pub local_ports: Option<(u16, u16)>,
}
