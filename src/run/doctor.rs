//! Available features: probed by using them, as far as that is harmless.

use super::{ExitReason, RunError, terminal};
use crate::control::probe;
use crate::control::sock_destroy::ConnectionCloser;
use crate::explain::catalogue::Catalogue;
use crate::explain::features::{self, Support};
use crate::model::action::AccessMode;
use crate::model::namespace::NamespaceScope;
use crate::model::privileges::ProbedCapabilities;
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
    pub closer: Box<dyn ConnectionCloser>,
    /// JSON instead of text.
    pub json: bool,
    /// Message catalogue.
    pub messages: &'static Catalogue,
}

/// Reads one table, probes the rest without a target, and writes the results.
///
/// # Errors
///
/// If nothing can be read or written.
pub fn doctor(mut request: DoctorRequest) -> Result<ExitReason, RunError> {
    let mut monitor = Monitor::new(MonitorOptions::default());
    if let Some(events) = request.source.read_events() {
        monitor.fold(events);
    }
    let reading = request.source.read_table()?;
    let Some(observation) = monitor.fold(reading) else {
        return Ok(ExitReason::NoMatch);
    };
    let means = probe_environment(request.closer.as_mut(), AccessMode::Full);
    let width = if stdout().is_terminal() {
        terminal::size().map_or(80, |size| usize::from(size.width).clamp(60, 100))
    } else {
        80
    };
    let mut out = BufWriter::new(stdout().lock());
    let written = if request.json {
        json::doctor::write(&observation, &means, request.messages, &mut out)
    } else {
        doctor::write(&observation, &means, request.messages, width, &mut out)
    };
    written
        .and_then(|()| out.flush())
        .map_err(RunError::io("write what was found"))?;
    let lacking = features::feature_reports(&observation, &means, NamespaceScope::All)
        .iter()
        .any(|verdict| verdict.support != Support::Full);
    Ok(if lacking {
        ExitReason::Limited
    } else {
        ExitReason::Done
    })
}

/// Probes the program's capabilities, as of this thread: threads inherit their
/// privileges.
pub(super) fn probe_environment(
    close: &mut dyn ConnectionCloser,
    policy: AccessMode,
) -> ProbedCapabilities {
    let program = std::env::current_exe().unwrap_or_default();
    ProbedCapabilities {
        privileges: privilege::current_privileges(),
        access_mode: policy,
        process_handles: probe::process_handle(),
        close_support: close.check_available(),
        program: Text::from(program.to_string_lossy().as_ref()),
    }
}
