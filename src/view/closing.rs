//! The question before connections are closed: the connections, their holders,
//! and the effect on both ends.

use super::page::Page;
use super::theme::Theme;
use super::{put, row_of};
use crate::app::App;
use crate::app::closing::{Closing, Doomed, reason};
use crate::explain::sentence::fill;
use crate::model::caution::Caution;
use crate::model::finding::Severity;
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Maximum number of sockets that are listed; the rest is counted.
const LISTED: usize = 5;
/// Column of the texts beside the labels.
const INDENT: usize = 12;

/// Number of lines of the dialog.
pub(super) fn height(closing: &Closing, app: &App, theme: Theme, width: u16) -> u16 {
    let lines = dialog(closing, app, theme, width).0.len() + 1 + usize::from(typed(closing));
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Draws the question. True if it may be answered: only if the question and its
/// warnings are visible. The input line is last and never cut.
pub(super) fn draw(
    closing: &Closing,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> bool {
    let rule = format!(" {}", "─".repeat(usize::from(area.width).saturating_sub(2)));
    put(
        &Line::styled(rule, theme.dim()),
        Style::new(),
        row_of(area, 0),
        buffer,
    );
    let line = u16::from(typed(closing) && area.height > 1);
    let middle = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1 + line),
        ..area
    };
    let (page, needed) = dialog(closing, app, theme, middle.width);
    page.draw(0, middle, buffer);
    if line > 0 {
        let demand = closing.demand.as_ref().map(ToString::to_string);
        let sentence = app.words.closing("dialog", "type_number");
        let text = fill(sentence, |place| match place {
            "number" => demand.clone(),
            _ => Some(format!("{}_", closing.typed)),
        });
        let line = Line::styled(format!(" {}", text.unwrap_or_default()), theme.key());
        put(
            &line,
            Style::new(),
            row_of(area, area.height.saturating_sub(1)),
            buffer,
        );
    }
    area.width >= 20 && usize::from(middle.height) >= needed
}

fn typed(closing: &Closing) -> bool {
    closing.demand.is_some()
}

/// Builds the lines, the most important first: on a small screen the last lines
/// are cut. Also returns the number of lines that must be read before an answer.
fn dialog(closing: &Closing, app: &App, theme: Theme, width: u16) -> (Page, usize) {
    let word = |name: &str| app.words.closing("dialog", name);
    let mut page = Page::new(width);
    page.paragraph(&question(closing, app), theme.severity(Severity::Alarm));
    if let Some(demand) = &closing.demand {
        // The question contains their number.
        let several = |caution: &&Caution| matches!(caution, Caution::Several(_));
        for caution in demand.cautions().iter().filter(|one| !several(one)) {
            let said = app.words.closing("cautions", caution.key());
            page.paragraph(&format!("! {said}"), theme.severity(Severity::Warn));
        }
    }
    let needed = page.len();
    let mut labelled = |label: &str, text: &str| {
        page.labelled(label, theme.dim(), INDENT, text, Style::new());
    };
    if let [only] = &closing.targets[..] {
        let sees = |key: &str| app.words.closing("sees", key);
        match only.target.owner_sees() {
            "owner_nobody" => labelled(word("owner"), sees("owner_nobody")),
            key => {
                labelled(word("owner"), &owners(only, app));
                labelled(word("owner_sees"), sees(key));
            }
        }
        let peer = match only.target.socket().state {
            State::Listen => "peers_see",
            _ => "peer_sees",
        };
        labelled(word(peer), sees(only.target.peer_sees()));
    } else {
        for (number, doomed) in closing.targets.iter().take(LISTED).enumerate() {
            let label = if number == 0 { word("several") } else { "" };
            labelled(label, &line(doomed, app));
        }
        if let Some(more) = closing.targets.len().checked_sub(LISTED).filter(|n| *n > 0) {
            let text = fill(word("more"), |_| Some(more.to_string()));
            labelled("", &text.unwrap_or_default());
        }
        // The common effects; the risks cover the rest.
        for (label, key) in [("owners_see", "owner_aborted"), ("peers_see", "peer_reset")] {
            let holds = |doomed: &Doomed| {
                [doomed.target.owner_sees(), doomed.target.peer_sees()].contains(&key)
            };
            if closing.targets.iter().any(holds) {
                labelled(word(label), app.words.closing("sees", key));
            }
        }
    }
    if let Some((_, refusal)) = closing.left_out.first() {
        let text = fill(word("left_out"), |place| match place {
            "count" => Some(closing.left_out.len().to_string()),
            _ => Some(reason(refusal, app.words)),
        });
        page.paragraph(&text.unwrap_or_default(), theme.severity(Severity::Warn));
    }
    (page, needed)
}

fn question(closing: &Closing, app: &App) -> String {
    let (name, only) = match &closing.targets[..] {
        [only] if only.target.socket().state == State::Listen => ("question_listener", Some(only)),
        [only] => ("question", Some(only)),
        _ => ("question_several", None),
    };
    let text = fill(app.words.closing("dialog", name), |place| match place {
        "count" => Some(closing.targets.len().to_string()),
        "what" => Some(only?.what.clone()),
        "state" => Some(only?.target.socket().state.to_string()),
        _ => None,
    });
    text.unwrap_or_default()
}

fn line(doomed: &Doomed, app: &App) -> String {
    let text = fill(app.words.closing("dialog", "line"), |place| match place {
        "what" => Some(doomed.what.clone()),
        "state" => Some(doomed.target.socket().state.to_string()),
        _ => Some(doomed.owner(app.words)),
    });
    text.unwrap_or_default()
}

fn owners(doomed: &Doomed, app: &App) -> String {
    let word = |name: &str| app.words.closing("dialog", name);
    let Some((pid, process)) = doomed.owners.first() else {
        return doomed.owner(app.words);
    };
    let name = if doomed.user.is_some() {
        "owned"
    } else {
        "owned_bare"
    };
    let text = fill(word(name), |place| match place {
        "process" => Some(process.to_string()),
        "pid" => Some(pid.to_string()),
        _ => doomed.user.as_ref().map(ToString::to_string),
    });
    let mut text = text.unwrap_or_default();
    if doomed.owners.len() > 1 {
        let more = fill(word("owners_more"), |_| {
            Some((doomed.owners.len() - 1).to_string())
        });
        text = app.words.sentences(&[text, more.unwrap_or_default()]);
    }
    text
}
