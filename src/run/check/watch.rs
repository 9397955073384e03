//! Watches for a check: a thread reads a table each second, and its findings
//! are available whenever a signal ends it, in the middle of a table or not.

use super::super::RunError;
use super::finding_log::FindingLog;
use crate::model::observation::Observation;
use crate::monitor::Monitor;
use crate::report::coverage::{Coverage, TABLE_INTERVAL, lacks_proc, unsearched};
use crate::source::ReadingSource;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time that a table under way has to end after a signal.
const LAST_TABLE_TIMEOUT: Duration = Duration::from_millis(500);

/// Result of watching.
pub(super) struct WatchResult {
    pub(super) observation: Arc<Observation>,
    pub(super) finding_log: FindingLog,
    pub(super) elapsed: Duration,
    pub(super) coverage: Coverage,
}

/// Progress of a check.
pub(super) enum Progress {
    /// A table was read: the time of its start, and the observation, if there
    /// is one.
    Table(Duration, Option<Arc<Observation>>),
    /// A table could not be read.
    Failure(RunError),
    /// Reading has ended.
    Finished,
    /// A signal requests the end.
    Signal,
}

/// Reads tables and reports each; reports the end too, however it comes.
struct TableReader {
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    duration: Duration,
    progress: Sender<Progress>,
}

/// Reads a table every second for the given time, or until a signal is reported
/// to `progress`. A table that cannot be read is left out.
///
/// # Errors
///
/// If not a single table could be read.
pub(super) fn watch(
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    length: Duration,
    (progress, reported): (Sender<Progress>, Receiver<Progress>),
) -> Result<WatchResult, RunError> {
    let began = Instant::now();
    let mut reader = TableReader {
        source,
        monitor,
        duration: length,
        progress,
    };
    let (stop, stopped) = channel();
    let thread = thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || reader.read_tables(began, &stopped))
        .map_err(RunError::io("start a thread"))?;
    let mut results = WatchProgress::default();
    let mut over = false;
    loop {
        match reported.recv() {
            Ok(Progress::Signal) => break,
            Ok(Progress::Finished) | Err(_) => {
                over = true;
                break;
            }
            Ok(other) => results.add(other),
        }
    }
    drop(stop);
    let until = Instant::now() + LAST_TABLE_TIMEOUT;
    while !over {
        match reported.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Progress::Signal) => {}
            Ok(Progress::Finished) | Err(RecvTimeoutError::Disconnected) => over = true,
            // The reader continues; its table is not waited for.
            Err(RecvTimeoutError::Timeout) => break,
            Ok(other) => results.add(other),
        }
    }
    if over && let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
    results.finish(began.elapsed())
}

