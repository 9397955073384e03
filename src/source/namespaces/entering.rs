//! Entering one network namespace for good, so that its tables, counters, settings and
//! events are read as those of the first one are.

use super::{NamespaceEntry, Text, named_namespaces};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// No more names than this are listed in an error.
const LISTED: usize = 12;

/// The network namespace that was entered.
#[derive(Clone, Debug)]
pub struct Entered {
    /// What it was named by: its name, or a process in it.
    pub name: Text,
    /// How a person gets a command into it.
    pub entrance: Option<NamespaceEntry>,
}

/// Why a network namespace was not entered.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Neither a name below `/run/netns` nor a process is called so.
    #[error("no network namespace {name}: {known}, and no process has that number")]
    Unknown {
        /// What was asked for.
        name: Text,
        /// The names there are, in words.
        known: String,
    },
    /// It is there, and is not to be entered.
    #[error("cannot enter network namespace {name}: {error}{hint}")]
    Refused {
        /// What was asked for.
        name: Text,
        /// What the system said.
        error: io::Error,
        /// What would help.
        hint: &'static str,
    },
}

/// Moves the calling thread, and those it starts from now on, into the network namespace
/// of this name below `/run/netns`, or else of the process with this number. A name goes
/// before a number.
///
/// # Errors
///
/// If there is none, or it may not be entered: that takes `CAP_SYS_ADMIN`.
pub fn enter_named(wanted: &str) -> Result<Entered, EnterError> {
    let name = Text::from(wanted);
    let refused = |error: io::Error| EnterError::Refused {
        hint: match error.kind() {
            io::ErrorKind::PermissionDenied => "; that takes root",
            _ => "",
        },
        name: name.clone(),
        error,
    };
    let doors = named_namespaces();
    let door = doors
        .values()
        .find(|path| path.file_name() == Some(wanted.as_ref()));
    let (path, entrance) = match (door, wanted.parse::<u32>()) {
        (Some(path), _) => (path.clone(), NamespaceEntry::from_name(&name)),
        (None, Ok(pid)) => (
            PathBuf::from(format!("/proc/{pid}/ns/net")),
            Some(NamespaceEntry::Process(pid)),
        ),
        (None, Err(_)) => return Err(unknown(name, doors.values())),
    };
    match move_into(&path) {
        Ok(()) => Ok(Entered { name, entrance }),
        Err(error) if door.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Err(unknown(name, doors.values()))
        }
        Err(error) => Err(refused(error)),
    }
}

fn move_into(path: &Path) -> io::Result<()> {
    // What is no namespace, such as a FIFO, would be waited for.
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    if device(path)? != device(Path::new("/proc/self/ns/net"))? {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let door = File::open(path)?;
    Ok(move_into_link_name_space(
        door.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

fn unknown<'a>(name: Text, doors: impl Iterator<Item = &'a PathBuf>) -> EnterError {
    let names = doors.filter_map(|path| path.file_name());
    let mut names: Vec<String> = names
        .map(|name| Text::new(name.as_encoded_bytes()).to_string())
        .collect();
    names.sort_unstable();
    let left_out = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    let known = match (names.is_empty(), left_out) {
        (true, _) => "none has a name (ip netns)".to_owned(),
        (false, 0) => format!("the known names are {}", names.join(", ")),
        (false, more) => format!("the known names are {} and {more} more", names.join(", ")),
    };
    EnterError::Unknown { name, known }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(count: usize) -> String {
        let doors: Vec<PathBuf> = (0..count)
            .map(|number| PathBuf::from(format!("/run/netns/n\u{1b}{number:03}")))
            .collect();
        unknown(Text::from("blue"), doors.iter()).to_string()
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            known(0),
            "no network namespace blue: none has a name (ip netns), and no process has that number"
        );
        assert!(known(2).contains(r"the known names are n\x1b000, n\x1b001, and no"));
        let many = known(300);
        assert!(many.contains(r"n\x1b011 and 288 more"), "{many}");
    }

    #[test]
    fn what_is_no_namespace_is_not_waited_for() {
        let error = move_into(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        for wanted in ["../../proc/self/ns/net", "", ".", "4294967295"] {
            let error = enter_named(wanted).unwrap_err();
            assert!(matches!(error, EnterError::Unknown { .. }), "{error}");
        }
    }
}
