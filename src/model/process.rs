//! A process that owns sockets.

use super::text::Text;
use super::unit::Unit;
use std::sync::Arc;

/// Facts about a process. Kept once per process and shared.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Process {
    /// Thread-group leader's id.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`). With
    /// the pid it distinguishes a process from a later one of the same number, to
    /// the tick.
    pub start_ticks: u64,
    /// Start time in milliseconds since 1970, if boot time is known.
    pub started_ms: Option<u64>,
    /// `/proc/PID/comm` of the leader: at most 15 bytes, chosen by the process.
    pub name: Text,
    /// The program file, as `/proc/PID/exe` names it; none if not permitted,
    /// or for a kernel thread.
    pub exe: Option<Program>,
    /// Its working directory; none if not permitted, or for a kernel thread.
    pub working_directory: Option<Text>,
    /// The path of its control group; none if not permitted.
    pub cgroup: Option<Text>,
    /// The command line; empty for kernel threads and if not permitted.
    pub command_line: Vec<Text>,
    /// Real user id.
    pub uid: Option<u32>,
    /// The container or unit it runs in, by its control group; none in the root
    /// group.
    pub unit: Option<Unit>,
    /// Ancestors by pid and name, the parent first; at most eight.
    pub ancestors: Vec<(u32, Text)>,
    /// True for a kernel thread (flag `PF_KTHREAD`).
    pub kernel_thread: bool,
    /// Number of open files; none before Linux 6.2, or if not permitted.
    /// Sometimes a few tables old.
    pub open_files: Option<OpenFiles>,
    /// Reason why its main thread does not run, if there is a special one.
    pub run_state: RunState,
}

impl Process {
    /// True if it has as many files open as it may.
    #[must_use]
    pub fn is_at_open_files_limit(&self) -> bool {
        self.open_files
            .is_some_and(|files| files.open >= files.limit)
    }
}

/// Returns the processes that accept at a listener, of those that hold it: if one
/// is an ancestor of another (a pre-fork server, a service that was passed its
/// socket) it holds the socket for the other.
#[must_use]
pub fn acceptors<'a>(holders: &[&'a Arc<Process>]) -> Vec<&'a Arc<Process>> {
    let is_ancestor = |process: &Process| {
        let parents = holders.iter().flat_map(|other| &other.ancestors);
        parents.into_iter().any(|(pid, _)| *pid == process.pid)
    };
    let accepting = holders.iter().filter(|process| !is_ancestor(process));
    accepting.copied().collect()
}

/// State of a process's main thread, if it keeps the process from working
/// (`state` of `/proc/PID/stat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RunState {
    /// It runs, sleeps, or its state is not known.
    #[default]
    Normal,
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
    pub fn from_letter(letter: char) -> Self {
        match letter {
            'T' => Self::Stopped,
            't' => Self::Traced,
            'D' => Self::Uninterruptible,
            _ => Self::Normal,
        }
    }

    /// The key in reports and assets; none for the usual one.
    #[must_use]
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::Normal => None,
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
pub struct OpenFiles {
    /// Number of open files.
    pub open: u32,
    /// Maximum number of open files (`RLIMIT_NOFILE`, the soft limit).
    pub limit: u32,
}

/// A program file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Path, without the kernel's " (deleted)" mark.
    pub path: Text,
    /// The file behind the path.
    pub file: ProgramFile,
}

/// The file that a process runs, compared with the file of that path in the mount
/// namespace of this program.
///
/// Every user may create a user namespace with a mount namespace, bind a file of
/// theirs over `/usr/sbin/sshd` there, and run it: the kernel reports the path in
/// that namespace. A path alone proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgramFile {
    /// The file of that path: same device and inode, or the same mount namespace.
    Verified,
    /// Removed or replaced since it was started.
    Deleted,
    /// Another file: the process has a file system of its own.
    OtherFileSystem(OtherFileSystem),
    /// The comparison failed.
    Unverified,
}

/// A program file of another file system than this program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherFileSystem {
    /// True if the process is in another user namespace than this program. A mount
    /// namespace that was made without privileges always is; those of containers
    /// may be, those of services are not.
    pub in_other_user_namespace: bool,
    /// True if there is a file of that path here, too.
    pub path_exists_here: bool,
}

impl Program {
    /// A program that runs from the file of this path.
    #[must_use]
    pub fn verified(path: impl Into<Text>) -> Self {
        Self {
            path: path.into(),
            file: ProgramFile::Verified,
        }
    }

    /// The path, if it identifies the program: none for a file of another file
    /// system and one that could not be compared.
    #[must_use]
    pub fn verified_path(&self) -> Option<&Text> {
        match self.file {
            ProgramFile::Verified | ProgramFile::Deleted => Some(&self.path),
            ProgramFile::OtherFileSystem(_) | ProgramFile::Unverified => None,
        }
    }

    /// True if the file was removed or replaced since it was started.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.file == ProgramFile::Deleted
    }

    /// Returns the data on the other file system; none if the file is in this
    /// one.
    #[must_use]
    pub fn other_file_system(&self) -> Option<OtherFileSystem> {
        match self.file {
            ProgramFile::OtherFileSystem(elsewhere) => Some(elsewhere),
            _ => None,
        }
    }

    /// Returns the path with a mark appended if it is not that of the file here:
    /// the kernel's own mark for a removed file.
    #[must_use]
    pub fn display_path(&self) -> Text {
        let mark: &[u8] = match self.file {
            ProgramFile::Verified => return self.path.clone(),
            ProgramFile::Deleted => b" (deleted)",
            ProgramFile::OtherFileSystem(_) => b" (in its own file system)",
            ProgramFile::Unverified => b" (file not verified)",
        };
        Text::new(&[self.path.raw(), mark].concat())
    }
}

impl ProgramFile {
    /// The key in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Verified => "here",
            Self::Deleted => "deleted",
            Self::OtherFileSystem(_) => "own_file_system",
            Self::Unverified => "unverified",
        }
    }
}
