//! Finds the holders of sockets.
//!
//! The first table is joined with a full scan of `/proc/PID/fd` of every
//! process, on two threads. After that only changes are read: processes whose
//! number of descriptors has changed, every process from time to time, and
//! likely ones if successive tables have a socket without a known owner. All
//! holders count: forked and passed sockets have several.

mod budget;
mod descriptors;
mod directory;
mod errand;
mod holdings;
mod roster;
mod search;

use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::owner::{OwnerSearch, OwnerSpan};
use crate::model::socket::Socket;
use descriptors::{Link, Part, ProcFolder, Target, Threads};
pub(super) use errand::Errand;
use errand::Found;
use foldhash::{HashMap, HashSet};
pub(super) use holdings::Assigned;
use holdings::Holdings;
use roster::{Known, Pass, Roster, cost};
use search::{BUDGET, Candidate, Missing, Trail};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The PID namespace that holds every process (`PROC_PID_INIT_INO` in
/// include/linux/proc_ns.h).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";
/// Largest number of descriptors that are read for the first table, before which nothing
/// is known: those of a machine with 200,000 connections, in less than a second.
const FIRST: u64 = 256 * 1024;

/// Index of the sockets of all processes.
pub(super) struct Owners {
    root: PathBuf,
    proc: Option<Arc<ProcFolder>>,
    roster: Roster,
    holdings: Holdings,
    missing: Missing,
    /// The pass in which the search for sockets of the first table began; 0
    /// before that.
    begun: Pass,
    /// Links of processes whose reading is under way.
    unfinished: HashMap<u32, Vec<Link>>,
    /// Largest number of descriptors that are read for one table; none for all.
    per_table: Option<u64>,
    /// Largest number of descriptors read for the first table.
    first: u64,
    /// Largest number of descriptors read in search of owners for one table.
    budget: u64,
    /// Reason why the last listing of processes failed.
    failure: Option<GapReason>,
    /// True if no process of the machine is outside `/proc`.
    in_first_pid_namespace: bool,
}

impl Owners {
    /// Creates an empty index. `root` is `/proc`, or a fixture. At most `per_table`
    /// descriptors are read for one table, and [`FIRST`] for the first; no limit if
    /// none.
    pub(super) fn new(root: &Path, per_table: Option<u64>) -> Self {
        Self {
            root: root.to_path_buf(),
            proc: None,
            roster: Roster::default(),
            holdings: Holdings::default(),
            missing: Missing::default(),
            begun: 0,
            unfinished: HashMap::default(),
            per_table,
            first: FIRST,
            budget: BUDGET,
            failure: None,
            in_first_pid_namespace: in_first_pid_namespace(root),
        }
    }

    /// Looks at the descriptor counts of all processes, and plans which to
    /// read.
    pub(super) fn survey(&mut self) -> Errand {
        let first = self.begun == 0;
        let most = |most: u64| if first { self.first.max(most) } else { most };
        let descriptors = self.per_table.map(most);
        self.survey_within(descriptors)
    }

    fn survey_within(&mut self, descriptors: Option<u64>) -> Errand {
        match self.listed(descriptors) {
            Ok(errand) => {
                self.failure = None;
                errand
            }
            Err(error) => {
                self.failure = Some(GapReason::of(&error));
                Errand::none()
            }
        }
    }

    fn listed(&mut self, descriptors: Option<u64>) -> io::Result<Errand> {
        let proc = match &self.proc {
            Some(proc) => Arc::clone(proc),
            None => Arc::clone(self.proc.insert(Arc::new(ProcFolder::open(&self.root)?))),
        };
        let mut survey = self.roster.survey(&proc.pids()?, &proc, descriptors);
        survey.ended.sort_unstable();
        for pid in &survey.ended {
            self.unfinished.remove(pid);
        }
        self.holdings.replace(&survey.ended, Vec::new());
        Ok(Errand::new(proc, survey.targets, survey.size))
    }

    /// Applies the result of a scan, once all its threads are done.
    pub(super) fn take_in(&mut self, errand: Errand) {
        self.take_found(errand.finish());
    }

    fn take_found(&mut self, mut found: Found) {
        let (unfinished, finished): (Vec<_>, Vec<_>) = found
            .parts
            .iter()
            .copied()
            .partition(|(_, part)| part.rest.is_some());
        let pids = |parts: &[(u32, Part)]| {
            let mut pids: Vec<u32> = parts.iter().map(|(pid, _)| *pid).collect();
            pids.sort_unstable();
            pids
        };
        if !unfinished.is_empty() {
            let pids = pids(&unfinished);
            let goes_on = |link: &mut Link| pids.binary_search(&link.pid).is_ok();
            let links: Vec<Link> = found.links.extract_if(.., goes_on).collect();
            self.holdings.add(&links);
            for link in links {
                self.unfinished.entry(link.pid).or_default().push(link);
            }
        }
        for (pid, _) in &finished {
            let earlier = self.unfinished.remove(pid);
            found.links.extend(earlier.into_iter().flatten());
        }
        self.holdings.replace(&pids(&finished), found.links);
        for (pid, part) in found.parts {
            self.roster.note(pid, &part);
        }
    }

    /// The owners of each socket of a table that was read after the survey.
    pub(super) fn assign(&mut self, sockets: &[Socket]) -> Assigned {
        self.holdings.index();
        let begun = self.roster.pass();
        let first = self.begun == 0;
        let mut assigned = self.holdings.assign(sockets);
        let mut open = self.open(sockets, &assigned);
        if !open.is_empty() {
            // Descriptors opened after the survey are visible by now.
            let errand = self.survey_within(self.per_table.map(|_| self.budget));
            errand.work();
            self.take_in(errand);
            self.holdings.index();
            open.retain(|inode| !self.holdings.is_held(*inode));
        }
        if first && !open.is_empty() {
            // There may be no second table, and all processes have just been read.
            self.search_threads(sockets, &mut open, self.budget);
            self.holdings.index();
        }
        // Most new sockets without an owner are missing from the next table:
        // they were closed while it was read. Only persistent ones are searched
        // for.
        let mut lasting = self.missing.lasting(&open, begun);
        if !lasting.is_empty() {
            self.search(sockets, &mut lasting);
            self.holdings.index();
        }
        if self.holdings.has_changed_since(&assigned) {
            assigned = self.holdings.assign(sockets);
        }
        if first {
            // Passes are counted from 1.
            self.begun = self.missing.latest().max(1);
        } else if !open.is_empty() {
            // Sockets of the first table have been searched for everywhere.
            let since = self.roster.all_read_since().max(self.begun);
            mark_pending(&mut assigned, sockets, &self.missing.open(since));
        }
        assigned
    }

    /// Returns the inodes of the table without a known owner that have not been
    /// given up.
    fn open(&mut self, sockets: &[Socket], assigned: &Assigned) -> HashSet<u32> {
        let unheld = sockets
            .iter()
            .zip(&assigned.spans)
            .filter(|(_, span)| span.count == 0)
            .filter_map(|(socket, _)| Some(socket.inode?.get()));
        self.missing.note(unheld, self.roster.pass());
        self.missing.open(self.roster.all_read_since())
    }

    /// Scans likely processes, and then their threads, until all sockets are
    /// found or the budget is used up.
    fn search(&mut self, sockets: &[Socket], open: &mut HashSet<u32>) {
        let Some(proc) = self.proc.clone() else {
            return;
        };
        let latest = self.missing.latest();
        let before = |pass: Option<Pass>| pass.is_none_or(|pass| pass < latest);
        let mut left = self.budget;
        for candidate in self.candidates(sockets, open, |known| before(known.read_at)) {
            if open.is_empty() || left == 0 {
                return;
            }
            let most = match self.per_table {
                Some(_) => left,
                None => u64::MAX,
            };
            let Some(known) = self.roster.known(candidate.pid) else {
                continue;
            };
            let target = known.target(candidate.pid, most);
            left = left.saturating_sub(known.cost_left().min(most));
            self.read_one(&proc, target, open);
        }
        self.search_threads(sockets, open, left);
    }

    /// Scans the threads of likely processes that may have descriptor tables of their
    /// own: all threads while the rest of the budget suffices. If it never does, or
    /// there may be no other table, only those with a different number of descriptors.
    fn search_threads(&mut self, sockets: &[Socket], open: &mut HashSet<u32>, mut left: u64) {
        let Some(proc) = self.proc.clone() else {
            return;
        };
        let latest = self.missing.latest();
        let before = |pass: Option<Pass>| pass.is_none_or(|pass| pass < latest);
        for candidate in self.candidates(sockets, open, |known| before(known.threads_at)) {
            if open.is_empty() {
                return;
            }
            let pid = candidate.pid;
            let tables = proc.further_threads(pid);
            let price = 1 + tables.saturating_mul(cost(&candidate.glance));
            let threads = if price <= left {
                left -= price;
                Threads::All
            } else if price > self.budget || self.begun == 0 {
                left = left.saturating_sub(tables);
                Threads::Different
            } else {
                return;
            };
            let target = Target::whole(pid, threads);
            let apart = tables > 0 && self.read_one(&proc, target, open) > 0;
            self.roster.note_threads(pid, apart);
        }
    }

    /// Scans one process; returns the number of searched sockets it holds.
    fn read_one(
        &mut self,
        proc: &Arc<ProcFolder>,
        target: Target,
        open: &mut HashSet<u32>,
    ) -> usize {
        let errand = Errand::new(Arc::clone(proc), vec![target], 0);
        errand.work();
        let before = open.len();
        let found = errand.finish();
        for link in &found.links {
            open.remove(&link.inode);
        }
        self.take_found(found);
        before - open.len()
    }

    /// Returns the readable processes accepted by `wanted`, the likely ones
    /// first.
    fn candidates(
        &self,
        sockets: &[Socket],
        open: &HashSet<u32>,
        wanted: impl Fn(&Known) -> bool,
    ) -> Vec<Candidate> {
        let trail = Trail::of(sockets, open);
        let related = self
            .holdings
            .holders_of(sockets, |socket| trail.leads_to(socket));
        let mut candidates: Vec<Candidate> = self
            .roster
            .readable()
            .filter(|(_, known)| wanted(known))
            .map(|(pid, known)| Candidate {
                pid,
                glance: known.glance,
                related: related.contains(&pid),
                same_user: trail.fits(&known.glance),
                lively: known.is_lively(self.roster.pass()),
            })
            .collect();
        search::order(&mut candidates);
        candidates
    }

    /// Iterates over the processes, by pid and the identity that distinguishes
    /// a reused pid.
    pub(super) fn processes(&self) -> impl Iterator<Item = (u32, u64)> {
        self.roster.identities()
    }

    /// Returns the extent of the search that left these gaps.
    pub(super) fn search_of(&self, gaps: &[Gap]) -> OwnerSearch {
        let only_init = gaps.iter().all(|gap| gap.kind == GapKind::InitUnreadable);
        let privileged = rustix::process::geteuid().is_root();
        match gaps {
            [] if self.in_first_pid_namespace => OwnerSearch::Everywhere,
            [] => OwnerSearch::OfPidNamespace,
            _ if only_init && privileged && self.in_first_pid_namespace => OwnerSearch::AllButInit,
            _ if privileged => OwnerSearch::InPartAsRoot,
            _ => OwnerSearch::InPart,
        }
    }

    /// Processes that could not be searched; empty if every one could.
    pub(super) fn gaps(&self, short_of_descriptors: bool) -> Vec<Gap> {
        let mut counts = self.roster.unreadable();
        if let Some(reason) = self.failure {
            *counts.entry(reason).or_default() += 1;
        }
        if short_of_descriptors {
            *counts.entry(GapReason::DescriptorLimit).or_default() += 1;
        }
        if self.roster.lists_nobody() {
            return vec![Gap {
                kind: GapKind::ProcMissing,
                count: 1,
                reason: GapReason::NoProc,
            }];
        }
        let hidden = self.roster.hides_processes();
        let only_init = !hidden && self.roster.refuses_init() && counts.values().sum::<u64>() == 1;
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

fn in_first_pid_namespace(root: &Path) -> bool {
    let namespace = std::fs::read_link(root.join("self/ns/pid"));
    namespace.is_ok_and(|link| link.as_os_str() == FIRST_PID_NAMESPACE)
}

fn mark_pending(assigned: &mut Assigned, sockets: &[Socket], open: &HashSet<u32>) {
    for (span, socket) in assigned.spans.iter_mut().zip(sockets) {
        let inode = socket.inode.map_or(0, std::num::NonZeroU32::get);
        if span.count == 0 && open.contains(&inode) {
            *span = OwnerSpan::PENDING;
        }
    }
}

#[cfg(test)]
mod tests;
