//! Kernel events of connections as they happen: state changes through a private
//! trace, and destroyed sockets through a multicast.
//!
//! Both are optional: a source that is unavailable is reported with its reason,
//! and the table is read without it.

mod destroyed;
pub mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod instance;
mod reader;
pub mod ring_buffer;
mod state_change;
mod thread_resolver;
mod tracefs;

use crate::model::event::{EventSource, Events, EventsMode, EventsUnavailable};
use destroyed::DestroyListener;
use instance::TraceInstance;
pub use instance::stop_all_traces;
use reader::{ActiveTrace, EventReader, clock_ns};
use rustix::time::ClockId;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use thread_resolver::ThreadResolver;
use tracefs::Tracefs;

/// Share of a core, in thousandths, above which reading events is expensive …
const EXPENSIVE_PERMILLE: u64 = 50;
/// … if it lasts this long.
const EXPENSIVE_AFTER: Duration = Duration::from_secs(10);

/// Shortest time over which a CPU share is measured: over less, the startup
/// alone would dominate it.
const MIN_MEASURED_NS: u64 = 100_000_000;

/// Options for reading events.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventOptions {
    pub(super) mode: EventsMode,
    /// Size of each processor's buffer, in KiB; chosen by the number of
    /// processors if none.
    pub(super) buffer_kib: Option<usize>,
}

/// Events being read.
pub(super) struct EventCollector {
    reader: Option<EventReader>,
    source: EventSource,
    /// True if destroyed sockets are read in addition to changes.
    with_destroyed: bool,
    mode: EventsMode,
    meter: CostMeter,
    /// Number of records dropped by the kernel at the last query.
    dropped: u64,
}

impl EventCollector {
    /// Starts reading all available sources. Times are counted from `origin_ns`
    /// on the monotonic clock.
    pub(super) fn start(
        wanted: EventOptions,
        namespace: u32,
        proc: &Path,
        origin_ns: u64,
    ) -> Option<Self> {
        let choice = wanted.mode;
        if choice == EventsMode::Off {
            return None;
        }
        let traced = start_trace(proc, wanted.buffer_kib);
        let destroyed = DestroyListener::open(namespace).ok();
        let with_endings = destroyed.is_some();
        let feed = match &traced {
            Ok(_) => EventSource::StateChanges,
            Err(reason) if with_endings => EventSource::DestroyedOnly(*reason),
            Err(reason) => EventSource::Unavailable(*reason),
        };
        let reader = EventReader::start(traced.ok(), destroyed, origin_ns).ok();
        Some(Self {
            source: if reader.is_some() {
                feed
            } else {
                EventSource::Unavailable(EventsUnavailable::Failed)
            },
            reader,
            with_destroyed: with_endings,
            mode: choice,
            meter: CostMeter::new(clock_ns(ClockId::Monotonic)),
            dropped: 0,
        })
    }

    /// Returns the events since the last call.
    pub(super) fn drain(&mut self) -> Events {
        let Some(reader) = &self.reader else {
            return Events {
                source: self.source,
                ..Events::default()
            };
        };
        let own = || clock_ns(ClockId::ThreadCPUTime);
        let began_ns = own();
        let taken = reader.shared.drain();
        // An unreadable count is not zero.
        let dropped = self.dropped.max(reader.shared.dropped());
        let lost = match self.source {
            // Destroyed sockets only supplement changes: losing them loses no
            // event.
            EventSource::StateChanges => dropped.saturating_sub(self.dropped) + taken.lost_changes,
            _ => taken.lost_destroyed,
        };
        self.dropped = dropped;
        let taking_ns = own().saturating_sub(began_ns);
        let used_ns = reader.shared.used_ns();
        let cost = self
            .meter
            .measure(used_ns, taking_ns, clock_ns(ClockId::Monotonic));
        let feed = self.source;
        if self.mode == EventsMode::Auto && self.meter.was_expensive() {
            self.degrade();
        }
        Events {
            source: feed,
            changes: taken.changes,
            destroyed: taken.destroyed_sockets,
            lost,
            cost_permille: cost,
        }
    }

