//! Abilities of this program on this machine, gaps with their reasons, and
//! remedies.

use super::page::Page;
use super::screen::titled;
use super::theme::Theme;
use crate::app::App;
use crate::explain::ability::{Standing, verdicts};
use crate::explain::remedy::{Advice, advice};
use crate::explain::sentence::{fill, grouped};
use crate::model::finding::Severity;
use crate::model::gap::GapReason;
use crate::model::powers::{Capability, Means};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Column of the sentences.
const INDENT: usize = 20;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let words = |name: &str| app.words.screen("gaps", name);
    let below = titled(words("title"), theme, area, buffer);
    let mut page = Page::new(below.width);
    if let Some(means) = &app.means {
        abilities(means, app, theme, &mut page);
    }
    let gaps = &app.observation.gaps;
    if gaps.is_empty() {
        page.blank();
        page.paragraph(words("none"), Style::new());
    }
    for gap in gaps {
        let short = app.words.gap(gap.kind, "short");
        let short = fill(short, |_| Some(grouped(gap.count))).unwrap_or_default();
        let reason = app.words.gap_reason(gap.reason);
        page.heading(&app.words.aside(&short, reason), theme.heading());
        page.paragraph(app.words.gap(gap.kind, "means"), Style::new());
        // A process with every capability needs no advice to get one.
        let vain = gap.reason == GapReason::Permission && lacks_nothing(app);
        if !vain {
            page.paragraph(app.words.gap(gap.kind, "do"), Style::new());
        }
    }
    page.draw(scroll, below, buffer)
}

/// True if no further privilege would show more.
fn lacks_nothing(app: &App) -> bool {
    app.means.as_ref().is_some_and(|means| {
        means.powers.whole_machine && means.powers.capabilities.len() == Capability::ALL.len()
    })
}

/// Writes the abilities, a paragraph each, and the commands that would help.
fn abilities(means: &Means, app: &App, theme: Theme, page: &mut Page) {
    let verdicts = verdicts(&app.observation, means, app.scope);
    page.blank();
    for verdict in &verdicts {
        let name = app.words.ability(verdict.ability.key(), "name");
        let style = match verdict.standing {
            Standing::Can => Style::new(),
            Standing::Partly | Standing::Cannot => theme.severity(Severity::Warn),
        };
        let mark = app.words.ability("standings", verdict.standing.key());
        let text = app.words.labelled(mark, &verdict.sentence(app.words));
        page.labelled(name, theme.dim(), INDENT, &text, style);
    }
    for piece in advice(&verdicts, means, app.words) {
        match piece {
            Advice::Say(sentence) => {
                page.blank();
                page.paragraph(&sentence, Style::new());
            }
            Advice::Type(line) => page.command(&line, 3, theme.heading()),
        }
    }
}
