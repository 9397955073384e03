//! Rule: a few destinations do not answer. A backend is down, a firewall drops
//! the SYN; never a scan.
//!
//! Unseen processes are evaluated together, by user. That a destination does
//! not answer is as true of all of them as of one, and the more of them wait
//! for it, the more certain. Destinations that most of them reach, and more
//! than a few silent ones, only weaken it.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::ipv6_silent;
use super::owner_key::OwnerKey;
use super::profile::{Profile, SilentDestination, saturating_u32, share};
use super::thresholds::Thresholds;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::time::Timestamp;
use std::cmp::Reverse;

/// A finding per client.
#[derive(Default)]
pub(super) struct DeadDestinationDetector {
    active: ActiveFindings<OwnerKey>,
}

impl Detector for DeadDestinationDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        case.evaluate_each_client(&mut self.active, |profile| {
            level(profile, case.now, case.limits)
        })
    }
}

fn level(profile: &Profile, now: Timestamp, limits: &Thresholds) -> TriggerLevel {
    let most = limits.dead_destinations as usize;
    if profile.silent.len() > most || profile.failed.len() > most {
        // This many have another cause.
        return TriggerLevel::Suppress;
    }
    let dead: Vec<SilentDestination> = profile
        .silent
        .iter()
        .filter(|each| !ipv6_silent::explains_destination(profile, each.destination))
        .copied()
        .collect();
    let Some(evidence) = evidence(&dead) else {
        return TriggerLevel::Clear;
    };
    let is_lasting = |each: &SilentDestination| each.since.age(now) >= limits.dead_after;
    if dead.iter().any(is_lasting) && is_significant(profile, &dead, limits) {
        TriggerLevel::Raise(Severity::Info, evidence)
    } else {
        TriggerLevel::Sustain(evidence)
    }
}

/// True if these are more than the few silent destinations of any busy program:
/// a large share of its contacts, or more sockets waiting for one destination
/// than a browser would open to it (six).
fn is_significant(profile: &Profile, dead: &[SilentDestination], limits: &Thresholds) -> bool {
    let crowded = dead.iter().any(|each| each.waiting >= limits.dead_waiting);
    let unseen = usize::try_from(profile.untracked).unwrap_or(usize::MAX / 2);
    // A destination that has been silent for longer than the window is no
    // contact.
    let contacts = (profile.contacts() + unseen).max(dead.len());
    crowded || share(dead.len(), contacts) >= limits.dead_share
}

/// Returns the evidence, if any destination is silent.
fn evidence(dead: &[SilentDestination]) -> Option<Evidence> {
    let worst = dead
        .iter()
        .min_by_key(|each| (Reverse(each.waiting), each.destination))?;
    Some(Evidence::DeadDestination {
        destination: worst.destination,
        destinations: saturating_u32(dead.len()),
        waiting: dead.iter().map(|each| each.waiting).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::profile::fixture::{profile, v4, v6};
    use super::*;

    const NOW: Timestamp = Timestamp(10_000);

    fn silent(host: u32, seconds: u32, waiting: u32) -> SilentDestination {
        SilentDestination {
            destination: v4(host, 80),
            since: Timestamp(NOW.0 - seconds * 100),
            waiting,
        }
    }

    fn judged(profile: &Profile) -> TriggerLevel {
        level(profile, NOW, &Thresholds::default())
    }

    #[test]
    fn the_destination_most_wait_for_is_named() {
        let mut busy = profile([], (100..200).map(|n| v4(n, 80)));
        busy.silent = vec![silent(1, 20, 4), silent(2, 20, 10)];
        let evidence = Evidence::DeadDestination {
            destination: v4(2, 80),
            destinations: 2,
            waiting: 14,
        };
        assert_eq!(judged(&busy), TriggerLevel::Raise(Severity::Info, evidence));
    }

    #[test]
    fn a_few_dead_ends_of_a_busy_program_are_nothing() {
        let mut busy = profile([], (100..200).map(|n| v4(n, 80)));
        busy.silent = vec![silent(1, 20, 6), silent(2, 20, 6)];
        assert!(matches!(judged(&busy), TriggerLevel::Sustain(_)));
    }

    #[test]
    fn the_only_destination_of_a_program_matters() {
        let mut only = profile([v4(1, 80)], []);
        only.silent = vec![silent(1, 20, 1)];
        assert!(matches!(judged(&only), TriggerLevel::Raise(..)));
        only.silent = vec![silent(1, 9, 1)];
        assert!(matches!(judged(&only), TriggerLevel::Sustain(_)));
    }

    #[test]
    fn more_than_five_are_something_else() {
        let mut many = profile([], []);
        many.silent = (0..6).map(|host| silent(host, 20, 50)).collect();
        assert_eq!(judged(&many), TriggerLevel::Suppress);
    }

    #[test]
    fn ipv6_as_such_is_not_a_destination() {
        let mut dual = profile([v6(1, 443)], [v4(1, 443)]);
        dual.silent = vec![SilentDestination {
            destination: v6(1, 443),
            ..silent(1, 20, 50)
        }];
        assert_eq!(judged(&dual), TriggerLevel::Clear);
    }
}