    /// Disables the event source that is most expensive for its use: first the
    /// destroyed sockets, if changes are traced anyway.
    fn degrade(&mut self) {
        let Some(reader) = &self.reader else { return };
        if self.source == EventSource::StateChanges && self.with_destroyed {
            self.with_destroyed = false;
            reader.shared.stop_destroyed();
        } else {
            self.source = EventSource::Unavailable(EventsUnavailable::TooExpensive);
            self.reader = None;
        }
        self.meter.reset();
    }
}

/// Converts a time to the clock of the trace, which is that of `Instant`.
pub(super) fn origin_ns(began: Instant) -> u64 {
    let since = u64::try_from(began.elapsed().as_nanos()).unwrap_or(0);
    clock_ns(ClockId::Monotonic).saturating_sub(since)
}

fn start_trace(proc: &Path, room_kib: Option<usize>) -> Result<ActiveTrace, EventsUnavailable> {
    let root = Tracefs::open()?;
    let (held, layout) = TraceInstance::create(&root, proc, room_kib)?;
    Ok(ActiveTrace {
        instance: held,
        layout,
        resolver: Mutex::new(ThreadResolver::new(proc, Some(root))),
    })
}

/// CPU cost of reading events.
#[derive(Debug)]
struct CostMeter {
    measured_ns: u64,
    used_ns: u64,
    /// CPU time used by draining since the last measurement.
    draining_ns: u64,
    expensive_for: Duration,
}

impl CostMeter {
    fn new(now_ns: u64) -> Self {
        Self {
            measured_ns: now_ns,
            used_ns: 0,
            draining_ns: 0,
            expensive_for: Duration::ZERO,
        }
    }

    /// Returns the share of one core since the last call, in thousandths: of
    /// the reading thread, whose total CPU time is given, and of draining.
    fn measure(&mut self, used_ns: u64, taking_ns: u64, now_ns: u64) -> Option<u16> {
        self.draining_ns += taking_ns;
        let passed = now_ns.saturating_sub(self.measured_ns);
        if passed < MIN_MEASURED_NS {
            return None;
        }
        let used = used_ns.saturating_sub(self.used_ns) + std::mem::take(&mut self.draining_ns);
        (self.measured_ns, self.used_ns) = (now_ns, used_ns);
        let permille = used.saturating_mul(1000).checked_div(passed)?;
        if permille > EXPENSIVE_PERMILLE {
            self.expensive_for += Duration::from_nanos(passed);
        } else {
            self.expensive_for = Duration::ZERO;
        }
        Some(u16::try_from(permille).unwrap_or(u16::MAX))
    }

    fn was_expensive(&self) -> bool {
        self.expensive_for >= EXPENSIVE_AFTER
    }

    fn reset(&mut self) {
        self.expensive_for = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn only_lasting_cost_is_expensive() {
        let mut meter = CostMeter::new(0);
        let mut used = 0;
        for second in 1..=9 {
            used += SECOND / 10;
            assert_eq!(meter.measure(used, 0, second * SECOND), Some(100));
            assert!(!meter.was_expensive());
        }
        // A cheap second restarts the count.
        assert_eq!(meter.measure(used, SECOND / 100, 10 * SECOND), Some(10));
        for second in 11..=20 {
            assert!(!meter.was_expensive());
            used += SECOND / 10;
            meter.measure(used, 0, second * SECOND);
        }
        assert!(meter.was_expensive());
        // No time, no share.
        assert_eq!(meter.measure(used, 5, 20 * SECOND), None);
    }

    #[test]
    fn nothing_starts_when_off() {
        let wanted = EventOptions {
            mode: EventsMode::Off,
            buffer_kib: None,
        };
        let feed = EventCollector::start(wanted, 0, Path::new("/proc"), 0);
        assert!(feed.is_none());
    }
}
