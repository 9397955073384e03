//! Events between the tables, the latest at the bottom.

mod layout;

use super::clock::{clock, lasted};
use super::page::Page;
use super::screen::titled;
use super::theme::Theme;
use super::words::cells;
use super::{Frame, put, row_of};
use crate::app::App;
use crate::app::message::Spot;
use crate::app::stream::{LineMark, Stream};
use crate::explain::sentence::{fill, grouped};
use crate::listing::quantity::bytes as size;
use crate::listing::{Align, pad};
use crate::model::chronicle::{Happening, Record, What};
use crate::model::endpoint::Endpoint;
use crate::model::event::{Feed, NoFeed};
use crate::model::state::State;
use crate::model::tcp_info::Payload;
use layout::{COLUMNS, Column, FULL, Layout, NAMES_ONLY, place_of};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::time::Duration;

pub(super) fn draw(
    stream: Stream,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let below = titled(&title(stream, app), theme, area, buffer);
    let mut page = Page::new(below.width);
    page.paragraph(&feed(app), theme.dim());
    let figures = figures(app);
    if !figures.is_empty() {
        page.paragraph(&figures, theme.dim());
    }
    let lines = stream.lines(&app.observation.chronicle);
    if lines.is_empty() && tells(app) {
        let name = match (stream.brief_only, app.paused) {
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
        Listed {
            app,
            theme,
            place: stream.place(&lines),
            lines: &lines,
        }
        .draw(rest, buffer, frame);
    }
}

fn word<'a>(app: &'a App, name: &str) -> &'a str {
    app.words.screen("events", name)
}

fn title(stream: Stream, app: &App) -> String {
    let title = word(app, "title");
    if stream.brief_only {
        format!("{title}{}{}", word(app, "join"), word(app, "brief_only"))
    } else {
        title.to_owned()
    }
}

/// True if events can be expected.
fn tells(app: &App) -> bool {
    matches!(
        app.observation.chronicle.feed,
        Feed::Changes | Feed::Endings(_)
    )
}

/// Returns the source of events with its start time, or the reason why there is
/// none.
fn feed(app: &App) -> String {
    let why = |reason: NoFeed| why_not(app, reason).to_owned();
    let (name, why) = match app.observation.chronicle.feed {
        Feed::Off => ("off", String::new()),
        Feed::Changes if app.paused => ("changes_paused", String::new()),
        Feed::Changes => ("changes", String::new()),
        Feed::Endings(reason) => ("endings", why(reason)),
        Feed::Nothing(reason) => ("nothing", why(reason)),
    };
    let watched = Duration::from_millis(app.observation.time.monotonic_ms);
    let filled = fill(word(app, name), |place| {
        Some(match place {
            "length" => app.words.length(watched),
            _ => why.clone(),
        })
    });
    filled.unwrap_or_default()
}

/// Returns the reason why changes are not reported, in the words of the doctor.
fn why_not(app: &App, reason: NoFeed) -> &str {
    app.words.screen("feed", &format!("{}_long", reason.key()))
}

/// Returns the number of received and lost changes and of short-lived
/// connections, and the cost.
fn figures(app: &App) -> String {
    let chronicle = &app.observation.chronicle;
    let mut parts = Vec::new();
    for (name, count, always) in [
        ("told", chronicle.told, tells(app)),
        ("lost", chronicle.lost, false),
        ("brief", chronicle.brief, false),
        ("unplaced", chronicle.unplaced, false),
    ] {
        if always || count > 0 {
            parts.extend(fill(word(app, name), |_| Some(grouped(count))));
        }
    }
    if let Some(cost) = chronicle.cost_permille {
        let share = format!("{}.{}", cost / 10, cost % 10);
        parts.extend(fill(word(app, "cost"), |_| Some(share.clone())));
    }
    parts.join(word(app, "join"))
}

struct Listed<'a> {
    app: &'a App,
    theme: Theme,
    lines: &'a [&'a Happening],
    place: usize,
}

