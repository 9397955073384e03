//! Scans the descriptors of a process for sockets.
//!
//! A socket's descriptor is a link reading `socket:[inode]` (proc(5)). A
//! process may vanish at any step, which is normal. An unreadable one is
//! counted, since it could own a row without a known owner.

use crate::model::gap::GapReason;
use crate::model::io_uring;
use crate::model::proc_stat::ProcStat;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom, openat, readlinkat_raw, seek, statat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Room for directory entries, read in one call.
const DIRENT_BUFFER_LEN: usize = 16 * 1024;
/// Number of descriptors read of a process's threads after which no further
/// thread is read.
const MAX_THREAD_FDS: u64 = 16 * 1024;
/// Largest number of descriptors read of a thread with a table of its own.
const MAX_FDS_PER_THREAD: u64 = 64 * 1024;
/// Largest number of bytes read of the `fdinfo` of an io_uring instance: some
/// 40,000 registered files.
const MAX_IO_URING_BYTES: u64 = 1 << 20;
/// Links of a `task` folder with one thread: itself, its parent, the thread.
const SINGLE_THREAD_LINKS: u64 = 3;

/// One descriptor that is a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FdLink {
    pub(super) inode: u32,
    pub(super) pid: u32,
    pub(super) fd: u32,
}

/// Result of reading a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanOutcome {
    /// Its descriptors have not been read yet, or not to the end.
    Unread,
    /// Its descriptors are known.
    Read,
    /// It has ended.
    Gone,
    /// It is unreadable, but it can't hold a socket anyway: a kernel thread or
    /// a zombie.
    Empty,
    /// It was unreadable, or partly so.
    Unreadable(GapReason),
}

/// Position in a directory of descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct DirOffset(u64);

/// Threads of a process to read. They share one table of descriptors unless one has
/// left it (unshare(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadScope {
    /// Only the leader, or its substitute.
    Leader,
    /// Those whose number of descriptors is another than that of the first.
    Differing,
    /// All, or as [`Self::Differing`] if that would be too much to read.
    All,
}

/// Part of a process to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanTarget {
    pub(super) pid: u32,
    pub(super) threads: ThreadScope,
    pub(super) start: DirOffset,
    /// Largest number of descriptors to read.
    pub(super) max_entries: u64,
}

impl ScanTarget {
    /// The complete process, without a limit.
    pub(super) fn whole(pid: u32, threads: ThreadScope) -> Self {
        Self {
            pid,
            threads,
            start: DirOffset::default(),
            max_entries: u64::MAX,
        }
    }
}

/// Result of reading a part of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScanPart {
    pub(super) outcome: ScanOutcome,
    /// Number of descriptors that were read.
    pub(super) entries: u64,
    /// Start of the rest; none if nothing is left.
    pub(super) next: Option<DirOffset>,
}

/// A proc file system to read from.
pub(super) struct ProcDir {
    root: PathBuf,
    dir: OwnedFd,
}

/// Metadata of a process's descriptor directory, available without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FdSummary {
    /// Inode of the directory, which differs for a reused pid.
    pub(super) identity: u64,
    /// Number of descriptors; 0 before Linux 6.2.
    pub(super) fd_count: u64,
    /// User whose file access rights the process has.
    pub(super) uid: u32,
}

