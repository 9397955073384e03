//! Acts on processes and connections that the user has confirmed.
//!
//! `kill(pid)` can hit a process that has just been given a reused pid. So a
//! target is *armed* first: a pidfd is opened, which refers to one process for
//! good, and only then is it verified that this is the process of the table.
//! The signal is sent through that pidfd (pidfd_open(2), pidfd_send_signal(2))
//! or not at all. A connection is closed by its cookie, the kernel's own
//! identifier, which is never reused ([`destroy`]).

mod calls;
mod cautions;
pub mod destroy;
mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guards;
mod hold;
mod journal;
mod kin;
pub mod logged;
mod netlink;
pub mod pidfd;
pub mod probe;
mod tree;
pub mod within;

use crate::model::action::{ArmId, ArmedFacts, Outcome, Refusal, Target, TreeOutcome};
use crate::model::signal::Signal;
use std::time::Duration;

/// Actions on processes.
pub trait Control: Send {
    /// Opens a handle of a target and verifies it. Nothing is sent. A target
    /// that is armed again under its id keeps the same descriptor.
    ///
    /// # Errors
    ///
    /// The reason why this target can't or must not be signalled.
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal>;

    /// Verifies an armed target once more and sends the signal, without waiting
    /// for its effect.
    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome;

    /// Signals an armed target together with all its descendants.
    ///
    /// The tree is first frozen (`STOP`) from its root downwards, and scanned
    /// again until no further child appears: stopped processes fork none. Each
    /// process is held by a pidfd and verified to be a child of one that is
    /// held before anything is sent to it. Then the signal goes to the children
    /// before their parents, and finally they are continued, so that they can
    /// handle it (not after `STOP`; after `KILL` there is no need). If any of
    /// this fails, the frozen ones are continued, and nothing else is sent.
    fn signal_tree(&mut self, id: ArmId, signal: Signal) -> TreeOutcome;

    /// Waits with a timeout until an armed target has exited, with all of its
    /// tree if that was signalled.
    fn wait(&mut self, id: ArmId, patience: Duration) -> bool;

    /// Releases a target.
    fn disarm(&mut self, id: ArmId);
}

/// Control that refuses everything, for read-only use.
#[derive(Debug, Default)]
pub struct Refusing;

impl Control for Refusing {
    fn arm(&mut self, _: ArmId, _: &Target) -> Result<ArmedFacts, Refusal> {
        Err(Refusal::Disabled)
    }

    fn signal(&mut self, _: ArmId, _: Signal) -> Outcome {
        Outcome::Refused(Refusal::Disabled)
    }

    fn signal_tree(&mut self, _: ArmId, _: Signal) -> TreeOutcome {
        TreeOutcome::refused(Refusal::Disabled)
    }

    fn wait(&mut self, _: ArmId, _: Duration) -> bool {
        false
    }

    fn disarm(&mut self, _: ArmId) {}
}

#[cfg(test)]
mod tests;
