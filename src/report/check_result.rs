//! Result of a check, independent of its format: active findings, ended
//! findings, and parts without a result.

use crate::model::finding::{Finding, Rule, Severity};
use crate::model::observation::Observation;
use crate::model::time::Timestamp;
use crate::monitor::Thresholds;
use crate::report::coverage::{Coverage, Shortfall};
use std::time::Duration;

/// Result of a check.
pub struct CheckResult<'a> {
    /// The last table.
    pub observation: &'a Observation,
    /// Findings that have ended, the oldest first.
    pub ended: &'a [EndedFinding],
    /// Highest severity of any finding at any time.
    pub highest_severity: Option<Severity>,
    /// Time that was watched.
    pub watched: Duration,
    /// Time that was requested; longer than `watched` if the check ended early.
    pub requested: Duration,
    /// The tables that were read of that time.
    pub coverage: Coverage,
    /// Rules that need more time than was watched.
    pub pending_rules: Vec<PendingRule>,
    /// Lowest severity that fails the check.
    pub fail_on: Severity,
}

/// A finding that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedFinding {
    /// Its last form, with its highest severity.
    pub finding: Finding,
    /// Time at which it was first missing.
    pub ended_at: Timestamp,
}

/// A rule that cannot have fired yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRule {
    /// Id of the rule.
    pub rule: Rule,
    /// Time that it must watch before its first finding.
    pub required: Duration,
}

/// Result of a check, in the states of the monitoring plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// No finding at or above the chosen severity.
    Ok,
    /// A finding at or above it, and no alarm.
    Warning,
    /// An alarm.
    Critical,
    /// No such finding, but too little was seen to be sure.
    Unknown,
}

impl CheckStatus {
    /// Name in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl PendingRule {
    /// Returns the rules that cannot fire within such a time: their findings
    /// must last longer.
    #[must_use]
    pub fn pending_after(watched: Duration, limits: &Thresholds) -> Vec<Self> {
        [
            (Rule::CloseWait, limits.leak_age),
            (Rule::FinWait2, limits.fin_wait_2_after),
            (Rule::Deadlock, limits.still_after),
            (Rule::PeerNotReading, limits.still_after),
            (Rule::ProgramNotReading, limits.still_after),
        ]
        .into_iter()
        .filter(|(_, needs)| watched < *needs)
        .map(|(rule, needs)| Self {
            rule,
            required: needs,
        })
        .collect()
    }
}

impl CheckResult<'_> {
    /// Returns the status of the check.
    #[must_use]
    pub fn status(&self) -> CheckStatus {
        match self
            .highest_severity
            .filter(|gravest| *gravest >= self.fail_on)
        {
            Some(Severity::Critical) => CheckStatus::Critical,
            Some(Severity::Info | Severity::Warning) => CheckStatus::Warning,
            None if self.shortfall().is_some() => CheckStatus::Unknown,
            None => CheckStatus::Ok,
        }
    }

    /// Returns the reason why the check cannot report that all is well. Findings are
    /// valid all the same.
    #[must_use]
    pub fn shortfall(&self) -> Option<Shortfall> {
        self.coverage.shortfall(self.watched, self.requested)
    }

    /// Number of active findings of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.observation.findings.iter();
        findings.filter(|each| each.severity == severity).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_check_is_not_ok() {
        let whole = Duration::from_secs(15);
        let verdict = |gravest, watched, tables| {
            let mut coverage = Coverage::default();
            for at in 0..tables {
                coverage.add_table(Duration::from_secs(at), 0);
            }
            let checked = CheckResult {
                observation: &Observation::default(),
                ended: &[],
                highest_severity: gravest,
                watched: Duration::from_secs(watched),
                requested: whole,
                coverage,
                pending_rules: Vec::new(),
                fail_on: Severity::Warning,
            };
            checked.status()
        };
        let cases = [
            (None, 15, 16, CheckStatus::Ok),
            (None, 3, 4, CheckStatus::Unknown),
            (None, 15, 7, CheckStatus::Unknown),
            (Some(Severity::Info), 15, 16, CheckStatus::Ok),
            (Some(Severity::Info), 3, 4, CheckStatus::Unknown),
            (Some(Severity::Warning), 3, 4, CheckStatus::Warning),
            (Some(Severity::Warning), 15, 7, CheckStatus::Warning),
            (Some(Severity::Critical), 15, 1, CheckStatus::Critical),
        ];
        for (gravest, watched, tables, expected) in cases {
            let found = verdict(gravest, watched, tables);
            assert_eq!(found, expected, "{gravest:?} {watched} s {tables} tables");
        }
    }

    #[test]
    fn rules_that_need_longer_are_known() {
        let limits = Thresholds::default();
        let names = |seconds| {
            let unripe = PendingRule::pending_after(Duration::from_secs(seconds), &limits);
            unripe.iter().map(|each| each.rule).collect::<Vec<_>>()
        };
        let all = [
            Rule::CloseWait,
            Rule::FinWait2,
            Rule::Deadlock,
            Rule::PeerNotReading,
            Rule::ProgramNotReading,
        ];
        assert_eq!(names(15), all);
        assert_eq!(names(30), [Rule::CloseWait, Rule::FinWait2]);
        assert_eq!(names(60), []);
    }
}
