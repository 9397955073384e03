//! Scans many processes, on one or more threads.

use super::descriptors::{FdLink, ProcDir, ScanPart, ScanTarget};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Processes are handed to the reading threads in runs of this many.
const BATCH: usize = 8;
/// Fewer descriptors are read faster than a thread is started: about a
/// microsecond each.
const MIN_THREADED_FDS: u64 = 500;

/// Number of descriptors that takes a tenth of a second or more to read.
const MIN_EXPENSIVE_FDS: u64 = 50_000;

/// Result of a scan.
#[derive(Debug, Default)]
pub(super) struct ScanResult {
    pub(super) links: Vec<FdLink>,
    pub(super) parts: Vec<(u32, ScanPart)>,
}

/// Processes to read. Several threads may [`FdScan::run`] at once.
pub(in crate::source) struct FdScan {
    /// None where there is nothing to read from.
    proc: Option<Arc<ProcDir>>,
    targets: Vec<ScanTarget>,
    next: AtomicUsize,
    result: Mutex<ScanResult>,
    /// About how many descriptors there are to read.
    descriptors: u64,
}

impl FdScan {
    pub(super) fn new(proc: Arc<ProcDir>, targets: Vec<ScanTarget>, descriptors: u64) -> Self {
        Self {
            proc: Some(proc),
            targets,
            next: AtomicUsize::new(0),
            result: Mutex::default(),
            descriptors,
        }
    }

    /// Creates an empty scan.
    pub(super) fn empty() -> Self {
        Self {
            proc: None,
            targets: Vec::new(),
            next: AtomicUsize::new(0),
            result: Mutex::default(),
            descriptors: 0,
        }
    }

    /// True if a second thread would help.
    pub(in crate::source) fn needs_thread(&self) -> bool {
        self.descriptors >= MIN_THREADED_FDS && self.targets.len() > BATCH
    }

    /// True if the scan takes so long that a user would notice.
    pub(in crate::source) fn is_expensive(&self) -> bool {
        self.descriptors >= MIN_EXPENSIVE_FDS
    }

    /// Reads until no process is left.
    pub(in crate::source) fn run(&self) {
        let Some(proc) = &self.proc else { return };
        let mut found = ScanResult::default();
        loop {
            let start = self.next.fetch_add(BATCH, Ordering::Relaxed);
            let run = self.targets.get(start..).unwrap_or_default();
            if run.is_empty() {
                break;
            }
            for target in run.iter().take(BATCH) {
                let part = proc.read(*target, &mut found.links);
                found.parts.push((target.pid, part));
            }
        }
        // A thread that panicked has poisoned nothing: it only ever appends.
        let mut all = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        all.links.append(&mut found.links);
        all.parts.append(&mut found.parts);
    }

    /// The result, once every thread has returned.
    pub(super) fn into_result(self) -> ScanResult {
        self.result
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