impl TableReader {
    fn read_tables(&mut self, began: Instant, stopped: &Receiver<()>) {
        self.source
            .include_tcp_counters(self.monitor.uses_tcp_metrics());
        let end = began + self.duration;
        let mut due = began;
        loop {
            let at = began.elapsed();
            let progress = match self.read_observation() {
                Ok(observation) => Progress::Table(at, observation),
                Err(error) => Progress::Failure(error),
            };
            if self.progress.send(progress).is_err() || Instant::now() >= end {
                break;
            }
            due = (due + TABLE_INTERVAL).max(Instant::now()).min(end);
            let wait = due.saturating_duration_since(Instant::now());
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
    }

    /// Reads a table, looks up missing sockets, and reads the details that
    /// rules need.
    fn read_observation(&mut self) -> Result<Option<Arc<Observation>>, RunError> {
        let (source, monitor) = (self.source.as_mut(), &mut self.monitor);
        if let Some(events) = source.read_events() {
            monitor.fold(events);
        }
        source.recycle(monitor.take_socket_buffer());
        let mut observation = monitor.fold(source.read_table()?);
        let unsettled = monitor.pending_lookups();
        if !unsettled.is_empty() {
            let answers = source.look_up(unsettled);
            observation = monitor.fold(answers);
        }
        let probed = monitor.probed();
        if !probed.is_empty() {
            // Dropped before the next reading: an observation with a single
            // owner is not copied.
            drop(observation.take());
            let details = source.read_details(probed);
            observation = monitor.fold(details);
        }
        Ok(observation)
    }
}

impl Drop for TableReader {
    fn drop(&mut self) {
        // The receiver is dropped once the program ends.
        let _ = self.progress.send(Progress::Finished);
    }
}

/// Results of the tables so far.
#[derive(Default)]
struct WatchProgress {
    latest: Option<Arc<Observation>>,
    finding_log: FindingLog,
    coverage: Coverage,
    failure: Option<RunError>,
}

impl WatchProgress {
    fn add(&mut self, progress: Progress) {
        match progress {
            Progress::Table(at, observation) => {
                let gaps = observation.as_ref().map_or(&[][..], |seen| &seen.gaps);
                self.coverage.add_table(at, unsearched(gaps));
                if lacks_proc(gaps) {
                    self.coverage.note_missing_proc();
                }
                if let Some(observation) = &observation {
                    self.finding_log.record(observation);
                }
                self.latest = observation.or_else(|| self.latest.take());
            }
            Progress::Failure(error) => {
                self.coverage.add_failure();
                self.failure = Some(error);
            }
            Progress::Finished | Progress::Signal => {}
        }
    }

    fn finish(mut self, length: Duration) -> Result<WatchResult, RunError> {
        self.coverage.end(length);
        match (self.latest, self.failure) {
            (None, Some(error)) => Err(error),
            (latest, _) => Ok(WatchResult {
                observation: latest.unwrap_or_default(),
                finding_log: self.finding_log,
                elapsed: length,
                coverage: self.coverage,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::namespace::NamespaceScope;
    use crate::model::reading::{Reading, ReadingKind, Snapshot};
    use crate::model::socket::Socket;
    use crate::model::time::Time;
    use crate::monitor::MonitorOptions;
    use crate::report::coverage::Shortfall;
    use crate::source::SourceError;

    /// A source whose first table is empty, and whose second never ends.
    struct StuckSource {
        reading: Sender<()>,
        tables: u32,
    }

    impl ReadingSource for StuckSource {
        fn read_table(&mut self) -> Result<Reading, SourceError> {
            self.tables += 1;
            if self.tables == 2 {
                let _ = self.reading.send(());
                thread::park();
            }
            let snapshot = Box::new(Snapshot::default());
            Ok(Reading {
                time: Time::default(),
                kind: ReadingKind::Table(snapshot),
            })
        }

        fn set_scope(&mut self, _: NamespaceScope) {}

        fn read_usage(&mut self, _: &[u32]) -> Reading {
            panic!("nobody asks for usage")
        }

        fn read_details(&mut self, _: &[Socket]) -> Reading {
            panic!("nobody asks for details")
        }

        fn look_up(&mut self, _: &[Socket]) -> Reading {
            panic!("nothing is missing")
        }

        fn include_tcp_counters(&mut self, _: bool) {}
    }

    #[test]
    fn a_signal_ends_it_in_the_middle_of_a_table() {
        let (reading, second) = channel();
        let source = Box::new(StuckSource { reading, tables: 0 });
        let monitor = Monitor::new(MonitorOptions::default());
        let (progress, reported) = channel();
        let signal = progress.clone();
        let whole = Duration::from_secs(1);
        let began = Instant::now();
        thread::spawn(move || {
            second.recv().unwrap();
            signal.send(Progress::Signal).unwrap();
        });
        let watched = watch(source, monitor, whole, (progress, reported)).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "it went on");
        assert_eq!(watched.coverage.tables, 1, "what was read is kept");
        let hour = Duration::from_hours(1);
        let shortfall = watched.coverage.shortfall(watched.elapsed, hour);
        assert_eq!(shortfall, Some(Shortfall::EndedEarly));
    }
}
