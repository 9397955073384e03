//! Sockets whose queues do not move: how long has each held the same number of
//! bytes? What the two rules about them share.

use super::standing::{Level, Standing};
use super::{Actor, Case, Scene};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, Stillness};
use crate::model::finding::{Finding, Severity};
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Stamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes in a queue, by socket, and since when there are as many; and the
/// findings, one per process.
#[derive(Debug, Default)]
pub(super) struct Still {
    since: BTreeMap<SocketKey, (u32, Stamp)>,
    standing: Standing<Actor>,
}

/// The sockets of one process that stand still.
#[derive(Debug)]
struct Stuck<'a> {
    process: &'a Arc<Process>,
    stillness: Stillness,
    /// The bytes of the socket with most.
    most: u32,
}

impl Still {
    /// Judges a table: `bytes` are those that a row with any is judged by, none
    /// if it is not to be judged.
    pub(super) fn judge(
        &mut self,
        case: &Case<'_>,
        bytes: impl Fn(&Row) -> Option<u32>,
        evidence: fn(Stillness) -> Evidence,
    ) -> Vec<Finding> {
        for (actor, stuck) in self.observe(case.scene, case.limits.still_after, bytes) {
            let level = Level::Raise(Severity::Info, evidence(stuck.stillness));
            self.standing
                .judge(actor, Some(stuck.process), level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }

    /// What has stood still for at least `patience`.
    fn observe<'a>(
        &mut self,
        scene: &Scene<'a>,
        patience: Duration,
        bytes: impl Fn(&Row) -> Option<u32>,
    ) -> BTreeMap<Actor, Stuck<'a>> {
        let mut still = BTreeMap::new();
        let mut stuck = BTreeMap::new();
        for row in scene.muster.queued(scene.rows) {
            let Some(bytes) = bytes(row) else {
                continue;
            };
            let key = row.socket.key();
            let known = self.since.get(&key).filter(|(before, _)| *before == bytes);
            let since = known.map_or(scene.now, |(_, since)| *since);
            still.insert(key, (bytes, since));
            let age = since.age(scene.now);
            if age >= patience
                && let Some(process) = scene.first_owner(row)
            {
                let actor = Actor::of(process);
                let entry = stuck.entry(actor).or_insert_with(|| Stuck::of(process));
                entry.add(row.socket.remote, bytes, age);
            }
        }
        self.since = still;
        stuck
    }
}

impl<'a> Stuck<'a> {
    fn of(process: &'a Arc<Process>) -> Self {
        Self {
            process,
            stillness: Stillness {
                sockets: 0,
                bytes: 0,
                peer: Endpoint::default(),
                longest: Duration::ZERO,
            },
            most: 0,
        }
    }

    fn add(&mut self, peer: Endpoint, bytes: u32, age: Duration) {
        let stillness = &mut self.stillness;
        if stillness.sockets == 0 || bytes > self.most {
            (stillness.peer, self.most) = (peer, bytes);
        }
        stillness.sockets += 1;
        stillness.bytes += u64::from(bytes);
        stillness.longest = stillness.longest.max(age);
    }
}
