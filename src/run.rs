//! Threads, terminal and signals: joins the modules into a program.

mod action_worker;
mod adaptive_interval;
mod ages;
mod check;
mod clipboard;
mod command;
mod doctor;
mod explain;
mod file_writer;
mod input;
mod job_control;
mod lab_worker;
mod list;
mod poller;
mod port;
mod probes;
mod screen;
mod settings;
mod signals;
mod slot;
mod terminal;

pub use check::{CheckFormat, CheckRequest, check};
pub use command::{ActionOptions, CloseRequest, KillRequest, SocketQuery, close, kill};
pub use doctor::{DoctorRequest, doctor};
pub use explain::{ExplainRequest, Topic, explain, explain_sockets};
pub use file_writer::{FileWriter, Invoker};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use input::fuzzing;
pub use list::{ListFormat, ListRequest, list};
pub use screen::{LiveRequest, live};
pub use settings::{SaveBaselineRequest, config_init, config_path, config_show, save_baseline};
pub use signals::ignore_file_size_signal;

use crate::config::file::FileError;
use crate::lab::LabError;
use crate::source::{EnterError, SourceError};
use std::io;

/// Error of a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The kernel's tables could not be read.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// The network namespace that was named could not be entered.
    #[error("{0}")]
    Namespace(#[from] EnterError),
    /// The lab could not be set up.
    #[error("{0}")]
    Lab(#[from] LabError),
    /// A file of settings or a baseline is not to be used.
    #[error("{0}")]
    File(#[from] FileError),
    /// The action is refused; the reason, and a remedy.
    #[error("{0}")]
    Refused(String),
    /// The terminal or a pipe failed.
    #[error("cannot {operation}: {error}")]
    Io {
        /// Operation.
        operation: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

impl RunError {
    fn io(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { operation, error }
    }

    /// True if the reader of a pipe has closed it, which is not a failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Exit reason of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// Success.
    Done,
    /// No row matched.
    NoMatch,
    /// Not all requested actions were done.
    Partial,
    /// A feature is unavailable here.
    Limited,
    /// A check found a warning.
    Warning,
    /// A check found an alarm.
    Critical,
    /// A check found nothing, but saw too little to be sure.
    Inconclusive,
    /// A signal.
    Signal(i32),
    /// The terminal went away.
    TerminalGone,
}

#[cfg(test)]
mod tests;
