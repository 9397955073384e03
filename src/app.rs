//! Application state and its update function: no I/O, no drawing.
//!
//! [`App::update`] takes a [`message::Message`] and returns [`effect::Effect`]s,
//! which `run` carries out. The same messages always lead to the same state.

mod acting;
mod affair;
mod aftermath;
mod allowed;
pub mod browsing;
pub mod closing;
pub mod command;
pub mod confirm;
mod consent;
pub mod cursor;
pub mod effect;
pub mod keys;
pub mod lab;
mod leads;
pub mod learning;
pub mod machine;
pub mod message;
pub mod mode;
pub mod notice;
mod obeying;
pub mod prompt;
pub mod selection;
pub mod stream;
pub mod tags;
mod trail;
pub mod troubles;
mod watching;

use crate::explain::bounds::Bounds;
use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::{Diagnosis, diagnose, diagnose_in_lab};
use crate::explain::port::PortStatus;
use crate::explain::urgency::{Urgencies, urgencies, urgencies_after};
use crate::filter::Filter;
use crate::listing::{Quick, Sort, Undecided, arrange_with};
use crate::model::action::Policy;
use crate::model::clipboard::Clipboard;
use crate::model::event::{EventsChoice, Feed};
use crate::model::identity::Identity;
use crate::model::lesson::Course;
use crate::model::limits::Limits;
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::model::pace::Pace;
use crate::model::powers::Means;
use crate::model::row::Row;
use crate::model::session::Session;
use crate::model::socket::SocketKey;
use affair::Affair;
use closing::Answered;
use consent::Consent;
use cursor::Cursor;
use effect::Effect;
use keys::Keymap;
use lab::Lesson;
use message::Message;
use mode::Mode;
use notice::Notice;
use std::sync::Arc;
use std::time::Duration;
use tags::Tags;
use troubles::{Attention, Troubles};
use watching::Watched;

/// Intervals between readings that + and - step through.
pub const INTERVALS: [Duration; 7] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// Options of the command line.
#[derive(Clone, Debug)]
pub struct Choices {
    /// Filter on rows.
    pub filter: Filter,
    /// The quick toggles.
    pub quick: Quick,
    /// Order of the rows.
    pub sort: Sort,
    /// Numbers instead of names.
    pub numeric: bool,
    /// Interval between tables.
    pub pace: Pace,
    /// Network namespaces to read.
    pub scope: Scope,
    /// Actions on processes that are permitted.
    pub policy: Policy,
    /// Login session of this program, which must not be closed by mistake.
    pub session: Session,
    /// Reporting of findings.
    pub attention: Attention,
    /// True if the terminal shows ASCII only.
    pub latin_only: bool,
    /// Use of kernel events between tables.
    pub events: EventsChoice,
    /// Mode of the lab; none outside it.
    pub course: Option<Course>,
    /// In the lab, the limits of the host.
    pub outside: Option<Limits>,
    /// Destination of copied text.
    pub clipboard: Clipboard,
}

/// State behind the screen.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own, and any may go with any"
)]
pub struct App {
    /// The messages in the chosen language.
    pub words: &'static Catalogue,
    /// Commands by key.
    pub keymap: Keymap,
    /// The observation on screen; while paused not the latest.
    pub observation: Arc<Observation>,
    /// Latest observation received while paused.
    held_back: Option<Arc<Observation>>,
    /// True while the screen is paused.
    pub paused: bool,
    /// The active filter.
    pub filter: Filter,
    /// The quick toggles.
    pub quick: Quick,
    /// The order of the rows.
    pub sort: Sort,
    /// Numbers of the rows that are shown, in order.
    pub order: Vec<u32>,
    /// Rows that are not shown because it is unknown if they match.
    pub undecided: Undecided,
    /// The urgent rows of the observation on screen.
    pub urgencies: Arc<Urgencies>,
    /// Cursor and visible part of the table.
    pub cursor: Cursor,
    /// The page or dialog that has the keyboard.
    pub mode: Mode,
    /// Pages below that.
    trail: Vec<trail::Left>,
    /// The line above the footer.
    pub notice: Option<Notice>,
    /// True if numbers are shown instead of names.
    pub numeric: bool,
    /// Requested interval between tables.
    pub pace: Pace,
    /// Present interval between tables.
    pub interval: Duration,
    /// Processor time of a table, if the interval is longer because of it.
    pub slowed_by: Option<Duration>,
    /// Actions on processes that are permitted.
    pub policy: Policy,
    /// Network namespaces that are requested.
    pub scope: Scope,
    /// Effective abilities of this program, once probed.
    pub means: Option<Means>,
    /// The rows to act on together.
    pub tags: Tags,
    /// Error of the last reading, if it failed.
    pub failure: Option<String>,
    /// Earlier filters, the latest last.
    filters: Vec<String>,
    /// Signals that were sent, and their outcome so far.
    affairs: Vec<Affair>,
    /// Login session of this program.
    session: Session,
    /// Connections that are being closed.
    answered: Vec<Answered>,
    next_arm: u64,
    /// Number of the latest table, shown or held back.
    newest: u64,
    /// Time at which it was read, milliseconds on the monotonic clock.
    newest_ms: u64,
    /// True if an answer to the confirmation question is accepted now.
    consent: Consent,
    /// Time of the last message, from the start of the program.
    now: Duration,
    /// Details requested beyond the table.
    watched: Watched,
    /// Mutes and acknowledgements of findings, and resolved findings.
    troubles: Troubles,
    /// True if the terminal shows ASCII only: Chinese would be question marks.
    latin_only: bool,
    /// True after the first key press.
    touched: bool,
    events: EventsChoice,
    /// Progress of the lab.
    pub lesson: Option<Lesson>,
    /// In the lab, the limits of the host.
    pub outside: Option<Limits>,
    pub(crate) clipboard: Clipboard,
}

