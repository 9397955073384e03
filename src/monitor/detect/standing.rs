//! Active findings with hysteresis, the same for every rule.
//!
//! A finding that comes and goes with each table is noise. Once raised it stays
//! until its signs have been below half for a while, and keeps its severity
//! until they have been milder for as long: its text depends on the severity.

use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, FindingHolder, Severity, UnseenHolder};
use crate::model::process::Process;
use crate::model::time::Stamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Present strength of the signs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Level {
    /// Enough to raise a finding.
    Raise(Severity, Evidence),
    /// Too weak to raise a finding, and too strong to clear one.
    Hold(Evidence),
    /// Below half.
    Below,
    /// Something else explains the signs: an active finding is removed at once.
    Explained,
}

impl Level {
    /// Returns the level without raising anything new.
    pub(super) fn held(self) -> Self {
        match self {
            Self::Raise(_, evidence) => Self::Hold(evidence),
            other => other,
        }
    }
}

/// Active findings of one rule, by key.
#[derive(Debug)]
pub(super) struct Standing<K> {
    stood: BTreeMap<K, Stood>,
}

/// Holder of the sockets that a rule evaluates.
#[derive(Clone, Debug, Default)]
pub(super) struct Holder<'a> {
    pub(super) process: Option<&'a Arc<Process>>,
    /// Facts about a holder whose process is unknown.
    pub(super) unseen: Option<UnseenHolder>,
    /// Further processes with the same problem.
    pub(super) workers: Vec<&'a Arc<Process>>,
}

impl<'a> From<Option<&'a Arc<Process>>> for Holder<'a> {
    fn from(process: Option<&'a Arc<Process>>) -> Self {
        Self {
            process,
            ..Self::default()
        }
    }
}

#[derive(Debug)]
struct Stood {
    finding: Finding,
    milder: Option<Milder>,
    /// True if this round has evaluated it.
    judged: bool,
}

/// Signs of a lower severity than that of the finding.
#[derive(Clone, Copy, Debug)]
struct Milder {
    since: Stamp,
    /// Highest severity since then.
    severity: Severity,
}

impl<K> Default for Standing<K> {
    fn default() -> Self {
        Self {
            stood: BTreeMap::new(),
        }
    }
}

impl<K: Ord> Standing<K> {
    /// Records the strength of the signs in this round.
    pub(super) fn judge<'a>(
        &mut self,
        key: K,
        holder: impl Into<Holder<'a>>,
        level: Level,
        now: Stamp,
    ) {
        let holder = holder.into();
        match level {
            Level::Raise(severity, evidence) => self.raise(key, holder, severity, evidence, now),
            Level::Hold(evidence) => self.hold(&key, holder, evidence),
            Level::Below => {}
            Level::Explained => drop(self.stood.remove(&key)),
        }
    }

    fn raise(
        &mut self,
        key: K,
        holder: Holder<'_>,
        severity: Severity,
        evidence: Evidence,
        now: Stamp,
    ) {
        let stood = self.stood.entry(key).or_insert_with(|| Stood {
            finding: Finding {
                severity,
                since: now,
                below_since: None,
                holder: FindingHolder::default(),
                process: None,
                evidence: evidence.clone(),
            },
            milder: None,
            judged: true,
        });
        stood.weigh(severity, now);
        stood.confirm(holder, evidence);
    }

    fn hold(&mut self, key: &K, holder: Holder<'_>, evidence: Evidence) {
        if let Some(stood) = self.stood.get_mut(key) {
            stood.confirm(holder, evidence);
        }
    }

    /// Ends the round: removes findings that have been below half for long
    /// enough, and returns the rest.
    pub(super) fn findings(&mut self, now: Stamp, clearing: Duration) -> Vec<Finding> {
        self.stood.retain(|_, stood| stood.survives(now, clearing));
        for stood in self.stood.values_mut() {
            stood.ease(now, clearing);
        }
        self.stood
            .values()
            .map(|stood| stood.finding.clone())
            .collect()
    }
}

impl Stood {
    /// Records the severity of the signs: a higher one applies at once, a lower
    /// one later.
    fn weigh(&mut self, severity: Severity, now: Stamp) {
        if severity >= self.finding.severity {
            self.finding.severity = severity;
            self.milder = None;
            return;
        }
        let milder = self.milder.get_or_insert(Milder {
            since: now,
            severity,
        });
        milder.severity = milder.severity.max(severity);
    }

    /// Lowers the severity if the signs have been milder for long enough.
    fn ease(&mut self, now: Stamp, clearing: Duration) {
        let long = self
            .milder
            .take_if(|milder| milder.since.age(now) >= clearing);
        if let Some(milder) = long {
            self.finding.severity = milder.severity;
        }
    }

