//! What a person asks to be done to a process, and what came of it.

use super::signal::Signal;
use super::text::Text;
use std::num::NonZeroU32;
use std::time::Duration;

/// No more targets than this are acted on at once: who means more has more
/// likely made a mistake in the filter.
pub const MOST_TARGETS: usize = 64;

/// What a person lets this program do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Look, and act on what is confirmed.
    #[default]
    Act,
    /// Only look.
    Look,
}

/// The process a person pointed at, as the table showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Process id.
    pub pid: u32,
    /// Its start time in ticks, as shown.
    pub start_ticks: u64,
    /// Its name, as shown.
    pub name: Text,
    /// The socket of the row it was picked from, which it should still hold.
    pub inode: Option<NonZeroU32>,
}

/// Whom a signal is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Reach {
    /// The process alone.
    #[default]
    Process,
    /// The process with all its descendants.
    Tree,
}

/// A target that is held by a pidfd; the number is that of the asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArmId(pub u64);

/// What was found when the target was armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmedFacts {
    /// The target as asked for.
    pub target: Target,
    /// Command line, spaces between the arguments.
    pub command: Text,
    /// Who runs it now.
    pub uid: Option<u32>,
    /// Direct children, by pid and name.
    pub children: Vec<(u32, Text)>,
    /// Parent's pid and name.
    pub parent: Option<(u32, Text)>,
    /// Whether it has ended already and only waits to be reaped.
    pub zombie: bool,
}

/// Why a target was not armed or no signal was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// PID 1: ending it ends the system, or the container.
    Init,
    /// tcplens itself.
    Itself,
    /// A kernel thread takes no signals.
    KernelThread,
    /// It is not there any more.
    Gone,
    /// The number now belongs to another process.
    Replaced,
    /// It has taken another name since, and may run another program now.
    Renamed,
    /// It has ended and only waits to be reaped: a signal would do nothing.
    Zombie,
    /// It holds the socket no longer.
    NotHolder,
    /// Another user's process, and no privilege to signal it.
    NotPermitted {
        /// Its user, if known.
        uid: Option<u32>,
    },
    /// This kernel has no pidfds, so no process can be named surely.
    NoPidfd,
    /// Actions are switched off here (replay).
    Disabled,
    /// The system said something else.
    Failed(Text),
}

impl Refusal {
    /// The key in assets.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Itself => "itself",
            Self::KernelThread => "kernel_thread",
            Self::Gone => "gone",
            Self::Replaced => "replaced",
            Self::Renamed => "renamed",
            Self::Zombie => "zombie",
            Self::NotHolder => "not_holder",
            Self::NotPermitted { .. } => "not_permitted",
            Self::NoPidfd => "no_pidfd",
            Self::Disabled => "disabled",
            Self::Failed(_) => "failed",
        }
    }

    /// Every key a refusal can have.
    pub const KEYS: [&'static str; 12] = [
        "init",
        "itself",
        "kernel_thread",
        "gone",
        "replaced",
        "renamed",
        "zombie",
        "not_holder",
        "not_permitted",
        "no_pidfd",
        "disabled",
        "failed",
    ];
}

/// What came of a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The signal is on its way; the process still runs.
    Sent {
        /// Which.
        signal: Signal,
    },
    /// The process has ended.
    Ended {
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
    Refused(Refusal),
}
