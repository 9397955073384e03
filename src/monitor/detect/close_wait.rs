//! Rule: a program does not close what its peers have closed. Each such socket
//! keeps a descriptor, and once these run out the program accepts and opens
//! nothing more.
//!
//! A few old ones are a fact worth knowing; a number that grows is a leak.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Actor, Case, Detector, Scene};
use crate::model::evidence::{Evidence, Leak};
use crate::model::finding::{Finding, Severity};
use crate::model::process::Process;
use crate::model::row::Phase;
use crate::model::state::State;
use crate::model::time::Stamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Counts are kept this far apart: the window needs no more of them.
const STEP: Duration = Duration::from_secs(10);

/// A finding per process.
#[derive(Default)]
pub(super) struct CloseWait {
    standing: Standing<Actor>,
    histories: BTreeMap<Actor, History>,
}

impl Detector for CloseWait {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let old = old_ones(case.scene, case.limits);
        self.histories.retain(|actor, history| {
            old.contains_key(actor) || history.reaches_back(case.now, case.limits.leak_window)
        });
        for (actor, (process, count)) in &old {
            let history = self.histories.entry(*actor).or_default();
            history.note(case.now, *count, case.limits.leak_window);
            let level = level(*count, history.growth(*count), process, case.limits);
            self.standing.judge(*actor, Some(process), level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

/// How many sockets each process has had in `CLOSE_WAIT` for long.
fn old_ones<'a>(
    scene: &Scene<'a>,
    limits: &Thresholds,
) -> BTreeMap<Actor, (&'a Arc<Process>, u32)> {
    let mut found = BTreeMap::new();
    let old = scene.rows.iter().filter(|row| {
        row.socket.state == State::CloseWait
            && row.phase != Phase::Closed
            && row.state_since.age(scene.now) >= limits.leak_age
    });
    for process in old.filter_map(|row| scene.first_owner(row)) {
        let (_, count) = found.entry(Actor::of(process)).or_insert((process, 0));
        *count += 1;
    }
    found
}

fn level(count: u32, growth: u32, process: &Process, limits: &Thresholds) -> Level {
    let descriptors = process.descriptors;
    let evidence = Evidence::CloseWait(Leak {
        count,
        growth,
        window: limits.leak_window,
        open: descriptors.map(|each| each.open),
        most: descriptors.map(|each| each.most),
    });
    let running_out = descriptors
        .is_some_and(|each| f64::from(each.open) >= limits.leak_descriptors * f64::from(each.most));
    let tenth = f64::from(count.saturating_sub(growth)) * limits.leak_share;
    let grows = growth >= limits.leak_growth && f64::from(growth) >= tenth;
    match (grows, running_out) {
        (true, true) => Level::Raise(Severity::Alarm, evidence),
        (true, false) => Level::Raise(Severity::Warn, evidence),
        (false, _) if count > 0 => Level::Raise(Severity::Info, evidence),
        _ => Level::Below,
    }
}

/// The counts of one process over the window.
#[derive(Debug, Default)]
struct History {
    counts: VecDeque<(Stamp, u32)>,
}

impl History {
    fn note(&mut self, now: Stamp, count: u32, window: Duration) {
        let due = self.counts.back().is_none_or(|(at, _)| at.age(now) >= STEP);
        if due {
            self.counts.push_back((now, count));
        }
        while let Some((at, _)) = self.counts.front()
            && at.age(now) > window
        {
            self.counts.pop_front();
        }
    }

    fn reaches_back(&self, now: Stamp, window: Duration) -> bool {
        self.counts
            .back()
            .is_some_and(|(at, _)| at.age(now) <= window)
    }

    /// By how many there are more than there were. What was old when watching
    /// began grew at a time nobody saw.
    fn growth(&self, count: u32) -> u32 {
        self.counts
            .front()
            .map_or(0, |(_, first)| count.saturating_sub(*first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::Descriptors;

    fn judged(count: u32, growth: u32, open: u32) -> Option<Severity> {
        let process = Process {
            descriptors: Some(Descriptors { open, most: 1024 }),
            ..Process::default()
        };
        match level(count, growth, &process, &Thresholds::default()) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn old_ones_are_known_growing_ones_warned_of_and_running_out_is_an_alarm() {
        assert_eq!(judged(3, 0, 100), Some(Severity::Info));
        assert_eq!(judged(25, 19, 100), Some(Severity::Info));
        assert_eq!(judged(25, 20, 100), Some(Severity::Warn));
        assert_eq!(judged(400, 25, 500), Some(Severity::Info), "under a tenth");
        assert_eq!(judged(800, 200, 900), Some(Severity::Alarm));
        assert_eq!(judged(3, 0, 1000), Some(Severity::Info), "not by these");
    }

    #[test]
    fn growth_is_what_came_within_the_window() {
        let window = Duration::from_mins(5);
        let mut history = History::default();
        assert_eq!(history.growth(7), 0);
        for second in 0..400u32 {
            history.note(Stamp(second * 100), second, window);
        }
        assert_eq!(history.growth(400), 300);
        assert!(history.counts.len() <= 31);
    }
}
