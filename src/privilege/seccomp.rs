//! Drops the right to start programs, so that no library can run one from PATH
//! as root.
//!
//! A seccomp filter refuses execve(2) and execveat(2) with EPERM; every other
//! system call is allowed. It counts for the calling thread and those it
//! starts, and cannot be taken off again.

use std::sync::atomic::{AtomicBool, Ordering};

/// True if the filter is in force.
static EXEC_FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Forbids this thread, and those it will start, to execute a program. If
/// filters are unavailable (a kernel without them, a sandbox that forbids
/// seccomp(2), another architecture), the program continues without:
/// [`is_exec_forbidden`] reports it.
pub fn forbid_exec() {
    if install_filter().is_some() {
        EXEC_FORBIDDEN.store(true, Ordering::Relaxed);
    }
}

/// True if [`forbid_exec`] was called and the kernel enforces it.
#[must_use]
pub fn is_exec_forbidden() -> bool {
    EXEC_FORBIDDEN.load(Ordering::Relaxed)
}

/// Installs the filter; none if it can't be.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
))]
fn install_filter() -> Option<()> {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

    #[cfg(target_arch = "x86_64")]
    const ARCHITECTURE: TargetArch = TargetArch::x86_64;
    #[cfg(target_arch = "aarch64")]
    const ARCHITECTURE: TargetArch = TargetArch::aarch64;
    #[cfg(target_arch = "riscv64")]
    const ARCHITECTURE: TargetArch = TargetArch::riscv64;

    let refused = [libc::SYS_execve, libc::SYS_execveat];
    let filter = SeccompFilter::new(
        refused.into_iter().map(|call| (call, Vec::new())).collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        ARCHITECTURE,
    );
    let program = BpfProgram::try_from(filter.ok()?).ok()?;
    apply_filter(&program).ok()
}

/// The filters know no other architectures.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
fn install() -> Option<()> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::process::Command;
    use std::thread;

    /// A filter is a thread's own and its children's, so this one can be
    /// spoiled.
    #[test]
    fn no_program_is_started_any_more() {
        let run = || Command::new("true").status().map_err(|error| error.kind());
        let (before, after, below) = thread::spawn(move || {
            let before = run();
            forbid_exec();
            (before, run(), thread::spawn(run).join().unwrap())
        })
        .join()
        .unwrap();
        assert!(before.is_ok_and(|status| status.success()));
        // A sandbox around the tests may have no filters.
        if is_exec_forbidden() {
            assert_eq!(after, Err(ErrorKind::PermissionDenied));
            assert_eq!(below, Err(ErrorKind::PermissionDenied));
        } else {
            assert!(after.is_ok());
        }
    }
}
