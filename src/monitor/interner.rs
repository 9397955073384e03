//! Gives each process a number that stays the same from table to table.
//!
//! A row remembers its last owner by number, long after the process may have
//! ended. A process that nothing refers to any more is forgotten, so memory is
//! bounded by the running and the referenced ones.

use crate::model::owner::{Holder, ProcessId};
use crate::model::process::Process;
use foldhash::HashMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Interner {
    /// By pid and start time.
    ids: HashMap<(u32, u64), ProcessId>,
    processes: Vec<Arc<Process>>,
    /// Parallel to `processes`.
    uses: Vec<ProcessUse>,
    free: Vec<ProcessId>,
    blank: Arc<Process>,
}

/// Use of a number in this round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ProcessUse {
    /// None.
    #[default]
    Unused,
    /// Something refers to it.
    Referenced,
    /// The table lists the process.
    Listed,
}

impl Interner {
    /// Begins a round: gives the processes of a table their lasting numbers, in
    /// the table's order.
    pub(super) fn intern_table(&mut self, processes: Vec<Arc<Process>>) -> ProcessIdMap {
        self.uses.fill(ProcessUse::Unused);
        ProcessIdMap(
            processes
                .into_iter()
                .map(|each| self.intern(each))
                .collect(),
        )
    }

    fn intern(&mut self, process: Arc<Process>) -> ProcessId {
        let identity = (process.pid, process.start_ticks);
        let id = match self.ids.get(&identity) {
            Some(known) => *known,
            None => self.free.pop().unwrap_or_else(|| self.grow()),
        };
        self.ids.insert(identity, id);
        // The same process may have another name by now: exec keeps the pid.
        if let Some(slot) = self.processes.get_mut(id.0 as usize) {
            *slot = process;
        }
        self.set_use(id, ProcessUse::Listed);
        id
    }

    fn grow(&mut self) -> ProcessId {
        let id = ProcessId(u32::try_from(self.processes.len()).unwrap_or(u32::MAX));
        self.processes.push(Arc::clone(&self.blank));
        self.uses.push(ProcessUse::Unused);
        id
    }

    /// Marks a process as referenced.
    pub(super) fn mark_referenced(&mut self, id: ProcessId) {
        self.set_use(id, ProcessUse::Referenced);
    }

    fn set_use(&mut self, id: ProcessId, reason: ProcessUse) {
        if let Some(known) = self.uses.get_mut(id.0 as usize)
            && *known != ProcessUse::Listed
        {
            *known = reason;
        }
    }

    /// True if the table of this round lists a process.
    pub(super) fn is_listed(&self, process: &Process) -> bool {
        let id = self.find(process);
        let reason = id.and_then(|id| self.uses.get(id.0 as usize));
        reason == Some(&ProcessUse::Listed)
    }

    /// Returns the number of a known process.
    pub(super) fn find(&self, process: &Process) -> Option<ProcessId> {
        let identity = (process.pid, process.start_ticks);
        self.ids.get(&identity).copied()
    }

    /// Ends a round: forgets processes that are neither listed nor referenced.
    pub(super) fn sweep(&mut self) {
        let uses = &self.uses;
        let (processes, free, blank) = (&mut self.processes, &mut self.free, &self.blank);
        self.ids.retain(|_, id| {
            let place = id.0 as usize;
            if uses
                .get(place)
                .is_some_and(|reason| *reason != ProcessUse::Unused)
            {
                return true;
            }
            if let Some(slot) = processes.get_mut(place) {
                *slot = Arc::clone(blank);
                free.push(*id);
            }
            false
        });
        // The order of the map is random, and the same readings must give the
        // same numbers.
        self.free.sort_unstable_by(|left, right| right.cmp(left));
    }

    /// The process with a number.
    pub(super) fn get(&self, id: ProcessId) -> Option<&Arc<Process>> {
        self.processes.get(id.0 as usize)
    }

    /// Every process by its number, blank where a number is free.
    pub(super) fn processes(&self) -> &[Arc<Process>] {
        &self.processes
    }
}

/// The lasting numbers of one table's processes.
pub(super) struct ProcessIdMap(Vec<ProcessId>);

impl ProcessIdMap {
    /// Makes holders refer to lasting numbers. One that referred to nothing
    /// still does.
    pub(super) fn translate(&self, holders: &mut [Holder]) {
        for holder in holders {
            let place = holder.process.0 as usize;
            holder.process = self.0.get(place).copied().unwrap_or(ProcessId(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::process;
    use super::*;

    fn intern_pids(interner: &mut Interner, pids: &[u32]) -> Vec<u32> {
        let roll = interner.intern_table(pids.iter().map(|pid| process(*pid)).collect());
        roll.0.iter().map(|id| id.0).collect()
    }

    #[test]
    fn numbers_stay_whatever_the_order() {
        let mut interner = Interner::default();
        assert_eq!(intern_pids(&mut interner, &[7, 8, 9]), [0, 1, 2]);
        interner.sweep();
        assert_eq!(intern_pids(&mut interner, &[9, 10, 7]), [2, 3, 0]);
    }

    #[test]
    fn what_is_kept_survives_and_the_rest_is_forgotten() {
        let mut interner = Interner::default();
        intern_pids(&mut interner, &[7, 8, 9]);
        interner.sweep();
        intern_pids(&mut interner, &[9]);
        interner.mark_referenced(ProcessId(0));
        interner.sweep();
        assert!(interner.is_listed(&process(9)));
        assert!(!interner.is_listed(&process(7)));
        let pids: Vec<u32> = interner.processes().iter().map(|each| each.pid).collect();
        assert_eq!(pids, [7, 0, 9]);
        assert_eq!(intern_pids(&mut interner, &[20, 9, 21]), [1, 2, 3]);
    }

    #[test]
    fn memory_is_bounded_by_those_alive() {
        let mut interner = Interner::default();
        for first in (0..10_000).step_by(10) {
            let pids: Vec<u32> = (first..first + 10).collect();
            intern_pids(&mut interner, &pids);
            interner.sweep();
        }
        assert!(interner.processes().len() <= 20);
        assert_eq!(interner.ids.len(), 10);
    }

    #[test]
    fn a_pid_used_again_is_another_process() {
        let mut interner = Interner::default();
        let first = process(7);
        let second = Arc::new(Process {
            start_ticks: 11,
            ..Process::clone(&first)
        });
        let before = interner.intern_table(vec![first]).0;
        let after = interner.intern_table(vec![second]).0;
        assert_ne!(before, after);
    }

    #[test]
    fn a_holder_that_points_nowhere_names_nobody() {
        let mut interner = Interner::default();
        let roll = interner.intern_table(vec![process(7)]);
        let mut holders = [Holder {
            process: ProcessId(5),
            fd: 0,
        }];
        roll.translate(&mut holders);
        let named = interner.processes().get(holders[0].process.0 as usize);
        assert!(named.is_none());
    }
}
