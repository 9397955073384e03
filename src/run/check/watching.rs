//! Watches for a check: a thread reads a table each second, and its findings
//! are available whenever a signal ends it, in the middle of a table or not.

use super::super::RunError;
use super::stood::Stood;
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
const LAST_TABLE: Duration = Duration::from_millis(500);

/// Result of watching.
pub(super) struct Watched {
    pub(super) observation: Arc<Observation>,
    pub(super) stood: Stood,
    pub(super) length: Duration,
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
    Over,
    /// A signal requests the end.
    Signal,
}

/// Reads tables and reports each; reports the end too, however it comes.
struct Reader {
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    length: Duration,
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
) -> Result<Watched, RunError> {
    let began = Instant::now();
    let mut reader = Reader {
        source,
        monitor,
        length,
        progress,
    };
    let (stop, stopped) = channel();
    let thread = thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || reader.read_tables(began, &stopped))
        .map_err(RunError::io("start a thread"))?;
    let mut results = Results::default();
    let mut over = false;
    loop {
        match reported.recv() {
            Ok(Progress::Signal) => break,
            Ok(Progress::Over) | Err(_) => {
                over = true;
                break;
            }
            Ok(other) => results.add(other),
        }
    }
    drop(stop);
    let until = Instant::now() + LAST_TABLE;
    while !over {
        match reported.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Progress::Signal) => {}
            Ok(Progress::Over) | Err(RecvTimeoutError::Disconnected) => over = true,
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

impl Reader {
    fn read_tables(&mut self, began: Instant, stopped: &Receiver<()>) {
        self.source.include_flows(self.monitor.needs_flows());
        let end = began + self.length;
        let mut due = began;
        loop {
            let at = began.elapsed();
            let progress = match self.read() {
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
    fn read(&mut self) -> Result<Option<Arc<Observation>>, RunError> {
        let (source, monitor) = (self.source.as_mut(), &mut self.monitor);
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
            // Dropped before the next reading: an observation with a single
            // owner is not copied.
            drop(observation.take());
            let details = source.read_details(probed);
            observation = monitor.fold(details);
        }
        Ok(observation)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The receiver is dropped once the program ends.
        let _ = self.progress.send(Progress::Over);
    }
}

/// Results of the tables so far.
#[derive(Default)]
struct Results {
    latest: Option<Arc<Observation>>,
    stood: Stood,
    coverage: Coverage,
    failure: Option<RunError>,
}

impl Results {
    fn add(&mut self, progress: Progress) {
        match progress {
            Progress::Table(at, observation) => {
                let gaps = observation.as_ref().map_or(&[][..], |seen| &seen.gaps);
                self.coverage.add_table(at, unsearched(gaps));
                if lacks_proc(gaps) {
                    self.coverage.note_missing_proc();
                }
                if let Some(observation) = &observation {
                    self.stood.note(observation);
                }
                self.latest = observation.or_else(|| self.latest.take());
            }
            Progress::Failure(error) => {
                self.coverage.add_failure();
                self.failure = Some(error);
            }
            Progress::Over | Progress::Signal => {}
        }
    }

    fn finish(mut self, length: Duration) -> Result<Watched, RunError> {
        self.coverage.end(length);
        match (self.latest, self.failure) {
            (None, Some(error)) => Err(error),
            (latest, _) => Ok(Watched {
                observation: latest.unwrap_or_default(),
                stood: self.stood,
                length,
                coverage: self.coverage,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::namespace::Scope;
    use crate::model::reading::{Matter, Reading, Snapshot};
    use crate::model::socket::Socket;
    use crate::model::time::Time;
    use crate::monitor::MonitorOptions;
    use crate::report::coverage::Shortfall;
    use crate::source::SourceError;

    /// A source whose first table is empty, and whose second never ends.
    struct Stuck {
        reading: Sender<()>,
        tables: u32,
    }

    impl ReadingSource for Stuck {
        fn read_table(&mut self) -> Result<Reading, SourceError> {
            self.tables += 1;
            if self.tables == 2 {
                let _ = self.reading.send(());
                thread::park();
            }
            let snapshot = Box::new(Snapshot::default());
            Ok(Reading {
                time: Time::default(),
                matter: Matter::Table(snapshot),
            })
        }

        fn set_scope(&mut self, _: Scope) {}

        fn read_usage(&mut self, _: &[u32]) -> Reading {
            panic!("nobody asks for usage")
        }

        fn read_details(&mut self, _: &[Socket]) -> Reading {
            panic!("nobody asks for details")
        }

        fn look_up(&mut self, _: &[Socket]) -> Reading {
            panic!("nothing is missing")
        }

        fn include_flows(&mut self, _: bool) {}
    }

    #[test]
    fn a_signal_ends_it_in_the_middle_of_a_table() {
        let (reading, second) = channel();
        let source = Box::new(Stuck { reading, tables: 0 });
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
        let shortfall = watched.coverage.shortfall(watched.length, hour);
        assert_eq!(shortfall, Some(Shortfall::EndedEarly));
    }
}
