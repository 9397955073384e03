//! Events between the tables, the latest at the bottom.

mod layout;

use super::explanation_pane::cells;
use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use super::time_format::{format_duration_us, time_of_day};
use super::{Frame, draw_line, nth_row};
use crate::app::App;
use crate::app::events_page::{EventId, EventsPage};
use crate::app::message::HitTarget;
use crate::explain::template::{format_thousands, render};
use crate::listing::units::format_bytes as size;
use crate::listing::{Align, pad};
use crate::model::endpoint::Endpoint;
use crate::model::event::{EventSource, EventsUnavailable};
use crate::model::event_history::{ConnectionEvent, EventKind, RetainedState};
use crate::model::state::State;
use crate::model::tcp_info::Payload;
use layout::{
    COLUMNS, EventColumn, EventsLayout, FULL_EVENT_WIDTH, MIN_WIDTH_FOR_PIDS, column_index,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::time::Duration;

pub(super) fn draw(
    stream: EventsPage,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let below = draw_title(&title(stream, app), theme, area, buffer);
    let mut page = Page::new(below.width);
    page.paragraph(&source_text(app), theme.dim());
    let figures = counts_text(app);
    if !figures.is_empty() {
        page.paragraph(&figures, theme.dim());
    }
    let lines = stream.visible_events(&app.observation.event_history);
    if lines.is_empty() && has_source(app) {
        let name = match (stream.short_lived_only, app.paused) {
            (true, _) => "waiting_brief",
            (false, true) => "waiting_paused",
            (false, false) => "waiting",
        };
        page.blank();
        page.paragraph(word(app, name), Style::new());
    }
    let taken = u16::try_from(page.len())
        .unwrap_or(u16::MAX)
        .min(below.height);
    page.draw(0, below, buffer);
    let rest = Rect {
        y: below.y + taken,
        height: below.height - taken,
        ..below
    };
    if !lines.is_empty() {
        EventsTable {
            app,
            theme,
            selected_index: stream.selected_index(&lines),
            events: &lines,
        }
        .draw(rest, buffer, frame);
    }
}

fn word<'a>(app: &'a App, name: &str) -> &'a str {
    app.messages.screen("events", name)
}

fn title(stream: EventsPage, app: &App) -> String {
    let title = word(app, "title");
    if stream.short_lived_only {
        format!("{title}{}{}", word(app, "join"), word(app, "brief_only"))
    } else {
        title.to_owned()
    }
}

/// True if events can be expected.
fn has_source(app: &App) -> bool {
    matches!(
        app.observation.event_history.source,
        EventSource::StateChanges | EventSource::DestroyedOnly(_)
    )
}

/// Returns the source of events with its start time, or the reason why there is
/// none.
fn source_text(app: &App) -> String {
    let why = |reason: EventsUnavailable| unavailable_reason(app, reason).to_owned();
    let (name, why) = match app.observation.event_history.source {
        EventSource::Off => ("off", String::new()),
        EventSource::StateChanges if app.paused => ("changes_paused", String::new()),
        EventSource::StateChanges => ("changes", String::new()),
        EventSource::DestroyedOnly(reason) => ("endings", why(reason)),
        EventSource::Unavailable(reason) => ("nothing", why(reason)),
    };
    let watched = Duration::from_millis(app.observation.time.monotonic_ms);
    let filled = render(word(app, name), |place| {
        Some(match place {
            "length" => app.messages.duration_text(watched),
            _ => why.clone(),
        })
    });
    filled.unwrap_or_default()
}

/// Returns the reason why changes are not reported, in the words of the doctor.
fn unavailable_reason(app: &App, reason: EventsUnavailable) -> &str {
    app.messages
        .screen("feed", &format!("{}_long", reason.key()))
}

/// Returns the number of received and lost changes and of short-lived
/// connections, and the cost.
fn counts_text(app: &App) -> String {
    let chronicle = &app.observation.event_history;
    let mut parts = Vec::new();
    for (name, count, always) in [
        ("told", chronicle.received, has_source(app)),
        ("lost", chronicle.lost, false),
        ("brief", chronicle.short_lived, false),
        ("unplaced", chronicle.unplaced, false),
    ] {
        if always || count > 0 {
            parts.extend(render(word(app, name), |_| Some(format_thousands(count))));
        }
    }
    if let Some(cost) = chronicle.cost_permille {
        let share = format!("{}.{}", cost / 10, cost % 10);
        parts.extend(render(word(app, "cost"), |_| Some(share.clone())));
    }
    parts.join(word(app, "join"))
}

