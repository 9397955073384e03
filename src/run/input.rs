//! The thread that reads the terminal: keys, mouse and pastes as events, and
//! the terminal's hang-up as one.
//!
//! It waits with poll(2), which reports the available bytes and not only new
//! ones: no byte can stay unread in the terminal, whatever else happens at the
//! same time.

mod decoder;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod sequence;

use super::job_control::open_terminal;
use super::screen::Event;
use super::{RunError, signals};
use crate::app::keys::{Key, LEAVES};
use crate::app::message::MouseAction;
use decoder::{Decoder, Input, MouseInput};
use ratatui::layout::Position;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SendError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Two presses at one spot within this time are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);
/// Bytes of one read. A terminal holds 4095 (N_TTY_BUF_SIZE).
const READ_SIZE: usize = 4096;
/// Reads without a byte, one after another, that a terminal may give: one for
/// each end of file typed while it is in another program's modes.
const MAX_EMPTY_READS: u32 = 16;

/// Whether the key that leaves the program was read, whatever still waits before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving(Arc<AtomicBool>);

impl Leaving {
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens the terminal and starts the thread.
pub(super) fn start(events: Sender<Event>, leaving: Leaving) -> Result<(), RunError> {
    let terminal = open_terminal().map_err(RunError::io("open the terminal"))?;
    let spawned = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut reader = InputReader {
                terminal,
                decoder: Decoder::default(),
                clicks: ClickTracker::default(),
                events,
                leaving,
            };
            // The receiver is dropped: keys are no longer needed.
            let _ = reader.read_to_end();
        });
    spawned.map(drop).map_err(RunError::io("start a thread"))
}

struct InputReader {
    terminal: OwnedFd,
    decoder: Decoder,
    clicks: ClickTracker,
    events: Sender<Event>,
    leaving: Leaving,
}

impl InputReader {
    /// Sends events until the terminal is closed or unreadable.
    fn read_to_end(&mut self) -> Result<(), SendError<Event>> {
        let mut buffer = [0; READ_SIZE];
        let mut empty_reads = 0;
        loop {
            let inputs = match self.wait() {
                Ok(WakeReason::Readable) => match rustix::io::read(&self.terminal, &mut buffer) {
                    Ok(0) if empty_reads == MAX_EMPTY_READS => {
                        return self.fail(io::ErrorKind::UnexpectedEof.into());
                    }
                    Ok(0) => {
                        empty_reads += 1;
                        continue;
                    }
                    Ok(length) => {
                        empty_reads = 0;
                        self.decoder.feed(&buffer[..length])
                    }
                    Err(Errno::INTR | Errno::AGAIN) => continue,
                    Err(error) => return self.fail(error.into()),
                },
                Ok(WakeReason::Timeout) => self.decoder.expire(),
                Ok(WakeReason::HungUp) => {
                    self.events.send(Event::TerminalGone)?;
                    signals::end_without_terminal();
                }
                Err(Errno::INTR) => continue,
                Err(error) => return self.fail(error.into()),
            };
            self.send(inputs)?;
        }
    }

    /// Waits for bytes, for the hang-up, or for the decoder's deadline.
    fn wait(&self) -> Result<WakeReason, Errno> {
        let timeout = self.decoder.deadline().map(|time| Timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let mut watched = [PollFd::new(&self.terminal, PollFlags::IN)];
        if poll(&mut watched, timeout.as_ref())? == 0 {
            return Ok(WakeReason::Timeout);
        }
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        Ok(if watched[0].revents().intersects(gone) {
            WakeReason::HungUp
        } else {
            WakeReason::Readable
        })
    }

    /// Without keys the table could not be left: the program ends.
    fn fail(&self, error: io::Error) -> Result<(), SendError<Event>> {
        self.events.send(Event::InputFailed(error))
    }

    /// Sends all bytes read at once; consecutive keys as one event.
    fn send(&mut self, inputs: Vec<Input>) -> Result<(), SendError<Event>> {
        let now = Instant::now();
        if inputs.contains(&Input::Key(LEAVES)) {
            self.leaving.ask();
        }
        let mut keys = Vec::new();
        for input in inputs {
            let event = match input {
                Input::Key(key) => {
                    keys.push(key);
                    continue;
                }
                Input::Paste(text) => Event::Paste(text, now),
                Input::Mouse(mouse, position) => {
                    Event::Mouse(self.clicks.action(mouse, position, now), position, now)
                }
            };
            self.send_keys(&mut keys, now)?;
            self.events.send(event)?;
        }
        self.send_keys(&mut keys, now)
    }

    fn send_keys(&self, keys: &mut Vec<Key>, now: Instant) -> Result<(), SendError<Event>> {
        if keys.is_empty() {
            return Ok(());
        }
        self.events.send(Event::Keys(mem::take(keys), now))
    }
}

/// Reason for the end of a wait.
enum WakeReason {
    Readable,
    Timeout,
    HungUp,
}

/// Tells a double click from two clicks.
#[derive(Default)]
struct ClickTracker {
    last: Option<(Position, Instant)>,
}

impl ClickTracker {
    fn action(&mut self, mouse: MouseInput, position: Position, now: Instant) -> MouseAction {
        match mouse {
            MouseInput::Press => self.click(position, now),
            MouseInput::WheelUp => MouseAction::WheelUp,
            MouseInput::WheelDown => MouseAction::WheelDown,
        }
    }

    fn click(&mut self, position: Position, now: Instant) -> MouseAction {
        let again = self.last.is_some_and(|(place, time)| {
            place == position && now.duration_since(time) < DOUBLE_CLICK
        });
        self.last = (!again).then_some((position, now));
        if again {
            MouseAction::DoubleClick
        } else {
            MouseAction::Click
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_quick_presses_at_one_spot_are_a_double_click() {
        let mut clicks = ClickTracker::default();
        let now = Instant::now();
        let here = Position::new(3, 4);
        assert_eq!(clicks.click(here, now), MouseAction::Click);
        assert_eq!(clicks.click(here, now), MouseAction::DoubleClick);
        assert_eq!(clicks.click(here, now), MouseAction::Click);
        assert_eq!(clicks.click(Position::new(3, 5), now), MouseAction::Click);
        let later = now + Duration::from_secs(1);
        assert_eq!(clicks.click(Position::new(3, 5), later), MouseAction::Click);
    }
}
