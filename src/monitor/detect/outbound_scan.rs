//! Rule: one process connects to many hosts, or to many ports of one host, and
//! most do not answer. The classic sign of a worm looking for victims.
//!
//! Three signs must come together: breadth (Zeek, Williamson), a share of
//! failures, and persistence (the random walk).

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::owner_key::OwnerKey;
use super::profile::{Profile, saturating_u32};
use super::thresholds::Thresholds;
use super::{ipv6_silent, peer_to_peer};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, ScanEvidence, ScanKind};
use crate::model::finding::{Finding, Severity};

/// Maximum number of destinations in the evidence.
const MAX_EXAMPLES: usize = 5;

/// A finding per process.
#[derive(Default)]
pub(super) struct OutboundScanDetector {
    active: ActiveFindings<OwnerKey>,
}

impl Detector for OutboundScanDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let told = case.context.attempts.is_complete();
        case.evaluate_each_process(&mut self.active, |profile| {
            level(profile, told, case.limits)
        })
    }
}

/// `told` is true if outcomes are reported by events, not guessed.
fn level(profile: &Profile, told: bool, limits: &Thresholds) -> TriggerLevel {
    let Some((breadth, extent)) = broadest(profile, limits) else {
        return TriggerLevel::Clear;
    };
    if is_explained(profile, breadth, limits) {
        return TriggerLevel::Suppress;
    }
    let evidence = Evidence::OutboundScan(evidence(profile, breadth, told, limits));
    match extent {
        Extent::Full if is_convincing(profile, limits) => {
            TriggerLevel::Raise(Severity::Critical, evidence)
        }
        Extent::Half if is_convincing(profile, limits) => {
            TriggerLevel::Raise(Severity::Warning, evidence)
        }
        _ if profile.failed_share() * 2.0 >= limits.scan_share => TriggerLevel::Sustain(evidence),
        _ => TriggerLevel::Clear,
    }
}

/// True if something harmless explains it. Peers never connect to many ports of
/// one host.
fn is_explained(profile: &Profile, breadth: ScanKind, limits: &Thresholds) -> bool {
    let is_vertical = matches!(breadth, ScanKind::Ports { .. });
    let are_peers =
        peer_to_peer::explains(profile, limits) || peer_to_peer::resembles(profile, limits);
    ipv6_silent::explains(profile, limits) || are_peers && !is_vertical
}

/// True if failures prevail, and have for long enough to be no accident.
fn is_convincing(profile: &Profile, limits: &Thresholds) -> bool {
    profile.contacts() >= limits.scan_contacts as usize
        && profile.failed_share() >= limits.scan_share
        && profile.rate.trw_ratio >= limits.walk_alarm
}

/// Extent of a breadth.
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

/// Returns the broadest direction of a process; hosts before ports before the
/// throttle where two are equal.
fn broadest(profile: &Profile, limits: &Thresholds) -> Option<(ScanKind, Extent)> {
    // Of equals, `max_by_key` takes the last.
    [
        over_the_throttle(profile, limits),
        over_ports_of_a_host(profile, limits),
        over_hosts(profile, limits),
    ]
    .into_iter()
    .flatten()
    .max_by_key(|(_, extent)| *extent)
}

fn over_hosts(profile: &Profile, limits: &Thresholds) -> Option<(ScanKind, Extent)> {
    let (port, hosts) = profile.worst_port()?;
    let count = saturating_u32(hosts);
    let extent = Extent::of(hosts, limits.scan_hosts)?;
    Some((ScanKind::Hosts { count, port }, extent))
}

fn over_ports_of_a_host(profile: &Profile, limits: &Thresholds) -> Option<(ScanKind, Extent)> {
    let (host, ports) = profile.worst_host()?;
    let count = saturating_u32(ports);
    let extent = Extent::of(ports, limits.scan_ports)?;
    Some((ScanKind::Ports { count, host }, extent))
}

fn over_the_throttle(profile: &Profile, limits: &Thresholds) -> Option<(ScanKind, Extent)> {
    let queue = profile.rate.throttle_queue;
    // The limit itself is still allowed.
    let extent = Extent::of(queue as usize, limits.scan_queue + 1)?;
    Some((ScanKind::Throttle { queue }, extent))
}

fn evidence(profile: &Profile, breadth: ScanKind, told: bool, limits: &Thresholds) -> ScanEvidence {
    ScanEvidence {
        kind: breadth,
        contacts: saturating_u32(profile.contacts()),
        failed: saturating_u32(profile.failed.len()),
        refused: told.then_some(saturating_u32(profile.refused)),
        untracked_attempts: u32::try_from(profile.untracked).unwrap_or(u32::MAX),
        window_s: u32::try_from(limits.window.as_secs()).unwrap_or(u32::MAX),
        likelihood_ratio: profile.rate.trw_ratio,
        waiting: profile.rate.syn_sent,
        examples: examples(profile, breadth),
        family: profile.family(),
    }
}

