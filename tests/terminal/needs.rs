//! What a test needs of the machine, and what becomes of it where that is not there.

use libtest_mimic::{Completion, Failed};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What a test needs besides a terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    Nothing,
    /// A private network namespace for the lab.
    LabContext,
    /// The kernel's trace, mounted where it can be looked at.
    Trace,
    /// A kernel with filters of system calls.
    Seccomp,
    /// strace, at its usual place.
    Strace,
}

/// What watches system calls.
pub(crate) const STRACE: &str = "/usr/bin/strace";

/// Why a test cannot run here.
#[derive(Clone, Debug)]
pub(crate) struct Lack {
    /// What is said of it.
    reason: String,
    /// Set to 1 where that is a failure.
    required_by: &'static str,
}

impl Need {
    /// # Errors
    ///
    /// What is missing.
    pub(crate) fn is_met(self, program: &str) -> Result<(), Lack> {
        match self {
            Self::Nothing => Ok(()),
            Self::LabContext => lab(program).map_err(|reason| Lack {
                reason,
                required_by: "TCPLENS_REQUIRE_NAMESPACES",
            }),
            Self::Trace => trace().map_err(|reason| Lack {
                reason,
                required_by: "TCPLENS_REQUIRE_EVENTS",
            }),
            Self::Seccomp => seccomp().map_err(|reason| Lack {
                reason,
                required_by: "TCPLENS_REQUIRE_SECCOMP",
            }),
            Self::Strace => strace().map_err(|reason| Lack {
                reason,
                required_by: "TCPLENS_REQUIRE_STRACE",
            }),
        }
    }
}

impl Lack {
    /// Ignores the test, or fails it where it must run.
    pub(crate) fn complete(self) -> Result<Completion, Failed> {
        if std::env::var_os(self.required_by).is_some_and(|required| required == "1") {
            return Err(format!("{} is set, but {}", self.required_by, self.reason).into());
        }
        Ok(Completion::ignored_with(self.reason))
    }
}

/// Tried once for all tests.
fn lab(program: &str) -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    let tried = TRIED.get_or_init(|| {
        let tried = Command::new(program)
            .args(["lab", "--everything", "--json"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| error.to_string())?;
        if tried.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&tried.stderr);
        Err(said.trim().to_owned())
    });
    tried.clone()
}

fn trace() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root may trace".to_owned());
    }
    match fs::metadata("/sys/kernel/tracing/instances") {
        Ok(_) => Ok(()),
        Err(_) => Err("tracefs is not mounted on /sys/kernel/tracing".to_owned()),
    }
}

fn seccomp() -> Result<(), String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if status.contains("\nSeccomp:") {
        Ok(())
    } else {
        Err("this kernel has no seccomp".to_owned())
    }
}

fn strace() -> Result<(), String> {
    match fs::metadata(STRACE) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{STRACE}: {error}")),
    }
}
