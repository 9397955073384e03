//! Ends a process through a pidfd: the one way that cannot hit another.

use super::facts::{self, Facts};
use super::{Control, guards};
use crate::model::action::{ArmId, ArmedFacts, Outcome, Refusal, Target};
use crate::model::signal::Signal;
use crate::model::text::Text;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{self, Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Holds armed targets by their pidfds.
#[derive(Default)]
pub struct PidfdControl {
    armed: HashMap<ArmId, Armed>,
}

struct Armed {
    pidfd: OwnedFd,
    target: Target,
}

impl Control for PidfdControl {
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
        guards::by_number(target.pid, std::process::id())?;
        // Opened first, verified afterwards: whatever /proc says from here on
        // is about the process this descriptor names, or the descriptor is
        // dead and the signal fails.
        let pidfd = open(target.pid)?;
        let facts = verify(target)?;
        permitted(target.pid)?;
        let gathered = gather(target, &facts);
        let target = target.clone();
        self.armed.insert(id, Armed { pidfd, target });
        Ok(gathered)
    }

    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome {
        let Some(armed) = self.armed.get(&id) else {
            return Outcome::Refused(Refusal::Gone);
        };
        let sent = Instant::now();
        let result = verify(&armed.target).and_then(|facts| {
            if facts.stat.zombie {
                return Err(Refusal::Zombie);
            }
            pidfd_send_signal(&armed.pidfd, number(signal))
                .map_err(|error| refusal(error, armed.target.pid))
        });
        match result {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(()) if ended(&armed.pidfd, Duration::from_millis(300)) => Outcome::Ended {
                after: sent.elapsed(),
                signal,
            },
            Ok(()) => Outcome::Sent { signal },
        }
    }

    fn wait(&mut self, id: ArmId, patience: Duration) -> bool {
        self.armed
            .get(&id)
            .is_none_or(|armed| ended(&armed.pidfd, patience))
    }

    fn disarm(&mut self, id: ArmId) {
        self.armed.remove(&id);
    }
}

fn open(pid: u32) -> Result<OwnedFd, Refusal> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Refusal::Gone)?;
    pidfd_open(pid, PidfdFlags::empty()).map_err(|error| match error {
        Errno::SRCH => Refusal::Gone,
        Errno::NOSYS | Errno::PERM => Refusal::NoPidfd,
        other => Refusal::Failed(Text::from(io::Error::from(other).to_string().as_str())),
    })
}

fn verify(target: &Target) -> Result<Facts, Refusal> {
    let facts = Facts::read(target.pid).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::Gone,
        _ => Refusal::Failed(Text::from(error.to_string().as_str())),
    })?;
    guards::by_identity(&facts, target)?;
    Ok(facts)
}

/// Asks the kernel without sending anything: signal 0 has no name in rustix, so
/// the same rule is asked of kill(pid, 0), which cannot do harm to anyone.
fn permitted(pid: u32) -> Result<(), Refusal> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Err(Refusal::Gone);
    };
    rustix::process::test_kill_process(number).map_err(|error| refusal(error, pid))
}

fn refusal(error: Errno, pid: u32) -> Refusal {
    match error {
        Errno::SRCH => Refusal::Gone,
        Errno::PERM => Refusal::NotPermitted {
            uid: facts::uid(pid),
        },
        Errno::NOSYS => Refusal::NoPidfd,
        other => Refusal::Failed(Text::from(io::Error::from(other).to_string().as_str())),
    }
}

fn number(signal: Signal) -> process::Signal {
    match signal {
        Signal::Term => process::Signal::TERM,
        Signal::Kill => process::Signal::KILL,
        Signal::Int => process::Signal::INT,
        Signal::Hup => process::Signal::HUP,
        Signal::Stop => process::Signal::STOP,
        Signal::Cont => process::Signal::CONT,
        Signal::Usr1 => process::Signal::USR1,
        Signal::Usr2 => process::Signal::USR2,
    }
}

/// A pidfd becomes readable when its process has ended.
fn ended(pidfd: &OwnedFd, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut watched = [PollFd::new(pidfd, PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Err(Errno::INTR) => {}
            Err(_) | Ok(0) => return false,
            Ok(_) => return true,
        }
    }
}

fn gather(target: &Target, facts: &Facts) -> ArmedFacts {
    ArmedFacts {
        target: target.clone(),
        command: facts::command(target.pid),
        uid: facts::uid(target.pid),
        children: facts::children(target.pid),
        parent: (facts.stat.parent != 0).then(|| {
            let name = facts::name(facts.stat.parent).unwrap_or_default();
            (facts.stat.parent, name)
        }),
        zombie: facts.stat.zombie,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// Asleep until its standard input closes, so that a failing test leaves
    /// nothing behind.
    fn victim() -> Child {
        Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn target(child: &Child) -> Target {
        // Between fork and exec the child still has the parent's name, and
        // for a moment after it no command line.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let facts = Facts::read(child.id()).unwrap();
            if facts.stat.name == b"cat" && !facts::command(child.id()).is_empty() {
                return Target {
                    pid: child.id(),
                    start_ticks: facts.stat.start_ticks,
                    name: Text::new(&facts.stat.name),
                    inode: None,
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
    fn a_process_with_another_start_or_name_is_left_alone() {
        let mut child = victim();
        let shown = target(&child);
        let mut control = PidfdControl::default();
        let older = Target {
            start_ticks: shown.start_ticks + 1,
            ..shown.clone()
        };
        let renamed = Target {
            name: Text::from("dog"),
            ..shown.clone()
        };
        let elsewhere = Target {
            inode: std::num::NonZeroU32::new(1),
            ..shown
        };
        assert_eq!(control.arm(ArmId(1), &older), Err(Refusal::Replaced));
        assert_eq!(control.arm(ArmId(2), &renamed), Err(Refusal::Renamed));
        assert_eq!(control.arm(ArmId(3), &elsewhere), Err(Refusal::NotHolder));
        for id in 1..=3 {
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
                start_ticks: 0,
                name: Text::default(),
                inode: None,
            };
            assert_eq!(control.arm(ArmId(1), &target), Err(refusal));
        }
    }
}
