//! The live table: waits for events, updates the app, carries out its effects,
//! draws when something changed.

use super::actor::{self, Deed, Deeds};
use super::input::Leaving;
use super::poller::{self, Order};
use super::slot::Slot;
use super::teacher::Teacher;
use super::terminal::Terminal;
use super::{Ending, RunError, clipboard, input, job_control, signals, teacher};
use crate::app::effect::Effect;
use crate::app::keys::Key;
use crate::app::message::{Gesture, Message};
use crate::app::mode::Mode;
use crate::app::{App, Choices};
use crate::control::Control;
use crate::control::destroy::Close;
use crate::explain::catalogue::Catalogue;
use crate::lab::helper;
use crate::lab::lesson::Lesson;
use crate::model::lesson::Unmade;
use crate::monitor::{Monitor, MonitorOptions, Thresholds, Wishes};
use crate::report::json;
use crate::source::ReadingSource;
use crate::view::theme::Theme;
use crate::view::{self, Frame};
use ratatui::layout::Position;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Largest number of sockets missing from a table that are looked up before
/// they count as closed. That many queries take about a millisecond.
const SETTLED: usize = 256;

/// Number of keys that are obeyed before it is looked whether the program is to be left:
/// a debug build takes a hundredth of a second for so many.
const MOST_KEYS: usize = 32;

/// Longest time events are taken in without drawing.
const LONGEST_UNDRAWN: Duration = Duration::from_millis(100);

/// Input of the live table.
pub struct LiveRequest {
    /// Source of the readings.
    pub source: Box<dyn ReadingSource>,
    /// Control of processes.
    pub control: Box<dyn Control>,
    /// Closer of connections.
    pub closer: Box<dyn Close>,
    /// The lab session, in the lab.
    pub lesson: Option<Lesson>,
    /// Options of the command line.
    pub choices: Choices,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// The user's own rules, baseline and mutes.
    pub wishes: Wishes,
    /// Message catalogue.
    pub words: &'static Catalogue,
    /// The look.
    pub theme: Theme,
    /// True if the mouse is captured.
    pub mouse: bool,
}

/// Event of the live table.
pub(super) enum Event {
    /// The slot holds a new observation.
    Observed,
    /// A message for the app as it is.
    Message(Box<Message>),
    /// Keys that were read from the terminal at once, and when.
    Keys(Vec<Key>, Instant),
    /// Text that was pasted, and when it was read.
    Paste(String, Instant),
    /// Something done with the mouse, and when it was read.
    Mouse(Gesture, Position, Instant),
    /// The terminal's size may have changed.
    Redraw,
    /// A request to suspend the program.
    Suspend,
    /// The program was stopped, maybe by a signal that it cannot catch, and
    /// continues.
    Continued,
    /// A signal requests the end of the program.
    Ended(i32),
    TerminalGone,
    /// No key can be read any more.
    InputFailed(io::Error),
}

