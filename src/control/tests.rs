//! Signals as the kernel receives them: every guard with the proof that nothing
//! was sent, and the order in which a tree is signalled.

use super::pidfd::{PidfdControl, PidfdFallback};
use super::syscalls::{KernelSyscalls, Syscalls};
use super::{ProcessControl, process_tree};
use crate::model::action::{
    HandleKind, ProcessTarget, SignalOutcome, SignalRefusal, SignalScope, TargetId, TreeOutcome,
};
use crate::model::risk::Risk;
use crate::model::signal::Signal;
use crate::model::text::Text;
use rustix::io::Errno;
use rustix::process::Pid;
use std::fs;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Pid and signal, in order.
type SentSignals = Arc<Mutex<Vec<(u32, Signal)>>>;

/// Records the signals.
struct RecordingSyscalls {
    sent: SentSignals,
    /// True if signals are sent as well.
    forward: bool,
    /// Error of sending.
    send_error: Option<Errno>,
    /// Error of opening a pidfd, and the number of calls before it.
    open_error: Option<(usize, Errno)>,
    opened: Mutex<usize>,
}

impl RecordingSyscalls {
    fn new() -> Self {
        Self {
            sent: SentSignals::default(),
            forward: false,
            send_error: None,
            open_error: None,
            opened: Mutex::new(0),
        }
    }

    /// The control under test, and its record of signals.
    fn control(self, without: PidfdFallback) -> (PidfdControl, SentSignals) {
        let sent = Arc::clone(&self.sent);
        (PidfdControl::with_syscalls(without, Box::new(self)), sent)
    }
}

impl Syscalls for RecordingSyscalls {
    fn open_pidfd(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        let mut opened = self.opened.lock().unwrap();
        *opened += 1;
        match self.open_error {
            Some((from, error)) if *opened > from => Err(error),
            _ => KernelSyscalls.open_pidfd(pid),
        }
    }

    fn send_to_pidfd(&self, pidfd: &OwnedFd, signal: Signal) -> Result<(), Errno> {
        if let Some(error) = self.send_error {
            return Err(error);
        }
        let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
        let told = fs::read_to_string(path).unwrap();
        let pid = told.lines().find_map(|line| line.strip_prefix("Pid:"));
        let pid: i64 = pid.unwrap().trim().parse().unwrap();
        let pid = u32::try_from(pid).unwrap_or(0);
        self.sent.lock().unwrap().push((pid, signal));
        if self.forward {
            KernelSyscalls.send_to_pidfd(pidfd, signal)
        } else {
            Ok(())
        }
    }

    fn send_to_pid(&self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        let number = u32::try_from(pid.as_raw_nonzero().get()).unwrap();
        self.sent.lock().unwrap().push((number, signal));
        if self.forward {
            KernelSyscalls.send_to_pid(pid, signal)
        } else {
            Ok(())
        }
    }
}

/// A process that ends when its input closes, so that a failing test leaves no
/// process behind.
struct TestProcess(Child);

impl TestProcess {
    fn cat() -> Self {
        let victim = Self::start(&mut Command::new("cat"));
        victim.until("cat runs", || victim.target().name.as_str() == "cat");
        victim
    }

    /// A shell with two cats below it.
    fn tree() -> Self {
        let script = "exec 3<&0; cat <&3 & cat <&3 & wait";
        let victim = Self::start(Command::new("sh").args(["-c", script]));
        victim.until("two cats", || {
            let found = process_tree::ProcessTree::read().descendants(victim.0.id());
            found
                .iter()
                .filter(|(_, name)| name.as_str() == "cat")
                .count()
                == 2
        });
        victim
    }

    fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::piped()).stdout(Stdio::null());
        Self(quiet.spawn().unwrap())
    }

    fn target(&self) -> ProcessTarget {
        target_of(self.0.id())
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !condition() {
            assert!(Instant::now() < deadline, "{}: never {what}", self.0.id());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn state(&self) -> char {
        process_tree::read_stat(self.0.id()).unwrap().state
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn target_of(pid: u32) -> ProcessTarget {
    let stat = process_tree::read_stat(pid).unwrap();
    ProcessTarget {
        pid,
        start_ticks: stat.start_ticks,
        name: Text::new(&stat.name),
        ..ProcessTarget::default()
    }
}

const ONE: TargetId = TargetId(1);

#[test]
fn a_refused_target_is_sent_nothing() {
    let mut victim = TestProcess::cat();
    let shown = victim.target();
    let altered = |alter: fn(&mut ProcessTarget)| {
        let mut target = shown.clone();
        alter(&mut target);
        target
    };
    let own = target_of(std::process::id());
    let mut cases = vec![
        (target_of(1), SignalRefusal::Init),
        (own, SignalRefusal::OwnProcess),
        (
            altered(|target| target.start_ticks += 1),
            SignalRefusal::PidReused,
        ),
        (
            altered(|target| target.inode = std::num::NonZeroU32::new(1)),
            SignalRefusal::NotHolder,
        ),
    ];
    // If kernel threads are visible at all.
    if process_tree::read_stat(2).is_some_and(|stat| stat.kernel_thread) {
        cases.push((target_of(2), SignalRefusal::KernelThread));
    }
    let (mut control, sent) = RecordingSyscalls::new().control(PidfdFallback::UsePid);
    for (target, refusal) in cases {
        assert_eq!(control.acquire(ONE, &target), Err(refusal.clone()));
        let gone = SignalOutcome::Refused(SignalRefusal::Gone);
        assert_eq!(control.signal(ONE, Signal::Kill), gone);
        let tree = TreeOutcome::refused(SignalRefusal::Gone);
        assert_eq!(control.signal_tree(ONE, Signal::Kill), tree);
        println!("{refusal:?}: nothing sent");
    }
    assert_eq!(*sent.lock().unwrap(), []);
    assert!(victim.0.try_wait().unwrap().is_none());
}

#[test]
fn another_program_in_the_same_process_is_noticed() {
    let folder = std::env::temp_dir().join(format!("tcplens-exec-{}", std::process::id()));
    let place = |name: &str, program: &str| {
        let there = folder.join(name).join("same");
        fs::create_dir_all(there.parent().unwrap()).unwrap();
        fs::copy(program, &there).unwrap();
        there
    };
    let (first, second) = (place("a", "/bin/sh"), place("b", "/bin/cat"));
    let script = format!("read line; exec {}", second.display());
    let mut victim = TestProcess::start(Command::new(&first).args(["-c", &script]));
    let runs = |path: &Path| {
        let link = format!("/proc/{}/exe", victim.0.id());
        fs::read_link(link).is_ok_and(|link| link == path)
    };
    victim.until("runs the first", || runs(&first));
    let (mut control, sent) = RecordingSyscalls::new().control(PidfdFallback::Refuse);
    control.acquire(ONE, &victim.target()).unwrap();
    let input = victim.0.stdin.as_mut().unwrap();
    input.write_all(b"\n").unwrap();
    let link = format!("/proc/{}/exe", victim.0.id());
    victim.until("runs the second", || {
        fs::read_link(&link).is_ok_and(|link| link == second)
    });
    assert_eq!(
        victim.target().name.as_str(),
        "same",
        "its name tells nothing"
    );
    let outcome = control.signal(ONE, Signal::Term);
    assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::OtherProgram));
    assert_eq!(*sent.lock().unwrap(), []);
    // Armed again, the facts name the new program, which can then be ended.
    let shown = ProcessTarget {
        exe: Some(Text::from(first.to_str().unwrap())),
        ..victim.target()
    };
    let facts = control.acquire(ONE, &shown).unwrap();
    assert_eq!(
        facts.current_program,
        Some(Text::from(second.to_str().unwrap()))
    );
    let signal = Signal::Term;
    assert_eq!(control.signal(ONE, signal), SignalOutcome::Sent { signal });
    fs::remove_dir_all(&folder).unwrap();
}

/// Renames itself with every line it reads.
const RENAMING_SCRIPT: &str =
    "i=0; while read line; do i=$((i+1)); printf w$i > /proc/$$/comm; done";

#[test]
fn a_renamed_process_is_still_signalled() {
    let mut victim = TestProcess::start(Command::new("sh").args(["-c", RENAMING_SCRIPT]));
    victim.until("sh runs", || victim.target().name.as_str() == "sh");
    let shown = victim.target();
    let mut input = victim.0.stdin.take().unwrap();
    let mut rename = |name: &str| {
        writeln!(input).unwrap();
        victim.until("renamed", || victim.target().name.as_str() == name);
    };
    let recording = RecordingSyscalls {
        forward: true,
        ..RecordingSyscalls::new()
    };
    let (mut control, sent) = recording.control(PidfdFallback::Refuse);
    // Between the table and the confirmation, which names it.
    rename("w1");
    let facts = control.acquire(ONE, &shown).unwrap();
    assert_eq!(facts.current_name, Some(Text::from("w1")));
    assert_eq!(facts.current_program, None);
    // While the confirmation is open.
    rename("w2");
    let signal = Signal::Cont;
    assert_eq!(control.signal(ONE, signal), SignalOutcome::Sent { signal });
    rename("w3");
    let tree = control.signal_tree(ONE, Signal::Stop);
    assert_eq!(tree.signalled, 1);
    let own = victim.0.id();
    assert_eq!(
        *sent.lock().unwrap(),
        [(own, Signal::Cont), (own, Signal::Stop)]
    );
}

#[test]
fn a_process_held_by_pid_must_keep_its_name() {
    let mut victim = TestProcess::start(Command::new("sh").args(["-c", RENAMING_SCRIPT]));
    victim.until("sh runs", || victim.target().name.as_str() == "sh");
    let shown = victim.target();
    let mut input = victim.0.stdin.take().unwrap();
    let old_kernel = RecordingSyscalls {
        open_error: Some((0, Errno::NOSYS)),
        ..RecordingSyscalls::new()
    };
    let (mut control, sent) = old_kernel.control(PidfdFallback::UsePid);
    control.acquire(ONE, &shown).unwrap();
    writeln!(input).unwrap();
    victim.until("renamed", || victim.target().name.as_str() == "w1");
    let outcome = control.signal(ONE, Signal::Term);
    assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Renamed));
    assert_eq!(*sent.lock().unwrap(), []);
}

