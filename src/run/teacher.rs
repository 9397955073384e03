//! Worker thread that performs the lab's actions, so that the screen does not
//! wait for them.

use super::screen::Event;
use crate::app::message::Message;
use crate::lab::LabError;
use crate::lab::lesson::Lesson;
use crate::model::lesson::{Unmade, Wish};
use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Longest wait for the lab's shutdown at the end of the program: its peers
/// reset connections that would outlast it.
const GRACE: Duration = Duration::from_secs(4);

/// Poll interval for the lab's processes, which a user may end.
const WATCH: Duration = Duration::from_millis(500);

/// The thread's other end. The lab ends when this is dropped.
pub(super) struct Teacher {
    wishes: Option<Sender<Wish>>,
    /// Closes with the thread.
    over: Receiver<Infallible>,
}

impl Teacher {
    /// Requests an action; false if the worker has ended.
    pub(super) fn ask(&self, wish: Wish) -> bool {
        let wishes = self.wishes.as_ref();
        wishes.is_some_and(|wishes| wishes.send(wish).is_ok())
    }
}

impl Drop for Teacher {
    fn drop(&mut self) {
        self.wishes.take();
        let _ = self.over.recv_timeout(GRACE);
    }
}

fn make(lesson: &mut Lesson, wish: &Wish) -> Result<(), Unmade> {
    lesson.make(wish).map_err(|error| match error {
        LabError::Gone => Unmade::Gone,
        other => Unmade::Failed(other.to_string()),
    })
}

/// Starts the thread.
pub(super) fn start(mut lesson: Lesson, events: Sender<Event>) -> io::Result<Teacher> {
    let (wishes, inbox) = channel::<Wish>();
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
                match inbox.recv_timeout(WATCH) {
                    Ok(wish) => {
                        let made = make(&mut lesson, &wish);
                        // Already reported with this result.
                        whole = !matches!(made, Err(Unmade::Gone));
                        tell(Message::Made(made));
                    }
                    Err(RecvTimeoutError::Timeout) if whole && !lesson.is_whole() => {
                        whole = false;
                        tell(Message::LabEnded);
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            drop(lesson);
        })?;
    Ok(Teacher {
        wishes: Some(wishes),
        over,
    })
}
