//! Users who could replace a file that is read: those who may change one of its
//! parent folders, or own a link on the path.

use super::super::error::{Distrust, shown};
use super::reader::Reader;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Largest number of links that the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;
/// In such a folder only its owner and that of an entry may exchange the entry
/// (`S_ISVTX`, inode(7)).
const STICKY: u32 = 0o1000;

/// Returns the reason why a path is not trusted: the first folder or link on it that
/// can be replaced by a user other than root and the one who called sudo. The file
/// itself is checked elsewhere.
///
/// # Errors
///
/// If the way cannot be looked at.
pub(super) fn distrusted(path: &Path, reader: Reader) -> io::Result<Option<Distrust>> {
    let whole = if path.is_absolute() {
        path.to_owned()
    } else {
        fs::canonicalize(".")?.join(path)
    };
    let mut ahead = steps(&whole);
    let mut here = PathBuf::from("/");
    let mut links = 0;
    if let Some(reason) = of_folder(&here, &fs::metadata(&here)?, reader) {
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
            if links > MOST_LINKS {
                return Err(Errno::LOOP.into());
            }
            if !reader.trusts(facts.uid()) {
                return Ok(Some(owned(&there, &facts)));
            }
            let target = fs::read_link(&there)?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            ahead.extend(steps(&target));
            continue;
        }
        if !facts.is_dir() {
            return Ok(None);
        }
        if let Some(reason) = of_folder(&there, &facts, reader) {
            return Ok(Some(reason));
        }
        here = there;
    }
    Ok(None)
}

/// The names of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    let steps = parts.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    steps.map(|part| part.as_os_str().to_owned()).collect()
}

fn of_folder(folder: &Path, facts: &Metadata, reader: Reader) -> Option<Distrust> {
    if !reader.trusts(facts.uid()) {
        return Some(owned(folder, facts));
    }
    let mode = facts.mode() & 0o7777;
    (mode & 0o022 != 0 && mode & STICKY == 0).then(|| Distrust::FolderMode {
        folder: shown(folder),
        mode,
    })
}

fn owned(folder: &Path, facts: &Metadata) -> Distrust {
    Distrust::FolderOwner {
        folder: shown(folder),
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
    fn reader(folder: &Path) -> Reader {
        Reader {
            root: true,
            invoker: Some(fs::metadata(folder).unwrap().uid()),
            folders: true,
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
        let judged = |path: &Path| distrusted(path, reader).unwrap();
        let open = |folder: &str, mode: u32| {
            let folder = shown(&top.join(folder));
            Some(Distrust::FolderMode { folder, mode })
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
        assert!(distrusted(&looped, reader).is_err());
    }

    #[test]
    fn a_folder_or_link_of_somebody_else_is_found() {
        let top = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(top.path()).unwrap();
        let uid = fs::metadata(&top).unwrap().uid();
        let stranger = Reader {
            root: true,
            invoker: None,
            folders: true,
        };
        let file = make(&top.join("theirs"), 0o700);
        let expected = (uid != 0).then(|| Distrust::FolderOwner {
            folder: shown(&top),
            uid,
        });
        assert_eq!(distrusted(&file, stranger).unwrap(), expected);
    }
}
