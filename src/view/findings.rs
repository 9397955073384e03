//! The page of findings: all active ones in a line each, the marked one with its
//! evidence, other causes and further checks; then muted and resolved ones.

use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use crate::app::App;
use crate::explain::findings::describe;
use crate::explain::program::program_text;
use crate::explain::template::{format_thousands, render};
use crate::listing::{Align, pad};
use crate::model::evidence::Fact;
use crate::model::finding::Finding;
use crate::model::mute::Mute;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// Column of the texts beside the labels.
const INDENT: usize = 16;
/// Column of the sentences of the list.
const LISTED: usize = 28;
/// The facts that best express the size of a finding, the best first.
const SIZE_FACTS: [&str; 7] = [
    "count",
    "waiting",
    "half_open",
    "sockets",
    "used",
    "orphans",
    "failed",
];

/// Draws the page with a finding marked, scrolled beyond it by that many lines;
/// returns the maximum.
pub(super) fn draw(
    app: &App,
    theme: Theme,
    (place, scroll): (usize, u16),
    area: Rect,
    buffer: &mut Buffer,
) -> u16 {
    let words = |name: &str| app.messages.screen("findings", name);
    let below = draw_title(words("title"), theme, area, buffer);
    let mut list = FindingsList {
        app,
        theme,
        page: Page::new(below.width),
        marked: 0..0,
    };
    let findings = &app.observation.findings;
    if findings.is_empty() {
        list.page.paragraph(words("none"), Style::new());
    }
    for (number, finding) in findings.iter().enumerate() {
        list.entry(finding, number == place, false);
    }
    list.muted(place.checked_sub(findings.len()));
    list.ended();
    let FindingsList { page, marked, .. } = list;
    let base = first_visible_line(page.len(), &marked, below.height);
    let longest = page.draw(base.saturating_add(scroll), below, buffer);
    longest.saturating_sub(base)
}

/// First line at which the marked entry is visible.
fn first_visible_line(lines: usize, marked: &std::ops::Range<usize>, height: u16) -> u16 {
    let height = usize::from(height);
    if marked.end <= height {
        return 0;
    }
    let first = marked.start.min(lines.saturating_sub(height));
    u16::try_from(first).unwrap_or(u16::MAX)
}

struct FindingsList<'a> {
    app: &'a App,
    theme: Theme,
    page: Page,
    /// The lines of the marked entry.
    marked: std::ops::Range<usize>,
}

impl FindingsList<'_> {
    fn words(&self, name: &str) -> &'static str {
        self.app.messages.screen("findings", name)
    }

    /// Writes one finding: a line, with details if it is marked.
    fn entry(&mut self, finding: &Finding, marked: bool, muted: bool) {
        let start = self.page.len();
        let said = describe(finding, self.app.messages);
        let style = if muted {
            self.theme.dim()
        } else {
            self.theme.severity(finding.severity)
        };
        let style = if marked {
            style.add_modifier(Modifier::REVERSED)
        } else {
            style
        };
        let line = if self.app.is_acknowledged(finding) {
            self.app
                .messages
                .with_note(&said.line, self.words("acknowledged"))
        } else {
            said.line.clone()
        };
        let text = if marked {
            self.theme.title()
        } else if muted {
            self.theme.dim()
        } else {
            Style::new()
        };
        let head = self.head(finding, marked);
        self.page.labelled(&head, style, LISTED, &line, text);
        if marked {
            self.details(finding, muted);
            self.marked = start..self.page.len();
        }
    }

    /// Returns severity, age and count, in columns.
    fn head(&self, finding: &Finding, marked: bool) -> String {
        let mark = if marked { '>' } else { ' ' };
        let severity = self.words(match finding.severity.word() {
            "alarm" => "short_alarm",
            "warn" => "short_warn",
            _ => "short_info",
        });
        let age = self
            .app
            .messages
            .duration_text(finding.since.age(self.app.observation.time.timestamp()));
        let count = count(finding).map_or_else(String::new, format_thousands);
        let severity = pad(severity, 5, Align::Left);
        let age = pad(&age, 11, Align::Right);
        format!("{mark}{severity} {age} {count:>7}")
    }

    fn details(&mut self, finding: &Finding, muted: bool) {
        let said = describe(finding, self.app.messages);
        let title = self
            .app
            .messages
            .labelled(self.words(finding.severity.word()), &said.title);
        let dim = self.theme.dim();
        let owner = finding.process.as_ref();
        let program = owner.and_then(|owner| owner.exe.as_ref());
        let program = program.map(|exe| program_text(exe, self.app.messages));
        let entries = [
            ("what", Some(title)),
            ("program", program),
            ("evidence", Some(said.evidence)),
            ("else", Some(said.alternatives)),
            ("next", Some(said.advice)),
        ];
        for (label, text) in entries {
            if let Some(text) = text {
                let label = format!("  {}", self.words(label));
                self.page.labelled(&label, dim, INDENT, &text, Style::new());
            }
        }
        if let Some(mute) = Mute::for_finding(finding).filter(|_| muted) {
            let label = format!("  {}", self.words("keep"));
            self.page
                .labelled(&label, dim, INDENT, self.words("keep_means"), Style::new());
            for line in mute.to_string().lines() {
                self.page.line("", INDENT, line, Style::new());
            }
        }
    }

    fn muted(&mut self, place: Option<usize>) {
        let muted = &self.app.observation.muted;
        if muted.is_empty() {
            return;
        }
        let heading = render(self.words("muted"), |_| Some(muted.len().to_string()));
        self.page
            .heading(&heading.unwrap_or_default(), self.theme.dim());
        for (number, finding) in muted.iter().enumerate() {
            self.entry(finding, place == Some(number), true);
        }
    }

    fn ended(&mut self) {
        let now = self.app.observation.time;
        for (number, ended) in self.app.resolved_findings().enumerate() {
            if number == 0 {
                self.page.heading(self.words("ended"), self.theme.dim());
            }
            let ago = self
                .app
                .messages
                .duration_text(ended.resolved_at.timestamp().age(now.timestamp()));
            let told = render(self.words("ended_line"), |place| {
                Some(match place {
                    "ago" => ago.clone(),
                    _ => self.app.messages.duration_text(ended.duration),
                })
            });
            let line = describe(&ended.finding, self.app.messages).line;
            let head = format!(" {}", told.unwrap_or_default());
            let dim = self.theme.dim();
            self.page.labelled(&head, dim, LISTED, &line, dim);
        }
    }
}

/// Returns the size of a finding, if its evidence has such a number.
fn count(finding: &Finding) -> Option<u64> {
    let facts = finding.evidence.facts();
    SIZE_FACTS.iter().find_map(|wanted| {
        facts.iter().find_map(|(name, fact)| match fact {
            Fact::Count(count) if name == wanted => Some(*count),
            _ => None,
        })
    })
}
