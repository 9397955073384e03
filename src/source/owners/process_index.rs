//! The processes, the known facts about each, and the selection of those to
//! read.
//!
//! Since Linux 6.2 the size of `/proc/PID/fd` is the number of open descriptors
//! (`proc_readfd_count` in `fs/proc/fd.c`), so one stat shows that a process
//! has opened or closed something, and only such processes are read again,
//! within the budget of a table. A process that closes one descriptor and opens
//! another keeps the number: so every process is also read from time to time,
//! and sockets without a known owner are searched for (see `search`).

use super::budget::{self, DueProcess};
use super::descriptors::{
    DirOffset, FdSummary, ProcDir, ScanOutcome, ScanPart, ScanTarget, ThreadScope,
};
use crate::model::gap::GapReason;
use foldhash::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// Number of a pass over all processes.
pub(super) type ScanPass = u32;

/// Number of passes in which every process is read once.
const RESCAN_PERIOD: u64 = 64;
/// Number of passes for which a process that opened or closed something is
/// considered likely to do it again.
const RECENT_PASSES: ScanPass = 16;
/// Number of passes after which a process that should have been read counts as unread:
/// rules look back ten seconds, and there is a table each second.
const LATE_AFTER_PASSES: ScanPass = 10;

/// Known facts about a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackedProcess {
    pub(super) fd_summary: FdSummary,
    /// Pass of the last complete read of its descriptors; none before that.
    pub(super) read_at: Option<ScanPass>,
    /// Pass since which they are due; none if nothing is known to be new.
    due_since: Option<ScanPass>,
    /// Progress of a read that takes several tables.
    progress: Option<ScanProgress>,
    /// Pass of the last read of any of its descriptors; 0 if never.
    last_scanned: ScanPass,
    pub(super) outcome: ScanOutcome,
    /// Pass in which it was new, or its number of descriptors last changed.
    changed_at: ScanPass,
    /// Pass in which it was last listed.
    seen_at: ScanPass,
    /// True if a thread was found to have a descriptor table of its own.
    pub(super) has_thread_tables: bool,
    /// Pass of the last search of its threads for such tables.
    pub(super) threads_scanned_at: Option<ScanPass>,
}

/// A reading of a process that takes several tables.
#[derive(Clone, Copy, Debug)]
struct ScanProgress {
    began: ScanPass,
    /// Number of descriptors that have been read.
    entries: u64,
    next: DirOffset,
}

impl TrackedProcess {
    /// Number of descriptors that are left to read, and something for itself.
    pub(super) fn remaining_cost(&self) -> u64 {
        let read = self.progress.map_or(0, |reading| reading.entries);
        scan_cost(&self.fd_summary).saturating_sub(read).max(1)
    }

    /// Returns a target of a limited number of descriptors, from the end of the last read.
    pub(super) fn scan_target(&self, pid: u32, most: u64) -> ScanTarget {
        ScanTarget {
            pid,
            threads: if self.has_thread_tables {
                ThreadScope::All
            } else {
                ThreadScope::Leader
            },
            start: self
                .progress
                .map_or(DirOffset::default(), |reading| reading.next),
            max_entries: most,
        }
    }

    /// True if its descriptors are unknown, or were read too long ago.
    fn is_late(&self, now: ScanPass) -> bool {
        let waits = self.due_since.map(|since| now.saturating_sub(since));
        waits.is_some_and(|waits| self.read_at.is_none() || waits >= LATE_AFTER_PASSES)
    }

    /// True if it opened or closed something recently.
    pub(super) fn recently_changed(&self, now: ScanPass) -> bool {
        now.saturating_sub(self.changed_at) < RECENT_PASSES
    }
}

#[derive(Default)]
pub(super) struct ProcessIndex {
    processes: HashMap<u32, TrackedProcess>,
    pass: ScanPass,
    /// Processes in the order of their rescan.
    rescan_queue: VecDeque<u32>,
    /// Descriptors that may still be read on turns.
    rescan_credit: i64,
    /// True if process 1 is not listed: every PID namespace has one, so
    /// `hidepid` hides it and an unknown number of others.
    init_hidden: bool,
    /// True if not even this process is listed.
    lists_no_process: bool,
}

/// Result of surveying all processes.
#[derive(Debug, Default)]
pub(super) struct ScanPlan {
    /// Processes to read, and their approximate number of descriptors.
    pub(super) targets: Vec<ScanTarget>,
    pub(super) descriptors: u64,
    /// Processes that have ended, or are others under the same number.
    pub(super) ended: Vec<u32>,
}

