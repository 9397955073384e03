//! Checks that a process runs the file named by its program path in this mount
//! namespace.
//!
//! `/proc/PID/exe` reads as the path in the mount namespace of the process, and
//! every user may make one with other files in it (user_namespaces(7)). So the
//! path is compared: in the same mount namespace it is right by itself, else
//! device and inode of the file must be those of the file of that path here.
//! Both are read once per process, not once per table.

use crate::model::process::{OtherFileSystem, Program, ProgramFile};
use crate::model::text::Text;
use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, makedev, statx};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Suffix by which the kernel marks a removed program file.
const DELETED_SUFFIX: &[u8] = b" (deleted)";

/// Compares program files with those of this program's mount namespace.
pub(super) struct ProgramVerifier {
    /// `/proc`, or a fixture.
    root: PathBuf,
    /// Namespace of this program; none if unknown.
    mount_namespace: Option<PathBuf>,
    user_namespace: Option<PathBuf>,
    /// The root folder of process 1, if it has another mount namespace than this
    /// program: a service or a container that watches the whole machine.
    init_root: Option<PathBuf>,
}

/// Device and inode.
pub(super) type FileId = (u64, u64);

impl ProgramVerifier {
    pub(super) fn new(root: &Path) -> Self {
        let own = |name: &str| std::fs::read_link(root.join("self/ns").join(name)).ok();
        let mount_namespace = own("mnt");
        let of_init = std::fs::read_link(root.join("1/ns/mnt")).ok();
        let differs = of_init.is_some() && of_init != mount_namespace;
        Self {
            init_root: differs.then(|| root.join("1/root")),
            user_namespace: own("user"),
            mount_namespace,
            root: root.to_path_buf(),
        }
    }

    /// The program of a process by its link `/proc/PID/exe`.
    pub(super) fn identify(&self, pid: u32, link: &[u8]) -> Program {
        let (path, deleted) = split_deleted(link);
        Program {
            path: Text::new(path),
            file: self.classify(pid, path, deleted),
        }
    }

    fn classify(&self, pid: u32, path: &[u8], deleted: bool) -> ProgramFile {
        let folder = self.root.join(pid.to_string());
        let namespace = std::fs::read_link(folder.join("ns/mnt")).ok();
        let same = namespace.is_some() && namespace == self.mount_namespace;
        if same {
            return if deleted {
                ProgramFile::Deleted
            } else {
                ProgramFile::Verified
            };
        }
        let user_namespace = std::fs::read_link(folder.join("ns/user")).ok();
        let foreign = user_namespace.is_none() || user_namespace != self.user_namespace;
        let Ok(runs) = stat_without_sync(&folder.join("exe")) else {
            return ProgramFile::Unverified;
        };
        let here = stat_without_sync(Path::new(OsStr::from_bytes(path)));
        let elsewhere = |path_taken| {
            ProgramFile::OtherFileSystem(OtherFileSystem {
                in_other_user_namespace: foreign,
                path_exists_here: path_taken,
            })
        };
        // Only root can have removed a file of root's; a user can remove their
        // own file under any path of their own namespace.
        if deleted && (!foreign || runs.stx_uid == 0) {
            return ProgramFile::Deleted;
        }
        match here {
            Ok(here) if !deleted && file_id(&here) == file_id(&runs) => ProgramFile::Verified,
            _ if !deleted && self.is_in_init_root(path, file_id(&runs)) => ProgramFile::Verified,
            Ok(_) => elsewhere(true),
            Err(Errno::NOENT | Errno::NOTDIR) => elsewhere(false),
            Err(_) => ProgramFile::Unverified,
        }
    }

    fn is_in_init_root(&self, path: &[u8], runs: FileId) -> bool {
        let relative = path.strip_prefix(b"/");
        let there = self.init_root.as_ref().zip(relative);
        there.is_some_and(|(root, path)| {
            stat_without_sync(&root.join(OsStr::from_bytes(path)))
                .is_ok_and(|file| file_id(&file) == runs)
        })
    }
}

/// Reads the link `/proc/PID/exe`.
///
/// # Errors
///
/// If the process has ended, is a kernel thread, or is unreadable.
pub(super) fn read_exe_link(root: &Path, pid: u32) -> io::Result<Vec<u8>> {
    let path = std::fs::read_link(root.join(pid.to_string()).join("exe"))?;
    Ok(path.into_os_string().into_vec())
}

/// The file that a process runs: not the same after an `exec` of another one, under
/// the same path or not. None if it may not be looked at.
pub(super) fn running(root: &Path, pid: u32) -> Option<FileId> {
    let file = stat_without_sync(&root.join(pid.to_string()).join("exe"));
    file.ok().map(|file| file_id(&file))
}

/// True if a program was read from this link.
pub(super) fn matches_link(program: &Program, link: &[u8]) -> bool {
    let (path, deleted) = split_deleted(link);
    let same_mark = match program.file {
        ProgramFile::Verified => !deleted,
        ProgramFile::Deleted => deleted,
        ProgramFile::OtherFileSystem(_) | ProgramFile::Unverified => true,
    };
    same_mark && program.path.raw() == path
}

