//! Rule: the local ports for connections to one destination run out, or those of one
//! address (`local_ports/source.rs`). No counter of the kernel moves when they have:
//! `connect` fails with EADDRNOTAVAIL, and `bind` with EADDRINUSE.

mod per_address;

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::profile::saturating_u32;
use super::table_context::{KernelStats, TableContext};
use super::thresholds::Thresholds;
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, LocalPortsEvidence};
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::limits::Limits;
use crate::model::owner::ProcessId;
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::state::State;
use crate::model::time::Timestamp;
use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

/// Interval of counting: it walks every row, and ports do not run out within a
/// moment.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);
/// Time after which a port in `TIME_WAIT` can be used again, where
/// `tcp_tw_reuse` allows it (`tcp_tw_reuse_delay`).
const TIME_WAIT_REUSE_DELAY: Duration = Duration::from_secs(1);

/// Number of groups into which destinations are sorted at first.
const BUCKETS: usize = 1 << 14;

/// Source and destination; no destination for all ports of an address.
type PortRoute = (Endpoint, Option<Endpoint>);

/// A finding per route.
#[derive(Default)]
pub(super) struct LocalPortsDetector {
    active: ActiveFindings<PortRoute>,
    counted_at: Option<Timestamp>,
    usage: Vec<RouteUsage>,
}

/// Ports in use by one route.
struct RouteUsage {
    route: PortRoute,
    count: u32,
    process: Option<Arc<Process>>,
}

impl Detector for LocalPortsDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let Some(room) = EphemeralPorts::of(&case.context.kernel.settings) else {
            return Vec::new();
        };
        if self
            .counted_at
            .is_none_or(|at| at.age(case.now) >= COUNT_INTERVAL)
        {
            self.counted_at = Some(case.now);
            self.usage = count_routes(case.context, room, case.limits);
            let by_source =
                per_address::count_addresses(case.context, room, case.limits, &self.usage);
            self.usage.extend(by_source);
        }
        for used in &self.usage {
            let level = level(used, room, case.limits);
            let process = used.process.as_ref();
            self.active.update(used.route, process, level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        let told = EphemeralPorts::of(&kernel.settings).is_some();
        inactive_unless(Rule::LocalPorts, MissingInput::Settings, told)
    }
}

/// Ports for connections that name none.
#[derive(Clone, Copy)]
struct EphemeralPorts {
    first: u16,
    last: u16,
    count: u32,
    /// `tcp_tw_reuse`.
    reuse: Option<u32>,
}

impl EphemeralPorts {
    fn of(settings: &Limits) -> Option<Self> {
        let (first, last) = settings.local_ports?;
        let all = u32::from(last.checked_sub(first)?) + 1;
        let count = all.saturating_sub(settings.reserved_ports.unwrap_or(0));
        // Without any port there is no share.
        (count > 0).then_some(Self {
            first,
            last,
            count,
            reuse: settings.time_wait_reuse,
        })
    }

    /// True if a row takes one of them from its route.
    fn is_used_by(self, row: &Row, now: Timestamp) -> bool {
        let socket = &row.socket;
        let connection = socket.protocol == Protocol::Tcp && socket.peer().is_some();
        let within = (self.first..=self.last).contains(&socket.local.port);
        let reused = socket.state == State::TimeWait
            && row.state_since.age(now) >= TIME_WAIT_REUSE_DELAY
            && match self.reuse {
                Some(1) => true,
                // The default: within this machine only.
                Some(2) => socket.remote.address().is_loopback(),
                _ => false,
            };
        connection && within && !reused && row.phase != Phase::Closed
    }
}

