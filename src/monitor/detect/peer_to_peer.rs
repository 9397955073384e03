//! Rule: many hosts on many ports fail. Peers come and go, and each listens on
//! a port of its own; a scanner asks everybody for the same one.

use super::profile::{Profile, share, small};
use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Actor, Case, Detector};
use crate::model::finding::{Evidence, Finding, Severity};

/// A finding per process.
#[derive(Default)]
pub(super) struct PeerToPeer {
    standing: Standing<Actor>,
}

impl Detector for PeerToPeer {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        case.judge_each(&mut self.standing, |profile| level(profile, case.limits))
    }
}

fn level(profile: &Profile, limits: &Thresholds) -> Level {
    let evidence = Evidence::PeerToPeer {
        failed: small(profile.failed.len()),
        contacts: small(profile.contacts()),
        ports: small(profile.failed_ports()),
    };
    if explains(profile, limits) {
        Level::Raise(Severity::Info, evidence)
    } else if profile.failed.len() * 2 >= limits.peers_failed as usize
        && is_scattered(profile, limits)
    {
        Level::Hold(evidence)
    } else {
        Level::Below
    }
}

/// Whether the failures of a process are those of peer-to-peer traffic.
pub(super) fn explains(profile: &Profile, limits: &Thresholds) -> bool {
    let failed = share(profile.failed.len(), profile.contacts());
    profile.failed.len() >= limits.peers_failed as usize
        && (limits.peers_share_least..=limits.peers_share_most).contains(&failed)
        && profile.failed_ports() >= limits.peers_ports as usize
        && is_scattered(profile, limits)
}

/// Whether no port and no host stands out among the failures.
fn is_scattered(profile: &Profile, limits: &Thresholds) -> bool {
    let on_port = profile.worst_port().map_or(0, |(_, count)| count);
    let of_host = profile.worst_host().map_or(0, |(_, count)| count);
    share(on_port, profile.failed.len()) < limits.peers_port_share
        && of_host * 2 < limits.scan_ports as usize
}
