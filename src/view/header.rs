//! The header: host, number of sockets in each state, gaps, the filter, and the
//! most severe finding.

use super::clock::milliseconds;
use super::sparkline;
use super::theme::Theme;
use super::words::cells;
use super::{Frame, put, row_of};
use crate::app::App;
use crate::app::command::Command;
use crate::app::message::Spot;
use crate::app::mode::Mode;
use crate::explain::findings::describe;
use crate::explain::sentence::{fill, grouped};
use crate::explain::urgency::Urgency;
use crate::listing::{StateClass, fit};
use crate::model::event::Feed;
use crate::model::finding::{Finding, Severity};
use crate::model::gap::{Gap, GapKind};
use crate::model::pace::Pace;
use crate::model::protocol::{Family, Protocol};
use crate::model::state::State;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Height of the header.
pub(super) fn height(app: &App, tall: bool) -> u16 {
    1 + u16::from(tall)
        + u16::from(filtered(app))
        + u16::from(alarming(app).is_some())
        + u16::from(app.failure.is_some())
}

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let optional = height(app, false);
    let tall = area.height > optional;
    let mut down = 0;
    let mut next = || {
        let row = row_of(area, down);
        down += 1;
        row
    };
    if tall {
        draw_status(app, theme, next(), buffer);
        draw_chips(app, theme, next(), buffer, frame);
    } else {
        draw_both(app, theme, next(), buffer, frame);
    }
    if let Some(failure) = &app.failure {
        let sentence = app.words.screen("notice", "source_failed");
        let failure = app.words.message(failure);
        let safe = Text::from(failure.as_str());
        let text = fill(sentence, |_| Some(safe.to_string())).unwrap_or_default();
        let line = Line::styled(format!(" {text}"), theme.error());
        put(&line, Style::new(), next(), buffer);
    }
    if let Some(finding) = alarming(app) {
        let row = next();
        let said = describe(finding, app.words).line;
        let text = fit(&said, usize::from(row.width).saturating_sub(4));
        let line = Line::styled(format!(" ▲ {text}"), theme.severity(finding.severity));
        put(&line, Style::new(), row, buffer);
        frame.spots.push((row, Spot::Finding));
    }
    if filtered(app) {
        draw_filter(app, theme, next(), buffer);
    }
}

fn filtered(app: &App) -> bool {
    let typing = matches!(app.mode, Mode::Prompt(_));
    !typing && (!app.filter.is_all() || !app.quick.is_all())
}

/// Returns the most severe unacknowledged finding, if it is at least a warning.
fn alarming(app: &App) -> Option<&Finding> {
    let finding = app.news().next()?;
    (finding.severity >= Severity::Warn).then_some(finding)
}

/// Draws one line for all: host, count, states as far as they fit, interval.
fn draw_both(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let right = right_side(app, theme, Room::Narrow(area.width));
    let right_width = right.width();
    let left = Span::styled(format!(" {}", place(app)), theme.title());
    let room = usize::from(area.width).saturating_sub(right_width + 1);
    let mut spans = vec![left];
    push_chips(app, theme, area, room, &mut spans, frame);
    put(&Line::from(spans), Style::new(), area, buffer);
    put_right(&right, area, buffer);
}

fn draw_status(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let source = source(app, usize::from(area.width) >= WIDE);
    let line = Line::from(vec![
        Span::styled(format!(" {}", place(app)), theme.title()),
        Span::styled(format!(" · {source}"), theme.dim()),
    ]);
    put(&line, Style::new(), area, buffer);
    put_right(&right_side(app, theme, Room::Line), area, buffer);
}

/// Returns the machine, and the network namespace that was named.
fn place(app: &App) -> String {
    let observation = &app.observation;
    let mut namespaces = observation.namespaces.iter();
    let own = namespaces.find_map(|known| known.name.as_ref().filter(|_| known.own));
    match own {
        Some(name) => format!("{} · netns {name}", observation.host),
        None => observation.host.to_string(),
    }
}

/// Returns the source of the table.
fn source(app: &App, wide: bool) -> String {
    let source = app.observation.source.word();
    if !wide || app.observation.chronicle.feed != Feed::Changes {
        return source.to_owned();
    }
    let sentence = app.words.screen("header", "with_events");
    fill(sentence, |_| Some(source.to_owned())).unwrap_or_default()
}

fn draw_chips(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let mut spans = Vec::new();
    push_chips(app, theme, area, usize::from(area.width), &mut spans, frame);
    put(&Line::from(spans), Style::new(), area, buffer);
}

