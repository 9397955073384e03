//! Facts about the processes in question.

use super::{MAX_NAMES, names_text};
use crate::app::App;
use crate::app::signal_confirmation::{AffectedSockets, TargetRequest};
use crate::explain::template::render;
use crate::model::action::{SignalScope, TargetFacts};
use std::time::Duration;

/// Returns label and text of its children, or of its whole tree.
pub(super) fn related_processes(
    reach: SignalScope,
    facts: &TargetFacts,
    app: &App,
) -> Option<(String, String)> {
    if facts.descendants.is_empty() {
        return None;
    }
    let word = |name: &str| app.messages.screen("confirm", name);
    let (label, sentence, listed) = match reach {
        SignalScope::Process => ("children", "children_note", &facts.children),
        SignalScope::Tree => ("tree", "tree_note", &facts.descendants),
    };
    let note = render(word(sentence), |place| {
        Some(match place {
            "processes" => names_text(listed.iter()),
            _ => facts.descendants.len().to_string(),
        })
    });
    Some((word(label).to_owned(), note.unwrap_or_default()))
}

/// Returns its parent, start time, user and unit.
pub(super) fn origin_text(asked: &TargetRequest, facts: &TargetFacts, app: &App) -> String {
    let word = |name: &str| app.messages.screen("confirm", name);
    let mut parts = Vec::new();
    let now = app.observation.time.wall_ms;
    if let Some(started) = asked.process.started_ms.filter(|_| now > 0) {
        let age = app
            .messages
            .duration_text(Duration::from_millis(now.saturating_sub(started)));
        parts.extend(render(word("started"), |_| Some(age.clone())));
    }
    if let Some((pid, name)) = &facts.parent {
        parts.extend(render(word("parent"), |place| match place {
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
        parts.extend(render(word("user"), |_| Some(user.clone())));
    }
    if let Some(unit) = &asked.process.unit {
        parts.extend(render(word("unit"), |_| Some(unit.as_str().to_owned())));
    }
    parts.join(" ")
}

/// Formats the affected sockets: `2 listening (:80, :443), 331 ESTABLISHED`.
pub(super) fn affected_sockets_text(goes: &AffectedSockets, app: &App) -> String {
    let word = |name: &str| app.messages.screen("confirm", name);
    if goes.count() == 0 {
        return word("nothing").to_owned();
    }
    let mut parts = Vec::new();
    if !goes.listening.is_empty() {
        let numbers = goes.ports();
        let mut named: Vec<String> = numbers
            .iter()
            .take(MAX_NAMES)
            .map(|port| format!(":{port}"))
            .collect();
        if numbers.len() > MAX_NAMES {
            named.push("…".to_owned());
        }
        parts.extend(render(word("listening"), |place| match place {
            "count" => Some(goes.listening.len().to_string()),
            _ => Some(app.messages.join_list(&named)),
        }));
    }
    for (state, count) in &goes.states {
        parts.extend(render(word("counted"), |place| match place {
            "count" => Some(count.to_string()),
            _ => Some(state.to_string()),
        }));
    }
    app.messages.join_list(&parts)
}
