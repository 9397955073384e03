//! Counts the sockets of each owner in each transient state, to report whether
//! their number grows.
//!
//! Only states that a connection should pass through are counted: the number of
//! established ones shows how busy a program is, and these are nearly all rows.

use super::interner::Interner;
use super::row_groups::RowGroups;
use crate::model::observation::StateCounts;
use crate::model::owner::{Holder, ProcessId};
use crate::model::row::Row;
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::model::trend::{Trend, TrendGroup};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

/// Minimum group size.
const MIN_GROUP_SIZE: u32 = 5;
/// Time span of the counts.
const WINDOW: Duration = Duration::from_mins(5);
/// Interval of the counts.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum number of groups, the largest of them.
const MAX_GROUPS: usize = 256;

/// The states that are counted.
const TRANSIENT_STATES: [State; 8] = [
    State::SynSent,
    State::SynReceived,
    State::FinWait1,
    State::FinWait2,
    State::Closing,
    State::TimeWait,
    State::CloseWait,
    State::LastAck,
];

/// True for a state that connections should pass through.
pub(super) fn is_transient(state: State) -> bool {
    TRANSIENT_STATES.contains(&state)
}

/// Groups of the last five minutes.
#[derive(Default)]
pub(super) struct Trends {
    group_counts: HashMap<(TrendKey, State), VecDeque<(Timestamp, u32)>>,
}

/// Stable key of a group: process numbers are reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum TrendKey {
    Process { pid: u32, start_ticks: u64 },
    Port(u16),
    Machine,
}

impl Trends {
    /// Processes a table, and returns the trend of every group that has existed
    /// for some time.
    pub(super) fn fold(
        &mut self,
        groups: &RowGroups,
        tally: &StateCounts,
        rows: &[Row],
        holders: &[Holder],
        interner: &Interner,
        now: Timestamp,
    ) -> Vec<Trend> {
        let mut counted = count(groups, rows, holders);
        let waiting = tally.tcp(State::TimeWait);
        counted.push((TrendGroup::All, State::TimeWait, waiting));
        counted.retain(|(_, _, number)| *number >= MIN_GROUP_SIZE);
        // Equal ones by key: the same readings must give the same trends.
        counted.sort_unstable_by_key(|(heap, state, number)| (u32::MAX - number, *heap, *state));
        counted.truncate(MAX_GROUPS);
        let mut trends = Vec::new();
        for (heap, state, number) in counted {
            let Some(name) = trend_key(heap, interner) else {
                continue;
            };
            let past = self.group_counts.entry((name, state)).or_default();
            remember(past, number, now);
            trends.extend(change(past, number, now).map(|(change, over)| Trend {
                group: heap,
                state,
                change,
                window: over,
            }));
        }
        // A group that is not counted any more was too small, or is gone.
        self.group_counts.retain(|_, past| {
            past.back()
                .is_some_and(|(at, _)| at.age(now) <= SAMPLE_INTERVAL)
        });
        trends
    }
}

/// Number of rows of each group. A process's are counted by its number: there
/// may be a hundred thousand rows, and hashing each would take longer than all
/// the rest.
fn count(groups: &RowGroups, rows: &[Row], holders: &[Holder]) -> Vec<(TrendGroup, State, u32)> {
    let mut held: Vec<[u32; TRANSIENT_STATES.len()]> = Vec::new();
    let mut ownerless: HashMap<(u16, State), u32> = HashMap::default();
    for row in groups.transient(rows) {
        let state = row.socket.state;
        if let Some(holder) = row.owners.resolve(holders).first() {
            let place = holder.process.0 as usize;
            if held.len() <= place {
                held.resize(place + 1, Default::default());
            }
            if let Some(column) = TRANSIENT_STATES.iter().position(|known| *known == state) {
                held[place][column] += 1;
            }
        } else {
            let port = row.socket.local.port;
            *ownerless.entry((port, state)).or_default() += 1;
        }
    }
    let of_processes = (0u32..).zip(held).flat_map(|(place, counts)| {
        let heap = TrendGroup::Process(ProcessId(place));
        TRANSIENT_STATES
            .into_iter()
            .zip(counts)
            .map(move |(state, number)| (heap, state, number))
    });
    let of_ports = ownerless
        .into_iter()
        .map(|((port, state), number)| (TrendGroup::Port(port), state, number));
    of_processes
        .filter(|(_, _, number)| *number >= MIN_GROUP_SIZE)
        .chain(of_ports)
        .collect()
}

fn trend_key(heap: TrendGroup, interner: &Interner) -> Option<TrendKey> {
    Some(match heap {
        TrendGroup::Process(id) => {
            let process = interner.get(id)?;
            TrendKey::Process {
                pid: process.pid,
                start_ticks: process.start_ticks,
            }
        }
        TrendGroup::Port(port) => TrendKey::Port(port),
        TrendGroup::All => TrendKey::Machine,
    })
}

