//! Marks the rows that findings are about.
//!
//! There may be a finding for each of many processes, and a hundred thousand
//! rows: each row is compared only with the findings of its holders.

use crate::model::evidence::RowSelector;
use crate::model::finding::{Finding, Severity};
use crate::model::owner::{Holder, ProcessId};
use crate::model::row::{Phase, Row};
use crate::monitor::interner::Interner;
use crate::monitor::ledger::TableUpdate;

/// Marks the rows of warnings and alarms.
pub(in crate::monitor) fn set_row_severities(
    update: &mut TableUpdate,
    interner: &Interner,
    findings: &[Finding],
) {
    let mut marks = RowMarks::default();
    for finding in findings
        .iter()
        .filter(|each| each.severity >= Severity::Warning)
    {
        marks.add(finding, interner);
    }
    if marks.is_empty() {
        return;
    }
    let TableUpdate { rows, holders, .. } = update;
    for row in rows.iter_mut().filter(|row| row.phase != Phase::Closed) {
        let gravest = marks.highest_severity(row, holders);
        // Few rows are written to: the memory of the others stays clean.
        if gravest.is_some() {
            row.severity = gravest.max(row.severity);
        }
    }
}

/// The part of a finding that rows are compared with, computed once and not for
/// each row.
#[derive(Clone, Copy)]
struct RowMark {
    severity: Severity,
    selector: RowSelector,
}

/// Findings by the processes whose rows they may be about.
#[derive(Default)]
struct RowMarks {
    any_process: Vec<RowMark>,
    /// By process number.
    by_process: Vec<Vec<RowMark>>,
}

impl RowMarks {
    fn add(&mut self, finding: &Finding, interner: &Interner) {
        let lead = finding.row_selector();
        let mark = RowMark {
            severity: finding.severity,
            selector: lead,
        };
        match finding.process.as_deref().filter(|_| !lead.include_unowned) {
            None => self.any_process.push(mark),
            Some(_) => {
                for process in finding.processes() {
                    // A process that is unknown holds nothing any more.
                    if let Some(ProcessId(number)) = interner.find(process) {
                        let place = number as usize;
                        let places = self.by_process.len().max(place + 1);
                        self.by_process.resize_with(places, Vec::new);
                        self.by_process[place].push(mark);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.any_process.is_empty() && self.by_process.is_empty()
    }

    /// The highest severity of the findings about a row.
    fn highest_severity(&self, row: &Row, holders: &[Holder]) -> Option<Severity> {
        let owners = row.owners.resolve(holders).iter();
        let theirs = owners.filter_map(|holder| self.by_process.get(holder.process.0 as usize));
        let fitting = theirs
            .flatten()
            .chain(&self.any_process)
            .filter(|mark| mark.selector.matches(&row.socket));
        fitting.map(|mark| mark.severity).max()
    }
}
