//! Handle of one process: its pidfd, or, without pidfds and if the user accepts
//! the risk, only its pid.

use super::process_tree;
use super::syscalls::Syscalls;
use crate::model::action::{HandleKind, SignalRefusal};
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
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Handle of a process.
#[derive(Debug)]
pub(super) enum ProcessHandle {
    /// By a descriptor that names it for good.
    Pidfd(OwnedFd),
    /// By its number, which another process may be given once it has ended,
    /// and its start time.
    Pid { pid: u32, start_ticks: u64 },
}

impl ProcessHandle {
    /// Opens a pidfd.
    pub(super) fn open(calls: &dyn Syscalls, pid: u32) -> Result<Self, SignalRefusal> {
        let opened = calls
            .open_pidfd(raw_pid(pid)?)
            .map_err(|error| match error {
                // A pid shown by `/proc` but unknown here: the process has ended,
                // or `/proc` counts pids differently.
                Errno::SRCH if !process_tree::is_proc_of_own_pid_namespace() => {
                    SignalRefusal::ForeignProc
                }
                Errno::SRCH => SignalRefusal::Gone,
                // A filter on system calls answers EPERM; opening needs no
                // permission otherwise.
                Errno::NOSYS | Errno::PERM => SignalRefusal::NoPidfd,
                other => failed_refusal(other),
            })?;
        // All verification uses `/proc`, which may belong to another PID
        // namespace, where the pid means another process. The kernel reports
        // the pid of a pidfd as that `/proc` counts.
        match process_tree::pid_of(&opened) {
            Some(number) if i64::from(pid) == number => Ok(Self::Pidfd(opened)),
            Some(..=-1) => Err(SignalRefusal::Gone),
            _ => Err(SignalRefusal::ForeignProc),
        }
    }

    /// Holds a process by its number only.
    pub(super) fn by_pid(pid: u32, start_ticks: u64) -> Result<Self, SignalRefusal> {
        if process_tree::is_proc_of_own_pid_namespace() {
            Ok(Self::Pid { pid, start_ticks })
        } else {
            Err(SignalRefusal::ForeignProc)
        }
    }

    /// Sends a signal.
    pub(super) fn signal(&self, calls: &dyn Syscalls, signal: Signal) -> Result<(), Errno> {
        match self {
            Self::Pidfd(pidfd) => calls.send_to_pidfd(pidfd, signal),
            Self::Pid { pid, .. } => {
                let pid = raw_pid(*pid).map_err(|_| Errno::SRCH)?;
                calls.send_to_pid(pid, signal)
            }
        }
    }

    /// Waits with a timeout until the process has exited. An unreaped process
    /// has exited, too.
    pub(super) fn wait_for_exit(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        match self {
            Self::Pidfd(pidfd) => wait_readable(pidfd, deadline),
            Self::Pid { pid, start_ticks } => loop {
                let stat = process_tree::read_stat(*pid);
                let there = stat.is_some_and(|stat| {
                    stat.start_ticks == *start_ticks && !process_tree::has_ended(*pid, &stat)
                });
                if !there || Instant::now() >= deadline {
                    break !there;
                }
                thread::sleep(POLL_INTERVAL);
            },
        }
    }

    /// Kind of the handle.
    pub(super) fn kind(&self) -> HandleKind {
        match self {
            Self::Pidfd(_) => HandleKind::Pidfd,
            Self::Pid { .. } => HandleKind::PidOnly,
        }
    }
}

/// The number in the form system calls take.
pub(super) fn raw_pid(pid: u32) -> Result<Pid, SignalRefusal> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(SignalRefusal::Gone)
}

/// Wraps an error without a message of its own.
pub(super) fn failed_refusal(error: Errno) -> SignalRefusal {
    SignalRefusal::Failed(Text::from(io::Error::from(error).to_string().as_str()))
}

/// A pidfd becomes readable when its process has ended.
fn wait_readable(pidfd: &OwnedFd, deadline: Instant) -> bool {
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
