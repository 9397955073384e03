//! What a person asks to be done to a process, and what came of it.

use super::caution::Caution;
use super::process::Process;
use super::signal::Signal;
use super::text::Text;
use std::num::NonZeroU32;
use std::time::Duration;

/// No more targets than this are acted on at once: who means more has more
/// likely made a mistake in the filter.
pub const MOST_TARGETS: usize = 64;

/// No tree of more processes than this is signalled: each is held by a
/// descriptor of its own while that goes on.
pub const LARGEST_TREE: usize = 512;

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
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Target {
    /// Process id.
    pub pid: u32,
    /// Its start time in ticks, as shown.
    pub start_ticks: u64,
    /// Its name, as shown.
    pub name: Text,
    /// Path of its program, as shown, without the kernel's mark for a removed
    /// file; none where that was not known.
    pub exe: Option<Text>,
    /// The socket of the row it was picked from, which it should still hold.
    pub inode: Option<NonZeroU32>,
}

impl Target {
    /// The target that a process of the table is, picked by one of its sockets.
    #[must_use]
    pub fn of(process: &Process, inode: Option<NonZeroU32>) -> Self {
        Self {
            pid: process.pid,
            start_ticks: process.start_ticks,
            name: process.name.clone(),
            exe: process.exe.as_ref().map(|program| program.path.clone()),
            inode,
        }
    }
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

/// By what a process is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Grip {
    /// A pidfd: a signal reaches this process or nobody.
    #[default]
    Pidfd,
    /// Only its number, for want of pidfds and by `--allow-racy-kill`: a signal
    /// may hit a process that is given the number at that moment.
    Number,
}

/// Whether a process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Life {
    /// It runs, or could.
    #[default]
    Runs,
    /// It stands still until it is continued: a signal that can be handled
    /// waits until then.
    Stopped,
    /// It has ended already and only waits to be reaped.
    Zombie,
    /// It has ended after a signal to its tree, of which some live on: only they
    /// are left to be signalled.
    Remains,
}

/// What was found when the target was armed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ArmedFacts {
    /// The target as asked for.
    pub target: Target,
    /// Its name now, where that is not the one it was chosen by.
    pub now_called: Option<Text>,
    /// The program it runs now, where that is not the one it was chosen by.
    pub now_runs: Option<Text>,
    /// Command line, spaces between the arguments.
    pub command: Text,
    /// Who runs it now.
    pub uid: Option<u32>,
    /// Direct children, by pid and name.
    pub children: Vec<(u32, Text)>,
    /// All descendants, by pid and name, the children first.
    pub descendants: Vec<(u32, Text)>,
    /// What is to be minded about the descendants, so that one key is not
    /// enough for the tree.
    pub cautions_below: Vec<Caution>,
    /// Parent's pid and name.
    pub parent: Option<(u32, Text)>,
    /// Whether it lives.
    pub life: Life,
    /// Whether the socket it was picked by was handed to it at its start
    /// (`LISTEN_FDS`, sd_listen_fds(3)): who handed it over usually holds it too.
    pub activated: bool,
    /// Why one key is not enough, for the process alone.
    pub cautions: Vec<Caution>,
    /// By what it is held.
    pub grip: Grip,
}

impl ArmedFacts {
    /// How many processes a signal of this reach is for.
    #[must_use]
    pub fn reached(&self, reach: Reach) -> usize {
        match reach {
            Reach::Process => 1,
            Reach::Tree => usize::from(self.life != Life::Remains) + self.descendants.len(),
        }
    }

    /// Why one key is not enough for a signal of this reach.
    #[must_use]
    pub fn cautions_for(&self, reach: Reach) -> Vec<Caution> {
        let mut cautions = self.cautions.clone();
        if reach == Reach::Tree {
            let count = self.reached(reach);
            if count > 1 {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                cautions.push(Caution::Several(count));
            }
            cautions.extend(&self.cautions_below);
            cautions.sort_unstable();
            cautions.dedup();
        }
        cautions
    }

    /// Why its tree must not be signalled as a whole, if so.
    #[must_use]
    pub fn tree_refusal(&self) -> Option<Refusal> {
        if self.cautions.contains(&Caution::OwnAncestor) {
            Some(Refusal::OwnTree)
        } else if self.grip == Grip::Number {
            Some(Refusal::NoPidfd)
        } else if self.reached(Reach::Tree) > LARGEST_TREE {
            Some(Refusal::TooMany(self.reached(Reach::Tree)))
        } else {
            None
        }
    }
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
    /// It runs another program since.
    OtherProgram,
    /// tcplens is itself in the tree that was to be signalled.
    OwnTree,
    /// So many processes at once, and that is more than is taken for meant.
    TooMany(usize),
    /// A process of the tree could not be taken hold of or frozen: its pid.
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
    /// The kernel refused what the rights of this program allow: a seccomp filter or a
    /// security module forbids it.
    Filtered,
    /// This kernel has no pidfds, so no process can be named surely.
    NoPidfd,
    /// `/proc` belongs to another PID namespace: what it tells of a number is
    /// not about the process that has this number here.
    ForeignProc,
    /// The lab acts on its own processes only.
    OutsideLab,
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
            Self::OtherProgram => "other_program",
            Self::OwnTree => "own_tree",
            Self::TooMany(_) => "too_many",
            Self::TreeIncomplete(_) => "tree_incomplete",
            Self::Zombie => "zombie",
            Self::NotHolder => "not_holder",
            Self::NotPermitted { .. } => "not_permitted",
            Self::Filtered => "filtered",
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

/// What came of a signal to a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeOutcome {
    /// How many processes it was sent to.
    pub reached: usize,
    /// What came of it for the tree as a whole.
    pub outcome: Outcome,
}

impl TreeOutcome {
    /// Nothing was sent.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        Self {
            reached: 0,
            outcome: Outcome::Refused(refusal),
        }
    }
}
