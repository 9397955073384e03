//! Signals that end a check, and its forced end: the reader of its pipe is
//! stuck, or the kernel is slow.

use super::super::RunError;
use super::watch::Progress;
use crate::source::events;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// Time from the first signal to the exit, whatever has been written by then.
const EXIT_GRACE: Duration = Duration::from_secs(1);
/// Exit code of a check without a result: UNKNOWN of the monitoring plugins.
const EXIT_UNKNOWN: i32 = 3;

/// Starts the thread that reports the first signal and ends the program with the
/// second, or [`EXIT_GRACE`] after the first.
pub(super) fn report_signals(progress: Sender<Progress>) -> Result<(), RunError> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(RunError::io("listen for signals"))?;
    let listen = move || {
        let mut received = signals.forever();
        if received.next().is_none() {
            return;
        }
        // The receiver is dropped while the findings are being written.
        let _ = progress.send(Progress::Signal);
        let timer = thread::Builder::new().name("grace".to_owned());
        let grace = timer.spawn(|| {
            thread::sleep(EXIT_GRACE);
            exit_unknown();
        });
        // If no thread can be started, there is no grace period.
        if grace.is_err() || received.next().is_some() {
            exit_unknown();
        }
    };
    let spawned = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen);
    spawned.map(drop).map_err(RunError::io("start a thread"))
}

fn exit_unknown() {
    events::stop_all_traces();
    process::exit(EXIT_UNKNOWN);
}
