//! `tcplens close`: the connections that match a filter.

use super::unknown;
use super::{About, Case, Ending, Order, RunError, Teller, Wording, consent, is_attended};
use crate::app::closing::{Closing, Doomed, reason};
use crate::control::destroy::Close;
use crate::explain::catalogue::Catalogue;
use crate::model::closing::{Closed, with_other_ends};
use crate::model::reading::Matter;
use crate::model::session::Session;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use std::collections::BTreeMap;

const WORDING: Wording = Wording {
    question: "question_close_one",
    type_number: "type_close",
    dry: "dry_close",
};

/// Input of `tcplens close`.
pub struct CloseRequest {
    /// Sockets to close.
    pub about: About,
    /// Options of the action.
    pub order: Order,
    /// Session that must not be cut by mistake.
    pub session: Session,
    /// Closer of connections.
    pub closer: Box<dyn Close>,
    /// Message catalogue.
    pub words: &'static Catalogue,
}

/// Prints the matching connections, confirms, closes, and verifies the result.
///
/// # Errors
///
/// If the table cannot be read, or the request is refused.
pub fn close(mut request: CloseRequest) -> Result<Ending, RunError> {
    let teller = Teller {
        words: request.words,
    };
    let observation = request.about.observe()?;
    unknown::refuse_close(&request.about, &observation, &request.session, &teller)?;
    let rows = request.about.rows(&observation);
    if rows.is_empty() {
        teller.warn("nothing_matches", &[]);
        return Ok(Ending::NothingMatched);
    }
    let mut closing = Closing::of(&rows, &observation, &request.session);
    closing.part_mptcp(|target| request.closer.is_mptcp(target));
    for (what, refusal) in &closing.left_out {
        teller.left_out(what, reason(refusal, request.words));
    }
    for doomed in &closing.targets {
        teller.say("close_line", &line(doomed, request.words));
    }
    let case = Case {
        targets: closing.targets.len(),
        demand: closing.demand.clone(),
        single: closing.port(),
        attended: is_attended(),
    };
    teller.cautions(&case);
    if case.targets > 0
        && !request.order.dry_run
        && let Err(refusal) = request.closer.ready()
    {
        let why = ("reason", reason(&refusal, request.words));
        return Err(teller.refuse("close_not_here", &[why]));
    }
    if let Some(ending) = consent(&case, &request.order, &WORDING, &teller, &[])? {
        return Ok(ending);
    }
    let results = closing.targets.iter().map(|doomed| Closed {
        target: doomed.target,
        result: request.closer.close(&doomed.target),
        along: false,
    });
    let results = with_other_ends(results.collect());
    let done = results.iter().filter(|closed| closed.result.is_ok());
    let done: Vec<Socket> = done.map(|closed| *closed.target.socket()).collect();
    let left = look_up(&mut request.about, &done);
    let mut all = true;
    for (doomed, closed) in closing.targets.iter().zip(&results) {
        all &= told(&teller, doomed, closed, &left);
    }
    Ok(if all {
        Ending::Done
    } else {
        Ending::Unfinished
    })
}

fn line(doomed: &Doomed, words: &Catalogue) -> [(&'static str, String); 3] {
    [
        ("what", doomed.what.clone()),
        ("state", doomed.target.socket().state.to_string()),
        ("owner", doomed.owner(words)),
    ]
}

/// The states of those that are still there.
fn look_up(about: &mut About, closed: &[Socket]) -> BTreeMap<SocketKey, State> {
    match about.source.look_up(closed).matter {
        Matter::Absences(answers) => answers
            .into_iter()
            .filter_map(|(key, now)| Some((key, now?.state)))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Prints the result for one connection; returns true if it is closed.
fn told(
    teller: &Teller,
    doomed: &Doomed,
    closed: &Closed,
    left: &BTreeMap<SocketKey, State>,
) -> bool {
    let [what, _, owner] = line(doomed, teller.words);
    let now = left.get(&doomed.target.socket().key());
    let (name, done) = match (&closed.result, now) {
        (Err(refusal), _) => {
            let why = ("reason", reason(refusal, teller.words));
            teller.say("close_refused", &[what, why]);
            return false;
        }
        (Ok(()), Some(State::Unconnected)) => ("close_disconnected", true),
        (Ok(()), None | Some(State::BoundInactive | State::Closed)) => {
            let name = match doomed.target.owner_sees() {
                _ if closed.along => "close_along",
                "owner_nobody" => "close_done",
                "owner_listener" => "close_listener",
                "owner_mptcp" => "close_path",
                _ => "close_aborted",
            };
            (name, true)
        }
        (Ok(()), Some(_)) => ("close_still_there", false),
    };
    teller.say(name, &[what, owner]);
    done
}