impl App {
    /// Starts without an observation.
    #[must_use]
    pub fn new(words: &'static Catalogue, choices: Choices) -> Self {
        Self {
            words,
            keymap: Keymap::standard(),
            observation: Arc::default(),
            held_back: None,
            paused: false,
            filter: choices.filter,
            quick: choices.quick,
            sort: choices.sort,
            order: Vec::new(),
            undecided: Undecided::default(),
            urgencies: Arc::default(),
            cursor: Cursor::default(),
            mode: Mode::Table,
            trail: Vec::new(),
            notice: None,
            numeric: choices.numeric,
            pace: choices.pace,
            interval: choices.pace.first(),
            slowed_by: None,
            scope: choices.scope,
            policy: choices.policy,
            means: None,
            tags: Tags::default(),
            failure: None,
            filters: Vec::new(),
            affairs: Vec::new(),
            session: choices.session,
            answered: Vec::new(),
            next_arm: 0,
            newest: 0,
            newest_ms: 0,
            consent: Consent::default(),
            now: Duration::ZERO,
            watched: Watched::default(),
            troubles: Troubles::new(choices.attention),
            latin_only: choices.latin_only,
            touched: false,
            events: choices.events,
            lesson: choices.course.map(Lesson::begin),
            outside: choices.outside,
            clipboard: choices.clipboard,
        }
    }

