//! `tcplens kill`: the processes that hold the sockets that match a filter.

use super::owners::{self, Owner};
use super::ports;
use super::unknown;
use super::{About, Case, Ending, Order, RunError, Teller, Wording, consent, is_attended, user};
use crate::app::confirm::{Goes, changes};
use crate::control::Control;
use crate::explain::catalogue::Catalogue;
use crate::explain::sentence::fill;
use crate::explain::stands_for::StandsFor;
use crate::listing::{Relation, TargetRule, Targets, fit, shell_words};
use crate::model::action::{ArmedFacts, Grip, Life, Outcome, Reach, Refusal, Target};
use crate::model::caution::{Caution, Demand};
use crate::model::observation::Observation;
use crate::model::signal::Signal;
use crate::run::port;
use std::io::{Write, stderr};
use std::time::{Duration, Instant};

const WORDING: Wording = Wording {
    question: "question_kill_one",
    type_number: "type_kill",
    dry: "dry_kill",
};
/// After this long a process that still runs is reported so.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest command line printed, in cells.
const COMMAND: usize = 100;

/// Input of `tcplens kill`.
pub struct KillRequest {
    /// Sockets of the processes.
    pub about: About,
    /// Options of the action.
    pub order: Order,
    /// Signal to send.
    pub signal: Signal,
    /// Control that sends it.
    pub control: Box<dyn Control>,
    /// Message catalogue.
    pub words: &'static Catalogue,
}

/// Says that no socket matches, and what is known of the port if the filter is one.
fn tell_nothing_matches(about: &mut About, observation: &Observation, teller: &Teller) {
    teller.warn("nothing_matches", &[]);
    let report = port::report(&about.filter, observation, &mut *about.source, teller.words);
    for line in report.iter().flat_map(|report| report.lines(teller.words)) {
        let _ = writeln!(stderr(), "{line}");
    }
}

/// Prints the matching processes, confirms, signals, and waits for their exit.
///
/// # Errors
///
/// If the table cannot be read, or the request is refused.
pub fn kill(mut request: KillRequest) -> Result<Ending, RunError> {
    let teller = Teller {
        words: request.words,
    };
    let observation = request.about.observe()?;
    let rows = request.about.rows(&observation);
    let filter = &request.about.filter;
    let rule = if request.order.clients {
        TargetRule::of_all(filter, &observation)
    } else {
        TargetRule::new(&rows, filter, &observation)
    };
    unknown::refuse_kill(&request.about, &rule, &observation, &teller)?;
    if rows.is_empty() {
        tell_nothing_matches(&mut request.about, &observation, &teller);
        return Ok(Ending::NothingMatched);
    }
    let targets = Targets::of(&rows, &rule);
    let words = shell_words(filter, &request.about.quick);
    let command = match observation.entered() {
        Some(entrance) => format!("{} {words}", entrance.flag()),
        None => words,
    };
    if targets.meant.is_empty() {
        teller.aside("no_holder", &[]);
    }
    let explained = owners::tell_unowned(&targets.meant, &command, &observation, &teller);
    let owners = owners::owners(&targets.meant, filter, &observation);
    let spared = owners::owners(&targets.spared, filter, &observation);
    let leaves_any = owners::tell_spared(&spared, &owners, &observation, &teller);
    if leaves_any && owners.is_empty() {
        teller.aside("include_clients", &[("filter", command)]);
    }
    if explained && owners.is_empty() {
        return Ok(Ending::NothingMatched);
    }
    let extra = [("signal", request.signal.to_string())];
    let mut case = Case {
        targets: owners.len(),
        demand: None,
        single: 0,
        attended: is_attended(),
    };
    if owners.len() > request.order.most && !request.order.dry_run {
        // Not one of them is taken hold of.
        let ending = consent(&case, &request.order, &WORDING, &teller, &extra)?;
        return Ok(ending.unwrap_or(Ending::Unfinished));
    }
    let found = owners.len();
    let mut armed = Vec::with_capacity(found);
    let mut cautions = Vec::new();
    let mut racy = false;
    let mut known = Vec::new();
    for owner in owners {
        match request.control.arm(owner.id, &owner.target) {
            Ok(facts) if facts.life == Life::Zombie => {
                teller.left_out(&named(&owner.target), refused(&Refusal::Zombie, &teller));
            }
            Ok(facts) => {
                cautions.extend(facts.cautions_for(Reach::Process));
                cautions.extend(owner.caution());
                racy |= facts.grip == Grip::Number;
                known.push(facts.clone());
                tell_owner(&owner, &facts, &observation, &teller);
                if request.order.dry_run {
                    // There may be more of them than descriptors.
                    request.control.disarm(owner.id);
                }
                armed.push(owner);
            }
            Err(refusal) => teller.left_out(&named(&owner.target), refused(&refusal, &teller)),
        }
    }
    if armed.len() > 1 {
        cautions.push(Caution::Several(
            u32::try_from(armed.len()).unwrap_or(u32::MAX),
        ));
    }
    case.targets = armed.len();
    case.single = armed.first().map_or(0, |owner| owner.target.pid);
    case.demand = Demand::of(cautions, case.single);
    if racy {
        let risk = request.words.screen("confirm", "racy").to_owned();
        teller.say("caution", &[("caution", risk)]);
    }
    let pids = armed.iter().map(|owner| owner.target.pid).collect();
    let goes = Goes::of(&pids, &observation);
    ports::warn(&goes, &known, &teller);
    teller.cautions(&case);
    if let Some(ending) = consent(&case, &request.order, &WORDING, &teller, &extra)? {
        return Ok(ending);
    }
    let all = carry_out(&mut *request.control, request.signal, &armed, &teller);
    if request.signal.ends() {
        ports::tell_after(&mut request.about, &goes, &teller);
    }
    Ok(if all && armed.len() == found {
        Ending::Done
    } else {
        Ending::Unfinished
    })
}

