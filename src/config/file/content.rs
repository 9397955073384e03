//! Reads a file named by the user: it may be of any type and any owner, and the
//! user may not be allowed to read it.

use super::super::error::{FileError, path_text};
use super::path_trust;
use super::trust_policy::TrustPolicy;
use rustix::fs::OFlags;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Longer files are not read, bytes.
const MAX_FILE_LEN: u64 = 4 << 20;

/// Content of a file.
#[derive(Debug)]
pub(super) struct FileContent {
    pub(super) text: String,
    /// True if nothing of the text may be shown.
    pub(super) is_hidden: bool,
}

/// Reads a text that is to be trusted.
pub(super) fn read(path: &Path, reader: TrustPolicy) -> Result<FileContent, FileError> {
    let failed = |error| FileError::Io {
        operation: "read",
        path: path_text(path),
        error,
    };
    // Before it is opened: opening alone does something to a device.
    check_regular(path, &fs::metadata(path).map_err(failed)?)?;
    // By now the name may belong to a pipe or a terminal.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    check_regular(path, &facts)?;
    let mut distrust = reader.untrusted_reason(facts.uid(), facts.mode());
    if distrust.is_none() && reader.is_root && reader.checks_dirs {
        distrust = path_trust::untrusted_reason(path, reader).map_err(failed)?;
    }
    if let Some(reason) = distrust {
        return Err(FileError::Untrusted {
            path: path_text(path),
            reason,
        });
    }
    let mut bytes = Vec::new();
    // One more than the limit: a file that grows meanwhile is too long, not cut
    // off.
    file.take(MAX_FILE_LEN + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_LEN {
        return Err(FileError::TooLong {
            path: path_text(path),
            longest: MAX_FILE_LEN,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| failed(ErrorKind::InvalidData.into()))?;
    Ok(FileContent {
        text,
        is_hidden: reader.hides_content(facts.uid()),
    })
}

fn check_regular(path: &Path, facts: &Metadata) -> Result<(), FileError> {
    if facts.is_file() {
        return Ok(());
    }
    Err(FileError::NotRegular {
        path: path_text(path),
    })
}

/// True if a path is missing because of a dangling link on it: a file is
/// intended to be there.
pub(super) fn is_dangling(path: &Path) -> bool {
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

    const ANY_USER: TrustPolicy = TrustPolicy {
        is_root: false,
        invoker: None,
        checks_dirs: true,
    };

    #[test]
    fn only_a_regular_file_of_some_length_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [&pipe, folder.path(), Path::new("/dev/zero")] {
            let told = read(path, ANY_USER).unwrap_err().to_string();
            assert!(told.ends_with("is not a regular file"), "{told}");
        }
        let long = folder.path().join("long");
        let length = usize::try_from(MAX_FILE_LEN).unwrap();
        fs::write(&long, vec![b'\n'; length]).unwrap();
        assert_eq!(read(&long, ANY_USER).unwrap().text.len(), length);
        fs::write(&long, vec![b'\n'; length + 1]).unwrap();
        let told = read(&long, ANY_USER).unwrap_err().to_string();
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
            assert_eq!(is_dangling(&path), expected, "{path:?}");
        }
    }
}
