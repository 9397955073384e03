//! Writes a file without affecting any other in its folder: only files created
//! here are ever removed.

use super::super::error::{FileError, path_text};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Number of names tried for a temporary file.
const MAX_NAME_ATTEMPTS: u32 = 16;

/// Writes a file that only its owner may read. One that is there is replaced only
/// if that is wanted, and then as a whole.
///
/// # Errors
///
/// If it is there, or cannot be written.
pub fn create(path: &Path, text: &str, replace: bool) -> Result<(), FileError> {
    let fill = |file: &mut File| file.write_all(text.as_bytes());
    let written = if replace {
        replace_file(path, fill)
    } else {
        write_new(path, fill)
    };
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists if !replace => FileError::Exists {
            path: path_text(path),
            hint: "",
        },
        _ => FileError::Io {
            operation: "write",
            path: path_text(path),
            error,
        },
    })
}

/// Makes the folder of a file, for its owner alone.
///
/// # Errors
///
/// If that cannot be done.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| FileError::Io {
        operation: "make",
        path: path_text(folder),
        error,
    })
}

/// Makes a file and fills it. One that cannot be filled is removed: half a file
/// would be read as a whole one.
fn write_new(path: &Path, put: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = create_new(path)?;
    put(&mut file)
        .and_then(|()| file.sync_all())
        .inspect_err(|_| remove_quietly(path))
}

/// Fills a file beside another, and gives it that one's name.
fn replace_file(path: &Path, put: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let (beside, mut file) = create_temporary(path)?;
    put(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| remove_quietly(&beside))
}

/// Creates a new file: never through a link, never over an existing one.
fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Creates a temporary file with an unpredictable name.
fn create_temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let random = RandomState::new();
    for attempt in 0..MAX_NAME_ATTEMPTS {
        let beside = path.with_file_name(temporary_name(path, random.hash_one(attempt)));
        match create_new(&beside) {
            Ok(file) => return Ok((beside, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

fn temporary_name(path: &Path, number: u64) -> OsString {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{number:016x}.new"));
    name
}

fn remove_quietly(path: &Path) {
    // The error that led here is the one to report.
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn fail_halfway(file: &mut File) -> io::Result<()> {
        file.write_all(b"ha")?;
        Err(ErrorKind::StorageFull.into())
    }

    #[test]
    fn files_are_private_and_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        make_folder(&path).unwrap();
        create(&path, "one", false).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = create(&path, "two", false);
        assert!(matches!(again, Err(FileError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        create(&path, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
        assert!(matches!(
            create(&link, "x", false),
            Err(FileError::Exists { .. })
        ));
    }

    #[test]
    fn files_beside_the_written_one_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let beside = folder.path().join("file.new");
        fs::write(&path, "old").unwrap();
        fs::write(&beside, "theirs").unwrap();
        create(&path, "mine", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&beside).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["file", "file.new"]);
    }

    #[test]
    fn a_partly_written_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "old").unwrap();
        write_new(&new, fail_halfway).unwrap_err();
        replace_file(&old, fail_halfway).unwrap_err();
        assert_eq!(names(folder.path()), ["old"]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        // Nothing takes the place of a folder.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        create(&taken, "x", true).unwrap_err();
        assert_eq!(names(folder.path()), ["old", "taken"]);
    }
}
