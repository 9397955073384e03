//! Privileges of this program, and dropping those it does not need.
//!
//! It often runs as root and reads texts that any user on the machine can
//! choose. So it keeps only the capabilities its plan uses, cannot gain new
//! ones, and leaves no core dump with other users' command lines in it. Outside
//! the lab, which starts copies of it, it cannot start a program either.
//!
//! Landlock is not among the means, and must not be: with any ruleset in force
//! the kernel hides every descriptor of other processes, root or not, and no
//! socket would have an owner.

pub mod seccomp;

use crate::model::privileges::{Capability, Hardening, Privileges};
use rustix::io;
use rustix::process::{
    DumpableBehavior, Gid, Uid, dumpable_behavior, geteuid, set_dumpable_behavior,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, no_new_privs, set_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::collections::BTreeSet;
use std::fs;

/// Drops all capabilities but these, as far as they are held.
///
/// Capabilities belong to a thread and are inherited by those it starts: this
/// covers the whole program only while it has a single thread. No failure here
/// can be fixed by the user (a seccomp filter may forbid it); [`current_privileges`]
/// reports the result.
pub fn retain_only(wanted: &[Capability]) {
    let _ = retain_capabilities(wanted);
    let _ = set_no_new_privs(true);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Runs an operation with no more rights than those of the user who started the
/// program: a file that was named must be one that this user could read. Root
/// can read everything anyway.
pub fn with_invoker_rights<T>(deed: impl FnOnce() -> T) -> T {
    if is_root() {
        return deed();
    }
    without_capabilities(deed)
}

/// Runs an operation with the rights of this user only, root or not: file modes
/// then decide which files can be written, and which exist.
pub fn without_capabilities<T>(deed: impl FnOnce() -> T) -> T {
    let Ok(held) = capabilities(None) else {
        return deed();
    };
    let lowered = CapabilitySets {
        effective: CapabilitySet::empty(),
        ..held
    };
    let _ = set_capabilities(None, lowered);
    let done = deed();
    let _ = set_capabilities(None, held);
    done
}

/// Makes the calling thread one of an ordinary user permanently: with this
/// group, no other, and no capability.
///
/// # Errors
///
/// If this thread may not (`CAP_SETUID` and `CAP_SETGID`), or the user namespace
/// knows no such user.
pub fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    set_thread_groups(&[gid])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    // The kernel drops all of them with the last id that was 0
    // (capabilities(7)), unless it was configured otherwise.
    set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        },
    )?;
    set_no_new_privs(true)?;
    // A property of the whole program, which the kernel has just reset.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

fn retain_capabilities(wanted: &[Capability]) -> io::Result<()> {
    let wanted = wanted.iter().fold(CapabilitySet::empty(), |all, one| {
        all | capability_bit(*one)
    });
    let held = capabilities(None)?;
    let kept = held.permitted & wanted;
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            // Nothing is ever executed that could inherit them.
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// True if this program runs as root.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Returns the current privileges of this thread, which the threads it starts
/// inherit.
#[must_use]
pub fn current_privileges() -> Privileges {
    let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let known = Capability::ALL
        .into_iter()
        .chain([Capability::NetRaw])
        .fold(CapabilitySet::empty(), |all, one| all | capability_bit(one));
    let capabilities: BTreeSet<Capability> = Capability::ALL
        .into_iter()
        .filter(|one| held.contains(capability_bit(*one)))
        .collect();
    Privileges {
        uid: geteuid().as_raw(),
        capabilities,
        is_machine_wide: fs::read_to_string("/proc/self/uid_map")
            .is_ok_and(|map| is_whole_machine(&map)),
        hardening: Hardening {
            least_capabilities: known.contains(held),
            no_new_privileges: no_new_privs().unwrap_or(false),
            no_core_dumps: dumpable_behavior() == Ok(DumpableBehavior::NotDumpable),
            no_execution: seccomp::is_exec_forbidden(),
        },
    }
}

fn capability_bit(capability: Capability) -> CapabilitySet {
    match capability {
        Capability::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
        Capability::SysPtrace => CapabilitySet::SYS_PTRACE,
        Capability::Kill => CapabilitySet::KILL,
        Capability::NetAdmin => CapabilitySet::NET_ADMIN,
        Capability::SysAdmin => CapabilitySet::SYS_ADMIN,
        Capability::NetRaw => CapabilitySet::NET_RAW,
    }
}

/// The initial user namespace maps every user to itself (user_namespaces(7)).
/// Another one could do so only with the whole machine's privileges.
fn is_whole_machine(uid_map: &str) -> bool {
    let mut numbers = uid_map.split_whitespace();
    numbers.by_ref().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_user_namespace_is_told_from_the_whole_machine() {
        assert!(is_whole_machine("         0          0 4294967295\n"));
        assert!(!is_whole_machine("         0       1000          1\n"));
        assert!(!is_whole_machine("0 0 1\n1 100000 65536\n"));
        assert!(!is_whole_machine(""));
    }

    /// Capabilities and no-new-privileges are a thread's own, so this one can
    /// be spoiled.
    #[test]
    fn only_what_is_wanted_and_was_held_is_kept() {
        let (before, after) = thread::spawn(|| {
            let before = current_privileges();
            retain_only(&[Capability::Kill, Capability::SysPtrace]);
            // A second time brings nothing back.
            retain_only(&Capability::ALL);
            (before, current_privileges())
        })
        .join()
        .unwrap();
        let wanted = BTreeSet::from([Capability::Kill, Capability::SysPtrace]);
        let expected: BTreeSet<_> = before.capabilities.intersection(&wanted).copied().collect();
        assert_eq!(after.capabilities, expected);
        let all = Hardening {
            least_capabilities: true,
            no_new_privileges: true,
            no_core_dumps: true,
            // Another module's, and another test's.
            no_execution: after.hardening.no_execution,
        };
        assert_eq!(after.hardening, all);
        assert_eq!(after.uid, before.uid);
    }
}
