//! Merges findings about the workers of one program.
//!
//! A pre-fork server shares its work among processes with the same program file
//! and the same parent. A fault of one of them is a fault of all, and the
//! number that matters is that of all.

use super::thresholds::Thresholds;
use crate::model::evidence::{Evidence, HalfClosed, Leak, Stillness};
use crate::model::finding::{Finding, Rule, Severity};
use crate::model::process::Process;
use crate::model::text::Text;
use crate::model::unit::UnitKind;
use std::collections::BTreeMap;

/// Key of findings that are merged.
type Family = (Rule, Text, Text, Kin);

/// Key under which processes of the same program file are one program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kin {
    /// A service or container.
    Unit(Text),
    /// The pid of the process that started them.
    Parent(u32),
}

/// Merges findings of one rule about workers of one program.
pub(super) fn merge(findings: Vec<Finding>, limits: &Thresholds) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut places: BTreeMap<Family, usize> = BTreeMap::new();
    for finding in findings {
        let known = family(&finding).and_then(|family| {
            let place = *places.entry(family).or_insert(merged.len());
            merged.get_mut(place)
        });
        match known {
            Some(first) => take_in(first, finding),
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
            finding.severity = finding.severity.max(Severity::Warn);
        }
    }
    merged
}

fn family(finding: &Finding) -> Option<Family> {
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
    Some((rule, process.name.clone(), exe, kin(process)))
}

fn kin(process: &Process) -> Kin {
    let unit = process.unit.as_ref();
    if let Some(unit) = unit.filter(|unit| unit.kind == UnitKind::Service) {
        return Kin::Unit(unit.text().clone());
    }
    // A worker is started by a process of its own name; a shell starts programs
    // that have nothing to do with one another.
    let master = process.parents.first();
    let master = master.filter(|(_, name)| *name == process.name);
    Kin::Parent(master.map_or(process.pid, |(pid, _)| *pid))
}

fn take_in(first: &mut Finding, other: Finding) {
    first.severity = first.severity.max(other.severity);
    first.since = first.since.min(other.since);
    // It stays as long as any of them does.
    first.below_since = first.below_since.and(other.below_since);
    match (&mut first.evidence, &other.evidence) {
        (Evidence::CloseWait(sum), Evidence::CloseWait(leak)) => add_leak(sum, leak),
        (Evidence::FinWait2(sum), Evidence::FinWait2(other)) => add_half_closed(sum, other),
        (Evidence::PeerNotReading(sum), Evidence::PeerNotReading(still))
        | (Evidence::ProgramNotReading(sum), Evidence::ProgramNotReading(still)) => {
            add_stillness(sum, still);
        }
        _ => {}
    }
    let workers = &mut first.holder.workers;
    workers.extend(other.process);
    workers.extend(other.holder.workers);
}

fn add_leak(sum: &mut Leak, leak: &Leak) {
    sum.count += leak.count;
    sum.growth += leak.growth;
    let share = |open: Option<u32>, most: Option<u32>| open.zip(most);
    // The one that is nearest to its limit counts.
    let nearer = match (share(sum.open, sum.most), share(leak.open, leak.most)) {
        (Some((open, most)), Some((other, limit))) => {
            u64::from(other) * u64::from(most) > u64::from(open) * u64::from(limit)
        }
        (None, Some(_)) => true,
        _ => false,
    };
    if nearer {
        (sum.open, sum.most) = (leak.open, leak.most);
    }
}

fn add_half_closed(sum: &mut HalfClosed, other: &HalfClosed) {
    let (sockets, shut) = (sum.sockets + other.sockets, sum.shut + other.shut);
    if other.longest > sum.longest {
        *sum = other.clone();
    }
    (sum.sockets, sum.shut) = (sockets, shut);
}

fn add_stillness(sum: &mut Stillness, still: &Stillness) {
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
    use crate::model::time::Stamp;
    use std::sync::Arc;
    use std::time::Duration;

    fn leaking(pid: u32, parent: (u32, &str), count: u32) -> Finding {
        Finding {
            severity: Severity::Info,
            since: Stamp(pid),
            below_since: None,
            process: Some(Arc::new(Process {
                pid,
                name: Text::from("gunicorn"),
                exe: Some(Program::here("/usr/bin/python3")),
                parents: vec![(parent.0, Text::from(parent.1))],
                ..Process::default()
            })),
            holder: FindingHolder::default(),
            evidence: Evidence::CloseWait(Leak {
                count,
                growth: 0,
                window: Duration::from_mins(5),
                open: None,
                most: None,
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
        assert_eq!(merged[0].severity, Severity::Warn);
    }

    #[test]
    fn programs_that_a_shell_started_stay_apart() {
        let of_shell = [101, 102].map(|pid| leaking(pid, (50, "bash"), 2));
        let of_init = [103, 104].map(|pid| leaking(pid, (1, "systemd"), 2));
        let all = of_shell.into_iter().chain(of_init).collect();
        assert_eq!(merge(all, &Thresholds::default()).len(), 4);
    }
}
