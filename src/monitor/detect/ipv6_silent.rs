//! Rule: IPv6 does not answer where IPv4 does.
//!
//! Programs that try IPv6 first then look as if half of their attempts failed.
//! It is about the machine, not about one process.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::profile::{Profile, host, is_outside_v4, is_outside_v6, saturating_u32};
use super::thresholds::Thresholds;
use crate::model::endpoint::Endpoint;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct Ipv6SilentDetector {
    active: ActiveFindings<()>,
}

impl Detector for Ipv6SilentDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let families = FamilyCounts::of(case.profiles);
        let level = case.network.dampen(families.level(case.limits));
        self.active.update((), None, level, case.now);
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

/// True if the failures of a process are those of IPv6 as such: it reaches no
/// IPv6 host at all, but about as many IPv4 hosts as it fails to reach by IPv6.
/// A scanner of IPv6 hosts does not.
pub(super) fn explains(profile: &Profile, limits: &Thresholds) -> bool {
    let families = FamilyCounts::of(std::slice::from_ref(profile));
    let v4_failed = profile.failed.len().saturating_sub(families.v6_failed);
    families.v6_reached == 0
        && families.v6_failed > v4_failed
        && families.v4_reached > v4_failed
        && families.v4_answers_instead(limits)
}

/// True if this failure of a process is one of IPv6 as such.
pub(super) fn explains_destination(profile: &Profile, destination: Endpoint) -> bool {
    is_outside_v6(destination)
        && !profile.reached.iter().copied().any(is_outside_v6)
        && profile.reached.iter().copied().any(is_outside_v4)
}

/// Hosts outside this machine by family and outcome. All zero where no IPv6
/// host failed: then the others do not matter.
#[derive(Default)]
struct FamilyCounts {
    v6_failed: usize,
    v6_reached: usize,
    v4_reached: usize,
}

impl FamilyCounts {
    fn of(profiles: &[Profile]) -> Self {
        let failed = profiles.iter().flat_map(|profile| &profile.failed);
        let reached = || profiles.iter().flat_map(|profile| &profile.reached);
        let v6_failed = hosts(failed, is_outside_v6);
        if v6_failed == 0 {
            return Self::default();
        }
        Self {
            v6_failed,
            v6_reached: hosts(reached(), is_outside_v6),
            v4_reached: hosts(reached(), is_outside_v4),
        }
    }

    fn level(&self, limits: &Thresholds) -> TriggerLevel {
        let least = limits.ipv6_failed as usize;
        let evidence = Evidence::Ipv6Silent {
            failed: saturating_u32(self.v6_failed),
            reached: saturating_u32(self.v4_reached),
        };
        if self.v6_reached > 0 {
            // One answer refutes it.
            TriggerLevel::Suppress
        } else if self.v6_failed >= least && self.v4_answers_instead(limits) {
            TriggerLevel::Raise(Severity::Info, evidence)
        } else if self.v6_failed * 2 >= least {
            TriggerLevel::Sustain(evidence)
        } else {
            TriggerLevel::Clear
        }
    }

    fn v4_answers_instead(&self, limits: &Thresholds) -> bool {
        let wanted = f64::from(saturating_u32(self.v6_failed)) * limits.ipv6_share;
        self.v4_reached > 0 && f64::from(saturating_u32(self.v4_reached)) >= wanted
    }
}

/// Distinct hosts of one kind.
fn hosts<'a>(
    endpoints: impl Iterator<Item = &'a Endpoint>,
    is_kind: impl Fn(Endpoint) -> bool,
) -> usize {
    let mut hosts: Vec<Endpoint> = endpoints
        .copied()
        .filter(|each| is_kind(*each))
        .map(host)
        .collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts.len()
}

#[cfg(test)]
mod tests {
    use super::super::profile::fixture::{profile, v4, v6};
    use super::*;

    fn is_raised(profiles: &[Profile]) -> bool {
        let level = FamilyCounts::of(profiles).level(&Thresholds::default());
        matches!(level, TriggerLevel::Raise(..))
    }

    #[test]
    fn ipv6_is_silent_where_ipv4_answers_instead() {
        let dual = profile((0..30).map(|n| v6(n, 443)), (0..30).map(|n| v4(n, 443)));
        assert!(is_raised(std::slice::from_ref(&dual)));
        assert!(explains(&dual, &Thresholds::default()));
        assert!(explains_destination(&dual, v6(3, 443)));
        assert!(!explains_destination(&dual, v4(3, 443)));
    }

    #[test]
    fn one_answer_refutes_it() {
        let reached = (0..30).map(|n| v4(n, 443)).chain([v6(99, 443)]);
        let dual = profile((0..30).map(|n| v6(n, 443)), reached);
        assert!(!is_raised(std::slice::from_ref(&dual)));
        assert!(!explains(&dual, &Thresholds::default()));
    }

    #[test]
    fn a_scanner_is_not_excused_by_the_ipv4_hosts_it_reaches() {
        let scanner = profile((0..600).map(|n| v6(n, 443)), (0..60).map(|n| v4(n, 443)));
        assert!(!is_raised(std::slice::from_ref(&scanner)));
        assert!(!explains(&scanner, &Thresholds::default()));
    }

    #[test]
    fn the_local_link_tells_nothing() {
        let link_local = |n: u16| {
            let address = std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n);
            Endpoint::new(address.into(), 443)
        };
        let local = profile((0..30).map(link_local), (0..30).map(|n| v4(n, 443)));
        assert!(!is_raised(&[local]));
    }
}
