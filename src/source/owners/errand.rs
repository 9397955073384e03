//! Scans many processes, on one or more threads.

use super::descriptors::{Link, Part, ProcFolder, Target};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Processes are handed to the reading threads in runs of this many.
const RUN: usize = 8;
/// Fewer descriptors are read faster than a thread is started: about a
/// microsecond each.
const WORTH_A_THREAD: u64 = 500;

/// Number of descriptors that takes a tenth of a second or more to read.
const WORTH_SHOWING_BEFORE: u64 = 50_000;

/// Result of a scan.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) links: Vec<Link>,
    pub(super) parts: Vec<(u32, Part)>,
}

/// Processes to read. Several threads may [`Errand::work`] at once.
pub(in crate::source) struct Errand {
    /// None where there is nothing to read from.
    proc: Option<Arc<ProcFolder>>,
    targets: Vec<Target>,
    next: AtomicUsize,
    found: Mutex<Found>,
    /// About how many descriptors there are to read.
    size: u64,
}

impl Errand {
    pub(super) fn new(proc: Arc<ProcFolder>, targets: Vec<Target>, size: u64) -> Self {
        Self {
            proc: Some(proc),
            targets,
            next: AtomicUsize::new(0),
            found: Mutex::default(),
            size,
        }
    }

    /// Creates an empty scan.
    pub(super) fn none() -> Self {
        Self {
            proc: None,
            targets: Vec::new(),
            next: AtomicUsize::new(0),
            found: Mutex::default(),
            size: 0,
        }
    }

    /// True if a second thread would help.
    pub(in crate::source) fn is_large(&self) -> bool {
        self.size >= WORTH_A_THREAD && self.targets.len() > RUN
    }

    /// True if the scan takes so long that a user would notice.
    pub(in crate::source) fn is_dear(&self) -> bool {
        self.size >= WORTH_SHOWING_BEFORE
    }

    /// Reads until no process is left.
    pub(in crate::source) fn work(&self) {
        let Some(proc) = &self.proc else { return };
        let mut found = Found::default();
        loop {
            let start = self.next.fetch_add(RUN, Ordering::Relaxed);
            let run = self.targets.get(start..).unwrap_or_default();
            if run.is_empty() {
                break;
            }
            for target in run.iter().take(RUN) {
                let part = proc.read(*target, &mut found.links);
                found.parts.push((target.pid, part));
            }
        }
        // A thread that panicked has poisoned nothing: it only ever appends.
        let mut all = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        all.links.append(&mut found.links);
        all.parts.append(&mut found.parts);
    }

    /// The result, once every thread has returned.
    pub(super) fn finish(self) -> Found {
        self.found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
