//! Signals as events.

use super::screen::Event;
use super::{RunError, terminal};
use crate::source::events;
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1,
    SIGUSR2, SIGVTALRM, SIGWINCH, SIGXCPU, SIGXFSZ,
};
use signal_hook::iterator::Signals;
use std::process;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// A main thread that has not ended the program by now never will: it is
/// writing to a terminal that takes no more.
const TERMINAL_GONE_GRACE: Duration = Duration::from_millis(700);
/// Same after a signal, when the terminal may still be there and the main
/// thread only slow.
const SIGNAL_GRACE: Duration = Duration::from_secs(3);
/// Exit code when the terminal is closed: an error.
const EXIT_TERMINAL_GONE: i32 = 2;
/// Number that a shell adds to a signal for the exit code.
const SIGNAL_EXIT_BASE: i32 = 128;

/// Signals from outside that end a program which does not catch them, and so
/// would leave the terminal in our modes. Not those of a fault in the program
/// itself: their handler must not return.
const TERMINATING_SIGNALS: [i32; 12] = [
    SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGABRT, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF,
    SIGXCPU, SIGIO,
];

/// Lets a file that would be longer than allowed (`ulimit -f`) be an error of the
/// write, which can clean up, instead of the end of the program.
pub fn ignore_file_size_signal() {
    // Nothing is done about the signal itself, nor if it cannot be caught.
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
}

/// Starts the thread that turns signals into events.
pub(super) fn start(sender: Sender<Event>) -> Result<(), RunError> {
    let listened = [SIGTSTP, SIGCONT, SIGWINCH]
        .into_iter()
        .chain(TERMINATING_SIGNALS);
    let mut signals = Signals::new(listened).map_err(RunError::io("listen for signals"))?;
    let spawned = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in &mut signals {
                let event = match signal {
                    SIGTSTP => Event::Suspend,
                    SIGCONT => Event::Continued,
                    SIGWINCH => Event::Redraw,
                    other => Event::Terminate(other),
                };
                let ends = matches!(event, Event::Terminate(_));
                if sender.send(event).is_err() {
                    break;
                }
                if ends {
                    thread::sleep(SIGNAL_GRACE);
                    terminal::leave_raw_mode();
                    events::stop_all_traces();
                    process::exit(SIGNAL_EXIT_BASE + signal);
                }
            }
        });
    spawned.map(drop).map_err(RunError::io("start a thread"))
}

/// Ends the program, whose terminal is closed, unless the main thread does so
/// by itself.
pub(super) fn end_without_terminal() -> ! {
    thread::sleep(TERMINAL_GONE_GRACE);
    events::stop_all_traces();
    process::exit(EXIT_TERMINAL_GONE);
}
