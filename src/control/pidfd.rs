//! Ends a process through a pidfd: the one way that cannot hit another.

use super::calls::{Calls, Kernel};
use super::facts::{self, Facts, RunProgram};
use super::hold::{Hold, failed, raw};
use super::kin::{self, Census};
use super::tree::{Frozen, Member};
use super::{Control, cautions, guards};
use crate::model::action::{ArmId, ArmedFacts, Grip, Life, Outcome, Refusal, Target, TreeOutcome};
use crate::model::caution::Caution;
use crate::model::signal::Signal;
use crate::model::text::Text;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::{Duration, Instant};

/// Behaviour on a kernel without pidfds, or where a system call filter forbids
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WithoutPidfd {
    /// Refuse.
    #[default]
    Refuse,
    /// Verify, and then signal by pid: in between, the pid may be reused.
    Risk,
}

/// Holds armed targets by their pidfds.
pub struct PidfdControl {
    calls: Box<dyn Calls>,
    without: WithoutPidfd,
    armed: HashMap<ArmId, Armed>,
}

struct Armed {
    hold: Hold,
    target: Target,
    /// Program when it was armed: a later exec changes it.
    program: Option<RunProgram>,
    /// Name when it was armed.
    name: Text,
    /// Its descendants, once they have been signalled.
    tree: Vec<Member>,
}

impl Default for PidfdControl {
    fn default() -> Self {
        Self::new(WithoutPidfd::Refuse)
    }
}

impl PidfdControl {
    /// A control that holds nothing yet.
    #[must_use]
    pub fn new(without: WithoutPidfd) -> Self {
        Self::with_calls(without, Box::new(Kernel))
    }

    pub(super) fn with_calls(without: WithoutPidfd, calls: Box<dyn Calls>) -> Self {
        Self {
            calls,
            without,
            armed: HashMap::new(),
        }
    }

    /// Opens the handle of a process.
    fn take_hold(&self, target: &Target) -> Result<Hold, Refusal> {
        match Hold::open(&*self.calls, target.pid) {
            Err(Refusal::NoPidfd) if self.without == WithoutPidfd::Risk => {
                Hold::number(target.pid, target.start_ticks)
            }
            held => held,
        }
    }

    /// Arms a target again that is already held under this id. It stays held
    /// whatever the result: its exit is still waited for.
    fn arm_again(armed: &mut Armed, target: &Target) -> Result<ArmedFacts, Refusal> {
        armed
            .tree
            .retain(|member| !member.hold.ended(Duration::ZERO));
        // Some processes of a signalled tree may outlive the root.
        if armed.hold.ended(Duration::ZERO) && !armed.tree.is_empty() {
            return Ok(remains(target, &armed.tree));
        }
        let facts = verify(target)?;
        permitted(target.pid)?;
        armed.target = target.clone();
        let gathered = gather(target, &facts);
        armed.name = Text::new(&facts.stat.name);
        armed.program = facts.program;
        Ok(ArmedFacts {
            grip: armed.hold.grip(),
            ..gathered
        })
    }
}

impl Control for PidfdControl {
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
        guards::by_number(target.pid, std::process::id())?;
        if let Some(armed) = self.armed.get_mut(&id)
            && armed.target.pid == target.pid
            && armed.target.start_ticks == target.start_ticks
        {
            return Self::arm_again(armed, target);
        }
        // Opened first, verified afterwards: all facts read from /proc from
        // here on are about the process of this descriptor, or the descriptor
        // is dead and the signal fails.
        let hold = self.take_hold(target)?;
        let facts = verify(target)?;
        permitted(target.pid)?;
        let gathered = ArmedFacts {
            grip: hold.grip(),
            ..gather(target, &facts)
        };
        let armed = Armed {
            hold,
            target: target.clone(),
            name: Text::new(&facts.stat.name),
            program: facts.program,
            tree: Vec::new(),
        };
        self.armed.insert(id, armed);
        Ok(gathered)
    }

    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome {
        let Some(armed) = self.armed.get(&id) else {
            return Outcome::Refused(Refusal::Gone);
        };
        let sent = armed.verify().and_then(|()| {
            let sent = armed.hold.send(&*self.calls, signal);
            sent.map_err(|error| refusal(error, armed.target.pid))
        });
        match sent {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(()) => Outcome::Sent { signal },
        }
    }

    fn signal_tree(&mut self, id: ArmId, signal: Signal) -> TreeOutcome {
        let Some(armed) = self.armed.get_mut(&id) else {
            return TreeOutcome::refused(Refusal::Gone);
        };
        match armed.signal_tree(&*self.calls, signal) {
            Ok(reached) => TreeOutcome {
                reached,
                outcome: Outcome::Sent { signal },
            },
            Err(refusal) => TreeOutcome::refused(refusal),
        }
    }

    fn wait(&mut self, id: ArmId, patience: Duration) -> bool {
        // The exit of a process that is not held is unknown, and must not be
        // reported.
        let Some(armed) = self.armed.get(&id) else {
            return false;
        };
        let deadline = Instant::now() + patience;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut tree = armed.tree.iter();
        armed.hold.ended(left()) && tree.all(|member| member.hold.ended(left()))
    }

    fn disarm(&mut self, id: ArmId) {
        self.armed.remove(&id);
    }
}

