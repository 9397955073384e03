//! A private trace: an instance of tracefs with a single tracepoint, removed
//! however the program ends.
//!
//! See `Documentation/trace/ftrace.rst`, "Instances". Traces of others are
//! neither read nor changed.

use super::format::{self, TracepointFormat};
use super::tracefs::{Tracefs, unavailable_reason};
use crate::model::event::EventsUnavailable;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Prefix of the names of tcplens's instances.
const PREFIX: &str = "tcplens-";
const TRACEPOINT: &str = "events/sock/inet_sock_set_state";
/// Largest buffer of one processor: at 45,000 connections a second on one, read
/// every 20 ms, nothing is lost with it; with 256 KiB two thirds are.
const MAX_BUFFER_KIB: usize = 1408;
/// Largest sum of all processors' buffers: this memory cannot be swapped out,
/// and a machine of 128 processors does not have that load on each.
const TOTAL_BUFFER_KIB: usize = 64 * 1024;
/// Smallest buffer of one processor, even if the sum exceeds the limit.
const MIN_BUFFER_KIB: usize = 512;
/// Number of the PID namespace in which all processes are (`PROC_PID_INIT_INO` in
/// `include/linux/proc_ns.h`).
const INIT_PID_NAMESPACE: u64 = 0xefff_fffc;
/// Longest wait for readers to release an instance that is being removed, and
/// for one that is being set up: that takes 60 ms, and 730 ms were measured on
/// a machine with three times the load its processors can handle.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// An open instance. Taking it out ends it.
pub(super) type SharedInstance = Arc<Mutex<Option<TraceInstance>>>;

/// All instances of this program, for exits that drop nothing. Locked while one
/// is created, so that none is created during the exit.
static OPEN_INSTANCES: Mutex<OpenInstances> = Mutex::new(OpenInstances {
    is_closing: false,
    instances: Vec::new(),
});

struct OpenInstances {
    /// True if the program is about to end: no instance may be created any
    /// more.
    is_closing: bool,
    instances: Vec<Weak<Mutex<Option<TraceInstance>>>>,
}

/// Distinguishes the instances of one program.
static INSTANCE_COUNT: AtomicU32 = AtomicU32::new(0);

/// A trace of one tracepoint.
#[derive(Debug)]
pub(super) struct TraceInstance {
    instances_dir: Tracefs,
    name: String,
    /// One for each processor.
    pub(super) pipes: Vec<OwnedFd>,
    processors: Vec<String>,
    dir: Option<Tracefs>,
}

/// Layout needed to read the trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct TraceLayout {
    pub(super) format: TracepointFormat,
    /// In bytes.
    pub(super) page_len: usize,
}

impl TraceInstance {
    /// Creates an instance; those that killed tcplens processes left behind are
    /// removed first.
    pub(super) fn create(
        root: &Tracefs,
        proc: &Path,
        each_kib: Option<usize>,
    ) -> Result<(SharedInstance, TraceLayout), EventsUnavailable> {
        let described = root
            .read(&format!("{TRACEPOINT}/format"))
            .map_err(unavailable_reason)?;
        let format = TracepointFormat::parse(&described).ok_or(EventsUnavailable::UnknownFormat)?;
        let header = root
            .read("events/header_page")
            .map_err(unavailable_reason)?;
        let page = format::parse_page_length(&header).ok_or(EventsUnavailable::UnknownFormat)?;
        let instances = root.open_dir("instances").map_err(unavailable_reason)?;
        let us = InstanceName::current(proc).ok_or(EventsUnavailable::Failed)?;
        let mut open = OPEN_INSTANCES
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if open.is_closing {
            return Err(EventsUnavailable::Failed);
        }
        remove_stale(&instances, &us, proc);
        let name = format!("{us}-{}", INSTANCE_COUNT.fetch_add(1, Ordering::Relaxed));
        instances.create_dir(&name).map_err(unavailable_reason)?;
        let mut instance = Self {
            instances_dir: instances,
            name,
            pipes: Vec::new(),
            processors: Vec::new(),
            dir: None,
        };
        // If this fails, dropping it ends it.
        instance.configure(each_kib).map_err(unavailable_reason)?;
        let held = Arc::new(Mutex::new(Some(instance)));
        let instances = &mut open.instances;
        instances.retain(|each| each.strong_count() > 0);
        instances.push(Arc::downgrade(&held));
        Ok((
            held,
            TraceLayout {
                format,
                page_len: page,
            },
        ))
    }

