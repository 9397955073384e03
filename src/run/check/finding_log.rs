//! Findings that were active while a check watched: checks exist for those that
//! come and go unseen.

use crate::model::finding::{Finding, Severity};
use crate::model::finding_key::FindingKey;
use crate::model::observation::Observation;
use crate::report::check_result::EndedFinding;

/// Largest number of ended findings kept; the least severe are dropped first.
const MAX_ENDED: usize = 100;

/// Active and ended findings. Muted findings are neither.
#[derive(Debug, Default)]
pub(super) struct FindingLog {
    /// Those of the latest table, each as grave as it ever was.
    active: Vec<Finding>,
    ended: Vec<EndedFinding>,
    highest_severity: Option<Severity>,
}

impl FindingLog {
    /// Records a table.
    pub(super) fn record(&mut self, observation: &Observation) {
        let mut standing = observation.findings.clone();
        let muted: Vec<FindingKey> = observation
            .muted
            .iter()
            .map(FindingKey::from_finding)
            .collect();
        for before in std::mem::take(&mut self.active) {
            let identity = FindingKey::from_finding(&before);
            let mut now = standing.iter_mut();
            if let Some(now) = now.find(|now| FindingKey::from_finding(now) == identity) {
                now.severity = now.severity.max(before.severity);
            } else if !muted.contains(&identity)
                && !standing.iter().any(|now| now.supersedes(&before))
            {
                self.push_ended(before, observation);
            }
        }
        let gravest = standing.iter().map(|finding| finding.severity).max();
        self.highest_severity = self.highest_severity.max(gravest);
        self.active = standing;
    }

    /// Findings that are over, the oldest first.
    pub(super) fn ended(&self) -> &[EndedFinding] {
        &self.ended
    }

    /// Returns the highest severity of all.
    pub(super) fn highest_severity(&self) -> Option<Severity> {
        self.highest_severity
    }

    fn push_ended(&mut self, finding: Finding, observation: &Observation) {
        self.ended.push(EndedFinding {
            finding,
            ended_at: observation.time.timestamp(),
        });
        if self.ended.len() > MAX_ENDED {
            let places = self.ended.iter().enumerate();
            let least = places.min_by_key(|(_, over)| over.finding.severity);
            if let Some((place, _)) = least {
                self.ended.remove(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Evidence;
    use crate::model::finding::FindingHolder;
    use crate::model::time::{Time, Timestamp};

    fn observed(second: u64, findings: &[(u32, Severity)]) -> Observation {
        let findings = findings.iter().map(|(since, severity)| Finding {
            severity: *severity,
            since: Timestamp(*since),
            clearing_since: None,
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
    fn an_ended_finding_keeps_its_highest_severity() {
        let mut stood = FindingLog::default();
        stood.record(&observed(1, &[(50, Severity::Critical)]));
        stood.record(&observed(2, &[(50, Severity::Info)]));
        assert!(stood.ended().is_empty());
        stood.record(&observed(3, &[(250, Severity::Info)]));
        let over = stood.ended();
        assert_eq!((over.len(), over[0].ended_at), (1, Timestamp(300)));
        assert_eq!(over[0].finding.severity, Severity::Critical);
        assert_eq!(stood.highest_severity(), Some(Severity::Critical));
    }

    #[test]
    fn the_most_severe_ended_findings_are_kept() {
        let mut stood = FindingLog::default();
        stood.record(&observed(0, &[(0, Severity::Critical)]));
        for second in 1..200_u32 {
            stood.record(&observed(u64::from(second), &[(second, Severity::Info)]));
        }
        assert_eq!(stood.ended().len(), MAX_ENDED);
        assert_eq!(stood.ended()[0].finding.severity, Severity::Critical);
    }

    #[test]
    fn a_muted_finding_has_not_ended() {
        let mut stood = FindingLog::default();
        stood.record(&observed(1, &[(50, Severity::Warning)]));
        let mut muted = observed(2, &[(50, Severity::Warning)]);
        std::mem::swap(&mut muted.findings, &mut muted.muted);
        stood.record(&muted);
        assert!(stood.ended().is_empty());
    }
}
