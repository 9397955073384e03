//! A process with all its descendants, frozen so that none is forked meanwhile,
//! and signalled from the leaves to the root.

use super::calls::Calls;
use super::hold::Hold;
use super::kin::{self, Census};
use crate::model::action::{LARGEST_TREE, Refusal};
use crate::model::signal::Signal;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for a tree to stop. The end of the program waits longer for an
/// action in progress, so that no process is left frozen.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Poll interval while it stops.
const GLANCE: Duration = Duration::from_millis(1);

/// A process of the tree.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) pid: u32,
    pub(super) hold: Hold,
    /// True if it was already stopped before.
    stood: bool,
}

impl Member {
    pub(super) fn new(pid: u32, hold: Hold) -> Self {
        Self {
            pid,
            hold,
            stood: false,
        }
    }

    fn ended(&self) -> bool {
        self.hold.ended(Duration::ZERO)
    }
}

/// A stopped tree. Processes that are dropped without having been signalled are
/// continued.
pub(super) struct Frozen<'a> {
    calls: &'a dyn Calls,
    /// Parents before their children.
    members: Vec<Member>,
    /// Number of processes that were sent STOP.
    stopped: usize,
    /// Deadline for all to be stopped.
    deadline: Instant,
}

impl<'a> Frozen<'a> {
    /// Freezes these processes and all their descendants.
    pub(super) fn from(calls: &'a dyn Calls, members: Vec<Member>) -> Result<Self, Refusal> {
        let own = std::process::id();
        let mut spared = BTreeSet::from([own]);
        spared.extend(kin::ancestors(own));
        if members.iter().any(|member| spared.contains(&member.pid)) {
            return Err(Refusal::OwnTree);
        }
        let mut frozen = Self {
            calls,
            members,
            stopped: 0,
            deadline: Instant::now() + PATIENCE,
        };
        loop {
            frozen.stop_newcomers()?;
            let count = frozen.members.len();
            frozen.find_children(&spared)?;
            if frozen.members.len() == count {
                return Ok(frozen);
            }
        }
    }

    /// Sends STOP to those that were not sent it yet, and waits until they have
    /// stopped.
    fn stop_newcomers(&mut self) -> Result<(), Refusal> {
        let newcomers = self.stopped;
        for member in &mut self.members[newcomers..] {
            self.stopped += 1;
            member.stood = kin::stat(member.pid).is_some_and(|stat| stat.is_stopped());
            match member.hold.send(self.calls, Signal::Stop) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(_) => return Err(Refusal::TreeIncomplete(member.pid)),
            }
        }
        self.members[newcomers..]
            .iter()
            .try_for_each(|member| wait_until_still(member, self.deadline))
    }

    /// Opens handles of the children that are not held yet.
    fn find_children(&mut self, spared: &BTreeSet<u32>) -> Result<(), Refusal> {
        let pids: BTreeSet<u32> = self.members.iter().map(|member| member.pid).collect();
        let census = Census::take();
        let born = census.children(&pids);
        let newcomers: Vec<u32> = born
            .map(|(pid, _)| pid)
            .filter(|pid| !pids.contains(pid))
            .collect();
        for pid in newcomers {
            if spared.contains(&pid) || pid == 1 {
                return Err(Refusal::OwnTree);
            }
            if self.members.len() >= LARGEST_TREE {
                return Err(Refusal::TooMany(self.members.len() + 1));
            }
            let hold = match Hold::open(self.calls, pid) {
                Ok(hold) => hold,
                Err(Refusal::Gone) => continue,
                Err(_) => return Err(Refusal::TreeIncomplete(pid)),
            };
            let member = Member::new(pid, hold);
            if self.is_child(&member) {
                self.members.push(member);
            }
        }
        Ok(())
    }

    /// Returns true if a process is the child of one that is held. It is held
    /// before it is read, and it and its parent are alive afterwards: so their
    /// pids were their own when they were read.
    fn is_child(&self, child: &Member) -> bool {
        let Some(stat) = kin::stat(child.pid) else {
            return false;
        };
        let parent = self.members.iter().find(|held| held.pid == stat.parent);
        parent.is_some_and(|parent| !parent.ended()) && !child.ended()
    }

    /// Sends a signal to all of them, and returns those that received it.
    pub(super) fn signal(mut self, signal: Signal) -> Result<Vec<Member>, Refusal> {
        if signal != Signal::Stop {
            for member in self.members.iter().rev() {
                match member.hold.send(self.calls, signal) {
                    Ok(()) | Err(Errno::SRCH) => {}
                    // It was sent STOP, so this can hardly be.
                    Err(_) => return Err(Refusal::TreeIncomplete(member.pid)),
                }
            }
        }
        match signal {
            Signal::Stop | Signal::Kill | Signal::Cont => {}
            // A process that was stopped before continues only for a signal
            // that ends it.
            other => self.proceed(other.ends()),
        }
        self.stopped = 0;
        Ok(std::mem::take(&mut self.members))
    }

    /// Continues those that were sent STOP, children first.
    fn proceed(&self, all: bool) {
        for member in self.members[..self.stopped].iter().rev() {
            if all || !member.stood {
                // An error means that it has exited meanwhile.
                let _ = member.hold.send(self.calls, Signal::Cont);
            }
        }
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.proceed(false);
    }
}

/// STOP takes effect when each thread comes out of the kernel; until then it
/// may still start a child. One that waits in the kernel starts none.
fn wait_until_still(member: &Member, deadline: Instant) -> Result<(), Refusal> {
    loop {
        let states = kin::thread_states(member.pid);
        let still = |state: &char| matches!(state, 'T' | 't' | 'Z' | 'X');
        if states.iter().all(still) || member.ended() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let waits = |state: &char| still(state) || *state == 'D';
            let stuck = states.iter().all(waits);
            return if stuck {
                Ok(())
            } else {
                Err(Refusal::TreeIncomplete(member.pid))
            };
        }
        thread::sleep(GLANCE);
    }
}
