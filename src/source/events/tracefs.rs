//! The kernel's tracing file system: opened at its mount point, or through a
//! detached mount of our own.

use crate::model::event::EventsUnavailable;
use rustix::fs::{AtFlags, Mode, OFlags, fstatfs, mkdirat, open, openat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Usual mount points.
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// `TRACEFS_MAGIC`: a folder there may be empty.
const TRACEFS_MAGIC: u64 = 0x7472_6163;
/// No file that is read here whole is longer.
const MAX_FILE_LEN: usize = 1 << 20;
/// Size of one read.
const READ_CHUNK: usize = 1 << 16;

/// A directory of tracefs.
#[derive(Debug)]
pub(super) struct Tracefs(OwnedFd);

impl Tracefs {
    /// Opens the root directory.
    pub(super) fn open() -> Result<Self, EventsUnavailable> {
        let mut refused = EventsUnavailable::Unsupported;
        for place in MOUNT_POINTS {
            match open(place, DIR_FLAGS, Mode::empty()) {
                Ok(folder) if is_tracefs(&folder) => return Ok(Self(folder)),
                Ok(_) => {}
                Err(error) => refused = unavailable_reason(error),
            }
        }
        // Not where it may be mounted, so in a mount without any place.
        mount_detached().map(Self).map_err(|error| match error {
            Errno::PERM | Errno::ACCESS | Errno::NOSYS => match refused {
                EventsUnavailable::Unsupported => unavailable_reason(error),
                other => other,
            },
            other => unavailable_reason(other),
        })
    }

    /// Opens a subdirectory.
    pub(super) fn open_dir(&self, path: &str) -> Result<Self, Errno> {
        openat(&self.0, path, DIR_FLAGS, Mode::empty()).map(Self)
    }

    /// Opens a file for reading that never blocks.
    pub(super) fn open_pipe(&self, path: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(&self.0, path, flags, Mode::empty())
    }

    /// Reads a file. Some return everything to the first read and nothing to a
    /// second, so the first must be large.
    pub(super) fn read(&self, path: &str) -> Result<String, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(&self.0, path, flags, Mode::empty())?;
        let mut bytes = Vec::new();
        let mut part = vec![0; READ_CHUNK];
        while bytes.len() < MAX_FILE_LEN {
            match rustix::io::read(&file, &mut part[..]) {
                Ok(0) => break,
                Ok(length) => bytes.extend_from_slice(part.get(..length).unwrap_or_default()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes a setting.
    pub(super) fn write(&self, path: &str, value: &str) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::CLOEXEC;
        let file = openat(&self.0, path, flags, Mode::empty())?;
        rustix::io::write(&file, value.as_bytes()).map(drop)
    }

    /// Creates a directory, which creates an instance.
    pub(super) fn create_dir(&self, name: &str) -> Result<(), Errno> {
        mkdirat(&self.0, name, Mode::RWXU)
    }

    /// Removes a directory, which ends an instance. The kernel refuses it while
    /// the instance is being read.
    pub(super) fn remove_dir(&self, name: &str) -> Result<(), Errno> {
        unlinkat(&self.0, name, AtFlags::REMOVEDIR)
    }

    /// Lists the directory.
    pub(super) fn entry_names(&self) -> Vec<String> {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.0) else {
            return Vec::new();
        };
        let names = entries.flatten().map(|entry| entry.file_name().to_owned());
        names
            .filter_map(|name| name.into_string().ok())
            .filter(|name| name != "." && name != "..")
            .collect()
    }
}

impl AsFd for Tracefs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

fn is_tracefs(folder: &OwnedFd) -> bool {
    // The type of this number differs between machines.
    fstatfs(folder)
        .is_ok_and(|told| u64::try_from(told.f_type).is_ok_and(|kind| kind == TRACEFS_MAGIC))
}

/// Creates a mount that is attached nowhere and ends with its descriptor.
fn mount_detached() -> Result<OwnedFd, Errno> {
    let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let mount = fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )?;
    // The descriptor from fsmount is `O_PATH` only.
    openat(&mount, ".", DIR_FLAGS, Mode::empty())
}

/// Maps an error to the reason why events are unavailable.
pub(super) fn unavailable_reason(error: Errno) -> EventsUnavailable {
    match error {
        Errno::PERM | Errno::ACCESS | Errno::ROFS => EventsUnavailable::NotPermitted,
        Errno::NOENT | Errno::NODEV | Errno::NOSYS | Errno::NOTDIR => {
            EventsUnavailable::Unsupported
        }
        _ => EventsUnavailable::Failed,
    }
}
