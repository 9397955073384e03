//! Finds out what could be done here, without doing it to anybody.

use super::kin;
use crate::model::powers::Naming;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

/// How surely processes can be named: asked for this process itself. A kernel
/// before Linux 5.3 has no pidfds, and a seccomp filter may withhold them.
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
