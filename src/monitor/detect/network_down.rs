//! Rule: several programs fail and nothing outside this machine answers.
//!
//! Unlike the others, this finding does not stay for a while: one answer
//! refutes it.

use super::standing::{Level, Standing};
use super::weather::Outlook;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};

/// At most one finding, without a process.
#[derive(Default)]
pub(super) struct NetworkDown {
    standing: Standing<()>,
}

impl Detector for NetworkDown {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        self.standing.judge((), None, level(case.outlook), case.now);
        self.standing.findings(case.now, case.limits.clearing)
    }
}

fn level(outlook: Outlook) -> Level {
    match outlook {
        Outlook::Down { processes, failed } => {
            Level::Raise(Severity::Warn, Evidence::NetworkDown { processes, failed })
        }
        Outlook::Doubtful => Level::Below,
        Outlook::Fair | Outlook::Cleared => Level::Explained,
    }
}