struct EventsTable<'a> {
    app: &'a App,
    theme: Theme,
    events: &'a [&'a ConnectionEvent],
    selected_index: usize,
}

impl EventsTable<'_> {
    /// The marked line keeps its place while others arrive: in the middle, or at
    /// the bottom if it is the latest.
    fn draw(&self, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
        let page = usize::from(area.height.saturating_sub(1));
        let furthest = self.events.len().saturating_sub(page);
        let top = self.selected_index.saturating_sub(page / 2).min(furthest);
        let shown: Vec<(usize, &ConnectionEvent)> = (top..)
            .zip(self.events[top..].iter().take(page).copied())
            .collect();
        let mut texts: Vec<[String; 6]> = shown
            .iter()
            .map(|(_, line)| self.texts(line, area.width))
            .collect();
        let headings = COLUMNS.map(|(_, name)| word(self.app, name).to_owned());
        let layout = EventsLayout::new(&texts, &headings, area.width);
        self.fit_texts(&shown, &mut texts, &layout);
        let widths = layout.widths;
        let line = Line::styled(format_row("  ", &headings, &widths), self.theme.heading());
        draw_line(&line, Style::new(), nth_row(area, 0), buffer);
        for (((place, line), texts), down) in shown.iter().zip(&texts).zip(1..area.height) {
            let at = nth_row(area, down);
            frame
                .hit_targets
                .push((at, HitTarget::Event(EventId::from_event(line))));
            let unseen = line.is_short_lived();
            let mark = if unseen { "+-" } else { "  " };
            let style = if *place == self.selected_index {
                self.theme.cursor()
            } else {
                Style::new()
            };
            let look = if unseen {
                self.theme.title()
            } else if matches!(line.kind, EventKind::Ended { .. }) {
                self.theme.dim()
            } else {
                Style::new()
            };
            let text = Span::styled(format_row(mark, texts, &widths), look);
            draw_line(&Line::from(text), style, at, buffer);
        }
    }

    /// Shortens texts that do not fit, and appends the bytes carried if they have
    /// no column of their own.
    fn fit_texts(
        &self,
        shown: &[(usize, &ConnectionEvent)],
        texts: &mut [[String; 6]],
        layout: &EventsLayout,
    ) {
        let widths = layout.widths;
        let [time, local, what, carried] = [
            EventColumn::Time,
            EventColumn::Local,
            EventColumn::Event,
            EventColumn::Payload,
        ]
        .map(column_index);
        let room = widths[what].unwrap_or(0);
        for ((_, line), texts) in shown.iter().zip(texts) {
            if layout.port_only {
                texts[local] = port_text(line.local);
            }
            // A date has no milliseconds.
            if layout.seconds_only
                && let Some((seconds, _)) = texts[time].split_once('.')
            {
                let seconds = seconds.to_owned();
                texts[time] = seconds;
            }
            let forms = [
                std::mem::take(&mut texts[what]),
                self.event_text(line, "brief_"),
            ];
            let bare = forms.iter().skip(usize::from(room < FULL_EVENT_WIDTH));
            let weighed = bare
                .clone()
                .filter(|_| widths[carried].is_none() && !texts[carried].is_empty());
            let weighed =
                weighed.map(|form| format!("{form}{}{}", word(self.app, "join"), texts[carried]));
            let fitting = weighed
                .chain(bare.cloned())
                .find(|text| cells(text) <= room);
            let [_, brief] = &forms;
            texts[what] = fitting.unwrap_or_else(|| brief.clone());
        }
    }

    fn texts(&self, line: &ConnectionEvent, room: u16) -> [String; 6] {
        COLUMNS.map(|(column, _)| match column {
            EventColumn::Time => time_of_day(line.at_us, self.app.observation.time),
            EventColumn::Process => self.owner_text(line, room),
            EventColumn::Local => endpoint_text(line.local),
            EventColumn::Remote => endpoint_text(line.remote),
            EventColumn::Event => self.event_text(line, ""),
            EventColumn::Payload => self.payload_text(line),
        })
    }

    fn message(&self, name: &str, value: impl Fn(&str) -> Option<String>) -> String {
        render(word(self.app, name), value).unwrap_or_default()
    }

    /// Formats the process, and the network namespace if it is not that of this
    /// program.
    fn owner_text(&self, line: &ConnectionEvent, room: u16) -> String {
        let who = match &line.owner {
            None => word(self.app, "nobody").to_owned(),
            Some(owner) if room < MIN_WIDTH_FOR_PIDS => owner.name.to_string(),
            Some(owner) => self.message("who", |place| {
                Some(match place {
                    "process" => owner.name.to_string(),
                    _ => owner.pid.to_string(),
                })
            }),
        };
        let Some(namespace) = self.foreign_namespace(line.namespace) else {
            return who;
        };
        self.message("elsewhere", |place| {
            Some(match place {
                "who" => who.clone(),
                _ => namespace.clone(),
            })
        })
    }

    /// Name of the network namespace, if it is not the one that this program is in. An
    /// unknown one has the word for that, unless this program does not know its own.
    fn foreign_namespace(&self, namespace: u32) -> Option<String> {
        let known = &self.app.observation.namespaces;
        if namespace == 0 {
            let told_apart = known.iter().any(|known| known.is_current && known.id != 0);
            return told_apart.then(|| word(self.app, "somewhere").to_owned());
        }
        let named = known.iter().find(|known| known.id == namespace);
        let own = known.iter().find(|known| known.is_current)?;
        (own.id != namespace).then(|| match named.and_then(|named| named.name.as_ref()) {
            Some(name) => name.to_string(),
            None => format!("netns {namespace}"),
        })
    }

    /// Formats the change, or the reason of the end, with its duration. The short
    /// form of an end shows only the reason.
    fn event_text(&self, line: &ConnectionEvent, form: &str) -> String {
        let what = line.kind;
        let took = match what {
            EventKind::Ended { summary, .. } => summary.duration_us.or(what.time_in_state_us()),
            _ => what.time_in_state_us(),
        };
        let (name, to, fate) = match what {
            EventKind::StateChanged { from, to, .. } => {
                // No program need have accepted it yet, and none does after a
                // simultaneous open.
                let complete = (from, to) == (State::SynReceived, State::Established);
                let name = if complete { "handshake" } else { "change" };
                (name, Some(to), None)
            }
            EventKind::Retained { state: record, .. } => match record {
                RetainedState::TimeWait if what.from_state().is_none() => {
                    ("now_in", Some(State::TimeWait), None)
                }
                RetainedState::TimeWait => ("change", Some(State::TimeWait), None),
                RetainedState::Unknown | RetainedState::FinWait2 => ("kept", None, None),
            },
            EventKind::Ended { summary, .. } => ("ended", None, Some(summary.reason)),
        };
        // Without the previous state there is only the short form.
        let form = if what.from_state().is_some() {
            form
        } else {
            "brief_"
        };
        let name = match (name, took) {
            ("change", Some(_)) => "change_after",
            ("ended", Some(_)) => "ended_after",
            _ => name,
        };
        self.message(&format!("{form}{name}"), |place| match place {
            "from" => what.from_state().map(|from| from.to_string()),
            "to" => to.map(|to| to.to_string()),
            "fate" => fate.map(|fate| self.app.messages.screen("fates", fate.key()).to_owned()),
            _ => took.map(|took| format_duration_us(took, self.app.messages)),
        })
    }

    fn payload_text(&self, line: &ConnectionEvent) -> String {
        let Some(Payload { received, sent }) = line.payload else {
            return String::new();
        };
        self.message("bytes", |place| {
            Some(size(if place == "received" { received } else { sent }))
        })
    }
}

/// Formats an end of a connection; empty if unknown.
fn endpoint_text(end: Endpoint) -> String {
    if end.is_none() {
        String::new()
    } else if end.port == 0 {
        end.address().to_string()
    } else {
        end.to_string()
    }
}

/// Formats the port of an end; empty if unknown.
fn port_text(end: Endpoint) -> String {
    if end.port == 0 {
        String::new()
    } else {
        format!(":{}", end.port)
    }
}

fn format_row(mark: &str, texts: &[String; 6], widths: &[Option<usize>; 6]) -> String {
    let mut line = format!(" {mark} ");
    let shown = texts.iter().zip(widths);
    for (text, width) in shown.filter_map(|(text, width)| Some((text, (*width)?))) {
        line.push_str(&pad(text, width, Align::Left));
        line.push_str("  ");
    }
    line
}
