//! The question before processes are ended: who they are, and what goes with
//! them.

mod facts;
mod warnings;

use super::page::Page;
use super::theme::Theme;
use super::{Frame, put, row_of};
use crate::app::App;
use crate::app::confirm::Confirm;
use crate::app::keys::Context;
use crate::app::message::Spot;
use crate::explain::sentence::fill;
use crate::listing::fit;
use crate::model::action::Reach;
use crate::model::finding::Severity;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// How many names are listed before the rest is counted.
const LISTED: usize = 4;
/// How many processes have a line each before the rest is counted.
const LINES: usize = 6;
/// Where the texts beside the labels begin.
const INDENT: usize = 16;
/// With fewer lines the less usual signals are not listed.
const ROOM_FOR_MORE: u16 = 6;

/// The dialog's lines, and how many of them must be read before an answer.
struct Dialog {
    page: Page,
    needed: usize,
}

/// How many lines the dialog wants.
pub(super) fn height(confirm: &Confirm, app: &App, theme: Theme, width: u16) -> u16 {
    let lines = dialog(confirm, app, theme, width).page.len() + 2;
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Draws the dialog, and says whether it may be answered: who could not read
/// the question must not.
pub(super) fn draw(
    confirm: &Confirm,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) -> bool {
    let rule = format!(" {}", "─".repeat(usize::from(area.width).saturating_sub(2)));
    let rule = Line::styled(rule, theme.dim());
    put(&rule, Style::new(), row_of(area, 0), buffer);
    let more = u16::from(area.height >= ROOM_FOR_MORE);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1 + more),
        ..area
    };
    let dialog = dialog(confirm, app, theme, below.width);
    let room = area.height >= 3 && area.width >= 20;
    // Every warning must be read first.
    let read = usize::from(below.height) >= dialog.needed;
    dialog.page.draw(0, below, buffer);
    if more > 0 {
        draw_more(app, theme, row_of(area, area.height - 1), buffer, frame);
    }
    room && read
}

/// The signals that have no place in the footer.
fn draw_more(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer, frame: &mut Frame) {
    let bindings = app.keymap.in_context(Context::Confirm);
    let further = bindings
        .filter(|bound| bound.footer.is_none() && bound.command.signal().is_some())
        .filter(|bound| app.works(bound.command));
    let mut spans = Vec::new();
    let mut column = area.x;
    for bound in further {
        let Some(key) = bound.keys.first() else {
            continue;
        };
        let label = app.words.command(bound.command.key(), "label");
        let texts = [format!(" {key}"), format!(" {label} ")];
        let cells: usize = texts.iter().map(|text| super::words::cells(text)).sum();
        let spot = Rect {
            x: column,
            width: u16::try_from(cells).unwrap_or(u16::MAX),
            ..area
        };
        let spot = spot.intersection(area);
        frame.spots.push((spot, Spot::Command(bound.command)));
        column = column.saturating_add(spot.width);
        let [key, label] = texts;
        spans.push(Span::styled(key, theme.key()));
        spans.push(Span::styled(label, theme.dim()));
    }
    put(&Line::from(spans), Style::new(), area, buffer);
}

/// What matters most comes first: with little room the last lines are cut. The
/// command line is text of the process's own choosing and gets one line, so
/// that it can't push the warnings out of sight.
fn dialog(confirm: &Confirm, app: &App, theme: Theme, width: u16) -> Dialog {
    let mut page = Page::new(width);
    page.paragraph(&question(confirm, app), theme.severity(Severity::Alarm));
    if let Some(line) = number_to_type(confirm, app) {
        let style = if confirm.reminded {
            theme.severity(Severity::Alarm)
        } else {
            theme.title()
        };
        page.paragraph(&line, style);
    }
    for warning in warnings::all(confirm, app) {
        page.paragraph(&format!("! {warning}"), theme.severity(Severity::Warn));
    }
    let needed = page.len();
    let word = |name: &str| app.words.screen("confirm", name);
    if confirm.is_of_use() {
        let goes = facts::goes(&confirm.goes, app);
        page.labelled(word("goes"), theme.dim(), INDENT, &goes, Style::new());
    }
    match confirm.single() {
        Some(single) => {
            let room = usize::from(width).saturating_sub(2);
            if let Some(found) = &single.facts {
                if let Some((label, kin)) = facts::kin(confirm.reach, found, app) {
                    page.labelled(&label, theme.dim(), INDENT, &kin, Style::new());
                }
                page.paragraph(&facts::origin(single, found, app), theme.dim());
                page.paragraph(&fit(found.command.as_str(), room), Style::new());
            }
        }
        None => list(confirm, app, theme, &mut page),
    }
    Dialog { page, needed }
}

