//! A process that owns sockets.

use super::text::Text;
use std::sync::Arc;

/// What is known of a process. Kept once per process and shared.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Process {
    /// Thread-group leader's id.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`).
    /// With the pid it tells one process from a later one of the same number,
    /// to the tick.
    pub start_ticks: u64,
    /// Start time in milliseconds since 1970, where boot time is known.
    pub started_ms: Option<u64>,
    /// `/proc/PID/comm` of the leader: at most 15 bytes, chosen by the process.
    pub name: Text,
    /// The program file, as `/proc/PID/exe` names it; none if not permitted,
    /// or for a kernel thread.
    pub exe: Option<Program>,
    /// Its working directory; none if not permitted, or for a kernel thread.
    pub directory: Option<Text>,
    /// The path of its control group; none if not permitted.
    pub control_group: Option<Text>,
    /// The command line; empty for kernel threads and if not permitted.
    pub command: Vec<Text>,
    /// Real user id.
    pub uid: Option<u32>,
    /// The container or unit it runs in, by its control group; none in the root
    /// group.
    pub unit: Option<Text>,
    /// Ancestors by pid and name, the parent first; at most eight.
    pub parents: Vec<(u32, Text)>,
    /// Whether the kernel runs it (flag `PF_KTHREAD`).
    pub kernel_thread: bool,
    /// How many files it has open; none before Linux 6.2, or if not permitted.
    /// A few tables old at times.
    pub descriptors: Option<Descriptors>,
    /// Why its main thread does not run, where that is a reason of its own.
    pub run_state: RunState,
}

impl Process {
    /// True if it has as many files open as it may.
    #[must_use]
    pub fn is_out_of_descriptors(&self) -> bool {
        self.descriptors
            .is_some_and(|files| files.open >= files.most)
    }
}

/// The processes that accept at a listener, of those that hold it: where one is
/// an ancestor of another (a pre-fork server, a service that was passed its
/// socket) it holds the socket for the other.
#[must_use]
pub fn acceptors<'a>(holders: &[&'a Arc<Process>]) -> Vec<&'a Arc<Process>> {
    let is_ancestor = |process: &Process| {
        let parents = holders.iter().flat_map(|other| &other.parents);
        parents.into_iter().any(|(pid, _)| *pid == process.pid)
    };
    let accepting = holders.iter().filter(|process| !is_ancestor(process));
    accepting.copied().collect()
}

/// State of a process's main thread, as far as it keeps the process from
/// working (`state` of `/proc/PID/stat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RunState {
    /// It runs, sleeps, or its state is not known.
    #[default]
    Usual,
    /// Stopped by a signal (`T`) until SIGCONT.
    Stopped,
    /// Stopped by a tracer (`t`), such as a debugger.
    Traced,
    /// In uninterruptible sleep (`D`): it waits in the kernel, mostly for a disk.
    Uninterruptible,
}

impl RunState {
    /// The state behind its letter.
    #[must_use]
    pub fn of(letter: char) -> Self {
        match letter {
            'T' => Self::Stopped,
            't' => Self::Traced,
            'D' => Self::Uninterruptible,
            _ => Self::Usual,
        }
    }

    /// The key in reports and assets; none for the usual one.
    #[must_use]
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Usual => None,
            Self::Stopped => Some("stopped"),
            Self::Traced => Some("traced"),
            Self::Uninterruptible => Some("uninterruptible"),
        }
    }

    /// True if it does nothing until it is continued.
    #[must_use]
    pub fn is_stopped(self) -> bool {
        matches!(self, Self::Stopped | Self::Traced)
    }
}

/// A process's open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// How many are open.
    pub open: u32,
    /// How many may be (`RLIMIT_NOFILE`, the soft limit).
    pub most: u32,
}

/// A program file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Path, without the kernel's " (deleted)" mark.
    pub path: Text,
    /// Whether the file has been removed or replaced since it was started.
    pub deleted: bool,
}

impl Program {
    /// The path with the kernel's own mark for a removed file.
    #[must_use]
    pub fn marked(&self) -> Text {
        if self.deleted {
            let mut raw = self.path.raw().to_vec();
            raw.extend_from_slice(b" (deleted)");
            Text::new(&raw)
        } else {
            self.path.clone()
        }
    }
}
