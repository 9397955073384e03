//! Socket holders, kept from table to table and joined with each.

use super::descriptors::FdLink;
use super::inode_index::InodeIndex;
use crate::model::owner::{Holder, OwnerSpan, ProcessId};
use crate::model::socket::Socket;
use foldhash::{HashMap, HashMapExt};

/// All sockets held by processes.
#[derive(Default)]
pub(super) struct FdLinks {
    /// Sorted by inode, then pid, then descriptor.
    links: Vec<FdLink>,
    /// Index of the links by inode.
    inode_index: InodeIndex,
    is_stale: bool,
    /// Version, incremented with every change.
    version: u32,
}

/// The owners of each socket of a table, in the form of a snapshot.
#[derive(Debug, Default)]
pub(in crate::source) struct OwnerAssignment {
    /// Parallel to the sockets.
    pub(in crate::source) spans: Vec<OwnerSpan>,
    pub(in crate::source) holders: Vec<Holder>,
    /// Processes that the holders refer to.
    pub(in crate::source) pids: Vec<u32>,
    /// Version of the links that this was computed from.
    version: u32,
}

impl OwnerAssignment {
    /// Creates the assignment before any search: each socket that a process may
    /// hold is pending.
    pub(in crate::source) fn pending(sockets: &[Socket]) -> Self {
        let span = |socket: &Socket| match socket.inode {
            Some(_) => OwnerSpan::PENDING,
            None => OwnerSpan::default(),
        };
        Self {
            spans: sockets.iter().map(span).collect(),
            ..Self::default()
        }
    }
}

impl FdLinks {
    /// Replaces the links of some processes by what has been read of them.
    /// `pids` is sorted.
    pub(super) fn replace(&mut self, pids: &[u32], links: Vec<FdLink>) {
        if pids.is_empty() {
            return;
        }
        let theirs = |link: &FdLink| pids.binary_search(&link.pid).is_ok();
        let mut links = links;
        links.sort_unstable();
        links.dedup();
        // Most rescanned processes hold the same sockets as before.
        if self.links.iter().filter(|link| theirs(link)).eq(&links) {
            return;
        }
        self.is_stale = true;
        self.links.retain(|link| !theirs(link));
        self.links.extend(links);
    }

    /// Adds links of processes that have been read in part.
    pub(super) fn add(&mut self, links: &[FdLink]) {
        self.links.extend_from_slice(links);
        self.is_stale |= !links.is_empty();
    }

    /// True if a holder of this inode is known.
    pub(super) fn is_held(&self, inode: u32) -> bool {
        self.span(inode).count > 0
    }

    /// Rebuilds the index. Unchanged links are in order already, which this
    /// sort makes use of.
    pub(super) fn rebuild_index(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        self.links.sort();
        self.links.dedup();
        self.inode_index = InodeIndex::build(&self.links);
        self.version = self.version.wrapping_add(1);
    }

    /// True if an earlier assignment may be outdated.
    pub(super) fn has_changed_since(&self, assigned: &OwnerAssignment) -> bool {
        self.version != assigned.version
    }

    /// The owners of each socket. Sockets may share an inode (MPTCP subflows
    /// have their owner's).
    pub(super) fn assign(&self, sockets: &[Socket]) -> OwnerAssignment {
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        let mut assigned = OwnerAssignment {
            spans: Vec::with_capacity(sockets.len()),
            holders: Vec::with_capacity(sockets.len()),
            pids: Vec::new(),
            version: self.version,
        };
        for socket in sockets {
            let run = socket
                .inode
                .map(|inode| self.span(inode.get()))
                .unwrap_or_default();
            let links = self.links_at(run);
            let start = u32::try_from(assigned.holders.len()).unwrap_or(u32::MAX);
            for link in links {
                let number = *numbers.entry(link.pid).or_insert_with(|| {
                    assigned.pids.push(link.pid);
                    u32::try_from(assigned.pids.len() - 1).unwrap_or(u32::MAX)
                });
                assigned.holders.push(Holder {
                    process: ProcessId(number),
                    fd: link.fd,
                });
            }
            assigned.spans.push(OwnerSpan {
                start,
                count: run.count,
            });
        }
        assigned
    }