/// Sends to all, then waits for all; returns true if each has exited, or was
/// sent a signal that need not end it.
fn carry_out(
    control: &mut dyn Control,
    signal: Signal,
    armed: &[Owner<'_>],
    teller: &Teller,
) -> bool {
    let mut all = true;
    let mut awaited = Vec::new();
    for owner in armed {
        let sent = Instant::now();
        match control.signal(owner.id, signal) {
            Outcome::Ended { after, .. } => tell_end(teller, "kill_ended", owner, after),
            Outcome::Sent { .. } if signal.ends() => awaited.push((owner, sent)),
            Outcome::Sent { .. } => {
                let mut values = who(&owner.target).to_vec();
                values.push(("signal", signal.to_string()));
                teller.say("kill_sent", &values);
            }
            Outcome::StillRunning { after, .. } => {
                all = false;
                tell_end(teller, "kill_runs", owner, after);
            }
            Outcome::Refused(refusal) => {
                all = false;
                let mut values = who(&owner.target).to_vec();
                values.push(("reason", refused(&refusal, teller)));
                teller.say("kill_refused", &values);
            }
        }
    }
    for (owner, sent) in awaited {
        let ended = control.wait(owner.id, PATIENCE.saturating_sub(sent.elapsed()));
        let name = if ended { "kill_ended" } else { "kill_runs" };
        all &= ended;
        tell_end(teller, name, owner, sent.elapsed());
    }
    all
}

fn tell_owner(owner: &Owner<'_>, facts: &ArmedFacts, observation: &Observation, teller: &Teller) {
    let name = match owner.sockets {
        1 => "counted_one",
        _ => "counted",
    };
    let sockets = teller.sentence(name, &[("count", owner.sockets.to_string())]);
    let mut values = who(&owner.target).to_vec();
    let command = facts.command.as_str();
    values.extend([
        ("user", user(facts.uid, observation).to_string()),
        (
            "role",
            Relation::of(owner.row, observation).told(teller.words),
        ),
        ("sockets", sockets),
        ("command", fit(command, COMMAND).into_owned()),
    ]);
    teller.say("kill_line", &values);
    for change in changes(facts, teller.words) {
        teller.say("caution", &[("caution", change)]);
    }
    let port = owner.row.socket.local.port;
    if let Some(helper) = StandsFor::on_port(owner.process, port, observation) {
        let told = helper.told(owner.process, port, teller.words);
        teller.say("caution", &[("caution", told)]);
    }
}

fn tell_end(teller: &Teller, name: &str, owner: &Owner<'_>, after: Duration) {
    let mut values = who(&owner.target).to_vec();
    values.push(("after", precisely(after, teller.words)));
    teller.say(name, &values);
}

/// A short time to the millisecond.
fn precisely(after: Duration, words: &Catalogue) -> String {
    if after < Duration::from_secs(1) {
        format!("{} {}", after.as_millis(), words.diagnosis("units", "ms"))
    } else {
        words.length(after)
    }
}

pub(super) fn who(target: &Target) -> [(&'static str, String); 2] {
    [
        ("process", target.name.to_string()),
        ("pid", target.pid.to_string()),
    ]
}

fn named(target: &Target) -> String {
    format!("{} ({})", target.name, target.pid)
}

/// Returns the text of a refusal.
fn refused(refusal: &Refusal, teller: &Teller) -> String {
    let user = match refusal {
        Refusal::NotPermitted { uid: Some(uid) } => format!("uid {uid}"),
        _ => teller.words.screen("notice", "another_user").to_owned(),
    };
    let sentence = teller.words.refusal(refusal.key());
    let text = fill(sentence, |_| Some(user.clone())).unwrap_or_default();
    match refusal {
        Refusal::Failed(message) => format!("{text} {message}"),
        _ => text,
    }
}
