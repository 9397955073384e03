//! The thread that acts on processes and connections, so that waiting for one to end never
//! holds up the screen.

use super::doctor::means;
use super::screen::Event;
use crate::app::message::Message;
use crate::control::Control;
use crate::control::destroy::Close;
use crate::model::action::{ArmId, Outcome, Policy, Target};
use crate::model::closing::{Closable, Closed};
use crate::model::signal::Signal;
use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time within which an exit is reported as immediate.
const AT_ONCE: Duration = Duration::from_millis(300);
/// Time after which a running process is reported as still running.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time of one poll of all processes while requests wait.
const LOOK: Duration = Duration::from_millis(20);
/// Poll interval for processes that were reported as still running.
const REST: Duration = Duration::from_millis(500);

/// Longest wait for an action in progress at the end of the program.
const GRACE: Duration = Duration::from_secs(2);

/// Request to the worker.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Arm(ArmId, Target),
    Signal(ArmId, Signal),
    SignalTree(ArmId, Signal),
    Disarm(ArmId),
    Close(Vec<Closable>),
}

/// A process that was signalled and has not ended yet.
#[derive(Clone, Copy)]
struct Watched {
    id: ArmId,
    signal: Signal,
    since: Instant,
    told: Told,
}

/// Last reported outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Sent,
    StillRunning,
}

/// The thread's other end. Dropping it waits for the thread: a tree that is
/// stopped at that time must not be left so.
pub(super) struct Deeds {
    sender: Option<Sender<Deed>>,
    /// Closes with the thread.
    over: Receiver<Infallible>,
}

impl Deeds {
    /// Sends a request. The thread lives as long as this handle.
    pub(super) fn send(&self, deed: Deed) {
        if let Some(sender) = &self.sender {
            let _ = sender.send(deed);
        }
    }
}

impl Drop for Deeds {
    fn drop(&mut self) {
        self.sender.take();
        // Bounded: reading `/proc` of a hanging process can hang.
        let _ = self.over.recv_timeout(GRACE);
    }
}

/// Starts the thread.
pub(super) fn start(
    control: Box<dyn Control>,
    closer: Box<dyn Close>,
    policy: Policy,
    events: Sender<Event>,
) -> io::Result<Deeds> {
    let (deeds, asked) = channel();
    let mut actor = Actor {
        control,
        closer,
        policy,
        events,
        watched: Vec::new(),
    };
    let (running, over) = channel();
    thread::Builder::new()
        .name("actor".to_owned())
        .spawn(move || {
            let _running: Sender<Infallible> = running;
            actor.run(&asked);
        })?;
    Ok(Deeds {
        sender: Some(deeds),
        over,
    })
}

struct Actor {
    control: Box<dyn Control>,
    closer: Box<dyn Close>,
    policy: Policy,
    events: Sender<Event>,
    watched: Vec<Watched>,
}

impl Actor {
    fn run(&mut self, deeds: &Receiver<Deed>) {
        let means = means(self.closer.as_mut(), self.policy);
        self.send(Message::Examined(Box::new(means)));
        loop {
            let asked = match self.rest() {
                None => deeds.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(rest) => deeds.recv_timeout(rest),
            };
            match asked {
                Ok(deed) => self.carry_out(deed),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    /// Returns the wait for requests before the next poll; none if there is
    /// nothing to poll.
    fn rest(&self) -> Option<Duration> {
        let all_told = |watched: &Watched| watched.told == Told::StillRunning;
        if self.watched.is_empty() {
            None
        } else if self.watched.iter().all(all_told) {
            Some(REST)
        } else {
            Some(Duration::ZERO)
        }
    }

    fn carry_out(&mut self, deed: Deed) {
        match deed {
            Deed::Arm(id, target) => {
                let result = self.control.arm(id, &target);
                self.send(Message::Armed(id, result));
            }
            Deed::Disarm(id) => self.disarm(id),
            Deed::Close(targets) => {
                let close = |target: Closable| Closed {
                    target,
                    result: self.closer.close(&target),
                    along: false,
                };
                let results = targets.into_iter().map(close).collect();
                self.send(Message::Closed(results));
            }
            Deed::Signal(id, signal) => {
                let since = Instant::now();
                let outcome = self.control.signal(id, signal);
                self.begin(id, outcome, since);
            }
            Deed::SignalTree(id, signal) => {
                let since = Instant::now();
                let tree = self.control.signal_tree(id, signal);
                self.send(Message::Reached(id, tree.reached));
                self.begin(id, tree.outcome, since);
            }
        }
    }

    /// Tracks the outcome of a signal.
    fn begin(&mut self, id: ArmId, outcome: Outcome, since: Instant) {
        self.watched.retain(|watched| watched.id != id);
        match outcome {
            Outcome::Sent { signal } => self.watched.push(Watched {
                id,
                signal,
                since,
                told: Told::Nothing,
            }),
            outcome => {
                self.control.disarm(id);
                self.send(Message::Acted(id, outcome));
            }
        }
    }

    /// Polls the processes in turn; never escalates by itself. A process that
    /// keeps running stays held, so that a further signal reaches it and no
    /// other.
    fn look(&mut self) {
        let count = self.watched.len().max(1);
        let patience = LOOK / u32::try_from(count).unwrap_or(u32::MAX);
        for watched in std::mem::take(&mut self.watched) {
            let ended = self.control.wait(watched.id, patience);
            let further = self.report(watched, ended);
            self.watched.extend(further);
        }
    }

    /// Reports a change of a process; returns it if it is still tracked.
    fn report(&mut self, mut watched: Watched, ended: bool) -> Option<Watched> {
        let Watched { id, signal, .. } = watched;
        let after = watched.since.elapsed();
        if ended {
            self.control.disarm(id);
            self.send(Message::Acted(id, Outcome::Ended { after, signal }));
            return None;
        }
        if watched.told != Told::StillRunning && after >= PATIENCE {
            watched.told = Told::StillRunning;
            self.send(Message::Acted(id, Outcome::StillRunning { after, signal }));
            if !signal.ends() {
                self.control.disarm(id);
                return None;
            }
        }
        if watched.told == Told::Nothing && after >= AT_ONCE {
            watched.told = Told::Sent;
            self.send(Message::Acted(id, Outcome::Sent { signal }));
        }
        Some(watched)
    }

    fn disarm(&mut self, id: ArmId) {
        self.watched.retain(|watched| watched.id != id);
        self.control.disarm(id);
    }

    /// The receiver is dropped only when the program ends.
    fn send(&self, message: Message) {
        let _ = self.events.send(Event::Message(Box::new(message)));
    }
}