    fn configure(&mut self, each_kib: Option<usize>) -> Result<(), Errno> {
        let folder = self.instances_dir.open_dir(&self.name)?;
        let processors = folder.open_dir("per_cpu")?.entry_names();
        let room = each_kib.unwrap_or_else(|| buffer_kib(processors.len()));
        folder.write("trace_clock", "mono")?;
        folder.write("buffer_size_kb", &room.to_string())?;
        // Older kernels wake readers at the first record anyway.
        let _ = folder.write("buffer_percent", "0");
        // SCTP and MPTCP come through the same tracepoint. Where no filter is
        // taken, the reader leaves them out.
        let _ = folder.write(&format!("{TRACEPOINT}/filter"), "protocol == 6");
        for processor in &processors {
            let pipe = folder.open_pipe(&format!("per_cpu/{processor}/trace_pipe_raw"))?;
            self.pipes.push(pipe);
        }
        folder.write(&format!("{TRACEPOINT}/enable"), "1")?;
        self.processors = processors;
        self.dir = Some(folder);
        Ok(())
    }

    /// Returns the number of records that the kernel has dropped so far.
    pub(super) fn parse_dropped(&self) -> u64 {
        let Some(folder) = &self.dir else { return 0 };
        let stats = self.processors.iter().filter_map(|processor| {
            let text = folder.read(&format!("per_cpu/{processor}/stats")).ok()?;
            Some(dropped(&text))
        });
        stats.sum()
    }
}

impl Drop for TraceInstance {
    fn drop(&mut self) {
        if let Some(folder) = self.dir.take() {
            let _ = folder.write(&format!("{TRACEPOINT}/enable"), "0");
        }
        self.pipes.clear();
        let until = Instant::now() + RELEASE_TIMEOUT;
        // A reader inside the kernel still holds it for a short time.
        while self.instances_dir.remove_dir(&self.name) == Err(Errno::BUSY)
            && Instant::now() < until
        {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Ends every trace of this program, for exits that drop nothing:
/// `process::exit`, and a panic in any thread.
pub fn stop_all_traces() {
    let Some(mut open) = lock_with_timeout(&OPEN_INSTANCES) else {
        return;
    };
    open.is_closing = true;
    for held in open.instances.iter().filter_map(Weak::upgrade) {
        if let Some(mut instance) = lock_with_timeout(&held) {
            drop(instance.take());
        }
    }
}

/// Locks a mutex that another thread may hold for a short time. A thread that
/// panics while holding it cannot be waited for: the next start removes what is
/// left.
fn lock_with_timeout<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    let until = Instant::now() + RELEASE_TIMEOUT;
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}

/// Returns the buffer size of each processor for this number of processors.
fn buffer_kib(processors: usize) -> usize {
    (TOTAL_BUFFER_KIB / processors.max(1)).clamp(MIN_BUFFER_KIB, MAX_BUFFER_KIB)
}

/// Parses the number of overwritten and refused records from a `stats` file.
fn dropped(stats: &str) -> u64 {
    let counts = stats.lines().filter_map(|line| {
        let (name, count) = line.split_once(':')?;
        let counts = matches!(name.trim(), "overrun" | "dropped events");
        counts.then(|| count.trim().parse::<u64>().unwrap_or(0))
    });
    counts.sum()
}

/// Process that owns an instance. A process id alone may be reused, and means
/// another process in another PID namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InstanceName {
    namespace: u64,
    pid: u32,
    start_ticks: u64,
}

impl std::fmt::Display for InstanceName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{PREFIX}{}-{}-{}",
            self.namespace, self.pid, self.start_ticks
        )
    }
}

