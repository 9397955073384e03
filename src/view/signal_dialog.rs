//! The question before processes are ended: the processes, and the sockets that
//! go with them.

mod facts;
mod signals;
mod warnings;

pub(super) use signals::signal_effect as signal_told;

use super::page::Page;
use super::theme::Theme;
use super::{Frame, draw_line, nth_row};
use crate::app::App;
use crate::app::signal_confirmation::SignalConfirmation;
use crate::explain::template::render;
use crate::listing::truncate;
use crate::model::action::SignalScope;
use crate::model::finding::Severity;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Maximum number of names that are listed; the rest is counted.
const MAX_NAMES: usize = 4;
/// Maximum number of processes with a line each; the rest is counted.
const MAX_PROCESS_LINES: usize = 6;
/// Column of the texts beside the labels.
const INDENT: usize = 16;
/// Minimum number of lines of the list of signals on a small screen.
const MIN_SIGNAL_LINES: usize = 3;

/// The dialog's lines, and the number of them that must be read before an answer.
struct SignalDialog {
    page: Page,
    required_lines: usize,
}

/// Number of lines of the dialog.
pub(super) fn height(confirm: &SignalConfirmation, app: &App, theme: Theme, width: u16) -> u16 {
    let lines = dialog(confirm, app, theme, width).page.len() + signals::line_count(confirm) + 1;
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Draws the dialog. True if it may be answered: only if the question and the
/// chosen signal are visible.
pub(super) fn draw(
    confirm: &SignalConfirmation,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) -> bool {
    let rule = format!(" {}", "─".repeat(usize::from(area.width).saturating_sub(2)));
    let rule = Line::styled(rule, theme.dim());
    draw_line(&rule, Style::new(), nth_row(area, 0), buffer);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let dialog = dialog(confirm, app, theme, below.width);
    let all = signals::line_count(confirm);
    let room = usize::from(below.height);
    let left = room.saturating_sub(dialog.required_lines);
    // The list is shortened in favour of the facts, down to a few lines; every
    // warning precedes both.
    let listed = left
        .saturating_sub(dialog.page.len() - dialog.required_lines)
        .max(left.min(MIN_SIGNAL_LINES))
        .min(all);
    let list = u16::try_from(listed).unwrap_or(u16::MAX);
    let above = Rect {
        height: below.height.saturating_sub(list),
        ..below
    };
    let list = Rect {
        y: above.bottom(),
        height: list,
        ..below
    };
    let needed = dialog.required_lines + all.min(1);
    dialog.page.draw(0, above, buffer);
    signals::draw(confirm, app, theme, list, buffer, frame);
    area.height >= 3 && area.width >= 20 && room >= needed
}

/// Builds the lines, the most important first: on a small screen the last lines
/// are cut. The command line is chosen by the process and gets one line, so that
/// it cannot push the warnings off the screen.
fn dialog(confirm: &SignalConfirmation, app: &App, theme: Theme, width: u16) -> SignalDialog {
    let mut page = Page::new(width);
    page.paragraph(
        &question_text(confirm, app),
        theme.severity(Severity::Critical),
    );
    if let Some(relation) = confirm.single().and_then(|single| single.relation.as_ref()) {
        page.paragraph(&relation.render(app.messages), theme.title());
    }
    if let Some(line) = number_to_type(confirm, app) {
        let style = if confirm.needs_typing {
            theme.severity(Severity::Critical)
        } else {
            theme.title()
        };
        page.paragraph(&line, style);
    }
    for warning in warnings::all_warnings(confirm, app) {
        page.paragraph(&format!("! {warning}"), theme.severity(Severity::Warning));
    }
    let needed = page.len();
    let word = |name: &str| app.messages.screen("confirm", name);
    for (target, relation) in confirm.spared.iter().take(MAX_PROCESS_LINES / 2) {
        let role = relation.render(app.messages);
        let text = app
            .messages
            .labelled(&format!("{} ({})", target.name, target.pid), &role);
        page.labelled(word("left_alone"), theme.dim(), INDENT, &text, Style::new());
    }
    if let Some(more) = confirm
        .spared
        .len()
        .checked_sub(MAX_PROCESS_LINES / 2)
        .filter(|n| *n > 0)
    {
        page.labelled("", theme.dim(), INDENT, &more_text(more, app), theme.dim());
    }
    if confirm.has_running_target() {
        let goes = facts::affected_sockets_text(&confirm.affected, app);
        page.labelled(word("goes"), theme.dim(), INDENT, &goes, Style::new());
    }
    match confirm.single() {
        Some(single) => {
            let room = usize::from(width).saturating_sub(2);
            if let Some(found) = &single.facts {
                if let Some((label, kin)) = facts::related_processes(confirm.scope, found, app) {
                    page.labelled(&label, theme.dim(), INDENT, &kin, Style::new());
                }
                page.paragraph(&facts::origin_text(single, found, app), theme.dim());
                page.paragraph(&truncate(found.command.as_str(), room), Style::new());
            }
        }
        None => process_lines(confirm, app, theme, &mut page),
    }
    SignalDialog {
        page,
        required_lines: needed,
    }
}

fn question_text(confirm: &SignalConfirmation, app: &App) -> String {
    let tree = confirm.scope == SignalScope::Tree;
    let below = confirm
        .single()
        .and_then(|single| single.facts.as_ref())
        .map_or(0, |facts| facts.descendants.len());
    let name = match confirm.single() {
        None if confirm.is_ready() => "question_several",
        None => "arming_several",
        Some(_) if !confirm.is_ready() => "arming",
        Some(_) if !confirm.has_running_target() => "question_ended",
        Some(_) if tree && below == 1 => "question_tree_one",
        Some(_) if tree => "question_tree",
        Some(_) => "question",
    };
    let filled = render(app.messages.screen("confirm", name), |place| {
        let single = confirm.single();
        match place {
            "process" => Some(single?.target.name.to_string()),
            "pid" => Some(single?.target.pid.to_string()),
            _ if single.is_some() => Some(below.to_string()),
            _ => Some(confirm.targets.len().to_string()),
        }
    });
    filled.unwrap_or_default()
}

/// Returns the line in which a number is typed, if demanded.
fn number_to_type(confirm: &SignalConfirmation, app: &App) -> Option<String> {
    if !confirm.is_ready() || !confirm.has_running_target() {
        return None;
    }
    let demand = confirm.typed_confirmation()?;
    let name = if confirm.is_confirmed() {
        "typed"
    } else if confirm.needs_typing {
        "type_first"
    } else {
        "type"
    };
    render(app.messages.screen("confirm", name), |place| {
        Some(match place {
            "typed" => confirm.typed.clone(),
            _ => demand.to_string(),
        })
    })
}

/// Writes a line for each of several processes.
fn process_lines(confirm: &SignalConfirmation, app: &App, theme: Theme, page: &mut Page) {
    let more = |count: usize| more_text(count, app);
    for asked in confirm.targets.iter().take(MAX_PROCESS_LINES) {
        let label = format!("{} ({})", asked.target.name, asked.target.pid);
        let command = asked.facts.as_ref().map(|facts| facts.command.as_str());
        let command = command.unwrap_or("…");
        let text = match &asked.relation {
            Some(relation) => app
                .messages
                .labelled(&relation.render(app.messages), command),
            None => command.to_owned(),
        };
        page.line(&label, INDENT, &text, theme.dim());
    }
    if confirm.targets.len() > MAX_PROCESS_LINES {
        page.paragraph(
            &more(confirm.targets.len() - MAX_PROCESS_LINES),
            theme.dim(),
        );
    }
    let word = app.messages.screen("confirm", "left_out");
    for (target, refusal) in confirm.excluded.iter().take(MAX_PROCESS_LINES / 2) {
        let short = app.messages.refusal_short(refusal.key());
        let text = format!("{} ({}): {short}", target.name, target.pid);
        page.labelled(word, theme.dim(), INDENT, &text, Style::new());
    }
    if confirm.excluded.len() > MAX_PROCESS_LINES / 2 {
        page.labelled(
            word,
            theme.dim(),
            INDENT,
            &more(confirm.excluded.len() - MAX_PROCESS_LINES / 2),
            theme.dim(),
        );
    }
}

fn more_text(count: usize, app: &App) -> String {
    let sentence = app.messages.screen("confirm", "more");
    render(sentence, |_| Some(count.to_string())).unwrap_or_default()
}

/// `nginx (813), nginx (814), …`
fn names_text<'a>(processes: impl Iterator<Item = &'a (u32, Text)>) -> String {
    let mut shown: Vec<String> = processes
        .take(MAX_NAMES + 1)
        .map(|(pid, name)| format!("{name} ({pid})"))
        .collect();
    if shown.len() > MAX_NAMES {
        shown.truncate(MAX_NAMES);
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
