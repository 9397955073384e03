//! A process with all its descendants, frozen so that none is forked meanwhile,
//! and signalled from the leaves to the root.

use super::handle::ProcessHandle;
use super::process_tree::{self, ProcessTree};
use super::syscalls::Syscalls;
use crate::model::action::{MAX_TREE_PROCESSES, SignalRefusal};
use crate::model::signal::Signal;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for a tree to stop. The end of the program waits longer for an
/// action in progress, so that no process is left frozen.
const STOP_TIMEOUT: Duration = Duration::from_millis(1500);
/// Poll interval while it stops.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// A process of the tree.
#[derive(Debug)]
pub(super) struct TreeMember {
    pub(super) pid: u32,
    pub(super) handle: ProcessHandle,
    /// True if it was already stopped before.
    was_stopped: bool,
}

impl TreeMember {
    pub(super) fn new(pid: u32, handle: ProcessHandle) -> Self {
        Self {
            pid,
            handle,
            was_stopped: false,
        }
    }

    fn has_exited(&self) -> bool {
        self.handle.wait_for_exit(Duration::ZERO)
    }
}

/// A stopped tree. Processes that are dropped without having been signalled are
/// continued.
pub(super) struct StoppedTree<'a> {
    syscalls: &'a dyn Syscalls,
    /// Parents before their children.
    members: Vec<TreeMember>,
    /// Number of processes that were sent STOP.
    stop_count: usize,
    /// Deadline for all to be stopped.
    deadline: Instant,
}

impl<'a> StoppedTree<'a> {
    /// Freezes these processes and all their descendants.
    pub(super) fn stop(
        calls: &'a dyn Syscalls,
        members: Vec<TreeMember>,
    ) -> Result<Self, SignalRefusal> {
        let own = std::process::id();
        let mut spared = BTreeSet::from([own]);
        spared.extend(process_tree::ancestors(own));
        if members.iter().any(|member| spared.contains(&member.pid)) {
            return Err(SignalRefusal::OwnTree);
        }
        let mut frozen = Self {
            syscalls: calls,
            members,
            stop_count: 0,
            deadline: Instant::now() + STOP_TIMEOUT,
        };
        loop {
            frozen.stop_new_members()?;
            let count = frozen.members.len();
            frozen.add_children(&spared)?;
            if frozen.members.len() == count {
                return Ok(frozen);
            }
        }
    }

    /// Sends STOP to those that were not sent it yet, and waits until they have
    /// stopped.
    fn stop_new_members(&mut self) -> Result<(), SignalRefusal> {
        let newcomers = self.stop_count;
        for member in &mut self.members[newcomers..] {
            self.stop_count += 1;
            member.was_stopped =
                process_tree::read_stat(member.pid).is_some_and(|stat| stat.is_stopped());
            match member.handle.signal(self.syscalls, Signal::Stop) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(_) => return Err(SignalRefusal::TreeIncomplete(member.pid)),
            }
        }
        self.members[newcomers..]
            .iter()
            .try_for_each(|member| wait_until_stopped(member, self.deadline))
    }

    /// Opens handles of the children that are not held yet.
    fn add_children(&mut self, spared: &BTreeSet<u32>) -> Result<(), SignalRefusal> {
        let pids: BTreeSet<u32> = self.members.iter().map(|member| member.pid).collect();
        let census = ProcessTree::read();
        let stat_with_parent = census.children(&pids);
        let newcomers: Vec<u32> = stat_with_parent
            .map(|(pid, _)| pid)
            .filter(|pid| !pids.contains(pid))
            .collect();
        for pid in newcomers {
            if spared.contains(&pid) || pid == 1 {
                return Err(SignalRefusal::OwnTree);
            }
            if self.members.len() >= MAX_TREE_PROCESSES {
                return Err(SignalRefusal::TooMany(self.members.len() + 1));
            }
            let hold = match ProcessHandle::open(self.syscalls, pid) {
                Ok(hold) => hold,
                Err(SignalRefusal::Gone) => continue,
                Err(_) => return Err(SignalRefusal::TreeIncomplete(pid)),
            };
            let member = TreeMember::new(pid, hold);
            if self.is_child(&member) {
                self.members.push(member);
            }
        }
        Ok(())
    }

    /// Returns true if a process is the child of one that is held. It is held
    /// before it is read, and it and its parent are alive afterwards: so their
    /// pids were their own when they were read.
    fn is_child(&self, child: &TreeMember) -> bool {
        let Some(stat) = process_tree::read_stat(child.pid) else {
            return false;
        };
        let parent = self.members.iter().find(|held| held.pid == stat.parent_pid);
        parent.is_some_and(|parent| !parent.has_exited()) && !child.has_exited()
    }

    /// Sends a signal to all of them, and returns those that received it.
    pub(super) fn signal(mut self, signal: Signal) -> Result<Vec<TreeMember>, SignalRefusal> {
        if signal != Signal::Stop {
            for member in self.members.iter().rev() {
                match member.handle.signal(self.syscalls, signal) {
                    Ok(()) | Err(Errno::SRCH) => {}
                    // It was sent STOP, so this can hardly be.
                    Err(_) => return Err(SignalRefusal::TreeIncomplete(member.pid)),
                }
            }
        }
        match signal {
            Signal::Stop | Signal::Kill | Signal::Cont => {}
            // A process that was stopped before continues only for a signal
            // that ends it.
            other => self.resume(other.is_terminating()),
        }
        self.stop_count = 0;
        Ok(std::mem::take(&mut self.members))
    }

    /// Continues those that were sent STOP, children first.
    fn resume(&self, all: bool) {
        for member in self.members[..self.stop_count].iter().rev() {
            if all || !member.was_stopped {
                // An error means that it has exited meanwhile.
                let _ = member.handle.signal(self.syscalls, Signal::Cont);
            }
        }
    }
}

impl Drop for StoppedTree<'_> {
    fn drop(&mut self) {
        self.resume(false);
    }
}

/// STOP takes effect when each thread comes out of the kernel; until then it
/// may still start a child. One that waits in the kernel starts none.
fn wait_until_stopped(member: &TreeMember, deadline: Instant) -> Result<(), SignalRefusal> {
    loop {
        let states = process_tree::thread_states(member.pid);
        let still = |state: &char| matches!(state, 'T' | 't' | 'Z' | 'X');
        if states.iter().all(still) || member.has_exited() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let waits = |state: &char| still(state) || *state == 'D';
            let stuck = states.iter().all(waits);
            return if stuck {
                Ok(())
            } else {
                Err(SignalRefusal::TreeIncomplete(member.pid))
            };
        }
        thread::sleep(POLL_INTERVAL);
    }
}
