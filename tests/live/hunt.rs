//! Watching a load for what must be found in it, and for what must not.

use super::namespace::run_from_anybodys_folder;
use super::watch::Watch;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tcplens::model::finding::{Finding, Rule, Severity};
use tcplens::model::observation::Observation;
use tcplens::monitor::Thresholds;
use tcplens::source::SourceChoice;

/// As the program itself reads by default.
const INTERVAL: Duration = Duration::from_secs(1);
/// A finding later than this is none.
const IN_TIME: Duration = Duration::from_secs(20);

/// What is said of a finding that came in time: this word, its rule and
/// severity, seconds.
pub(crate) const FOUND: &str = "found";
/// What is said of one that should not have come.
pub(crate) const FALSE_ALARM: &str = "false alarm:";

/// A rule, and how grave its finding is.
pub(crate) type Sign = (Rule, Severity);

/// A table each second, from the beginning of a load on.
pub(crate) struct Hunt {
    watch: Watch,
    began: Instant,
    tables: u32,
    /// What may be found, and how grave it may be.
    allowed: Vec<Sign>,
    surprises: BTreeSet<String>,
}

impl Hunt {
    /// Looks once, before the load begins.
    pub(crate) fn begin(thresholds: Thresholds, allowed: &[Sign]) -> Self {
        let own: &[Sign] = if run_from_anybodys_folder() {
            &[(Rule::SuspiciousProgram, Severity::Warning)]
        } else {
            &[]
        };
        Self {
            watch: Watch::by(SourceChoice::SockDiag, thresholds),
            began: Instant::now(),
            tables: 0,
            allowed: [allowed, own].concat(),
            surprises: BTreeSet::new(),
        }
    }

    /// Lets something happen before each table until a trouble is found that is
    /// as grave.
    pub(crate) fn until_found(&mut self, sign: Sign, mut act: impl FnMut()) -> Finding {
        self.allowed.push(sign);
        let (rule, severity) = sign;
        loop {
            act();
            let seen = self.table();
            let findings = &seen.findings;
            let wanted = findings
                .iter()
                .find(|finding| finding.evidence.rule() == rule && finding.severity >= severity);
            let after = self.began.elapsed();
            if let Some(finding) = wanted {
                let what = format!("{}:{}", rule.key(), severity.word());
                println!("{FOUND} {what} {:.2}", after.as_secs_f64());
                assert!(leads_somewhere(finding, &seen), "{finding:?}");
                return finding.clone();
            }
            assert!(after < IN_TIME, "not found: {sign:?}, but {findings:?}");
        }
    }

    /// Lets something happen before each of so many tables.
    pub(crate) fn through(&mut self, tables: u32, mut act: impl FnMut(u32)) {
        for number in 0..tables {
            act(number);
            self.table();
        }
    }

    /// Nothing may have been found but what is allowed.
    pub(crate) fn end(self) {
        assert!(
            self.surprises.is_empty(),
            "{FALSE_ALARM} {:?}",
            self.surprises
        );
    }

    fn table(&mut self) -> Arc<Observation> {
        self.tables += 1;
        let due = self.began + INTERVAL * self.tables;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let seen = self.watch.look();
        for finding in &seen.findings {
            let rule = finding.evidence.rule();
            let allowed = self.allowed.iter();
            let mut fitting =
                allowed.filter(|(known, most)| *known == rule && finding.severity <= *most);
            if fitting.next().is_none() {
                self.surprises.insert(format!("{finding:?}"));
            }
        }
        seen
    }
}

/// Whether there are rows that a finding is about, and marked where it is worth
/// a look; refused connects are in no table.
fn leads_somewhere(finding: &Finding, seen: &Observation) -> bool {
    let mut rows = seen.rows.iter();
    finding.evidence.rule() == Rule::FailedConnects
        || rows.any(|row| {
            let marked = row.severity >= Some(finding.severity);
            let owners = seen.owners(row).map(|(process, _)| process.pid);
            finding.is_about(row, owners) && (marked || finding.severity < Severity::Warning)
        })
}
