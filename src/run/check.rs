//! `tcplens check`: watches for a while and reports the findings, for
//! monitoring systems.

mod stood;
mod stop;
mod watching;

use super::{Ending, RunError, terminal};
use crate::explain::catalogue::Catalogue;
use crate::model::event::Feed;
use crate::model::finding::Severity;
use crate::monitor::{Monitor, MonitorOptions, Thresholds, Wishes};
use crate::report::check as text;
use crate::report::checked::{Checked, Unripe, Verdict};
use crate::report::{json, table};
use crate::source::ReadingSource;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Largest number of sockets missing from a table that are looked up.
const SETTLED: usize = 4096;

/// Output format of the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// The JSON contract.
    Json,
    /// The line of monitoring plugins.
    Line,
}

/// Input of a check.
pub struct CheckRequest {
    /// Source of the readings.
    pub source: Box<dyn ReadingSource>,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// The user's own rules, baseline and mutes.
    pub wishes: Wishes,
    /// For how long to watch.
    pub length: Duration,
    /// Lowest severity that fails the check.
    pub level: Severity,
    /// True if kernel events are required: an event source that is unavailable
    /// is reported.
    pub needs_events: bool,
    /// Output format.
    pub format: CheckFormat,
    /// Messages of the output.
    pub words: &'static Catalogue,
}

/// Watches, and writes the findings active at the end and those that ended before.
/// SIGINT, SIGTERM and SIGHUP end it early, with the findings until then; if there are
/// none, the result is unknown. A second signal, or one second after the first, ends it
/// without any.
///
/// # Errors
///
/// If nothing could be read, or nothing written.
pub fn check(request: CheckRequest) -> Result<Ending, RunError> {
    let (progress, reported) = channel();
    stop::report_signals(progress.clone())?;
    let monitor = Monitor::new(MonitorOptions {
        settled: SETTLED,
        thresholds: request.thresholds.clone(),
        wishes: request.wishes,
        ..MonitorOptions::default()
    });
    let reports = (progress, reported);
    let watched = watching::watch(request.source, monitor, request.length, reports)?;
    let checked = Checked {
        observation: &watched.observation,
        over: watched.stood.over(),
        gravest: watched.stood.gravest(),
        watched: watched.length,
        wanted: request.length,
        coverage: watched.coverage,
        unripe: Unripe::after(watched.length, &request.thresholds),
        level: request.level,
    };
    write(&checked, request.format, request.words).map_err(RunError::io("write the findings"))?;
    if request.needs_events
        && let Feed::Endings(reason) | Feed::Nothing(reason) = watched.observation.chronicle.feed
    {
        let name = format!("{}_long", reason.key());
        let sentence = request.words.screen("feed", &name);
        // The reader may have closed this; the findings are written.
        let _ = writeln!(stderr(), "tcplens: --events on: {sentence}");
    }
    Ok(match checked.verdict() {
        Verdict::Warning => Ending::Warning,
        Verdict::Critical => Ending::Critical,
        Verdict::Fine => Ending::Done,
        Verdict::Unknown => Ending::CutShort,
    })
}

fn write(checked: &Checked<'_>, format: CheckFormat, words: &Catalogue) -> std::io::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    match format {
        CheckFormat::Json => json::findings::write(checked, words, &mut out)?,
        CheckFormat::Line => text::write_line(checked, words, &mut out)?,
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
