//! `tcplens close`: the connections that match a filter.

use super::undecided;
use super::{
    ActionOptions, Console, DecisionInput, ExitReason, MessageKeys, RunError, SocketQuery, confirm,
    is_interactive,
};
use crate::app::close_connection::{CloseConfirmation, CloseItem, close_refusal_text};
use crate::control::sock_destroy::ConnectionCloser;
use crate::explain::catalogue::Catalogue;
use crate::model::close::{CloseResult, mark_closed_with_peer};
use crate::model::login_session::LoginSession;
use crate::model::reading::ReadingKind;
use crate::model::socket::{Socket, SocketKey};
use crate::model::state::State;
use std::collections::BTreeMap;

const KEYS: MessageKeys = MessageKeys {
    question: "question_close_one",
    type_number: "type_close",
    dry_run: "dry_close",
};

/// Input of `tcplens close`.
pub struct CloseRequest {
    /// Sockets to close.
    pub query: SocketQuery,
    /// Options of the action.
    pub options: ActionOptions,
    /// Session that must not be cut by mistake.
    pub session: LoginSession,
    /// Closer of connections.
    pub closer: Box<dyn ConnectionCloser>,
    /// Message catalogue.
    pub messages: &'static Catalogue,
}

/// Prints the matching connections, confirms, closes, and verifies the result.
///
/// # Errors
///
/// If the table cannot be read, or the request is refused.
pub fn close(mut request: CloseRequest) -> Result<ExitReason, RunError> {
    let teller = Console {
        messages: request.messages,
    };
    let observation = request.query.observe()?;
    undecided::refuse_close(&request.query, &observation, &request.session, &teller)?;
    let rows = request.query.rows(&observation);
    if rows.is_empty() {
        teller.warn("nothing_matches", &[]);
        return Ok(ExitReason::NoMatch);
    }
    let mut closing = CloseConfirmation::from_rows(&rows, &observation, &request.session);
    closing.mark_mptcp(|target| request.closer.is_mptcp(target));
    for (what, refusal) in &closing.excluded {
        teller.print_excluded(what, close_refusal_text(refusal, request.messages));
    }
    for item in &closing.targets {
        teller.print("close_line", &message_values(item, request.messages));
    }
    let case = DecisionInput {
        targets: closing.targets.len(),
        confirmation: closing.typed_confirmation.clone(),
        first_number: closing.first_local_port(),
        is_interactive: is_interactive(),
    };
    teller.print_risks(&case);
    if case.targets > 0
        && !request.options.dry_run
        && let Err(refusal) = request.closer.check_available()
    {
        let why = ("reason", close_refusal_text(&refusal, request.messages));
        return Err(teller.refuse("close_not_here", &[why]));
    }
    if let Some(ending) = confirm(&case, &request.options, &KEYS, &teller, &[])? {
        return Ok(ending);
    }
    let results = closing.targets.iter().map(|item| CloseResult {
        target: item.target,
        result: request.closer.close(&item.target),
        closed_with_peer: false,
    });
    let results = mark_closed_with_peer(results.collect());
    let done = results.iter().filter(|closed| closed.result.is_ok());
    let done: Vec<Socket> = done.map(|closed| *closed.target.socket()).collect();
    let left = remaining_states(&mut request.query, &done);
    let mut all = true;
    for (item, closed) in closing.targets.iter().zip(&results) {
        all &= print_result(&teller, item, closed, &left);
    }
    Ok(if all {
        ExitReason::Done
    } else {
        ExitReason::Partial
    })
}

fn message_values(item: &CloseItem, words: &Catalogue) -> [(&'static str, String); 3] {
    [
        ("what", item.endpoints.clone()),
        ("state", item.target.socket().state.to_string()),
        ("owner", item.owner_text(words)),
    ]
}

/// The states of those that are still there.
fn remaining_states(about: &mut SocketQuery, closed: &[Socket]) -> BTreeMap<SocketKey, State> {
    match about.source.look_up(closed).kind {
        ReadingKind::Lookups(answers) => answers
            .into_iter()
            .filter_map(|(key, now)| Some((key, now?.state)))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Prints the result for one connection; returns true if it is closed.
fn print_result(
    teller: &Console,
    item: &CloseItem,
    closed: &CloseResult,
    left: &BTreeMap<SocketKey, State>,
) -> bool {
    let [what, _, owner] = message_values(item, teller.messages);
    let now = left.get(&item.target.socket().key());
    let (name, done) = match (&closed.result, now) {
        (Err(refusal), _) => {
            let why = ("reason", close_refusal_text(refusal, teller.messages));
            teller.print("close_refused", &[what, why]);
            return false;
        }
        (Ok(()), Some(State::Unconnected)) => ("close_disconnected", true),
        (Ok(()), None | Some(State::BoundInactive | State::Closed)) => {
            let name = match item.target.effect_on_owner() {
                _ if closed.closed_with_peer => "close_along",
                "owner_nobody" => "close_done",
                "owner_listener" => "close_listener",
                "owner_mptcp" => "close_path",
                _ => "close_aborted",
            };
            (name, true)
        }
        (Ok(()), Some(_)) => ("close_still_there", false),
    };
    teller.print(name, &[what, owner]);
    done
}
