//! Actions with an undecidable filter: they are refused, for an unknown row is
//! neither included nor excluded.

use super::owners::each_alone;
use super::{About, Teller};
use crate::app::closing::Closing;
use crate::explain::doubt;
use crate::filter::{Doubt, Matcher, Truth};
use crate::listing::{TargetRule, matcher};
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use crate::model::session::Session;
use crate::model::text::Text;
use crate::run::RunError;

/// Refuses to signal if it is unknown for a process that would be signalled whether it
/// matches. Clients and other rows that the rule spares are not considered. Sockets
/// with an unknown owner are only counted: there is no process to signal.
pub(super) fn refuse_kill(
    about: &About,
    rule: &TargetRule<'_>,
    observation: &Observation,
    teller: &Teller,
) -> Result<(), RunError> {
    let doubt = |row: &Row| rule.doubt(row, row);
    refuse(about, observation, teller, doubt, |matcher, row| {
        if matcher.truth(row) == Truth::No {
            return None;
        }
        each_alone(row, observation).find_map(|(process, alone)| {
            let doubt = rule.doubt(row, &alone);
            let doubt = doubt.filter(|_| process.start_ticks > 0)?;
            let what = format!("{} ({}) {}", process.name, process.pid, socket(row));
            Some((what, doubt))
        })
    })
}

/// Refuses to close if it is unknown for a socket that could be closed whether
/// it matches.
pub(super) fn refuse_close(
    about: &About,
    observation: &Observation,
    session: &Session,
    teller: &Teller,
) -> Result<(), RunError> {
    let matcher = matcher(&about.filter, observation);
    let doubt = |row: &Row| matcher.doubt(row);
    refuse(about, observation, teller, doubt, |matcher, row| {
        let doubt = matcher.doubt(row)?;
        let can_be = !Closing::of(&[row], observation, session).targets.is_empty();
        can_be.then(|| (socket(row), doubt))
    })
}

/// Refuses at the first candidate; `doubt` returns the reason why a row is left out, if
/// it is.
fn refuse(
    about: &About,
    observation: &Observation,
    teller: &Teller,
    doubt: impl Fn(&Row) -> Option<Doubt>,
    candidate: impl Fn(&Matcher<'_>, &Row) -> Option<(String, Doubt)>,
) -> Result<(), RunError> {
    let matcher = matcher(&about.filter, observation);
    let rows = observation.rows.iter();
    let rows = rows.filter(|row| row.phase != Phase::Closed && about.quick.matches(row));
    let (mut count, mut first) = (0, None);
    let mut any = false;
    for row in rows {
        any |= matcher.matches(row);
        if let Some((what, doubt)) = candidate(&matcher, row) {
            let reason = doubt::reason(doubt, teller.words);
            return Err(teller.refuse("undecided", &[("what", what), ("reason", reason)]));
        }
        if let Some(doubt) = doubt(row) {
            count += 1;
            first = first.or(Some(doubt));
        }
    }
    if let Some(said) = doubt::left_out(count, first, teller.words) {
        teller.warn("note", &[("note", said)]);
    }
    for text in about.filter.texts().into_iter().filter(|_| !any).take(3) {
        let text = Text::from(text).to_string();
        teller.warn("text_in_names", &[("text", text)]);
    }
    Ok(())
}

fn socket(row: &Row) -> String {
    let socket = &row.socket;
    match socket.peer() {
        Some(peer) => format!("{} → {peer}", socket.local),
        None => socket.local.to_string(),
    }
}