/// The path in a link and whether the file was removed.
pub(super) fn split_deleted(link: &[u8]) -> (&[u8], bool) {
    match link.strip_suffix(DELETED_SUFFIX) {
        Some(path) => (path, true),
        None => (link, false),
    }
}

/// Reads identity and owner of a file without querying a server: one that does
/// not answer would block every table.
fn stat_without_sync(path: &Path) -> Result<Statx, Errno> {
    let flags = AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    statx(CWD, path, flags, StatxFlags::INO | StatxFlags::UID)
}

fn file_id(file: &Statx) -> FileId {
    let device = makedev(file.stx_dev_major, file.stx_dev_minor);
    (device, file.stx_ino)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_removed_program_is_recognised() {
        assert_eq!(
            split_deleted(b"/usr/bin/x (deleted)"),
            (&b"/usr/bin/x"[..], true)
        );
        assert_eq!(split_deleted(b"/usr/bin/x"), (&b"/usr/bin/x"[..], false));
    }

    #[test]
    fn this_process_runs_the_file_of_its_path() {
        let root = Path::new("/proc");
        let own = std::process::id();
        let link = read_exe_link(root, own).unwrap();
        let program = ProgramVerifier::new(root).identify(own, &link);
        assert_eq!(program.file, ProgramFile::Verified);
        assert!(matches_link(&program, &link));
    }

    /// A proc directory with one process, 7, with the program file and the
    /// namespaces of the case.
    struct ProcFixture {
        root: PathBuf,
    }

    impl ProcFixture {
        fn new(name: &str, namespaces: (&str, &str)) -> Self {
            let root = std::env::temp_dir().join(format!("{name}.{}", std::process::id()));
            for (pid, (mount, user)) in [("self", ("m", "u")), ("7", namespaces)] {
                let folder = root.join(pid).join("ns");
                std::fs::create_dir_all(&folder).unwrap();
                symlink(format!("mnt:[{mount}]"), folder.join("mnt")).unwrap();
                symlink(format!("user:[{user}]"), folder.join("user")).unwrap();
            }
            Self { root }
        }

        /// Classifies a process that runs one file and reports the path of
        /// another.
        fn judged(&self, runs: &Path, says: &[u8]) -> ProgramFile {
            let link = self.root.join("7/exe");
            let _ = std::fs::remove_file(&link);
            symlink(runs, link).unwrap();
            ProgramVerifier::new(&self.root).identify(7, says).file
        }
    }

    impl Drop for ProcFixture {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }

    #[test]
    fn a_path_of_another_mount_namespace_must_name_the_same_file() {
        let own = std::env::current_exe().unwrap();
        let path = own.as_os_str().as_bytes();
        let elsewhere = |foreign_user_namespace, path_taken| {
            ProgramFile::OtherFileSystem(OtherFileSystem {
                in_other_user_namespace: foreign_user_namespace,
                path_exists_here: path_taken,
            })
        };
        let there = ProcFixture::new("tcplens-program-file", ("n", "v"));
        let other = there.root.join("other");
        std::fs::write(&other, b"").unwrap();
        assert_eq!(there.judged(&own, path), ProgramFile::Verified);
        assert_eq!(there.judged(&other, path), elsewhere(true, true));
        let nowhere = b"/nonexistent/program";
        assert_eq!(there.judged(&own, nowhere), elsewhere(true, false));
        let gone = Path::new("/nonexistent/program");
        assert_eq!(there.judged(gone, path), ProgramFile::Unverified);

        let service = ProcFixture::new("tcplens-program-service", ("n", "u"));
        assert_eq!(service.judged(&own, path), ProgramFile::Verified);
        assert_eq!(service.judged(&other_file(), path), elsewhere(false, true));

        let neighbour = ProcFixture::new("tcplens-program-neighbour", ("m", "u"));
        assert_eq!(neighbour.judged(gone, path), ProgramFile::Verified);
        assert_eq!(
            neighbour.judged(gone, b"/x (deleted)"),
            ProgramFile::Deleted
        );
    }

    /// A file that is not this program's, and root's.
    fn other_file() -> PathBuf {
        PathBuf::from("/etc/passwd")
    }

    #[test]
    fn an_upgraded_service_is_no_impostor_and_a_removed_file_of_a_user_proves_nothing() {
        let service = ProcFixture::new("tcplens-program-upgraded", ("n", "u"));
        let says = b"/usr/sbin/nginx (deleted)";
        assert_eq!(service.judged(&other_file(), says), ProgramFile::Deleted);
        let sandbox = ProcFixture::new("tcplens-program-sandbox", ("n", "v"));
        assert_eq!(sandbox.judged(&other_file(), says), ProgramFile::Deleted);
        let users = sandbox.root.join("users");
        std::fs::write(&users, b"").unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&users, Some(2001), Some(2001)).unwrap();
        }
        let judged = sandbox.judged(&users, says);
        assert!(
            matches!(judged, ProgramFile::OtherFileSystem(_)),
            "{judged:?}"
        );
    }
}
