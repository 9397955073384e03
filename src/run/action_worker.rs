//! The thread that acts on processes and connections, so that waiting for one to end never
//! holds up the screen.

use super::doctor::probe_environment;
use super::screen::Event;
use crate::app::message::Message;
use crate::control::ProcessControl;
use crate::control::sock_destroy::ConnectionCloser;
use crate::model::action::{AccessMode, ProcessTarget, SignalOutcome, TargetId};
use crate::model::close::{CloseResult, CloseTarget};
use crate::model::signal::Signal;
use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time within which an exit is reported as immediate.
const IMMEDIATE_EXIT: Duration = Duration::from_millis(300);
/// Time after which a running process is reported as still running.
const STILL_RUNNING_AFTER: Duration = Duration::from_secs(5);
/// Longest time of one poll of all processes while requests wait.
const POLL_BUDGET: Duration = Duration::from_millis(20);
/// Poll interval for processes that were reported as still running.
const SLOW_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Longest wait for an action in progress at the end of the program.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Request to the worker.
#[derive(Clone, Debug)]
pub(super) enum ActionRequest {
    Acquire(TargetId, ProcessTarget),
    Signal(TargetId, Signal),
    SignalTree(TargetId, Signal),
    Release(TargetId),
    Close(Vec<CloseTarget>),
}

/// A process that was signalled and has not ended yet.
#[derive(Clone, Copy)]
struct SignalledProcess {
    id: TargetId,
    signal: Signal,
    since: Instant,
    reported: ReportedOutcome,
}

/// Last reported outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReportedOutcome {
    Nothing,
    Sent,
    StillRunning,
}

/// The thread's other end. Dropping it waits for the thread: a tree that is
/// stopped at that time must not be left so.
pub(super) struct ActionHandle {
    sender: Option<Sender<ActionRequest>>,
    /// Closes with the thread.
    finished: Receiver<Infallible>,
}

impl ActionHandle {
    /// Sends a request. The thread lives as long as this handle.
    pub(super) fn send(&self, deed: ActionRequest) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(deed);
        }
    }
}

impl Drop for ActionHandle {
    fn drop(&mut self) {
        self.sender.take();
        // Bounded: reading `/proc` of a hanging process can hang.
        let _ = self.finished.recv_timeout(SHUTDOWN_GRACE);
    }
}

/// Starts the thread.
pub(super) fn start(
    control: Box<dyn ProcessControl>,
    closer: Box<dyn ConnectionCloser>,
    policy: AccessMode,
    events: Sender<Event>,
) -> io::Result<ActionHandle> {
    let (deeds, asked) = channel();
    let mut actor = ActionWorker {
        control,
        closer,
        policy,
        events,
        signalled: Vec::new(),
    };
    let (running, over) = channel();
    thread::Builder::new()
        .name("actor".to_owned())
        .spawn(move || {
            let _running: Sender<Infallible> = running;
            actor.run(&asked);
        })?;
    Ok(ActionHandle {
        sender: Some(deeds),
        finished: over,
    })
}

struct ActionWorker {
    control: Box<dyn ProcessControl>,
    closer: Box<dyn ConnectionCloser>,
    policy: AccessMode,
    events: Sender<Event>,
    signalled: Vec<SignalledProcess>,
}

impl ActionWorker {
    fn run(&mut self, deeds: &Receiver<ActionRequest>) {
        let means = probe_environment(self.closer.as_mut(), self.policy);
        self.send(Message::CapabilitiesProbed(Box::new(means)));
        loop {
            let asked = match self.poll_timeout() {
                None => deeds.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(rest) => deeds.recv_timeout(rest),
            };
            match asked {
                Ok(deed) => self.execute(deed),
                Err(RecvTimeoutError::Timeout) => self.poll_processes(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    /// Returns the wait for requests before the next poll; none if there is
    /// nothing to poll.
    fn poll_timeout(&self) -> Option<Duration> {
        let all_told =
            |watched: &SignalledProcess| watched.reported == ReportedOutcome::StillRunning;
        if self.signalled.is_empty() {
            None
        } else if self.signalled.iter().all(all_told) {
            Some(SLOW_POLL_INTERVAL)
        } else {
            Some(Duration::ZERO)
        }
    }

    fn execute(&mut self, deed: ActionRequest) {
        match deed {
            ActionRequest::Acquire(id, target) => {
                let result = self.control.acquire(id, &target);
                self.send(Message::TargetAcquired(id, result));
            }
            ActionRequest::Release(id) => self.release(id),
            ActionRequest::Close(targets) => {
                let close = |target: CloseTarget| CloseResult {
                    target,
                    result: self.closer.close(&target),
                    closed_with_peer: false,
                };
                let results = targets.into_iter().map(close).collect();
                self.send(Message::CloseResults(results));
            }
            ActionRequest::Signal(id, signal) => {
                let since = Instant::now();
                let outcome = self.control.signal(id, signal);
                self.track_outcome(id, outcome, since);
            }
            ActionRequest::SignalTree(id, signal) => {
                let since = Instant::now();
                let tree = self.control.signal_tree(id, signal);
                self.send(Message::TreeSignalled(id, tree.signalled));
                self.track_outcome(id, tree.outcome, since);
            }
        }
    }

    /// Tracks the outcome of a signal.
    fn track_outcome(&mut self, id: TargetId, outcome: SignalOutcome, since: Instant) {
        self.signalled.retain(|watched| watched.id != id);
        match outcome {
            SignalOutcome::Sent { signal } => self.signalled.push(SignalledProcess {
                id,
                signal,
                since,
                reported: ReportedOutcome::Nothing,
            }),
            outcome => {
                self.control.release(id);
                self.send(Message::SignalOutcome(id, outcome));
            }
        }
    }

    /// Polls the processes in turn; never escalates by itself. A process that
    /// keeps running stays held, so that a further signal reaches it and no
    /// other.
    fn poll_processes(&mut self) {
        let count = self.signalled.len().max(1);
        let timeout = POLL_BUDGET / u32::try_from(count).unwrap_or(u32::MAX);
        for watched in std::mem::take(&mut self.signalled) {
            let ended = self.control.wait_for_exit(watched.id, timeout);
            let further = self.report(watched, ended);
            self.signalled.extend(further);
        }
    }

    /// Reports a change of a process; returns it if it is still tracked.
    fn report(&mut self, mut watched: SignalledProcess, ended: bool) -> Option<SignalledProcess> {
        let SignalledProcess { id, signal, .. } = watched;
        let after = watched.since.elapsed();
        if ended {
            self.control.release(id);
            self.send(Message::SignalOutcome(
                id,
                SignalOutcome::Exited { after, signal },
            ));
            return None;
        }
        if watched.reported != ReportedOutcome::StillRunning && after >= STILL_RUNNING_AFTER {
            watched.reported = ReportedOutcome::StillRunning;
            self.send(Message::SignalOutcome(
                id,
                SignalOutcome::StillRunning { after, signal },
            ));
            if !signal.is_terminating() {
                self.control.release(id);
                return None;
            }
        }
        if watched.reported == ReportedOutcome::Nothing && after >= IMMEDIATE_EXIT {
            watched.reported = ReportedOutcome::Sent;
            self.send(Message::SignalOutcome(id, SignalOutcome::Sent { signal }));
        }
        Some(watched)
    }

    fn release(&mut self, id: TargetId) {
        self.signalled.retain(|watched| watched.id != id);
        self.control.release(id);
    }

    /// The receiver is dropped only when the program ends.
    fn send(&self, message: Message) {
        let _ = self.events.send(Event::Message(Box::new(message)));
    }
}