/// The process is this user's own, so that only a filter can refuse.
#[test]
fn a_filter_on_system_calls_is_not_taken_for_a_missing_right() {
    let victim = TestProcess::cat();
    for error in [Errno::PERM, Errno::NOSYS] {
        let filtered = RecordingSyscalls {
            send_error: Some(error),
            ..RecordingSyscalls::new()
        };
        let (mut control, sent) = filtered.control(PidfdFallback::Refuse);
        control.acquire(ONE, &victim.target()).unwrap();
        let outcome = control.signal(ONE, Signal::Term);
        assert_eq!(
            outcome,
            SignalOutcome::Refused(SignalRefusal::SecurityPolicy),
            "{error}"
        );
        assert_eq!(*sent.lock().unwrap(), []);
    }
}

#[test]
fn without_pidfds_nothing_is_sent_unless_the_risk_is_taken() {
    let victim = TestProcess::cat();
    for error in [Errno::NOSYS, Errno::PERM] {
        let old_kernel = || RecordingSyscalls {
            open_error: Some((0, error)),
            forward: true,
            ..RecordingSyscalls::new()
        };
        let (mut control, sent) = old_kernel().control(PidfdFallback::Refuse);
        assert_eq!(
            control.acquire(ONE, &victim.target()),
            Err(SignalRefusal::NoPidfd)
        );
        assert_eq!(*sent.lock().unwrap(), []);

        let (mut control, sent) = old_kernel().control(PidfdFallback::UsePid);
        let facts = control.acquire(ONE, &victim.target()).unwrap();
        assert_eq!(facts.handle, HandleKind::PidOnly);
        assert_eq!(facts.tree_refusal(), Some(SignalRefusal::NoPidfd));
        let tree = control.signal_tree(ONE, Signal::Stop);
        assert_eq!(tree, TreeOutcome::refused(SignalRefusal::NoPidfd));
        assert_eq!(*sent.lock().unwrap(), []);
        let outcome = control.signal(ONE, Signal::Cont);
        assert_eq!(
            outcome,
            SignalOutcome::Sent {
                signal: Signal::Cont
            }
        );
        assert_eq!(*sent.lock().unwrap(), [(victim.0.id(), Signal::Cont)]);
        assert!(!control.wait_for_exit(ONE, Duration::ZERO), "it lives");
    }
    // The same verification precedes it.
    let mut ended = TestProcess::cat();
    let old_kernel = RecordingSyscalls {
        open_error: Some((0, Errno::NOSYS)),
        ..RecordingSyscalls::new()
    };
    let (mut control, sent) = old_kernel.control(PidfdFallback::UsePid);
    control.acquire(ONE, &ended.target()).unwrap();
    drop(ended.0.stdin.take());
    ended.until("ended", || ended.state() == 'Z');
    let outcome = control.signal(ONE, Signal::Kill);
    assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Zombie));
    assert!(control.wait_for_exit(ONE, Duration::ZERO));
    ended.0.wait().unwrap();
    let outcome = control.signal(ONE, Signal::Kill);
    assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Gone));
    assert_eq!(*sent.lock().unwrap(), []);
}

#[test]
fn the_tree_tcplens_is_in_is_refused() {
    let parent = std::os::unix::process::parent_id();
    let (mut control, sent) = RecordingSyscalls::new().control(PidfdFallback::Refuse);
    let refusal = match control.acquire(ONE, &target_of(parent)) {
        Ok(facts) => {
            assert!(facts.risks.contains(&Risk::OwnAncestor));
            assert_eq!(facts.tree_refusal(), Some(SignalRefusal::OwnTree));
            SignalRefusal::OwnTree
        }
        // PID 1 or another user's process: nothing was armed then.
        Err(refusal) => {
            assert!(matches!(
                refusal,
                SignalRefusal::Init | SignalRefusal::NotPermitted { .. }
            ));
            SignalRefusal::Gone
        }
    };
    let tree = control.signal_tree(ONE, Signal::Kill);
    assert_eq!(tree, TreeOutcome::refused(refusal));
    assert_eq!(*sent.lock().unwrap(), []);
}

