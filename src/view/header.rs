//! The header: host, number of sockets in each state, gaps, the filter, and the
//! most severe finding.

use super::explanation_pane::cells;
use super::sparkline;
use super::theme::Theme;
use super::time_format::format_milliseconds;
use super::{Frame, draw_line, nth_row};
use crate::app::App;
use crate::app::command::Command;
use crate::app::message::HitTarget;
use crate::app::mode::Mode;
use crate::explain::findings::describe;
use crate::explain::template::{format_thousands, render};
use crate::explain::urgency::Urgency;
use crate::listing::{StateClass, truncate};
use crate::model::event::EventSource;
use crate::model::finding::{Finding, Severity};
use crate::model::gap::{Gap, GapKind};
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::refresh_mode::RefreshMode;
use crate::model::state::State;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Height of the header.
pub(super) fn height(app: &App, tall: bool) -> u16 {
    1 + u16::from(tall)
        + u16::from(is_filtered(app))
        + u16::from(headline_finding(app).is_some())
        + u16::from(app.failure.is_some())
}

pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let optional = height(app, false);
    let tall = area.height > optional;
    let mut down = 0;
    let mut next = || {
        let row = nth_row(area, down);
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
        let sentence = app.messages.screen("notice", "source_failed");
        let failure = app.messages.translate_message(failure);
        let safe = Text::from(failure.as_str());
        let text = render(sentence, |_| Some(safe.to_string())).unwrap_or_default();
        let line = Line::styled(format!(" {text}"), theme.error());
        draw_line(&line, Style::new(), next(), buffer);
    }
    if let Some(finding) = headline_finding(app) {
        let row = next();
        let said = describe(finding, app.messages).line;
        let text = truncate(&said, usize::from(row.width).saturating_sub(4));
        let line = Line::styled(format!(" ▲ {text}"), theme.severity(finding.severity));
        draw_line(&line, Style::new(), row, buffer);
        frame.hit_targets.push((row, HitTarget::Finding));
    }
    if is_filtered(app) {
        draw_filter(app, theme, next(), buffer);
    }
}

fn is_filtered(app: &App) -> bool {
    let typing = matches!(app.mode, Mode::Prompt(_));
    !typing && (!app.filter.is_all() || !app.quick_filter.is_all())
}

/// Returns the most severe unacknowledged finding, if it is at least a warning.
fn headline_finding(app: &App) -> Option<&Finding> {
    let finding = app.unacknowledged_findings().next()?;
    (finding.severity >= Severity::Warning).then_some(finding)
}

/// Draws one line for all: host, count, states as far as they fit, interval.
fn draw_both(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let right = right_side(app, theme, HeaderSpace::Narrow(area.width));
    let right_width = right.width();
    let left = Span::styled(format!(" {}", place(app)), theme.title());
    let room = usize::from(area.width).saturating_sub(right_width + 1);
    let mut spans = vec![left];
    push_chips(app, theme, area, room, &mut spans, frame);
    draw_line(&Line::from(spans), Style::new(), area, buffer);
    put_right(&right, area, buffer);
}

fn draw_status(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let source = source_text(app, usize::from(area.width) >= MIN_WIDTH_FOR_FULL_STATES);
    let line = Line::from(vec![
        Span::styled(format!(" {}", place(app)), theme.title()),
        Span::styled(format!(" · {source}"), theme.dim()),
    ]);
    draw_line(&line, Style::new(), area, buffer);
    put_right(&right_side(app, theme, HeaderSpace::FullLine), area, buffer);
}

/// Returns the machine, and the network namespace that was named.
fn place(app: &App) -> String {
    let observation = &app.observation;
    let mut namespaces = observation.namespaces.iter();
    let own = namespaces.find_map(|known| known.name.as_ref().filter(|_| known.is_current));
    match own {
        Some(name) => format!("{} · netns {name}", observation.host),
        None => observation.host.to_string(),
    }
}

/// Returns the source of the table.
fn source_text(app: &App, wide: bool) -> String {
    let source = app.observation.source.word();
    if !wide || app.observation.event_history.source != EventSource::StateChanges {
        return source.to_owned();
    }
    let sentence = app.messages.screen("header", "with_events");
    render(sentence, |_| Some(source.to_owned())).unwrap_or_default()
}

