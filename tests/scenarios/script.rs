//! The form of a scenario file: who is there, what happens, what must be found.

use crate::curve::Curve;
use crate::kernel::Kernel;
use serde::Deserialize;
use std::net::IpAddr;

/// A scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// What it stands for, for the reader.
    pub(crate) about: String,
    /// How long it is watched.
    pub(crate) seconds: f64,
    /// Seconds between two tables.
    #[serde(default = "second")]
    pub(crate) interval: f64,
    /// The only source that tells what this is about, if only one does.
    pub(crate) source: Option<String>,
    /// Whether the kernel's count of tried connections is read.
    #[serde(default)]
    pub(crate) counters: bool,
    /// What the kernel tells beside its sockets.
    #[serde(default)]
    pub(crate) kernel: Kernel,
    /// Who is there.
    #[serde(default)]
    pub(crate) process: Vec<Process>,
    /// Sockets one by one.
    #[serde(default)]
    pub(crate) socket: Vec<Socket>,
    /// Connections by the hundred.
    #[serde(default)]
    pub(crate) burst: Vec<Burst>,
    /// Connects that the kernel's events tell of, too short for any table.
    #[serde(default)]
    pub(crate) told: Vec<Told>,
    /// What must be found.
    #[serde(default)]
    pub(crate) expect: Vec<Expectation>,
    /// What may be found; anything else fails the scenario.
    #[serde(default)]
    pub(crate) allow: Vec<Allowance>,
}

/// A process.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Its program file, if it can be seen.
    pub(crate) exe: Option<String>,
    /// Whether that file has been removed.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// True if another file is at that path here, and it runs in a user namespace
    /// and a file system of its own.
    #[serde(default)]
    pub(crate) impostor: bool,
    /// The user whose it is, if its descriptors may not be read, so that nobody
    /// knows what it holds.
    pub(crate) hidden: Option<u32>,
    /// True if it is a container's.
    #[serde(default)]
    pub(crate) container: bool,
    /// How many files it has open.
    #[serde(default)]
    pub(crate) open: Curve,
    /// How many it may have open; where that is not given, neither is known.
    pub(crate) most: Option<u32>,
    /// When it ends.
    #[serde(default = "never")]
    pub(crate) until: f64,
}

/// One socket and its life, or several alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Socket {
    /// Who holds it, as long as its state has an owner.
    pub(crate) process: Option<String>,
    #[serde(default)]
    pub(crate) udp: bool,
    pub(crate) local: String,
    pub(crate) remote: Option<String>,
    /// Second and state.
    pub(crate) stages: Vec<(f64, String)>,
    #[serde(default = "never")]
    pub(crate) until: f64,
    /// What its receive queue holds; for a listener, connections that wait.
    #[serde(default)]
    pub(crate) recv: Curve,
    /// What its send queue holds; for a listener, its backlog.
    #[serde(default)]
    pub(crate) send: Curve,
    /// True if it is open and no process holds it.
    #[serde(default)]
    pub(crate) unheld: bool,
    /// Whose it is.
    #[serde(default)]
    pub(crate) uid: u32,
    /// Datagrams dropped at it since it was opened.
    pub(crate) drops: Option<Curve>,
    /// From when until when it asks a closed window.
    pub(crate) probing: Option<(f64, f64)>,
    /// From when until when its data is sent again without an answer.
    #[serde(default)]
    pub(crate) resending: Vec<(f64, f64)>,
    /// From when until when data comes on it, where `TCP_INFO` tells.
    pub(crate) receiving: Option<Vec<(f64, f64)>>,
    /// How many of them there are, each with a peer of its own …
    #[serde(default = "one")]
    pub(crate) count: u32,
    /// … and over how many seconds they begin, one after the other.
    #[serde(default)]
    pub(crate) over: f64,
}

