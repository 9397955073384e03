//! Warnings before processes are ended.

use super::MAX_NAMES;
use crate::app::App;
use crate::app::signal_confirmation::{AffectedSockets, SignalConfirmation, change_messages};
use crate::explain::socket_proxy::SocketProxy;
use crate::explain::template::render;
use crate::model::action::{HandleKind, ProcessState, TargetFacts};
use crate::model::risk::Risk;

/// Returns all warnings, the most severe first.
pub(super) fn all_warnings(confirm: &SignalConfirmation, app: &App) -> Vec<String> {
    let word = |name: &str| app.messages.screen("confirm", name);
    let known: Vec<&TargetFacts> = confirm
        .targets
        .iter()
        .filter_map(|asked| asked.facts.as_ref())
        .collect();
    if confirm.is_ready() && !confirm.has_running_target() {
        return known
            .into_iter()
            .filter_map(|facts| zombie_warning(facts, app))
            .collect();
    }
    let mut warnings = Vec::new();
    if known
        .iter()
        .any(|facts| facts.handle == HandleKind::PidOnly)
    {
        warnings.push(word("racy").to_owned());
    }
    for facts in &known {
        warnings.extend(risk_warnings(facts, confirm, app));
    }
    for facts in &known {
        let whose = target_prefix(facts, confirm);
        let told = change_messages(facts, app.messages).into_iter();
        warnings.extend(told.map(|change| format!("{whose}{change}")));
    }
    for asked in &confirm.targets {
        let port = confirm.affected.ports().first().copied().unwrap_or(0);
        let stands_for = SocketProxy::on_port(&asked.process, port, &app.observation);
        warnings.extend(stands_for.map(|it| it.describe(&asked.process, port, app.messages)));
    }
    if known
        .iter()
        .any(|facts| facts.state == ProcessState::Stopped)
    {
        warnings.push(word("stopped").to_owned());
    }
    let listens = !confirm.affected.listening.is_empty();
    if confirm.targets.iter().any(|asked| asked.remote_only) {
        warnings.push(word("remote_only").to_owned());
    }
    warnings.extend(shared_sockets_warning(&confirm.affected, app));
    if let Some((pid, name)) = known
        .iter()
        .find_map(|facts| confirm.affected.likely_restarter(facts))
    {
        warnings.extend(render(word("restarts"), |place| {
            Some(match place {
                "process" => name.to_string(),
                _ => pid.to_string(),
            })
        }));
    }
    if listens
        && !confirm.affected.listener_shared
        && known.iter().any(|facts| facts.socket_activated)
    {
        warnings.push(word("activated").to_owned());
    }
    warnings
}

/// Prefix of a warning that names one of several processes.
fn target_prefix(facts: &TargetFacts, confirm: &SignalConfirmation) -> String {
    match confirm.single() {
        Some(_) => String::new(),
        None => format!("{} ({}): ", facts.target.name, facts.target.pid),
    }
}

/// Returns the reasons why a number must be typed for a process; of several it is
/// named.
fn risk_warnings(facts: &TargetFacts, confirm: &SignalConfirmation, app: &App) -> Vec<String> {
    let whose = target_prefix(facts, confirm);
    let cautions = facts.risks_for(confirm.scope).into_iter();
    let names = cautions.filter_map(|caution| match caution {
        Risk::OwnAncestor => Some("own_ancestor"),
        Risk::ContainerInit => Some("container_init"),
        // The question and the list cover several targets; the other risks do not
        // concern processes.
        _ => None,
    });
    names
        .map(|name| format!("{whose}{}", app.messages.screen("confirm", name)))
        .collect()
}

/// Returns a warning that names the parent, which must reap a process that has
/// ended.
fn zombie_warning(facts: &TargetFacts, app: &App) -> Option<String> {
    let name = match facts.parent {
        Some(_) => "zombie",
        None => "zombie_of_nobody",
    };
    render(app.messages.outcome(name), |place| match place {
        "process" => Some(facts.parent.as_ref()?.1.to_string()),
        _ => Some(facts.parent.as_ref()?.0.to_string()),
    })
}

/// Returns a warning about other holders of the sockets.
fn shared_sockets_warning(goes: &AffectedSockets, app: &App) -> Option<String> {
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
    render(app.messages.screen("confirm", name), |place| match place {
        "count" => Some(count.to_string()),
        _ => Some(holders_text(goes, app)),
    })
}

/// Formats the other holders of the sockets, with the number of connections of
/// the same ports of each: `nginx (812, connections: 3), nginx (813)`.
fn holders_text(goes: &AffectedSockets, app: &App) -> String {
    let named = goes.shared_with.iter().map(|(pid, name)| {
        let busy = goes.connections_of_holder.get(pid).copied().unwrap_or(0);
        let sentence = app.messages.screen("confirm", "holder_busy");
        let told = render(sentence, |place| {
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
    if named.len() > MAX_NAMES {
        named.truncate(MAX_NAMES);
        named.push("…".to_owned());
    }
    named.join(", ")
}
