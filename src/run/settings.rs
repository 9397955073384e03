//! `tcplens config` and `tcplens baseline`: checks and creates the user's
//! files.

use super::file_writer::FileWriter;
use super::{ExitReason, RunError};
use crate::config::file::{self, ConfigPath, FileError, LoadedSettings};
use crate::config::{baseline, example, path_text, show};
use crate::model::baseline::Baseline;
use crate::model::gap::GapKind;
use crate::monitor::{Monitor, MonitorOptions};
use crate::source::ReadingSource;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};

/// Writes where the settings are.
///
/// # Errors
///
/// If no place is known, or nothing can be written.
pub fn config_path(place: &ConfigPath) -> Result<ExitReason, RunError> {
    print(&format!("{}\n", path_text(required_path(place)?)))
}

/// Writes everything in force and where it comes from.
///
/// # Errors
///
/// If nothing can be written.
pub fn config_show(loaded: &LoadedSettings) -> Result<ExitReason, RunError> {
    print(&show::render(
        &loaded.parsed.settings,
        loaded.path.as_deref(),
    ))
}

/// Begins a file of settings in which everything is commented out.
///
/// # Errors
///
/// If it is there already, or cannot be written.
pub fn config_init(place: &ConfigPath, writer: &FileWriter) -> Result<ExitReason, RunError> {
    let path = required_path(place)?;
    let file = path.to_owned();
    writer.write(move || {
        file::make_folder(&file)?;
        file::create(&file, &example::text(), false)
    })?;
    print(&format!(
        "wrote {}; nothing in it is in force yet\n",
        path_text(path)
    ))
}

fn required_path(place: &ConfigPath) -> Result<&Path, RunError> {
    place.path().ok_or_else(|| {
        let reason = "neither XDG_CONFIG_HOME nor HOME says where settings are; --config FILE does";
        RunError::Refused(reason.to_owned())
    })
}

fn print(text: &str) -> Result<ExitReason, RunError> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(RunError::io("write the answer"))?;
    Ok(ExitReason::Done)
}

/// Input of saving a baseline.
pub struct SaveBaselineRequest {
    /// Source of the reading.
    pub source: Box<dyn ReadingSource>,
    /// The file to write.
    pub path: PathBuf,
    /// True if an existing file may be replaced.
    pub replace: bool,
    /// Writer of the file.
    pub writer: FileWriter,
}

/// Reads the table once and writes who listens.
///
/// # Errors
///
/// If nothing can be read or written, or the file is there already.
pub fn save_baseline(mut request: SaveBaselineRequest) -> Result<ExitReason, RunError> {
    let mut monitor = Monitor::new(MonitorOptions::default());
    let seen = monitor
        .fold(request.source.read_table()?)
        .unwrap_or_default();
    let baseline = Baseline::from_observation(&seen);
    let text = baseline::to_json(&baseline, &seen);
    let (path, replace) = (request.path.clone(), request.replace);
    let written = request
        .writer
        .write(move || file::create(&path, &text, replace));
    written.map_err(|error| match error {
        FileError::Exists { path, .. } => FileError::Exists {
            path,
            hint: "; --force replaces it",
        },
        other => other,
    })?;
    let listeners = baseline.listeners.iter();
    let unknown = listeners
        .filter(|each| each.program.path().is_none())
        .count();
    let hidden = seen
        .gaps
        .iter()
        .any(|gap| gap.kind == GapKind::OwnersHidden);
    if unknown > 0 {
        let why = if hidden && seen.owner_search.may_gain_from_root() {
            "; as root more are"
        } else {
            ""
        };
        let _ = writeln!(
            stderr(),
            "tcplens: the program of {unknown} is not known here{why}: any program fits there"
        );
    }
    let count = baseline.listeners.len();
    print(&format!(
        "listeners written to {}: {count}\n",
        path_text(&request.path)
    ))
}