fn draw_chips(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let mut spans = Vec::new();
    push_chips(app, theme, area, usize::from(area.width), &mut spans, frame);
    draw_line(&Line::from(spans), Style::new(), area, buffer);
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
        frame.hit_targets.push((place.intersection(area), spot));
        spans.push(Span::styled(text, style));
        used += width;
    }
    if left_out {
        spans.push(Span::styled(" …", theme.dim()));
    }
}

/// From this width on state names are written in full.
const MIN_WIDTH_FOR_FULL_STATES: usize = 100;

/// The states by importance: unusual ones before usual ones.
const STATE_ORDER: [State; State::ALL.len()] = [
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

fn chips(app: &App, theme: Theme, room: usize) -> Vec<(HitTarget, String, Style)> {
    let tally = &app.observation.state_counts;
    let one = tally.total() == 1;
    let sentence = app
        .messages
        .screen("header", if one { "socket" } else { "sockets" });
    let all =
        render(sentence, |_| Some(format_thousands(tally.total().into()))).unwrap_or_default();
    let mut chips = vec![(HitTarget::StateCount(None), all, Style::new())];
    for (urgency, sign) in [(Urgency::Act, "X"), (Urgency::Look, "?")] {
        let count = app.urgencies.count(urgency);
        if count > 0 {
            let label = format!("{sign} {}", format_thousands(count as u64));
            chips.push((
                HitTarget::UrgencyCount(urgency),
                label,
                theme.urgency(urgency),
            ));
        }
    }
    for state in STATE_ORDER {
        let count = tally.tcp(state);
        if count > 0 {
            let word = match state {
                State::Established if room < MIN_WIDTH_FOR_FULL_STATES => "ESTAB",
                state => state.word(),
            };
            let label = format!("{word} {}", format_thousands(count.into()));
            chips.push((
                HitTarget::StateCount(Some(state)),
                label,
                theme.state(state),
            ));
        }
    }
    if tally.udp > 0 {
        let label = format!("UDP {}", format_thousands(tally.udp.into()));
        chips.push((
            HitTarget::StateCount(Some(State::Unconnected)),
            label,
            theme.dim(),
        ));
    }
    chips
}

/// Returns the right side: gaps, new sockets, PAUSED, the interval.
fn right_side(app: &App, theme: Theme, room: HeaderSpace) -> Line<'static> {
    let roomy = room == HeaderSpace::FullLine;
    let mut spans = Vec::new();
    if let Some((text, severity)) = findings_badge(app, room) {
        spans.push(Span::styled(format!("{text}  "), theme.severity(severity)));
    }
    if let Some(text) = gaps_text(app, roomy) {
        spans.push(Span::styled(
            format!("{text}  "),
            theme.severity(Severity::Warning),
        ));
    }
    if roomy {
        spans.push(Span::styled(new_sockets_sparkline(app), theme.dim()));
    }
    if app.tags.count() > 0 {
        let sentence = app.messages.closing("tags", "header");
        let count = format_thousands(app.tags.count() as u64);
        let text = render(sentence, |_| Some(count.clone())).unwrap_or_default();
        spans.push(Span::styled(format!(" {text} "), theme.flag()));
        spans.push(Span::raw(" "));
    }
    if app.paused {
        spans.push(Span::styled(
            format!(" {} ", app.messages.screen("header", "paused")),
            theme.flag(),
        ));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled(
        format!("{} ", interval_text(app, room)),
        theme.dim(),
    ));
    Line::from(spans)
}

/// Returns the interval between tables, and the reason if it is longer than a
/// second.
fn interval_text(app: &App, room: HeaderSpace) -> String {
    let interval = app.messages.duration_text(app.interval);
    let name = match (room, app.table_cost, app.refresh_mode) {
        (HeaderSpace::FullLine, Some(_), _) => "slowed",
        (HeaderSpace::FullLine, None, RefreshMode::Adaptive) => "adaptive",
        (HeaderSpace::FullLine, None, RefreshMode::Fixed(_)) => "every",
        (HeaderSpace::Narrow(MIN_WIDTH_FOR_FINDING_LABEL..), Some(_), _) => "slowed_narrow",
        (HeaderSpace::Narrow(_), ..) => return interval,
    };
    let filled = render(app.messages.screen("header", name), |place| match place {
        "cost" => app
            .table_cost
            .map(|cost| format_milliseconds(cost, app.messages)),
        _ => Some(interval.clone()),
    });
    filled.unwrap_or(interval)
}

/// Space at the right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeaderSpace {
    /// A line of its own.
    FullLine,
    /// The part of a line of this width that the states leave.
    Narrow(u16),
}