impl ProcessIndex {
    /// The present pass.
    pub(super) fn run_pass(&self) -> ScanPass {
        self.pass
    }

    /// Surveys all processes, and selects those to read within the budget.
    pub(super) fn plan_scan(
        &mut self,
        pids: &[u32],
        proc: &ProcDir,
        descriptors: Option<u64>,
    ) -> ScanPlan {
        let mut survey = ScanPlan::default();
        self.pass += 1;
        self.init_hidden = !pids.contains(&1);
        self.lists_no_process = pids.is_empty();
        for pid in pids {
            if let Some(glance) = proc.fd_summary(*pid) {
                self.observe(*pid, glance, &mut survey);
            }
        }
        let now = self.pass;
        self.processes.retain(|pid, known| {
            let there = known.seen_at == now;
            if !there {
                survey.ended.push(*pid);
            }
            there
        });
        self.schedule_rescans();
        self.allocate(&mut survey, descriptors);
        survey
    }

    /// Adds the processes that are due, as far as the budget goes.
    fn allocate(&self, survey: &mut ScanPlan, descriptors: Option<u64>) {
        let due = self
            .processes
            .iter()
            .filter(|(_, known)| known.due_since.is_some());
        let due = due.map(|(pid, known)| DueProcess {
            pid: *pid,
            cost: known.remaining_cost(),
            last_scanned: known.last_scanned,
        });
        for share in budget::allocate(due.collect(), descriptors) {
            if let Some(known) = self.processes.get(&share.pid) {
                survey.descriptors += known.remaining_cost().min(share.max_descriptors);
                survey
                    .targets
                    .push(known.scan_target(share.pid, share.max_descriptors));
            }
        }
    }

    fn observe(&mut self, pid: u32, glance: FdSummary, survey: &mut ScanPlan) {
        let now = self.pass;
        let fresh = TrackedProcess {
            fd_summary: glance,
            read_at: None,
            due_since: Some(now),
            progress: None,
            last_scanned: 0,
            outcome: ScanOutcome::Unread,
            changed_at: now,
            seen_at: now,
            has_thread_tables: false,
            // A process that starts while watching can hold older sockets only
            // through a table that is read anyway.
            threads_scanned_at: (now > 1).then_some(now),
        };
        let known = self.processes.entry(pid).or_insert_with(|| {
            self.rescan_queue.push_back(pid);
            fresh
        });
        known.seen_at = now;
        if known.fd_summary.identity != glance.identity {
            survey.ended.push(pid);
            *known = fresh;
        } else if known.fd_summary.fd_count != glance.fd_count {
            known.fd_summary = glance;
            known.changed_at = now;
            known.due_since.get_or_insert(now);
        }
    }

    /// Marks processes due for a rescan, so that all are read within [`RESCAN_PERIOD`]
    /// passes. A large one uses up the credit of many passes.
    fn schedule_rescans(&mut self) {
        let all: u64 = self
            .processes
            .values()
            .map(|known| scan_cost(&known.fd_summary))
            .sum();
        let share = i64::try_from(all.div_ceil(RESCAN_PERIOD)).unwrap_or(i64::MAX);
        self.rescan_credit = self.rescan_credit.saturating_add(share).min(share);
        for _ in 0..self.rescan_queue.len() {
            if self.rescan_credit <= 0 {
                break;
            }
            let Some(pid) = self.rescan_queue.pop_front() else {
                break;
            };
            // One that has ended gives up its place.
            let Some(known) = self.processes.get_mut(&pid) else {
                continue;
            };
            self.rescan_queue.push_back(pid);
            let old = known
                .read_at
                .is_some_and(|read| u64::from(self.pass - read) >= RESCAN_PERIOD / 2);
            if old && known.due_since.is_none() {
                self.rescan_credit -=
                    i64::try_from(scan_cost(&known.fd_summary)).unwrap_or(i64::MAX);
                known.due_since = Some(self.pass);
            }
        }
    }

    /// Records the result of reading a process, or a part of it, in this pass.
    pub(super) fn record_scan(&mut self, pid: u32, part: &ScanPart) {
        let now = self.pass;
        let Some(known) = self.processes.get_mut(&pid) else {
            return;
        };
        known.last_scanned = now;
        let reading = known.progress.take();
        let began = reading.map_or(now, |reading| reading.began);
        if let Some(next) = part.next {
            known.progress = Some(ScanProgress {
                began,
                entries: reading.map_or(0, |reading| reading.entries) + part.entries,
                next,
            });
            return;
        }
        known.outcome = part.outcome;
        if part.outcome == ScanOutcome::Unreadable(GapReason::DescriptorLimit) {
            // Another time there may be descriptors left to read with.
            known.read_at = None;
            known.due_since.get_or_insert(now);
            return;
        }
        known.read_at = Some(began);
        // A change during a read in parts may be in a part that was already
        // read.
        known.due_since = (known.changed_at > began).then_some(known.changed_at);
    }

