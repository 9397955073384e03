//! Explanation of a confirmation question, shown in its place: the effect of each
//! answer, and every key. Nothing can be answered while it is shown.

use super::page::Page;
use super::screen::draw_title;
use super::signal_dialog::signal_told;
use super::theme::Theme;
use crate::app::App;
use crate::app::keys::{Context, Key};
use crate::app::mode::Mode;
use crate::model::signal::Signal;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Column at which the texts beside signals and ends begin.
const INDENT: usize = 12;
/// Column at which the meanings of keys begin.
const KEYS: usize = 18;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
    let words = |name: &str| app.messages.screen("dialog_help", name);
    let (title, context, scroll, demands) = match &app.mode {
        Mode::Close(closing) => {
            let demands = closing.typed_confirmation.is_some();
            ("closing", Context::Close, closing.help_scroll, demands)
        }
        Mode::Confirm(confirm) => {
            let demands = confirm.typed_confirmation().is_some();
            ("ending", Context::Confirm, confirm.help_scroll, demands)
        }
        _ => return 0,
    };
    let below = draw_title(words(title), theme, area, buffer);
    let mut page = Page::new(below.width);
    if let Mode::Close(closing) = &app.mode {
        if let [only] = &closing.targets[..] {
            let ends = [
                ("owner_sees", only.target.effect_on_owner()),
                ("peer_sees", only.target.effect_on_peer()),
            ];
            for (label, key) in ends {
                let label = app.messages.closing("dialog", label);
                let told = app.messages.closing("sees", key);
                page.labelled(label, theme.dim(), INDENT, told, Style::new());
            }
        }
    } else {
        for signal in Signal::ALL {
            let told = signal_told(signal, app);
            page.labelled(signal.word(), theme.title(), INDENT, told, Style::new());
        }
        page.paragraph(words("list"), Style::new());
    }
    if demands {
        page.paragraph(words("typing"), Style::new());
    }
    page.heading(words("keys"), theme.heading());
    for binding in app.keymap.in_context(context) {
        let keys: Vec<String> = binding.keys.iter().map(Key::to_string).collect();
        let means = app.messages.command(binding.command.key(), "means");
        page.labelled(&keys.join(" "), theme.key(), KEYS, means, Style::new());
    }
    page.paragraph(words("rest"), theme.dim());
    page.draw(scroll.unwrap_or(0), below, buffer)
}
