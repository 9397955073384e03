//! Restricts a control to the processes of this network namespace: the lab,
//! whose table can show the rest of the machine, too, acts only on its own
//! processes.

use super::Control;
use super::kin::folder;
use crate::model::action::{ArmId, ArmedFacts, Life, Outcome, Refusal, Target, TreeOutcome};
use crate::model::signal::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// Refuses every process of another network namespace.
pub struct Within<C> {
    inner: C,
    /// This program's namespace, by its inode; none refuses all.
    own: Option<u64>,
}

impl<C: Control> Within<C> {
    /// Wraps a control.
    #[must_use]
    pub fn around(inner: C) -> Self {
        let own = namespace(std::process::id());
        Self { inner, own }
    }
}

fn namespace(pid: u32) -> Option<u64> {
    // The link leads to the namespace itself, whose inode is its number.
    let about = fs::metadata(folder(pid).join("ns/net")).ok()?;
    Some(about.ino())
}

impl<C: Control> Control for Within<C> {
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
        let facts = self.inner.arm(id, target)?;
        // Checked once it is held: before, the pid could be reused.
        let within = self.own.is_some() && namespace(target.pid) == self.own;
        // An exited process is in no namespace, and is reported as exited.
        if within || matches!(facts.life, Life::Zombie | Life::Remains) {
            return Ok(facts);
        }
        // The caller releases it, unless its exit is still waited for.
        Err(Refusal::OutsideLab)
    }

    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome {
        self.inner.signal(id, signal)
    }

    fn signal_tree(&mut self, id: ArmId, signal: Signal) -> TreeOutcome {
        self.inner.signal_tree(id, signal)
    }

    fn wait(&mut self, id: ArmId, patience: Duration) -> bool {
        self.inner.wait(id, patience)
    }

    fn disarm(&mut self, id: ArmId) {
        self.inner.disarm(id);
    }
}
