//! Reads a file named by the user: it may be of any type and any owner, and the
//! user may not be allowed to read it.

use super::super::error::{FileError, shown};
use super::folders;
use super::reader::Reader;
use rustix::fs::OFlags;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Longer files are not read, bytes.
const LONGEST: u64 = 4 << 20;

/// Content of a file.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) text: String,
    /// True if nothing of the text may be shown.
    pub(super) veiled: bool,
}

/// Reads a text that is to be trusted.
pub(super) fn read(path: &Path, reader: Reader) -> Result<Content, FileError> {
    let failed = |error| FileError::Io {
        operation: "read",
        path: shown(path),
        error,
    };
    // Before it is opened: opening alone does something to a device.
    regular(path, &fs::metadata(path).map_err(failed)?)?;
    // By now the name may belong to a pipe or a terminal.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    regular(path, &facts)?;
    let mut distrust = reader.distrusts(facts.uid(), facts.mode());
    if distrust.is_none() && reader.root && reader.folders {
        distrust = folders::distrusted(path, reader).map_err(failed)?;
    }
    if let Some(reason) = distrust {
        return Err(FileError::Distrusted {
            path: shown(path),
            reason,
        });
    }
    let mut bytes = Vec::new();
    // One more than the limit: a file that grows meanwhile is too long, not cut
    // off.
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(FileError::TooLong {
            path: shown(path),
            longest: LONGEST,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| failed(ErrorKind::InvalidData.into()))?;
    Ok(Content {
        text,
        veiled: reader.veils(facts.uid()),
    })
}

fn regular(path: &Path, facts: &Metadata) -> Result<(), FileError> {
    if facts.is_file() {
        return Ok(());
    }
    Err(FileError::NotRegular { path: shown(path) })
}

/// True if a path is missing because of a dangling link on it: a file is
/// intended to be there.
pub(super) fn dangles(path: &Path) -> bool {
    let lost = |place: &Path| {
        fs::metadata(place).is_err_and(|error| error.kind() == ErrorKind::NotFound)
            && fs::symlink_metadata(place).is_ok_and(|facts| facts.is_symlink())
    };
    path.ancestors().any(lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};

    const ANYBODY: Reader = Reader {
        root: false,
        invoker: None,
        folders: true,
    };

    #[test]
    fn only_a_regular_file_of_some_length_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let told = read(path, ANYBODY).unwrap_err().to_string();
            assert!(told.ends_with("is not a regular file"), "{told}");
        }
        let long = folder.path().join("long");
        let length = usize::try_from(LONGEST).unwrap();
        fs::write(&long, vec![b'\n'; length]).unwrap();
        assert_eq!(read(&long, ANYBODY).unwrap().text.len(), length);
        fs::write(&long, vec![b'\n'; length + 1]).unwrap();
        let told = read(&long, ANYBODY).unwrap_err().to_string();
        assert!(told.ends_with("is longer than 4 MiB"), "{told}");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
        let cases = [
            (link.clone(), true),
            (link.join("tcplens/config.toml"), true),
            (folder.path().join("missing/config.toml"), false),
        ];
        for (path, expected) in cases {
            assert_eq!(dangles(&path), expected, "{path:?}");
        }
    }
}
