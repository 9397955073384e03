//! The live table: waits for events, updates the app, carries out its effects,
//! draws when something changed.

use super::action_worker::{self, ActionHandle, ActionRequest};
use super::input::Leaving;
use super::lab_worker::LabWorker;
use super::poller::{self, PollerCommand};
use super::slot::ObservationSlot;
use super::terminal::Terminal;
use super::{ExitReason, RunError, clipboard, input, job_control, lab_worker, signals};
use crate::app::effect::Effect;
use crate::app::keys::Key;
use crate::app::message::{Message, MouseAction};
use crate::app::mode::Mode;
use crate::app::{App, AppOptions};
use crate::control::ProcessControl;
use crate::control::sock_destroy::ConnectionCloser;
use crate::explain::catalogue::Catalogue;
use crate::lab::helper;
use crate::lab::session::LabSession;
use crate::model::lab::LabFailure;
use crate::monitor::{Monitor, MonitorOptions, Thresholds, UserRules};
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
const LOOKUP_BUDGET: usize = 256;

/// Number of keys that are obeyed before it is looked whether the program is to be left:
/// a debug build takes a hundredth of a second for so many.
const MOST_KEYS: usize = 32;

/// Longest time events are taken in without drawing.
const MAX_UNDRAWN: Duration = Duration::from_millis(100);

/// Input of the live table.
pub struct LiveRequest {
    /// Source of the readings.
    pub source: Box<dyn ReadingSource>,
    /// Control of processes.
    pub control: Box<dyn ProcessControl>,
    /// Closer of connections.
    pub closer: Box<dyn ConnectionCloser>,
    /// The lab session, in the lab.
    pub lab_session: Option<LabSession>,
    /// Options of the command line.
    pub options: AppOptions,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// The user's own rules, baseline and mutes.
    pub user_rules: UserRules,
    /// Message catalogue.
    pub messages: &'static Catalogue,
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
    Mouse(MouseAction, Position, Instant),
    /// The terminal's size may have changed.
    Redraw,
    /// A request to suspend the program.
    Suspend,
    /// The program was stopped, maybe by a signal that it cannot catch, and
    /// continues.
    Continued,
    /// A signal requests the end of the program.
    Terminate(i32),
    TerminalGone,
    /// No key can be read any more.
    InputFailed(io::Error),
}

/// Shows the live table until the user leaves it.
///
/// # Errors
///
/// If the terminal or a thread is unavailable.
pub fn live(request: LiveRequest) -> Result<ExitReason, RunError> {
    let (events, happened) = channel();
    let slot = ObservationSlot::default();
    signals::start(events.clone())?;
    // Before any thread that does work: a panic in it must find the terminal
    // and its hook in place.
    let terminal = Terminal::enter(request.mouse)?;
    let monitor = Monitor::new(MonitorOptions {
        lookup_budget: LOOKUP_BUDGET,
        thresholds: request.thresholds,
        user_rules: request.user_rules,
        exempt_processes: if request.options.host_limits.is_some() {
            &helper::STAGED_PROCESSES
        } else {
            &[]
        },
        ..MonitorOptions::default()
    });
    let pace = request.options.refresh_mode;
    let orders = poller::start(request.source, monitor, pace, slot.clone(), events.clone())
        .map_err(RunError::io("start a thread"))?;
    let deeds = action_worker::start(
        request.control,
        request.closer,
        request.options.access_mode,
        events.clone(),
    )
    .map_err(RunError::io("start a thread"))?;
    let teacher = request
        .lab_session
        .map(|lesson| lab_worker::start(lesson, events.clone()))
        .transpose()
        .map_err(RunError::io("start a thread"))?;
    let choices = AppOptions {
        clipboard: clipboard::detect(),
        ..request.options
    };
    let mut screen = Screen {
        terminal,
        app: App::new(request.messages, choices),
        theme: request.theme,
        frame: Frame::default(),
        slot,
        poller: orders,
        actions: deeds,
        lab: teacher,
        leaving: Leaving::default(),
        tick: None,
        started_at: Instant::now(),
    };
    input::start(events, screen.leaving.clone())?;
    screen.draw()?;
    while let Some(event) = screen.wait(&happened) {
        if let Some(ending) = screen.handle_event(event)? {
            return Ok(ending);
        }
        // Everything that waits is taken in before the one drawing, unless
        // more comes all the time.
        let until = Instant::now() + MAX_UNDRAWN;
        while let Ok(event) = happened.try_recv() {
            if let Some(ending) = screen.handle_event(event)? {
                return Ok(ending);
            }
            if Instant::now() > until {
                break;
            }
        }
        screen.draw()?;
    }
    // All threads that send events have ended.
    Err(terminal_read_error(io::ErrorKind::UnexpectedEof.into()))
}

