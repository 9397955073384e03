//! Abilities of this program on this machine, gaps with their reasons, and
//! remedies.

use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use crate::app::App;
use crate::explain::features::{Support, feature_reports};
use crate::explain::fixes::{Fix, fixes};
use crate::explain::template::{format_thousands, render};
use crate::model::finding::Severity;
use crate::model::gap::GapReason;
use crate::model::privileges::{Capability, ProbedCapabilities};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Column of the sentences.
const INDENT: usize = 20;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let words = |name: &str| app.messages.screen("gaps", name);
    let below = draw_title(words("title"), theme, area, buffer);
    let mut page = Page::new(below.width);
    if let Some(means) = &app.capabilities {
        write_features(means, app, theme, &mut page);
    }
    let gaps = &app.observation.gaps;
    if gaps.is_empty() {
        page.blank();
        page.paragraph(words("none"), Style::new());
    }
    for gap in gaps {
        let short = app.messages.gap(gap.kind, "short");
        let short = render(short, |_| Some(format_thousands(gap.count))).unwrap_or_default();
        let reason = app.messages.gap_reason(gap.reason);
        page.heading(&app.messages.with_note(&short, reason), theme.heading());
        page.paragraph(app.messages.gap(gap.kind, "means"), Style::new());
        // A process with every capability needs no advice to get one.
        let vain = gap.reason == GapReason::Permission && has_all_capabilities(app);
        if !vain {
            page.paragraph(app.messages.gap(gap.kind, "do"), Style::new());
        }
    }
    page.draw(scroll, below, buffer)
}

/// True if no further privilege would show more.
fn has_all_capabilities(app: &App) -> bool {
    app.capabilities.as_ref().is_some_and(|means| {
        means.privileges.is_machine_wide
            && means.privileges.capabilities.len() == Capability::ALL.len()
    })
}

/// Writes the abilities, a paragraph each, and the commands that would help.
fn write_features(means: &ProbedCapabilities, app: &App, theme: Theme, page: &mut Page) {
    let verdicts = feature_reports(&app.observation, means, app.scope);
    page.blank();
    for verdict in &verdicts {
        let name = app.messages.ability(verdict.feature.key(), "name");
        let style = match verdict.support {
            Support::Full => Style::new(),
            Support::Partial | Support::Unavailable => theme.severity(Severity::Warning),
        };
        let mark = app.messages.ability("standings", verdict.support.key());
        let text = app.messages.labelled(mark, &verdict.sentence(app.messages));
        page.labelled(name, theme.dim(), INDENT, &text, style);
    }
    for piece in fixes(&verdicts, means, app.messages) {
        match piece {
            Fix::Text(sentence) => {
                page.blank();
                page.paragraph(&sentence, Style::new());
            }
            Fix::Command(line) => page.command(&line, 3, theme.heading()),
        }
    }
}