/// Many connections of one kind, spread evenly over some time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Burst {
    pub(crate) process: String,
    /// Whether they come in, to the port below, instead of going out.
    #[serde(default)]
    pub(crate) inbound: bool,
    /// Address of the first host; the others follow.
    pub(crate) network: IpAddr,
    #[serde(default = "one")]
    pub(crate) hosts: u32,
    pub(crate) port: u16,
    /// Consecutive ports tried on each host.
    #[serde(default = "one")]
    pub(crate) ports: u32,
    /// The share of hosts with a port of their own instead.
    #[serde(default)]
    pub(crate) scattered: f64,
    /// How often each destination is tried.
    #[serde(default = "one")]
    pub(crate) times: u32,
    pub(crate) from: f64,
    /// Over how many seconds the attempts are spread.
    pub(crate) over: f64,
    /// The share of hosts that never answer.
    #[serde(default)]
    pub(crate) silent: f64,
    /// The share of hosts that answer the second SYN only.
    #[serde(default)]
    pub(crate) lossy: f64,
    /// Seconds until a host answers.
    #[serde(default = "round_trip")]
    pub(crate) answer: f64,
    /// Seconds until an unanswered attempt is given up; the kernel's own limit
    /// if the program has none.
    #[serde(default = "kernel_limit")]
    pub(crate) gives_up: f64,
    /// Seconds for which an answered connection stays.
    #[serde(default = "never")]
    pub(crate) stays: f64,
    /// Whether the peer closes it, which leaves nothing behind. Otherwise it
    /// goes through TIME_WAIT.
    #[serde(default)]
    pub(crate) peer_closes: bool,
    /// How many local ports all destinations share, where the kernel chooses the port for
    /// each destination; else each connection has one of its own.
    pub(crate) local_ports: Option<u16>,
    /// Seconds until the owner of a socket is found.
    #[serde(default)]
    pub(crate) owner_found: f64,
    /// Another seed throws other dice.
    #[serde(default)]
    pub(crate) seed: u64,
}

/// Connects of which the kernel's events tell and no table does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    pub(crate) process: String,
    /// The first host; the others follow.
    pub(crate) remote: String,
    #[serde(default = "one")]
    pub(crate) hosts: u32,
    /// The process's own namespace, if it is not the one that is watched.
    #[serde(default)]
    pub(crate) elsewhere: bool,
    /// How each ends.
    pub(crate) outcome: Outcome,
    /// How many seconds later.
    #[serde(default = "at_once")]
    pub(crate) after: f64,
    /// How many a second.
    pub(crate) rate: f64,
    pub(crate) from: f64,
    /// For how many seconds.
    pub(crate) over: f64,
}

/// How a connect ends.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// By a reset, or after a second for want of an answer.
    Failed,
    /// The program does not wait for an answer.
    GivenUp,
    /// It is answered, and over after as long again.
    Answered,
}

/// A finding there must be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    pub(crate) rule: String,
    /// The severity it must reach …
    pub(crate) severity: String,
    /// Whose finding; none for one about no process.
    pub(crate) process: Option<String>,
    /// When the trouble begins.
    #[serde(default)]
    pub(crate) since: f64,
    /// … by this second.
    pub(crate) by: f64,
    /// From then until this second it must stand.
    pub(crate) until: Option<f64>,
    /// From this second on it must be less grave.
    pub(crate) eased_by: Option<f64>,
    /// From this second on it must be gone.
    pub(crate) gone_by: Option<f64>,
}

/// A finding there may be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowance {
    pub(crate) rule: String,
    /// At most this.
    pub(crate) severity: String,
    pub(crate) process: Option<String>,
}

fn never() -> f64 {
    f64::INFINITY
}

fn at_once() -> f64 {
    0.0001
}

fn one() -> u32 {
    1
}

fn second() -> f64 {
    1.0
}

fn round_trip() -> f64 {
    0.03
}

/// About 131 s with `tcp_syn_retries` 6 and `tcp_syn_linear_timeouts` 4.
fn kernel_limit() -> f64 {
    131.0
}