/// Shows the live table until the user leaves it.
///
/// # Errors
///
/// If the terminal or a thread is unavailable.
pub fn live(request: LiveRequest) -> Result<Ending, RunError> {
    let (events, happened) = channel();
    let slot = Slot::default();
    signals::start(events.clone())?;
    // Before any thread that does work: a panic in it must find the terminal
    // and its hook in place.
    let terminal = Terminal::enter(request.mouse)?;
    let monitor = Monitor::new(MonitorOptions {
        settled: SETTLED,
        thresholds: request.thresholds,
        wishes: request.wishes,
        staged: if request.choices.outside.is_some() {
            &helper::STAGED
        } else {
            &[]
        },
        ..MonitorOptions::default()
    });
    let pace = request.choices.pace;
    let orders = poller::start(request.source, monitor, pace, slot.clone(), events.clone())
        .map_err(RunError::io("start a thread"))?;
    let deeds = actor::start(
        request.control,
        request.closer,
        request.choices.policy,
        events.clone(),
    )
    .map_err(RunError::io("start a thread"))?;
    let teacher = request
        .lesson
        .map(|lesson| teacher::start(lesson, events.clone()))
        .transpose()
        .map_err(RunError::io("start a thread"))?;
    let choices = Choices {
        clipboard: clipboard::here(),
        ..request.choices
    };
    let mut screen = Screen {
        terminal,
        app: App::new(request.words, choices),
        theme: request.theme,
        frame: Frame::default(),
        slot,
        orders,
        deeds,
        teacher,
        leaving: Leaving::default(),
        tick: None,
        begun: Instant::now(),
    };
    input::start(events, screen.leaving.clone())?;
    screen.draw()?;
    while let Some(event) = screen.wait(&happened) {
        if let Some(ending) = screen.take(event)? {
            return Ok(ending);
        }
        // Everything that waits is taken in before the one drawing, unless
        // more comes all the time.
        let until = Instant::now() + LONGEST_UNDRAWN;
        while let Ok(event) = happened.try_recv() {
            if let Some(ending) = screen.take(event)? {
                return Ok(ending);
            }
            if Instant::now() > until {
                break;
            }
        }
        screen.draw()?;
    }
    // All threads that send events have ended.
    Err(unread(io::ErrorKind::UnexpectedEof.into()))
}

/// The error of a terminal of which no key can be read.
fn unread(error: io::Error) -> RunError {
    RunError::io("read the terminal")(error)
}

struct Screen {
    terminal: Terminal,
    app: App,
    theme: Theme,
    frame: Frame,
    slot: Slot,
    orders: Sender<Order>,
    deeds: Deeds,
    teacher: Option<Teacher>,
    leaving: Leaving,
    /// Time of the app's next tick.
    tick: Option<Instant>,
    /// Time that the app counts from.
    begun: Instant,
}