    /// Replaces holder and evidence: the signs may have moved to another
    /// process, or the owner may have been found since.
    fn confirm(&mut self, holder: Holder<'_>, evidence: Evidence) {
        if let Some(process) = holder.process {
            self.finding.process = Some(Arc::clone(process));
        }
        self.finding.holder.unseen = holder.unseen.filter(|_| self.finding.process.is_none());
        let workers = holder.workers.into_iter();
        self.finding.holder.workers = workers.map(Arc::clone).collect();
        self.finding.evidence = evidence;
        self.finding.below_since = None;
        self.judged = true;
    }

    fn survives(&mut self, now: Stamp, clearing: Duration) -> bool {
        if std::mem::take(&mut self.judged) {
            return true;
        }
        self.finding.evidence.no_longer_waits();
        let since = *self.finding.below_since.get_or_insert(now);
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

    fn judged(standing: &mut Standing<u8>, level: Level, second: u32) -> Vec<Finding> {
        let now = Stamp(second * 100);
        standing.judge(1, None, level, now);
        standing.findings(now, CLEARING)
    }

    #[test]
    fn half_the_signs_hold_a_finding_but_raise_none() {
        let mut standing = Standing::default();
        assert!(judged(&mut standing, Level::Hold(evidence(5)), 0).is_empty());
        let raise = Level::Raise(Severity::Warn, evidence(9));
        assert_eq!(judged(&mut standing, raise, 1).len(), 1);
        let held = judged(&mut standing, Level::Hold(evidence(5)), 1000);
        assert_eq!(held[0].evidence, evidence(5));
        assert_eq!(held[0].since, Stamp(100));
    }

    #[test]
    fn it_falls_after_a_minute_below_half() {
        let mut standing = Standing::default();
        judged(&mut standing, Level::Raise(Severity::Warn, evidence(9)), 0);
        let below = judged(&mut standing, Level::Below, 10);
        assert_eq!(below[0].below_since, Some(Stamp(1000)));
        assert_eq!(judged(&mut standing, Level::Below, 69).len(), 1);
        assert!(judged(&mut standing, Level::Below, 70).is_empty());
    }

    #[test]
    fn a_relapse_starts_the_minute_anew() {
        let mut standing = Standing::default();
        judged(&mut standing, Level::Raise(Severity::Warn, evidence(9)), 0);
        judged(&mut standing, Level::Below, 10);
        let held = judged(&mut standing, Level::Hold(evidence(5)), 60);
        assert_eq!(held[0].below_since, None);
        assert_eq!(judged(&mut standing, Level::Below, 100).len(), 1);
    }

    /// Severities by second, and the expected one after each.
    fn raised(steps: &[(u32, Severity, Severity)]) {
        let mut standing = Standing::default();
        for (second, severity, expected) in steps {
            let level = Level::Raise(*severity, evidence(9));
            let found = judged(&mut standing, level, *second);
            assert_eq!(found[0].severity, *expected, "{second} s");
        }
    }

    #[test]
    fn it_grows_graver_at_once_and_milder_after_a_minute() {
        use Severity::{Alarm, Info, Warn};
        raised(&[
            (0, Warn, Warn),
            (1, Alarm, Alarm),
            (2, Info, Alarm),
            (61, Info, Alarm),
            (62, Info, Info),
            (63, Alarm, Alarm),
        ]);
        // By steps, if the signs fell by steps.
        raised(&[
            (0, Alarm, Alarm),
            (1, Warn, Alarm),
            (50, Info, Alarm),
            (61, Info, Warn),
            (62, Info, Warn),
            (121, Info, Warn),
            (122, Info, Info),
        ]);
    }

    #[test]
    fn it_does_not_flicker_where_signs_go_up_and_down() {
        let mut standing = Standing::default();
        judged(&mut standing, Level::Raise(Severity::Alarm, evidence(9)), 0);
        for second in 1..600 {
            let severity = if second % 50 == 0 {
                Severity::Alarm
            } else {
                Severity::Warn
            };
            let level = Level::Raise(severity, evidence(9));
            let found = judged(&mut standing, level, second);
            assert_eq!(found[0].severity, Severity::Alarm, "{second} s");
        }
    }

    #[test]
    fn signs_that_only_hold_it_leave_it_as_grave() {
        let mut standing = Standing::default();
        judged(&mut standing, Level::Raise(Severity::Alarm, evidence(9)), 0);
        let held = judged(&mut standing, Level::Hold(evidence(5)), 100);
        assert_eq!(held[0].severity, Severity::Alarm);
    }

    #[test]
    fn an_owner_that_is_found_late_is_named() {
        let mut standing = Standing::default();
        let raise = || Level::Raise(Severity::Info, evidence(9));
        judged(&mut standing, raise(), 0);
        let process = Arc::new(Process::default());
        standing.judge(1, Some(&process), raise(), Stamp(100));
        let found = standing.findings(Stamp(100), CLEARING);
        assert_eq!(found[0].process, Some(process));
    }

    #[test]
    fn an_explanation_ends_it_at_once() {
        let mut standing = Standing::default();
        judged(&mut standing, Level::Raise(Severity::Alarm, evidence(9)), 0);
        assert!(judged(&mut standing, Level::Explained, 1).is_empty());
    }
}