/// Draws the states that occur, as many as fit, and records their areas.
fn push_chips(
    app: &App,
    theme: Theme,
    area: Rect,
    room: usize,
    spans: &mut Vec<Span<'static>>,
    frame: &mut Frame,
) {
    let mut used: usize = spans.iter().map(Span::width).sum();
    let mut left_out = false;
    // Two cells are reserved for the sign of an omission.
    let room = room.saturating_sub(2);
    for (spot, label, style) in chips(app, theme, room) {
        let text = format!("  {label}");
        let width = cells(&text);
        if used + width > room {
            left_out = true;
            continue;
        }
        let column = area
            .x
            .saturating_add(u16::try_from(used).unwrap_or(u16::MAX));
        let place = Rect {
            x: column,
            width: u16::try_from(width).unwrap_or(u16::MAX),
            ..area
        };
        frame.spots.push((place.intersection(area), spot));
        spans.push(Span::styled(text, style));
        used += width;
    }
    if left_out {
        spans.push(Span::styled(" …", theme.dim()));
    }
}

/// From this width on state names are written in full.
const WIDE: usize = 100;

/// The states by importance: unusual ones before usual ones.
const WORTH: [State; State::ALL.len()] = [
    State::Listen,
    State::Established,
    State::CloseWait,
    State::SynSent,
    State::SynReceived,
    State::FinWait1,
    State::FinWait2,
    State::Closing,
    State::LastAck,
    State::TimeWait,
    State::BoundInactive,
    State::Closed,
    State::Unconnected,
];

fn chips(app: &App, theme: Theme, room: usize) -> Vec<(Spot, String, Style)> {
    let tally = &app.observation.tally;
    let one = tally.total() == 1;
    let sentence = app
        .words
        .screen("header", if one { "socket" } else { "sockets" });
    let all = fill(sentence, |_| Some(grouped(tally.total().into()))).unwrap_or_default();
    let mut chips = vec![(Spot::Chip(None), all, Style::new())];
    for (urgency, sign) in [(Urgency::Act, "X"), (Urgency::Look, "?")] {
        let count = app.urgencies.count(urgency);
        if count > 0 {
            let label = format!("{sign} {}", grouped(count as u64));
            chips.push((Spot::Urgent(urgency), label, theme.urgency(urgency)));
        }
    }
    for state in WORTH {
        let count = tally.tcp(state);
        if count > 0 {
            let word = match state {
                State::Established if room < WIDE => "ESTAB",
                state => state.word(),
            };
            let label = format!("{word} {}", grouped(count.into()));
            chips.push((Spot::Chip(Some(state)), label, theme.state(state)));
        }
    }
    if tally.udp > 0 {
        let label = format!("UDP {}", grouped(tally.udp.into()));
        chips.push((Spot::Chip(Some(State::Unconnected)), label, theme.dim()));
    }
    chips
}

/// Returns the right side: gaps, new sockets, PAUSED, the interval.
fn right_side(app: &App, theme: Theme, room: Room) -> Line<'static> {
    let roomy = room == Room::Line;
    let mut spans = Vec::new();
    if let Some((text, severity)) = badge(app, room) {
        spans.push(Span::styled(format!("{text}  "), theme.severity(severity)));
    }
    if let Some(text) = gaps(app, roomy) {
        spans.push(Span::styled(
            format!("{text}  "),
            theme.severity(Severity::Warn),
        ));
    }
    if roomy {
        spans.push(Span::styled(arrivals(app), theme.dim()));
    }
    if app.tags.count() > 0 {
        let sentence = app.words.closing("tags", "header");
        let count = grouped(app.tags.count() as u64);
        let text = fill(sentence, |_| Some(count.clone())).unwrap_or_default();
        spans.push(Span::styled(format!(" {text} "), theme.flag()));
        spans.push(Span::raw(" "));
    }
    if app.paused {
        spans.push(Span::styled(
            format!(" {} ", app.words.screen("header", "paused")),
            theme.flag(),
        ));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled(format!("{} ", pace(app, room)), theme.dim()));
    Line::from(spans)
}

/// Returns the interval between tables, and the reason if it is longer than a
/// second.
fn pace(app: &App, room: Room) -> String {
    let interval = app.words.length(app.interval);
    let name = match (room, app.slowed_by, app.pace) {
        (Room::Line, Some(_), _) => "slowed",
        (Room::Line, None, Pace::Adaptive) => "adaptive",
        (Room::Line, None, Pace::Fixed(_)) => "every",
        (Room::Narrow(CALLED..), Some(_), _) => "slowed_narrow",
        (Room::Narrow(_), ..) => return interval,
    };
    let filled = fill(app.words.screen("header", name), |place| match place {
        "cost" => app.slowed_by.map(|cost| milliseconds(cost, app.words)),
        _ => Some(interval.clone()),
    });
    filled.unwrap_or(interval)
}

