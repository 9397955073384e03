//! Every number the rules go by, with where it comes from.

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
    /// How far back first contacts count (Zeek).
    pub window: Duration,
    /// A SYN that waits longer has failed, even if no retransmit was seen: the
    /// first one is due after 1 s (RFC 6298), and a little late.
    pub patience: Duration,
    /// How long a failure must stand before a rule counts it. Losing one SYN is
    /// no failure, and a network that stumbles for a second no trouble.
    pub settling: Duration,
    /// So many retransmits say the same, whenever watching began: they come a
    /// second apart (`tcp_syn_linear_timeouts`) or farther.
    pub settled_retransmits: u8,
    /// Hosts failed on one port that make a scan (Zeek).
    pub scan_hosts: u32,
    /// Ports failed on one host that make a scan (Zeek).
    pub scan_ports: u32,
    /// Length of the throttle's queue that makes a scan (Williamson).
    pub scan_queue: u32,
    /// How many first contacts there must be before a share means anything.
    pub scan_contacts: u32,
    /// The share of them that must fail, 0 to 1.
    pub scan_share: f64,
    /// By what a failure multiplies the walk: 0.8 / 0.2 (Jung).
    pub walk_failure: f64,
    /// By what a success multiplies it: 0.2 / 0.8 (Jung).
    pub walk_success: f64,
    /// Where the walk says "scanner": 0.99 / 0.00001. Jung's 0.01 for false
    /// alarms is reached after four failures, too few for a workstation.
    pub walk_alarm: f64,
    /// Where it stops, so that successes can bring it back.
    pub walk_ceiling: f64,
    /// How long a finding stays after its signs have fallen below half.
    pub clearing: Duration,
    /// Up to so many silent destinations are "a destination does not answer".
    pub dead_destinations: u32,
    /// How long they must have been silent.
    pub dead_after: Duration,
    /// So many sockets waiting for them matter, however many others answer.
    pub dead_waiting: u32,
    /// The share of a process's contacts that matters, however few wait.
    pub dead_share: f64,
    /// IPv6 hosts that must fail before IPv6 is called silent.
    pub ipv6_failed: u32,
    /// IPv4 hosts that must answer for each IPv6 host that does not.
    pub ipv6_share: f64,
    /// Failed contacts that make peer-to-peer traffic.
    pub peers_failed: u32,
    /// The share of contacts that fail in peer-to-peer traffic: from here …
    pub peers_share_least: f64,
    /// … to here.
    pub peers_share_most: f64,
    /// The largest share of the failures that any port may have.
    pub peers_port_share: f64,
    /// Distinct ports there must be among the failures.
    pub peers_ports: u32,
    /// Distinct programs that must fail before the network is blamed.
    pub down_programs: u32,
    /// Distinct hosts that must fail before it is.
    pub down_hosts: u32,
    /// How long nothing outside may have answered by then.
    pub down_after: Duration,
    /// A suspicion that lasted so long excuses the failures it covers.
    pub down_excuse: Duration,
    /// The share of an accept queue that is worth knowing (chosen). It holds the
    /// backlog and one more, and is full beyond that (kernel:
    /// `sk_acceptq_is_full`).
    pub queue_share: f64,
    /// And so many connections must wait in it (chosen): `listen(0)` is no
    /// trouble.
    pub queue_waiting: u32,
    /// The share of `tcp_max_tw_buckets` that is worth a look (chosen); at the
    /// whole of it connections close without `TIME_WAIT` (kernel).
    pub time_wait_share: f64,
    /// The share of `tcp_max_orphans` that is worth a look. Where a peer is
    /// silent the kernel compares twice or four times the count, so that half
    /// may be all (kernel: `tcp_out_of_resources`).
    pub orphan_share: f64,
    /// The share of a listener's room (kernel: `inet_csk_reqsk_queue_is_full`)
    /// that half-open connections must take …
    pub half_open_share: f64,
    /// … for longer than a round trip, and how many that must be (chosen): a
    /// small backlog is soon full.
    pub half_open_least: u32,
    /// How many there must be where the room is not known (chosen).
    pub half_open_unmeasured: u32,
    /// How many SYN cookies must be sent in ten seconds before a share of them
    /// means anything (chosen).
    pub cookies_least: u32,
    /// The same where they are always sent (`tcp_syncookies` 2; chosen).
    pub cookies_always: u32,
    /// Fewer than this share come back in a flood (chosen: forged addresses
    /// return none, and some clients are honest meanwhile) …
    pub cookies_flood: f64,
    /// … and more than this where clients are honest (chosen).
    pub cookies_honest: f64,
    /// How long a socket must be in `CLOSE_WAIT` to be an old one (kernel:
    /// after `tcp_fin_timeout`, a minute, a peer that has closed knows nothing
    /// of it any more).
    pub leak_age: Duration,
    /// Within what time their number must grow (chosen) …
    pub leak_window: Duration,
    /// … by so many …
    pub leak_growth: u32,
    /// … and by this share of what there were, to be a leak.
    pub leak_share: f64,
    /// So many old ones are a leak, however they came (chosen: more than the pools
    /// of most programs hold).
    pub leak_many: u32,
    /// The share of the descriptors a process may open (`RLIMIT_NOFILE`) at
    /// which a leak is an alarm (chosen).
    pub leak_descriptors: f64,
    /// How long a program must keep a half-closed connection on which nothing comes
    /// (kernel: `tcp_fin_timeout`, a minute, where no program holds it) …
    pub fin_wait_2_after: Duration,
    /// … and how many of them are worth a warning (chosen: as for `CLOSE_WAIT`).
    pub fin_wait_2_many: u32,
    /// How long data must go without an acknowledgement (chosen: roaming and a
    /// restarted router take less) …
    pub unacknowledged_after: Duration,
    /// … and at which share of a listener's connections that is worth a warning
    /// (chosen: single clients vanish every day).
    pub unacknowledged_share: f64,
    /// How long a socket must be connected to itself (chosen: a client that notices
    /// closes it at once).
    pub self_connection_after: Duration,
    /// How long a queue must stand still to be stuck (chosen: players and
    /// programs at a prompt pause for less).
    pub still_after: Duration,
    /// How many bytes must wait unread in such queues of a process (chosen) …
    pub still_bytes: u32,
    /// … or in how many of them any (chosen: a program that reads leaves none).
    pub still_sockets: u32,
    /// How long a program must have accepted nothing while connections wait
    /// (chosen: clients wait for about as long).
    pub accept_stalled_after: Duration,
    /// How many datagrams a UDP socket must drop within ten seconds (chosen) …
    pub udp_drops: u32,
    /// … and in how many tables of that time its counter must rise (chosen): a
    /// burst is over in one or two.
    pub udp_drop_tables: u32,
    /// How many connects must fail within ten seconds to be a storm (chosen: a
    /// database that restarts refuses fewer) …
    pub storm_failed: u32,
    /// … and which share of those tried.
    pub storm_share: f64,
    /// The share of the local ports to one destination that is worth a look
    /// (chosen) …
    pub ports_amber: f64,
    /// … and the one that is an alarm (chosen): finding a free port takes the
    /// kernel ever longer by then (kernel: `__inet_hash_connect`).
    pub ports_red: f64,
    /// How long a new listener is worth knowing (chosen).
    pub listener_fresh: Duration,
    /// Contacts remembered for one process; the oldest are dropped.
    pub contacts_each: usize,
    /// Contacts remembered in all.
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
