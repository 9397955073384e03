//! What happens to the app: readings, keys, the mouse, and what came of its
//! effects.

use super::command::Command;
use super::keys::Key;
use super::stream::LineMark;
use crate::explain::urgency::Urgency;
use crate::listing::Column;
use crate::model::action::{ArmId, ArmedFacts, Outcome, Refusal};
use crate::model::closing::Closed;
use crate::model::lesson::Unmade;
use crate::model::observation::Observation;
use crate::model::powers::Means;
use crate::model::signal::Signal;
use crate::model::state::State;
use std::sync::Arc;
use std::time::Duration;

/// Something happened.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "the few large ones travel in a box, and none is kept"
)]
pub enum Message {
    /// The world as it is now.
    Observed(Arc<Observation>),
    /// A reading failed as a whole; the reason in words.
    ReadingFailed(String),
    /// The time between tables is this from now on; longer than usual because a
    /// table costs so much processor time.
    Paced(Duration, Option<Duration>),
    /// A key was pressed.
    Key(Key),
    /// Keys were pressed faster than a frame is drawn.
    Keys(Vec<Key>),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something over a spot of the last frame.
    Mouse(Gesture, Spot),
    /// A frame was drawn.
    Drawn(Drawn),
    /// A target was taken hold of, or not.
    Armed(ArmId, Result<ArmedFacts, Refusal>),
    /// A signal to a tree was sent to so many processes.
    Reached(ArmId, usize),
    /// What this program can do here.
    Examined(Box<Means>),
    /// Something came of a signal.
    Acted(ArmId, Outcome),
    /// What was chosen in the lab has happened, or why not.
    Made(Result<(), Unmade>),
    /// The lab has ended, unasked: a process of its own is gone.
    LabEnded,
    /// What came of closing connections, in the order they were asked for.
    Closed(Vec<Closed>),
    /// The time is over that was asked for with
    /// [`Effect::TickAfter`](super::effect::Effect::TickAfter).
    Tick,
}

/// What the mouse did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// One press of the left button.
    Click,
    /// A second press at the same spot.
    DoubleClick,
    /// The wheel, away from the person.
    WheelUp,
    /// The wheel, towards the person.
    WheelDown,
}

/// What lies under the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A row, by its place in the order.
    Row(usize),
    /// A column's heading.
    Heading(Column),
    /// A state's chip in the header.
    Chip(Option<State>),
    /// The count of the urgent rows in the header.
    Urgent(Urgency),
    /// The finding line.
    Finding,
    /// A state in the drawing of the machine.
    Station(State),
    /// A line of the page of events.
    Happening(LineMark),
    /// An entry of the list of lessons.
    Lesson(usize),
    /// A signal in the list to choose from.
    Signal(Signal),
    /// A key in the footer.
    Command(Command),
    /// Nothing in particular.
    Elsewhere,
}

/// What drawing found out about the room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drawn {
    /// Place of the first row on screen.
    pub top: usize,
    /// How many rows fit.
    pub page: usize,
    /// How far the page of text can be scrolled.
    pub longest_scroll: u16,
    /// Whether there was room for the confirm dialog's question.
    pub question_shown: bool,
    /// Whether there was room for what the lab offers.
    pub choices_shown: bool,
}
