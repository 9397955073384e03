//! Sockets whose queues do not move, and the time for which each has held the
//! same number of bytes. Shared by the rules about programs and peers that do
//! not read.

use super::active_findings::{ActiveFindings, SocketHolder, TriggerLevel};
use super::detector::DetectorInput;
use super::owner_key::OwnerKey;
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, StalledQueueEvidence};
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes in a queue, by socket, and the time since which they are the same; and
/// the findings, one per owner.
#[derive(Debug, Default)]
pub(super) struct StalledQueues {
    since: BTreeMap<SocketKey, (u32, Timestamp)>,
    active: ActiveFindings<OwnerKey>,
}

/// Stalled sockets of one owner.
#[derive(Debug)]
pub(super) struct StalledGroup<'a> {
    pub(super) holder: SocketHolder<'a>,
    pub(super) evidence: StalledQueueEvidence,
    /// Bytes of the socket with the most.
    pub(super) most: u32,
    /// True if a writer at the other end of one of them, on this machine, waits.
    pub(super) blocks_writer: bool,
}

impl StalledQueues {
    /// Evaluates a table: `bytes` returns the bytes by which a row is
    /// evaluated, none if it is not; `severity` returns the severity, none if
    /// it is irrelevant.
    pub(super) fn evaluate<'a>(
        &mut self,
        case: &DetectorInput<'a>,
        party: impl Fn(&Row) -> Option<(OwnerKey, SocketHolder<'a>)>,
        bytes: impl Fn(&Row) -> Option<u32>,
        severity: impl Fn(&StalledGroup<'_>) -> Option<Severity>,
        evidence: fn(StalledQueueEvidence) -> Evidence,
    ) -> Vec<Finding> {
        for (key, stalled) in self.observe(case, party, bytes) {
            let level = match severity(&stalled) {
                Some(severity) => TriggerLevel::Raise(severity, evidence(stalled.evidence)),
                None => TriggerLevel::Clear,
            };
            self.active.update(key, stalled.holder, level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }

    /// Returns the sockets that have been stalled for long enough.
    fn observe<'a>(
        &mut self,
        case: &DetectorInput<'a>,
        party: impl Fn(&Row) -> Option<(OwnerKey, SocketHolder<'a>)>,
        bytes: impl Fn(&Row) -> Option<u32>,
    ) -> BTreeMap<OwnerKey, StalledGroup<'a>> {
        let mut still = BTreeMap::new();
        let mut stalled = BTreeMap::new();
        let scene = case.context;
        for row in scene.row_groups.queued(scene.rows) {
            let Some(bytes) = bytes(row) else {
                continue;
            };
            let key = row.socket.key();
            let known = self.since.get(&key).filter(|(before, _)| *before == bytes);
            let since = known.map_or(scene.now, |(_, since)| *since);
            still.insert(key, (bytes, since));
            let age = since.age(scene.now);
            if age >= case.limits.still_after
                && let Some((key, holder)) = party(row)
            {
                let entry = stalled
                    .entry(key)
                    .or_insert_with(|| StalledGroup::of(holder));
                entry.add(row.socket.remote, bytes, age);
                entry.blocks_writer |= case.blocked_writers.blocks_writer(row);
            }
        }
        self.since = still;
        stalled
    }
}

impl<'a> StalledGroup<'a> {
    fn of(holder: SocketHolder<'a>) -> Self {
        Self {
            holder,
            evidence: StalledQueueEvidence {
                sockets: 0,
                bytes: 0,
                peer: Endpoint::default(),
                longest: Duration::ZERO,
            },
            most: 0,
            blocks_writer: false,
        }
    }

    fn add(&mut self, peer: Endpoint, bytes: u32, age: Duration) {
        let stillness = &mut self.evidence;
        if stillness.sockets == 0 || bytes > self.most {
            (stillness.peer, self.most) = (peer, bytes);
        }
        stillness.sockets += 1;
        stillness.bytes += u64::from(bytes);
        stillness.longest = stillness.longest.max(age);
    }
}