impl Armed {
    /// Verifies once more that this is the confirmed process, and that it is alive. A
    /// pidfd is identity enough; an exchanged program needs a new confirmation. With a
    /// pid alone another process started within the same clock tick could be hit, so
    /// the name must match as well.
    fn verify(&self) -> Result<(), Refusal> {
        let facts = verify(&self.target)?;
        if facts.ended {
            return Err(Refusal::Zombie);
        }
        if self.hold.grip() == Grip::Number && facts.stat.name != self.name.raw() {
            return Err(Refusal::Renamed);
        }
        let same = match (&self.program, &facts.program) {
            (Some(then), Some(now)) => then == now,
            _ => true,
        };
        if same {
            Ok(())
        } else {
            Err(Refusal::OtherProgram)
        }
    }

    fn signal_tree(&mut self, calls: &dyn Calls, signal: Signal) -> Result<usize, Refusal> {
        let Hold::Pidfd(pidfd) = &self.hold else {
            return Err(Refusal::NoPidfd);
        };
        let mut known = std::mem::take(&mut self.tree);
        known.retain(|member| !member.hold.ended(Duration::ZERO));
        if !self.hold.ended(Duration::ZERO) || known.is_empty() {
            self.verify()?;
            let pidfd = pidfd
                .try_clone()
                .map_err(|error| Refusal::Failed(Text::from(error.to_string().as_str())))?;
            known.retain(|member| member.pid != self.target.pid);
            known.insert(0, Member::new(self.target.pid, Hold::Pidfd(pidfd)));
        }
        let frozen = Frozen::from(calls, known)?;
        self.tree = frozen.signal(signal)?;
        Ok(self.tree.len())
    }
}

fn verify(target: &Target) -> Result<Facts, Refusal> {
    let facts = Facts::read(target.pid).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::Gone,
        _ => Refusal::Failed(Text::from(error.to_string().as_str())),
    })?;
    guards::by_identity(&facts, target)?;
    Ok(facts)
}

/// Checks without sending a signal: signal 0 has no name in rustix, so the same
/// permission check is done by kill(pid, 0), which has no effect.
fn permitted(pid: u32) -> Result<(), Refusal> {
    rustix::process::test_kill_process(raw(pid)?).map_err(|error| refusal(error, pid))
}

fn refusal(error: Errno, pid: u32) -> Refusal {
    match error {
        Errno::SRCH if !kin::proc_is_ours() => Refusal::ForeignProc,
        Errno::SRCH => Refusal::Gone,
        // Every kernel that opens a pidfd takes it for sending.
        Errno::NOSYS => Refusal::Filtered,
        Errno::PERM if facts::may_be_signalled(pid) => Refusal::Filtered,
        Errno::PERM => Refusal::NotPermitted {
            uid: facts::uid(pid),
        },
        other => failed(other),
    }
}

fn gather(target: &Target, facts: &Facts) -> ArmedFacts {
    let pid = target.pid;
    let census = Census::take();
    let descendants = census.descendants(pid);
    let itself = BTreeSet::from([pid]);
    let children = census.children(&itself);
    let (now_called, now_runs) = guards::changes(facts, target);
    ArmedFacts {
        target: target.clone(),
        now_called,
        now_runs,
        command: facts::command(pid),
        uid: facts::uid(pid),
        children: children
            .map(|(pid, stat)| (pid, Text::new(&stat.name)))
            .collect(),
        cautions_below: descendants
            .iter()
            .any(|(pid, _)| cautions::is_container_init(*pid))
            .then_some(Caution::ContainerInit)
            .into_iter()
            .collect(),
        descendants,
        parent: (facts.stat.parent != 0).then(|| {
            let name = facts::name(facts.stat.parent).unwrap_or_default();
            (facts.stat.parent, name)
        }),
        life: life(facts),
        activated: target
            .inode
            .is_some_and(|inode| facts::was_handed(pid, inode)),
        cautions: cautions::of(pid, std::process::id()),
        ..ArmedFacts::default()
    }
}

