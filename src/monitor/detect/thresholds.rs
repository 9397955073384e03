//! Every number of the rules, with its source.

use std::time::Duration;

/// The limits of the rules.
///
/// Sources, by short name:
/// - *Zeek*: the defaults of Zeek's former `scan` script (25 hosts, 15 ports).
/// - *Williamson*: M. Williamson, "Throttling viruses: restricting propagation
///   to defeat malicious mobile code", 2002.
/// - *Jung*: J. Jung, V. Paxson, A. Berger, H. Balakrishnan, "Fast portscan
///   detection using sequential hypothesis testing", 2004.
/// - *Schechter*: S. Schechter, J. Jung, A. Berger, "Fast detection of scanning
///   worm infections", 2004, which turns Jung's test to outbound connections
///   and keeps it from going below its start.
/// - *kernel*: what Linux itself does, by source file or `ip-sysctl` name.
/// - *chosen*: no source but judgement; the scenarios under `tests/scenarios`
///   hold it to what must be found and what must stay silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Window of first contacts (Zeek).
    pub window: Duration,
    /// Time after which a waiting SYN has failed, even if no retransmission was
    /// seen: the first one is due after 1 s (RFC 6298), and a little late.
    pub patience: Duration,
    /// Time for which a failure must last before a rule counts it. Losing one
    /// SYN is no failure, and a network outage of a second no problem.
    pub settling: Duration,
    /// Number of retransmissions that count as such a failure, whenever
    /// watching began: they come a second apart (`tcp_syn_linear_timeouts`) or
    /// farther.
    pub settled_retransmits: u8,
    /// Number of hosts failed on one port that makes a scan (Zeek).
    pub scan_hosts: u32,
    /// Number of ports failed on one host that makes a scan (Zeek).
    pub scan_ports: u32,
    /// Length of the throttle's queue that makes a scan (Williamson).
    pub scan_queue: u32,
    /// Minimum number of first contacts for a share to mean anything.
    pub scan_contacts: u32,
    /// Share of first contacts that must fail, 0 to 1.
    pub scan_share: f64,
    /// Factor of a failure in the random walk: 0.8 / 0.2 (Jung).
    pub walk_failure: f64,
    /// Factor of a success in the random walk: 0.2 / 0.8 (Jung).
    pub walk_success: f64,
    /// Ratio of the random walk that makes a scanner: 0.99 / 0.00001. Jung's
    /// 0.01 for false alarms is reached after four failures, too few for a
    /// workstation.
    pub walk_alarm: f64,
    /// Maximum ratio of the random walk, so that successes can bring it back.
    pub walk_ceiling: f64,
    /// Time for which a finding stays after its signs have fallen below half.
    pub clearing: Duration,
    /// Maximum number of silent destinations that count as single ones.
    pub dead_destinations: u32,
    /// Time for which they must have been silent.
    pub dead_after: Duration,
    /// Number of sockets waiting for them that is enough, however many others
    /// answer.
    pub dead_waiting: u32,
    /// Share of a process's contacts that is enough, however few wait.
    pub dead_share: f64,
    /// Minimum number of failed IPv6 hosts for IPv6 to count as silent.
    pub ipv6_failed: u32,
    /// Number of IPv4 hosts that must answer for each IPv6 host that does not.
    pub ipv6_share: f64,
    /// Minimum number of failed contacts in peer-to-peer traffic.
    pub peers_failed: u32,
    /// Minimum share of failed contacts in peer-to-peer traffic.
    pub peers_share_least: f64,
    /// Maximum share of failed contacts in peer-to-peer traffic.
    pub peers_share_most: f64,
    /// Maximum share of the failures on any port in peer-to-peer traffic.
    pub peers_port_share: f64,
    /// Minimum number of distinct ports among the failures in peer-to-peer
    /// traffic.
    pub peers_ports: u32,
    /// Minimum number of distinct programs that fail before the network counts
    /// as down.
    pub down_programs: u32,
    /// Minimum number of distinct hosts that fail before the network counts as
    /// down.
    pub down_hosts: u32,
    /// Time for which nothing outside must have answered by then.
    pub down_after: Duration,
    /// Duration of a suspected outage after which its failures are forgiven.
    pub down_excuse: Duration,
    /// Share of an accept queue that is worth an info (chosen). It holds the
    /// backlog and one more, and is full beyond that (kernel:
    /// `sk_acceptq_is_full`).
    pub queue_share: f64,
    /// Minimum number of connections waiting in it (chosen): `listen(0)` is no
    /// problem.
    pub queue_waiting: u32,
    /// Share of `tcp_max_tw_buckets` that is worth a warning (chosen); at the
    /// whole of it connections close without `TIME_WAIT` (kernel).
    pub time_wait_share: f64,
    /// Share of `tcp_max_orphans` that is worth a warning. Where a peer is
    /// silent the kernel compares twice or four times the count, so that half
    /// may be all (kernel: `tcp_out_of_resources`).
    pub orphan_share: f64,
    /// Share of a listener's capacity (kernel: `inet_csk_reqsk_queue_is_full`)
    /// that connections half-open for longer than a round trip must take.
    pub half_open_share: f64,
    /// Minimum number of those connections (chosen): a small backlog is soon
    /// full.
    pub half_open_least: u32,
    /// Minimum number of those connections where the capacity is unknown
    /// (chosen).
    pub half_open_unmeasured: u32,
    /// Minimum number of SYN cookies sent in ten seconds for a share of them to
    /// mean anything (chosen).
    pub cookies_least: u32,
    /// The same where they are always sent (`tcp_syncookies` 2; chosen).
    pub cookies_always: u32,
    /// Share of cookies below which their return shows a flood (chosen: forged
    /// addresses return none, and some clients are honest meanwhile).
    pub cookies_flood: f64,
    /// Share of cookies above which their return shows honest clients (chosen).
    pub cookies_honest: f64,
    /// Age of an old socket in `CLOSE_WAIT` (kernel: after `tcp_fin_timeout`, a
    /// minute, a peer that has closed knows nothing of it any more).
    pub leak_age: Duration,
    /// Window within which the number of old sockets must grow (chosen).
    pub leak_window: Duration,
    /// Minimum increase within the window to be a leak.
    pub leak_growth: u32,
    /// Minimum increase within the window to be a leak, as a share of the
    /// earlier number.
    pub leak_share: f64,
    /// Number of old sockets that is a leak, however they came (chosen: more
    /// than the pools of most programs hold).
    pub leak_many: u32,
    /// Share of a process's descriptor limit (`RLIMIT_NOFILE`) at which a leak
    /// is an alarm (chosen).
    pub leak_descriptors: f64,
    /// Time for which a program must keep a half-closed connection on which
    /// nothing comes (kernel: `tcp_fin_timeout`, a minute, where no program
    /// holds it).
    pub fin_wait_2_after: Duration,
    /// Number of those connections that is worth a warning (chosen: as for
    /// `CLOSE_WAIT`).
    pub fin_wait_2_many: u32,
    /// Time for which data must go without an acknowledgement (chosen: roaming
    /// and a restarted router take less).
    pub unacknowledged_after: Duration,
    /// Share of a listener's connections at which that is worth a warning
    /// (chosen: single clients vanish every day).
    pub unacknowledged_share: f64,
    /// Time for which a socket must be connected to itself (chosen: a client
    /// that notices closes it at once).
    pub self_connection_after: Duration,
    /// Time for which a queue must not move to be stalled (chosen: players and
    /// programs at a prompt pause for less).
    pub still_after: Duration,
    /// Number of bytes unread in stalled queues of a process that is enough
    /// (chosen).
    pub still_bytes: u32,
    /// Number of stalled queues with any bytes that is enough (chosen: a
    /// program that reads leaves none).
    pub still_sockets: u32,
    /// Time for which a program must have accepted nothing while connections
    /// wait (chosen: clients wait for about as long).
    pub accept_stalled_after: Duration,
    /// Number of datagrams that a UDP socket must drop within ten seconds
    /// (chosen).
    pub udp_drops: u32,
    /// Number of tables of that time in which its counter must rise (chosen): a
    /// burst is over in one or two.
    pub udp_drop_tables: u32,
    /// Number of attempts that must fail within ten seconds (chosen: a database
    /// that restarts refuses fewer).
    pub storm_failed: u32,
    /// Share of all attempts that must fail.
    pub storm_share: f64,
    /// Share of the local ports to one destination that is worth a warning
    /// (chosen).
    pub ports_amber: f64,
    /// Share of the local ports to one destination that is an alarm (chosen):
    /// finding a free port takes the kernel ever longer by then (kernel:
    /// `__inet_hash_connect`).
    pub ports_red: f64,
    /// Time for which a new listener is worth an info (chosen).
    pub listener_fresh: Duration,
    /// Maximum number of contacts remembered for one process; the oldest are
    /// dropped.
    pub contacts_each: usize,
    /// Maximum number of contacts remembered in all.
    pub contacts_all: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            window: Duration::from_mins(5),
            patience: Duration::from_millis(1200),
            settling: Duration::from_secs(3),
            settled_retransmits: 3,
            scan_hosts: 25,
            scan_ports: 15,
            scan_queue: 100,
            scan_contacts: 20,
            scan_share: 0.5,
            walk_failure: 4.0,
            walk_success: 0.25,
            walk_alarm: 99_000.0,
            walk_ceiling: 99_000.0 * 64.0,
            clearing: Duration::from_mins(1),
            dead_destinations: 5,
            dead_after: Duration::from_secs(10),
            dead_waiting: 10,
            dead_share: 0.5,
            ipv6_failed: 5,
            ipv6_share: 0.5,
            peers_failed: 20,
            peers_share_least: 0.5,
            peers_share_most: 0.9,
            peers_port_share: 0.3,
            peers_ports: 10,
            down_programs: 3,
            down_hosts: 3,
            down_after: Duration::from_mins(1),
            down_excuse: Duration::from_secs(20),
            queue_share: 0.7,
            queue_waiting: 4,
            time_wait_share: 0.8,
            orphan_share: 0.5,
            half_open_share: 0.8,
            half_open_least: 8,
            half_open_unmeasured: 32,
            cookies_least: 20,
            cookies_always: 1000,
            cookies_flood: 0.1,
            cookies_honest: 0.5,
            leak_age: Duration::from_mins(1),
            leak_window: Duration::from_mins(5),
            leak_growth: 20,
            leak_share: 0.1,
            leak_many: 50,
            leak_descriptors: 0.8,
            fin_wait_2_after: Duration::from_mins(1),
            fin_wait_2_many: 50,
            unacknowledged_after: Duration::from_secs(15),
            unacknowledged_share: 0.1,
            self_connection_after: Duration::from_secs(10),
            still_after: Duration::from_secs(30),
            still_bytes: 16 * 1024,
            still_sockets: 10,
            accept_stalled_after: Duration::from_secs(20),
            udp_drops: 20,
            udp_drop_tables: 3,
            storm_failed: 20,
            storm_share: 0.5,
            ports_amber: 0.7,
            ports_red: 0.9,
            listener_fresh: Duration::from_mins(10),
            contacts_each: 8192,
            contacts_all: 65_536,
        }
    }
}
