//! Findings that were active while a check watched: checks exist for those that
//! come and go unseen.

use crate::model::finding::{Finding, Severity};
use crate::model::identity::Identity;
use crate::model::observation::Observation;
use crate::report::checked::Over;

/// Largest number of ended findings kept; the least severe are dropped first.
const KEPT: usize = 100;

/// Active and ended findings. Muted findings are neither.
#[derive(Debug, Default)]
pub(super) struct Stood {
    /// Those of the latest table, each as grave as it ever was.
    standing: Vec<Finding>,
    over: Vec<Over>,
    gravest: Option<Severity>,
}

impl Stood {
    /// Records a table.
    pub(super) fn note(&mut self, observation: &Observation) {
        let mut standing = observation.findings.clone();
        let muted: Vec<Identity> = observation.muted.iter().map(Identity::of).collect();
        for before in std::mem::take(&mut self.standing) {
            let identity = Identity::of(&before);
            let mut now = standing.iter_mut();
            if let Some(now) = now.find(|now| Identity::of(now) == identity) {
                now.severity = now.severity.max(before.severity);
            } else if !muted.contains(&identity) && !standing.iter().any(|now| now.outdoes(&before))
            {
                self.end(before, observation);
            }
        }
        let gravest = standing.iter().map(|finding| finding.severity).max();
        self.gravest = self.gravest.max(gravest);
        self.standing = standing;
    }

    /// Findings that are over, the oldest first.
    pub(super) fn over(&self) -> &[Over] {
        &self.over
    }

    /// Returns the highest severity of all.
    pub(super) fn gravest(&self) -> Option<Severity> {
        self.gravest
    }

    fn end(&mut self, finding: Finding, observation: &Observation) {
        self.over.push(Over {
            finding,
            until: observation.time.stamp(),
        });
        if self.over.len() > KEPT {
            let places = self.over.iter().enumerate();
            let least = places.min_by_key(|(_, over)| over.finding.severity);
            if let Some((place, _)) = least {
                self.over.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Evidence;
    use crate::model::finding::FindingHolder;
    use crate::model::time::{Stamp, Time};

    fn observed(second: u64, findings: &[(u32, Severity)]) -> Observation {
        let findings = findings.iter().map(|(since, severity)| Finding {
            severity: *severity,
            since: Stamp(*since),
            below_since: None,
            holder: FindingHolder::default(),
            process: None,
            evidence: Evidence::Ipv6Silent {
                failed: 9,
                reached: 9,
            },
        });
        Observation {
            time: Time {
                wall_ms: 0,
                monotonic_ms: second * 1000,
            },
            findings: findings.collect(),
            ..Observation::default()
        }
    }

    #[test]
    fn what_stood_is_kept_as_grave_as_it_was() {
        let mut stood = Stood::default();
        stood.note(&observed(1, &[(50, Severity::Alarm)]));
        stood.note(&observed(2, &[(50, Severity::Info)]));
        assert!(stood.over().is_empty());
        stood.note(&observed(3, &[(250, Severity::Info)]));
        let over = stood.over();
        assert_eq!((over.len(), over[0].until), (1, Stamp(300)));
        assert_eq!(over[0].finding.severity, Severity::Alarm);
        assert_eq!(stood.gravest(), Some(Severity::Alarm));
    }

    #[test]
    fn of_many_the_gravest_are_kept() {
        let mut stood = Stood::default();
        stood.note(&observed(0, &[(0, Severity::Alarm)]));
        for second in 1..200_u32 {
            stood.note(&observed(u64::from(second), &[(second, Severity::Info)]));
        }
        assert_eq!(stood.over().len(), KEPT);
        assert_eq!(stood.over()[0].finding.severity, Severity::Alarm);
    }

    #[test]
    fn what_is_muted_did_not_end() {
        let mut stood = Stood::default();
        stood.note(&observed(1, &[(50, Severity::Warn)]));
        let mut muted = observed(2, &[(50, Severity::Warn)]);
        std::mem::swap(&mut muted.findings, &mut muted.muted);
        stood.note(&muted);
        assert!(stood.over().is_empty());
    }
}
