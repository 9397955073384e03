//! Warnings before processes are ended.

use super::LISTED;
use crate::app::App;
use crate::app::confirm::{Confirm, Goes, changes};
use crate::explain::sentence::fill;
use crate::explain::stands_for::StandsFor;
use crate::model::action::{ArmedFacts, Grip, Life};
use crate::model::caution::Caution;

/// Returns all warnings, the most severe first.
pub(super) fn all(confirm: &Confirm, app: &App) -> Vec<String> {
    let word = |name: &str| app.words.screen("confirm", name);
    let known: Vec<&ArmedFacts> = confirm
        .asked
        .iter()
        .filter_map(|asked| asked.facts.as_ref())
        .collect();
    if confirm.is_ready() && !confirm.is_of_use() {
        return known
            .into_iter()
            .filter_map(|facts| ended(facts, app))
            .collect();
    }
    let mut warnings = Vec::new();
    if known.iter().any(|facts| facts.grip == Grip::Number) {
        warnings.push(word("racy").to_owned());
    }
    for facts in &known {
        warnings.extend(grave(facts, confirm, app));
    }
    for facts in &known {
        let whose = whose(facts, confirm);
        let told = changes(facts, app.words).into_iter();
        warnings.extend(told.map(|change| format!("{whose}{change}")));
    }
    for asked in &confirm.asked {
        let port = confirm.goes.ports().first().copied().unwrap_or(0);
        let stands_for = StandsFor::on_port(&asked.process, port, &app.observation);
        warnings.extend(stands_for.map(|it| it.told(&asked.process, port, app.words)));
    }
    if known.iter().any(|facts| facts.life == Life::Stopped) {
        warnings.push(word("stopped").to_owned());
    }
    let listens = !confirm.goes.listening.is_empty();
    if confirm.asked.iter().any(|asked| asked.remote_only) {
        warnings.push(word("remote_only").to_owned());
    }
    warnings.extend(shared(&confirm.goes, app));
    if let Some((pid, name)) = known.iter().find_map(|facts| confirm.goes.restarter(facts)) {
        warnings.extend(fill(word("restarts"), |place| {
            Some(match place {
                "process" => name.to_string(),
                _ => pid.to_string(),
            })
        }));
    }
    if listens && !confirm.goes.listener_shared && known.iter().any(|facts| facts.activated) {
        warnings.push(word("activated").to_owned());
    }
    warnings
}

/// Prefix of a warning that names one of several processes.
fn whose(facts: &ArmedFacts, confirm: &Confirm) -> String {
    match confirm.single() {
        Some(_) => String::new(),
        None => format!("{} ({}): ", facts.target.name, facts.target.pid),
    }
}

/// Returns the reasons why a number must be typed for a process; of several it is
/// named.
fn grave(facts: &ArmedFacts, confirm: &Confirm, app: &App) -> Vec<String> {
    let whose = whose(facts, confirm);
    let cautions = facts.cautions_for(confirm.reach).into_iter();
    let names = cautions.filter_map(|caution| match caution {
        Caution::OwnAncestor => Some("own_ancestor"),
        Caution::ContainerInit => Some("container_init"),
        // The question and the list cover several targets; the other risks do not
        // concern processes.
        _ => None,
    });
    names
        .map(|name| format!("{whose}{}", app.words.screen("confirm", name)))
        .collect()
}

/// Returns a warning that names the parent, which must reap a process that has
/// ended.
fn ended(facts: &ArmedFacts, app: &App) -> Option<String> {
    let name = match facts.parent {
        Some(_) => "zombie",
        None => "zombie_of_nobody",
    };
    fill(app.words.outcome(name), |place| match place {
        "process" => Some(facts.parent.as_ref()?.1.to_string()),
        _ => Some(facts.parent.as_ref()?.0.to_string()),
    })
}

/// Returns a warning about other holders of the sockets.
fn shared(goes: &Goes, app: &App) -> Option<String> {
    let init = goes.shared_with.iter().any(|(pid, _)| *pid == 1);
    let count = goes.shared_with.len();
    let name = match (count, goes.listener_shared) {
        (0, _) => return None,
        (_, true) if init => "shared_with_init",
        (1, true) => "shared_one",
        (_, true) => "shared",
        (1, false) => "shared_connection_one",
        (_, false) => "shared_connection",
    };
    fill(app.words.screen("confirm", name), |place| match place {
        "count" => Some(count.to_string()),
        _ => Some(holders(goes, app)),
    })
}

/// Formats the other holders of the sockets, with the number of connections of
/// the same ports of each: `nginx (812, connections: 3), nginx (813)`.
fn holders(goes: &Goes, app: &App) -> String {
    let named = goes.shared_with.iter().map(|(pid, name)| {
        let busy = goes.busy.get(pid).copied().unwrap_or(0);
        let sentence = app.words.screen("confirm", "holder_busy");
        let told = fill(sentence, |place| {
            Some(match place {
                "process" => name.to_string(),
                "pid" => pid.to_string(),
                _ => busy.to_string(),
            })
        });
        match told {
            Some(told) if busy > 0 => told,
            _ => format!("{name} ({pid})"),
        }
    });
    let mut named: Vec<String> = named.collect();
    if named.len() > LISTED {
        named.truncate(LISTED);
        named.push("…".to_owned());
    }
    named.join(", ")
}