impl ProcDir {
    /// Opens `/proc`, or a fixture.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self {
            root: root.to_path_buf(),
            dir: open_dir(rustix::fs::CWD, root)?,
        })
    }

    /// The processes there are.
    pub(super) fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        // A folder that has been read stays at its end.
        let folder = open_dir(&self.dir, ".")?;
        numbered_entries(&folder, u64::MAX, |pid, _| pids.push(pid))?;
        Ok(pids)
    }

    /// Reads the metadata of a process's descriptor directory, which any user
    /// may. None if the process has ended.
    pub(super) fn fd_summary(&self, pid: u32) -> Option<FdSummary> {
        match statat(&self.dir, format!("{pid}/fd"), AtFlags::empty()) {
            Ok(stat) => Some(FdSummary {
                identity: stat.st_ino,
                fd_count: u64::try_from(stat.st_size).unwrap_or(0),
                uid: stat.st_uid,
            }),
            Err(Errno::NOENT | Errno::SRCH) => None,
            // `hidepid` forbids even this; reading reports it.
            Err(_) => Some(FdSummary {
                identity: 0,
                fd_count: 0,
                uid: u32::MAX,
            }),
        }
    }

    /// Appends the sockets of a process, up to the target's limit. Those of threads
    /// with a descriptor table of their own are read with the last part, if the target
    /// includes them.
    pub(super) fn read(&self, target: ScanTarget, links: &mut Vec<FdLink>) -> ScanPart {
        let ScanTarget { pid, threads, .. } = target;
        let mut entries = 0;
        let before = links.len();
        let folder = format!("{pid}/fd");
        let place = (target.start, target.max_entries);
        let (rest, result) = match self.read_links(&folder, pid, place, links, &mut entries) {
            Ok(rest) => (rest, Ok(())),
            Err(error) => (None, Err(error)),
        };
        if rest.is_some() {
            return ScanPart {
                outcome: ScanOutcome::Unread,
                entries,
                next: rest,
            };
        }
        let from_the_start = target.start == DirOffset::default();
        let led_by_nobody = from_the_start && entries == 0 && self.extra_threads(pid) > 0;
        let mut whole = true;
        if result.is_ok() && (threads != ThreadScope::Leader || led_by_nobody) {
            whole = self.read_threads(pid, threads, links);
            // The descriptor table of a thread that left the shared one also
            // holds the old descriptors.
            let mut own = links.split_off(before);
            own.sort_unstable();
            own.dedup();
            links.append(&mut own);
        }
        let outcome = match result {
            Ok(()) if whole => ScanOutcome::Read,
            Ok(()) => ScanOutcome::Unreadable(GapReason::BudgetExceeded),
            Err(error) if matches!(error.raw_os_error(), Some(2 | 3)) => ScanOutcome::Gone,
            Err(_) if self.cannot_hold_sockets(pid) => ScanOutcome::Empty,
            Err(error) => ScanOutcome::Unreadable(GapReason::from_io_error(&error)),
        };
        ScanPart {
            outcome,
            entries,
            next: None,
        }
    }

    /// Reads a limited number of links from a position on; returns the position of the
    /// rest, if any is left.
    fn read_links(
        &self,
        path: &str,
        pid: u32,
        (from, most): (DirOffset, u64),
        links: &mut Vec<FdLink>,
        entries: &mut u64,
    ) -> io::Result<Option<DirOffset>> {
        let folder = open_dir(&self.dir, path)?;
        if from != DirOffset::default() {
            seek(&folder, SeekFrom::Start(from.0))?;
        }
        let mut refused = None;
        let mut rings = Vec::new();
        let rest = numbered_entries(&folder, most, |fd, name| {
            *entries += 1;
            match read_link(&folder, name) {
                Ok(LinkTarget::Socket(inode)) => links.push(FdLink { inode, pid, fd }),
                Ok(LinkTarget::IoUring) => rings.push(fd),
                // A descriptor closed meanwhile is no longer anyone's.
                Ok(LinkTarget::Other) | Err(Errno::NOENT | Errno::SRCH) => {}
                // Without CAP_SYS_PTRACE a folder may be listed whose links
                // may not be read.
                Err(error) => refused = Some(error),
            }
        })?;
        for fd in rings {
            let registered = self.io_uring_sockets(path, fd);
            links.extend(
                registered
                    .into_iter()
                    .map(|inode| FdLink { inode, pid, fd }),
            );
        }
        refused.map_or(Ok(rest), |error| Err(error.into()))
    }

    /// The sockets registered with a ring, which have no descriptor of their own.
    fn io_uring_sockets(&self, descriptors: &str, ring: u32) -> Vec<u32> {
        let path = self.root.join(format!("{descriptors}info/{ring}"));
        let mut text = Vec::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_IO_URING_BYTES).read_to_end(&mut text));
        if read.is_err() {
            return Vec::new();
        }
        io_uring::registered_sockets(&text).collect()
    }

    /// Reads the descriptor tables of threads: of all of them, or of the first
    /// non-empty one as a substitute for a leader that has ended. It is not visible
    /// from outside which threads have left the shared table, so the same descriptors
    /// may be read many times; that is limited, and then only threads with a different
    /// count are read. Returns false if anything was left unread. A thread may end at
    /// any step, as a process may.
    fn read_threads(&self, pid: u32, wanted: ThreadScope, links: &mut Vec<FdLink>) -> bool {
        let mut threads = Vec::new();
        let listed = open_dir(&self.dir, format!("{pid}/task")).and_then(|folder| {
            numbered_entries(&folder, u64::MAX, |thread, _| threads.push(thread))
        });
        if listed.is_err() {
            return true;
        }
        threads.retain(|thread| *thread != pid);
        if wanted != ThreadScope::Leader {
            let shared = self.fd_count(pid, pid);
            let whole = shared.saturating_mul(threads.len() as u64);
            // Before Linux 6.2 nothing is counted.
            if shared > 0 && (wanted == ThreadScope::Differing || whole > MAX_THREAD_FDS) {
                threads.retain(|thread| self.fd_count_differs(pid, *thread));
            }
        }
        let mut entries = 0;
        for thread in threads {
            if entries >= MAX_THREAD_FDS {
                return false;
            }
            let path = format!("{pid}/task/{thread}/fd");
            let place = (DirOffset::default(), MAX_FDS_PER_THREAD);
            let rest = self.read_links(&path, pid, place, links, &mut entries);
            if matches!(rest, Ok(Some(_))) {
                return false;
            }
            if wanted == ThreadScope::Leader && entries > 0 {
                break;
            }
        }
        true
    }

    /// Number of descriptors of a thread; 0 if it has ended, or before Linux 6.2.
    fn fd_count(&self, pid: u32, thread: u32) -> u64 {
        statat(
            &self.dir,
            format!("{pid}/task/{thread}/fd"),
            AtFlags::empty(),
        )
        .map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// True if a thread has another number of descriptors than the first, which may
    /// open or close one at any time.
    fn fd_count_differs(&self, pid: u32, thread: u32) -> bool {
        (0..2).all(|_| {
            let before = self.fd_count(pid, pid);
            let own = self.fd_count(pid, thread);
            own != before && own != self.fd_count(pid, pid)
        })
    }

    /// Returns the number of threads of a process besides the leader.
    pub(super) fn extra_threads(&self, pid: u32) -> u64 {
        statat(&self.dir, format!("{pid}/task"), AtFlags::empty())
            .map_or(0, |stat| stat.st_nlink.saturating_sub(SINGLE_THREAD_LINKS))
    }

    /// Kernel threads and zombies hold no descriptors, though an unprivileged
    /// look into them is refused like any other.
    fn cannot_hold_sockets(&self, pid: u32) -> bool {
        std::fs::read(self.root.join(pid.to_string()).join("stat"))
            .ok()
            .and_then(|bytes| ProcStat::parse(&bytes))
            .is_some_and(|stat| stat.kernel_thread || stat.zombie)
    }
}

