//! Worker thread that performs the lab's actions, so that the screen does not
//! wait for them.

use super::screen::Event;
use crate::app::message::Message;
use crate::lab::LabError;
use crate::lab::session::LabSession;
use crate::model::lab::{LabFailure, LabRequest};
use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Longest wait for the lab's shutdown at the end of the program: its peers
/// reset connections that would outlast it.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(4);

/// Poll interval for the lab's processes, which a user may end.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The thread's other end. The lab ends when this is dropped.
pub(super) struct LabWorker {
    requests: Option<Sender<LabRequest>>,
    /// Closes with the thread.
    finished: Receiver<Infallible>,
}

impl LabWorker {
    /// Requests an action; false if the worker has ended.
    pub(super) fn request(&self, wish: LabRequest) -> bool {
        let wishes = self.requests.as_ref();
        wishes.is_some_and(|wishes| wishes.send(wish).is_ok())
    }
}

impl Drop for LabWorker {
    fn drop(&mut self) {
        self.requests.take();
        let _ = self.finished.recv_timeout(SHUTDOWN_GRACE);
    }
}

fn perform(lesson: &mut LabSession, wish: &LabRequest) -> Result<(), LabFailure> {
    lesson.perform(wish).map_err(|error| match error {
        LabError::HelperGone => LabFailure::Exited,
        other => LabFailure::Failed(other.to_string()),
    })
}

/// Starts the thread.
pub(super) fn start(mut lesson: LabSession, events: Sender<Event>) -> io::Result<LabWorker> {
    let (wishes, inbox) = channel::<LabRequest>();
    let (running, over) = channel();
    thread::Builder::new()
        .name("teacher".to_owned())
        .spawn(move || {
            let _running: Sender<Infallible> = running;
            let tell = |message| {
                let _ = events.send(Event::Message(Box::new(message)));
            };
            let mut whole = true;
            loop {
                match inbox.recv_timeout(POLL_INTERVAL) {
                    Ok(wish) => {
                        let made = perform(&mut lesson, &wish);
                        // Already reported with this result.
                        whole = !matches!(made, Err(LabFailure::Exited));
                        tell(Message::LabActionDone(made));
                    }
                    Err(RecvTimeoutError::Timeout) if whole && !lesson.is_running() => {
                        whole = false;
                        tell(Message::LabExited);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            drop(lesson);
        })?;
    Ok(LabWorker {
        requests: Some(wishes),
        finished: over,
    })
}
