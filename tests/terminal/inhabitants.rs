//! The processes that live in a network namespace: as long as there is one,
//! the namespace stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);

/// The number of a process's network namespace.
pub(crate) fn namespace(pid: u32) -> Option<u64> {
    let read = fs::metadata(format!("/proc/{pid}/ns/net"));
    read.ok().map(|read| read.ino())
}

/// The namespace that a program's helpers are in. The program itself may not be
/// looked into but by root: it leaves no core dump.
pub(crate) fn namespace_of_helpers(parent: u32) -> Option<u64> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid| is_child(*pid, parent))
        .find_map(namespace)
}

fn is_child(pid: u32, parent: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    line.is_some_and(|number| number.trim() == parent.to_string())
}

/// The processes in a network namespace; none of them has ended.
pub(crate) fn inhabitants(wanted: u64) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid| namespace(*pid) == Some(wanted))
        .collect()
}

/// Waits until nobody is left in a network namespace.
pub(crate) fn wait_until_deserted(wanted: u64) -> Duration {
    let began = Instant::now();
    loop {
        let left = inhabitants(wanted);
        if left.is_empty() {
            return began.elapsed();
        }
        assert!(began.elapsed() < PATIENCE, "still there: {left:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
