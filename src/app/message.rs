//! Messages to the app: readings, keys, the mouse, and results of its effects.

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

/// A message to the app.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "the few large ones travel in a box, and none is kept"
)]
pub enum Message {
    /// A new observation.
    Observed(Arc<Observation>),
    /// A reading failed as a whole; the reason in words.
    ReadingFailed(String),
    /// Interval between tables from now on, and the processor time of a table if
    /// the interval is longer because of it.
    Paced(Duration, Option<Duration>),
    /// A key was pressed.
    Key(Key),
    /// Keys were pressed faster than a frame is drawn.
    Keys(Vec<Key>),
    /// Text was pasted.
    Paste(String),
    /// A mouse action on a target of the last frame.
    Mouse(Gesture, Spot),
    /// A frame was drawn.
    Drawn(Drawn),
    /// Result of acquiring a target.
    Armed(ArmId, Result<ArmedFacts, Refusal>),
    /// A signal to a tree was sent to this number of processes.
    Reached(ArmId, usize),
    /// Effective abilities of this program.
    Examined(Box<Means>),
    /// Outcome of a signal.
    Acted(ArmId, Outcome),
    /// Result of an action in the lab.
    Made(Result<(), Unmade>),
    /// The lab has exited unexpectedly: one of its processes is gone.
    LabEnded,
    /// Results of closing connections, in the order of the requests.
    Closed(Vec<Closed>),
    /// The timer requested by
    /// [`Effect::TickAfter`](super::effect::Effect::TickAfter) fired.
    Tick,
}

/// Action of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// One press of the left button.
    Click,
    /// A second press at the same position.
    DoubleClick,
    /// The wheel, up.
    WheelUp,
    /// The wheel, down.
    WheelDown,
}

/// Target under the mouse.
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
    /// A state in the diagram of the machine.
    Station(State),
    /// A line of the page of events.
    Happening(LineMark),
    /// An entry of the list of lessons.
    Lesson(usize),
    /// A signal in the list to choose from.
    Signal(Signal),
    /// A key in the footer.
    Command(Command),
    /// No target.
    Elsewhere,
}

/// Dimensions of the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Drawn {
    /// Place of the first row on screen.
    pub top: usize,
    /// Number of rows that fit.
    pub page: usize,
    /// Maximum scroll position of the page of text.
    pub longest_scroll: u16,
    /// True if the question of the confirm dialog fitted.
    pub question_shown: bool,
    /// True if the actions of the lab fitted.
    pub choices_shown: bool,
}
