//! `tcplens kill`: the processes that hold the sockets that match a filter.

use super::owners::{self, MatchingProcess};
use super::ports;
use super::undecided;
use super::{
    ActionOptions, Console, DecisionInput, ExitReason, MessageKeys, RunError, SocketQuery, confirm,
    is_interactive, user_text,
};
use crate::app::signal_confirmation::{AffectedSockets, change_messages};
use crate::control::ProcessControl;
use crate::explain::catalogue::Catalogue;
use crate::explain::socket_proxy::SocketProxy;
use crate::explain::template::render;
use crate::listing::{SocketRelation, TargetRule, Targets, shell_arguments, truncate};
use crate::model::action::{
    HandleKind, ProcessState, ProcessTarget, SignalOutcome, SignalRefusal, SignalScope, TargetFacts,
};
use crate::model::observation::Observation;
use crate::model::risk::{Risk, TypedConfirmation};
use crate::model::signal::Signal;
use crate::run::port;
use std::io::{Write, stderr};
use std::time::{Duration, Instant};

const KEYS: MessageKeys = MessageKeys {
    question: "question_kill_one",
    type_number: "type_kill",
    dry_run: "dry_kill",
};
/// After this long a process that still runs is reported so.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest command line printed, in cells.
const MAX_COMMAND_CELLS: usize = 100;

/// Input of `tcplens kill`.
pub struct KillRequest {
    /// Sockets of the processes.
    pub query: SocketQuery,
    /// Options of the action.
    pub options: ActionOptions,
    /// Signal to send.
    pub signal: Signal,
    /// Control that sends it.
    pub control: Box<dyn ProcessControl>,
    /// Message catalogue.
    pub messages: &'static Catalogue,
}

/// The arguments that name the same sockets in a shell.
fn arguments(query: &SocketQuery, observation: &Observation) -> String {
    let words = shell_arguments(&query.filter, &query.quick);
    match observation.entered() {
        Some(entrance) => format!("{} {words}", entrance.flag()),
        None => words,
    }
}

/// Says that no socket matches, and what is known of the port if the filter is one.
fn tell_nothing_matches(about: &mut SocketQuery, observation: &Observation, teller: &Console) {
    teller.warn("nothing_matches", &[]);
    let report = port::port_report(
        &about.filter,
        observation,
        &mut *about.source,
        teller.messages,
    );
    for line in report
        .iter()
        .flat_map(|report| report.lines(teller.messages))
    {
        let _ = writeln!(stderr(), "{line}");
    }
}

/// Prints the matching processes, confirms, signals, and waits for their exit.
///
/// # Errors
///
/// If the table cannot be read, or the request is refused.
pub fn kill(mut request: KillRequest) -> Result<ExitReason, RunError> {
    let teller = Console {
        messages: request.messages,
    };
    let observation = request.query.observe()?;
    let rows = request.query.rows(&observation);
    let filter = &request.query.filter;
    let rule = if request.options.clients {
        TargetRule::match_all(filter, &observation)
    } else {
        TargetRule::new(&rows, filter, &observation)
    };
    undecided::refuse_kill(&request.query, &rule, &observation, &teller)?;
    if rows.is_empty() {
        tell_nothing_matches(&mut request.query, &observation, &teller);
        return Ok(ExitReason::NoMatch);
    }
    let targets = Targets::partition(&rows, &rule);
    let command = arguments(&request.query, &observation);
    if targets.selected.is_empty() {
        teller.notice("no_holder", &[]);
    }
    let explained = owners::print_unowned(&targets.selected, &command, &observation, &teller);
    let owners = owners::matching_processes(&targets.selected, filter, &observation);
    let spared = owners::matching_processes(&targets.spared, filter, &observation);
    let leaves_any = owners::print_spared(&spared, &owners, &observation, &teller);
    if leaves_any && owners.is_empty() {
        teller.notice("include_clients", &[("filter", command)]);
    }
    if explained && owners.is_empty() {
        return Ok(ExitReason::NoMatch);
    }
    let extra = [("signal", request.signal.to_string())];
    let mut case = DecisionInput {
        targets: owners.len(),
        confirmation: None,
        first_number: 0,
        is_interactive: is_interactive(),
    };
    if owners.len() > request.options.max_targets && !request.options.dry_run {
        // Not one of them is taken hold of.
        let ending = confirm(&case, &request.options, &KEYS, &teller, &extra)?;
        return Ok(ending.unwrap_or(ExitReason::Partial));
    }
    let found = owners.len();
    let mut armed = Vec::with_capacity(found);
    let mut cautions = Vec::new();
    let mut racy = false;
    let mut known = Vec::new();
    for owner in owners {
        match request.control.acquire(owner.id, &owner.target) {
            Ok(facts) if facts.state == ProcessState::Zombie => {
                teller.print_excluded(
                    &process_text(&owner.target),
                    refusal_text(&SignalRefusal::Zombie, &teller),
                );
            }
            Ok(facts) => {
                cautions.extend(facts.risks_for(SignalScope::Process));
                cautions.extend(owner.risk());
                racy |= facts.handle == HandleKind::PidOnly;
                known.push(facts.clone());
                print_process(&owner, &facts, &observation, &teller);
                if request.options.dry_run {
                    // There may be more of them than descriptors.
                    request.control.release(owner.id);
                }
                armed.push(owner);
            }
            Err(refusal) => teller.print_excluded(
                &process_text(&owner.target),
                refusal_text(&refusal, &teller),
            ),
        }
    }
    if armed.len() > 1 {
        cautions.push(Risk::MultipleTargets(
            u32::try_from(armed.len()).unwrap_or(u32::MAX),
        ));
    }
    case.targets = armed.len();
    case.first_number = armed.first().map_or(0, |owner| owner.target.pid);
    case.confirmation = TypedConfirmation::from_risks(cautions, case.first_number);
    if racy {
        let risk = request.messages.screen("confirm", "racy").to_owned();
        teller.print("caution", &[("caution", risk)]);
    }
    let pids = armed.iter().map(|owner| owner.target.pid).collect();
    let goes = AffectedSockets::from_pids(&pids, &observation);
    ports::warn(&goes, &known, &teller);
    teller.print_risks(&case);
    if let Some(ending) = confirm(&case, &request.options, &KEYS, &teller, &extra)? {
        return Ok(ending);
    }
    let all = signal_all(&mut *request.control, request.signal, &armed, &teller);
    if request.signal.is_terminating() {
        ports::print_port_outcome(&mut request.query, &goes, &teller);
    }
    Ok(if all && armed.len() == found {
        ExitReason::Done
    } else {
        ExitReason::Partial
    })
}

