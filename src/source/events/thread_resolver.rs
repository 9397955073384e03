//! Finds the process and its name for the thread of an event.
//!
//! The event is read within some milliseconds, so the process mostly still
//! exists and `/proc` knows it. Of exited ones the kernel keeps a few names
//! (`saved_cmdlines`).

use super::tracefs::Tracefs;
use crate::model::event::EventProcess;
use crate::model::text::Text;
use foldhash::{HashMap, HashMapExt};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Lifetime of a cached answer: a thread id is not reused that quickly, and a
/// program seldom changes its name.
const CACHE_TTL_NS: u64 = 1_000_000_000;
/// Number of cached answers beyond which expired ones are removed.
const MAX_CACHED: usize = 4096;
/// The number of the first PID namespace (`PROC_PID_INIT_INO`).
const INIT_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// Resolves the processes of changes; answers are cached.
#[derive(Debug)]
pub(super) struct ThreadResolver {
    proc: PathBuf,
    root: Option<Tracefs>,
    /// Events use the pids of the initial PID namespace; in another, they mean
    /// other processes.
    pids_are_global: bool,
    cache: HashMap<u32, (u64, Option<Arc<EventProcess>>)>,
    /// Names that the kernel kept at the last query.
    saved_names: HashMap<u32, Text>,
    saved_at: Option<u64>,
}

impl ThreadResolver {
    pub(super) fn new(proc: &Path, root: Option<Tracefs>) -> Self {
        let namespace = fs::metadata(proc.join("self/ns/pid"));
        Self {
            proc: proc.to_owned(),
            root,
            pids_are_global: namespace.is_ok_and(|found| found.ino() == INIT_PID_NAMESPACE),
            cache: HashMap::new(),
            saved_names: HashMap::new(),
            saved_at: None,
        }
    }

    /// Returns the process of a thread, at a time in nanoseconds.
    pub(super) fn resolve(&mut self, thread: u32, now_ns: u64) -> Option<Arc<EventProcess>> {
        // Thread 0 is the processor's idle loop.
        if !self.pids_are_global || thread == 0 {
            return None;
        }
        if let Some((at, caller)) = self.cache.get(&thread)
            && now_ns.saturating_sub(*at) < CACHE_TTL_NS
        {
            return caller.clone();
        }
        if self.cache.len() >= MAX_CACHED {
            let believed = |at: u64| now_ns.saturating_sub(at) < CACHE_TTL_NS;
            self.cache.retain(|_, (at, _)| believed(*at));
        }
        let caller = self
            .resolve_running(thread)
            .or_else(|| self.resolve_exited(thread, now_ns))
            .map(Arc::new);
        self.cache.insert(thread, (now_ns, caller.clone()));
        caller
    }

    fn resolve_running(&self, thread: u32) -> Option<EventProcess> {
        let status = fs::read(self.proc.join(thread.to_string()).join("status")).ok()?;
        let pid = parse_tgid(&status)?;
        // Threads may have names of their own.
        let stat = fs::read(self.proc.join(pid.to_string()).join("stat")).ok()?;
        let (name, start_ticks) = parse_stat(&stat)?;
        // And each may be in a namespace of its own.
        let namespace = self.proc.join(thread.to_string()).join("ns/net");
        let namespace = fs::metadata(namespace).ok();
        Some(EventProcess {
            pid,
            name,
            start_ticks,
            namespace: namespace.and_then(|found| u32::try_from(found.ino()).ok()),
        })
    }

    /// Resolves an exited thread, which was mostly the only one of its process.
    fn resolve_exited(&mut self, thread: u32, now_ns: u64) -> Option<EventProcess> {
        if self.saved_at != Some(now_ns) {
            self.saved_at = Some(now_ns);
            let root = self.root.as_ref()?;
            self.saved_names = parse_saved_names(&root.read("saved_cmdlines").unwrap_or_default());
        }
        let name = self.saved_names.get(&thread)?.clone();
        Some(EventProcess {
            pid: thread,
            name,
            ..EventProcess::default()
        })
    }
}

/// Parses the process id (`Tgid`) from a `status` file.
pub(super) fn parse_tgid(status: &[u8]) -> Option<u32> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let pid = lines.find_map(|line| line.strip_prefix(b"Tgid:\t"))?;
    std::str::from_utf8(pid).ok()?.trim().parse().ok()
}

/// Parses the name and the start time from a `stat` file.
pub(super) fn parse_stat(stat: &[u8]) -> Option<(Text, u64)> {
    let from = stat.iter().position(|byte| *byte == b'(')? + 1;
    // The name may contain any byte; it ends at the last parenthesis.
    let to = stat.iter().rposition(|byte| *byte == b')')?;
    let name = Text::new(stat.get(from..to)?);
    let mut fields = std::str::from_utf8(stat.get(to + 1..)?)
        .ok()?
        .split_ascii_whitespace();
    Some((name, fields.nth(19)?.parse().ok()?))
}

/// The lines of `saved_cmdlines`: a thread's number, a blank, its name.
pub(super) fn parse_saved_names(text: &str) -> HashMap<u32, Text> {
    let pairs = text.lines().filter_map(|line| {
        let (thread, name) = line.split_once(' ')?;
        // The kernel's placeholder for an unknown name.
        let known = name != "<...>";
        known.then_some((thread.parse().ok()?, Text::from(name)))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_from_status_and_stat() {
        let status = b"Name:\tTgid:\\n\nUmask:\t0022\nState:\tR\nTgid:\t812\nPid:\t815\n";
        assert_eq!(parse_tgid(status), Some(812));
        assert_eq!(parse_tgid(b"Name:\tcurl\n"), None);
        let stat = b"812 (cu) 3 (rl) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n";
        let (name, started) = parse_stat(stat).unwrap();
        assert_eq!((name.raw(), started), (&b"cu) 3 (rl"[..], 4711));
        assert!(parse_stat(b"812 (curl) S 1").is_none());
        assert!(parse_stat(b"812 )(").is_none());
    }

    #[test]
    fn saved_names_are_read() {
        let saved = parse_saved_names("12 curl\n13 <...>\n14 a b\nodd\n");
        assert_eq!(saved.len(), 2);
        assert_eq!(saved[&14].as_str(), "a b");
    }

    #[test]
    fn a_living_thread_is_found_with_its_process() {
        let mut callers = ThreadResolver::new(Path::new("/proc"), None);
        callers.pids_are_global = true;
        let (told, tell) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("another name".to_owned());
        let thread = thread.spawn(move || {
            let number = rustix::thread::gettid().as_raw_nonzero().get();
            told.send(u32::try_from(number).unwrap()).unwrap();
            let _ = ended.recv();
        });
        let number = tell.recv().unwrap();
        let caller = callers.resolve(number, 5).unwrap();
        assert_eq!(caller.pid, std::process::id());
        assert_ne!(caller.name.as_str(), "another name");
        assert!(caller.start_ticks > 0);
        let here = fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert_eq!(caller.namespace.map(u64::from), Some(here));
        drop(end);
        thread.unwrap().join().unwrap();
        // Cached for a while, even after the process has exited.
        assert!(callers.resolve(number, 6).is_some());
        assert!(callers.resolve(number, 5 + CACHE_TTL_NS).is_none());
        assert!(callers.resolve(0, 5).is_none());
    }
}
