//! Allocates the number of descriptors read for one table.
//!
//! Any user may hold a million descriptors and change their number all the time; read
//! completely with every table, they would leave no time for anything else. So a table
//! has a budget: processes with few descriptors come first, large ones are read in
//! parts, the one that has waited longest first. The rest is read for later tables.

use super::process_index::ScanPass;

/// Processes with no more descriptors than this are small.
const MAX_SMALL_PROCESS: u64 = 1024;
/// Large processes are read in parts of no fewer descriptors than this.
const MIN_LARGE_QUOTA: u64 = 16 * 1024;

/// A process that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DueProcess {
    pub(super) pid: u32,
    /// Descriptors left to read.
    pub(super) cost: u64,
    /// Pass of the last read of any part of it; 0 if never.
    pub(super) last_scanned: ScanPass,
}

/// Quota of a process for this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanQuota {
    pub(super) pid: u32,
    /// Largest number of descriptors.
    pub(super) max_descriptors: u64,
}

/// Allocates a budget of descriptors; without one every process is read
/// completely.
pub(super) fn allocate(mut due: Vec<DueProcess>, budget: Option<u64>) -> Vec<ScanQuota> {
    let Some(budget) = budget else {
        let whole = |due: &DueProcess| ScanQuota {
            pid: due.pid,
            max_descriptors: u64::MAX,
        };
        return due.iter().map(whole).collect();
    };
    due.sort_unstable_by_key(|due| {
        (
            due.cost > MAX_SMALL_PROCESS,
            due.last_scanned,
            due.cost,
            due.pid,
        )
    });
    let (small, large) = due.split_at(due.partition_point(|due| due.cost <= MAX_SMALL_PROCESS));
    let all_large: u64 = large.iter().map(|due| due.cost).sum();
    // Very many small ones must not keep a large one waiting for ever.
    let kept = all_large.min(budget / 4);
    let mut shares = Vec::with_capacity(due.len().min(4096));
    let mut left = budget - kept;
    for due in small {
        if due.cost > left {
            break;
        }
        left -= due.cost;
        shares.push(ScanQuota {
            pid: due.pid,
            // It may have grown since it was looked at.
            max_descriptors: due.cost + MAX_SMALL_PROCESS,
        });
    }
    left += kept;
    let first_large = shares.len();
    for (place, due) in large.iter().enumerate() {
        if left == 0 {
            break;
        }
        let even = left / u64::try_from(large.len() - place).unwrap_or(u64::MAX);
        let most = due.cost.min(even.max(MIN_LARGE_QUOTA)).min(left);
        left -= most;
        shares.push(ScanQuota {
            pid: due.pid,
            max_descriptors: most,
        });
    }
    // Those that needed less than that have left something.
    for (share, due) in shares[first_large..].iter_mut().zip(large) {
        let more = (due.cost - share.max_descriptors).min(left);
        share.max_descriptors += more;
        left -= more;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::HashMap;
    use proptest::prelude::*;

    fn due(pid: u32, cost: u64, served_at: ScanPass) -> DueProcess {
        DueProcess {
            pid,
            cost,
            last_scanned: served_at,
        }
    }

    fn shares(due: Vec<DueProcess>, budget: Option<u64>) -> Vec<(u32, u64)> {
        let shares = allocate(due, budget);
        shares
            .iter()
            .map(|share| (share.pid, share.max_descriptors))
            .collect()
    }

    #[test]
    fn the_small_come_first_and_the_large_in_parts() {
        let all = vec![
            due(1, 50_000, 9),
            due(2, 10, 9),
            due(3, 300_000, 4),
            due(4, 90, 2),
        ];
        assert_eq!(shares(all.clone(), None).len(), 4);
        let found = shares(all, Some(65_536));
        let left = 65_536 - 100;
        let expected = [(4, 1114), (2, 1034), (3, left / 2), (1, left / 2)];
        assert_eq!(found, expected);
        // One that fits is read whole, however large.
        assert_eq!(shares(vec![due(1, 50_000, 9)], Some(65_536)), [(1, 50_000)]);
    }

    #[test]
    fn of_many_large_ones_each_gets_its_turn() {
        let mut served: HashMap<u32, ScanPass> = HashMap::default();
        for pass in 1..=60 {
            let all = (1..=150).map(|pid| due(pid, 19_800, served.get(&pid).copied().unwrap_or(0)));
            for (pid, most) in shares(all.collect(), Some(65_536)) {
                assert!(most <= 19_800);
                served.insert(pid, pass);
            }
        }
        assert_eq!(served.len(), 150, "everybody");
        assert!(served.values().all(|pass| *pass > 15), "{served:?}");
    }

    proptest! {
        #[test]
        fn no_table_costs_more_than_its_budget(
            costs in proptest::collection::vec(1u64..100_000, 0..300),
            budget in 20_000u64..200_000,
        ) {
            let all = costs.iter().zip(1u32..).map(|(cost, pid)| due(pid, *cost, 0)).collect();
            let mut spent = 0;
            for (pid, most) in shares(all, Some(budget)) {
                let cost = costs[pid as usize - 1];
                spent += most.min(cost);
                prop_assert!(cost > MAX_SMALL_PROCESS || most >= cost, "a small one is read whole");
            }
            prop_assert!(spent <= budget, "{spent} of {budget}");
            let all: u64 = costs.iter().sum();
            prop_assert!(spent == all || spent > budget / 2, "{spent} of {all}");
        }
    }
}