    /// Handles a message and returns its effects; no time has passed since the
    /// message before.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        self.update_at(message, self.now)
    }

    /// Handles a message at a time counted from the start of the program, and
    /// returns its effects.
    pub fn update_at(&mut self, message: Message, now: Duration) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut effects = self.take_in(message);
        effects.extend(self.watch_flows());
        effects.extend(self.watch_events());
        effects
    }

    fn take_in(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Observed(observation) => self.observed(observation),
            Message::Key(key) => {
                self.consent.input(self.now);
                self.key(key)
            }
            Message::Keys(keys) => self.keys(&keys),
            Message::Paste(text) => {
                self.consent.input(self.now);
                self.paste(&text)
            }
            Message::Mouse(gesture, spot) => {
                self.consent.input(self.now);
                self.mouse(gesture, spot)
            }
            Message::Drawn(drawn) => {
                self.cursor.drawn(drawn.top, drawn.page);
                self.mode.limit_scroll(drawn.longest_scroll);
                self.consent.drawn(drawn.question_shown, self.now);
                self.offer(drawn.choices_shown);
                let mut effects = self.watch_rows(drawn.top, drawn.page);
                effects.extend(self.await_answer());
                effects
            }
            Message::ReadingFailed(error) => {
                self.failure = Some(error);
                Vec::new()
            }
            Message::Paced(interval, slowed_by) => {
                self.interval = interval;
                self.slowed_by = slowed_by;
                Vec::new()
            }
            Message::Examined(means) => {
                self.means = Some(*means);
                Vec::new()
            }
            Message::Armed(id, result) => self.armed(id, result),
            Message::Reached(id, count) => self.reached(id, count),
            Message::Acted(id, outcome) => self.acted(id, outcome),
            Message::Closed(results) => self.closed(results),
            Message::Made(result) => self.made(result),
            Message::LabEnded => self.lab_ended(),
            Message::Tick => self.tick(),
        }
    }

    /// Time of the last message, from the start of the program.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The row under the cursor.
    #[must_use]
    pub fn selected(&self) -> Option<&Row> {
        let number = self.order.get(self.cursor.place())?;
        self.observation.rows.get(*number as usize)
    }

    /// Returns the explanation of a row.
    #[must_use]
    pub fn diagnosis(&self, row: &Row) -> Diagnosis {
        match &self.outside {
            Some(outside) => diagnose_in_lab(row, &self.observation, outside, self.words),
            None => diagnose(row, &self.observation, self.words),
        }
    }

    /// Fills the limits of this machine into a text.
    #[must_use]
    pub fn with_limits(&self, text: &str) -> String {
        let bounds = Bounds {
            here: &self.observation.limits,
            outside: self.outside.as_ref(),
        };
        self.words.with_limits(text, bounds)
    }

    fn observed(&mut self, observation: Arc<Observation>) -> Vec<Effect> {
        self.failure = None;
        let mut effects = self.follow_up(&observation);
        effects.extend(self.follow_up_closing(&observation));
        effects.extend(self.note_troubles(&observation));
        if self.paused {
            self.held_back = Some(observation);
            return effects;
        }
        let cursor = self.selected().map(|row| row.socket.key());
        // The first table may come before its owners, and be in another order
        // with them; the user has not chosen its first row.
        let settling = self.observation.number == 1 && self.cursor.place() == 0 && !self.touched;
        let first = self.observation.number == 0;
        let same_rows = Arc::ptr_eq(&self.observation.rows, &observation.rows);
        let marked = self.chosen_finding().map(Identity::of);
        let walked = self.walker().map(machine::where_to_look);
        let before = std::mem::replace(&mut self.observation, observation);
        self.urgencies = Arc::new(if same_rows {
            urgencies_after(&before, &self.urgencies, &self.observation)
        } else {
            urgencies(&self.observation)
        });
        drop(before);
        self.follow_finding(marked.as_ref());
        self.tags.keep_present(&self.observation);
        // Details beyond the table change neither rows nor their order.
        if !same_rows {
            let stays = settling && matches!(self.mode, Mode::Table);
            self.arrange(cursor.filter(|_| !stays));
        }
        self.leave_page_of_gone(cursor);
        if !same_rows {
            self.follow_lesson();
        }
        self.follow_walker(walked);
        if first || settling {
            self.tell_port_use();
        }
        if first {
            self.tell_refused_events();
        }
        if let Some(notice) = &self.notice
            && notice.is_over(self.observation.time)
        {
            self.notice = None;
        }
        effects.extend(self.watch_usage());
        effects
    }

    /// A page is about one socket: if that is gone, the page must not show its
    /// neighbour.
    fn leave_page_of_gone(&mut self, key: Option<SocketKey>) {
        if self.mode.is_about_one() && self.selected().map(|row| row.socket.key()) != key {
            self.mode = Mode::Table;
            self.say("row_gone", &[]);
        }
    }

    /// Updates the order of the rows; the cursor follows its socket.
    fn arrange(&mut self, cursor: Option<SocketKey>) {
        (self.order, self.undecided) = arrange_with(
            &self.observation,
            &self.filter,
            &self.sort,
            &self.quick,
            &self.urgencies,
        );
        let place = cursor.and_then(|key| {
            let has_key = |number: &u32| {
                let row = self.observation.rows.get(*number as usize);
                row.is_some_and(|row| row.socket.key() == key)
            };
            self.order.iter().position(has_key)
        });
        self.cursor.follow(place, self.order.len());
    }

    /// Updates the order of the rows after a change of filter or sorting.
    fn rearrange(&mut self) {
        let cursor = self.selected().map(|row| row.socket.key());
        self.arrange(cursor);
    }

    /// Requests CPU and memory of the process under the cursor, for details.
    fn watch_usage(&self) -> Vec<Effect> {
        if !matches!(self.mode, Mode::Details { .. }) {
            return Vec::new();
        }
        let owner = self
            .selected()
            .and_then(|row| self.observation.first_owner(row));
        owner
            .map(|owner| vec![Effect::MeasureUsage(owner.pid)])
            .unwrap_or_default()
    }

    /// With --events on, notifies the user if not all events are available.
    fn tell_refused_events(&mut self) {
        if self.events == EventsChoice::On
            && let Feed::Endings(reason) | Feed::Nothing(reason) = self.observation.chronicle.feed
        {
            let reason = self.words.screen("feed", reason.key());
            self.say("events_refused", &[("reason", reason.to_owned())]);
        }
    }

    /// Returns the status of the port that the filter names, if it names one: a
    /// sentence, and advice.
    #[must_use]
    pub fn port_use(&self) -> Option<Vec<String>> {
        let port = self.filter.single_port()?;
        (self.observation.number > 0)
            .then(|| PortStatus::of(port, &self.observation).lines(&self.observation, self.words))
    }

    /// Shows a notice with the process that has the port that the filter names.
    /// An empty table shows it by itself.
    fn tell_port_use(&mut self) {
        if !self.order.is_empty()
            && let Some(verdict) = self.port_use().and_then(|lines| lines.into_iter().next())
        {
            self.notice = Some(Notice::new(verdict, self.observation.time));
        }
    }

    /// Shows a notice from the assets.
    fn say(&mut self, name: &str, values: &[(&str, String)]) {
        let sentence = self.words.screen("notice", name);
        self.notice = notice::fill(sentence, values, self.observation.time);
    }
}
