//! `tcplens check`: watches for a while and reports the findings, for
//! monitoring systems.

mod finding_log;
mod stop;
mod watch;

use super::{ExitReason, RunError, terminal};
use crate::explain::catalogue::Catalogue;
use crate::model::event::EventSource;
use crate::model::finding::Severity;
use crate::monitor::{Monitor, MonitorOptions, Thresholds, UserRules};
use crate::report::check as text;
use crate::report::check_result::{CheckResult, CheckStatus, PendingRule};
use crate::report::{json, table};
use crate::source::ReadingSource;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Largest number of sockets missing from a table that are looked up.
const LOOKUP_BUDGET: usize = 4096;

/// Output format of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// The JSON contract.
    Json,
    /// The line of monitoring plugins.
    OneLine,
}

/// Input of a check.
pub struct CheckRequest {
    /// Source of the readings.
    pub source: Box<dyn ReadingSource>,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// The user's own rules, baseline and mutes.
    pub user_rules: UserRules,
    /// For how long to watch.
    pub duration: Duration,
    /// Lowest severity that fails the check.
    pub fail_on: Severity,
    /// True if kernel events are required: an event source that is unavailable
    /// is reported.
    pub requires_events: bool,
    /// Output format.
    pub format: CheckFormat,
    /// Messages of the output.
    pub messages: &'static Catalogue,
}

/// Watches, and writes the findings active at the end and those that ended before.
/// SIGINT, SIGTERM and SIGHUP end it early, with the findings until then; if there are
/// none, the result is unknown. A second signal, or one second after the first, ends it
/// without any.
///
/// # Errors
///
/// If nothing could be read, or nothing written.
pub fn check(request: CheckRequest) -> Result<ExitReason, RunError> {
    let (progress, reported) = channel();
    stop::report_signals(progress.clone())?;
    let monitor = Monitor::new(MonitorOptions {
        lookup_budget: LOOKUP_BUDGET,
        thresholds: request.thresholds.clone(),
        user_rules: request.user_rules,
        ..MonitorOptions::default()
    });
    let reports = (progress, reported);
    let watched = watch::watch(request.source, monitor, request.duration, reports)?;
    let checked = CheckResult {
        observation: &watched.observation,
        ended: watched.finding_log.ended(),
        highest_severity: watched.finding_log.highest_severity(),
        watched: watched.elapsed,
        requested: request.duration,
        coverage: watched.coverage,
        pending_rules: PendingRule::pending_after(watched.elapsed, &request.thresholds),
        fail_on: request.fail_on,
    };
    write_result(&checked, request.format, request.messages)
        .map_err(RunError::io("write the findings"))?;
    if request.requires_events
        && let EventSource::DestroyedOnly(reason) | EventSource::Unavailable(reason) =
            watched.observation.event_history.source
    {
        let name = format!("{}_long", reason.key());
        let sentence = request.messages.screen("feed", &name);
        // The reader may have closed this; the findings are written.
        let _ = writeln!(stderr(), "tcplens: --events on: {sentence}");
    }
    Ok(match checked.status() {
        CheckStatus::Warning => ExitReason::Warning,
        CheckStatus::Critical => ExitReason::Critical,
        CheckStatus::Ok => ExitReason::Done,
        CheckStatus::Unknown => ExitReason::Inconclusive,
    })
}

fn write_result(
    checked: &CheckResult<'_>,
    format: CheckFormat,
    words: &Catalogue,
) -> std::io::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    match format {
        CheckFormat::Json => json::findings::write(checked, words, &mut out)?,
        CheckFormat::OneLine => text::write_line(checked, words, &mut out)?,
        CheckFormat::Text => {
            let width = if stdout().is_terminal() {
                terminal::size().map_or(80, |size| usize::from(size.width).clamp(40, 100))
            } else {
                80
            };
            text::write(checked, words, width, &mut out)?;
        }
    }
    out.flush()?;
    if format == CheckFormat::Text {
        // The reader may have closed this; the findings are written.
        let _ = table::write_gaps(checked.observation, words, &mut stderr().lock());
    }
    Ok(())
}
