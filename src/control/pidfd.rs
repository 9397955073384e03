//! Ends a process through a pidfd: the one way that cannot hit another.

use super::handle::{ProcessHandle, failed_refusal, raw_pid};
use super::process_facts::{self, ProcessFacts, RunningProgram};
use super::process_tree::{self, ProcessTree};
use super::stopped_tree::{StoppedTree, TreeMember};
use super::syscalls::{KernelSyscalls, Syscalls};
use super::{ProcessControl, guards, risks};
use crate::model::action::{
    HandleKind, ProcessState, ProcessTarget, SignalOutcome, SignalRefusal, TargetFacts, TargetId,
    TreeOutcome,
};
use crate::model::risk::Risk;
use crate::model::signal::Signal;
use crate::model::text::Text;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::time::{Duration, Instant};

/// Behaviour on a kernel without pidfds, or where a system call filter forbids
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PidfdFallback {
    /// Refuse.
    #[default]
    Refuse,
    /// Verify, and then signal by pid: in between, the pid may be reused.
    UsePid,
}

/// Holds armed targets by their pidfds.
pub struct PidfdControl {
    syscalls: Box<dyn Syscalls>,
    fallback: PidfdFallback,
    acquired: HashMap<TargetId, AcquiredProcess>,
}

struct AcquiredProcess {
    handle: ProcessHandle,
    target: ProcessTarget,
    /// Program when it was armed: a later exec changes it.
    program: Option<RunningProgram>,
    /// Name when it was armed.
    name: Text,
    /// Its descendants, once they have been signalled.
    tree: Vec<TreeMember>,
}

impl Default for PidfdControl {
    fn default() -> Self {
        Self::new(PidfdFallback::Refuse)
    }
}

impl PidfdControl {
    /// A control that holds nothing yet.
    #[must_use]
    pub fn new(without: PidfdFallback) -> Self {
        Self::with_syscalls(without, Box::new(KernelSyscalls))
    }

    pub(super) fn with_syscalls(fallback: PidfdFallback, syscalls: Box<dyn Syscalls>) -> Self {
        Self {
            syscalls,
            fallback,
            acquired: HashMap::new(),
        }
    }

    /// Opens the handle of a process.
    fn open_handle(&self, target: &ProcessTarget) -> Result<ProcessHandle, SignalRefusal> {
        match ProcessHandle::open(&*self.syscalls, target.pid) {
            Err(SignalRefusal::NoPidfd) if self.fallback == PidfdFallback::UsePid => {
                ProcessHandle::by_pid(target.pid, target.start_ticks)
            }
            held => held,
        }
    }

    /// Arms a target again that is already held under this id. It stays held
    /// whatever the result: its exit is still waited for.
    fn reacquire(
        armed: &mut AcquiredProcess,
        target: &ProcessTarget,
    ) -> Result<TargetFacts, SignalRefusal> {
        armed
            .tree
            .retain(|member| !member.handle.wait_for_exit(Duration::ZERO));
        // Some processes of a signalled tree may outlive the root.
        if armed.handle.wait_for_exit(Duration::ZERO) && !armed.tree.is_empty() {
            return Ok(orphaned_tree(target, &armed.tree));
        }
        let facts = verify(target)?;
        check_permission(target.pid)?;
        armed.target = target.clone();
        let gathered = collect_facts(target, &facts);
        armed.name = Text::new(&facts.stat.name);
        armed.program = facts.program;
        Ok(TargetFacts {
            handle: armed.handle.kind(),
            ..gathered
        })
    }
}

impl ProcessControl for PidfdControl {
    fn acquire(
        &mut self,
        id: TargetId,
        target: &ProcessTarget,
    ) -> Result<TargetFacts, SignalRefusal> {
        guards::check_pid(target.pid, std::process::id())?;
        if let Some(armed) = self.acquired.get_mut(&id)
            && armed.target.pid == target.pid
            && armed.target.start_ticks == target.start_ticks
        {
            return Self::reacquire(armed, target);
        }
        // Opened first, verified afterwards: all facts read from /proc from
        // here on are about the process of this descriptor, or the descriptor
        // is dead and the signal fails.
        let hold = self.open_handle(target)?;
        let facts = verify(target)?;
        check_permission(target.pid)?;
        let gathered = TargetFacts {
            handle: hold.kind(),
            ..collect_facts(target, &facts)
        };
        let armed = AcquiredProcess {
            handle: hold,
            target: target.clone(),
            name: Text::new(&facts.stat.name),
            program: facts.program,
            tree: Vec::new(),
        };
        self.acquired.insert(id, armed);
        Ok(gathered)
    }

    fn signal(&mut self, id: TargetId, signal: Signal) -> SignalOutcome {
        let Some(armed) = self.acquired.get(&id) else {
            return SignalOutcome::Refused(SignalRefusal::Gone);
        };
        let sent = armed.verify().and_then(|()| {
            let sent = armed.handle.signal(&*self.syscalls, signal);
            sent.map_err(|error| refusal_from_errno(error, armed.target.pid))
        });
        match sent {
            Err(refusal) => SignalOutcome::Refused(refusal),
            Ok(()) => SignalOutcome::Sent { signal },
        }
    }

