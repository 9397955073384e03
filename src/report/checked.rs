//! Result of a check, independent of its format: active findings, ended
//! findings, and parts without a result.

use crate::model::finding::{Finding, Rule, Severity};
use crate::model::observation::Observation;
use crate::model::time::Stamp;
use crate::monitor::Thresholds;
use crate::report::coverage::{Coverage, Shortfall};
use std::time::Duration;

/// Result of a check.
pub struct Checked<'a> {
    /// The last table.
    pub observation: &'a Observation,
    /// Findings that have ended, the oldest first.
    pub over: &'a [Over],
    /// Highest severity of any finding at any time.
    pub gravest: Option<Severity>,
    /// Time that was watched.
    pub watched: Duration,
    /// Time that was requested; longer than `watched` if the check ended early.
    pub wanted: Duration,
    /// The tables that were read of that time.
    pub coverage: Coverage,
    /// Rules that need more time than was watched.
    pub unripe: Vec<Unripe>,
    /// Lowest severity that fails the check.
    pub level: Severity,
}

/// A finding that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// Its last form, with its highest severity.
    pub finding: Finding,
    /// Time at which it was first missing.
    pub until: Stamp,
}

/// A rule that cannot have fired yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unripe {
    /// Id of the rule.
    pub rule: Rule,
    /// Time that it must watch before its first finding.
    pub needs: Duration,
}

/// Result of a check, in the states of the monitoring plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No finding at or above the chosen severity.
    Fine,
    /// A finding at or above it, and no alarm.
    Warning,
    /// An alarm.
    Critical,
    /// No such finding, but too little was seen to be sure.
    Unknown,
}

impl Verdict {
    /// Name in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl Unripe {
    /// Returns the rules that cannot fire within such a time: their findings
    /// must last longer.
    #[must_use]
    pub fn after(watched: Duration, limits: &Thresholds) -> Vec<Self> {
        [
            (Rule::CloseWait, limits.leak_age),
            (Rule::FinWait2, limits.fin_wait_2_after),
            (Rule::Deadlock, limits.still_after),
            (Rule::PeerNotReading, limits.still_after),
            (Rule::ProgramNotReading, limits.still_after),
        ]
        .into_iter()
        .filter(|(_, needs)| watched < *needs)
        .map(|(rule, needs)| Self { rule, needs })
        .collect()
    }
}

impl Checked<'_> {
    /// Returns the status of the check.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.gravest.filter(|gravest| *gravest >= self.level) {
            Some(Severity::Alarm) => Verdict::Critical,
            Some(Severity::Info | Severity::Warn) => Verdict::Warning,
            None if self.shortfall().is_some() => Verdict::Unknown,
            None => Verdict::Fine,
        }
    }

    /// Returns the reason why the check cannot report that all is well. Findings are
    /// valid all the same.
    #[must_use]
    pub fn shortfall(&self) -> Option<Shortfall> {
        self.coverage.shortfall(self.watched, self.wanted)
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
    fn what_was_not_watched_is_not_fine() {
        let whole = Duration::from_secs(15);
        let verdict = |gravest, watched, tables| {
            let mut coverage = Coverage::default();
            for at in 0..tables {
                coverage.add_table(Duration::from_secs(at), 0);
            }
            let checked = Checked {
                observation: &Observation::default(),
                over: &[],
                gravest,
                watched: Duration::from_secs(watched),
                wanted: whole,
                coverage,
                unripe: Vec::new(),
                level: Severity::Warn,
            };
            checked.verdict()
        };
        let cases = [
            (None, 15, 16, Verdict::Fine),
            (None, 3, 4, Verdict::Unknown),
            (None, 15, 7, Verdict::Unknown),
            (Some(Severity::Info), 15, 16, Verdict::Fine),
            (Some(Severity::Info), 3, 4, Verdict::Unknown),
            (Some(Severity::Warn), 3, 4, Verdict::Warning),
            (Some(Severity::Warn), 15, 7, Verdict::Warning),
            (Some(Severity::Alarm), 15, 1, Verdict::Critical),
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
            let unripe = Unripe::after(Duration::from_secs(seconds), &limits);
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