/// Returns a few of the failed destinations within the breadth.
fn examples(profile: &Profile, breadth: ScanKind) -> Vec<Endpoint> {
    let belongs = |each: &&Endpoint| match breadth {
        ScanKind::Hosts { port, .. } => each.port == port,
        ScanKind::Ports { host, .. } => each.address() == host.address(),
        ScanKind::Throttle { .. } => true,
    };
    let failed = profile.failed.iter().filter(belongs);
    failed.take(MAX_EXAMPLES).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::super::profile::fixture::{profile, v4, v6};
    use super::*;

    fn severity(profile: &Profile) -> Option<Severity> {
        match level(profile, false, &Thresholds::default()) {
            TriggerLevel::Raise(severity, _) => Some(severity),
            TriggerLevel::Sustain(_) | TriggerLevel::Clear | TriggerLevel::Suppress => None,
        }
    }

    fn scanner() -> Profile {
        profile((0..25).map(|n| v4(n, 445)), [])
    }

    #[test]
    fn all_three_signs_make_an_alarm() {
        assert_eq!(severity(&scanner()), Some(Severity::Critical));
    }

    #[test]
    fn half_the_breadth_makes_a_warning() {
        let fewer = profile((0..24).map(|n| v4(n, 445)), []);
        assert_eq!(severity(&fewer), Some(Severity::Warning));
        let half = profile((0..13).map(|n| v4(n, 445)), (50..60).map(|n| v4(n, 80)));
        assert_eq!(severity(&half), Some(Severity::Warning));
        let less = profile((0..12).map(|n| v4(n, 445)), (50..60).map(|n| v4(n, 80)));
        assert_eq!(severity(&less), None);
    }

    #[test]
    fn many_ports_of_one_host_are_a_scan_too() {
        let vertical = profile((1..=20).map(|port| v4(1, port)), []);
        assert_eq!(severity(&vertical), Some(Severity::Critical));
        let Some((ScanKind::Ports { count, host }, _)) =
            broadest(&vertical, &Thresholds::default())
        else {
            panic!("not vertical");
        };
        assert_eq!((count, host), (20, v4(1, 0)));
    }

    #[test]
    fn the_throttle_counts_where_hosts_do_not_yet() {
        let mut eager = profile((0..12).map(|n| v4(n, 445)), (50..60).map(|n| v4(n, 80)));
        assert_eq!(severity(&eager), None);
        eager.rate.throttle_queue = 51;
        assert_eq!(severity(&eager), Some(Severity::Warning));
        eager.rate.throttle_queue = 101;
        assert_eq!(severity(&eager), Some(Severity::Critical));
    }

    #[test]
    fn breadth_without_persistence_is_nothing() {
        let mut lucky = scanner();
        lucky.rate.trw_ratio = 98_999.0;
        assert_eq!(severity(&lucky), None);
    }

    #[test]
    fn breadth_without_a_share_of_failures_is_nothing() {
        let busy = profile((0..25).map(|n| v4(n, 445)), (50..76).map(|n| v4(n, 445)));
        assert_eq!(severity(&busy), None);
    }

    #[test]
    fn a_few_contacts_prove_nothing() {
        let few = profile((0..19).map(|n| v4(n, 445)), []);
        assert_eq!(severity(&few), None);
    }

    #[test]
    fn a_better_explanation_ends_it() {
        let limits = Thresholds::default();
        let dual = profile((0..30).map(|n| v6(n, 443)), (0..30).map(|n| v4(n, 443)));
        assert_eq!(level(&dual, false, &limits), TriggerLevel::Suppress);
        let scattered = (0..100u16).map(|n| v4(n.into(), 20_000 + n));
        let common = (200..235).map(|n| v4(n, 6881));
        let reached = (300..350).map(|n| v4(n, 6881));
        let peers = profile(scattered.chain(common), reached);
        assert_eq!(level(&peers, false, &limits), TriggerLevel::Suppress);
    }

    #[test]
    fn examples_are_of_the_breadth() {
        let mixed = profile((0..25).map(|n| v4(n, 445)).chain([v4(0, 80)]), []);
        let named = examples(
            &mixed,
            ScanKind::Hosts {
                count: 25,
                port: 445,
            },
        );
        assert_eq!(named.len(), MAX_EXAMPLES);
        assert!(named.iter().all(|each| each.port == 445));
    }
}
