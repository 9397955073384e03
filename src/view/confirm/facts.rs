//! Facts about the processes in question.

use super::{LISTED, names};
use crate::app::App;
use crate::app::confirm::{Asked, Goes};
use crate::explain::sentence::fill;
use crate::model::action::{ArmedFacts, Reach};
use std::time::Duration;

/// Returns label and text of its children, or of its whole tree.
pub(super) fn kin(reach: Reach, facts: &ArmedFacts, app: &App) -> Option<(String, String)> {
    if facts.descendants.is_empty() {
        return None;
    }
    let word = |name: &str| app.words.screen("confirm", name);
    let (label, sentence, listed) = match reach {
        Reach::Process => ("children", "children_note", &facts.children),
        Reach::Tree => ("tree", "tree_note", &facts.descendants),
    };
    let note = fill(word(sentence), |place| {
        Some(match place {
            "processes" => names(listed.iter()),
            _ => facts.descendants.len().to_string(),
        })
    });
    Some((word(label).to_owned(), note.unwrap_or_default()))
}

/// Returns its parent, start time, user and unit.
pub(super) fn origin(asked: &Asked, facts: &ArmedFacts, app: &App) -> String {
    let word = |name: &str| app.words.screen("confirm", name);
    let mut parts = Vec::new();
    let now = app.observation.time.wall_ms;
    if let Some(started) = asked.process.started_ms.filter(|_| now > 0) {
        let age = app
            .words
            .length(Duration::from_millis(now.saturating_sub(started)));
        parts.extend(fill(word("started"), |_| Some(age.clone())));
    }
    if let Some((pid, name)) = &facts.parent {
        parts.extend(fill(word("parent"), |place| match place {
            "process" => Some(name.to_string()),
            "pid" => Some(pid.to_string()),
            _ => None,
        }));
    }
    // The present user: the process may have changed it since the table.
    let user = facts.uid.map(|uid| {
        let name = app.observation.user(uid);
        name.map_or_else(|| uid.to_string(), ToString::to_string)
    });
    if let Some(user) = user {
        parts.extend(fill(word("user"), |_| Some(user.clone())));
    }
    if let Some(unit) = &asked.process.unit {
        parts.extend(fill(word("unit"), |_| Some(unit.as_str().to_owned())));
    }
    parts.join(" ")
}

/// Formats the affected sockets: `2 listening (:80, :443), 331 ESTABLISHED`.
pub(super) fn goes(goes: &Goes, app: &App) -> String {
    let word = |name: &str| app.words.screen("confirm", name);
    if goes.count() == 0 {
        return word("nothing").to_owned();
    }
    let mut parts = Vec::new();
    if !goes.listening.is_empty() {
        let numbers = goes.ports();
        let mut named: Vec<String> = numbers
            .iter()
            .take(LISTED)
            .map(|port| format!(":{port}"))
            .collect();
        if numbers.len() > LISTED {
            named.push("…".to_owned());
        }
        parts.extend(fill(word("listening"), |place| match place {
            "count" => Some(goes.listening.len().to_string()),
            _ => Some(app.words.list(&named)),
        }));
    }
    for (state, count) in &goes.states {
        parts.extend(fill(word("counted"), |place| match place {
            "count" => Some(count.to_string()),
            _ => Some(state.to_string()),
        }));
    }
    app.words.list(&parts)
}