/// Target of a descriptor.
enum LinkTarget {
    /// A socket with this inode.
    Socket(u32),
    /// An instance of `io_uring`.
    IoUring,
    Other,
}

fn read_link(folder: &OwnedFd, name: &CStr) -> Result<LinkTarget, Errno> {
    let mut target = [MaybeUninit::uninit(); 32];
    let (target, _) = readlinkat_raw(folder, name, &mut target)?;
    Ok(match socket_inode(target) {
        Some(inode) => LinkTarget::Socket(inode),
        None if target == io_uring::FD_LINK_TARGET.as_bytes() => LinkTarget::IoUring,
        None => LinkTarget::Other,
    })
}

fn open_dir(at: impl AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Calls `take` for each entry with a numeric name, up to `max_entries`; returns the position
/// after the last if more may follow.
fn numbered_entries(
    folder: &OwnedFd,
    most: u64,
    mut take: impl FnMut(u32, &CStr),
) -> io::Result<Option<DirOffset>> {
    let mut buffer = [MaybeUninit::uninit(); DIRENT_BUFFER_LEN];
    let mut entries = RawDir::new(folder, &mut buffer);
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if let Some(number) = parse_decimal(entry.file_name().to_bytes()) {
            take(number, entry.file_name());
            count += 1;
            if count == most {
                return Ok(Some(DirOffset(entry.next_entry_cookie())));
            }
        }
    }
    Ok(None)
}

