//! Every finding that stands: its evidence, what else it could be, and what to
//! check next.

use super::page::Page;
use super::screen::titled;
use super::theme::Theme;
use crate::app::App;
use crate::explain::findings::describe;
use crate::explain::lengths::length;
use crate::explain::sentence::fill;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Where the texts beside the labels begin.
const INDENT: usize = 16;

/// Draws the page; says how far it can be scrolled.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let words = |name: &str| app.words.screen("findings", name);
    let below = titled(words("title"), theme, area, buffer);
    let mut page = Page::new(below.width);
    if app.observation.findings.is_empty() {
        page.blank();
        page.paragraph(words("none"), Style::new());
    }
    for finding in &app.observation.findings {
        let said = describe(finding, app.words);
        let severity = words(finding.severity.word());
        let heading = format!("{severity}: {}", said.title);
        page.heading(&heading, theme.severity(finding.severity));
        page.paragraph(&said.line, theme.title());
        let mut entry = |label: &str, text: &str| {
            page.labelled(words(label), theme.dim(), INDENT, text, Style::new());
        };
        let age = length(finding.since.age(app.observation.time.stamp()));
        let since = fill(words("ago"), |_| Some(age.clone())).unwrap_or_default();
        entry("since", &since);
        if let Some(exe) = finding
            .process
            .as_ref()
            .and_then(|owner| owner.exe.as_ref())
        {
            entry("program", exe.marked().as_str());
        }
        entry("evidence", &said.evidence);
        entry("else", &said.otherwise);
        entry("next", &said.next);
    }
    page.draw(scroll, below, buffer)
}
