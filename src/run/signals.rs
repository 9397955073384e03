//! Signals as events, and the terminal's hang-up as one.

use super::job_control::open_terminal;
use super::screen::Event;
use super::{RunError, terminal};
use crate::source::events;
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use std::os::fd::OwnedFd;
use std::process;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// A main thread that has not ended the program by now never will: it is
/// writing to a terminal that takes no more.
const GRACE: Duration = Duration::from_millis(700);
/// The same after a signal, where the terminal may still be there and the main
/// thread only slow.
const PATIENCE: Duration = Duration::from_secs(3);
/// Exit code when the terminal is gone: an error.
const TERMINAL_GONE: i32 = 2;
/// What a shell adds to the number of a signal for an exit code.
const ENDED_BY_SIGNAL: i32 = 128;

/// Starts the thread that turns signals into events.
pub(super) fn start(sender: Sender<Event>) -> Result<(), RunError> {
    let listened = [SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT, SIGWINCH];
    let mut signals = Signals::new(listened).map_err(RunError::io("listen for signals"))?;
    let spawned = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in &mut signals {
                let event = match signal {
                    SIGTSTP => Event::Suspend,
                    SIGCONT => Event::Continued,
                    SIGWINCH => Event::Redraw,
                    other => Event::Ended(other),
                };
                let ends = matches!(event, Event::Ended(_));
                if sender.send(event).is_err() {
                    break;
                }
                if ends {
                    thread::sleep(PATIENCE);
                    terminal::abandon();
                    events::end_all();
                    process::exit(ENDED_BY_SIGNAL + signal);
                }
            }
        });
    spawned.map(drop).map_err(RunError::io("start a thread"))
}

/// Starts the thread that watches for the terminal's hang-up. The input
/// library does not: it would spin for ever once the terminal is gone.
pub(super) fn watch_terminal(sender: Sender<Event>) -> Result<(), RunError> {
    let terminal = open_terminal().map_err(RunError::io("open the terminal"))?;
    let spawned = thread::Builder::new()
        .name("hang-up".to_owned())
        .spawn(move || {
            wait_for_hang_up(&terminal);
            let _ = sender.send(Event::TerminalGone);
            thread::sleep(GRACE);
            events::end_all();
            process::exit(TERMINAL_GONE);
        });
    spawned.map(drop).map_err(RunError::io("start a thread"))
}

/// Asks for no event at all: hang-up and error are reported unasked.
fn wait_for_hang_up(terminal: &OwnedFd) {
    loop {
        let mut watched = [PollFd::new(terminal, PollFlags::empty())];
        match poll(&mut watched, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
            Ok(_) => {
                let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
                if watched[0].revents().intersects(gone) {
                    return;
                }
            }
        }
    }
}