fn question(confirm: &Confirm, app: &App) -> String {
    let tree = confirm.reach == Reach::Tree;
    let below = confirm
        .single()
        .and_then(|single| single.facts.as_ref())
        .map_or(0, |facts| facts.descendants.len());
    let name = match confirm.single() {
        None if confirm.is_ready() => "question_several",
        None => "arming_several",
        Some(_) if !confirm.is_ready() => "arming",
        Some(_) if !confirm.is_of_use() => "question_ended",
        Some(_) if tree && below == 1 => "question_tree_one",
        Some(_) if tree => "question_tree",
        Some(_) => "question",
    };
    let filled = fill(app.words.screen("confirm", name), |place| {
        let single = confirm.single();
        match place {
            "process" => Some(single?.target.name.to_string()),
            "pid" => Some(single?.target.pid.to_string()),
            _ if single.is_some() => Some(below.to_string()),
            _ => Some(confirm.asked.len().to_string()),
        }
    });
    filled.unwrap_or_default()
}

/// The line in which a number is typed, where that is demanded.
fn number_to_type(confirm: &Confirm, app: &App) -> Option<String> {
    if !confirm.is_ready() || !confirm.is_of_use() {
        return None;
    }
    let demand = confirm.demand()?;
    let name = if confirm.is_allowed() {
        "typed"
    } else if confirm.reminded {
        "type_first"
    } else {
        "type"
    };
    fill(app.words.screen("confirm", name), |place| {
        Some(match place {
            "typed" => confirm.typed.clone(),
            _ => demand.to_string(),
        })
    })
}

/// A line for each of several processes.
fn list(confirm: &Confirm, app: &App, theme: Theme, page: &mut Page) {
    let more = |count: usize| {
        let sentence = app.words.screen("confirm", "more");
        fill(sentence, |_| Some(count.to_string())).unwrap_or_default()
    };
    for asked in confirm.asked.iter().take(LINES) {
        let label = format!("{} ({})", asked.target.name, asked.target.pid);
        let command = asked.facts.as_ref().map(|facts| facts.command.as_str());
        page.line(&label, INDENT, command.unwrap_or("…"), theme.dim());
    }
    if confirm.asked.len() > LINES {
        page.paragraph(&more(confirm.asked.len() - LINES), theme.dim());
    }
    let word = app.words.screen("confirm", "left_out");
    for (target, refusal) in confirm.left_out.iter().take(LINES / 2) {
        let short = app.words.refusal_in_short(refusal.key());
        let text = format!("{} ({}): {short}", target.name, target.pid);
        page.labelled(word, theme.dim(), INDENT, &text, Style::new());
    }
    if confirm.left_out.len() > LINES / 2 {
        page.labelled(
            word,
            theme.dim(),
            INDENT,
            &more(confirm.left_out.len() - LINES / 2),
            theme.dim(),
        );
    }
}

/// `nginx (813), nginx (814), …`
fn names<'a>(processes: impl Iterator<Item = &'a (u32, Text)>) -> String {
    let mut shown: Vec<String> = processes
        .take(LISTED + 1)
        .map(|(pid, name)| format!("{name} ({pid})"))
        .collect();
    if shown.len() > LISTED {
        shown.truncate(LISTED);
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
