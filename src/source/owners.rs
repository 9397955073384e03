//! Finds the holders of sockets.
//!
//! The first table is joined with a full scan of `/proc/PID/fd` of every
//! process, on two threads. After that only changes are read: processes whose
//! number of descriptors has changed, every process from time to time, and
//! likely ones if successive tables have a socket without a known owner. All
//! holders count: forked and passed sockets have several.

mod budget;
mod descriptors;
mod fd_links;
mod fd_scan;
mod inode_index;
mod owner_search;
mod process_index;

use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::owner::{OwnerSearch, OwnerSpan};
use crate::model::socket::Socket;
use descriptors::{FdLink, ProcDir, ScanPart, ScanTarget, ThreadScope};
use fd_links::FdLinks;
pub(super) use fd_links::OwnerAssignment;
pub(super) use fd_scan::FdScan;
use fd_scan::ScanResult;
use foldhash::{HashMap, HashSet};
use owner_search::{Candidate, SEARCH_BUDGET, SearchHints, UnresolvedInodes};
use process_index::{ProcessIndex, ScanPass, TrackedProcess, scan_cost};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The PID namespace that holds every process (`PROC_PID_INIT_INO` in
/// include/linux/proc_ns.h).
const INIT_PID_NAMESPACE_LINK: &str = "pid:[4026531836]";
/// Largest number of descriptors that are read for the first table, before which nothing
/// is known: those of a machine with 200,000 connections, in less than a second.
const FIRST_TABLE_BUDGET: u64 = 256 * 1024;

/// Index of the sockets of all processes.
pub(super) struct SocketOwners {
    root: PathBuf,
    proc_dir: Option<Arc<ProcDir>>,
    process_index: ProcessIndex,
    fd_links: FdLinks,
    unresolved: UnresolvedInodes,
    /// The pass in which the search for sockets of the first table began; 0
    /// before that.
    search_began: ScanPass,
    /// Links of processes whose reading is under way.
    unfinished: HashMap<u32, Vec<FdLink>>,
    /// Largest number of descriptors that are read for one table; none for all.
    table_budget: Option<u64>,
    /// Largest number of descriptors read for the first table.
    first_table_budget: u64,
    /// Largest number of descriptors read in search of owners for one table.
    search_budget: u64,
    /// Reason why the last listing of processes failed.
    list_failure: Option<GapReason>,
    /// True if no process of the machine is outside `/proc`.
    in_init_pid_namespace: bool,
}

impl SocketOwners {
    /// Creates an empty index. `root` is `/proc`, or a fixture. At most `table_budget`
    /// descriptors are read for one table, and [`FIRST_TABLE_BUDGET`] for the first; no limit if
    /// none.
    pub(super) fn new(root: &Path, table_budget: Option<u64>) -> Self {
        Self {
            root: root.to_path_buf(),
            proc_dir: None,
            process_index: ProcessIndex::default(),
            fd_links: FdLinks::default(),
            unresolved: UnresolvedInodes::default(),
            search_began: 0,
            unfinished: HashMap::default(),
            table_budget,
            first_table_budget: FIRST_TABLE_BUDGET,
            search_budget: SEARCH_BUDGET,
            list_failure: None,
            in_init_pid_namespace: in_init_pid_namespace(root),
        }
    }

    /// Looks at the descriptor counts of all processes, and plans which to
    /// read.
    pub(super) fn plan_scan(&mut self) -> FdScan {
        let first = self.search_began == 0;
        let most = |most: u64| {
            if first {
                self.first_table_budget.max(most)
            } else {
                most
            }
        };
        let descriptors = self.table_budget.map(most);
        self.plan_scan_within(descriptors)
    }

    fn plan_scan_within(&mut self, descriptors: Option<u64>) -> FdScan {
        match self.try_plan_scan(descriptors) {
            Ok(scan) => {
                self.list_failure = None;
                scan
            }
            Err(error) => {
                self.list_failure = Some(GapReason::from_io_error(&error));
                FdScan::empty()
            }
        }
    }

    fn try_plan_scan(&mut self, descriptors: Option<u64>) -> io::Result<FdScan> {
        let proc = match &self.proc_dir {
            Some(proc) => Arc::clone(proc),
            None => Arc::clone(self.proc_dir.insert(Arc::new(ProcDir::open(&self.root)?))),
        };
        let mut survey = self
            .process_index
            .plan_scan(&proc.pids()?, &proc, descriptors);
        survey.ended.sort_unstable();
        for pid in &survey.ended {
            self.unfinished.remove(pid);
        }
        self.fd_links.replace(&survey.ended, Vec::new());
        Ok(FdScan::new(proc, survey.targets, survey.descriptors))
    }

    /// Applies the result of a scan, once all its threads are done.
    pub(super) fn apply_scan(&mut self, scan: FdScan) {
        self.apply_result(scan.into_result());
    }

    fn apply_result(&mut self, mut found: ScanResult) {
        let (unfinished, finished): (Vec<_>, Vec<_>) = found
            .parts
            .iter()
            .copied()
            .partition(|(_, part)| part.next.is_some());
        let pids = |parts: &[(u32, ScanPart)]| {
            let mut pids: Vec<u32> = parts.iter().map(|(pid, _)| *pid).collect();
            pids.sort_unstable();
            pids
        };
        if !unfinished.is_empty() {
            let pids = pids(&unfinished);
            let goes_on = |link: &mut FdLink| pids.binary_search(&link.pid).is_ok();
            let links: Vec<FdLink> = found.links.extract_if(.., goes_on).collect();
            self.fd_links.add(&links);
            for link in links {
                self.unfinished.entry(link.pid).or_default().push(link);
            }
        }
        for (pid, _) in &finished {
            let earlier = self.unfinished.remove(pid);
            found.links.extend(earlier.into_iter().flatten());
        }
        self.fd_links.replace(&pids(&finished), found.links);
        for (pid, part) in found.parts {
            self.process_index.record_scan(pid, &part);
        }
    }

    /// The owners of each socket of a table that was read after the survey.
    pub(super) fn assign(&mut self, sockets: &[Socket]) -> OwnerAssignment {
        self.fd_links.rebuild_index();
        let begun = self.process_index.run_pass();
        let first = self.search_began == 0;
        let mut assigned = self.fd_links.assign(sockets);
        let mut open = self.unresolved_inodes(sockets, &assigned);
        if !open.is_empty() {
            // Descriptors opened after the survey are visible by now.
            let scan = self.plan_scan_within(self.table_budget.map(|_| self.search_budget));
            scan.run();
            self.apply_scan(scan);
            self.fd_links.rebuild_index();
            open.retain(|inode| !self.fd_links.is_held(*inode));
        }
        if first && !open.is_empty() {
            // There may be no second table, and all processes have just been read.
            self.search_threads(sockets, &mut open, self.search_budget);
            self.fd_links.rebuild_index();
        }
        // Most new sockets without an owner are missing from the next table:
        // they were closed while it was read. Only persistent ones are searched
        // for.
        let mut lasting = self.unresolved.persistent(&open, begun);
        if !lasting.is_empty() {
            self.search(sockets, &mut lasting);
            self.fd_links.rebuild_index();
        }
        if self.fd_links.has_changed_since(&assigned) {
            assigned = self.fd_links.assign(sockets);
        }
        if first {
            // Passes are counted from 1.
            self.search_began = self.unresolved.latest_start().max(1);
        } else if !open.is_empty() {
            // Sockets of the first table have been searched for everywhere.
            let since = self.process_index.all_read_since().max(self.search_began);
            mark_pending(&mut assigned, sockets, &self.unresolved.pending(since));
        }
        assigned
    }

    /// Returns the inodes of the table without a known owner that have not been
    /// given up.
    fn unresolved_inodes(
        &mut self,
        sockets: &[Socket],
        assigned: &OwnerAssignment,
    ) -> HashSet<u32> {
        let unheld = sockets
            .iter()
            .zip(&assigned.spans)
            .filter(|(_, span)| span.count == 0)
            .filter_map(|(socket, _)| Some(socket.inode?.get()));
        self.unresolved
            .update(unheld, self.process_index.run_pass());
        self.unresolved.pending(self.process_index.all_read_since())
    }

    /// Scans likely processes, and then their threads, until all sockets are
    /// found or the budget is used up.
    fn search(&mut self, sockets: &[Socket], open: &mut HashSet<u32>) {
        let Some(proc) = self.proc_dir.clone() else {
            return;
        };
        let latest = self.unresolved.latest_start();
        let before = |pass: Option<ScanPass>| pass.is_none_or(|pass| pass < latest);
        let mut left = self.search_budget;
        for candidate in self.candidates(sockets, open, |known| before(known.read_at)) {
            if open.is_empty() || left == 0 {
                return;
            }
            let most = match self.table_budget {
                Some(_) => left,
                None => u64::MAX,
            };
            let Some(known) = self.process_index.get(candidate.pid) else {
                continue;
            };
            let target = known.scan_target(candidate.pid, most);
            left = left.saturating_sub(known.remaining_cost().min(most));
            self.scan_process(&proc, target, open);
        }
        self.search_threads(sockets, open, left);
    }

    /// Scans the threads of likely processes that may have descriptor tables of their
    /// own: all threads while the rest of the budget suffices. If it never does, or
    /// there may be no other table, only those with a different number of descriptors.
    fn search_threads(&mut self, sockets: &[Socket], open: &mut HashSet<u32>, mut left: u64) {
        let Some(proc) = self.proc_dir.clone() else {
            return;
        };
        let latest = self.unresolved.latest_start();
        let before = |pass: Option<ScanPass>| pass.is_none_or(|pass| pass < latest);
        for candidate in self.candidates(sockets, open, |known| before(known.threads_scanned_at)) {
            if open.is_empty() {
                return;
            }
            let pid = candidate.pid;
            let tables = proc.extra_threads(pid);
            let price = 1 + tables.saturating_mul(scan_cost(&candidate.fd_summary));
            let threads = if price <= left {
                left -= price;
                ThreadScope::All
            } else if price > self.search_budget || self.search_began == 0 {
                left = left.saturating_sub(tables);
                ThreadScope::Differing
            } else {
                return;
            };
            let target = ScanTarget::whole(pid, threads);
            let apart = tables > 0 && self.scan_process(&proc, target, open) > 0;
            self.process_index.record_thread_scan(pid, apart);
        }
    }

    /// Scans one process; returns the number of searched sockets it holds.
    fn scan_process(
        &mut self,
        proc: &Arc<ProcDir>,
        target: ScanTarget,
        open: &mut HashSet<u32>,
    ) -> usize {
        let scan = FdScan::new(Arc::clone(proc), vec![target], 0);
        scan.run();
        let before = open.len();
        let found = scan.into_result();
        for link in &found.links {
            open.remove(&link.inode);
        }
        self.apply_result(found);
        before - open.len()
    }

    /// Returns the readable processes accepted by `wanted`, the likely ones
    /// first.
    fn candidates(
        &self,
        sockets: &[Socket],
        open: &HashSet<u32>,
        wanted: impl Fn(&TrackedProcess) -> bool,
    ) -> Vec<Candidate> {
        let trail = SearchHints::collect(sockets, open);
        let related = self
            .fd_links
            .holders_of(sockets, |socket| trail.suggests(socket));
        let mut candidates: Vec<Candidate> = self
            .process_index
            .readable()
            .filter(|(_, known)| wanted(known))
            .map(|(pid, known)| Candidate {
                pid,
                fd_summary: known.fd_summary,
                related: related.contains(&pid),
                same_user: trail.matches_user(&known.fd_summary),
                recently_changed: known.recently_changed(self.process_index.run_pass()),
            })
            .collect();
        owner_search::sort_by_likelihood(&mut candidates);
        candidates
    }

    /// Iterates over the processes, by pid and the identity that distinguishes
    /// a reused pid.
    pub(super) fn processes(&self) -> impl Iterator<Item = (u32, u64)> {
        self.process_index.identities()
    }

    /// Returns the extent of the search that left these gaps.
    pub(super) fn search_coverage(&self, gaps: &[Gap]) -> OwnerSearch {
        let only_init = gaps.iter().all(|gap| gap.kind == GapKind::InitUnreadable);
        let privileged = rustix::process::geteuid().is_root();
        match gaps {
            [] if self.in_init_pid_namespace => OwnerSearch::Complete,
            [] => OwnerSearch::PidNamespaceOnly,
            _ if only_init && privileged && self.in_init_pid_namespace => {
                OwnerSearch::AllExceptInit
            }
            _ if privileged => OwnerSearch::InPartAsRoot,
            _ => OwnerSearch::Partial,
        }
    }

    /// Processes that could not be searched; empty if every one could.
    pub(super) fn gaps(&self, short_of_descriptors: bool) -> Vec<Gap> {
        let mut counts = self.process_index.unreadable_counts();
        if let Some(reason) = self.list_failure {
            *counts.entry(reason).or_default() += 1;
        }
        if short_of_descriptors {
            *counts.entry(GapReason::DescriptorLimit).or_default() += 1;
        }
        if self.process_index.lists_no_process() {
            return vec![Gap {
                kind: GapKind::ProcMissing,
                count: 1,
                reason: GapReason::NoProc,
            }];
        }
        let hidden = self.process_index.hides_processes();
        let only_init =
            !hidden && self.process_index.is_init_unreadable() && counts.values().sum::<u64>() == 1;
        let kind = if only_init {
            GapKind::InitUnreadable
        } else {
            GapKind::ProcessesUnreadable
        };
        let unreadable = counts.into_iter().map(|(reason, count)| Gap {
            kind,
            count,
            reason,
        });
        let hidden = hidden.then_some(Gap {
            kind: GapKind::ProcessesHidden,
            count: 1,
            reason: GapReason::Hidepid,
        });
        unreadable.chain(hidden).collect()
    }
}

fn in_init_pid_namespace(root: &Path) -> bool {
    let namespace = std::fs::read_link(root.join("self/ns/pid"));
    namespace.is_ok_and(|link| link.as_os_str() == INIT_PID_NAMESPACE_LINK)
}

fn mark_pending(assigned: &mut OwnerAssignment, sockets: &[Socket], open: &HashSet<u32>) {
    for (span, socket) in assigned.spans.iter_mut().zip(sockets) {
        let inode = socket.inode.map_or(0, std::num::NonZeroU32::get);
        if span.count == 0 && open.contains(&inode) {
            *span = OwnerSpan::PENDING;
        }
    }
}

#[cfg(test)]
mod tests;
