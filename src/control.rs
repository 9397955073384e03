//! Acts on processes and connections, and only on those a person confirmed.
//!
//! `kill(pid)` can hit a process that was given the number a moment ago. Here
//! a target is *armed* first: a pidfd is opened, which names one process for
//! good, and only then is it checked that this is the process the table
//! showed. The signal goes through that pidfd (pidfd_open(2),
//! pidfd_send_signal(2)) or not at all. A connection is closed by the kernel's
//! own name for it, its cookie, which is never given twice ([`destroy`]).

pub mod destroy;
mod facts;
mod guards;
mod journal;
pub mod lineage;
pub mod logged;
mod netlink;
pub mod pidfd;
pub mod probe;

use crate::model::action::{ArmId, ArmedFacts, Outcome, Refusal, Target};
use crate::model::signal::Signal;
use std::time::Duration;

/// What can be done to processes.
pub trait Control: Send {
    /// Takes hold of a target and verifies it. Nothing is sent.
    ///
    /// # Errors
    ///
    /// The reason why this target can't or must not be signalled.
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal>;

    /// Verifies an armed target once more and sends the signal.
    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome;

    /// Waits until an armed target has ended, at most `patience`.
    fn wait(&mut self, id: ArmId, patience: Duration) -> bool;

    /// Lets go of a target.
    fn disarm(&mut self, id: ArmId);
}

/// A control that refuses everything: where a person wants only to look.
#[derive(Debug, Default)]
pub struct Refusing;

impl Control for Refusing {
    fn arm(&mut self, _: ArmId, _: &Target) -> Result<ArmedFacts, Refusal> {
        Err(Refusal::Disabled)
    }

    fn signal(&mut self, _: ArmId, _: Signal) -> Outcome {
        Outcome::Refused(Refusal::Disabled)
    }

    fn wait(&mut self, _: ArmId, _: Duration) -> bool {
        false
    }

    fn disarm(&mut self, _: ArmId) {}
}
