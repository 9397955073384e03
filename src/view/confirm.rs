//! The question before a process is ended: who it is, and what goes with it.

use super::page::Page;
use super::put;
use super::row_of;
use super::theme::Theme;
use crate::app::App;
use crate::app::confirm::{Confirm, Goes};
use crate::explain::lengths::length;
use crate::explain::sentence::fill;
use crate::listing::fit;
use crate::model::finding::Severity;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use std::time::Duration;

/// How many names are listed before the rest is counted.
const LISTED: usize = 4;
/// Where the texts beside the labels begin.
const INDENT: usize = 16;

/// How many lines the dialog wants.
pub(super) fn height(confirm: &Confirm, app: &App, theme: Theme, width: u16) -> u16 {
    let lines = page(confirm, app, theme, width).len() + 1;
    u16::try_from(lines).unwrap_or(u16::MAX)
}

pub(super) fn draw(confirm: &Confirm, app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let rule = format!(" {}", "─".repeat(usize::from(area.width).saturating_sub(2)));
    put(
        &Line::styled(rule, theme.dim()),
        Style::new(),
        row_of(area, 0),
        buffer,
    );
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    page(confirm, app, theme, below.width).draw(0, below, buffer);
}

/// The dialog's lines, what matters most first: with little room the last ones
/// are cut. The command line is text of the process's own choosing and gets
/// one line, so that it can't push the warnings out of sight.
fn page(confirm: &Confirm, app: &App, theme: Theme, width: u16) -> Page {
    let word = |name: &str| app.words.screen("confirm", name);
    let target = &confirm.target;
    let who = |place: &str| match place {
        "process" => Some(target.name.to_string()),
        "pid" => Some(target.pid.to_string()),
        _ => None,
    };
    let mut page = Page::new(width);
    let name = if confirm.facts.is_some() {
        "question"
    } else {
        "arming"
    };
    let question = fill(word(name), who).unwrap_or_default();
    page.paragraph(&question, theme.severity(Severity::Alarm));
    if confirm.facts.as_ref().is_some_and(|facts| facts.zombie) {
        let zombie = fill(app.words.outcome("zombie"), who).unwrap_or_default();
        page.paragraph(&zombie, theme.severity(Severity::Warn));
    }
    if let Some(shared) = shared(&confirm.goes, app) {
        page.paragraph(&format!("! {shared}"), theme.severity(Severity::Warn));
    }
    let goes = goes(&confirm.goes, app);
    page.labelled(word("goes"), theme.dim(), INDENT, &goes, Style::new());
    let Some(facts) = &confirm.facts else {
        return page;
    };
    if !facts.children.is_empty() {
        let children = names(facts.children.iter());
        let text = format!("{children}. {}", word("children_note"));
        page.labelled(word("children"), theme.dim(), INDENT, &text, Style::new());
    }
    page.paragraph(&origin(confirm, app), theme.dim());
    let room = usize::from(width).saturating_sub(2);
    page.paragraph(&fit(facts.command.as_str(), room), Style::new());
    page
}

/// Who started it and when, and as whom.
fn origin(confirm: &Confirm, app: &App) -> String {
    let word = |name: &str| app.words.screen("confirm", name);
    let mut parts = Vec::new();
    let now = app.observation.time.wall_ms;
    if let Some(started) = confirm.started_ms.filter(|_| now > 0) {
        let age = length(Duration::from_millis(now.saturating_sub(started)));
        parts.extend(fill(word("started"), |_| Some(age.clone())));
    }
    let parent = confirm
        .facts
        .as_ref()
        .and_then(|facts| facts.parent.as_ref());
    if let Some((pid, name)) = parent {
        parts.extend(fill(word("parent"), |place| match place {
            "process" => Some(name.to_string()),
            "pid" => Some(pid.to_string()),
            _ => None,
        }));
    }
    // As the process is now: it may have changed its user since the table.
    let uid = confirm.facts.as_ref().and_then(|facts| facts.uid);
    let user = uid.map(|uid| {
        let name = app.observation.user(uid);
        name.map_or_else(|| uid.to_string(), ToString::to_string)
    });
    if let Some(user) = user {
        parts.extend(fill(word("user"), |_| Some(user.clone())));
    }
    parts.join(" ")
}

/// The sockets that go with it: `2 listening (:80, :443), 331 ESTABLISHED`.
fn goes(goes: &Goes, app: &App) -> String {
    let word = |name: &str| app.words.screen("confirm", name);
    if goes.count() == 0 {
        return word("nothing").to_owned();
    }
    let mut parts = Vec::new();
    if !goes.listening.is_empty() {
        let mut named: Vec<String> = goes
            .listening
            .iter()
            .take(LISTED)
            .map(|socket| format!(":{}", socket.local.port))
            .collect();
        named.dedup();
        if goes.listening.len() > LISTED {
            named.push("…".to_owned());
        }
        parts.extend(fill(word("listening"), |place| match place {
            "count" => Some(goes.listening.len().to_string()),
            _ => Some(named.join(", ")),
        }));
    }
    for (state, count) in &goes.states {
        parts.extend(fill(word("counted"), |place| match place {
            "count" => Some(count.to_string()),
            _ => Some(state.to_string()),
        }));
    }
    parts.join(", ")
}

fn shared(goes: &Goes, app: &App) -> Option<String> {
    let count = goes.shared_with.len();
    let name = match count {
        0 => return None,
        1 => "shared_one",
        _ => "shared",
    };
    fill(app.words.screen("confirm", name), |place| match place {
        "count" => Some(count.to_string()),
        _ => Some(names(goes.shared_with.iter())),
    })
}

/// `nginx (813), nginx (814), …`
fn names<'a>(processes: impl Iterator<Item = &'a (u32, Text)>) -> String {
    let mut shown: Vec<String> = processes
        .take(LISTED + 1)
        .map(|(pid, name)| format!("{name} ({pid})"))
        .collect();
    if shown.len() > LISTED {
        shown.truncate(LISTED);
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
