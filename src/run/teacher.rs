//! The thread that has things happen in the lab's lesson: one may take a
//! moment, and the screen must not wait for it.

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

/// How long the end of the program waits for the lab to be put away: its peers
/// reset what would outlast it.
const GRACE: Duration = Duration::from_secs(4);

/// How often it is looked whether somebody has ended a process of the lesson.
const WATCH: Duration = Duration::from_millis(500);

/// The thread's other end. The lab ends when this is dropped.
pub(super) struct Teacher {
    wishes: Option<Sender<Wish>>,
    /// Closes with the thread.
    over: Receiver<Infallible>,
}

impl Teacher {
    /// Wishes for something; false if there is nobody any more to do it.
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
                        // What this has told is not told again.
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