    /// Records that the threads of a process have been searched in this pass,
    /// and if one has descriptors of its own.
    pub(super) fn record_thread_scan(&mut self, pid: u32, apart: bool) {
        if let Some(known) = self.processes.get_mut(&pid) {
            known.has_thread_tables |= apart;
            known.threads_scanned_at = Some(self.pass);
        }
    }

    /// Returns the known facts about a process.
    pub(super) fn get(&self, pid: u32) -> Option<&TrackedProcess> {
        self.processes.get(&pid)
    }

    /// Iterates over the processes that may hold sockets, by pid and the
    /// identity that distinguishes a reused pid.
    pub(super) fn identities(&self) -> impl Iterator<Item = (u32, u64)> {
        self.processes
            .iter()
            .filter(|(_, known)| known.outcome != ScanOutcome::Empty)
            .map(|(pid, known)| (*pid, known.fd_summary.identity))
    }

    /// Processes whose descriptors could be read, or perhaps can.
    pub(super) fn readable(&self) -> impl Iterator<Item = (u32, &TrackedProcess)> {
        let readable = [ScanOutcome::Read, ScanOutcome::Unread];
        self.processes
            .iter()
            .filter(move |(_, known)| readable.contains(&known.outcome))
            .map(|(pid, known)| (*pid, known))
    }

    /// Pass since which every readable process has been read, its threads too.
    pub(super) fn all_read_since(&self) -> ScanPass {
        self.readable()
            .map(|(_, known)| known.read_at.min(known.threads_scanned_at).unwrap_or(0))
            .min()
            .unwrap_or(ScanPass::MAX)
    }

    /// True if not even process 1 is listed: `hidepid` hides it, and others with
    /// it.
    pub(super) fn hides_processes(&self) -> bool {
        self.init_hidden
    }

    /// True if no process is listed, not even this one, which `hidepid` leaves: the
    /// folder is no procfs.
    pub(super) fn lists_no_process(&self) -> bool {
        self.lists_no_process
    }

    /// True if process 1 is unreadable, whatever other processes are.
    pub(super) fn is_init_unreadable(&self) -> bool {
        let refused = ScanOutcome::Unreadable(GapReason::Permission);
        self.processes
            .get(&1)
            .is_some_and(|first| first.outcome == refused)
    }

    /// Counts the unreadable processes by reason, including those beyond the budget.
    pub(super) fn unreadable_counts(&self) -> BTreeMap<GapReason, u64> {
        let mut counts = BTreeMap::new();
        for known in self.processes.values() {
            match known.outcome {
                ScanOutcome::Unreadable(reason) => *counts.entry(reason).or_default() += 1,
                _ if known.is_late(self.pass) => {
                    *counts.entry(GapReason::BudgetExceeded).or_default() += 1;
                }
                _ => {}
            }
        }
        counts
    }
}

