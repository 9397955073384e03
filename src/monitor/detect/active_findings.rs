//! Active findings with hysteresis, the same for every rule.
//!
//! A finding that comes and goes with each table is noise. Once raised it stays
//! until its signs have been below half for a while, and keeps its severity
//! until they have been milder for as long: its text depends on the severity.

use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, FindingHolder, Severity, UnknownHolder};
use crate::model::process::Process;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Present strength of the signs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TriggerLevel {
    /// Enough to raise a finding.
    Raise(Severity, Evidence),
    /// Too weak to raise a finding, and too strong to clear one.
    Sustain(Evidence),
    /// Below half.
    Clear,
    /// Something else explains the signs: an active finding is removed at once.
    Suppress,
}

impl TriggerLevel {
    /// Returns the level without raising anything new.
    pub(super) fn sustain_only(self) -> Self {
        match self {
            Self::Raise(_, evidence) => Self::Sustain(evidence),
            other => other,
        }
    }
}

/// Active findings of one rule, by key.
#[derive(Debug)]
pub(super) struct ActiveFindings<K> {
    findings: BTreeMap<K, ActiveFinding>,
}

/// Holder of the sockets that a rule evaluates.
#[derive(Clone, Debug, Default)]
pub(super) struct SocketHolder<'a> {
    pub(super) process: Option<&'a Arc<Process>>,
    /// Facts about a holder whose process is unknown.
    pub(super) unknown: Option<UnknownHolder>,
    /// Further processes with the same problem.
    pub(super) workers: Vec<&'a Arc<Process>>,
}

impl<'a> From<Option<&'a Arc<Process>>> for SocketHolder<'a> {
    fn from(process: Option<&'a Arc<Process>>) -> Self {
        Self {
            process,
            ..Self::default()
        }
    }
}

#[derive(Debug)]
struct ActiveFinding {
    finding: Finding,
    downgrade: Option<Downgrade>,
    /// True if this round has evaluated it.
    evaluated: bool,
}

/// Signs of a lower severity than that of the finding.
#[derive(Clone, Copy, Debug)]
struct Downgrade {
    since: Timestamp,
    /// Highest severity since then.
    severity: Severity,
}

impl<K> Default for ActiveFindings<K> {
    fn default() -> Self {
        Self {
            findings: BTreeMap::new(),
        }
    }
}

impl<K: Ord> ActiveFindings<K> {
    /// Records the strength of the signs in this round.
    pub(super) fn update<'a>(
        &mut self,
        key: K,
        holder: impl Into<SocketHolder<'a>>,
        level: TriggerLevel,
        now: Timestamp,
    ) {
        let holder = holder.into();
        match level {
            TriggerLevel::Raise(severity, evidence) => {
                self.raise(key, holder, severity, evidence, now);
            }
            TriggerLevel::Sustain(evidence) => self.sustain(&key, holder, evidence),
            TriggerLevel::Clear => {}
            TriggerLevel::Suppress => drop(self.findings.remove(&key)),
        }
    }

    fn raise(
        &mut self,
        key: K,
        holder: SocketHolder<'_>,
        severity: Severity,
        evidence: Evidence,
        now: Timestamp,
    ) {
        let stood = self.findings.entry(key).or_insert_with(|| ActiveFinding {
            finding: Finding {
                severity,
                since: now,
                clearing_since: None,
                holder: FindingHolder::default(),
                process: None,
                evidence: evidence.clone(),
            },
            downgrade: None,
            evaluated: true,
        });
        stood.raise_severity(severity, now);
        stood.refresh(holder, evidence);
    }

    fn sustain(&mut self, key: &K, holder: SocketHolder<'_>, evidence: Evidence) {
        if let Some(stood) = self.findings.get_mut(key) {
            stood.refresh(holder, evidence);
        }
    }

    /// Ends the round: removes findings that have been below half for long
    /// enough, and returns the rest.
    pub(super) fn finish_round(&mut self, now: Timestamp, clearing: Duration) -> Vec<Finding> {
        self.findings
            .retain(|_, stood| stood.is_active(now, clearing));
        for stood in self.findings.values_mut() {
            stood.lower_severity(now, clearing);
        }
        self.findings
            .values()
            .map(|stood| stood.finding.clone())
            .collect()
    }
}

impl ActiveFinding {
    /// Records the severity of the signs: a higher one applies at once, a lower
    /// one later.
    fn raise_severity(&mut self, severity: Severity, now: Timestamp) {
        if severity >= self.finding.severity {
            self.finding.severity = severity;
            self.downgrade = None;
            return;
        }
        let milder = self.downgrade.get_or_insert(Downgrade {
            since: now,
            severity,
        });
        milder.severity = milder.severity.max(severity);
    }

    /// Lowers the severity if the signs have been milder for long enough.
    fn lower_severity(&mut self, now: Timestamp, clearing: Duration) {
        let long = self
            .downgrade
            .take_if(|milder| milder.since.age(now) >= clearing);
        if let Some(milder) = long {
            self.finding.severity = milder.severity;
        }
    }

    /// Replaces holder and evidence: the signs may have moved to another
    /// process, or the owner may have been found since.
    fn refresh(&mut self, holder: SocketHolder<'_>, evidence: Evidence) {
        if let Some(process) = holder.process {
            self.finding.process = Some(Arc::clone(process));
        }
        self.finding.holder.unknown = holder.unknown.filter(|_| self.finding.process.is_none());
        let workers = holder.workers.into_iter();
        self.finding.holder.workers = workers.map(Arc::clone).collect();
        self.finding.evidence = evidence;
        self.finding.clearing_since = None;
        self.evaluated = true;
    }

