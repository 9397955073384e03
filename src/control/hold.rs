//! Handle of one process: its pidfd, or, without pidfds and if the user accepts
//! the risk, only its pid.

use super::calls::Calls;
use super::kin;
use crate::model::action::{Grip, Refusal};
use crate::model::signal::Signal;
use crate::model::text::Text;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Pid;
use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

/// Poll interval for a process that is held by its pid.
const GLANCE: Duration = Duration::from_millis(20);

/// Handle of a process.
#[derive(Debug)]
pub(super) enum Hold {
    /// By a descriptor that names it for good.
    Pidfd(OwnedFd),
    /// By its number, which another process may be given once it has ended,
    /// and its start time.
    Number { pid: u32, start_ticks: u64 },
}

impl Hold {
    /// Opens a pidfd.
    pub(super) fn open(calls: &dyn Calls, pid: u32) -> Result<Self, Refusal> {
        let opened = calls.open(raw(pid)?).map_err(|error| match error {
            // A pid shown by `/proc` but unknown here: the process has ended,
            // or `/proc` counts pids differently.
            Errno::SRCH if !kin::proc_is_ours() => Refusal::ForeignProc,
            Errno::SRCH => Refusal::Gone,
            // A filter on system calls answers EPERM; opening needs no
            // permission otherwise.
            Errno::NOSYS | Errno::PERM => Refusal::NoPidfd,
            other => failed(other),
        })?;
        // All verification uses `/proc`, which may belong to another PID
        // namespace, where the pid means another process. The kernel reports
        // the pid of a pidfd as that `/proc` counts.
        match kin::number_of(&opened) {
            Some(number) if i64::from(pid) == number => Ok(Self::Pidfd(opened)),
            Some(..=-1) => Err(Refusal::Gone),
            _ => Err(Refusal::ForeignProc),
        }
    }

    /// Holds a process by its number only.
    pub(super) fn number(pid: u32, start_ticks: u64) -> Result<Self, Refusal> {
        if kin::proc_is_ours() {
            Ok(Self::Number { pid, start_ticks })
        } else {
            Err(Refusal::ForeignProc)
        }
    }

    /// Sends a signal.
    pub(super) fn send(&self, calls: &dyn Calls, signal: Signal) -> Result<(), Errno> {
        match self {
            Self::Pidfd(pidfd) => calls.send(pidfd, signal),
            Self::Number { pid, .. } => {
                let pid = raw(*pid).map_err(|_| Errno::SRCH)?;
                calls.send_to_number(pid, signal)
            }
        }
    }

    /// Waits with a timeout until the process has exited. An unreaped process
    /// has exited, too.
    pub(super) fn ended(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        match self {
            Self::Pidfd(pidfd) => readable(pidfd, deadline),
            Self::Number { pid, start_ticks } => loop {
                let stat = kin::stat(*pid);
                let there = stat.is_some_and(|stat| {
                    stat.start_ticks == *start_ticks && !kin::has_ended(*pid, &stat)
                });
                if !there || Instant::now() >= deadline {
                    break !there;
                }
                thread::sleep(GLANCE);
            },
        }
    }

    /// Kind of the handle.
    pub(super) fn grip(&self) -> Grip {
        match self {
            Self::Pidfd(_) => Grip::Pidfd,
            Self::Number { .. } => Grip::Number,
        }
    }
}

/// The number in the form system calls take.
pub(super) fn raw(pid: u32) -> Result<Pid, Refusal> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(Refusal::Gone)
}

/// Wraps an error without a message of its own.
pub(super) fn failed(error: Errno) -> Refusal {
    Refusal::Failed(Text::from(io::Error::from(error).to_string().as_str()))
}

/// A pidfd becomes readable when its process has ended.
fn readable(pidfd: &OwnedFd, deadline: Instant) -> bool {
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
