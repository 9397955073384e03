//! Sockets whose queues do not move, and the time for which each has held the
//! same number of bytes. Shared by the rules about programs and peers that do
//! not read.

use super::Case;
use super::party::Party;
use super::standing::{Holder, Level, Standing};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, Stillness};
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Stamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes in a queue, by socket, and the time since which they are the same; and
/// the findings, one per owner.
#[derive(Debug, Default)]
pub(super) struct Still {
    since: BTreeMap<SocketKey, (u32, Stamp)>,
    standing: Standing<Party>,
}

/// Stalled sockets of one owner.
#[derive(Debug)]
pub(super) struct Stuck<'a> {
    pub(super) holder: Holder<'a>,
    pub(super) stillness: Stillness,
    /// Bytes of the socket with the most.
    pub(super) most: u32,
    /// True if a writer at the other end of one of them, on this machine, waits.
    pub(super) blocks_writer: bool,
}

impl Still {
    /// Evaluates a table: `bytes` returns the bytes by which a row is
    /// evaluated, none if it is not; `severity` returns the severity, none if
    /// it is irrelevant.
    pub(super) fn judge<'a>(
        &mut self,
        case: &Case<'a>,
        party: impl Fn(&Row) -> Option<(Party, Holder<'a>)>,
        bytes: impl Fn(&Row) -> Option<u32>,
        severity: impl Fn(&Stuck<'_>) -> Option<Severity>,
        evidence: fn(Stillness) -> Evidence,
    ) -> Vec<Finding> {
        for (key, stuck) in self.observe(case, party, bytes) {
            let level = match severity(&stuck) {
                Some(severity) => Level::Raise(severity, evidence(stuck.stillness)),
                None => Level::Below,
            };
            self.standing.judge(key, stuck.holder, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }

    /// Returns the sockets that have been stalled for long enough.
    fn observe<'a>(
        &mut self,
        case: &Case<'a>,
        party: impl Fn(&Row) -> Option<(Party, Holder<'a>)>,
        bytes: impl Fn(&Row) -> Option<u32>,
    ) -> BTreeMap<Party, Stuck<'a>> {
        let mut still = BTreeMap::new();
        let mut stuck = BTreeMap::new();
        let scene = case.scene;
        for row in scene.muster.queued(scene.rows) {
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
                let entry = stuck.entry(key).or_insert_with(|| Stuck::of(holder));
                entry.add(row.socket.remote, bytes, age);
                entry.blocks_writer |= case.blocked.blocks_writer(row);
            }
        }
        self.since = still;
        stuck
    }
}

impl<'a> Stuck<'a> {
    fn of(holder: Holder<'a>) -> Self {
        Self {
            holder,
            stillness: Stillness {
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
        let stillness = &mut self.stillness;
        if stillness.sockets == 0 || bytes > self.most {
            (stillness.peer, self.most) = (peer, bytes);
        }
        stillness.sockets += 1;
        stillness.bytes += u64::from(bytes);
        stillness.longest = stillness.longest.max(age);
    }
}
