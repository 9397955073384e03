//! What `/proc` says of one process at this moment, read for verifying and for
//! the confirm dialog. Never cached: a stale fact here could end the wrong
//! process.

use crate::model::stat::Stat;
use crate::model::text::Text;
use procfs::process::Process;
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// What is known of a process now.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) stat: Stat,
    /// Inodes of its sockets; none if its descriptors may not be read.
    pub(super) inodes: Option<Vec<u32>>,
}

impl Facts {
    /// Reads what identifies a process.
    ///
    /// # Errors
    ///
    /// `NotFound` when it is gone.
    pub(super) fn read(pid: u32) -> io::Result<Self> {
        let bytes = fs::read(folder(pid).join("stat"))?;
        let stat = Stat::parse(&bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "odd /proc/PID/stat"))?;
        Ok(Self {
            stat,
            inodes: socket_inodes(pid).ok(),
        })
    }

    /// Whether it holds a socket; none if that may not be looked at.
    pub(super) fn holds(&self, inode: NonZeroU32) -> Option<bool> {
        Some(self.inodes.as_ref()?.contains(&inode.get()))
    }
}

fn folder(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn socket_inodes(pid: u32) -> io::Result<Vec<u32>> {
    let mut inodes = Vec::new();
    for entry in fs::read_dir(folder(pid).join("fd"))? {
        let target = match entry.and_then(|entry| fs::read_link(entry.path())) {
            Ok(target) => target,
            // A descriptor closed meanwhile is no longer held.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            // A link that may not be read might be the one looked for.
            Err(error) => return Err(error),
        };
        let digits = target
            .to_str()
            .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'));
        inodes.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
    }
    Ok(inodes)
}

/// The command line with spaces between its arguments.
pub(super) fn command(pid: u32) -> Text {
    let mut bytes = fs::read(folder(pid).join("cmdline")).unwrap_or_default();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    for byte in &mut bytes {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    Text::new(&bytes)
}

/// The user whose process it is.
pub(super) fn uid(pid: u32) -> Option<u32> {
    Process::new_with_root(folder(pid)).ok()?.uid().ok()
}

/// Name of a process.
pub(super) fn name(pid: u32) -> Option<Text> {
    let bytes = fs::read(folder(pid).join("stat")).ok()?;
    Some(Text::new(&Stat::parse(&bytes)?.name))
}

/// Direct children, by pid and name, smallest pid first.
pub(super) fn children(pid: u32) -> Vec<(u32, Text)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut children: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|child| {
            let stat = Stat::parse(&fs::read(folder(child).join("stat")).ok()?)?;
            (stat.parent == pid).then(|| (child, Text::new(&stat.name)))
        })
        .collect();
    children.sort();
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let facts = Facts::read(std::process::id()).unwrap();
        assert!(facts.stat.start_ticks > 0);
        assert!(!facts.inodes.unwrap().is_empty());
        drop(socket);
        assert!(!command(std::process::id()).is_empty());
    }

    #[test]
    fn a_process_that_is_gone_is_not_found() {
        let error = Facts::read(u32::MAX).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
