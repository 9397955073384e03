//! Sockets without a known owner: the age of the search, likely holders, and
//! when to give up.
//!
//! A process that closes one descriptor and opens another shows no change, so a
//! socket without a known owner may be in any process. Reading all of them with
//! every table would cost most where least can be found: kernel sockets and
//! those of other users never have a visible owner. So the likely processes are
//! read first, within a budget for each table, and a socket is given up once
//! every process has been read for it.

use super::descriptors::FdSummary;
use super::process_index::{ScanPass, scan_cost};
use crate::model::endpoint::Endpoint;
use crate::model::socket::Socket;
use foldhash::{HashMap, HashMapExt, HashSet};

/// Largest number of descriptors read in search of owners for one table: some
/// twenty milliseconds.
pub(super) const SEARCH_BUDGET: u64 = 16 * 1024;

/// Sockets without a known owner, by inode, with the pass in which every
/// process must have been read to give up. Inode numbers are given out in turn
/// and come again only after four thousand million (`get_next_ino` in
/// `fs/inode.c`).
#[derive(Default)]
pub(super) struct UnresolvedInodes(HashMap<u32, ScanPass>);

impl UnresolvedInodes {
    /// Updates the set with the sockets of a table that have no known owner.
    /// New ones must be searched for in passes after `now`.
    pub(super) fn update(&mut self, inodes: impl Iterator<Item = u32>, now: ScanPass) {
        let before = std::mem::take(&mut self.0);
        let mut noted = HashMap::with_capacity(before.len());
        for inode in inodes {
            noted.insert(inode, before.get(&inode).copied().unwrap_or(now + 1));
        }
        self.0 = noted;
    }

    /// Those still worth looking for, if every process has been read since
    /// `all_read`.
    pub(super) fn pending(&self, all_read: ScanPass) -> HashSet<u32> {
        self.0
            .iter()
            .filter(|(_, since)| **since > all_read)
            .map(|(inode, _)| *inode)
            .collect()
    }

    /// Those of the open ones that an earlier table than that of pass `now` had,
    /// too.
    pub(super) fn persistent(&self, open: &HashSet<u32>, now: ScanPass) -> HashSet<u32> {
        let lasts = |inode: &&u32| self.0.get(*inode).is_some_and(|since| *since <= now);
        open.iter().filter(lasts).copied().collect()
    }

    /// The latest pass in which an open search began.
    pub(super) fn latest_start(&self) -> ScanPass {
        self.0.values().copied().max().unwrap_or(0)
    }
}

/// Hints about the owners of the sockets that are searched for.
pub(super) struct SearchHints {
    ports: HashSet<u16>,
    peers: HashSet<Endpoint>,
    uids: HashSet<u32>,
}

impl SearchHints {
    /// Collects the hints from the sockets.
    pub(super) fn collect(sockets: &[Socket], open: &HashSet<u32>) -> Self {
        let mut trail = Self {
            ports: HashSet::default(),
            peers: HashSet::default(),
            uids: HashSet::default(),
        };
        let is_open = |socket: &&Socket| {
            let inode = socket.inode.map(std::num::NonZeroU32::get);
            inode.is_some_and(|inode| open.contains(&inode))
        };
        for socket in sockets.iter().filter(is_open) {
            trail.ports.insert(socket.local.port);
            trail.peers.extend(socket.peer());
            trail.uids.insert(socket.uid);
        }
        trail
    }

    /// True if the holder of this socket may hold one that is searched for: a
    /// server accepts many connections on one port, a client makes many to one
    /// peer.
    pub(super) fn suggests(&self, socket: &Socket) -> bool {
        self.ports.contains(&socket.local.port)
            || socket.peer().is_some_and(|peer| self.peers.contains(&peer))
    }

    /// True if a process with these rights may have opened one of them.
    pub(super) fn matches_user(&self, glance: &FdSummary) -> bool {
        self.uids.contains(&glance.uid)
    }
}

/// A process that may hold the searched sockets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) pid: u32,
    pub(super) fd_summary: FdSummary,
    /// It holds a socket of the same port or peer.
    pub(super) related: bool,
    /// It has the rights of the user who opened the socket.
    pub(super) same_user: bool,
    /// It opened or closed something lately.
    pub(super) recently_changed: bool,
}

/// Sorts the likely first, and among equally likely ones those that are read
/// quickly.
pub(super) fn sort_by_likelihood(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by_key(|candidate| {
        let likely = u8::from(candidate.related) << 2
            | u8::from(candidate.same_user) << 1
            | u8::from(candidate.recently_changed);
        (
            u8::MAX - likely,
            scan_cost(&candidate.fd_summary),
            candidate.pid,
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_given_up_once_every_process_was_read_after_it_came() {
        let mut missing = UnresolvedInodes::default();
        missing.update([5, 6].into_iter(), 1);
        assert_eq!(missing.pending(1).len(), 2, "they were read while it came");
        missing.update([5, 7].into_iter(), 2);
        assert_eq!(missing.latest_start(), 3);
        assert_eq!(missing.pending(2), HashSet::from_iter([7]));
        assert_eq!(missing.pending(3), HashSet::default());
        missing.update([7].into_iter(), 9);
        assert_eq!(missing.pending(3), HashSet::default(), "it stays given up");
        missing.update([5].into_iter(), 10);
        assert_eq!(missing.pending(3).len(), 1, "but not once it was gone");
    }

    #[test]
    fn the_likely_come_first() {
        let candidate = |pid, related, same_user, lively, count| Candidate {
            pid,
            fd_summary: FdSummary {
                identity: 1,
                fd_count: count,
                uid: 0,
            },
            related,
            same_user,
            recently_changed: lively,
        };
        let mut candidates = [
            candidate(1, false, false, false, 3),
            candidate(2, false, false, true, 3),
            candidate(3, true, false, false, 900),
            candidate(4, false, true, true, 90),
            candidate(5, false, true, true, 9),
            candidate(6, true, true, true, 9000),
        ];
        sort_by_likelihood(&mut candidates);
        let pids = candidates.map(|candidate| candidate.pid);
        assert_eq!(pids, [6, 3, 5, 4, 2, 1]);
    }
}
