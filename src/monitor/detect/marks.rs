//! Marks the rows that findings are about.
//!
//! There may be a finding for each of many processes, and a hundred thousand
//! rows: each row is compared only with the findings of its holders.

use crate::model::evidence::Lead;
use crate::model::finding::{Finding, Severity};
use crate::model::owner::{Holder, ProcessId};
use crate::model::row::{Phase, Row};
use crate::monitor::interner::Interner;
use crate::monitor::ledger::Turned;

/// Marks the rows of warnings and alarms.
pub(in crate::monitor) fn flag(turned: &mut Turned, interner: &Interner, findings: &[Finding]) {
    let mut marks = Marks::default();
    for finding in findings
        .iter()
        .filter(|each| each.severity >= Severity::Warn)
    {
        marks.add(finding, interner);
    }
    if marks.is_empty() {
        return;
    }
    let Turned { rows, holders, .. } = turned;
    for row in rows.iter_mut().filter(|row| row.phase != Phase::Closed) {
        let gravest = marks.gravest(row, holders);
        // Few rows are written to: the memory of the others stays clean.
        if gravest.is_some() {
            row.flagged = gravest.max(row.flagged);
        }
    }
}

/// The part of a finding that rows are compared with, computed once and not for
/// each row.
#[derive(Clone, Copy)]
struct Mark {
    severity: Severity,
    lead: Lead,
}

/// Findings by the processes whose rows they may be about.
#[derive(Default)]
struct Marks {
    anybodys: Vec<Mark>,
    /// By process number.
    of: Vec<Vec<Mark>>,
}

impl Marks {
    fn add(&mut self, finding: &Finding, interner: &Interner) {
        let lead = finding.lead();
        let mark = Mark {
            severity: finding.severity,
            lead,
        };
        match finding.process.as_deref().filter(|_| !lead.unheld) {
            None => self.anybodys.push(mark),
            Some(_) => {
                for process in finding.processes() {
                    // A process that is unknown holds nothing any more.
                    if let Some(ProcessId(number)) = interner.find(process) {
                        let place = number as usize;
                        let places = self.of.len().max(place + 1);
                        self.of.resize_with(places, Vec::new);
                        self.of[place].push(mark);
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.anybodys.is_empty() && self.of.is_empty()
    }

    /// The highest severity of the findings about a row.
    fn gravest(&self, row: &Row, holders: &[Holder]) -> Option<Severity> {
        let owners = row.owners.of(holders).iter();
        let theirs = owners.filter_map(|holder| self.of.get(holder.process.0 as usize));
        let fitting = theirs
            .flatten()
            .chain(&self.anybodys)
            .filter(|mark| mark.lead.fits(&row.socket));
        fitting.map(|mark| mark.severity).max()
    }
}