fn life(facts: &Facts) -> Life {
    if facts.ended {
        Life::Zombie
    } else if facts.stat.is_stopped() {
        Life::Stopped
    } else {
        Life::Runs
    }
}

/// Returns the facts of a tree whose root has exited.
fn remains(target: &Target, tree: &[Member]) -> ArmedFacts {
    let name = |pid| facts::name(pid).unwrap_or_default();
    let tree = || tree.iter().filter(|member| member.pid != target.pid);
    ArmedFacts {
        target: target.clone(),
        life: Life::Remains,
        cautions_below: tree()
            .any(|member| cautions::is_container_init(member.pid))
            .then_some(Caution::ContainerInit)
            .into_iter()
            .collect(),
        descendants: tree()
            .map(|member| (member.pid, name(member.pid)))
            .collect(),
        ..ArmedFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// Sleeps until its standard input closes, so that a failing test leaves no
    /// process behind.
    fn victim() -> Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn target(child: &Child) -> Target {
        // Between fork and exec the child still has the parent's name, and for
        // a short time after it no command line.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let facts = Facts::read(child.id()).unwrap();
            if facts.stat.name == b"cat" && !facts::command(child.id()).is_empty() {
                return Target {
                    pid: child.id(),
                    start_ticks: facts.stat.start_ticks,
                    name: Text::new(&facts.stat.name),
                    ..Target::default()
                };
            }
            assert!(Instant::now() < deadline, "cat never started");
            std::thread::yield_now();
        }
    }

    #[test]
    fn ends_the_process_it_was_shown() {
        let mut child = victim();
        let mut control = PidfdControl::default();
        let facts = control.arm(ArmId(1), &target(&child)).unwrap();
        assert_eq!(facts.command.as_str(), "cat");
        assert_eq!(facts.parent.map(|(pid, _)| pid), Some(std::process::id()));
        let outcome = control.signal(ArmId(1), Signal::Term);
        assert!(
            matches!(outcome, Outcome::Ended { .. } | Outcome::Sent { .. }),
            "{outcome:?}"
        );
        assert!(control.wait(ArmId(1), Duration::from_secs(10)));
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_process_with_another_start_or_socket_is_left_alone() {
        let mut child = victim();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        let older = Target {
            start_ticks: shown.start_ticks + 1,
            ..shown.clone()
        };
        let elsewhere = Target {
            inode: std::num::NonZeroU32::new(1),
            ..shown
        };
        assert_eq!(control.arm(ArmId(1), &older), Err(Refusal::Replaced));
        assert_eq!(control.arm(ArmId(3), &elsewhere), Err(Refusal::NotHolder));
        for id in [1, 3] {
            let outcome = control.signal(ArmId(id), Signal::Kill);
            assert_eq!(outcome, Outcome::Refused(Refusal::Gone));
        }
        assert!(child.try_wait().unwrap().is_none(), "nothing was sent");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "it ended by itself");
    }

    #[test]
    fn what_ended_by_itself_is_gone() {
        let mut child = victim();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        control.arm(ArmId(1), &shown).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        let outcome = control.signal(ArmId(1), Signal::Term);
        assert_eq!(outcome, Outcome::Refused(Refusal::Gone));
        assert_eq!(control.arm(ArmId(2), &shown), Err(Refusal::Gone));
    }

    #[test]
    fn a_zombie_is_not_said_to_have_been_ended() {
        let mut child = victim();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        control.arm(ArmId(1), &shown).unwrap();
        drop(child.stdin.take());
        // Ended, but not reaped before the test does so.
        assert!(control.wait(ArmId(1), Duration::from_secs(10)));
        let outcome = control.signal(ArmId(1), Signal::Kill);
        assert_eq!(outcome, Outcome::Refused(Refusal::Zombie));
        child.wait().unwrap();
    }

    #[test]
    fn this_program_and_init_are_refused() {
        let mut control = PidfdControl::default();
        for (pid, refusal) in [(std::process::id(), Refusal::Itself), (1, Refusal::Init)] {
            let target = Target {
                pid,
                ..Target::default()
            };
            assert_eq!(control.arm(ArmId(1), &target), Err(refusal));
        }
    }
}