impl Listed<'_> {
    /// The marked line keeps its place while others arrive: in the middle, or at
    /// the bottom if it is the latest.
    fn draw(&self, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
        let page = usize::from(area.height.saturating_sub(1));
        let furthest = self.lines.len().saturating_sub(page);
        let top = self.place.saturating_sub(page / 2).min(furthest);
        let shown: Vec<(usize, &Happening)> = (top..)
            .zip(self.lines[top..].iter().take(page).copied())
            .collect();
        let mut texts: Vec<[String; 6]> = shown
            .iter()
            .map(|(_, line)| self.texts(line, area.width))
            .collect();
        let headings = COLUMNS.map(|(_, name)| word(self.app, name).to_owned());
        let layout = Layout::new(&texts, &headings, area.width);
        self.shorten(&shown, &mut texts, &layout);
        let widths = layout.widths;
        let line = Line::styled(row("  ", &headings, &widths), self.theme.heading());
        put(&line, Style::new(), row_of(area, 0), buffer);
        for (((place, line), texts), down) in shown.iter().zip(&texts).zip(1..area.height) {
            let at = row_of(area, down);
            frame.spots.push((at, Spot::Happening(LineMark::of(line))));
            let unseen = line.is_unseen();
            let mark = if unseen { "+-" } else { "  " };
            let style = if *place == self.place {
                self.theme.cursor()
            } else {
                Style::new()
            };
            let look = if unseen {
                self.theme.title()
            } else if matches!(line.what, What::Ended { .. }) {
                self.theme.dim()
            } else {
                Style::new()
            };
            let text = Span::styled(row(mark, texts, &widths), look);
            put(&Line::from(text), style, at, buffer);
        }
    }

    /// Shortens texts that do not fit, and appends the bytes carried if they have
    /// no column of their own.
    fn shorten(&self, shown: &[(usize, &Happening)], texts: &mut [[String; 6]], layout: &Layout) {
        let widths = layout.widths;
        let [time, local, what, carried] =
            [Column::Time, Column::Local, Column::What, Column::Carried].map(place_of);
        let room = widths[what].unwrap_or(0);
        for ((_, line), texts) in shown.iter().zip(texts) {
            if layout.port_only {
                texts[local] = port(line.local);
            }
            // A date has no milliseconds.
            if layout.seconds_only
                && let Some((seconds, _)) = texts[time].split_once('.')
            {
                let seconds = seconds.to_owned();
                texts[time] = seconds;
            }
            let forms = [std::mem::take(&mut texts[what]), self.what(line, "brief_")];
            let bare = forms.iter().skip(usize::from(room < FULL));
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

    fn texts(&self, line: &Happening, room: u16) -> [String; 6] {
        COLUMNS.map(|(column, _)| match column {
            Column::Time => clock(line.at_us, self.app.observation.time),
            Column::Process => self.owner(line, room),
            Column::Local => endpoint(line.local),
            Column::Remote => endpoint(line.remote),
            Column::What => self.what(line, ""),
            Column::Carried => self.carried(line),
        })
    }

    fn say(&self, name: &str, value: impl Fn(&str) -> Option<String>) -> String {
        fill(word(self.app, name), value).unwrap_or_default()
    }

    /// Formats the process, and the network namespace if it is not that of this
    /// program.
    fn owner(&self, line: &Happening, room: u16) -> String {
        let who = match &line.owner {
            None => word(self.app, "nobody").to_owned(),
            Some(owner) if room < NAMES_ONLY => owner.name.to_string(),
            Some(owner) => self.say("who", |place| {
                Some(match place {
                    "process" => owner.name.to_string(),
                    _ => owner.pid.to_string(),
                })
            }),
        };
        let Some(namespace) = self.elsewhere(line.namespace) else {
            return who;
        };
        self.say("elsewhere", |place| {
            Some(match place {
                "who" => who.clone(),
                _ => namespace.clone(),
            })
        })
    }

    /// Name of the network namespace, if it is not the one that this program is in. An
    /// unknown one has the word for that, unless this program does not know its own.
    fn elsewhere(&self, namespace: u32) -> Option<String> {
        let known = &self.app.observation.namespaces;
        if namespace == 0 {
            let told_apart = known.iter().any(|known| known.own && known.id != 0);
            return told_apart.then(|| word(self.app, "somewhere").to_owned());
        }
        let named = known.iter().find(|known| known.id == namespace);
        let own = known.iter().find(|known| known.own)?;
        (own.id != namespace).then(|| match named.and_then(|named| named.name.as_ref()) {
            Some(name) => name.to_string(),
            None => format!("netns {namespace}"),
        })
    }

    /// Formats the change, or the reason of the end, with its duration. The short
    /// form of an end shows only the reason.
    fn what(&self, line: &Happening, form: &str) -> String {
        let what = line.what;
        let took = match what {
            What::Ended { life, .. } => life.lasted_us.or(what.stayed_us()),
            _ => what.stayed_us(),
        };
        let (name, to, fate) = match what {
            What::Changed { from, to, .. } => {
                // No program need have accepted it yet, and none does after a
                // simultaneous open.
                let complete = (from, to) == (State::SynReceived, State::Established);
                let name = if complete { "handshake" } else { "change" };
                (name, Some(to), None)
            }
            What::Kept { record, .. } => match record {
                Record::TimeWait if what.from().is_none() => {
                    ("now_in", Some(State::TimeWait), None)
                }
                Record::TimeWait => ("change", Some(State::TimeWait), None),
                Record::Unseen | Record::FinWait2 => ("kept", None, None),
            },
            What::Ended { life, .. } => ("ended", None, Some(life.fate)),
        };
        // Without the previous state there is only the short form.
        let form = if what.from().is_some() {
            form
        } else {
            "brief_"
        };
        let name = match (name, took) {
            ("change", Some(_)) => "change_after",
            ("ended", Some(_)) => "ended_after",
            _ => name,
        };
        self.say(&format!("{form}{name}"), |place| match place {
            "from" => what.from().map(|from| from.to_string()),
            "to" => to.map(|to| to.to_string()),
            "fate" => fate.map(|fate| self.app.words.screen("fates", fate.key()).to_owned()),
            _ => took.map(|took| lasted(took, self.app.words)),
        })
    }

    fn carried(&self, line: &Happening) -> String {
        let Some(Payload { received, sent }) = line.carried else {
            return String::new();
        };
        self.say("bytes", |place| {
            Some(size(if place == "received" { received } else { sent }))
        })
    }
}

/// Formats an end of a connection; empty if unknown.
fn endpoint(end: Endpoint) -> String {
    if end.is_none() {
        String::new()
    } else if end.port == 0 {
        end.address().to_string()
    } else {
        end.to_string()
    }
}

/// Formats the port of an end; empty if unknown.
fn port(end: Endpoint) -> String {
    if end.port == 0 {
        String::new()
    } else {
        format!(":{}", end.port)
    }
}

fn row(mark: &str, texts: &[String; 6], widths: &[Option<usize>; 6]) -> String {
    let mut line = format!(" {mark} ");
    let shown = texts.iter().zip(widths);
    for (text, width) in shown.filter_map(|(text, width)| Some((text, (*width)?))) {
        line.push_str(&pad(text, width, Align::Left));
        line.push_str("  ");
    }
    line
}