/// Cost of reading a process: its descriptors, and a constant overhead. The
/// number is a guess if the kernel does not count descriptors.
pub(super) fn scan_cost(glance: &FdSummary) -> u64 {
    const UNCOUNTED: u64 = 16;
    match glance.fd_count {
        0 => UNCOUNTED,
        count => count + 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn glance(identity: u64, count: u64) -> FdSummary {
        FdSummary {
            identity,
            fd_count: count,
            uid: 0,
        }
    }

    /// The end of a process, or all of it.
    fn final_part(outcome: ScanOutcome) -> ScanPart {
        ScanPart {
            outcome,
            entries: 0,
            next: None,
        }
    }

    /// A pass over processes as given; all that must be read are read.
    fn pass(index: &mut ProcessIndex, processes: &[(u32, FdSummary)]) -> Vec<u32> {
        index.pass += 1;
        let mut survey = ScanPlan::default();
        for (pid, glance) in processes {
            index.observe(*pid, *glance, &mut survey);
        }
        index.allocate(&mut survey, None);
        let mut read: Vec<u32> = survey.targets.iter().map(|target| target.pid).collect();
        read.sort_unstable();
        for pid in &read {
            index.record_scan(*pid, &final_part(ScanOutcome::Read));
        }
        read
    }

    #[test]
    fn a_large_process_is_read_over_several_tables() {
        let mut index = ProcessIndex::default();
        let mut counts = vec![50_u64, 40_000, 300_000];
        let mut passes = 0;
        let mut read = [0; 3];
        while passes < 40 {
            index.pass += 1;
            passes += 1;
            let mut survey = ScanPlan::default();
            for (pid, count) in (1..).zip(&counts) {
                index.observe(pid, glance(u64::from(pid), *count), &mut survey);
            }
            index.allocate(&mut survey, Some(65_536));
            assert!(survey.descriptors <= 65_536, "{}", survey.descriptors);
            for target in survey.targets {
                let place = usize::try_from(target.pid).unwrap() - 1;
                let from = index.get(target.pid).unwrap().progress;
                let from = from.map_or(0, |reading| reading.entries);
                let entries = target.max_entries.min(counts[place] - from);
                let ends = from + entries == counts[place];
                read[place] += u32::from(ends);
                let part = ScanPart {
                    outcome: if ends {
                        ScanOutcome::Read
                    } else {
                        ScanOutcome::Unread
                    },
                    entries,
                    next: (!ends).then(DirOffset::default),
                };
                index.record_scan(target.pid, &part);
            }
            let unread = index
                .unreadable_counts()
                .get(&GapReason::BudgetExceeded)
                .copied();
            if passes == 1 {
                assert_eq!(unread, Some(2), "the first table has the small one");
            }
            // All of them open something all the time.
            for count in &mut counts {
                *count += 1;
            }
        }
        assert_eq!(read[0], 40, "with each table");
        assert!(read[1] > 15, "{read:?}");
        assert!(read[2] >= 4, "{read:?}");
        assert_eq!(index.unreadable_counts(), BTreeMap::new(), "all in time");
    }

    #[test]
    fn only_what_changed_is_read_again() {
        let mut index = ProcessIndex::default();
        let (seven, eight) = ((7, glance(70, 5)), (8, glance(80, 5)));
        assert_eq!(pass(&mut index, &[seven, eight]), [7, 8]);
        assert_eq!(pass(&mut index, &[seven, eight]), [0; 0]);
        assert_eq!(pass(&mut index, &[(7, glance(70, 6)), eight]), [7]);
        let successor = (8, glance(81, 5));
        assert_eq!(pass(&mut index, &[seven, successor]), [7, 8]);
    }

    #[test]
    fn an_ended_process_is_reported() {
        let proc = ProcDir::open(Path::new("/proc")).unwrap();
        let mut index = ProcessIndex::default();
        let own = std::process::id();
        let survey = index.plan_scan(&[own], &proc, None);
        assert_eq!(survey.targets.len(), 1);
        assert_eq!(index.plan_scan(&[], &proc, None).ended, [own]);
    }

    #[test]
    fn every_process_is_rescanned_within_the_budget() {
        let mut index = ProcessIndex::default();
        let mut processes: Vec<(u32, FdSummary)> = (1..=100)
            .map(|pid| (pid, glance(u64::from(pid), 10)))
            .collect();
        processes.push((101, glance(101, 20_000)));
        pass(&mut index, &processes);
        let mut reads: HashMap<u32, u32> = HashMap::default();
        let mut size = 0;
        let passes = 256;
        for _ in 0..passes {
            index.pass += 1;
            let mut survey = ScanPlan::default();
            for (pid, glance) in &processes {
                index.observe(*pid, *glance, &mut survey);
            }
            index.schedule_rescans();
            index.allocate(&mut survey, None);
            size += survey.descriptors;
            for target in survey.targets {
                *reads.entry(target.pid).or_default() += 1;
                index.record_scan(target.pid, &final_part(ScanOutcome::Read));
            }
        }
        assert_eq!(reads.len(), processes.len(), "everybody");
        assert!(reads[&101] <= 5, "{}", reads[&101]);
        assert!(size / passes < 700, "{size}");
    }

    #[test]
    fn a_scan_short_of_descriptors_is_retried() {
        let mut index = ProcessIndex::default();
        let seven = [(7, glance(70, 5))];
        pass(&mut index, &seven);
        index.record_scan(
            7,
            &final_part(ScanOutcome::Unreadable(GapReason::DescriptorLimit)),
        );
        assert_eq!(
            index.unreadable_counts(),
            BTreeMap::from([(GapReason::DescriptorLimit, 1)])
        );
        assert_eq!(pass(&mut index, &seven), [7]);
    }
}