/// Adds the latest count; the others are an interval apart.
fn remember(past: &mut VecDeque<(Timestamp, u32)>, number: u32, now: Timestamp) {
    let before = past.len().checked_sub(2).and_then(|place| past.get(place));
    if before.is_some_and(|(at, _)| at.age(now) < SAMPLE_INTERVAL) {
        past.pop_back();
    }
    past.push_back((now, number));
    while past.front().is_some_and(|(at, _)| at.age(now) > WINDOW) {
        past.pop_front();
    }
}

/// Returns the change since the oldest count kept, and its age. A group found
/// only now has no past: it may have existed all along under no key.
fn change(
    past: &VecDeque<(Timestamp, u32)>,
    number: u32,
    now: Timestamp,
) -> Option<(i64, Duration)> {
    let (at, before) = past.front()?;
    let over = at.age(now);
    let change = i64::from(number) - i64::from(*before);
    (over >= SAMPLE_INTERVAL).then_some((change, over))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{reading, table, with_cookie};
    use super::super::{Monitor, MonitorOptions};
    use super::*;
    use crate::model::socket::Socket;

    fn many(count: u32, state: State) -> Vec<Socket> {
        (0..count)
            .map(|number| with_cookie(number, state))
            .collect()
    }

    fn trends_after(
        monitor: &mut Monitor,
        second: u64,
        sockets: &[Socket],
    ) -> Vec<(State, i64, u64)> {
        let seen = monitor
            .fold(reading(second * 1000, table(sockets)))
            .unwrap();
        let trends = seen.trends.iter();
        trends
            .map(|trend| (trend.state, trend.change, trend.window.as_secs()))
            .collect()
    }

    #[test]
    fn a_group_has_a_trend_once_it_has_a_past() {
        let mut monitor = Monitor::default();
        let leak = |count| many(count, State::CloseWait);
        assert_eq!(trends_after(&mut monitor, 0, &leak(200)), []);
        assert_eq!(trends_after(&mut monitor, 5, &leak(201)), []);
        let after = trends_after(&mut monitor, 60, &leak(203));
        assert_eq!(after, [(State::CloseWait, 3, 60)]);
        for second in (70..=400).step_by(10) {
            trends_after(&mut monitor, second, &leak(203));
        }
        let later = trends_after(&mut monitor, 405, &leak(190));
        let [(State::CloseWait, -13, over)] = later[..] else {
            panic!("{later:?}");
        };
        assert!((290..=300).contains(&over), "{over}");
    }

    #[test]
    fn small_groups_and_established_sockets_are_not_counted() {
        let mut monitor = Monitor::default();
        let mut sockets = many(300, State::Established);
        sockets.extend((1000..1004).map(|number| with_cookie(number, State::CloseWait)));
        for second in [0, 20, 40] {
            assert_eq!(trends_after(&mut monitor, second, &sockets), []);
        }
    }

    #[test]
    fn what_is_gone_begins_anew() {
        let mut monitor = Monitor::default();
        let heap = many(50, State::SynSent);
        trends_after(&mut monitor, 0, &heap);
        assert_eq!(trends_after(&mut monitor, 30, &heap).len(), 1);
        trends_after(&mut monitor, 60, &[]);
        assert_eq!(trends_after(&mut monitor, 61, &heap), []);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut monitor = Monitor::new(MonitorOptions {
            detection_enabled: false,
            ..MonitorOptions::default()
        });
        // Half-open ones without a holder, five on each of very many ports.
        let port = |number: u32| u16::try_from(number / 5 + 1).unwrap();
        let sockets: Vec<Socket> = (0..20_000)
            .map(|number| {
                let mut socket = with_cookie(number, State::SynReceived);
                socket.inode = None;
                socket.local.port = port(number);
                socket
            })
            .collect();
        for second in [0, 20] {
            monitor.fold(reading(second * 1000, table(&sockets)));
        }
        assert_eq!(monitor.trends.group_counts.len(), MAX_GROUPS);
        assert_eq!(monitor.latest.unwrap().trends.len(), MAX_GROUPS);
    }

    /// Cost of a hundred thousand rows; to be run by hand with
    /// `--release --ignored`.
    #[test]
    #[ignore = "measures"]
    fn cost_of_a_hundred_thousand() {
        use crate::filter::test_world::large_world;
        for all in [false, true] {
            let mut world = large_world(100_000, 500);
            let rows = std::sync::Arc::make_mut(&mut world.rows);
            let mut groups = RowGroups::default();
            for (number, row) in (0u32..).zip(rows.iter_mut()) {
                if all {
                    row.socket.state = State::CloseWait;
                }
                groups.insert(number, row);
            }
            let mut interner = Interner::default();
            interner.intern_table(world.processes.clone());
            let mut trends = Trends::default();
            let mut times: Vec<Duration> = (0..200_u32)
                .map(|second| {
                    let began = std::time::Instant::now();
                    let now = Timestamp(second * 100);
                    trends.fold(
                        &groups,
                        &world.state_counts,
                        &world.rows,
                        &world.holders,
                        &interner,
                        now,
                    );
                    began.elapsed()
                })
                .collect();
            times.sort_unstable();
            println!("all in one state: {all}; median {:?}", times[100]);
        }
    }
}