/// The error of a terminal of which no key can be read.
fn terminal_read_error(error: io::Error) -> RunError {
    RunError::io("read the terminal")(error)
}

struct Screen {
    terminal: Terminal,
    app: App,
    theme: Theme,
    frame: Frame,
    slot: ObservationSlot,
    poller: Sender<PollerCommand>,
    actions: ActionHandle,
    lab: Option<LabWorker>,
    leaving: Leaving,
    /// Time of the app's next tick.
    tick: Option<Instant>,
    /// Time that the app counts from.
    started_at: Instant,
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
    fn handle_event(&mut self, event: Event) -> Result<Option<ExitReason>, RunError> {
        if self.leaving.is_asked() {
            return Ok(Some(ExitReason::Done));
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
                (Message::Mouse(gesture, self.frame.hit_target(position)), at)
            }
            Event::Redraw => return Ok(None),
            Event::Suspend => {
                self.terminal.suspend()?;
                return Ok(None);
            }
            Event::Continued => {
                self.terminal.reenter()?;
                return Ok(None);
            }
            Event::Terminate(signal) => return Ok(Some(ExitReason::Signal(signal))),
            Event::InputFailed(error) => return Err(terminal_read_error(error)),
            Event::TerminalGone => return Ok(Some(ExitReason::TerminalGone)),
        };
        self.obey(message, at)
    }

    /// Takes in keys that were read at once: piece by piece, so that very many do not
    /// keep the program from being left.
    fn take_keys(
        &mut self,
        mut keys: Vec<Key>,
        at: Instant,
    ) -> Result<Option<ExitReason>, RunError> {
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
        Ok(self.leaving.is_asked().then_some(ExitReason::Done))
    }

    fn obey(&mut self, message: Message, at: Instant) -> Result<Option<ExitReason>, RunError> {
        for effect in self.app.update_at(message, self.time(at)) {
            if let Some(ending) = self.apply_effect(effect)? {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    /// Converts a time to the app's clock.
    fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.started_at)
    }

    /// The threads behind the channels live as long as the program.
    fn apply_effect(&mut self, effect: Effect) -> Result<Option<ExitReason>, RunError> {
        match effect {
            Effect::Quit => return Ok(Some(ExitReason::Done)),
            Effect::Suspend => self.terminal.suspend()?,
            Effect::Refresh => drop(self.poller.send(PollerCommand::Refresh)),
            Effect::SetRefreshMode(pace) => {
                drop(self.poller.send(PollerCommand::SetRefreshMode(pace)));
            }
            Effect::SetScope(scope) => drop(self.poller.send(PollerCommand::SetScope(scope))),
            Effect::MeasureUsage(pid) => drop(self.poller.send(PollerCommand::MeasureUsage(pid))),
            Effect::ReadDetails(sockets) => drop(self.poller.send(PollerCommand::Watch(sockets))),
            Effect::IncludeTcpMetrics(wanted) => {
                drop(self.poller.send(PollerCommand::IncludeTcpCounters(wanted)));
            }
            Effect::StreamEvents(wanted) => {
                drop(self.poller.send(PollerCommand::StreamEvents(wanted)));
            }
            Effect::Mute(mutes) => drop(self.poller.send(PollerCommand::Mute(mutes))),
            Effect::Bell => super::terminal::ring_bell(),
            Effect::AcquireTarget(id, target) => {
                self.actions.send(ActionRequest::Acquire(id, target));
            }
            Effect::Signal(id, signal) => self.actions.send(ActionRequest::Signal(id, signal)),
            Effect::SignalTree(id, signal) => {
                self.actions.send(ActionRequest::SignalTree(id, signal));
            }
            Effect::ReleaseTarget(id) => self.actions.send(ActionRequest::Release(id)),
            Effect::LabAction(wish) => {
                let asked = self.lab.as_ref().is_some_and(|one| one.request(wish));
                if !asked {
                    self.app
                        .update(Message::LabActionDone(Err(LabFailure::Exited)));
                }
            }
            Effect::Close(targets) => self.actions.send(ActionRequest::Close(targets)),
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
        super::terminal::panic_if_requested("main");
        if job_control::is_in_background() {
            self.terminal.reenter()?;
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
        let effects = self.app.update_at(Message::FrameDrawn(drawn.info), now);
        self.frame = drawn;
        for effect in effects {
            // No request of a frame ends the program.
            let _ = self.apply_effect(effect)?;
        }
        Ok(())
    }
}
