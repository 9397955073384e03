//! Rule: a UDP socket drops datagrams, because its program does not read them
//! as fast as they come.
//!
//! The kernel counts drops over the life of a socket: only an increase of the
//! counter, in several tables, is about the present. One table may have met a
//! burst.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::drop_counter::DropCounter;
use super::table_context::TableContext;
use super::thresholds::Thresholds;
use crate::model::evidence::{Evidence, UdpDropsEvidence as Dropped};
use crate::model::finding::{Finding, Severity};
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::socket_memory::{MemoryEntry, SocketMemory};
use crate::model::time::Timestamp;
use foldhash::HashMap;
use std::time::Duration;

/// A finding per socket.
#[derive(Default)]
pub(super) struct UdpDropsDetector {
    active: ActiveFindings<SocketKey>,
    counters: HashMap<SocketKey, DropCounter>,
    /// The time of the table before.
    before: Option<Timestamp>,
}

impl Detector for UdpDropsDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let before = self.before.replace(case.now).unwrap_or(case.now);
        let mut earlier = std::mem::take(&mut self.counters);
        for (row, memory) in sockets(case.context) {
            let Some(total) = memory.drops else {
                continue;
            };
            let key = row.socket.key();
            let known = earlier.remove(&key);
            let mut counter = known.unwrap_or_else(|| DropCounter::new(total));
            counter.advance(total, before, case.now);
            let level = level(&counter, row, memory, case.now, case.limits);
            self.active
                .update(key, case.context.holder(row), level, case.now);
            self.counters.insert(key, counter);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

/// The UDP sockets of a table whose memory is known.
fn sockets<'a>(scene: &TableContext<'a>) -> impl Iterator<Item = (&'a Row, SocketMemory)> {
    let memory: &'a [MemoryEntry] = scene.memory;
    let rows: &'a [Row] = if memory.is_empty() { &[] } else { scene.rows };
    rows.iter()
        .filter(|row| row.socket.protocol == Protocol::Udp && row.phase != Phase::Closed)
        .filter_map(move |row| {
            let key = row.socket.key();
            let place = memory.binary_search_by(|entry| entry.key.cmp(&key)).ok()?;
            Some((row, memory.get(place)?.memory))
        })
}

fn level(
    counter: &DropCounter,
    row: &Row,
    memory: SocketMemory,
    now: Timestamp,
    limits: &Thresholds,
) -> TriggerLevel {
    let Some(lately) = counter.lately(now) else {
        return TriggerLevel::Clear;
    };
    let evidence = Evidence::UdpDrops(Dropped {
        socket: row.socket.local,
        dropped: lately.dropped,
        window: whole_seconds(lately.span),
        total: counter.total(),
        receive_buffer: memory.buffers.map(|buffers| buffers.receive_limit),
    });
    let dropped = lately.in_window;
    if dropped >= limits.udp_drops && lately.rising >= limits.udp_drop_tables as usize {
        TriggerLevel::Raise(Severity::Warning, evidence)
    } else if dropped.saturating_mul(2) >= limits.udp_drops {
        TriggerLevel::Sustain(evidence)
    } else {
        TriggerLevel::Clear
    }
}

/// A duration in seconds, rounded: tables are never exactly that far apart.
fn whole_seconds(length: Duration) -> Duration {
    Duration::from_secs((length + Duration::from_millis(500)).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::row;
    use crate::model::state::State;

    /// The severity at each interval, of a counter with these values.
    fn severities(totals: &[u32], interval: u32) -> Vec<Option<Severity>> {
        let socket = row(Protocol::Udp, State::Unconnected, "192.0.2.1:53", "-");
        let limits = Thresholds::default();
        let mut counter = DropCounter::new(totals[0]);
        let mut before = Timestamp(0);
        let mut found = Vec::new();
        for (number, total) in (0_u32..).zip(totals) {
            let now = Timestamp(number * interval);
            counter.advance(*total, before, now);
            before = now;
            let memory = SocketMemory {
                buffers: None,
                drops: Some(*total),
            };
            found.push(match level(&counter, &socket, memory, now, &limits) {
                TriggerLevel::Raise(severity, _) => Some(severity),
                _ => None,
            });
        }
        found
    }

    #[test]
    fn only_a_counter_that_rises_in_several_tables_is_found() {
        let warn = Some(Severity::Warning);
        assert_eq!(severities(&[9000; 5], 100), [None; 5]);
        assert_eq!(severities(&[0, 500, 500, 500, 500], 100), [None; 5]);
        let rising = severities(&[0, 10, 20, 30, 40], 100);
        assert_eq!(rising, [None, None, None, warn, warn]);
        let slowly = severities(&[0, 1, 2, 3, 4, 5, 6], 100);
        assert_eq!(slowly, [None; 7]);
    }

    #[test]
    fn tables_far_apart_are_judged_by_the_same_rate() {
        let many = severities(&[0, 900, 1800, 2700, 3600], 3000);
        assert_eq!(many[3..], [Some(Severity::Warning); 2]);
        assert_eq!(severities(&[0, 30, 60, 90, 120], 3000), [None; 5]);
    }

    #[test]
    fn a_counter_that_goes_back_begins_anew() {
        assert_eq!(severities(&[5000, 10, 20, 30], 100)[..3], [None; 3]);
    }
}
