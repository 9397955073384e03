//! The thread that has things happen in the lab's lesson: one may take a
//! moment, and the screen must not wait for it.

use super::screen::Event;
use crate::app::message::Message;
use crate::lab::lesson::Lesson;
use crate::model::lesson::Wish;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Starts the thread. It ends when the wishes' other end is dropped.
pub(super) fn start(mut lesson: Lesson, events: Sender<Event>) -> io::Result<Sender<Wish>> {
    let (wishes, inbox) = channel::<Wish>();
    thread::Builder::new()
        .name("teacher".to_owned())
        .spawn(move || {
            while let Ok(wish) = inbox.recv() {
                let made = lesson.make(&wish).map_err(|error| error.to_string());
                let _ = events.send(Event::Message(Box::new(Message::Made(made))));
            }
        })?;
    Ok(wishes)
}