    fn signal_tree(&mut self, id: TargetId, signal: Signal) -> TreeOutcome {
        let Some(armed) = self.acquired.get_mut(&id) else {
            return TreeOutcome::refused(SignalRefusal::Gone);
        };
        match armed.signal_tree(&*self.syscalls, signal) {
            Ok(reached) => TreeOutcome {
                signalled: reached,
                outcome: SignalOutcome::Sent { signal },
            },
            Err(refusal) => TreeOutcome::refused(refusal),
        }
    }

    fn wait_for_exit(&mut self, id: TargetId, timeout: Duration) -> bool {
        // The exit of a process that is not held is unknown, and must not be
        // reported.
        let Some(armed) = self.acquired.get(&id) else {
            return false;
        };
        let deadline = Instant::now() + timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut tree = armed.tree.iter();
        armed.handle.wait_for_exit(left()) && tree.all(|member| member.handle.wait_for_exit(left()))
    }

    fn release(&mut self, id: TargetId) {
        self.acquired.remove(&id);
    }
}

impl AcquiredProcess {
    /// Verifies once more that this is the confirmed process, and that it is alive. A
    /// pidfd is identity enough; an exchanged program needs a new confirmation. With a
    /// pid alone another process started within the same clock tick could be hit, so
    /// the name must match as well.
    fn verify(&self) -> Result<(), SignalRefusal> {
        let facts = verify(&self.target)?;
        if facts.ended {
            return Err(SignalRefusal::Zombie);
        }
        if self.handle.kind() == HandleKind::PidOnly && facts.stat.name != self.name.raw() {
            return Err(SignalRefusal::Renamed);
        }
        let same = match (&self.program, &facts.program) {
            (Some(then), Some(now)) => then == now,
            _ => true,
        };
        if same {
            Ok(())
        } else {
            Err(SignalRefusal::OtherProgram)
        }
    }

    fn signal_tree(
        &mut self,
        calls: &dyn Syscalls,
        signal: Signal,
    ) -> Result<usize, SignalRefusal> {
        let ProcessHandle::Pidfd(pidfd) = &self.handle else {
            return Err(SignalRefusal::NoPidfd);
        };
        let mut known = std::mem::take(&mut self.tree);
        known.retain(|member| !member.handle.wait_for_exit(Duration::ZERO));
        if !self.handle.wait_for_exit(Duration::ZERO) || known.is_empty() {
            self.verify()?;
            let pidfd = pidfd
                .try_clone()
                .map_err(|error| SignalRefusal::Failed(Text::from(error.to_string().as_str())))?;
            known.retain(|member| member.pid != self.target.pid);
            known.insert(
                0,
                TreeMember::new(self.target.pid, ProcessHandle::Pidfd(pidfd)),
            );
        }
        let frozen = StoppedTree::stop(calls, known)?;
        self.tree = frozen.signal(signal)?;
        Ok(self.tree.len())
    }
}

fn verify(target: &ProcessTarget) -> Result<ProcessFacts, SignalRefusal> {
    let facts = ProcessFacts::read(target.pid).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SignalRefusal::Gone,
        _ => SignalRefusal::Failed(Text::from(error.to_string().as_str())),
    })?;
    guards::check_identity(&facts, target)?;
    Ok(facts)
}

/// Checks without sending a signal: signal 0 has no name in rustix, so the same
/// permission check is done by kill(pid, 0), which has no effect.
fn check_permission(pid: u32) -> Result<(), SignalRefusal> {
    rustix::process::test_kill_process(raw_pid(pid)?)
        .map_err(|error| refusal_from_errno(error, pid))
}

fn refusal_from_errno(error: Errno, pid: u32) -> SignalRefusal {
    match error {
        Errno::SRCH if !process_tree::is_proc_of_own_pid_namespace() => SignalRefusal::ForeignProc,
        Errno::SRCH => SignalRefusal::Gone,
        // Every kernel that opens a pidfd takes it for sending.
        Errno::NOSYS => SignalRefusal::SecurityPolicy,
        Errno::PERM if process_facts::may_be_signalled(pid) => SignalRefusal::SecurityPolicy,
        Errno::PERM => SignalRefusal::NotPermitted {
            uid: process_facts::read_uid(pid),
        },
        other => failed_refusal(other),
    }
}

fn collect_facts(target: &ProcessTarget, facts: &ProcessFacts) -> TargetFacts {
    let pid = target.pid;
    let census = ProcessTree::read();
    let descendants = census.descendants(pid);
    let itself = BTreeSet::from([pid]);
    let children = census.children(&itself);
    let (now_called, now_runs) = guards::changed_identity(facts, target);
    TargetFacts {
        target: target.clone(),
        current_name: now_called,
        current_program: now_runs,
        command: process_facts::read_command(pid),
        uid: process_facts::read_uid(pid),
        children: children
            .map(|(pid, stat)| (pid, Text::new(&stat.name)))
            .collect(),
        descendant_risks: descendants
            .iter()
            .any(|(pid, _)| risks::is_container_init(*pid))
            .then_some(Risk::ContainerInit)
            .into_iter()
            .collect(),
        descendants,
        parent: (facts.stat.parent_pid != 0).then(|| {
            let name = process_facts::read_name(facts.stat.parent_pid).unwrap_or_default();
            (facts.stat.parent_pid, name)
        }),
        state: process_state(facts),
        socket_activated: target
            .inode
            .is_some_and(|inode| process_facts::is_socket_activated(pid, inode)),
        risks: risks::risks_of(pid, std::process::id()),
        ..TargetFacts::default()
    }
}

