//! Processes whose connection attempts failed lately, and their destinations,
//! from the kernel's events: the counters report neither.

use super::{Scene, hearsay};
use crate::model::evidence::Failing;
use crate::model::process::Process;
use crate::model::time::Stamp;
use crate::monitor::chronicle::attempts::{Attempt, Outcomes};
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of destinations named.
const NAMED: usize = 5;

/// Failures within the window.
#[derive(Debug, Default)]
pub(super) struct Refusers {
    past: VecDeque<(Stamp, Vec<Failure>)>,
}

#[derive(Debug)]
struct Failure {
    attempt: Attempt,
    process: Arc<Process>,
    outcomes: Outcomes,
}

impl Refusers {
    /// Records the failures reported before a table and forgets those outside
    /// the window.
    pub(super) fn note(&mut self, scene: &Scene<'_>, window: Duration) {
        let told = scene.attempts.by_whom.iter();
        let failed = told.filter(|(_, (_, outcomes))| outcomes.failed() > 0);
        let failures: Vec<Failure> = failed
            .map(|(attempt, (caller, outcomes))| Failure {
                attempt: *attempt,
                process: Arc::new(hearsay::process(caller)),
                outcomes: *outcomes,
            })
            .collect();
        if !failures.is_empty() {
            self.past.push_back((scene.now, failures));
        }
        while let Some((at, _)) = self.past.front()
            // Events that come with a table happened before it.
            && at.age(scene.now) >= window
        {
            self.past.pop_front();
        }
    }

    /// Returns the process with the most failures, if it has at least half of
    /// the number that the kernel counted here. One with far more is of another
    /// network namespace.
    pub(super) fn worst(&self, counted: u32, scene: &Scene<'_>) -> Option<(Arc<Process>, Failing)> {
        let all = || self.past.iter().flat_map(|(_, failures)| failures);
        let mut by_process: HashMap<u32, u32> = HashMap::new();
        for failure in all() {
            *by_process.entry(failure.attempt.0).or_default() += failure.outcomes.failed();
        }
        let most = by_process
            .into_iter()
            .max_by_key(|(pid, failed)| (*failed, Reverse(*pid)));
        let (pid, failed) = most?;
        let is_here = failed.saturating_mul(2) >= counted && failed <= counted.saturating_mul(2);
        if !is_here {
            return None;
        }
        let own = || all().filter(|failure| failure.attempt.0 == pid);
        let mut to = HashMap::new();
        for failure in own() {
            *to.entry(failure.attempt.1).or_insert(0) += failure.outcomes.failed();
        }
        let mut destinations: Vec<_> = to.into_iter().collect();
        destinations.sort_unstable_by_key(|(end, failed)| (Reverse(*failed), *end));
        let named = destinations.into_iter().take(NAMED);
        let failing = Failing {
            failed,
            refused: own().map(|failure| failure.outcomes.refused).sum(),
            destinations: named.map(|(end, _)| end).collect(),
        };
        let told = &own().next()?.process;
        // A process from the table is more complete.
        let mut known = scene.interner.processes().iter();
        let known = known.find(|process| process.pid == pid);
        Some((Arc::clone(known.unwrap_or(told)), failing))
    }
}
