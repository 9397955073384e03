//! Merges findings about the workers of one program.
//!
//! A pre-fork server shares its work among processes with the same program file
//! and the same parent. A fault of one of them is a fault of all, and the
//! number that matters is that of all.

use super::thresholds::Thresholds;
use crate::model::evidence::{CloseWaitEvidence, Evidence, FinWait2Evidence, StalledQueueEvidence};
use crate::model::finding::{Finding, Rule, Severity};
use crate::model::process::Process;
use crate::model::text::Text;
use crate::model::unit::UnitKind;
use std::collections::BTreeMap;

/// Key of findings that are merged.
type MergeKey = (Rule, Text, Text, ProgramIdentity);

/// Key under which processes of the same program file are one program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ProgramIdentity {
    /// A service or container.
    Unit(Text),
    /// The pid of the process that started them.
    Parent(u32),
}

/// Merges findings of one rule about workers of one program.
pub(super) fn merge(findings: Vec<Finding>, limits: &Thresholds) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut places: BTreeMap<MergeKey, usize> = BTreeMap::new();
    for finding in findings {
        let known = merge_key(&finding).and_then(|family| {
            let place = *places.entry(family).or_insert(merged.len());
            merged.get_mut(place)
        });
        match known {
            Some(first) => merge_into(first, finding),
            None => merged.push(finding),
        }
    }
    for finding in &mut merged {
        // Together they may reach the number that one alone must have.
        let many = match &finding.evidence {
            Evidence::CloseWait(leak) => leak.count >= limits.leak_many,
            Evidence::FinWait2(half_closed) => half_closed.sockets >= limits.fin_wait_2_many,
            Evidence::ProgramNotReading(still) => still.sockets >= limits.still_sockets,
            _ => false,
        };
        if many && !finding.holder.workers.is_empty() {
            finding.severity = finding.severity.max(Severity::Warning);
        }
    }
    merged
}

fn merge_key(finding: &Finding) -> Option<MergeKey> {
    let mergeable = matches!(
        finding.evidence,
        Evidence::CloseWait(_)
            | Evidence::FinWait2(_)
            | Evidence::PeerNotReading(_)
            | Evidence::ProgramNotReading(_)
    );
    let process = finding.process.as_ref().filter(|_| mergeable)?;
    let exe = process.exe.as_ref()?.path.clone();
    let rule = finding.evidence.rule();
    Some((rule, process.name.clone(), exe, program_identity(process)))
}

fn program_identity(process: &Process) -> ProgramIdentity {
    let unit = process.unit.as_ref();
    if let Some(unit) = unit.filter(|unit| unit.kind == UnitKind::Service) {
        return ProgramIdentity::Unit(unit.text().clone());
    }
    // A worker is started by a process of its own name; a shell starts programs
    // that have nothing to do with one another.
    let master = process.ancestors.first();
    let master = master.filter(|(_, name)| *name == process.name);
    ProgramIdentity::Parent(master.map_or(process.pid, |(pid, _)| *pid))
}

fn merge_into(first: &mut Finding, other: Finding) {
    first.severity = first.severity.max(other.severity);
    first.since = first.since.min(other.since);
    // It stays as long as any of them does.
    first.clearing_since = first.clearing_since.and(other.clearing_since);
    match (&mut first.evidence, &other.evidence) {
        (Evidence::CloseWait(sum), Evidence::CloseWait(leak)) => add_leak(sum, leak),
        (Evidence::FinWait2(sum), Evidence::FinWait2(other)) => add_half_closed(sum, other),
        (Evidence::PeerNotReading(sum), Evidence::PeerNotReading(still))
        | (Evidence::ProgramNotReading(sum), Evidence::ProgramNotReading(still)) => {
            add_stalled(sum, still);
        }
        _ => {}
    }
    let workers = &mut first.holder.workers;
    workers.extend(other.process);
    workers.extend(other.holder.workers);
}

fn add_leak(sum: &mut CloseWaitEvidence, leak: &CloseWaitEvidence) {
    sum.count += leak.count;
    sum.growth += leak.growth;
    let share = |open: Option<u32>, most: Option<u32>| open.zip(most);
    // The one that is nearest to its limit counts.
    let nearer = match (
        share(sum.open_files, sum.open_files_limit),
        share(leak.open_files, leak.open_files_limit),
    ) {
        (Some((open, most)), Some((other, limit))) => {
            u64::from(other) * u64::from(most) > u64::from(open) * u64::from(limit)
        }
        (None, Some(_)) => true,
        _ => false,
    };
    if nearer {
        (sum.open_files, sum.open_files_limit) = (leak.open_files, leak.open_files_limit);
    }
}

fn add_half_closed(sum: &mut FinWait2Evidence, other: &FinWait2Evidence) {
    let (sockets, shut) = (
        sum.sockets + other.sockets,
        sum.receive_shutdown + other.receive_shutdown,
    );
    if other.longest > sum.longest {
        *sum = other.clone();
    }
    (sum.sockets, sum.receive_shutdown) = (sockets, shut);
}

fn add_stalled(sum: &mut StalledQueueEvidence, still: &StalledQueueEvidence) {
    if still.bytes > sum.bytes {
        sum.peer = still.peer;
    }
    sum.sockets += still.sockets;
    sum.bytes += still.bytes;
    sum.longest = sum.longest.max(still.longest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::FindingHolder;
    use crate::model::process::Program;
    use crate::model::time::Timestamp;
    use std::sync::Arc;
    use std::time::Duration;

    fn leaking(pid: u32, parent: (u32, &str), count: u32) -> Finding {
        Finding {
            severity: Severity::Info,
            since: Timestamp(pid),
            clearing_since: None,
            process: Some(Arc::new(Process {
                pid,
                name: Text::from("gunicorn"),
                exe: Some(Program::verified("/usr/bin/python3")),
                ancestors: vec![(parent.0, Text::from(parent.1))],
                ..Process::default()
            })),
            holder: FindingHolder::default(),
            evidence: Evidence::CloseWait(CloseWaitEvidence {
                count,
                growth: 0,
                window: Duration::from_mins(5),
                open_files: None,
                open_files_limit: None,
            }),
        }
    }

    #[test]
    fn workers_of_one_program_make_one_finding() {
        let master = (100, "gunicorn");
        let four = (101..105).map(|pid| leaking(pid, master, 2)).collect();
        let merged = merge(four, &Thresholds::default());
        assert_eq!(merged.len(), 1);
        assert_eq!(merged[0].evidence.size(), 8);
        assert_eq!(merged[0].holder.workers.len(), 3);
        assert_eq!(merged[0].severity, Severity::Info);
        let many = (101..105).map(|pid| leaking(pid, master, 13)).collect();
        let merged = merge(many, &Thresholds::default());
        assert_eq!(merged[0].severity, Severity::Warning);
    }

    #[test]
    fn programs_that_a_shell_started_stay_apart() {
        let of_shell = [101, 102].map(|pid| leaking(pid, (50, "bash"), 2));
        let of_init = [103, 104].map(|pid| leaking(pid, (1, "systemd"), 2));
        let all = of_shell.into_iter().chain(of_init).collect();
        assert_eq!(merge(all, &Thresholds::default()).len(), 4);
    }
}
