//! Available features: probed by using them, as far as that is harmless.

use super::{Ending, RunError, terminal};
use crate::control::destroy::Close;
use crate::control::probe;
use crate::explain::ability::{self, Standing};
use crate::explain::catalogue::Catalogue;
use crate::model::action::Policy;
use crate::model::namespace::Scope;
use crate::model::powers::Means;
use crate::model::text::Text;
use crate::monitor::{Monitor, MonitorOptions};
use crate::privilege;
use crate::report::{doctor, json};
use crate::source::ReadingSource;
use std::io::{BufWriter, IsTerminal, Write, stdout};

/// Input of `tcplens doctor`.
pub struct DoctorRequest {
    /// Source of the table, which is read with every network namespace.
    pub source: Box<dyn ReadingSource>,
    /// Closer of connections.
    pub close: Box<dyn Close>,
    /// JSON instead of text.
    pub json: bool,
    /// Message catalogue.
    pub words: &'static Catalogue,
}

/// Reads one table, probes the rest without a target, and writes the results.
///
/// # Errors
///
/// If nothing can be read or written.
pub fn doctor(mut request: DoctorRequest) -> Result<Ending, RunError> {
    let mut monitor = Monitor::new(MonitorOptions::default());
    if let Some(events) = request.source.read_events() {
        monitor.fold(events);
    }
    let reading = request.source.read_table()?;
    let Some(observation) = monitor.fold(reading) else {
        return Ok(Ending::NothingMatched);
    };
    let means = means(request.close.as_mut(), Policy::Act);
    let width = if stdout().is_terminal() {
        terminal::size().map_or(80, |size| usize::from(size.width).clamp(60, 100))
    } else {
        80
    };
    let mut out = BufWriter::new(stdout().lock());
    let written = if request.json {
        json::doctor::write(&observation, &means, request.words, &mut out)
    } else {
        doctor::write(&observation, &means, request.words, width, &mut out)
    };
    written
        .and_then(|()| out.flush())
        .map_err(RunError::io("write what was found"))?;
    let lacking = ability::verdicts(&observation, &means, Scope::All)
        .iter()
        .any(|verdict| verdict.standing != Standing::Can);
    Ok(if lacking {
        Ending::Lacking
    } else {
        Ending::Done
    })
}

/// Probes the program's capabilities, as of this thread: threads inherit their
/// privileges.
pub(super) fn means(close: &mut dyn Close, policy: Policy) -> Means {
    let program = std::env::current_exe().unwrap_or_default();
    Means {
        powers: privilege::powers(),
        policy,
        naming: probe::naming(),
        closing: close.ready(),
        program: Text::from(program.to_string_lossy().as_ref()),
    }
}
