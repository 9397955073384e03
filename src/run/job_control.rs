//! Job control: the terminal belongs to the foreground process group, and a
//! program in the background neither draws on it nor changes its modes.

use super::RunError;
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use signal_hook::consts::SIGTTOU;
use signal_hook::low_level::emulate_default_handler;
use std::fs::File;
use std::io::{self, IsTerminal, stdin};
use std::os::fd::{AsFd, OwnedFd};

/// Opens the terminal that keys come from.
pub(super) fn open_terminal() -> io::Result<OwnedFd> {
    if stdin().is_terminal() {
        return stdin().as_fd().try_clone_to_owned();
    }
    Ok(File::open("/dev/tty")?.into())
}

/// Stops this process until it is in the foreground. A shell's `bg` continues
/// it in the background: there it stops again, as the kernel stops any process
/// that changes the terminal's modes from there.
pub(super) fn wait_for_foreground() -> Result<(), RunError> {
    while is_in_background() {
        emulate_default_handler(SIGTTOU).map_err(RunError::io("stop"))?;
    }
    Ok(())
}

/// True if another process group is in the foreground of the terminal. A
/// terminal that does not control this process has none, and the group of
/// another PID namespace is unknown.
pub(super) fn is_in_background() -> bool {
    open_terminal()
        .is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|foreground| foreground != getpgrp()))
}
