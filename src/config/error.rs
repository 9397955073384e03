//! Errors of reading and writing settings and baselines, each with a remedy.

use super::diagnostics::Diagnostics;
use crate::model::text::Text;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Reason why root does not read a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedReason {
    /// It belongs to this user.
    #[error("it belongs to uid {0}; as root only files of root, or of who called sudo, are read")]
    Owner(u32),
    /// Group or others may write it, by this mode.
    #[error("others may write it (mode {0:o}), and root would obey it; chmod go-w it")]
    Mode(u32),
    /// A folder on the way to it, or a link, belongs to this user.
    #[error("uid {uid} owns {folder} on the way to it, and could put another file there")]
    FolderOwner {
        /// The folder or link.
        folder: Text,
        /// Owner.
        uid: u32,
    },
    /// Group or others may write a folder on the way to it, by this mode.
    #[error(
        "others may write {folder} on the way to it (mode {mode:o}), and could put another file there; chmod go-w it"
    )]
    FolderMode {
        /// The folder.
        folder: Text,
        /// Its permissions.
        mode: u32,
    },
}

/// Error of reading or writing a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A failed system call.
    #[error("cannot {operation} {path}: {error}")]
    Io {
        /// Operation.
        operation: &'static str,
        /// With which file.
        path: Text,
        /// The system's error.
        error: io::Error,
    },
    /// It is not to be trusted.
    #[error("{path} is not read: {reason}")]
    Untrusted {
        /// The file.
        path: Text,
        /// Reason.
        reason: UntrustedReason,
    },
    /// It is a folder, a pipe, a device or the like.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// The file.
        path: Text,
    },
    /// It is too long.
    #[error("{path} is longer than {} MiB", .longest >> 20)]
    TooLong {
        /// The file.
        path: Text,
        /// Largest length that is read, in bytes.
        longest: u64,
    },
    /// A link on the way to it leads nowhere.
    #[error("{path} cannot be looked for: a link on the way to it leads nowhere")]
    Dangling {
        /// The file.
        path: Text,
    },
    /// It is there already.
    #[error("{path} is there already, and stays as it is{hint}")]
    Exists {
        /// The file.
        path: Text,
        /// Option that would replace it.
        hint: &'static str,
    },
    /// It is wrong.
    #[error("{}", invalid_message(.path, .mistakes))]
    Invalid {
        /// The file.
        path: Text,
        /// Everything that is wrong.
        mistakes: Diagnostics,
    },
    /// It is not a baseline.
    #[error("{path} is no baseline: {reason}")]
    NoBaseline {
        /// The file.
        path: Text,
        /// Reason.
        reason: String,
    },
}

impl FileError {
    /// True if it is this error of the system.
    #[must_use]
    pub fn is(&self, kind: io::ErrorKind) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == kind)
    }
}

fn invalid_message(path: &Text, mistakes: &Diagnostics) -> String {
    let each = mistakes.0.iter().map(|mistake| mistake.render(path));
    let count = mistakes.0.len();
    let last = match count {
        1 => "mend it; until then nothing is done".to_owned(),
        count => format!("{count} mistakes; mend them, until then nothing is done"),
    };
    each.chain([last]).collect::<Vec<_>>().join("\n")
}

/// A path as it may be shown.
#[must_use]
pub fn path_text(path: &Path) -> Text {
    Text::new(path.as_os_str().as_bytes())
}
