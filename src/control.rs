//! Acts on processes and connections that the user has confirmed.
//!
//! `kill(pid)` can hit a process that has just been given a reused pid. So a
//! target is *armed* first: a pidfd is opened, which refers to one process for
//! good, and only then is it verified that this is the process of the table.
//! The signal is sent through that pidfd (pidfd_open(2), pidfd_send_signal(2))
//! or not at all. A connection is closed by its cookie, the kernel's own
//! identifier, which is never reused ([`sock_destroy`]).

pub mod audited;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guards;
mod handle;
mod netlink;
pub mod netns_guard;
pub mod pidfd;
pub mod probe;
mod process_facts;
mod process_tree;
mod risks;
pub mod sock_destroy;
mod stopped_tree;
mod syscalls;
mod syslog;

use crate::model::action::{
    ProcessTarget, SignalOutcome, SignalRefusal, TargetFacts, TargetId, TreeOutcome,
};
use crate::model::signal::Signal;
use std::time::Duration;

/// Actions on processes.
pub trait ProcessControl: Send {
    /// Opens a handle of a target and verifies it. Nothing is sent. A target
    /// that is armed again under its id keeps the same descriptor.
    ///
    /// # Errors
    ///
    /// The reason why this target can't or must not be signalled.
    fn acquire(
        &mut self,
        id: TargetId,
        target: &ProcessTarget,
    ) -> Result<TargetFacts, SignalRefusal>;

    /// Verifies an armed target once more and sends the signal, without waiting
    /// for its effect.
    fn signal(&mut self, id: TargetId, signal: Signal) -> SignalOutcome;

    /// Signals an armed target together with all its descendants.
    ///
    /// The tree is first frozen (`STOP`) from its root downwards, and scanned
    /// again until no further child appears: stopped processes fork none. Each
    /// process is held by a pidfd and verified to be a child of one that is
    /// held before anything is sent to it. Then the signal goes to the children
    /// before their parents, and finally they are continued, so that they can
    /// handle it (not after `STOP`; after `KILL` there is no need). If any of
    /// this fails, the frozen ones are continued, and nothing else is sent.
    fn signal_tree(&mut self, id: TargetId, signal: Signal) -> TreeOutcome;

    /// Waits with a timeout until an armed target has exited, with all of its
    /// tree if that was signalled.
    fn wait_for_exit(&mut self, id: TargetId, timeout: Duration) -> bool;

    /// Releases a target.
    fn release(&mut self, id: TargetId);
}

/// Control that refuses everything, for read-only use.
#[derive(Debug, Default)]
pub struct ReadOnlyControl;

impl ProcessControl for ReadOnlyControl {
    fn acquire(&mut self, _: TargetId, _: &ProcessTarget) -> Result<TargetFacts, SignalRefusal> {
        Err(SignalRefusal::Disabled)
    }

    fn signal(&mut self, _: TargetId, _: Signal) -> SignalOutcome {
        SignalOutcome::Refused(SignalRefusal::Disabled)
    }

    fn signal_tree(&mut self, _: TargetId, _: Signal) -> TreeOutcome {
        TreeOutcome::refused(SignalRefusal::Disabled)
    }

    fn wait_for_exit(&mut self, _: TargetId, _: Duration) -> bool {
        false
    }

    fn release(&mut self, _: TargetId) {}
}

#[cfg(test)]
mod tests;