fn process_state(facts: &ProcessFacts) -> ProcessState {
    if facts.ended {
        ProcessState::Zombie
    } else if facts.stat.is_stopped() {
        ProcessState::Stopped
    } else {
        ProcessState::Running
    }
}

/// Returns the facts of a tree whose root has exited.
fn orphaned_tree(target: &ProcessTarget, tree: &[TreeMember]) -> TargetFacts {
    let name = |pid| process_facts::read_name(pid).unwrap_or_default();
    let tree = || tree.iter().filter(|member| member.pid != target.pid);
    TargetFacts {
        target: target.clone(),
        state: ProcessState::OrphanedTree,
        descendant_risks: tree()
            .any(|member| risks::is_container_init(member.pid))
            .then_some(Risk::ContainerInit)
            .into_iter()
            .collect(),
        descendants: tree()
            .map(|member| (member.pid, name(member.pid)))
            .collect(),
        ..TargetFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// Sleeps until its standard input closes, so that a failing test leaves no
    /// process behind.
    fn spawn_cat() -> Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn target(child: &Child) -> ProcessTarget {
        // Between fork and exec the child still has the parent's name, and for
        // a short time after it no command line.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let facts = ProcessFacts::read(child.id()).unwrap();
            if facts.stat.name == b"cat" && !process_facts::read_command(child.id()).is_empty() {
                return ProcessTarget {
                    pid: child.id(),
                    start_ticks: facts.stat.start_ticks,
                    name: Text::new(&facts.stat.name),
                    ..ProcessTarget::default()
                };
            }
            assert!(Instant::now() < deadline, "cat never started");
            std::thread::yield_now();
        }
    }

    #[test]
    fn ends_the_process_it_was_shown() {
        let mut child = spawn_cat();
        let mut control = PidfdControl::default();
        let facts = control.acquire(TargetId(1), &target(&child)).unwrap();
        assert_eq!(facts.command.as_str(), "cat");
        assert_eq!(facts.parent.map(|(pid, _)| pid), Some(std::process::id()));
        let outcome = control.signal(TargetId(1), Signal::Term);
        assert!(
            matches!(
                outcome,
                SignalOutcome::Exited { .. } | SignalOutcome::Sent { .. }
            ),
            "{outcome:?}"
        );
        assert!(control.wait_for_exit(TargetId(1), Duration::from_secs(10)));
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn a_process_with_another_start_or_socket_is_left_alone() {
        let mut child = spawn_cat();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        let older = ProcessTarget {
            start_ticks: shown.start_ticks + 1,
            ..shown.clone()
        };
        let elsewhere = ProcessTarget {
            inode: std::num::NonZeroU32::new(1),
            ..shown
        };
        assert_eq!(
            control.acquire(TargetId(1), &older),
            Err(SignalRefusal::PidReused)
        );
        assert_eq!(
            control.acquire(TargetId(3), &elsewhere),
            Err(SignalRefusal::NotHolder)
        );
        for id in [1, 3] {
            let outcome = control.signal(TargetId(id), Signal::Kill);
            assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Gone));
        }
        assert!(child.try_wait().unwrap().is_none(), "nothing was sent");
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "it ended by itself");
    }

    #[test]
    fn what_ended_by_itself_is_gone() {
        let mut child = spawn_cat();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        control.acquire(TargetId(1), &shown).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        let outcome = control.signal(TargetId(1), Signal::Term);
        assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Gone));
        assert_eq!(
            control.acquire(TargetId(2), &shown),
            Err(SignalRefusal::Gone)
        );
    }

    #[test]
    fn a_zombie_is_not_said_to_have_been_ended() {
        let mut child = spawn_cat();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        control.acquire(TargetId(1), &shown).unwrap();
        drop(child.stdin.take());
        // Ended, but not reaped before the test does so.
        assert!(control.wait_for_exit(TargetId(1), Duration::from_secs(10)));
        let outcome = control.signal(TargetId(1), Signal::Kill);
        assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Zombie));
        child.wait().unwrap();
    }

    #[test]
    fn this_program_and_init_are_refused() {
        let mut control = PidfdControl::default();
        for (pid, refusal) in [
            (std::process::id(), SignalRefusal::OwnProcess),
            (1, SignalRefusal::Init),
        ] {
            let target = ProcessTarget {
                pid,
                ..ProcessTarget::default()
            };
            assert_eq!(control.acquire(TargetId(1), &target), Err(refusal));
        }
    }
}
