//! Threads, terminal and signals: joins the rooms into a program.

mod actor;
mod check;
mod clipboard;
mod command;
mod doctor;
mod explain;
mod file_writer;
mod headless;
mod input;
mod job_control;
mod pace;
mod poller;
mod port;
mod screen;
mod settings;
mod signals;
mod slot;
mod teacher;
mod terminal;

pub use check::{CheckFormat, CheckRequest, check};
pub use command::{About, CloseRequest, KillRequest, Order, close, kill};
pub use doctor::{DoctorRequest, doctor};
pub use explain::{ExplainRequest, Topic, explain, explain_sockets};
pub use file_writer::{FileWriter, Invoker};
pub use headless::{Format, ListRequest, list};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use input::fuzzing;
pub use screen::{LiveRequest, live};
pub use settings::{SaveRequest, config_init, config_path, config_show, save_baseline};
pub use signals::outlive_file_limit;

use crate::config::file::FileError;
use crate::lab::LabError;
use crate::source::SourceError;
use std::io;

/// Why the program could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kernel's tables could not be read.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The lab could not be set up.
    #[error("{0}")]
    Lab(#[from] LabError),
    /// A file of settings or a baseline is not to be used.
    #[error("{0}")]
    File(#[from] FileError),
    /// What was ordered is not done; the reason, and what would help.
    #[error("{0}")]
    Refused(String),
    /// The terminal or a pipe failed.
    #[error("cannot {operation}: {error}")]
    Io {
        /// What was being done.
        operation: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl RunError {
    fn io(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { operation, error }
    }

    /// Whether the reader of a pipe went away, which is not a failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Done,
    /// No row matched.
    NothingMatched,
    /// Not all that was ordered was done.
    Unfinished,
    /// Something cannot be seen or done here.
    Lacking,
    /// A check found something that is worth a warning.
    Warning,
    /// A check found an alarm.
    Critical,
    /// A check found nothing, and saw too little to say that there is nothing.
    CutShort,
    /// By this signal.
    Signal(i32),
    /// The terminal went away.
    TerminalGone,
}

#[cfg(test)]
mod tests;
