//! The system calls for process handles and signals, so that tests can replace
//! a kernel without pidfds and record the signals.

use crate::model::signal::Signal;
use rustix::io::Errno;
use rustix::process::{self, Pid, PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;

/// System calls of this module.
pub(super) trait Syscalls: Send + Sync {
    /// pidfd_open(2).
    fn open_pidfd(&self, pid: Pid) -> Result<OwnedFd, Errno>;

    /// pidfd_send_signal(2): reaches the opened process or none.
    fn send_to_pidfd(&self, pidfd: &OwnedFd, signal: Signal) -> Result<(), Errno>;

    /// kill(2): reaches the process that has the pid at that time.
    fn send_to_pid(&self, pid: Pid, signal: Signal) -> Result<(), Errno>;
}

/// System calls of the running kernel.
#[derive(Debug, Default)]
pub(super) struct KernelSyscalls;

impl Syscalls for KernelSyscalls {
    fn open_pidfd(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        pidfd_open(pid, PidfdFlags::empty())
    }

    fn send_to_pidfd(&self, pidfd: &OwnedFd, signal: Signal) -> Result<(), Errno> {
        pidfd_send_signal(pidfd, raw_signal(signal))
    }

    fn send_to_pid(&self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        kill_process(pid, raw_signal(signal))
    }
}

fn raw_signal(signal: Signal) -> process::Signal {
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
