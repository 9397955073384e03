//! Restricts a control to the processes of this network namespace: the lab,
//! whose table can show the rest of the machine, too, acts only on its own
//! processes.

use super::ProcessControl;
use super::process_tree::process_dir;
use crate::model::action::{
    ProcessState, ProcessTarget, SignalOutcome, SignalRefusal, TargetFacts, TargetId, TreeOutcome,
};
use crate::model::signal::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Refuses every process of another network namespace.
pub struct NetnsGuard<C> {
    inner: C,
    /// This program's namespace, by its inode; none refuses all.
    own: Option<u64>,
}

impl<C: ProcessControl> NetnsGuard<C> {
    /// Wraps a control.
    #[must_use]
    pub fn new(inner: C) -> Self {
        let own = netns_inode(std::process::id());
        Self { inner, own }
    }
}

fn netns_inode(pid: u32) -> Option<u64> {
    // The link leads to the namespace itself, whose inode is its number.
    let about = fs::metadata(process_dir(pid).join("ns/net")).ok()?;
    Some(about.ino())
}

impl<C: ProcessControl> ProcessControl for NetnsGuard<C> {
    fn acquire(
        &mut self,
        id: TargetId,
        target: &ProcessTarget,
    ) -> Result<TargetFacts, SignalRefusal> {
        let facts = self.inner.acquire(id, target)?;
        // Checked once it is held: before, the pid could be reused.
        let within = self.own.is_some() && netns_inode(target.pid) == self.own;
        // An exited process is in no namespace, and is reported as exited.
        if within
            || matches!(
                facts.state,
                ProcessState::Zombie | ProcessState::OrphanedTree
            )
        {
            return Ok(facts);
        }
        // The caller releases it, unless its exit is still waited for.
        Err(SignalRefusal::OutsideLab)
    }

    fn signal(&mut self, id: TargetId, signal: Signal) -> SignalOutcome {
        self.inner.signal(id, signal)
    }

    fn signal_tree(&mut self, id: TargetId, signal: Signal) -> TreeOutcome {
        self.inner.signal_tree(id, signal)
    }

    fn wait_for_exit(&mut self, id: TargetId, timeout: Duration) -> bool {
        self.inner.wait_for_exit(id, timeout)
    }

    fn release(&mut self, id: TargetId) {
        self.inner.release(id);
    }
}
