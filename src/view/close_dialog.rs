//! The question before connections are closed: the connections, their holders,
//! and the effect on both ends.

use super::page::Page;
use super::theme::Theme;
use super::{draw_line, nth_row};
use crate::app::App;
use crate::app::close_connection::{CloseConfirmation, CloseItem, close_refusal_text};
use crate::explain::template::render;
use crate::model::finding::Severity;
use crate::model::risk::Risk;
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Maximum number of sockets that are listed; the rest is counted.
const MAX_LISTED: usize = 5;
/// Column of the texts beside the labels.
const INDENT: usize = 12;

/// Number of lines of the dialog.
pub(super) fn height(closing: &CloseConfirmation, app: &App, theme: Theme, width: u16) -> u16 {
    let lines =
        dialog_page(closing, app, theme, width).0.len() + 1 + usize::from(needs_typing(closing));
    u16::try_from(lines).unwrap_or(u16::MAX)
}

/// Draws the question. True if it may be answered: only if the question and its
/// warnings are visible. The input line is last and never cut.
pub(super) fn draw(
    closing: &CloseConfirmation,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) -> bool {
    let rule = format!(" {}", "─".repeat(usize::from(area.width).saturating_sub(2)));
    draw_line(
        &Line::styled(rule, theme.dim()),
        Style::new(),
        nth_row(area, 0),
        buffer,
    );
    let line = u16::from(needs_typing(closing) && area.height > 1);
    let middle = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1 + line),
        ..area
    };
    let (page, needed) = dialog_page(closing, app, theme, middle.width);
    page.draw(0, middle, buffer);
    if line > 0 {
        let demand = closing.typed_confirmation.as_ref().map(ToString::to_string);
        let sentence = app.messages.closing("dialog", "type_number");
        let text = render(sentence, |place| match place {
            "number" => demand.clone(),
            _ => Some(format!("{}_", closing.typed)),
        });
        let line = Line::styled(format!(" {}", text.unwrap_or_default()), theme.key());
        draw_line(
            &line,
            Style::new(),
            nth_row(area, area.height.saturating_sub(1)),
            buffer,
        );
    }
    area.width >= 20 && usize::from(middle.height) >= needed
}

fn needs_typing(closing: &CloseConfirmation) -> bool {
    closing.typed_confirmation.is_some()
}

/// Builds the lines, the most important first: on a small screen the last lines
/// are cut. Also returns the number of lines that must be read before an answer.
fn dialog_page(closing: &CloseConfirmation, app: &App, theme: Theme, width: u16) -> (Page, usize) {
    let word = |name: &str| app.messages.closing("dialog", name);
    let mut page = Page::new(width);
    page.paragraph(
        &question_text(closing, app),
        theme.severity(Severity::Critical),
    );
    if let Some(demand) = &closing.typed_confirmation {
        // The question contains their number.
        let several = |caution: &&Risk| matches!(caution, Risk::MultipleTargets(_));
        for caution in demand.risks().iter().filter(|one| !several(one)) {
            let said = app.messages.closing("cautions", caution.key());
            page.paragraph(&format!("! {said}"), theme.severity(Severity::Warning));
        }
    }
    let needed = page.len();
    let mut labelled = |label: &str, text: &str| {
        page.labelled(label, theme.dim(), INDENT, text, Style::new());
    };
    if let [only] = &closing.targets[..] {
        let sees = |key: &str| app.messages.closing("sees", key);
        match only.target.effect_on_owner() {
            "owner_nobody" => labelled(word("owner"), sees("owner_nobody")),
            key => {
                labelled(word("owner"), &owners_text(only, app));
                labelled(word("owner_sees"), sees(key));
            }
        }
        let peer = match only.target.socket().state {
            State::Listen => "peers_see",
            _ => "peer_sees",
        };
        labelled(word(peer), sees(only.target.effect_on_peer()));
    } else {
        for (number, item) in closing.targets.iter().take(MAX_LISTED).enumerate() {
            let label = if number == 0 { word("several") } else { "" };
            labelled(label, &item_line(item, app));
        }
        if let Some(more) = closing
            .targets
            .len()
            .checked_sub(MAX_LISTED)
            .filter(|n| *n > 0)
        {
            let text = render(word("more"), |_| Some(more.to_string()));
            labelled("", &text.unwrap_or_default());
        }
        // The common effects; the risks cover the rest.
        for (label, key) in [("owners_see", "owner_aborted"), ("peers_see", "peer_reset")] {
            let holds = |item: &CloseItem| {
                [item.target.effect_on_owner(), item.target.effect_on_peer()].contains(&key)
            };
            if closing.targets.iter().any(holds) {
                labelled(word(label), app.messages.closing("sees", key));
            }
        }
    }
    if let Some((_, refusal)) = closing.excluded.first() {
        let text = render(word("left_out"), |place| match place {
            "count" => Some(closing.excluded.len().to_string()),
            _ => Some(close_refusal_text(refusal, app.messages)),
        });
        page.paragraph(&text.unwrap_or_default(), theme.severity(Severity::Warning));
    }
    (page, needed)
}

fn question_text(closing: &CloseConfirmation, app: &App) -> String {
    let (name, only) = match &closing.targets[..] {
        [only] if only.target.socket().state == State::Listen => ("question_listener", Some(only)),
        [only] => ("question", Some(only)),
        _ => ("question_several", None),
    };
    let text = render(app.messages.closing("dialog", name), |place| match place {
        "count" => Some(closing.targets.len().to_string()),
        "what" => Some(only?.endpoints.clone()),
        "state" => Some(only?.target.socket().state.to_string()),
        _ => None,
    });
    text.unwrap_or_default()
}

fn item_line(item: &CloseItem, app: &App) -> String {
    let text = render(
        app.messages.closing("dialog", "line"),
        |place| match place {
            "what" => Some(item.endpoints.clone()),
            "state" => Some(item.target.socket().state.to_string()),
            _ => Some(item.owner_text(app.messages)),
        },
    );
    text.unwrap_or_default()
}

fn owners_text(item: &CloseItem, app: &App) -> String {
    let word = |name: &str| app.messages.closing("dialog", name);
    let Some((pid, process)) = item.owners.first() else {
        return item.owner_text(app.messages);
    };
    let name = if item.user.is_some() {
        "owned"
    } else {
        "owned_bare"
    };
    let text = render(word(name), |place| match place {
        "process" => Some(process.to_string()),
        "pid" => Some(pid.to_string()),
        _ => item.user.as_ref().map(ToString::to_string),
    });
    let mut text = text.unwrap_or_default();
    if item.owners.len() > 1 {
        let more = render(word("owners_more"), |_| {
            Some((item.owners.len() - 1).to_string())
        });
        text = app
            .messages
            .join_sentences(&[text, more.unwrap_or_default()]);
    }
    text
}