impl InstanceName {
    fn current(proc: &Path) -> Option<Self> {
        let pid = std::process::id();
        Some(Self {
            namespace: fs::metadata(proc.join("self/ns/pid")).ok()?.ino(),
            pid,
            start_ticks: start_ticks(proc, pid)?,
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.split('-');
        Some(Self {
            namespace: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            start_ticks: parts.next()?.parse().ok()?,
        })
    }
}

/// Returns the start time of a process, in ticks since boot.
fn start_ticks(proc: &Path, pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(proc.join(pid.to_string()).join("stat")).ok()?;
    // The name may contain any byte; it ends at the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// Removes the instances that killed tcplens processes left behind. Those of another
/// PID namespace are stale if no process is in it, which can be known only in the
/// initial namespace; elsewhere they are kept. The kernel refuses to remove instances
/// in use.
fn remove_stale(instances: &Tracefs, us: &InstanceName, proc: &Path) {
    // Listed before the processes: every owner is among those, or has ended.
    let found = instances.entry_names().into_iter();
    let found: Vec<(String, InstanceName)> = found
        .filter_map(|text| InstanceName::parse(&text).map(|name| (text, name)))
        .collect();
    let foreign = found.iter().any(|(_, name)| name.namespace != us.namespace);
    let asks = foreign && us.namespace == INIT_PID_NAMESPACE;
    let inhabited = asks.then(|| pid_namespaces(proc)).flatten();
    for (text, name) in found {
        let is_dead = if name.namespace == us.namespace {
            start_ticks(proc, name.pid) != Some(name.start_ticks)
        } else {
            let inhabited = inhabited.as_ref();
            inhabited.is_some_and(|inhabited| !inhabited.contains(&name.namespace))
        };
        if is_dead {
            let _ = instances.remove_dir(&text);
        }
    }
}

/// Returns the PID namespaces of all processes but the first; none if any of them is
/// unreadable.
fn pid_namespaces(proc: &Path) -> Option<BTreeSet<u64>> {
    let mut namespaces = BTreeSet::new();
    for entry in fs::read_dir(proc).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        // Process 1 defines the namespace, and may be unreadable even for root.
        if !is_process || name == "1" {
            continue;
        }
        match fs::metadata(entry.path().join("ns/pid")) {
            Ok(namespace) => {
                namespaces.insert(namespace.ino());
            }
            // ENOENT or ESRCH: it has ended.
            Err(error) if matches!(error.raw_os_error(), Some(2 | 3)) => {}
            Err(_) => return None,
        }
    }
    Some(namespaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_on_large_machines() {
        let cases = [(1, 1408), (2, 1408), (64, 1024), (128, 512), (512, 512)];
        for (processors, room) in cases {
            assert_eq!(buffer_kib(processors), room, "{processors}");
        }
    }

    #[test]
    fn dropped_records_are_counted() {
        let stats = "entries: 0\noverrun: 12\ncommit overrun: 3\nbytes: 9\n\
                     oldest event ts:  1.000000\nnow ts:  2.0\ndropped events: 5\nread events: 7\n";
        assert_eq!(dropped(stats), 17);
        assert_eq!(dropped("overrun: what"), 0);
    }

    #[test]
    fn an_unreadable_process_may_be_in_any_namespace() {
        let root = tempfile::tempdir().unwrap();
        let namespace = root.path().join("namespace");
        fs::write(&namespace, "").unwrap();
        let process = |pid: &str, target: &Path| {
            let folder = root.path().join(pid).join("ns");
            fs::create_dir_all(&folder).unwrap();
            std::os::unix::fs::symlink(target, folder.join("pid")).unwrap();
        };
        process("1", &root.path().join("1/ns/pid"));
        process("7", &namespace);
        process("8", Path::new("/nowhere/it/has/ended"));
        let own = fs::metadata(&namespace).unwrap().ino();
        assert_eq!(pid_namespaces(root.path()), Some(BTreeSet::from([own])));
        // ELOOP substitutes for EACCES, which root never gets.
        process("9", &root.path().join("9/ns/pid"));
        assert_eq!(pid_namespaces(root.path()), None);
    }

    #[test]
    fn instance_names_identify_their_process() {
        let us = InstanceName::current(Path::new("/proc")).unwrap();
        assert_eq!(InstanceName::parse(&us.to_string()), Some(us));
        assert_eq!(InstanceName::parse(&format!("{us}-3")), Some(us));
        for foreign in [
            "",
            "tcplens-",
            "tcplens-1-2",
            "tcplens-a-1-2",
            "other-1-2-3",
        ] {
            assert_eq!(InstanceName::parse(foreign), None, "{foreign}");
        }
    }
}