/// Space at the right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    /// A line of its own.
    Line,
    /// The part of a line of this width that the states leave.
    Narrow(u16),
}

/// From this width on findings are labelled even beside the states.
const CALLED: u16 = 60;

/// Returns the number of unacknowledged findings, with the highest severity.
fn badge(app: &App, room: Room) -> Option<(String, Severity)> {
    let severity = app.news().next()?.severity;
    let count = app.news().count();
    if let Room::Narrow(width) = room {
        // The line below shows the most severe one: here both kinds are counted.
        let grave = app
            .news()
            .filter(|finding| finding.severity >= Severity::Warn);
        let text = match (grave.count(), count) {
            (0, _) if width >= CALLED => None,
            (0, count) => Some(format!("{count} (F)")),
            (grave, count) if grave == count => Some(format!("▲{grave} (F)")),
            (grave, count) => Some(format!("▲{grave} ●{} (F)", count - grave)),
        };
        if let Some(text) = text {
            return Some((text, severity));
        }
    }
    let name = if count == 1 { "finding" } else { "findings" };
    let sentence = app.words.screen("header", name);
    Some((fill(sentence, |_| Some(count.to_string()))?, severity))
}

/// Returns the gaps, in a few words.
fn gaps(app: &App, roomy: bool) -> Option<String> {
    let gaps = &app.observation.gaps;
    let hidden = gaps.iter().find(|gap| gap.kind == GapKind::OwnersHidden);
    // Unreadable processes matter only if a row lacks its owner because of them,
    // and then the first gap covers them.
    let telling = |gap: &&Gap| !gap.kind.is_of_processes();
    let gap = hidden.or_else(|| gaps.iter().find(telling))?;
    let count = |_: &str| Some(grouped(gap.count));
    if roomy {
        let text = fill(app.words.gap(gap.kind, "short"), count)?;
        return Some(format!("{text} (!)"));
    }
    let name = if hidden.is_some() { "hidden" } else { "gaps" };
    fill(app.words.screen("header", name), count)
}

/// A sparkline of new sockets per reading, with the latest count.
fn arrivals(app: &App) -> String {
    const SHOWN: usize = 20;
    let all = &app.observation.arrivals;
    let line = sparkline::of(all, SHOWN);
    let latest = all.last().copied().unwrap_or(0);
    let sentence = app.words.screen("header", "arrivals");
    let text = fill(sentence, |_| Some(grouped(latest.into()))).unwrap_or_default();
    format!("{line} {text}  ")
}

fn put_right(line: &Line<'static>, area: Rect, buffer: &mut Buffer) {
    let width = u16::try_from(line.width())
        .unwrap_or(u16::MAX)
        .min(area.width);
    let place = Rect {
        x: area.right() - width,
        width,
        ..area
    };
    put(line, Style::new(), place, buffer);
}

fn draw_filter(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut shown = Vec::new();
    if !app.filter.is_all() {
        shown.push(Text::from(app.filter.to_string().as_str()).to_string());
    }
    if !app.quick.is_all() {
        shown.push(quick_words(app));
    }
    if app.undecided.count > 0 {
        let sentence = app.words.screen("unknown", "header");
        shown.extend(fill(sentence, |_| Some(app.undecided.count.to_string())));
    }
    let clears = app.words.screen("header", "filter_clears");
    let room = usize::from(area.width).saturating_sub(cells(clears) + 3);
    let sentence = app.words.screen("header", "filter");
    let text = fill(sentence, |_| Some(shown.join(" · "))).unwrap_or_default();
    let line = Line::styled(
        format!(" {}", fit(&text, room)),
        Style::new().add_modifier(Modifier::BOLD),
    );
    put(&line, Style::new(), area, buffer);
    put_right(
        &Line::styled(format!("{clears} "), theme.dim()),
        area,
        buffer,
    );
}

/// Returns the active quick toggles, in words.
pub(super) fn quick_words(app: &App) -> String {
    let mut on = Vec::new();
    on.extend(app.quick.protocol.map(Protocol::word));
    on.extend(app.quick.family.map(|only| match only {
        Family::Inet => "IPv4",
        Family::Inet6 => "IPv6",
    }));
    on.extend(app.quick.class.map(|only| {
        let command = match only {
            StateClass::Listening => Command::ToggleListen,
            StateClass::Established => Command::ToggleEstablished,
            StateClass::Other => Command::ToggleOther,
        };
        app.words.command(command.key(), "label")
    }));
    app.words.list(&on)
}
