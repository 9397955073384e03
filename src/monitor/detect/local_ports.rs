//! Rule: the local ports for connections to one destination run out. No counter
//! of the kernel moves when they have: `connect` fails with EADDRNOTAVAIL.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Scene};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, PortUse};
use crate::model::finding::{Finding, Severity};
use crate::model::limits::Limits;
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::time::Stamp;
use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;
use std::time::Duration;

/// Counting looks at every row, and ports do not run out within a moment.
const STEP: Duration = Duration::from_secs(5);
/// A port in `TIME_WAIT` can be used again after this time, where
/// `tcp_tw_reuse` allows it (`tcp_tw_reuse_delay`).
const REUSABLE: Duration = Duration::from_secs(1);

/// From where, to where.
type Route = (Endpoint, Endpoint);

/// A finding per route.
#[derive(Default)]
pub(super) struct LocalPorts {
    standing: Standing<Route>,
    counted: Option<Stamp>,
    last: Vec<Used>,
}

/// The ports that one route takes.
struct Used {
    route: Route,
    count: u32,
    process: Option<Arc<Process>>,
}

impl Detector for LocalPorts {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let Some(room) = Room::of(&case.scene.kernel.settings) else {
            return Vec::new();
        };
        if self.counted.is_none_or(|at| at.age(case.now) >= STEP) {
            self.counted = Some(case.now);
            self.last = count(case.scene, room, case.limits);
        }
        for used in &self.last {
            let level = level(used, room, case.limits);
            let process = used.process.as_ref();
            self.standing.judge(used.route, process, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

/// The ports there are for connections that name none.
#[derive(Clone, Copy)]
struct Room {
    first: u16,
    last: u16,
    count: u32,
    /// `tcp_tw_reuse`.
    reuse: Option<u32>,
}

impl Room {
    fn of(settings: &Limits) -> Option<Self> {
        let (first, last) = settings.local_ports?;
        let all = u32::from(last.checked_sub(first)?) + 1;
        Some(Self {
            first,
            last,
            count: all.saturating_sub(settings.reserved_ports.unwrap_or(0)),
            reuse: settings.time_wait_reuse,
        })
    }

    /// Whether a row takes one of them away from its route.
    fn is_taken_by(self, row: &Row, now: Stamp) -> bool {
        let socket = &row.socket;
        let connection = socket.protocol == Protocol::Tcp && socket.peer().is_some();
        let within = (self.first..=self.last).contains(&socket.local.port);
        let reused = socket.state == State::TimeWait
            && row.state_since.age(now) >= REUSABLE
            && match self.reuse {
                Some(1) => true,
                // The default: within this machine only.
                Some(2) => socket.remote.address().is_loopback(),
                _ => false,
            };
        connection && within && !reused && row.phase != Phase::Closed
    }
}

/// The routes that take a share worth a word.
fn count(scene: &Scene<'_>, room: Room, limits: &Thresholds) -> Vec<Used> {
    let least = limits.ports_amber / 2.0 * f64::from(room.count);
    // Far too few sockets for any route to take so many.
    if u32::try_from(scene.rows.len()).is_ok_and(|rows| f64::from(rows) < least) {
        return Vec::new();
    }
    let mut counts: HashMap<Route, (u32, u32)> = HashMap::new();
    let rows = (0u32..).zip(scene.rows);
    for (number, row) in rows.filter(|(_, row)| room.is_taken_by(row, scene.now)) {
        if scene.kernel.covers(row) {
            let from = Endpoint::new(row.socket.local.address(), 0);
            let route = (from, row.socket.remote);
            counts.entry(route).or_insert((0, number)).0 += 1;
        }
    }
    let mut used: Vec<Used> = counts
        .into_iter()
        .filter(|(_, (count, _))| f64::from(*count) >= least)
        .map(|(route, (count, number))| Used {
            route,
            count,
            process: scene
                .rows
                .get(number as usize)
                .and_then(|row| scene.first_owner(row))
                .cloned(),
        })
        .collect();
    used.sort_by_key(|used| used.route);
    used
}

fn level(used: &Used, room: Room, limits: &Thresholds) -> Level {
    let (from, to) = used.route;
    let evidence = Evidence::LocalPorts(PortUse {
        from: from.address(),
        to,
        used: used.count,
        room: room.count,
    });
    let reaches = |share: f64| f64::from(used.count) >= share * f64::from(room.count);
    if reaches(limits.ports_red) {
        Level::Raise(Severity::Alarm, evidence)
    } else if reaches(limits.ports_amber) {
        Level::Raise(Severity::Warn, evidence)
    } else {
        Level::Hold(evidence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(reuse: Option<u32>) -> Limits {
        Limits {
            local_ports: Some((40_000, 40_099)),
            reserved_ports: Some(10),
            time_wait_reuse: reuse,
            ..Limits::default()
        }
    }

    fn severity(count: u32) -> Option<Severity> {
        let room = Room::of(&settings(None)).unwrap();
        let used = Used {
            route: Route::default(),
            count,
            process: None,
        };
        match level(&used, room, &Thresholds::default()) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn seven_tenths_are_amber_and_nine_red() {
        assert_eq!(severity(62), None);
        assert_eq!(severity(63), Some(Severity::Warn));
        assert_eq!(severity(81), Some(Severity::Alarm));
    }

    #[test]
    fn reserved_ports_are_no_room_and_an_odd_range_is_none() {
        assert_eq!(Room::of(&settings(None)).unwrap().count, 90);
        let odd = Limits {
            local_ports: Some((50, 40)),
            ..Limits::default()
        };
        assert!(Room::of(&odd).is_none());
        assert!(Room::of(&Limits::default()).is_none());
    }
}
