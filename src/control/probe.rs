//! Probes the available actions without performing any.

use super::kin;
use crate::model::powers::Naming;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

/// Returns how reliably processes can be identified, probed with this process
/// itself. A kernel before Linux 5.3 has no pidfds, and a seccomp filter may
/// forbid them.
#[must_use]
pub fn naming() -> Naming {
    if !kin::proc_is_ours() {
        Naming::NotAtAll
    } else if pidfd_open(getpid(), PidfdFlags::empty()).is_ok() {
        Naming::Surely
    } else {
        Naming::ByNumber
    }
}