/// The inode in `socket:[12345]`.
fn socket_inode(target: &[u8]) -> Option<u32> {
    parse_decimal(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

fn parse_decimal(digits: &[u8]) -> Option<u32> {
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

    #[test]
    fn socket_links_are_parsed() {
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

    #[test]
    fn sockets_registered_with_a_ring_are_held_by_its_process() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("7/fd")).unwrap();
        std::fs::create_dir_all(root.path().join("7/fdinfo")).unwrap();
        std::os::unix::fs::symlink("anon_inode:[io_uring]", root.path().join("7/fd/3")).unwrap();
        std::os::unix::fs::symlink("socket:[450134]", root.path().join("7/fd/5")).unwrap();
        let told = "pos:\t0\nSqThread:\t-1\nUserFiles:\t4\n    0: socket:[450133]\n\
            \x20   1: <none>\n    2: /tmp/socket:[9]\n   13: socket:[450135]\nUserBufs:\t0\n";
        std::fs::write(root.path().join("7/fdinfo/3"), told).unwrap();
        let proc = ProcDir::open(root.path()).unwrap();
        let mut links = Vec::new();
        let part = proc.read(ScanTarget::whole(7, ThreadScope::Leader), &mut links);
        assert_eq!((part.outcome, part.next), (ScanOutcome::Read, None));
        links.sort_unstable();
        let found: Vec<(u32, u32)> = links.iter().map(|link| (link.inode, link.fd)).collect();
        assert_eq!(found, [(450_133, 3), (450_134, 5), (450_135, 3)]);
    }

    #[test]
    fn a_process_can_be_read_in_parts() {
        let proc = ProcDir::open(Path::new("/proc")).unwrap();
        let sockets: Vec<std::net::UdpSocket> = (0..40)
            .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        let mut target = ScanTarget {
            max_entries: 7,
            ..ScanTarget::whole(std::process::id(), ThreadScope::Leader)
        };
        let mut links = Vec::new();
        let mut parts = 0;
        loop {
            let part = proc.read(target, &mut links);
            parts += 1;
            match part.next {
                Some(rest) => {
                    assert_eq!((part.outcome, part.entries), (ScanOutcome::Unread, 7));
                    target.start = rest;
                }
                None => break assert_eq!(part.outcome, ScanOutcome::Read),
            }
        }
        assert!(parts > 40 / 7, "{parts}");
        for socket in &sockets {
            let inode = rustix::fs::fstat(socket).unwrap().st_ino;
            let found = links.iter().filter(|link| u64::from(link.inode) == inode);
            assert_eq!(found.count(), 1, "each once");
        }
    }

    #[test]
    fn an_fd_summary_identifies_its_process() {
        let proc = ProcDir::open(Path::new("/proc")).unwrap();
        // A process of its own: the tests beside this one open things, too.
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let before = proc.fd_summary(child.id()).unwrap();
        assert_ne!(before.identity, 0);
        assert_eq!(
            proc.fd_summary(child.id()).unwrap().identity,
            before.identity
        );
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(proc.fd_summary(child.id()), None);
    }
}
