//! Rule: two programs of this machine write to each other, and neither reads.
//! Both windows are closed and both ends have unread bytes, so that nothing
//! moves until one of them is ended. No kernel timeout ends it: both ends
//! answer its probes.
//!
//! It is one finding about both: each is the cause of the other's wait.

use super::active_findings::{ActiveFindings, SocketHolder, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::owner_key::OwnerKey;
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{DeadlockEvidence as Evidence, Evidence as AnyEvidence};
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// A finding per pair of programs.
#[derive(Default)]
pub(super) struct DeadlockDetector {
    /// Time since which the queues of a pair have not moved, by the smaller key
    /// of its two ends.
    unmoved_since: BTreeMap<SocketKey, (QueuePair, Timestamp)>,
    active: ActiveFindings<(OwnerKey, OwnerKey)>,
}

/// Bytes in the receive and the send queue of both ends.
type QueuePair = [(u32, u32); 2];

/// Pairs of two programs.
struct DeadlockedPairs<'a> {
    holders: [SocketHolder<'a>; 2],
    connections: u32,
    /// Unread bytes at each end.
    unread: [u64; 2],
    /// Addresses of one of them.
    ends: (Endpoint, Endpoint),
    longest: Duration,
}

impl Detector for DeadlockDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let mut since = BTreeMap::new();
        let mut found: BTreeMap<(OwnerKey, OwnerKey), DeadlockedPairs<'_>> = BTreeMap::new();
        for row in case.context.row_groups.queued(case.context.rows) {
            let Some(other) = case.blocked_writers.deadlocked_with(row) else {
                continue;
            };
            let key = row.socket.key();
            if key > other.socket.key() {
                // Evaluated with its other end.
                continue;
            }
            let queues = [row, other].map(|end| (end.socket.recv_queue, end.socket.send_queue));
            let known = self
                .unmoved_since
                .get(&key)
                .filter(|(before, _)| *before == queues);
            let began = known.map_or(case.now, |(_, since)| *since);
            since.insert(key, (queues, began));
            let age = began.age(case.now);
            if age >= case.limits.still_after {
                add_pair(&mut found, [row, other], age, case);
            }
        }
        self.unmoved_since = since;
        for (owner_keys, pairs) in found {
            let [holder, _] = &pairs.holders;
            let level = TriggerLevel::Raise(Severity::Warning, pairs.evidence());
            self.active
                .update(owner_keys, holder.clone(), level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

/// Counts a pair among those of its two programs, the known process first.
fn add_pair<'a>(
    found: &mut BTreeMap<(OwnerKey, OwnerKey), DeadlockedPairs<'a>>,
    mut ends: [&Row; 2],
    age: Duration,
    case: &DetectorInput<'a>,
) {
    let [Some(left), Some(right)] = ends.map(|end| case.context.owner_key(end)) else {
        return;
    };
    let mut owner_keys = [left, right];
    if owner_keys[1].0 < owner_keys[0].0 {
        owner_keys.reverse();
        ends.reverse();
    }
    let [(left, holder), (right, other)] = owner_keys;
    let [first, _] = ends.map(|end| (end.socket.local, end.socket.remote));
    let pairs = found
        .entry((left, right))
        .or_insert_with(|| DeadlockedPairs {
            holders: [holder, other],
            connections: 0,
            unread: [0, 0],
            ends: first,
            longest: Duration::ZERO,
        });
    let unread = ends.map(|end| u64::from(end.socket.recv_queue));
    // The same pair in every table.
    pairs.ends = pairs.ends.min(first);
    pairs.connections += 1;
    pairs.unread[0] += unread[0];
    pairs.unread[1] += unread[1];
    pairs.longest = pairs.longest.max(age);
}

impl DeadlockedPairs<'_> {
    fn evidence(&self) -> AnyEvidence {
        let [_, other] = &self.holders;
        AnyEvidence::Deadlock(Evidence {
            other_process: other.process.cloned(),
            other_holder: other.unknown,
            connections: self.connections,
            unread: self.unread[0],
            other_unread: self.unread[1],
            ends: self.ends,
            longest: self.longest,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::model::evidence::Evidence;
    use crate::model::finding::{Finding, Rule, Severity};
    use crate::model::observation::Observation;
    use crate::model::owner::{OwnerSearch, ProcessId};
    use crate::model::reading::Snapshot;
    use crate::model::socket::Socket;
    use crate::model::state::State;
    use crate::model::timer::{Timer, TimerKind};
    use crate::monitor::Monitor;
    use crate::monitor::fixture::{process, reading, table, with_cookie};
    use std::sync::Arc;

    /// Both ends of a connection, with these numbers of unread bytes.
    fn ends(unread: [u32; 2]) -> [Socket; 2] {
        let end = |number, recv_queue| Socket {
            recv_queue,
            send_queue: 260_000,
            timer: Some(Timer {
                kind: TimerKind::ZeroWindowProbe,
                expires_ms: 500,
                retransmits: 0,
            }),
            ..with_cookie(number, State::Established)
        };
        let [mut left, mut right] = [end(1, unread[0]), end(2, unread[1])];
        (left.remote, right.remote) = (right.local, left.local);
        [left, right]
    }

    /// Held by processes 100 and 101.
    fn held(sockets: &[Socket]) -> Snapshot {
        let mut held = table(sockets);
        held.processes.push(process(101));
        held.holders[1].process = ProcessId(1);
        held
    }

    fn watched(table: impl Fn() -> Snapshot) -> Arc<Observation> {
        let mut monitor = Monitor::default();
        monitor.fold(reading(0, table()));
        monitor.fold(reading(31_000, table())).unwrap()
    }

    fn only(seen: &Observation) -> &Finding {
        let [found] = seen.findings.as_slice() else {
            panic!("{:?}", seen.findings)
        };
        found
    }

    #[test]
    fn one_finding_names_both_and_marks_both_rows() {
        let seen = watched(|| held(&ends([90_000, 80_000])));
        let found = only(&seen);
        assert_eq!(found.evidence.rule(), Rule::Deadlock);
        let pids: Vec<u32> = found.processes().map(|process| process.pid).collect();
        assert_eq!(pids, [100, 101]);
        let marked = seen.rows.iter().map(|row| row.severity);
        assert!(marked.eq([Some(Severity::Warning); 2]));
    }

    #[test]
    fn a_process_may_wait_for_itself() {
        let seen = watched(|| table(&ends([90_000, 80_000])));
        let Evidence::Deadlock(pairs) = &only(&seen).evidence else {
            panic!("{:?}", seen.findings)
        };
        assert!(pairs.is_within_one_process(only(&seen).process.as_deref()));
    }

    #[test]
    fn hidden_programs_are_told_by_user_and_port() {
        let hidden = || {
            let mut hidden = held(&ends([90_000, 80_000]));
            hidden.owner_search = OwnerSearch::Partial;
            hidden.holders.clear();
            for span in &mut hidden.owners {
                span.count = 0;
            }
            hidden
        };
        let seen = watched(hidden);
        let found = only(&seen);
        let Evidence::Deadlock(pairs) = &found.evidence else {
            panic!("{found:?}")
        };
        let ports = [found.holder.unknown, pairs.other_holder].map(|each| each.unwrap().port);
        assert_eq!(ports, [Some(1025), Some(1026)]);
    }

    #[test]
    fn a_one_sided_reader_is_found_alone() {
        let [left, mut right] = ends([0, 80_000]);
        (right.send_queue, right.timer) = (0, None);
        let seen = watched(|| held(&[left, right]));
        let found = only(&seen);
        assert_eq!(found.evidence.rule(), Rule::ProgramNotReading);
        assert_eq!(found.process.as_ref().unwrap().pid, 101);
    }
}
