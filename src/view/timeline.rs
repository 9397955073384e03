//! The states a connection has passed through, with their times, in one line of
//! the details.

use super::time_format::{format_duration_us, time_of_day};
use crate::app::App;
use crate::explain::template::render;
use crate::model::event_history::{TimePrecision, TimelineStep};
use crate::model::row::Row;
use crate::model::state::State;

/// A non-breaking space.
const NON_BREAKING_SPACE: &str = "\u{a0}";

/// Returns the line; empty if it would show no more than the row itself.
pub(super) fn timeline_line(app: &App, row: &Row) -> String {
    let steps = app.observation.timeline(row).steps;
    let told = steps.len() > 1
        || steps
            .iter()
            .any(|step| step.precision == TimePrecision::Exact);
    if !told {
        return String::new();
    }
    let shown: Vec<String> = (0..steps.len())
        .map(|place| step_text(app, &steps, place))
        .collect();
    let join = app.messages.screen("timeline", "join");
    let whole = app
        .messages
        .screen("timeline", "whole")
        .replace(' ', NON_BREAKING_SPACE);
    render(&whole, |_| Some(shown.join(join))).unwrap_or_default()
}

fn step_text(app: &App, steps: &[TimelineStep], place: usize) -> String {
    let step = &steps[place];
    let now = app.observation.time;
    let next = steps.get(place + 1);
    let until = next.map_or(now.monotonic_ms.saturating_mul(1000), |next| next.since_us);
    let certainty = match step.precision {
        TimePrecision::Exact => "exact",
        TimePrecision::FirstSeen => "by_table",
        TimePrecision::LowerBound => "at_least",
    };
    let ends = matches!(step.state, State::Closed) && next.is_none();
    let tail = match next {
        Some(_) => "",
        None if ends => "_end",
        None => "_now",
    };
    // A state first seen in a table may have begun earlier.
    let early = next.is_some_and(|next| next.precision == TimePrecision::FirstSeen);
    let name = match step.precision {
        TimePrecision::Exact if early => "exact_at_most".to_owned(),
        _ => format!("{certainty}{tail}"),
    };
    let sentence = app.messages.screen("timeline", &name);
    let filled = render(sentence, |name| {
        Some(match name {
            "time" => time_of_day(step.since_us, now),
            "state" => step.state.to_string(),
            _ => format_duration_us(until.saturating_sub(step.since_us), app.messages),
        })
    });
    filled.unwrap_or_default().replace(' ', NON_BREAKING_SPACE)
}
