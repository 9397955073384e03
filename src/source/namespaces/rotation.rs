//! Rotation in which very many network namespaces are read if one table cannot read
//! them all: each in turn, and this machine's own before those created by any user.

/// Owner class of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamespaceClass {
    /// It has a name, or is in the user namespace of this program: made with root's
    /// rights, as those of containers are.
    Own,
    /// In another user namespace, which any user can create.
    Foreign,
}

/// Number of namespaces in a row of which one is foreign.
const FOREIGN_PERIOD: usize = 4;

/// Position of the rotation.
#[derive(Debug, Default)]
pub(super) struct ReadRotation {
    /// Class and id of the last one read, for each class.
    last_read: [u32; 2],
    /// Classes of the last order, by ascending id.
    classes: Vec<(u32, NamespaceClass)>,
}

impl ReadRotation {
    /// Returns the indexes of namespaces in read order. They are given by ascending id.
    pub(super) fn order(&mut self, namespaces: &[(u32, NamespaceClass)]) -> Vec<usize> {
        self.classes = namespaces.to_vec();
        let [own, foreign] = [NamespaceClass::Own, NamespaceClass::Foreign].map(|class| {
            let places = namespaces.iter().enumerate();
            let places = places.filter(|(_, (_, its))| *its == class);
            let mut places: Vec<usize> = places.map(|(place, _)| place).collect();
            let last = self.last_read[class as usize];
            let done = places.partition_point(|place| namespaces[*place].0 <= last);
            places.rotate_left(done);
            places
        });
        let (mut own, mut foreign) = (own.into_iter(), foreign.into_iter());
        let each = |place| {
            if place % FOREIGN_PERIOD == FOREIGN_PERIOD - 1 {
                foreign.next().or_else(|| own.next())
            } else {
                own.next().or_else(|| foreign.next())
            }
        };
        (0..namespaces.len()).filter_map(each).collect()
    }

    /// Marks one of the last order as read.
    pub(super) fn mark_read(&mut self, id: u32) {
        if let Ok(place) = self.classes.binary_search_by_key(&id, |(id, _)| *id) {
            self.last_read[self.classes[place].1 as usize] = id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_namespace_is_read_and_own_ones_come_first() {
        let class = |id: u32| {
            if id % 50 == 7 {
                NamespaceClass::Own
            } else {
                NamespaceClass::Foreign
            }
        };
        let all: Vec<(u32, NamespaceClass)> = (100..1100).map(|id| (id, class(id))).collect();
        let mut turns = ReadRotation::default();
        let mut read = BTreeSet::new();
        let own = |read: &BTreeSet<u32>| read.iter().filter(|id| **id % 50 == 7).count();
        for table in 1..=20 {
            let order = turns.order(&all);
            assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), all.len());
            for place in order.into_iter().take(60) {
                read.insert(all[place].0);
                turns.mark_read(all[place].0);
            }
            if table == 1 {
                assert_eq!(own(&read), 20, "our own with the first table");
            }
        }
        assert!(read.len() > 700, "{}", read.len());
        for _ in 0..20 {
            for place in turns.order(&all).into_iter().take(60) {
                read.insert(all[place].0);
                turns.mark_read(all[place].0);
            }
        }
        assert_eq!(read.len(), all.len(), "all in the end");
    }

    #[test]
    fn foreign_namespaces_are_read_despite_many_own_ones() {
        let class = |id| {
            if id == 500 {
                NamespaceClass::Foreign
            } else {
                NamespaceClass::Own
            }
        };
        let all: Vec<(u32, NamespaceClass)> = (1..=1000).map(|id| (id, class(id))).collect();
        let order = ReadRotation::default().order(&all);
        let place = order.iter().position(|place| all[*place].0 == 500);
        assert_eq!(place, Some(3));
    }
}
