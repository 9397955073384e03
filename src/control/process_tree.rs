//! Process tree, as `/proc` reports it now.

use crate::model::proc_stat::ProcStat;
use crate::model::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// More steps up than any chain of parents has.
const MAX_ANCESTORS: usize = 1024;

/// The folder of a process.
pub(super) fn process_dir(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// Pid of the process behind a pidfd in the PID namespace of this `/proc`: -1
/// once it was reaped, 0 if it has none there (`fs/pidfs.c`).
pub(super) fn pid_of(pidfd: &OwnedFd) -> Option<i64> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let told = fs::read_to_string(path).ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok()
}

/// True if `/proc` belongs to this process's PID namespace: it then has a
/// single pid there, its own.
pub(super) fn is_proc_of_own_pid_namespace() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let mut numbers = line.unwrap_or_default().split_whitespace();
    numbers.next() == Some(std::process::id().to_string().as_str()) && numbers.next().is_none()
}

/// `/proc/PID/stat` now; none if there is no such process.
pub(super) fn read_stat(pid: u32) -> Option<ProcStat> {
    ProcStat::parse(&fs::read(process_dir(pid).join("stat")).ok()?)
}

/// True if a process has exited and only waits to be reaped. If only the leader
/// thread has exited, the process still runs.
pub(super) fn has_ended(pid: u32, stat: &ProcStat) -> bool {
    stat.zombie && thread_ids(pid).len() <= 1
}

/// The state's letter of each of its threads.
pub(super) fn thread_states(pid: u32) -> Vec<char> {
    let folder = process_dir(pid).join("task");
    let state = |thread: u32| {
        let bytes = fs::read(folder.join(thread.to_string()).join("stat")).ok()?;
        Some(ProcStat::parse(&bytes)?.state)
    };
    thread_ids(pid).into_iter().filter_map(state).collect()
}

fn thread_ids(pid: u32) -> Vec<u32> {
    numeric_entries(&process_dir(pid).join("task"))
}

/// The entries of a folder that are numbers.
fn numeric_entries(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect()
}

/// The parents of a process, the nearest first.
pub(super) fn ancestors(pid: u32) -> Vec<u32> {
    let parent = |pid: &u32| Some(read_stat(*pid)?.parent_pid).filter(|parent| *parent != 0);
    std::iter::successors(parent(&pid), parent)
        .take(MAX_ANCESTORS)
        .collect()
}

/// All processes at one time that have not exited.
pub(super) struct ProcessTree(BTreeMap<u32, ProcStat>);

impl ProcessTree {
    /// Reads them now.
    pub(super) fn read() -> Self {
        let pids = numeric_entries(Path::new("/proc")).into_iter();
        let known = pids.filter_map(|pid| Some((pid, read_stat(pid)?)));
        Self(known.filter(|(pid, stat)| !has_ended(*pid, stat)).collect())
    }

    /// The children of some processes, smallest pid first.
    pub(super) fn children(
        &self,
        parents: &BTreeSet<u32>,
    ) -> impl Iterator<Item = (u32, &ProcStat)> {
        let stat_with_parent = self.0.iter().map(|(pid, stat)| (*pid, stat));
        stat_with_parent.filter(|(_, stat)| parents.contains(&stat.parent_pid))
    }

    /// All descendants of a process, by generation, and by pid within one.
    pub(super) fn descendants(&self, root: u32) -> Vec<(u32, Text)> {
        let mut found: Vec<(u32, Text)> = Vec::new();
        let mut seen = BTreeSet::from([root]);
        let mut parents = seen.clone();
        while !parents.is_empty() {
            let mut next = BTreeSet::new();
            for (pid, stat) in self.children(&parents) {
                if seen.insert(pid) {
                    next.insert(pid);
                    found.push((pid, Text::new(&stat.name)));
                }
            }
            parents = next;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat_with_parent(parent: u32) -> ProcStat {
        ProcStat {
            name: b"x".to_vec(),
            parent_pid: parent,
            start_ticks: 1,
            kernel_thread: false,
            zombie: false,
            state: 'S',
        }
    }

    #[test]
    fn descendants_come_by_generation_and_once() {
        // 3 and 4 are each other's parent, as a torn reading may have it.
        let parents = [
            (10, 1),
            (20, 10),
            (15, 20),
            (11, 10),
            (3, 4),
            (4, 3),
            (5, 1),
        ];
        let census = ProcessTree(
            parents
                .map(|(pid, parent)| (pid, stat_with_parent(parent)))
                .into(),
        );
        let pids = |root| -> Vec<u32> {
            let found = census.descendants(root);
            found.into_iter().map(|(pid, _)| pid).collect()
        };
        assert_eq!(pids(10), [11, 20, 15]);
        assert_eq!(pids(3), [4]);
        assert!(pids(5).is_empty());
    }

    #[test]
    fn this_process_has_ancestors_and_threads() {
        let own = std::process::id();
        assert_eq!(
            ancestors(own).first(),
            Some(&std::os::unix::process::parent_id())
        );
        assert!(thread_states(own).len() > 1, "the harness has threads");
        assert!(!has_ended(own, &read_stat(own).unwrap()));
    }
}
