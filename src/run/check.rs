//! `tcplens check`: watches for a while and tells what was found, for monitoring
//! systems.

mod stood;

use super::{Ending, RunError, terminal};
use crate::explain::catalogue::Catalogue;
use crate::model::event::Feed;
use crate::model::finding::Severity;
use crate::model::observation::Observation;
use crate::monitor::{Monitor, MonitorOptions, Thresholds, Wishes};
use crate::report::check as text;
use crate::report::checked::{Checked, Unripe, Verdict};
use crate::report::{json, table};
use crate::source::ReadingSource;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};
use stood::Stood;

/// Between two tables.
const EVERY: Duration = Duration::from_secs(1);
/// Of how many sockets that a table lacks it is asked what has become of them.
const SETTLED: usize = 4096;

/// How findings are written.
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

/// What a check needs.
pub struct CheckRequest {
    /// Where the readings come from.
    pub source: Box<dyn ReadingSource>,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// What a person adds to them.
    pub wishes: Wishes,
    /// For how long to watch.
    pub length: Duration,
    /// From here on a finding is bad news.
    pub level: Severity,
    /// Whether the kernel's events must be read: if they cannot, that is said.
    pub needs_events: bool,
    /// As what.
    pub format: CheckFormat,
    /// The words to say it in.
    pub words: &'static Catalogue,
}

/// Watches, and writes the findings that stand at the end and those that stood
/// before. SIGINT, SIGTERM and SIGHUP end it early, with what was found until then; if
/// that is nothing, nothing is known.
///
/// # Errors
///
/// If nothing could be read, or nothing written.
pub fn check(mut request: CheckRequest) -> Result<Ending, RunError> {
    let stop = stop_signals()?;
    let watched = watch(&mut request, &stop)?;
    let checked = Checked {
        observation: &watched.observation,
        over: watched.stood.over(),
        gravest: watched.stood.gravest(),
        watched: watched.length,
        wanted: request.length,
        unread: watched.unread,
        unripe: Unripe::after(watched.length, &request.thresholds),
        level: request.level,
    };
    write(&checked, &request).map_err(RunError::io("write the findings"))?;
    if request.needs_events
        && let Feed::Endings(reason) | Feed::Nothing(reason) = watched.observation.chronicle.feed
    {
        let name = format!("{}_long", reason.key());
        let sentence = request.words.screen("feed", &name);
        // Whoever reads may have closed this; the findings are written.
        let _ = writeln!(stderr(), "tcplens: --events on: {sentence}");
    }
    Ok(match checked.verdict() {
        Verdict::Warning => Ending::Warning,
        Verdict::Critical => Ending::Critical,
        Verdict::Fine => Ending::Done,
        Verdict::Unknown => Ending::CutShort,
    })
}

/// What was seen while watching.
struct Watched {
    observation: Arc<Observation>,
    stood: Stood,
    length: Duration,
    /// So many tables could not be read.
    unread: u32,
}

/// Reads a table every second until the time is over or a signal comes. A table
/// that cannot be read is left out; the next one may be.
fn watch(request: &mut CheckRequest, stop: &Receiver<()>) -> Result<Watched, RunError> {
    let mut monitor = Monitor::new(MonitorOptions {
        settled: SETTLED,
        thresholds: request.thresholds.clone(),
        wishes: std::mem::take(&mut request.wishes),
        ..MonitorOptions::default()
    });
    request.source.include_flows(monitor.needs_flows());
    let began = Instant::now();
    let end = began + request.length;
    let mut due = began;
    let (mut seen, mut stood) = (None, Stood::default());
    let (mut unread, mut failed) = (0, None);
    loop {
        match read(request.source.as_mut(), &mut monitor) {
            Ok(observation) => {
                if let Some(observation) = &observation {
                    stood.note(observation);
                }
                seen = observation.or(seen);
            }
            Err(error) => {
                unread += 1;
                failed = Some(error);
            }
        }
        if Instant::now() >= end {
            break;
        }
        due = (due + EVERY).max(Instant::now()).min(end);
        let wait = due.saturating_duration_since(Instant::now());
        match stop.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    match (seen, failed) {
        (None, Some(error)) => Err(error),
        (seen, _) => Ok(Watched {
            observation: seen.unwrap_or_default(),
            stood,
            length: began.elapsed(),
            unread,
        }),
    }
}

/// A reader that waits for a signal to end.
fn stop_signals() -> Result<Receiver<()>, RunError> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(RunError::io("listen for signals"))?;
    let (stop, stopped) = channel();
    let spawned = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in &mut signals {
                // Gone when the program ends anyway.
                let _ = stop.send(());
            }
        });
    spawned.map_err(RunError::io("start a thread"))?;
    Ok(stopped)
}

/// Reads a table, settles what it lacks, and reads what the rules ask for.
fn read(
    source: &mut dyn ReadingSource,
    monitor: &mut Monitor,
) -> Result<Option<Arc<Observation>>, RunError> {
    if let Some(events) = source.read_events() {
        monitor.fold(events);
    }
    source.reuse(monitor.take_spent());
    let mut observation = monitor.fold(source.read_table()?);
    let unsettled = monitor.unsettled();
    if !unsettled.is_empty() {
        let answers = source.look_up(unsettled);
        observation = monitor.fold(answers);
    }
    let probed = monitor.probed();
    if !probed.is_empty() {
        // Let go before it is read on: what nobody else has is not copied.
        drop(observation.take());
        let details = source.read_details(probed);
        observation = monitor.fold(details);
    }
    Ok(observation)
}

fn write(checked: &Checked<'_>, request: &CheckRequest) -> std::io::Result<()> {
    let mut out = BufWriter::new(stdout().lock());
    let words = request.words;
    match request.format {
        CheckFormat::Json => json::findings::write(checked, words, &mut out)?,
        CheckFormat::Line => text::write_line(checked, words, &mut out)?,
        CheckFormat::Text => {
            let width = if stdout().is_terminal() {
                terminal::size().map_or(80, |(columns, _)| usize::from(columns).clamp(40, 100))
            } else {
                80
            };
            text::write(checked, words, width, &mut out)?;
        }
    }
    out.flush()?;
    if request.format == CheckFormat::Text {
        // Whoever reads may have closed this; the findings are written.
        let _ = table::write_gaps(checked.observation, words, &mut stderr().lock());
    }
    Ok(())
}