/// Sends to all, then waits for all; returns true if each has exited, or was
/// sent a signal that need not end it.
fn signal_all(
    control: &mut dyn ProcessControl,
    signal: Signal,
    armed: &[MatchingProcess<'_>],
    teller: &Console,
) -> bool {
    let mut all = true;
    let mut awaited = Vec::new();
    for owner in armed {
        let sent = Instant::now();
        match control.signal(owner.id, signal) {
            SignalOutcome::Exited { after, .. } => print_end(teller, "kill_ended", owner, after),
            SignalOutcome::Sent { .. } if signal.is_terminating() => awaited.push((owner, sent)),
            SignalOutcome::Sent { .. } => {
                let mut values = process_values(&owner.target).to_vec();
                values.push(("signal", signal.to_string()));
                teller.print("kill_sent", &values);
            }
            SignalOutcome::StillRunning { after, .. } => {
                all = false;
                print_end(teller, "kill_runs", owner, after);
            }
            SignalOutcome::Refused(refusal) => {
                all = false;
                let mut values = process_values(&owner.target).to_vec();
                values.push(("reason", refusal_text(&refusal, teller)));
                teller.print("kill_refused", &values);
            }
        }
    }
    for (owner, sent) in awaited {
        let ended = control.wait_for_exit(owner.id, EXIT_TIMEOUT.saturating_sub(sent.elapsed()));
        let name = if ended { "kill_ended" } else { "kill_runs" };
        all &= ended;
        print_end(teller, name, owner, sent.elapsed());
    }
    all
}

fn print_process(
    owner: &MatchingProcess<'_>,
    facts: &TargetFacts,
    observation: &Observation,
    teller: &Console,
) {
    let name = match owner.sockets {
        1 => "counted_one",
        _ => "counted",
    };
    let sockets = teller.message(name, &[("count", owner.sockets.to_string())]);
    let mut values = process_values(&owner.target).to_vec();
    let command = facts.command.as_str();
    values.extend([
        ("user", user_text(facts.uid, observation).to_string()),
        (
            "role",
            SocketRelation::from_row(owner.row, observation).render(teller.messages),
        ),
        ("sockets", sockets),
        ("command", truncate(command, MAX_COMMAND_CELLS).into_owned()),
    ]);
    teller.print("kill_line", &values);
    for change in change_messages(facts, teller.messages) {
        teller.print("caution", &[("caution", change)]);
    }
    let port = owner.row.socket.local.port;
    if let Some(helper) = SocketProxy::on_port(owner.process, port, observation) {
        let told = helper.describe(owner.process, port, teller.messages);
        teller.print("caution", &[("caution", told)]);
    }
}

fn print_end(teller: &Console, name: &str, owner: &MatchingProcess<'_>, after: Duration) {
    let mut values = process_values(&owner.target).to_vec();
    values.push(("after", precise_duration(after, teller.messages)));
    teller.print(name, &values);
}

/// A short time to the millisecond.
fn precise_duration(after: Duration, words: &Catalogue) -> String {
    if after < Duration::from_secs(1) {
        format!("{} {}", after.as_millis(), words.diagnosis("units", "ms"))
    } else {
        words.duration_text(after)
    }
}

pub(super) fn process_values(target: &ProcessTarget) -> [(&'static str, String); 2] {
    [
        ("process", target.name.to_string()),
        ("pid", target.pid.to_string()),
    ]
}

fn process_text(target: &ProcessTarget) -> String {
    format!("{} ({})", target.name, target.pid)
}

/// Returns the text of a refusal.
fn refusal_text(refusal: &SignalRefusal, teller: &Console) -> String {
    let user = match refusal {
        SignalRefusal::NotPermitted { uid: Some(uid) } => format!("uid {uid}"),
        _ => teller.messages.screen("notice", "another_user").to_owned(),
    };
    let sentence = teller.messages.refusal(refusal.key());
    let text = render(sentence, |_| Some(user.clone())).unwrap_or_default();
    match refusal {
        SignalRefusal::Failed(message) => format!("{text} {message}"),
        _ => text,
    }
}
