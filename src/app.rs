//! Application state and its update function: no I/O, no drawing.
//!
//! [`App::update`] takes a [`message::Message`] and returns [`effect::Effect`]s,
//! which `run` carries out. The same messages always lead to the same state.

mod availability;
pub mod close_connection;
pub mod command;
mod confirmation_guard;
pub mod cursor;
mod detail_requests;
mod dispatch;
pub mod effect;
mod end_process;
pub mod events_page;
mod finding_filter;
pub mod findings_state;
pub mod keys;
pub mod lab;
pub mod lessons;
pub mod message;
pub mod mode;
pub mod navigation;
pub mod notice;
mod page_stack;
mod port_outcome;
pub mod prompt;
pub mod selection;
pub mod signal_confirmation;
mod signal_job;
pub mod state_machine_page;
pub mod tags;

use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::{Diagnosis, diagnose, diagnose_in_lab};
use crate::explain::limit_context::LimitContext;
use crate::explain::port::PortStatus;
use crate::explain::urgency::{RowUrgencies, urgencies, urgencies_after};
use crate::filter::Filter;
use crate::listing::{QuickFilter, Sort, Undecided, select_rows_with_urgencies};
use crate::model::action::AccessMode;
use crate::model::clipboard::Clipboard;
use crate::model::event::{EventSource, EventsMode};
use crate::model::finding_key::FindingKey;
use crate::model::lab::LabMode;
use crate::model::limits::Limits;
use crate::model::login_session::LoginSession;
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::model::privileges::ProbedCapabilities;
use crate::model::refresh_mode::RefreshMode;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use close_connection::PendingClose;
use confirmation_guard::ConfirmationGuard;
use cursor::Cursor;
use detail_requests::RequestedDetails;
use effect::Effect;
use findings_state::{AlertOptions, FindingsState};
use keys::Keymap;
use lab::LabProgress;
use message::Message;
use mode::Mode;
use notice::Notice;
use signal_job::SignalJob;
use std::sync::Arc;
use std::time::Duration;
use tags::Tags;

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
pub struct AppOptions {
    /// Filter on rows.
    pub filter: Filter,
    /// The quick toggles.
    pub quick_filter: QuickFilter,
    /// Order of the rows.
    pub sort: Sort,
    /// Numbers instead of names.
    pub numeric: bool,
    /// Interval between tables.
    pub refresh_mode: RefreshMode,
    /// Network namespaces to read.
    pub scope: NamespaceScope,
    /// Actions on processes that are permitted.
    pub access_mode: AccessMode,
    /// Login session of this program, which must not be closed by mistake.
    pub login_session: LoginSession,
    /// Reporting of findings.
    pub alerts: AlertOptions,
    /// True if the terminal shows ASCII only.
    pub ascii_only: bool,
    /// Use of kernel events between tables.
    pub events: EventsMode,
    /// Mode of the lab; none outside it.
    pub lab_mode: Option<LabMode>,
    /// In the lab, the limits of the host.
    pub host_limits: Option<Limits>,
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
    pub messages: &'static Catalogue,
    /// Commands by key.
    pub keymap: Keymap,
    /// The observation on screen; while paused not the latest.
    pub observation: Arc<Observation>,
    /// Latest observation received while paused.
    paused_observation: Option<Arc<Observation>>,
    /// True while the screen is paused.
    pub paused: bool,
    /// The active filter.
    pub filter: Filter,
    /// The quick toggles.
    pub quick_filter: QuickFilter,
    /// The order of the rows.
    pub sort: Sort,
    /// Numbers of the rows that are shown, in order.
    pub row_order: Vec<u32>,
    /// Rows that are not shown because it is unknown if they match.
    pub undecided: Undecided,
    /// The urgent rows of the observation on screen.
    pub urgencies: Arc<RowUrgencies>,
    /// Cursor and visible part of the table.
    pub cursor: Cursor,
    /// The page or dialog that has the keyboard.
    pub mode: Mode,
    /// Pages below that.
    page_stack: Vec<page_stack::PageEntry>,
    /// The line above the footer.
    pub notice: Option<Notice>,
    /// True if numbers are shown instead of names.
    pub numeric: bool,
    /// Requested interval between tables.
    pub refresh_mode: RefreshMode,
    /// Present interval between tables.
    pub interval: Duration,
    /// Processor time of a table, if the interval is longer because of it.
    pub table_cost: Option<Duration>,
    /// Actions on processes that are permitted.
    pub access_mode: AccessMode,
    /// Network namespaces that are requested.
    pub scope: NamespaceScope,
    /// Effective abilities of this program, once probed.
    pub capabilities: Option<ProbedCapabilities>,
    /// The rows to act on together.
    pub tags: Tags,
    /// Error of the last reading, if it failed.
    pub failure: Option<String>,
    /// Earlier filters, the latest last.
    filter_history: Vec<String>,
    /// Signals that were sent, and their outcome so far.
    signal_jobs: Vec<SignalJob>,
    /// Login session of this program.
    login_session: LoginSession,
    /// Connections that are being closed.
    pending_closes: Vec<PendingClose>,
    next_target_id: u64,
    /// Number of the latest table, shown or held back.
    latest_table: u64,
    /// Time at which it was read, milliseconds on the monotonic clock.
    latest_table_ms: u64,
    /// True if an answer to the confirmation question is accepted now.
    confirmation_guard: ConfirmationGuard,
    /// Time of the last message, from the start of the program.
    now: Duration,
    /// Details requested beyond the table.
    requested_details: RequestedDetails,
    /// Mutes and acknowledgements of findings, and resolved findings.
    findings_state: FindingsState,
    /// True if the terminal shows ASCII only: Chinese would be question marks.
    ascii_only: bool,
    /// True after the first key press.
    key_pressed: bool,
    events: EventsMode,
    /// Progress of the lab.
    pub lab: Option<LabProgress>,
    /// In the lab, the limits of the host.
    pub host_limits: Option<Limits>,
    pub(crate) clipboard: Clipboard,
}

