//! Actions on a process that the user requests, and their outcome.

use super::process::Process;
use super::risk::Risk;
use super::signal::Signal;
use super::text::Text;
use std::num::NonZeroU32;
use std::time::Duration;

/// Maximum number of targets of one action: a larger number is more likely a
/// mistake in the filter.
pub const MAX_TARGETS: usize = 64;

/// Maximum number of processes in a tree that is signalled: a descriptor of its
/// own holds each of them meanwhile.
pub const MAX_TREE_PROCESSES: usize = 512;

/// Actions that the user permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AccessMode {
    /// Full: observation, and confirmed actions.
    #[default]
    Full,
    /// Read-only: observation alone.
    ReadOnly,
}

/// The process the user selected, as the table showed it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProcessTarget {
    /// Process id.
    pub pid: u32,
    /// Its start time in ticks, as shown.
    pub start_ticks: u64,
    /// Its name, as shown.
    pub name: Text,
    /// Path of its program, as shown, without the kernel's mark for a removed
    /// file; none if it was unknown.
    pub exe: Option<Text>,
    /// The socket of the row it was picked from, which it should still hold.
    pub inode: Option<NonZeroU32>,
}

impl ProcessTarget {
    /// Returns the target for a process of the table, picked by one of its
    /// sockets.
    #[must_use]
    pub fn from_process(process: &Process, inode: Option<NonZeroU32>) -> Self {
        Self {
            pid: process.pid,
            start_ticks: process.start_ticks,
            name: process.name.clone(),
            exe: process.exe.as_ref().map(|program| program.path.clone()),
            inode,
        }
    }
}

/// Scope of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum SignalScope {
    /// The process alone.
    #[default]
    Process,
    /// The process with all its descendants.
    Tree,
}

/// Number of a request whose target a pidfd holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TargetId(pub u64);

/// Handle by which a process is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum HandleKind {
    /// A pidfd: a signal reaches this process or none.
    #[default]
    Pidfd,
    /// Only its number, without pidfd support and by `--allow-racy-kill`: a
    /// signal may hit a process that is given the number at that moment.
    PidOnly,
}

/// Run state of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ProcessState {
    /// Running, or runnable.
    #[default]
    Running,
    /// It is stopped until it is continued: a signal that can be handled waits
    /// until then.
    Stopped,
    /// Ended, waiting to be reaped.
    Zombie,
    /// Ended after a signal to its tree, part of which still runs: only that part
    /// is left to be signalled.
    OrphanedTree,
}

/// Facts found when the target was acquired.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TargetFacts {
    /// The target as asked for.
    pub target: ProcessTarget,
    /// Its present name, if that is not the one it was chosen by.
    pub current_name: Option<Text>,
    /// Its present program, if that is not the one it was chosen by.
    pub current_program: Option<Text>,
    /// Command line, spaces between the arguments.
    pub command: Text,
    /// User id it runs as now.
    pub uid: Option<u32>,
    /// Direct children, by pid and name.
    pub children: Vec<(u32, Text)>,
    /// All descendants, by pid and name, the children first.
    pub descendants: Vec<(u32, Text)>,
    /// Risks of signalling the descendants, for which one key is not enough.
    pub descendant_risks: Vec<Risk>,
    /// Parent's pid and name.
    pub parent: Option<(u32, Text)>,
    /// Run state.
    pub state: ProcessState,
    /// True if the socket it was picked by was passed to it at its start
    /// (`LISTEN_FDS`, sd_listen_fds(3)): the process that passed it usually holds
    /// it too.
    pub socket_activated: bool,
    /// Risks of signalling the process alone, for which one key is not enough.
    pub risks: Vec<Risk>,
    /// Handle by which it is held.
    pub handle: HandleKind,
}

impl TargetFacts {
    /// Number of processes that a signal of this scope is for.
    #[must_use]
    pub fn process_count(&self, reach: SignalScope) -> usize {
        match reach {
            SignalScope::Process => 1,
            SignalScope::Tree => {
                usize::from(self.state != ProcessState::OrphanedTree) + self.descendants.len()
            }
        }
    }

    /// Returns the risks of a signal of this scope, for which one key is not
    /// enough.
    #[must_use]
    pub fn risks_for(&self, reach: SignalScope) -> Vec<Risk> {
        let mut cautions = self.risks.clone();
        if reach == SignalScope::Tree {
            let count = self.process_count(reach);
            if count > 1 {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                cautions.push(Risk::MultipleTargets(count));
            }
            cautions.extend(&self.descendant_risks);
            cautions.sort_unstable();
            cautions.dedup();
        }
        cautions
    }