impl Screen {
    /// Waits for the next event; none once no sender is left. Without an
    /// animation only an event ends the wait.
    fn wait(&mut self, happened: &Receiver<Event>) -> Option<Event> {
        let Some(due) = self.tick else {
            return happened.recv().ok();
        };
        match happened.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => {
                self.tick = None;
                Some(Event::Message(Box::new(Message::Tick)))
            }
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Handles one event; an exit reason ends the program.
    fn take(&mut self, event: Event) -> Result<Option<Ending>, RunError> {
        if self.leaving.is_asked() {
            return Ok(Some(Ending::Done));
        }
        let (message, at) = match event {
            Event::Observed => match self.slot.take() {
                Some(observation) => (Message::Observed(observation), Instant::now()),
                None => return Ok(None),
            },
            Event::Message(message) => (*message, Instant::now()),
            // Keys that waited while the terminal was slow were typed earlier.
            Event::Keys(keys, at) => return self.take_keys(keys, at),
            Event::Paste(text, at) => (Message::Paste(text), at),
            Event::Mouse(gesture, position, at) => {
                (Message::Mouse(gesture, self.frame.spot(position)), at)
            }
            Event::Redraw => return Ok(None),
            Event::Suspend => {
                self.terminal.suspend()?;
                return Ok(None);
            }
            Event::Continued => {
                self.terminal.take_again()?;
                return Ok(None);
            }
            Event::Ended(signal) => return Ok(Some(Ending::Signal(signal))),
            Event::InputFailed(error) => return Err(unread(error)),
            Event::TerminalGone => return Ok(Some(Ending::TerminalGone)),
        };
        self.obey(message, at)
    }

    /// Takes in keys that were read at once: piece by piece, so that very many do not
    /// keep the program from being left.
    fn take_keys(&mut self, mut keys: Vec<Key>, at: Instant) -> Result<Option<Ending>, RunError> {
        while !keys.is_empty() && !self.leaving.is_asked() {
            let is_typed = |key: &&Key| matches!(key, Key::Char(_));
            let most = match self.app.mode {
                // A line is parsed once for all that is typed into it.
                Mode::Prompt(_) => keys.iter().take_while(is_typed).count().max(MOST_KEYS),
                _ => MOST_KEYS,
            };
            let later = keys.split_off(keys.len().min(most));
            let message = Message::Keys(std::mem::replace(&mut keys, later));
            if let Some(ending) = self.obey(message, at)? {
                return Ok(Some(ending));
            }
        }
        Ok(self.leaving.is_asked().then_some(Ending::Done))
    }

    fn obey(&mut self, message: Message, at: Instant) -> Result<Option<Ending>, RunError> {
        for effect in self.app.update_at(message, self.time(at)) {
            if let Some(ending) = self.carry_out(effect)? {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    /// Converts a time to the app's clock.
    fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.begun)
    }

    /// The threads behind the channels live as long as the program.
    fn carry_out(&mut self, effect: Effect) -> Result<Option<Ending>, RunError> {
        match effect {
            Effect::Quit => return Ok(Some(Ending::Done)),
            Effect::Suspend => self.terminal.suspend()?,
            Effect::Refresh => drop(self.orders.send(Order::Refresh)),
            Effect::SetPace(pace) => drop(self.orders.send(Order::Pace(pace))),
            Effect::SetScope(scope) => drop(self.orders.send(Order::Scope(scope))),
            Effect::MeasureUsage(pid) => drop(self.orders.send(Order::Usage(pid))),
            Effect::Watch(sockets) => drop(self.orders.send(Order::Watch(sockets))),
            Effect::IncludeFlows(wanted) => drop(self.orders.send(Order::IncludeFlows(wanted))),
            Effect::StreamEvents(wanted) => drop(self.orders.send(Order::StreamEvents(wanted))),
            Effect::Mute(mutes) => drop(self.orders.send(Order::Mute(mutes))),
            Effect::Ring => super::terminal::ring(),
            Effect::Arm(id, target) => self.deeds.send(Deed::Arm(id, target)),
            Effect::Signal(id, signal) => self.deeds.send(Deed::Signal(id, signal)),
            Effect::SignalTree(id, signal) => self.deeds.send(Deed::SignalTree(id, signal)),
            Effect::Disarm(id) => self.deeds.send(Deed::Disarm(id)),
            Effect::Make(wish) => {
                let asked = self.teacher.as_ref().is_some_and(|one| one.ask(wish));
                if !asked {
                    self.app.update(Message::Made(Err(Unmade::Gone)));
                }
            }
            Effect::Close(targets) => self.deeds.send(Deed::Close(targets)),
            Effect::TickAfter(time) => self.tick = Instant::now().checked_add(time),
            Effect::Copy(text) => clipboard::copy(&text, self.app.clipboard),
            Effect::CopyJson => {
                if let Some(row) = self.app.selected() {
                    let json = json::socket(row, &self.app.observation);
                    clipboard::copy(&json, self.app.clipboard);
                }
            }
        }
        Ok(None)
    }

    fn draw(&mut self) -> Result<(), RunError> {
        #[cfg(debug_assertions)]
        super::terminal::panic_if_asked("main");
        if job_control::is_in_background() {
            self.terminal.take_again()?;
        }
        let (app, theme) = (&self.app, self.theme);
        let mut drawn = Frame::default();
        self.terminal
            .draw(|frame| {
                drawn = view::draw(app, theme, frame.buffer_mut());
                if let Some(caret) = drawn.caret {
                    frame.set_cursor_position(caret);
                }
            })
            .map_err(RunError::io("draw"))?;
        let now = self.time(Instant::now());
        let effects = self.app.update_at(Message::Drawn(drawn.drawn), now);
        self.frame = drawn;
        for effect in effects {
            // No request of a frame ends the program.
            let _ = self.carry_out(effect)?;
        }
        Ok(())
    }
}
