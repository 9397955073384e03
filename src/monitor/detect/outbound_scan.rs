//! Rule: one process asks many hosts, or one host on many ports, and most do
//! not answer. The old sign of a worm looking for victims.
//!
//! Three signs must come together: breadth (Zeek, Williamson), a share of
//! failures, and persistence (the random walk).

use super::profile::{Profile, small};
use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Actor, Case, Detector, ipv6_silent, peer_to_peer};
use crate::model::endpoint::Endpoint;
use crate::model::finding::{Breadth, Evidence, Finding, ScanEvidence, Severity};

/// How many destinations the evidence names.
const EXAMPLES: usize = 5;

/// A finding per process.
#[derive(Default)]
pub(super) struct OutboundScan {
    standing: Standing<Actor>,
}

impl Detector for OutboundScan {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        case.judge_each(&mut self.standing, |profile| level(profile, case.limits))
    }
}

fn level(profile: &Profile, limits: &Thresholds) -> Level {
    let Some((breadth, extent)) = broadest(profile, limits) else {
        return Level::Below;
    };
    let is_vertical = matches!(breadth, Breadth::Ports { .. });
    if ipv6_silent::explains(profile, limits)
        || peer_to_peer::explains(profile, limits) && !is_vertical
    {
        return Level::Explained;
    }
    let evidence = Evidence::OutboundScan(evidence(profile, breadth, limits));
    match extent {
        Extent::Full if is_convincing(profile, limits) => Level::Raise(Severity::Alarm, evidence),
        Extent::Half if is_convincing(profile, limits) => Level::Raise(Severity::Warn, evidence),
        _ if profile.failed_share() * 2.0 >= limits.scan_share => Level::Hold(evidence),
        _ => Level::Below,
    }
}

/// Whether failures prevail, and have done so long enough to be no accident.
fn is_convincing(profile: &Profile, limits: &Thresholds) -> bool {
    profile.contacts() >= limits.scan_contacts as usize
        && profile.failed_share() >= limits.scan_share
        && profile.pace.walk >= limits.walk_alarm
}

/// How far a breadth goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    /// At least half the limit.
    Half,
    /// The limit or more.
    Full,
}

impl Extent {
    fn of(count: usize, limit: u32) -> Option<Self> {
        let limit = limit as usize;
        if count >= limit {
            Some(Self::Full)
        } else if count * 2 >= limit {
            Some(Self::Half)
        } else {
            None
        }
    }
}

/// The direction in which a process goes farthest; hosts before ports before
/// the throttle where two go equally far.
fn broadest(profile: &Profile, limits: &Thresholds) -> Option<(Breadth, Extent)> {
    // Of equals, the last is taken.
    [
        over_the_throttle(profile, limits),
        over_ports_of_a_host(profile, limits),
        over_hosts(profile, limits),
    ]
    .into_iter()
    .flatten()
    .max_by_key(|(_, extent)| *extent)
}

fn over_hosts(profile: &Profile, limits: &Thresholds) -> Option<(Breadth, Extent)> {
    let (port, hosts) = profile.worst_port()?;
    let count = small(hosts);
    let extent = Extent::of(hosts, limits.scan_hosts)?;
    Some((Breadth::Hosts { count, port }, extent))
}

fn over_ports_of_a_host(profile: &Profile, limits: &Thresholds) -> Option<(Breadth, Extent)> {
    let (host, ports) = profile.worst_host()?;
    let count = small(ports);
    let extent = Extent::of(ports, limits.scan_ports)?;
    Some((Breadth::Ports { count, host }, extent))
}

fn over_the_throttle(profile: &Profile, limits: &Thresholds) -> Option<(Breadth, Extent)> {
    let queue = profile.pace.queue;
    // The limit itself is still allowed.
    let extent = Extent::of(queue as usize, limits.scan_queue + 1)?;
    Some((Breadth::Throttle { queue }, extent))
}

fn evidence(profile: &Profile, breadth: Breadth, limits: &Thresholds) -> ScanEvidence {
    ScanEvidence {
        breadth,
        contacts: small(profile.contacts()),
        failed: small(profile.failed.len()),
        window_s: u32::try_from(limits.window.as_secs()).unwrap_or(u32::MAX),
        likelihood: profile.pace.walk,
        waiting: profile.pace.waiting,
        examples: examples(profile, breadth),
        family: profile.family(),
    }
}

/// A few of the failed destinations that make the breadth.
fn examples(profile: &Profile, breadth: Breadth) -> Vec<Endpoint> {
    let belongs = |each: &&Endpoint| match breadth {
        Breadth::Hosts { port, .. } => each.port == port,
        Breadth::Ports { host, .. } => each.address() == host.address(),
        Breadth::Throttle { .. } => true,
    };
    let failed = profile.failed.iter().filter(belongs);
    failed.take(EXAMPLES).copied().collect()
}
