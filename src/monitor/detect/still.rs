//! Sockets whose queues do not move: how long has each held the same number of
//! bytes?

use super::{Actor, Scene};
use crate::model::endpoint::Endpoint;
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::time::Stamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Bytes in a queue, by socket, and since when there are as many.
#[derive(Debug, Default)]
pub(super) struct Still {
    since: BTreeMap<SocketKey, (u32, Stamp)>,
}

/// The sockets of one process that stand still.
#[derive(Debug)]
pub(super) struct Stuck<'a> {
    pub(super) process: &'a Arc<Process>,
    pub(super) sockets: u32,
    pub(super) bytes: u64,
    /// The longest time.
    pub(super) longest: Duration,
    /// The peer of the socket with most bytes.
    pub(super) peer: Endpoint,
    most: u32,
}

impl Still {
    /// Takes in a table: `bytes` are those that a row with any is judged by, none
    /// if it is not to be judged. Gives what has stood still for at least `patience`.
    pub(super) fn observe<'a>(
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
            sockets: 0,
            bytes: 0,
            longest: Duration::ZERO,
            peer: Endpoint::default(),
            most: 0,
        }
    }

    fn add(&mut self, peer: Endpoint, bytes: u32, age: Duration) {
        if self.sockets == 0 || bytes > self.most {
            (self.peer, self.most) = (peer, bytes);
        }
        self.sockets += 1;
        self.bytes += u64::from(bytes);
        self.longest = self.longest.max(age);
    }
}
