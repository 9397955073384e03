//! Rule: a few destinations do not answer. A backend is down, a firewall drops
//! the SYN; never a scan.

use super::profile::{Profile, Silent, share, small};
use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Actor, Case, Detector, ipv6_silent};
use crate::model::finding::{Evidence, Finding, Severity};
use crate::model::time::Stamp;
use std::cmp::Reverse;

/// A finding per process.
#[derive(Default)]
pub(super) struct DeadDestination {
    standing: Standing<Actor>,
}

impl Detector for DeadDestination {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        case.judge_each(&mut self.standing, |profile| {
            level(profile, case.now, case.limits)
        })
    }
}

fn level(profile: &Profile, now: Stamp, limits: &Thresholds) -> Level {
    let most = limits.dead_destinations as usize;
    if profile.silent.len() > most || profile.failed.len() > most {
        // So many are something else.
        return Level::Explained;
    }
    let dead: Vec<Silent> = profile
        .silent
        .iter()
        .filter(|each| !ipv6_silent::explains_destination(profile, each.destination))
        .copied()
        .collect();
    let Some(evidence) = evidence(&dead) else {
        return Level::Below;
    };
    let is_lasting = |each: &Silent| each.since.age(now) >= limits.dead_after;
    if dead.iter().any(is_lasting) && matters(profile, &dead, limits) {
        Level::Raise(Severity::Info, evidence)
    } else {
        Level::Hold(evidence)
    }
}

/// Whether it is more than one of the dead ends any busy program meets: much of
/// what the process does goes there, or more sockets wait for one destination
/// than a browser would open to it (six).
fn matters(profile: &Profile, dead: &[Silent], limits: &Thresholds) -> bool {
    let crowded = dead.iter().any(|each| each.waiting >= limits.dead_waiting);
    let unseen = usize::try_from(profile.unseen).unwrap_or(usize::MAX / 2);
    let contacts = profile.contacts() + unseen;
    crowded || share(dead.len(), contacts) >= limits.dead_share
}

/// The evidence, if any destination is silent.
fn evidence(dead: &[Silent]) -> Option<Evidence> {
    let worst = dead
        .iter()
        .min_by_key(|each| (Reverse(each.waiting), each.destination))?;
    Some(Evidence::DeadDestination {
        destination: worst.destination,
        destinations: small(dead.len()),
        waiting: dead.iter().map(|each| each.waiting).sum(),
    })
}