    /// Returns the processes that hold any socket accepted by `wanted`.
    pub(super) fn holders_of(
        &self,
        sockets: &[Socket],
        wanted: impl Fn(&Socket) -> bool,
    ) -> foldhash::HashSet<u32> {
        sockets
            .iter()
            .filter(|socket| wanted(socket))
            .filter_map(|socket| Some(self.span(socket.inode?.get())))
            .flat_map(|span| self.links_at(span))
            .map(|link| link.pid)
            .collect()
    }

    fn span(&self, inode: u32) -> OwnerSpan {
        self.inode_index.find(&self.links, inode)
    }

    fn links_at(&self, span: OwnerSpan) -> &[FdLink] {
        let start = span.start as usize;
        self.links
            .get(start..start + span.count as usize)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::protocol::Protocol;
    use std::num::NonZeroU32;

    fn links(pid: u32, inodes: &[u32]) -> Vec<FdLink> {
        (3..)
            .zip(inodes)
            .map(|(fd, inode)| FdLink {
                inode: *inode,
                pid,
                fd,
            })
            .collect()
    }

    fn held_by(holdings: &FdLinks, inode: u32) -> Vec<u32> {
        holdings
            .links_at(holdings.span(inode))
            .iter()
            .map(|link| link.pid)
            .collect()
    }

    #[test]
    fn every_holder_counts_and_the_smallest_pid_comes_first() {
        let mut holdings = FdLinks::default();
        holdings.replace(&[9], links(9, &[100, 101]));
        holdings.replace(&[7], links(7, &[100]));
        holdings.rebuild_index();
        assert_eq!(held_by(&holdings, 100), [7, 9]);
        assert!(holdings.is_held(101) && !holdings.is_held(102));
    }

    #[test]
    fn sockets_that_share_an_inode_share_its_owners() {
        let line = b"0: 0100007F:1F90 0100007F:C350 01 0:0 00:0 0 0 0 0\n";
        let table = crate::source::proc_net::parse_table(line, Protocol::Tcp, 0);
        let nobodys = table.sockets[0];
        let shared = Socket {
            inode: NonZeroU32::new(5),
            ..nobodys
        };
        let mut holdings = FdLinks::default();
        holdings.replace(&[7, 9], [links(7, &[5]), links(9, &[5])].concat());
        holdings.rebuild_index();
        let assigned = holdings.assign(&[shared, nobodys, shared]);
        assert_eq!(assigned.pids, [7, 9]);
        let holders = |place: usize| assigned.spans[place].resolve(&assigned.holders);
        assert_eq!((holders(0).len(), holders(1).len()), (2, 0));
        assert_eq!(holders(0), holders(2));
    }

    #[test]
    fn unchanged_links_keep_the_index() {
        let mut holdings = FdLinks::default();
        holdings.replace(&[7, 9], [links(7, &[101, 100]), links(9, &[100])].concat());
        holdings.rebuild_index();
        holdings.replace(&[7], links(7, &[101, 100]));
        holdings.replace(&[8], Vec::new());
        assert!(!holdings.is_stale);
        holdings.replace(&[9], links(9, &[101]));
        assert!(holdings.is_stale);
        holdings.rebuild_index();
        assert_eq!(held_by(&holdings, 100), [7]);
        assert_eq!(held_by(&holdings, 101), [7, 9]);
    }

    #[test]
    fn partial_scans_are_added_once() {
        let mut holdings = FdLinks::default();
        holdings.replace(&[7, 9], [links(7, &[100]), links(9, &[100])].concat());
        holdings.rebuild_index();
        holdings.add(&links(7, &[100, 101]));
        holdings.rebuild_index();
        assert_eq!(held_by(&holdings, 100), [7, 9]);
        assert_eq!(held_by(&holdings, 101), [7]);
        holdings.replace(&[7], links(7, &[101]));
        holdings.rebuild_index();
        assert_eq!(held_by(&holdings, 100), [9]);
    }

    #[test]
    fn closed_descriptors_are_forgotten() {
        let mut holdings = FdLinks::default();
        holdings.replace(&[7, 9], [links(7, &[100]), links(9, &[100])].concat());
        holdings.rebuild_index();
        holdings.replace(&[9], Vec::new());
        holdings.rebuild_index();
        assert_eq!(held_by(&holdings, 100), [7]);
        holdings.replace(&[7], links(7, &[101]));
        holdings.rebuild_index();
        assert_eq!(held_by(&holdings, 100), [0; 0]);
        assert_eq!(held_by(&holdings, 101), [7]);
    }
}
