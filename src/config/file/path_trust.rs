//! Users who could replace a file that is read: those who may change one of its
//! parent folders, or own a link on the path.

use super::super::error::{UntrustedReason, path_text};
use super::trust_policy::TrustPolicy;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Largest number of links that the kernel follows (path_resolution(7)).
const MAX_LINKS: usize = 40;
/// In such a folder only its owner and that of an entry may exchange the entry
/// (`S_ISVTX`, inode(7)).
const STICKY_BIT: u32 = 0o1000;

/// Returns the reason why a path is not trusted: the first folder or link on it that
/// can be replaced by a user other than root and the one who called sudo. The file
/// itself is checked elsewhere.
///
/// # Errors
///
/// If the way cannot be looked at.
pub(super) fn untrusted_reason(
    path: &Path,
    reader: TrustPolicy,
) -> io::Result<Option<UntrustedReason>> {
    let whole = if path.is_absolute() {
        path.to_owned()
    } else {
        fs::canonicalize(".")?.join(path)
    };
    let mut ahead = reversed_components(&whole);
    let mut here = PathBuf::from("/");
    let mut links = 0;
    if let Some(reason) = dir_reason(&here, &fs::metadata(&here)?, reader) {
        return Ok(Some(reason));
    }
    while let Some(step) = ahead.pop() {
        if step == ".." {
            here.pop();
            continue;
        }
        let there = here.join(&step);
        let facts = fs::symlink_metadata(&there)?;
        if facts.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::LOOP.into());
            }
            if !reader.trusts(facts.uid()) {
                return Ok(Some(owner_reason(&there, &facts)));
            }
            let target = fs::read_link(&there)?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            ahead.extend(reversed_components(&target));
            continue;
        }
        if !facts.is_dir() {
            return Ok(None);
        }
        if let Some(reason) = dir_reason(&there, &facts, reader) {
            return Ok(Some(reason));
        }
        here = there;
    }
    Ok(None)
}

/// The names of a path, the last one first.
fn reversed_components(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    let steps = parts.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    steps.map(|part| part.as_os_str().to_owned()).collect()
}

fn dir_reason(folder: &Path, facts: &Metadata, reader: TrustPolicy) -> Option<UntrustedReason> {
    if !reader.trusts(facts.uid()) {
        return Some(owner_reason(folder, facts));
    }
    let mode = facts.mode() & 0o7777;
    (mode & 0o022 != 0 && mode & STICKY_BIT == 0).then(|| UntrustedReason::FolderMode {
        folder: path_text(folder),
        mode,
    })
}

fn owner_reason(folder: &Path, facts: &Metadata) -> UntrustedReason {
    UntrustedReason::FolderOwner {
        folder: path_text(folder),
        uid: facts.uid(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// The owner of the test's folders replaces root here, trusted as the user
    /// who called sudo.
    fn reader(folder: &Path) -> TrustPolicy {
        TrustPolicy {
            is_root: true,
            invoker: Some(fs::metadata(folder).unwrap().uid()),
            checks_dirs: true,
        }
    }

    fn make(folder: &Path, mode: u32) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        file
    }

    #[test]
    fn a_folder_that_others_may_write_is_found_wherever_it_stands() {
        let top = tempfile::tempdir().unwrap();
        // The links of the system's own folder for temporary files, resolved.
        let top = fs::canonicalize(top.path()).unwrap();
        let reader = reader(&top);
        let judged = |path: &Path| untrusted_reason(path, reader).unwrap();
        let open = |folder: &str, mode: u32| {
            let folder = path_text(&top.join(folder));
            Some(UntrustedReason::FolderMode { folder, mode })
        };
        let good = make(&top.join("good"), 0o755);
        let sticky = make(&top.join("sticky"), 0o1777);
        let shared = make(&top.join("shared"), 0o775);
        let wide = make(&top.join("wide"), 0o777);
        let below = make(&top.join("wide/below"), 0o700);
        assert_eq!(judged(&good), None);
        assert_eq!(judged(&sticky), None);
        assert_eq!(judged(&shared), open("shared", 0o775));
        assert_eq!(judged(&wide), open("wide", 0o777));
        assert_eq!(judged(&below), open("wide", 0o777));
        // Links: both their own place and their target count.
        let link = |at: &str, to: &Path| {
            let at = top.join(at);
            symlink(to, &at).unwrap();
            at
        };
        assert_eq!(judged(&link("to_good", &good)), None);
        assert_eq!(judged(&link("to_wide", &wide)), open("wide", 0o777));
        assert_eq!(judged(&link("wide/out", &good)), open("wide", 0o777));
        let over = link("over", &top.join("wide/out"));
        assert_eq!(judged(&over), open("wide", 0o777));
        let up = top.join("wide/../good/file");
        assert_eq!(judged(&up), open("wide", 0o777));
        let relative = link("good/relative", Path::new("../good/file"));
        assert_eq!(judged(&relative), None);
        let looped = link("looped", &top.join("looped"));
        assert!(untrusted_reason(&looped, reader).is_err());
    }

    #[test]
    fn a_folder_or_link_of_somebody_else_is_found() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let uid = fs::metadata(&top).unwrap().uid();
        let stranger = TrustPolicy {
            is_root: true,
            invoker: None,
            checks_dirs: true,
        };
        let file = make(&top.join("theirs"), 0o700);
        let expected = (uid != 0).then(|| UntrustedReason::FolderOwner {
            folder: path_text(&top),
            uid,
        });
        assert_eq!(untrusted_reason(&file, stranger).unwrap(), expected);
    }
}
