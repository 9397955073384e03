//! Drops at one socket lately. The kernel counts them over the life of the socket: only
//! what the counter rises by tells of the present.

use crate::model::time::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Time within which drops are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// However seldom tables are read, so many steps are kept.
const MIN_STEPS: usize = 4;

/// The drops of one socket as far as they were followed.
#[derive(Default)]
pub(super) struct DropCounter {
    total: u32,
    /// The latest increases, with the time of the table before each; empty while
    /// nothing is dropped.
    steps: VecDeque<(Timestamp, u32)>,
}

impl DropCounter {
    /// A counter that is first seen with a value: what was dropped before is of the past.
    pub(super) fn new(total: u32) -> Self {
        Self {
            total,
            steps: VecDeque::new(),
        }
    }

    /// Takes in what the counter says now. One that goes back begins anew.
    pub(super) fn advance(&mut self, total: u32, before: Timestamp, now: Timestamp) {
        let increase = total.saturating_sub(self.total);
        self.total = total;
        if increase == 0 && self.steps.is_empty() {
            return;
        }
        self.steps.push_back((before, increase));
        while let Some((since, _)) = self.steps.front()
            && since.age(now) > WINDOW
            && self.steps.len() > MIN_STEPS
        {
            self.steps.pop_front();
        }
        if self.steps.iter().all(|(_, increase)| *increase == 0) {
            self.steps.clear();
        }
    }

    /// Drops over the socket's life.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// The latest drops; none where there were none.
    pub(super) fn lately(&self, now: Timestamp) -> Option<Lately> {
        let (since, _) = self.steps.front()?;
        let increases = self.steps.iter().map(|(_, increase)| *increase);
        let span = since.age(now);
        let dropped = increases.clone().fold(0, u32::saturating_add);
        Some(Lately {
            dropped,
            span,
            in_window: within_window(dropped, span),
            rising: increases.filter(|increase| *increase > 0).count(),
        })
    }
}

/// Latest drops of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lately {
    pub(super) dropped: u32,
    /// The time within which it dropped them.
    pub(super) span: Duration,
    /// Where tables are read seldom, the part of them that falls into one window.
    pub(super) in_window: u32,
    /// Number of tables with more drops than the one before.
    pub(super) rising: usize,
}

/// The part of a number counted over `span` that falls into one window.
fn within_window(count: u32, span: Duration) -> u32 {
    let window = WINDOW.as_millis();
    let scaled = u128::from(count) * window / span.as_millis().max(window);
    u32::try_from(scaled).unwrap_or(u32::MAX)
}
