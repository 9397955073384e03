//! Rule: many hosts on many ports fail. Peers come and go, and each listens on
//! a port of its own; a scanner tries the same port everywhere.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::owner_key::OwnerKey;
use super::profile::{Profile, saturating_u32, share};
use super::thresholds::Thresholds;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};

/// A finding per process.
#[derive(Default)]
pub(super) struct PeerToPeerDetector {
    active: ActiveFindings<OwnerKey>,
}

impl Detector for PeerToPeerDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        case.evaluate_each_process(&mut self.active, |profile| level(profile, case.limits))
    }
}

fn level(profile: &Profile, limits: &Thresholds) -> TriggerLevel {
    let evidence = Evidence::PeerToPeer {
        failed: saturating_u32(profile.failed.len()),
        contacts: saturating_u32(profile.contacts()),
        ports: saturating_u32(profile.failed_ports()),
    };
    if explains(profile, limits) {
        TriggerLevel::Raise(Severity::Info, evidence)
    } else if profile.failed.len() * 2 >= limits.peers_failed as usize
        && is_scattered(profile, limits)
    {
        TriggerLevel::Sustain(evidence)
    } else {
        TriggerLevel::Clear
    }
}

/// True if the failures of a process are those of peer-to-peer traffic.
pub(super) fn explains(profile: &Profile, limits: &Thresholds) -> bool {
    let failed = share(profile.failed.len(), profile.contacts());
    profile.failed.len() >= limits.peers_failed as usize
        && (limits.peers_share_least..=limits.peers_share_most).contains(&failed)
        && profile.failed_ports() >= limits.peers_ports as usize
        && is_scattered(profile, limits)
}

/// True if the failures look like a swarm whose peers have nearly all gone: too
/// many fail to be sure, but nearly each host had a port of its own, which no
/// scanner of hosts knows.
pub(super) fn resembles(profile: &Profile, limits: &Thresholds) -> bool {
    profile.failed_ports() * 2 >= profile.failed.len() && is_scattered(profile, limits)
}

/// True if no port and no host stands out among the failures.
fn is_scattered(profile: &Profile, limits: &Thresholds) -> bool {
    let on_port = profile.worst_port().map_or(0, |(_, count)| count);
    let of_host = profile.worst_host().map_or(0, |(_, count)| count);
    share(on_port, profile.failed.len()) < limits.peers_port_share
        && of_host * 2 < limits.scan_ports as usize
}

#[cfg(test)]
mod tests {
    use super::super::profile::fixture::{profile, v4};
    use super::*;

    /// Peers on ports of their own and on a common one, and a number of them
    /// that answered.
    fn peers(own: u16, common: u32, reached: u32) -> Profile {
        let scattered = (0..own).map(|n| v4(n.into(), 20_000 + n));
        let usual = (1000..1000 + common).map(|n| v4(n, 6881));
        let good = (2000..2000 + reached).map(|n| v4(n, 6881));
        profile(scattered.chain(usual), good)
    }

    #[test]
    fn peers_are_told_by_their_scattered_ports() {
        let limits = Thresholds::default();
        let cases = [
            (peers(70, 20, 30), true),
            // A third of the failures on one port.
            (peers(40, 20, 30), false),
            // Nearly all fail.
            (peers(90, 5, 5), false),
            // Most answer.
            (peers(30, 0, 40), false),
            // Too few to decide.
            (peers(19, 0, 10), false),
        ];
        for (number, (profile, expected)) in cases.iter().enumerate() {
            assert_eq!(explains(profile, &limits), *expected, "case {number}");
        }
    }

    #[test]
    fn a_dead_swarm_is_no_scan() {
        let limits = Thresholds::default();
        assert!(resembles(&peers(90, 30, 2), &limits));
        // A dozen ports tried on every host.
        let asked = (0..240u16).map(|n| v4(n.into(), n % 12));
        assert!(!resembles(&profile(asked, []), &limits));
    }

    #[test]
    fn many_ports_of_one_host_are_no_peers() {
        let one_host = (0..15).map(|port| v4(1, port));
        let others = (0..60u16).map(|n| v4(u32::from(n) + 10, 20_000 + n));
        let reached = (2000..2030).map(|n| v4(n, 6881));
        let scanner = profile(one_host.chain(others), reached);
        assert!(!explains(&scanner, &Thresholds::default()));
    }
}
