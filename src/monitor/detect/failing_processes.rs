//! Processes whose connection attempts failed lately, and their destinations,
//! from the kernel's events: the counters report neither.

use super::event_attempts;
use super::table_context::TableContext;
use crate::model::evidence::FailingProcess;
use crate::model::process::Process;
use crate::model::time::Timestamp;
use crate::monitor::events::attempts::{AttemptKey, AttemptOutcomes};
use foldhash::{HashMap, HashMapExt};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of destinations named.
const MAX_DESTINATIONS: usize = 5;

/// Failures within the window.
#[derive(Debug, Default)]
pub(super) struct FailingProcesses {
    past: VecDeque<(Timestamp, Vec<ConnectFailure>)>,
}

#[derive(Debug)]
struct ConnectFailure {
    attempt: AttemptKey,
    process: Arc<Process>,
    outcomes: AttemptOutcomes,
}

impl FailingProcesses {
    /// Records the failures reported before a table and forgets those outside
    /// the window.
    pub(super) fn record(&mut self, context: &TableContext<'_>, window: Duration) {
        let told = context.attempts.by_process.iter();
        let failed = told.filter(|(_, (_, outcomes))| outcomes.failed() > 0);
        let failures: Vec<ConnectFailure> = failed
            .map(|(attempt, (caller, outcomes))| ConnectFailure {
                attempt: *attempt,
                process: Arc::new(event_attempts::process(caller)),
                outcomes: *outcomes,
            })
            .collect();
        if !failures.is_empty() {
            self.past.push_back((context.now, failures));
        }
        while let Some((at, _)) = self.past.front()
            // Events that come with a table happened before it.
            && at.age(context.now) >= window
        {
            self.past.pop_front();
        }
    }

    /// Returns the process with the most failures, if it has at least half of
    /// the number that the kernel counted here. One with far more is of another
    /// network namespace.
    pub(super) fn worst(
        &self,
        counted: u32,
        context: &TableContext<'_>,
    ) -> Option<(Arc<Process>, FailingProcess)> {
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
        let named = destinations.into_iter().take(MAX_DESTINATIONS);
        let failing = FailingProcess {
            failed,
            refused: own().map(|failure| failure.outcomes.refused).sum(),
            destinations: named.map(|(end, _)| end).collect(),
        };
        let told = &own().next()?.process;
        // A process from the table is more complete.
        let mut known = context.interner.processes().iter();
        let known = known.find(|process| process.pid == pid);
        Some((Arc::clone(known.unwrap_or(told)), failing))
    }
}