#[test]
fn a_tree_is_frozen_first_then_signalled_from_its_leaves_then_continued() {
    let victim = TestProcess::tree();
    let root = victim.0.id();
    let recording = RecordingSyscalls {
        forward: true,
        ..RecordingSyscalls::new()
    };
    let (mut control, sent) = recording.control(PidfdFallback::Refuse);
    let facts = control.acquire(ONE, &victim.target()).unwrap();
    assert_eq!(
        facts.risks_for(SignalScope::Tree),
        [Risk::MultipleTargets(3)]
    );
    assert_eq!(facts.risks_for(SignalScope::Process), []);
    let tree = control.signal_tree(ONE, Signal::Term);
    let signal = Signal::Term;
    let outcome = SignalOutcome::Sent { signal };
    assert_eq!(
        tree,
        TreeOutcome {
            signalled: 3,
            outcome
        }
    );
    assert!(control.wait_for_exit(ONE, TIMEOUT), "all have ended");
    let below: Vec<u32> = facts.descendants.iter().map(|(pid, _)| *pid).collect();
    let (first, second) = (below[0], below[1]);
    let expected = [
        (root, Signal::Stop),
        (first, Signal::Stop),
        (second, Signal::Stop),
        (second, Signal::Term),
        (first, Signal::Term),
        (root, Signal::Term),
    ];
    let sent = sent.lock().unwrap();
    assert_eq!(sent[..6], expected);
    // A process that TERM ended before its turn has no number any more.
    let continued = sent[6..].iter().all(|(_, signal)| *signal == Signal::Cont);
    assert!(continued && sent.len() == 9, "{sent:?}");
}

#[test]
fn a_failed_tree_signal_resumes_the_tree() {
    let victim = TestProcess::tree();
    let root = victim.0.id();
    let recording = RecordingSyscalls {
        forward: true,
        // The root and one child can be opened, the other child can't.
        open_error: Some((2, Errno::MFILE)),
        ..RecordingSyscalls::new()
    };
    let (mut control, sent) = recording.control(PidfdFallback::Refuse);
    let facts = control.acquire(ONE, &victim.target()).unwrap();
    let second = facts.descendants[1].0;
    let tree = control.signal_tree(ONE, Signal::Kill);
    let refusal = SignalRefusal::TreeIncomplete(second);
    assert_eq!(tree, TreeOutcome::refused(refusal));
    let expected = [(root, Signal::Stop), (root, Signal::Cont)];
    assert_eq!(*sent.lock().unwrap(), expected);
    victim.until("goes on", || victim.state() == 'S');
}

#[test]
fn a_stopped_process_stays_stopped() {
    let victim = TestProcess::tree();
    let (mut control, sent) = RecordingSyscalls {
        forward: true,
        ..RecordingSyscalls::new()
    }
    .control(PidfdFallback::Refuse);
    control.acquire(ONE, &victim.target()).unwrap();
    assert_eq!(control.signal_tree(ONE, Signal::Stop).signalled, 3);
    victim.until("stands", || victim.state() == 'T');
    sent.lock().unwrap().clear();
    assert_eq!(control.signal_tree(ONE, Signal::Usr1).signalled, 3);
    let continued = |(_, signal): &(u32, Signal)| *signal == Signal::Cont;
    assert!(!sent.lock().unwrap().iter().any(continued));
    assert_eq!(victim.state(), 'T', "USR1 waits until it is continued");
    assert_eq!(control.signal_tree(ONE, Signal::Cont).signalled, 3);
    assert!(control.wait_for_exit(ONE, TIMEOUT), "then it ends");
}

/// A target that is armed again stays held, whatever the result: the exit of a
/// process that is not held would be unknown.
#[test]
fn a_target_that_was_renamed_meanwhile_is_still_watched() {
    let script = "read go; printf draining > /proc/$$/comm; read stop";
    let mut victim = TestProcess::start(Command::new("sh").args(["-c", script]));
    victim.until("sh runs", || victim.target().name.as_str() == "sh");
    let shown = victim.target();
    let mut control = PidfdControl::default();
    control.acquire(TargetId(1), &shown).unwrap();
    let mut input = victim.0.stdin.take().unwrap();
    writeln!(input).unwrap();
    victim.until("renamed", || victim.target().name.as_str() == "draining");
    let facts = control.acquire(TargetId(1), &shown).unwrap();
    assert_eq!(facts.current_name, Some(Text::from("draining")));
    assert!(
        !control.wait_for_exit(TargetId(1), Duration::ZERO),
        "it runs"
    );
    drop(input);
    assert!(
        control.wait_for_exit(TargetId(1), TIMEOUT),
        "and its end is seen"
    );
    assert!(
        !control.wait_for_exit(TargetId(9), Duration::ZERO),
        "of others nothing is known"
    );
}
