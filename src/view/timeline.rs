//! The states a connection has passed through, with their times, in one line of
//! the details.

use super::clock::{clock, lasted};
use crate::app::App;
use crate::explain::sentence::fill;
use crate::model::chronicle::{Known, Step};
use crate::model::row::Row;
use crate::model::state::State;

/// A non-breaking space.
const FIRM: &str = "\u{a0}";

/// Returns the line; empty if it would show no more than the row itself.
pub(super) fn line(app: &App, row: &Row) -> String {
    let steps = app.observation.timeline(row).steps;
    let told = steps.len() > 1 || steps.iter().any(|step| step.known == Known::Exactly);
    if !told {
        return String::new();
    }
    let shown: Vec<String> = (0..steps.len())
        .map(|place| one(app, &steps, place))
        .collect();
    let join = app.words.screen("timeline", "join");
    let whole = app.words.screen("timeline", "whole").replace(' ', FIRM);
    fill(&whole, |_| Some(shown.join(join))).unwrap_or_default()
}

fn one(app: &App, steps: &[Step], place: usize) -> String {
    let step = &steps[place];
    let now = app.observation.time;
    let next = steps.get(place + 1);
    let until = next.map_or(now.monotonic_ms.saturating_mul(1000), |next| next.since_us);
    let certainty = match step.known {
        Known::Exactly => "exact",
        Known::ByTable => "by_table",
        Known::AtLeast => "at_least",
    };
    let ends = matches!(step.state, State::Closed) && next.is_none();
    let tail = match next {
        Some(_) => "",
        None if ends => "_end",
        None => "_now",
    };
    // A state first seen in a table may have begun earlier.
    let early = next.is_some_and(|next| next.known == Known::ByTable);
    let name = match step.known {
        Known::Exactly if early => "exact_at_most".to_owned(),
        _ => format!("{certainty}{tail}"),
    };
    let sentence = app.words.screen("timeline", &name);
    let filled = fill(sentence, |name| {
        Some(match name {
            "time" => clock(step.since_us, now),
            "state" => step.state.to_string(),
            _ => lasted(until.saturating_sub(step.since_us), app.words),
        })
    });
    filled.unwrap_or_default().replace(' ', FIRM)
}
