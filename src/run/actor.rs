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
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// After this long a process that still runs is reported so.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one look at a process may take while orders wait.
const LOOK: Duration = Duration::from_millis(100);

/// What the actor can be asked for.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    Arm(ArmId, Target),
    Signal(ArmId, Signal),
    Disarm(ArmId),
    Close(Vec<Closable>),
}

/// A process that was signalled and has not ended yet.
#[derive(Clone, Copy)]
struct Watched {
    id: ArmId,
    signal: Signal,
    since: Instant,
}

/// Starts the thread. It ends when the deeds' other end is dropped.
pub(super) fn start(
    control: Box<dyn Control>,
    closer: Box<dyn Close>,
    policy: Policy,
    events: Sender<Event>,
) -> io::Result<Sender<Deed>> {
    let (deeds, asked) = channel();
    let mut actor = Actor {
        control,
        closer,
        policy,
        events,
        watched: Vec::new(),
    };
    thread::Builder::new()
        .name("actor".to_owned())
        .spawn(move || actor.run(&asked))?;
    Ok(deeds)
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
        self.send(Message::ClosingIs(means.closing.clone()));
        self.send(Message::Examined(Box::new(means)));
        loop {
            let asked = if self.watched.is_empty() {
                deeds.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                deeds.recv_timeout(Duration::ZERO)
            };
            match asked {
                Ok(deed) => self.carry_out(deed),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn carry_out(&mut self, deed: Deed) {
        match deed {
            Deed::Arm(id, target) => {
                let result = self.control.arm(id, &target);
                self.send(Message::Armed(id, result));
            }
            Deed::Disarm(id) => self.control.disarm(id),
            Deed::Close(targets) => {
                let close = |target: Closable| Closed {
                    target,
                    result: self.closer.close(&target),
                };
                let results = targets.into_iter().map(close).collect();
                self.send(Message::Closed(results));
            }
            Deed::Signal(id, signal) => {
                let since = Instant::now();
                let outcome = self.control.signal(id, signal);
                if matches!(outcome, Outcome::Sent { .. }) {
                    self.watched.push(Watched { id, signal, since });
                } else {
                    self.control.disarm(id);
                }
                self.send(Message::Acted(id, outcome));
            }
        }
    }

    /// Looks whether a watched process has ended; never escalates by itself.
    fn look(&mut self) {
        if self.watched.is_empty() {
            return;
        }
        let watched = self.watched.remove(0);
        let Watched { id, signal, since } = watched;
        let ended = self.control.wait(id, LOOK);
        let after = since.elapsed();
        if !ended && after < PATIENCE {
            self.watched.push(watched);
            return;
        }
        self.control.disarm(id);
        let outcome = if ended {
            Outcome::Ended { after, signal }
        } else {
            Outcome::StillRunning { after, signal }
        };
        self.send(Message::Acted(id, outcome));
    }

    /// The other end is gone only when the program ends.
    fn send(&self, message: Message) {
        let _ = self.events.send(Event::Message(Box::new(message)));
    }
}