    /// Returns the reason why its tree must not be signalled as a whole, if there
    /// is one.
    #[must_use]
    pub fn tree_refusal(&self) -> Option<SignalRefusal> {
        if self.risks.contains(&Risk::OwnAncestor) {
            Some(SignalRefusal::OwnTree)
        } else if self.handle == HandleKind::PidOnly {
            Some(SignalRefusal::NoPidfd)
        } else if self.process_count(SignalScope::Tree) > MAX_TREE_PROCESSES {
            Some(SignalRefusal::TooMany(
                self.process_count(SignalScope::Tree),
            ))
        } else {
            None
        }
    }
}

/// Reason why a target was not acquired or no signal was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalRefusal {
    /// PID 1: ending it ends the system, or the container.
    Init,
    /// tcplens itself.
    OwnProcess,
    /// A kernel thread takes no signals.
    KernelThread,
    /// It has exited.
    Gone,
    /// The number now belongs to another process.
    PidReused,
    /// It has changed its name, and may run another program now.
    Renamed,
    /// It runs another program now.
    OtherProgram,
    /// tcplens is itself in the tree that was to be signalled.
    OwnTree,
    /// That many processes at once exceed the safety limit.
    TooMany(usize),
    /// A process of the tree could not be held or stopped: its pid.
    TreeIncomplete(u32),
    /// It has ended and only waits to be reaped: a signal would do nothing.
    Zombie,
    /// It holds the socket no longer.
    NotHolder,
    /// Another user's process, and no privilege to signal it.
    NotPermitted {
        /// Its user, if known.
        uid: Option<u32>,
    },
    /// Forbidden by a seccomp filter or a security module, although the
    /// privileges of this program would allow it.
    SecurityPolicy,
    /// This kernel has no pidfds, so that no process can be identified reliably.
    NoPidfd,
    /// `/proc` belongs to another PID namespace: its entry for a number is not
    /// about the process that has this number here.
    ForeignProc,
    /// The lab acts on its own processes only.
    OutsideLab,
    /// Actions are switched off here (replay).
    Disabled,
    /// The system reported another error.
    Failed(Text),
}

impl SignalRefusal {
    /// The key in assets.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::OwnProcess => "itself",
            Self::KernelThread => "kernel_thread",
            Self::Gone => "gone",
            Self::PidReused => "replaced",
            Self::Renamed => "renamed",
            Self::OtherProgram => "other_program",
            Self::OwnTree => "own_tree",
            Self::TooMany(_) => "too_many",
            Self::TreeIncomplete(_) => "tree_incomplete",
            Self::Zombie => "zombie",
            Self::NotHolder => "not_holder",
            Self::NotPermitted { .. } => "not_permitted",
            Self::SecurityPolicy => "filtered",
            Self::NoPidfd => "no_pidfd",
            Self::ForeignProc => "foreign_proc",
            Self::OutsideLab => "outside_lab",
            Self::Disabled => "disabled",
            Self::Failed(_) => "failed",
        }
    }

    /// Every key a refusal can have.
    pub const KEYS: [&'static str; 19] = [
        "init",
        "itself",
        "kernel_thread",
        "gone",
        "replaced",
        "renamed",
        "other_program",
        "own_tree",
        "too_many",
        "tree_incomplete",
        "zombie",
        "not_holder",
        "not_permitted",
        "filtered",
        "no_pidfd",
        "foreign_proc",
        "outside_lab",
        "disabled",
        "failed",
    ];
}

/// Outcome of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalOutcome {
    /// The signal is on its way; the process still runs.
    Sent {
        /// The signal that was sent.
        signal: Signal,
    },
    /// The process has ended.
    Exited {
        /// Time from the signal to its end.
        after: Duration,
        /// The signal that was sent.
        signal: Signal,
    },
    /// It still runs some seconds later.
    StillRunning {
        /// Time since the signal.
        after: Duration,
        /// The signal that was sent.
        signal: Signal,
    },
    /// No signal was sent.
    Refused(SignalRefusal),
}

/// Outcome of a signal to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeOutcome {
    /// Number of processes it was sent to.
    pub signalled: usize,
    /// Outcome for the tree as a whole.
    pub outcome: SignalOutcome,
}

impl TreeOutcome {
    /// Nothing was sent.
    #[must_use]
    pub fn refused(refusal: SignalRefusal) -> Self {
        Self {
            signalled: 0,
            outcome: SignalOutcome::Refused(refusal),
        }
    }
}
