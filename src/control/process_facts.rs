//! Current facts of one process from `/proc`, read for verification and for the
//! confirm dialog. Never cached: a stale fact here could end the wrong process.

use super::process_tree::{self, process_dir};
use crate::model::io_uring;
use crate::model::proc_stat::ProcStat;
use crate::model::text::Text;
use procfs::process::Process;
use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::process::{geteuid, getuid};
use rustix::thread::{CapabilitySet, capabilities};
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Suffix by which the kernel marks a removed program.
const DELETED_SUFFIX: &[u8] = b" (deleted)";
/// First descriptor passed at the start (sd_listen_fds(3)).
const LISTEN_FDS_START: u32 = 3;

/// Current facts of a process.
#[derive(Debug)]
pub(super) struct ProcessFacts {
    pub(super) stat: ProcStat,
    /// True if it has exited, with all its threads, and was not reaped.
    pub(super) ended: bool,
    /// Its program; none if unknown.
    pub(super) program: Option<RunningProgram>,
    /// Inodes of its sockets; none if its descriptors may not be read.
    pub(super) inodes: Option<Vec<u32>>,
}

/// The program a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunningProgram {
    /// Its path without the mark of a removed file.
    pub(super) path: Text,
    /// Device and inode: a file that was put in its place has others.
    pub(super) file: Option<(u64, u64)>,
}

impl ProcessFacts {
    /// Reads the identity of a process.
    ///
    /// # Errors
    ///
    /// `NotFound` if it has ended.
    pub(super) fn read(pid: u32) -> io::Result<Self> {
        let bytes = fs::read(process_dir(pid).join("stat"))?;
        let stat = ProcStat::parse(&bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "odd /proc/PID/stat"))?;
        Ok(Self {
            ended: process_tree::has_ended(pid, &stat),
            stat,
            program: read_program(pid),
            inodes: socket_inodes(pid).ok(),
        })
    }

    /// Returns whether it holds a socket; none if that is unreadable.
    pub(super) fn holds_inode(&self, inode: NonZeroU32) -> Option<bool> {
        Some(self.inodes.as_ref()?.contains(&inode.get()))
    }
}

fn read_program(pid: u32) -> Option<RunningProgram> {
    let link = process_dir(pid).join("exe");
    let path = fs::read_link(&link).ok()?;
    let bytes = path.as_os_str().as_bytes();
    // Without asking a file server: one that does not answer would block
    // everything, and such processes are among those to be ended.
    let found = statx(CWD, &link, AtFlags::STATX_DONT_SYNC, StatxFlags::INO).ok();
    Some(RunningProgram {
        path: Text::new(bytes.strip_suffix(DELETED_SUFFIX).unwrap_or(bytes)),
        file: found.map(|file| {
            let device = makedev(file.stx_dev_major, file.stx_dev_minor);
            (device, file.stx_ino)
        }),
    })
}

/// Returns true if a socket was passed to a process at its start (`LISTEN_PID`
/// and `LISTEN_FDS` in its environment, sd_listen_fds(3)).
pub(super) fn is_socket_activated(pid: u32, inode: NonZeroU32) -> bool {
    let environment = fs::read(process_dir(pid).join("environ")).unwrap_or_default();
    let link = format!("socket:[{inode}]");
    let is_it = |number: u32| {
        let target = fs::read_link(process_dir(pid).join("fd").join(number.to_string()));
        target.is_ok_and(|target| target.as_os_str() == link.as_str())
    };
    let last = LISTEN_FDS_START.saturating_add(listen_fds(pid, &environment).min(1024));
    (LISTEN_FDS_START..last).any(is_it)
}

/// Parses the number of descriptors passed to a process from its environment.
fn listen_fds(pid: u32, environment: &[u8]) -> u32 {
    let value = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        let entry = entries.find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
        std::str::from_utf8(entry).ok()?.parse::<u32>().ok()
    };
    let meant = value("LISTEN_PID=") == Some(pid);
    value("LISTEN_FDS=").filter(|_| meant).unwrap_or(0)
}

