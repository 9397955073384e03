//! The page about a state: first this socket's own case, then the state in
//! general, with this machine's limits.

use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use crate::app::App;
use crate::explain::catalogue::StateText;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let Some(row) = app.selected() else {
        return 0;
    };
    let state = row.socket.state;
    let Some(words) = app.messages.state(state) else {
        return 0;
    };
    let below = draw_title(&format!("{state} · {}", words.picture), theme, area, buffer);
    let mut page = Page::new(below.width);
    let heading = |name: &str| app.messages.screen("explain", name);
    let diagnosis = app.diagnosis(row);
    page.heading(heading("this_socket"), theme.heading());
    super::explanation_pane::write_explanation(
        &diagnosis,
        app.messages,
        theme,
        usize::MAX,
        &mut page,
    );
    if let Some(unowned) = &diagnosis.no_owner_reason
        && !diagnosis.reason_in_sentences
    {
        page.paragraph(unowned, Style::new());
    }
    page.heading(&state.to_string(), theme.heading());
    page.paragraph(&app.with_limits(&words.means), Style::new());
    write(words, app, theme, &mut page);
    page.draw(scroll, below, buffer)
}

/// Writes the general facts about a state, without its meaning.
pub(super) fn write(words: &StateText, app: &App, theme: Theme, page: &mut Page) {
    let heading = |name: &str| app.messages.screen("explain", name);
    for (name, text) in [
        ("waits_for", &words.waits_for),
        ("entered", &words.entered),
        ("left", &words.left),
        ("lasts", &words.lasts),
        ("lingers", &words.lingers),
        ("to_do", &words.to_do),
        ("see", &words.see),
    ] {
        page.heading(heading(name), theme.heading());
        page.paragraph(&app.with_limits(text), Style::new());
        if name == "lasts" && app.host_limits.is_some() {
            page.paragraph(app.messages.lab("pane", "raised"), theme.dim());
        }
    }
    if !words.command.is_empty() {
        page.command(&words.command, 1, theme.key());
    }
    page.heading(heading("spellings"), theme.heading());
    page.paragraph(&words.spellings, Style::new());
}