/// Returns the routes that take a relevant share.
fn count_routes(
    scene: &TableContext<'_>,
    room: EphemeralPorts,
    limits: &Thresholds,
) -> Vec<RouteUsage> {
    let least = limits.ports_amber / 2.0 * f64::from(room.count);
    let enough = |count: usize| u32::try_from(count).is_ok_and(|count| f64::from(count) >= least);
    // Too few sockets for any route to take that share.
    if !enough(scene.rows.len()) {
        return Vec::new();
    }
    let taking = || {
        let rows = scene.rows.iter();
        rows.filter(|row| scene.kernel.covers(row) && room.is_used_by(row, scene.now))
    };
    // First in groups: a client of many servers has as many routes as
    // connections, and almost none of them is worth a map entry.
    let hasher = RandomState::default();
    let bucket = |row: &Row| {
        let hash = hasher.hash_one(row.socket.remote);
        usize::try_from(hash % BUCKETS as u64).unwrap_or(0)
    };
    let mut counts = vec![0u32; BUCKETS];
    for row in taking() {
        counts[bucket(row)] += 1;
    }
    if !counts.iter().any(|count| f64::from(*count) >= least) {
        return Vec::new();
    }
    let mut routes: HashMap<PortRoute, Vec<&Row>> = HashMap::new();
    for row in taking().filter(|row| f64::from(counts[bucket(row)]) >= least) {
        let from = Endpoint::new(row.socket.local.address(), 0);
        let route = (from, Some(row.socket.remote));
        routes.entry(route).or_default().push(row);
    }
    routes.retain(|_, rows| enough(rows.len()));
    let mut used: Vec<RouteUsage> = routes
        .into_iter()
        .map(|(route, rows)| RouteUsage {
            route,
            count: saturating_u32(rows.len()),
            process: main_owner(scene, &rows),
        })
        .collect();
    used.sort_by_key(|used| used.route);
    used
}

/// The process that holds most of these rows, or held them last: those in
/// `TIME_WAIT` have no owner any more.
fn main_owner(scene: &TableContext<'_>, rows: &[&Row]) -> Option<Arc<Process>> {
    let mut counts: BTreeMap<ProcessId, usize> = BTreeMap::new();
    for row in rows {
        let holder = row.owners.resolve(scene.holders).first();
        let present = holder.map(|holder| holder.process);
        let owner = present.or_else(|| row.last_owner.map(LastOwner::process));
        if let Some(owner) = owner {
            *counts.entry(owner).or_default() += 1;
        }
    }
    let (most, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    scene.interner.get(most).cloned()
}

fn level(used: &RouteUsage, room: EphemeralPorts, limits: &Thresholds) -> TriggerLevel {
    let (from, to) = used.route;
    let evidence = Evidence::LocalPorts(LocalPortsEvidence {
        local_address: from.address(),
        destination: to,
        used: used.count,
        available: room.count,
    });
    let reaches = |share: f64| f64::from(used.count) >= share * f64::from(room.count);
    if reaches(limits.ports_red) {
        TriggerLevel::Raise(Severity::Critical, evidence)
    } else if reaches(limits.ports_amber) {
        TriggerLevel::Raise(Severity::Warning, evidence)
    } else {
        TriggerLevel::Sustain(evidence)
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
        let room = EphemeralPorts::of(&settings(None)).unwrap();
        let used = RouteUsage {
            route: PortRoute::default(),
            count,
            process: None,
        };
        match level(&used, room, &Thresholds::default()) {
            TriggerLevel::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn seventy_percent_warns_and_ninety_alarms() {
        assert_eq!(severity(62), None);
        assert_eq!(severity(63), Some(Severity::Warning));
        assert_eq!(severity(81), Some(Severity::Critical));
    }

    #[test]
    fn reserved_ports_and_invalid_ranges_leave_no_ports() {
        assert_eq!(EphemeralPorts::of(&settings(None)).unwrap().count, 90);
        let suspicious = Limits {
            local_ports: Some((50, 40)),
            ..Limits::default()
        };
        assert!(EphemeralPorts::of(&suspicious).is_none());
        for reserved in [100, 101] {
            let none_left = Limits {
                reserved_ports: Some(reserved),
                ..settings(None)
            };
            assert!(
                EphemeralPorts::of(&none_left).is_none(),
                "{reserved} reserved"
            );
        }
        assert!(EphemeralPorts::of(&Limits::default()).is_none());
    }
}
