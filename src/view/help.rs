//! The help page: all keys, made from the keymap.

use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use crate::app::App;
use crate::app::close_connection::close_refusal_text;
use crate::app::command::Command;
use crate::app::keys::{Context, Key};
use crate::explain::template::render;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Column of the descriptions.
const INDENT: usize = 26;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let words = |name: &str| app.messages.screen("help", name);
    let below = draw_title(words("title"), theme, area, buffer);
    let mut page = Page::new(below.width);
    let mut listed = Vec::new();
    for context in [
        Context::Table,
        Context::Page,
        Context::Findings,
        Context::Machine,
        Context::Events,
        Context::Learn,
        Context::Confirm,
        Context::Close,
    ] {
        for binding in app.keymap.in_context(context) {
            if listed.contains(&binding) || !app.is_permitted(binding.command) {
                continue;
            }
            listed.push(binding);
            let keys = match binding.command.digit() {
                // One line for all actions of the lab.
                Some(1) => vec!["1".to_owned(), "…".to_owned(), "6".to_owned()],
                Some(2..=6) => continue,
                _ => binding.keys.iter().map(Key::to_string).collect(),
            };
            let means = app.messages.command(binding.command.key(), "means");
            match unavailable_reason(binding.command, app) {
                None => page.labelled(&keys.join(" "), theme.key(), INDENT, means, Style::new()),
                Some(reason) => {
                    page.labelled(&keys.join(" "), theme.dim(), INDENT, &reason, theme.dim());
                }
            }
        }
    }
    for name in ["mouse", "phases", "filters"] {
        page.blank();
        page.paragraph(words(name), Style::new());
    }
    page.draw(scroll, below, buffer)
}

/// Returns the reason why the command of a key is unavailable on this machine.
fn unavailable_reason(command: Command, app: &App) -> Option<String> {
    let refusal = app.close_refusal()?;
    let closes = matches!(command, Command::CloseConnection | Command::ConfirmClose);
    let sentence = app.messages.closing("outcome", "key_off");
    closes.then(|| {
        render(sentence, |_| {
            Some(close_refusal_text(refusal, app.messages))
        })
    })?
}
