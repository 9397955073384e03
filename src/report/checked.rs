//! What came of a check, whichever way it is told: what stands, what stood, and
//! what could not be judged.

use crate::model::finding::{Finding, Rule, Severity};
use crate::model::observation::Observation;
use crate::model::time::Stamp;
use crate::monitor::Thresholds;
use std::time::Duration;

/// What was watched, and what would be bad news.
pub struct Checked<'a> {
    /// The last table.
    pub observation: &'a Observation,
    /// Findings that stood and are over, the oldest first.
    pub over: &'a [Over],
    /// The gravest finding that stood at any time.
    pub gravest: Option<Severity>,
    /// How long was watched.
    pub watched: Duration,
    /// How long was to be watched; more than that if it was ended early.
    pub wanted: Duration,
    /// So many tables could not be read.
    pub unread: u32,
    /// Rules that need more time than was watched.
    pub unripe: Vec<Unripe>,
    /// From here on a finding is bad news.
    pub level: Severity,
}

/// A finding that stood and is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Over {
    /// As it was last, with the gravest severity it had.
    pub finding: Finding,
    /// When it was first missing.
    pub until: Stamp,
}

/// A rule that cannot have found anything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unripe {
    /// Which.
    pub rule: Rule,
    /// How long it must watch before it says anything.
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
    /// No such finding so far, and the check was ended before its time.
    Unknown,
}

impl Verdict {
    /// The word in reports.
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
    /// The rules that say nothing within such a time, whatever happens: what they
    /// look for must be seen to last.
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
    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.gravest.filter(|gravest| *gravest >= self.level) {
            Some(Severity::Alarm) => Verdict::Critical,
            Some(Severity::Info | Severity::Warn) => Verdict::Warning,
            None if self.is_cut_short() => Verdict::Unknown,
            None => Verdict::Fine,
        }
    }

    /// Whether it was ended before its time.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.watched < self.wanted
    }

    /// How many findings of a severity stand.
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
    fn what_was_not_watched_to_the_end_is_not_fine() {
        let (short, whole) = (Duration::from_secs(3), Duration::from_secs(15));
        let cases = [
            (None, whole, Verdict::Fine),
            (None, short, Verdict::Unknown),
            (Some(Severity::Info), whole, Verdict::Fine),
            (Some(Severity::Info), short, Verdict::Unknown),
            (Some(Severity::Warn), short, Verdict::Warning),
            (Some(Severity::Alarm), whole, Verdict::Critical),
        ];
        for (gravest, watched, expected) in cases {
            let checked = Checked {
                observation: &Observation::default(),
                over: &[],
                gravest,
                watched,
                wanted: whole,
                unread: 0,
                unripe: Vec::new(),
                level: Severity::Warn,
            };
            assert_eq!(checked.verdict(), expected, "{gravest:?} {watched:?}");
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