impl App {
    /// Starts without an observation.
    #[must_use]
    pub fn new(messages: &'static Catalogue, choices: AppOptions) -> Self {
        Self {
            messages,
            keymap: Keymap::standard(),
            observation: Arc::default(),
            paused_observation: None,
            paused: false,
            filter: choices.filter,
            quick_filter: choices.quick_filter,
            sort: choices.sort,
            row_order: Vec::new(),
            undecided: Undecided::default(),
            urgencies: Arc::default(),
            cursor: Cursor::default(),
            mode: Mode::Table,
            page_stack: Vec::new(),
            notice: None,
            numeric: choices.numeric,
            refresh_mode: choices.refresh_mode,
            interval: choices.refresh_mode.initial_interval(),
            table_cost: None,
            scope: choices.scope,
            access_mode: choices.access_mode,
            capabilities: None,
            tags: Tags::default(),
            failure: None,
            filter_history: Vec::new(),
            signal_jobs: Vec::new(),
            login_session: choices.login_session,
            pending_closes: Vec::new(),
            next_target_id: 0,
            latest_table: 0,
            latest_table_ms: 0,
            confirmation_guard: ConfirmationGuard::default(),
            now: Duration::ZERO,
            requested_details: RequestedDetails::default(),
            findings_state: FindingsState::new(choices.alerts),
            ascii_only: choices.ascii_only,
            key_pressed: false,
            events: choices.events,
            lab: choices.lab_mode.map(LabProgress::new),
            host_limits: choices.host_limits,
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
        let mut effects = self.handle_message(message);
        effects.extend(self.request_tcp_metrics());
        effects.extend(self.request_events());
        effects
    }

    fn handle_message(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Observed(observation) => self.handle_observation(observation),
            Message::Key(key) => {
                self.confirmation_guard.record_input(self.now);
                self.handle_key(key)
            }
            Message::Keys(keys) => self.handle_keys(&keys),
            Message::Paste(text) => {
                self.confirmation_guard.record_input(self.now);
                self.handle_paste(&text)
            }
            Message::Mouse(gesture, spot) => {
                self.confirmation_guard.record_input(self.now);
                self.handle_mouse(gesture, spot)
            }
            Message::FrameDrawn(drawn) => {
                self.cursor.frame_drawn(drawn.top, drawn.visible_rows);
                self.mode.limit_scroll(drawn.max_scroll);
                self.confirmation_guard
                    .frame_drawn(drawn.question_shown, self.now);
                self.update_offered_choices(drawn.choices_shown);
                let mut effects = self.request_row_details(drawn.top, drawn.visible_rows);
                effects.extend(self.tick_when_answerable());
                effects
            }
            Message::ReadingFailed(error) => {
                self.failure = Some(error);
                Vec::new()
            }
            Message::IntervalChanged(interval, slowed_by) => {
                self.interval = interval;
                self.table_cost = slowed_by;
                Vec::new()
            }
            Message::CapabilitiesProbed(means) => {
                self.capabilities = Some(*means);
                Vec::new()
            }
            Message::TargetAcquired(id, result) => self.target_acquired(id, result),
            Message::TreeSignalled(id, count) => self.tree_signalled(id, count),
            Message::SignalOutcome(id, outcome) => self.signal_outcome(id, outcome),
            Message::CloseResults(results) => self.close_results(results),
            Message::LabActionDone(result) => self.lab_action_done(result),
            Message::LabExited => self.lab_exited(),
            Message::Tick => self.advance_frame(),
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
        let number = self.row_order.get(self.cursor.index())?;
        self.observation.rows.get(*number as usize)
    }

    /// Returns the explanation of a row.
    #[must_use]
    pub fn diagnosis(&self, row: &Row) -> Diagnosis {
        match &self.host_limits {
            Some(outside) => diagnose_in_lab(row, &self.observation, outside, self.messages),
            None => diagnose(row, &self.observation, self.messages),
        }
    }

    /// Fills the limits of this machine into a text.
    #[must_use]
    pub fn with_limits(&self, text: &str) -> String {
        let bounds = LimitContext {
            local: &self.observation.limits,
            host: self.host_limits.as_ref(),
        };
        self.messages.with_limits(text, bounds)
    }

    fn handle_observation(&mut self, observation: Arc<Observation>) -> Vec<Effect> {
        self.failure = None;
        let mut effects = self.update_jobs(&observation);
        effects.extend(self.update_pending_closes(&observation));
        effects.extend(self.update_findings(&observation));
        if self.paused {
            self.paused_observation = Some(observation);
            return effects;
        }
        let cursor = self.selected().map(|row| row.socket.key());
        // The first table may come before its owners, and be in another order
        // with them; the user has not chosen its first row.
        let settling =
            self.observation.table_number == 1 && self.cursor.index() == 0 && !self.key_pressed;
        let first = self.observation.table_number == 0;
        let same_rows = Arc::ptr_eq(&self.observation.rows, &observation.rows);
        let marked = self.selected_finding().map(FindingKey::from_finding);
        let walked = self.diagram_row().map(state_machine_page::diagram_state);
        let before = std::mem::replace(&mut self.observation, observation);
        self.urgencies = Arc::new(if same_rows {
            urgencies_after(&before, &self.urgencies, &self.observation)
        } else {
            urgencies(&self.observation)
        });
        drop(before);
        self.keep_selected_finding(marked.as_ref());
        self.tags.retain_present(&self.observation);
        // Details beyond the table change neither rows nor their order.
        if !same_rows {
            let stays = settling && matches!(self.mode, Mode::Table);
            self.update_order(cursor.filter(|_| !stays));
        }
        self.close_page_of_gone_row(cursor);
        if !same_rows {
            self.update_lab();
        }
        self.follow_diagram_row(walked);
        if first || settling {
            self.notify_port_status();
        }
        if first {
            self.notify_events_unavailable();
        }
        if let Some(notice) = &self.notice
            && notice.is_expired(self.observation.time)
        {
            self.notice = None;
        }
        effects.extend(self.request_usage());
        effects
    }

    /// A page is about one socket: if that is gone, the page must not show its
    /// neighbour.
    fn close_page_of_gone_row(&mut self, key: Option<SocketKey>) {
        if self.mode.is_about_selected_socket()
            && self.selected().map(|row| row.socket.key()) != key
        {
            self.mode = Mode::Table;
            self.notify_key("row_gone", &[]);
        }
    }

    /// Updates the order of the rows; the cursor follows its socket.
    fn update_order(&mut self, cursor: Option<SocketKey>) {
        (self.row_order, self.undecided) = select_rows_with_urgencies(
            &self.observation,
            &self.filter,
            &self.sort,
            &self.quick_filter,
            &self.urgencies,
        );
        let place = cursor.and_then(|key| {
            let has_key = |number: &u32| {
                let row = self.observation.rows.get(*number as usize);
                row.is_some_and(|row| row.socket.key() == key)
            };
            self.row_order.iter().position(has_key)
        });
        self.cursor.follow(place, self.row_order.len());
    }

    /// Updates the order of the rows after a change of filter or sorting.
    fn reselect_rows(&mut self) {
        let cursor = self.selected().map(|row| row.socket.key());
        self.update_order(cursor);
    }

    /// Requests CPU and memory of the process under the cursor, for details.
    fn request_usage(&self) -> Vec<Effect> {
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
    fn notify_events_unavailable(&mut self) {
        if self.events == EventsMode::On
            && let EventSource::DestroyedOnly(reason) | EventSource::Unavailable(reason) =
                self.observation.event_history.source
        {
            let reason = self.messages.screen("feed", reason.key());
            self.notify_key("events_refused", &[("reason", reason.to_owned())]);
        }
    }

    /// Returns the status of the port that the filter names, if it names one: a
    /// sentence, and advice.
    #[must_use]
    pub fn port_status_lines(&self) -> Option<Vec<String>> {
        let port = self.filter.only_local_port()?;
        (self.observation.table_number > 0).then(|| {
            PortStatus::of(port, &self.observation).lines(&self.observation, self.messages)
        })
    }

    /// Shows a notice with the process that has the port that the filter names.
    /// An empty table shows it by itself.
    fn notify_port_status(&mut self) {
        if !self.row_order.is_empty()
            && let Some(verdict) = self
                .port_status_lines()
                .and_then(|lines| lines.into_iter().next())
        {
            self.notice = Some(Notice::new(verdict, self.observation.time));
        }
    }

    /// Shows a notice from the assets.
    fn notify_key(&mut self, name: &str, values: &[(&str, String)]) {
        let sentence = self.messages.screen("notice", name);
        self.notice = notice::notice_from_template(sentence, values, self.observation.time);
    }
}
