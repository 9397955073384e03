//! Finds who holds which socket, by walking `/proc/PID/fd`.
//!
//! A socket's descriptor is a link reading `socket:[inode]` (proc(5)). All
//! holders count: forked and passed sockets have several. Processes come and
//! go during the walk, which is normal; processes that may not be looked into
//! are counted, since any of them could own a row that seems ownerless.

use crate::model::gap::GapReason;
use crate::model::stat::Stat;
use rustix::fs::{CWD, Mode, OFlags, RawDir, openat, readlinkat_raw};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Processes are handed to the walking threads in runs of this many.
const RUN: usize = 16;
/// Room for directory entries, read in one call.
const ENTRIES: usize = 16 * 1024;

/// One descriptor that is a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) inode: u32,
    pub(super) pid: u32,
    pub(super) fd: u32,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Sorted by inode, then pid, then descriptor.
    pub(super) links: Vec<Link>,
    /// Processes whose descriptors could not be read, by reason.
    pub(super) unreadable: BTreeMap<GapReason, u64>,
}

impl Walk {
    /// A walk that could not even begin.
    pub(super) fn refused(error: &io::Error) -> Self {
        Self {
            links: Vec::new(),
            unreadable: BTreeMap::from([(GapReason::of(error), 1)]),
        }
    }
}

/// A walk that several threads may work on together.
pub(super) struct Walker {
    root: PathBuf,
    proc: OwnedFd,
    pids: Vec<u32>,
    next: AtomicUsize,
    done: Mutex<Walk>,
}

impl Walker {
    /// Lists the processes below `root`, which is `/proc` or a fixture.
    ///
    /// # Errors
    ///
    /// If the folder itself cannot be read.
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let proc = open_folder(CWD, root)?;
        let mut pids = Vec::new();
        numbered_entries(&proc, |pid, _| pids.push(pid))?;
        let mut done = Walk::default();
        // Every PID namespace has a process 1. Where it cannot be seen,
        // `hidepid` keeps processes out of sight, and who knows how many.
        if !pids.contains(&1) {
            done.unreadable.insert(GapReason::Permission, 1);
        }
        Ok(Self {
            root: root.to_path_buf(),
            proc,
            pids,
            next: AtomicUsize::new(0),
            done: Mutex::new(done),
        })
    }

    /// How many processes there are to visit.
    pub(super) fn len(&self) -> usize {
        self.pids.len()
    }

    /// Works on the walk until no process is left.
    pub(super) fn work(&self) {
        let mut found = Walk::default();
        loop {
            let start = self.next.fetch_add(RUN, Ordering::Relaxed);
            let Some(run) = self.pids.get(start..) else {
                break;
            };
            if run.is_empty() {
                break;
            }
            for pid in run.iter().take(RUN) {
                self.visit(*pid, &mut found);
            }
        }
        // A thread that panicked has poisoned nothing: it only ever appends.
        let mut done = match self.done.lock() {
            Ok(done) => done,
            Err(poisoned) => poisoned.into_inner(),
        };
        done.links.append(&mut found.links);
        for (reason, count) in found.unreadable {
            *done.unreadable.entry(reason).or_default() += count;
        }
    }

    /// The result, once every worker has returned.
    pub(super) fn finish(self) -> Walk {
        let mut walk = match self.done.into_inner() {
            Ok(walk) => walk,
            Err(poisoned) => poisoned.into_inner(),
        };
        walk.links.sort_unstable();
        walk
    }

    /// Keeps what could be read of a process and counts it if something could
    /// not.
    fn visit(&self, pid: u32, found: &mut Walk) {
        if let Err(error) = self.read_links(pid, &mut found.links) {
            let gone = matches!(error.raw_os_error(), Some(2 | 3));
            if !gone && !self.cannot_own(pid) {
                *found.unreadable.entry(GapReason::of(&error)).or_default() += 1;
            }
        }
    }

    fn read_links(&self, pid: u32, links: &mut Vec<Link>) -> io::Result<()> {
        let folder = open_folder(&self.proc, format!("{pid}/fd"))?;
        let mut refused = None;
        numbered_entries(&folder, |fd, name| {
            let mut target = [MaybeUninit::uninit(); 32];
            match readlinkat_raw(&folder, name, &mut target) {
                Ok((target, _)) => {
                    let inode = socket_inode(target);
                    links.extend(inode.map(|inode| Link { inode, pid, fd }));
                }
                // A descriptor closed meanwhile is no longer anyone's.
                Err(Errno::NOENT | Errno::SRCH) => {}
                // Without CAP_SYS_PTRACE a folder may be listed whose links
                // may not be read.
                Err(error) => refused = Some(error),
            }
        })?;
        refused.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Kernel threads and zombies hold no descriptors, though an unprivileged
    /// look into them is refused like any other.
    fn cannot_own(&self, pid: u32) -> bool {
        std::fs::read(self.root.join(pid.to_string()).join("stat"))
            .ok()
            .and_then(|bytes| Stat::parse(&bytes))
            .is_some_and(|stat| stat.kernel_thread || stat.zombie)
    }
}

fn open_folder(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Calls `take` for each entry whose name is a number.
fn numbered_entries(folder: &OwnedFd, mut take: impl FnMut(u32, &CStr)) -> io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if let Some(number) = number(entry.file_name().to_bytes()) {
            take(number, entry.file_name());
        }
    }
    Ok(())
}

/// The inode in `socket:[12345]`.
fn socket_inode(target: &[u8]) -> Option<u32> {
    number(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn walk(root: &Path) -> Walk {
        let walker = Walker::new(root).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| walker.work());
            walker.work();
        });
        walker.finish()
    }

    #[test]
    fn finds_every_holder_and_survives_what_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        for (pid, fds) in [("12", &["3", "4"][..]), ("7", &["5"]), ("99", &[])] {
            let folder = root.path().join(pid).join("fd");
            std::fs::create_dir_all(&folder).unwrap();
            for fd in fds {
                symlink("socket:[500]", folder.join(fd)).unwrap();
            }
        }
        std::fs::create_dir_all(root.path().join("1/fd")).unwrap();
        symlink("/dev/null", root.path().join("7/fd/0")).unwrap();
        symlink("socket:[x]", root.path().join("7/fd/1")).unwrap();
        // A process that is gone by the time it is visited.
        std::fs::create_dir(root.path().join("13")).unwrap();
        std::fs::create_dir(root.path().join("sys")).unwrap();
        let walk = walk(root.path());
        let found: Vec<_> = walk.links.iter().map(|link| (link.pid, link.fd)).collect();
        assert_eq!(found, [(7, 5), (12, 3), (12, 4)]);
        assert!(walk.unreadable.is_empty());
    }

    #[test]
    fn a_proc_without_process_1_hides_processes() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("7/fd")).unwrap();
        let walk = walk(root.path());
        assert_eq!(
            walk.unreadable,
            BTreeMap::from([(GapReason::Permission, 1)])
        );
    }

    #[test]
    fn finds_its_own_socket() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let found = walk(Path::new("/proc"));
        let own = |link: &&Link| link.pid == std::process::id();
        assert!(
            found
                .links
                .iter()
                .filter(own)
                .any(|link| i64::from(link.fd) == i64::from(fd))
        );
    }

    #[test]
    fn understands_links() {
        assert_eq!(socket_inode(b"socket:[4294967295]"), Some(u32::MAX));
        for other in [
            &b"socket:[]"[..],
            b"socket:[4294967296]",
            b"pipe:[1]",
            b"socket:[1",
        ] {
            assert_eq!(socket_inode(other), None);
        }
    }
}
