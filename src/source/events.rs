//! Kernel events of connections as they happen: state changes through a private
//! trace, and destroyed sockets through a multicast.
//!
//! Both are optional: a source that is unavailable is reported with its reason,
//! and the table is read without it.

mod callers;
mod change;
mod destroyed;
pub mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod instance;
mod reader;
pub mod ring;
mod tracefs;

use crate::model::event::{Events, EventsChoice, Feed, NoFeed};
use callers::Callers;
use destroyed::Destroyed;
use instance::Instance;
pub use instance::end_all;
use reader::{Reader, Trace, clock_ns};
use rustix::time::ClockId;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tracefs::Tracefs;

/// Share of a core, in thousandths, above which reading events is expensive …
const DEAR_PERMILLE: u64 = 50;
/// … if it lasts this long.
const DEAR_FOR: Duration = Duration::from_secs(10);

/// Shortest time over which a CPU share is measured: over less, the startup
/// alone would dominate it.
const SHORTEST_NS: u64 = 100_000_000;

/// Options for reading events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) choice: EventsChoice,
    /// Size of each processor's buffer, in KiB; chosen by the number of
    /// processors if none.
    pub(super) room_kib: Option<usize>,
}

/// Events being read.
pub(super) struct EventFeed {
    reader: Option<Reader>,
    feed: Feed,
    /// True if destroyed sockets are read in addition to changes.
    with_endings: bool,
    choice: EventsChoice,
    meter: CostMeter,
    /// Number of records dropped by the kernel at the last query.
    dropped: u64,
}

impl EventFeed {
    /// Starts reading all available sources. Times are counted from `origin_ns`
    /// on the monotonic clock.
    pub(super) fn begin(
        wanted: Wanted,
        namespace: u32,
        proc: &Path,
        origin_ns: u64,
    ) -> Option<Self> {
        let choice = wanted.choice;
        if choice == EventsChoice::Off {
            return None;
        }
        let traced = begin_trace(proc, wanted.room_kib);
        let destroyed = Destroyed::open(namespace).ok();
        let with_endings = destroyed.is_some();
        let feed = match &traced {
            Ok(_) => Feed::Changes,
            Err(reason) if with_endings => Feed::Endings(*reason),
            Err(reason) => Feed::Nothing(*reason),
        };
        let reader = Reader::start(traced.ok(), destroyed, origin_ns).ok();
        Some(Self {
            feed: if reader.is_some() {
                feed
            } else {
                Feed::Nothing(NoFeed::Failed)
            },
            reader,
            with_endings,
            choice,
            meter: CostMeter::begin(clock_ns(ClockId::Monotonic)),
            dropped: 0,
        })
    }

    /// Returns the events since the last call.
    pub(super) fn take(&mut self) -> Events {
        let Some(reader) = &self.reader else {
            return Events {
                feed: self.feed,
                ..Events::default()
            };
        };
        let own = || clock_ns(ClockId::ThreadCPUTime);
        let began_ns = own();
        let taken = reader.shared.take();
        // An unreadable count is not zero.
        let dropped = self.dropped.max(reader.shared.dropped());
        let lost = match self.feed {
            // Destroyed sockets only supplement changes: losing them loses no
            // event.
            Feed::Changes => dropped.saturating_sub(self.dropped) + taken.overflowed,
            _ => taken.missed,
        };
        self.dropped = dropped;
        let taking_ns = own().saturating_sub(began_ns);
        let used_ns = reader.shared.used_ns();
        let cost = self
            .meter
            .measure(used_ns, taking_ns, clock_ns(ClockId::Monotonic));
        let feed = self.feed;
        if self.choice == EventsChoice::Auto && self.meter.has_been_dear() {
            self.step_down();
        }
        Events {
            feed,
            changes: taken.changes,
            endings: taken.endings,
            lost,
            cost_permille: cost,
        }
    }

    /// Disables the event source that is most expensive for its use: first the
    /// destroyed sockets, if changes are traced anyway.
    fn step_down(&mut self) {
        let Some(reader) = &self.reader else { return };
        if self.feed == Feed::Changes && self.with_endings {
            self.with_endings = false;
            reader.shared.end_endings();
        } else {
            self.feed = Feed::Nothing(NoFeed::TooDear);
            self.reader = None;
        }
        self.meter.forget();
    }
}

/// Converts a time to the clock of the trace, which is that of `Instant`.
pub(super) fn origin_ns(began: Instant) -> u64 {
    let since = u64::try_from(began.elapsed().as_nanos()).unwrap_or(0);
    clock_ns(ClockId::Monotonic).saturating_sub(since)
}

fn begin_trace(proc: &Path, room_kib: Option<usize>) -> Result<Trace, NoFeed> {
    let root = Tracefs::open()?;
    let (held, layout) = Instance::begin(&root, proc, room_kib)?;
    Ok(Trace {
        held,
        layout,
        callers: Mutex::new(Callers::new(proc, Some(root))),
    })
}

/// CPU cost of reading events.
#[derive(Debug)]
struct CostMeter {
    measured_ns: u64,
    used_ns: u64,
    /// CPU time used by draining since the last measurement.
    taking_ns: u64,
    dear_for: Duration,
}

impl CostMeter {
    fn begin(now_ns: u64) -> Self {
        Self {
            measured_ns: now_ns,
            used_ns: 0,
            taking_ns: 0,
            dear_for: Duration::ZERO,
        }
    }

    /// Returns the share of one core since the last call, in thousandths: of
    /// the reading thread, whose total CPU time is given, and of draining.
    fn measure(&mut self, used_ns: u64, taking_ns: u64, now_ns: u64) -> Option<u16> {
        self.taking_ns += taking_ns;
        let passed = now_ns.saturating_sub(self.measured_ns);
        if passed < SHORTEST_NS {
            return None;
        }
        let used = used_ns.saturating_sub(self.used_ns) + std::mem::take(&mut self.taking_ns);
        (self.measured_ns, self.used_ns) = (now_ns, used_ns);
        let permille = used.saturating_mul(1000).checked_div(passed)?;
        if permille > DEAR_PERMILLE {
            self.dear_for += Duration::from_nanos(passed);
        } else {
            self.dear_for = Duration::ZERO;
        }
        Some(u16::try_from(permille).unwrap_or(u16::MAX))
    }

    fn has_been_dear(&self) -> bool {
        self.dear_for >= DEAR_FOR
    }

    fn forget(&mut self) {
        self.dear_for = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn only_what_lasts_is_dear() {
        let mut meter = CostMeter::begin(0);
        let mut used = 0;
        for second in 1..=9 {
            used += SECOND / 10;
            assert_eq!(meter.measure(used, 0, second * SECOND), Some(100));
            assert!(!meter.has_been_dear());
        }
        // A cheap second restarts the count.
        assert_eq!(meter.measure(used, SECOND / 100, 10 * SECOND), Some(10));
        for second in 11..=20 {
            assert!(!meter.has_been_dear());
            used += SECOND / 10;
            meter.measure(used, 0, second * SECOND);
        }
        assert!(meter.has_been_dear());
        // No time, no share.
        assert_eq!(meter.measure(used, 5, 20 * SECOND), None);
    }

    #[test]
    fn nothing_is_begun_that_is_off() {
        let wanted = Wanted {
            choice: EventsChoice::Off,
            room_kib: None,
        };
        let feed = EventFeed::begin(wanted, 0, Path::new("/proc"), 0);
        assert!(feed.is_none());
    }
}