    fn is_active(&mut self, now: Timestamp, clearing: Duration) -> bool {
        if std::mem::take(&mut self.evaluated) {
            return true;
        }
        self.finding.evidence.clear_current_counts();
        let since = *self.finding.clearing_since.get_or_insert(now);
        since.age(now) < clearing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEARING: Duration = Duration::from_mins(1);

    fn evidence(failed: u32) -> Evidence {
        Evidence::Ipv6Silent { failed, reached: 0 }
    }

    fn judged(standing: &mut ActiveFindings<u8>, level: TriggerLevel, second: u32) -> Vec<Finding> {
        let now = Timestamp(second * 100);
        standing.update(1, None, level, now);
        standing.finish_round(now, CLEARING)
    }

    #[test]
    fn half_the_threshold_sustains_a_finding_but_raises_none() {
        let mut standing = ActiveFindings::default();
        assert!(judged(&mut standing, TriggerLevel::Sustain(evidence(5)), 0).is_empty());
        let raise = TriggerLevel::Raise(Severity::Warning, evidence(9));
        assert_eq!(judged(&mut standing, raise, 1).len(), 1);
        let held = judged(&mut standing, TriggerLevel::Sustain(evidence(5)), 1000);
        assert_eq!(held[0].evidence, evidence(5));
        assert_eq!(held[0].since, Timestamp(100));
    }

    #[test]
    fn a_finding_clears_after_a_minute_below_half() {
        let mut standing = ActiveFindings::default();
        judged(
            &mut standing,
            TriggerLevel::Raise(Severity::Warning, evidence(9)),
            0,
        );
        let below = judged(&mut standing, TriggerLevel::Clear, 10);
        assert_eq!(below[0].clearing_since, Some(Timestamp(1000)));
        assert_eq!(judged(&mut standing, TriggerLevel::Clear, 69).len(), 1);
        assert!(judged(&mut standing, TriggerLevel::Clear, 70).is_empty());
    }

    #[test]
    fn a_relapse_starts_the_minute_anew() {
        let mut standing = ActiveFindings::default();
        judged(
            &mut standing,
            TriggerLevel::Raise(Severity::Warning, evidence(9)),
            0,
        );
        judged(&mut standing, TriggerLevel::Clear, 10);
        let held = judged(&mut standing, TriggerLevel::Sustain(evidence(5)), 60);
        assert_eq!(held[0].clearing_since, None);
        assert_eq!(judged(&mut standing, TriggerLevel::Clear, 100).len(), 1);
    }

    /// Severities by second, and the expected one after each.
    fn raised(steps: &[(u32, Severity, Severity)]) {
        let mut standing = ActiveFindings::default();
        for (second, severity, expected) in steps {
            let level = TriggerLevel::Raise(*severity, evidence(9));
            let found = judged(&mut standing, level, *second);
            assert_eq!(found[0].severity, *expected, "{second} s");
        }
    }

    #[test]
    fn it_grows_graver_at_once_and_milder_after_a_minute() {
        use Severity::{Critical, Info, Warning};
        raised(&[
            (0, Warning, Warning),
            (1, Critical, Critical),
            (2, Info, Critical),
            (61, Info, Critical),
            (62, Info, Info),
            (63, Critical, Critical),
        ]);
        // By steps, if the signs fell by steps.
        raised(&[
            (0, Critical, Critical),
            (1, Warning, Critical),
            (50, Info, Critical),
            (61, Info, Warning),
            (62, Info, Warning),
            (121, Info, Warning),
            (122, Info, Info),
        ]);
    }

    #[test]
    fn it_does_not_flicker_where_signs_go_up_and_down() {
        let mut standing = ActiveFindings::default();
        judged(
            &mut standing,
            TriggerLevel::Raise(Severity::Critical, evidence(9)),
            0,
        );
        for second in 1..600 {
            let severity = if second % 50 == 0 {
                Severity::Critical
            } else {
                Severity::Warning
            };
            let level = TriggerLevel::Raise(severity, evidence(9));
            let found = judged(&mut standing, level, second);
            assert_eq!(found[0].severity, Severity::Critical, "{second} s");
        }
    }

    #[test]
    fn signs_that_only_hold_it_leave_it_as_grave() {
        let mut standing = ActiveFindings::default();
        judged(
            &mut standing,
            TriggerLevel::Raise(Severity::Critical, evidence(9)),
            0,
        );
        let held = judged(&mut standing, TriggerLevel::Sustain(evidence(5)), 100);
        assert_eq!(held[0].severity, Severity::Critical);
    }

    #[test]
    fn an_owner_that_is_found_late_is_named() {
        let mut standing = ActiveFindings::default();
        let raise = || TriggerLevel::Raise(Severity::Info, evidence(9));
        judged(&mut standing, raise(), 0);
        let process = Arc::new(Process::default());
        standing.update(1, Some(&process), raise(), Timestamp(100));
        let found = standing.finish_round(Timestamp(100), CLEARING);
        assert_eq!(found[0].process, Some(process));
    }

    #[test]
    fn suppression_removes_a_finding_at_once() {
        let mut standing = ActiveFindings::default();
        judged(
            &mut standing,
            TriggerLevel::Raise(Severity::Critical, evidence(9)),
            0,
        );
        assert!(judged(&mut standing, TriggerLevel::Suppress, 1).is_empty());
    }
}