/// From this width on findings are labelled even beside the states.
const MIN_WIDTH_FOR_FINDING_LABEL: u16 = 60;

/// Returns the number of unacknowledged findings, with the highest severity.
fn findings_badge(app: &App, room: HeaderSpace) -> Option<(String, Severity)> {
    let severity = app.unacknowledged_findings().next()?.severity;
    let count = app.unacknowledged_findings().count();
    if let HeaderSpace::Narrow(width) = room {
        // The line below shows the most severe one: here both kinds are counted.
        let grave = app
            .unacknowledged_findings()
            .filter(|finding| finding.severity >= Severity::Warning);
        let text = match (grave.count(), count) {
            (0, _) if width >= MIN_WIDTH_FOR_FINDING_LABEL => None,
            (0, count) => Some(format!("{count} (F)")),
            (grave, count) if grave == count => Some(format!("▲{grave} (F)")),
            (grave, count) => Some(format!("▲{grave} ●{} (F)", count - grave)),
        };
        if let Some(text) = text {
            return Some((text, severity));
        }
    }
    let name = if count == 1 { "finding" } else { "findings" };
    let sentence = app.messages.screen("header", name);
    Some((render(sentence, |_| Some(count.to_string()))?, severity))
}

/// Returns the gaps, in a few words.
fn gaps_text(app: &App, roomy: bool) -> Option<String> {
    let gaps = &app.observation.gaps;
    let hidden = gaps.iter().find(|gap| gap.kind == GapKind::OwnersHidden);
    // Unreadable processes matter only if a row lacks its owner because of them,
    // and then the first gap covers them.
    let telling = |gap: &&Gap| !gap.kind.concerns_processes();
    let gap = hidden.or_else(|| gaps.iter().find(telling))?;
    let count = |_: &str| Some(format_thousands(gap.count));
    if roomy {
        let text = render(app.messages.gap(gap.kind, "short"), count)?;
        return Some(format!("{text} (!)"));
    }
    let name = if hidden.is_some() { "hidden" } else { "gaps" };
    render(app.messages.screen("header", name), count)
}

/// A sparkline of new sockets per reading, with the latest count.
fn new_sockets_sparkline(app: &App) -> String {
    const SHOWN: usize = 20;
    let all = &app.observation.new_socket_history;
    let line = sparkline::render(all, SHOWN);
    let latest = all.last().copied().unwrap_or(0);
    let sentence = app.messages.screen("header", "arrivals");
    let text = render(sentence, |_| Some(format_thousands(latest.into()))).unwrap_or_default();
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
    draw_line(line, Style::new(), place, buffer);
}

fn draw_filter(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let mut shown = Vec::new();
    if !app.filter.is_all() {
        shown.push(Text::from(app.filter.to_string().as_str()).to_string());
    }
    if !app.quick_filter.is_all() {
        shown.push(quick_filter_text(app));
    }
    if app.undecided.count > 0 {
        let sentence = app.messages.screen("unknown", "header");
        shown.extend(render(sentence, |_| Some(app.undecided.count.to_string())));
    }
    let clears = app.messages.screen("header", "filter_clears");
    let room = usize::from(area.width).saturating_sub(cells(clears) + 3);
    let sentence = app.messages.screen("header", "filter");
    let text = render(sentence, |_| Some(shown.join(" · "))).unwrap_or_default();
    let line = Line::styled(
        format!(" {}", truncate(&text, room)),
        Style::new().add_modifier(Modifier::BOLD),
    );
    draw_line(&line, Style::new(), area, buffer);
    put_right(
        &Line::styled(format!("{clears} "), theme.dim()),
        area,
        buffer,
    );
}

/// Returns the active quick toggles, in words.
pub(super) fn quick_filter_text(app: &App) -> String {
    let mut on = Vec::new();
    on.extend(app.quick_filter.protocol.map(Protocol::word));
    on.extend(app.quick_filter.family.map(|only| match only {
        IpFamily::Inet => "IPv4",
        IpFamily::Inet6 => "IPv6",
    }));
    on.extend(app.quick_filter.class.map(|only| {
        let command = match only {
            StateClass::Listening => Command::ToggleListen,
            StateClass::Established => Command::ToggleEstablished,
            StateClass::Other => Command::ToggleOther,
        };
        app.messages.command(command.key(), "label")
    }));
    app.messages.join_list(&on)
}
