//! Actions with an undecidable filter: they are refused, for an unknown row is
//! neither included nor excluded.

use super::owners::rows_by_owner;
use super::{Console, SocketQuery};
use crate::app::close_connection::CloseConfirmation;
use crate::explain::filter_notes;
use crate::filter::{Matcher, Truth, UnknownReason};
use crate::listing::{TargetRule, matcher_with_urgencies};
use crate::model::login_session::LoginSession;
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use crate::model::text::Text;
use crate::run::RunError;

/// Refuses to signal if it is unknown for a process that would be signalled whether it
/// matches. Clients and other rows that the rule spares are not considered. Sockets
/// with an unknown owner are only counted: there is no process to signal.
pub(super) fn refuse_kill(
    about: &SocketQuery,
    rule: &TargetRule<'_>,
    observation: &Observation,
    teller: &Console,
) -> Result<(), RunError> {
    let doubt = |row: &Row| rule.unknown_reason(row, row);
    refuse_undecided(about, observation, teller, doubt, |matcher, row| {
        if matcher.evaluate(row) == Truth::No {
            return None;
        }
        rows_by_owner(row, observation).find_map(|(process, alone)| {
            let doubt = rule.unknown_reason(row, &alone);
            let doubt = doubt.filter(|_| process.start_ticks > 0)?;
            let what = format!("{} ({}) {}", process.name, process.pid, socket_text(row));
            Some((what, doubt))
        })
    })
}

/// Refuses to close if it is unknown for a socket that could be closed whether
/// it matches.
pub(super) fn refuse_close(
    about: &SocketQuery,
    observation: &Observation,
    session: &LoginSession,
    teller: &Console,
) -> Result<(), RunError> {
    let matcher = matcher_with_urgencies(&about.filter, observation);
    let doubt = |row: &Row| matcher.unknown_reason(row);
    refuse_undecided(about, observation, teller, doubt, |matcher, row| {
        let doubt = matcher.unknown_reason(row)?;
        let can_be = !CloseConfirmation::from_rows(&[row], observation, session)
            .targets
            .is_empty();
        can_be.then(|| (socket_text(row), doubt))
    })
}

/// Refuses at the first candidate; `doubt` returns the reason why a row is left out, if
/// it is.
fn refuse_undecided(
    about: &SocketQuery,
    observation: &Observation,
    teller: &Console,
    doubt: impl Fn(&Row) -> Option<UnknownReason>,
    candidate: impl Fn(&Matcher<'_>, &Row) -> Option<(String, UnknownReason)>,
) -> Result<(), RunError> {
    let matcher = matcher_with_urgencies(&about.filter, observation);
    let rows = observation.rows.iter();
    let rows = rows.filter(|row| row.phase != Phase::Closed && about.quick.matches(row));
    let (mut count, mut first) = (0, None);
    let mut any = false;
    for row in rows {
        any |= matcher.matches(row);
        if let Some((what, doubt)) = candidate(&matcher, row) {
            let reason = filter_notes::reason(doubt, teller.messages);
            return Err(teller.refuse("undecided", &[("what", what), ("reason", reason)]));
        }
        if let Some(doubt) = doubt(row) {
            count += 1;
            first = first.or(Some(doubt));
        }
    }
    if let Some(said) = filter_notes::excluded(count, first, teller.messages) {
        teller.warn("note", &[("note", said)]);
    }
    for text in about
        .filter
        .text_terms()
        .into_iter()
        .filter(|_| !any)
        .take(3)
    {
        let text = Text::from(text).to_string();
        teller.warn("text_in_names", &[("text", text)]);
    }
    Ok(())
}

fn socket_text(row: &Row) -> String {
    let socket = &row.socket;
    match socket.peer() {
        Some(peer) => format!("{} → {peer}", socket.local),
        None => socket.local.to_string(),
    }
}
