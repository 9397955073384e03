//! Probes the available actions without performing any.

use super::process_tree;
use crate::model::privileges::ProcessHandleSupport;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

/// Returns how reliably processes can be identified, probed with this process
/// itself. A kernel before Linux 5.3 has no pidfds, and a seccomp filter may
/// forbid them.
#[must_use]
pub fn process_handle() -> ProcessHandleSupport {
    if !process_tree::is_proc_of_own_pid_namespace() {
        ProcessHandleSupport::Unavailable
    } else if pidfd_open(getpid(), PidfdFlags::empty()).is_ok() {
        ProcessHandleSupport::Pidfd
    } else {
        ProcessHandleSupport::PidOnly
    }
}