fn socket_inodes(pid: u32) -> io::Result<Vec<u32>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(process_dir(pid).join("fd"))? {
        let descriptor = entry.and_then(|entry| Ok((fs::read_link(entry.path())?, entry)));
        let (target, entry) = match descriptor {
            Ok(descriptor) => descriptor,
            // A descriptor closed meanwhile is no longer held.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // A link that may not be read might be the one looked for.
            Err(error) => return Err(error),
        };
        if target.as_os_str() == io_uring::FD_LINK_TARGET {
            let fdinfo = process_dir(pid).join("fdinfo").join(entry.file_name());
            let fdinfo = fs::read(fdinfo).unwrap_or_default();
            inodes.extend(io_uring::registered_sockets(&fdinfo));
        }
        let digits = target
            .to_str()
            .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'));
        inodes.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
    }
    Ok(inodes)
}

/// The command line with spaces between its arguments.
pub(super) fn read_command(pid: u32) -> Text {
    let mut bytes = fs::read(process_dir(pid).join("cmdline")).unwrap_or_default();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    for byte in &mut bytes {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    Text::from_command_line(&bytes)
}

/// The user whose process it is.
pub(super) fn read_uid(pid: u32) -> Option<u32> {
    Process::new_with_root(process_dir(pid)).ok()?.uid().ok()
}

/// Name of a process.
pub(super) fn read_name(pid: u32) -> Option<Text> {
    let bytes = fs::read(process_dir(pid).join("stat")).ok()?;
    Some(Text::new(&ProcStat::parse(&bytes)?.name))
}

/// True if kill(2) permits this program to signal a process: by CAP_KILL, or because
/// its real or effective user is the real or saved one there. False if the process is
/// in another user namespace, or is unreadable.
pub(super) fn may_be_signalled(pid: u32) -> bool {
    let user_namespace = |folder: &Path| fs::read_link(folder.join("ns/user")).ok();
    let theirs = user_namespace(&process_dir(pid));
    if theirs.is_none() || theirs != user_namespace(Path::new("/proc/self")) {
        return false;
    }
    let held = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::KILL));
    let ours = [getuid().as_raw(), geteuid().as_raw()];
    held || read_uids(pid)
        .is_some_and(|(real, saved)| ours.contains(&real) || ours.contains(&saved))
}

/// The real and the saved user of a process.
fn read_uids(pid: u32) -> Option<(u32, u32)> {
    let status = fs::read_to_string(process_dir(pid).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let mut users = line.split_whitespace().map(|uid| uid.parse().ok());
    let (real, _, saved) = (users.next()??, users.next()??, users.next()??);
    Some((real, saved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let facts = ProcessFacts::read(std::process::id()).unwrap();
        assert!(facts.stat.start_ticks > 0);
        assert!(!facts.inodes.unwrap().is_empty());
        assert!(!facts.ended);
        let program = facts.program.unwrap();
        assert_eq!(
            program.path.as_str(),
            std::env::current_exe().unwrap().to_str().unwrap()
        );
        drop(socket);
        assert!(!read_command(std::process::id()).is_empty());
    }

    #[test]
    fn listen_fds_count_only_for_their_process() {
        let cases: [(&[u8], u32); 5] = [
            (b"A=1\0LISTEN_PID=812\0LISTEN_FDS=2\0", 2),
            (b"LISTEN_FDS=1\0LISTEN_PID=812", 1),
            (b"LISTEN_PID=811\0LISTEN_FDS=2\0", 0),
            (b"LISTEN_PID=812\0LISTEN_FDS=x\0", 0),
            (b"", 0),
        ];
        for (environment, count) in cases {
            assert_eq!(listen_fds(812, environment), count);
        }
    }

    #[test]
    fn a_process_that_is_gone_is_not_found() {
        let error = ProcessFacts::read(u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
