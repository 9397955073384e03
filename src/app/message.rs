//! Messages to the app: readings, keys, the mouse, and results of its effects.

use super::command::Command;
use super::events_page::EventId;
use super::keys::Key;
use crate::explain::urgency::Urgency;
use crate::listing::Column;
use crate::model::action::{SignalOutcome, SignalRefusal, TargetFacts, TargetId};
use crate::model::close::CloseResult;
use crate::model::lab::LabFailure;
use crate::model::observation::Observation;
use crate::model::privileges::ProbedCapabilities;
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
    IntervalChanged(Duration, Option<Duration>),
    /// A key was pressed.
    Key(Key),
    /// Keys were pressed faster than a frame is drawn.
    Keys(Vec<Key>),
    /// Text was pasted.
    Paste(String),
    /// A mouse action on a target of the last frame.
    Mouse(MouseAction, HitTarget),
    /// A frame was drawn.
    FrameDrawn(FrameInfo),
    /// Result of acquiring a target.
    TargetAcquired(TargetId, Result<TargetFacts, SignalRefusal>),
    /// A signal to a tree was sent to this number of processes.
    TreeSignalled(TargetId, usize),
    /// Effective abilities of this program.
    CapabilitiesProbed(Box<ProbedCapabilities>),
    /// Outcome of a signal.
    SignalOutcome(TargetId, SignalOutcome),
    /// Result of an action in the lab.
    LabActionDone(Result<(), LabFailure>),
    /// The lab has exited unexpectedly: one of its processes is gone.
    LabExited,
    /// Results of closing connections, in the order of the requests.
    CloseResults(Vec<CloseResult>),
    /// The timer requested by
    /// [`Effect::TickAfter`](super::effect::Effect::TickAfter) fired.
    Tick,
}

/// Action of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseAction {
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
pub enum HitTarget {
    /// A row, by its place in the order.
    Row(usize),
    /// A column's heading.
    Heading(Column),
    /// A state's chip in the header.
    StateCount(Option<State>),
    /// The count of the urgent rows in the header.
    UrgencyCount(Urgency),
    /// The finding line.
    Finding,
    /// A state in the diagram of the machine.
    DiagramState(State),
    /// A line of the page of events.
    Event(EventId),
    /// An entry of the list of lessons.
    Lesson(usize),
    /// A signal in the list to choose from.
    Signal(Signal),
    /// A key in the footer.
    Command(Command),
    /// No target.
    Nothing,
}

/// Dimensions of the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FrameInfo {
    /// Place of the first row on screen.
    pub top: usize,
    /// Number of rows that fit.
    pub visible_rows: usize,
    /// Maximum scroll position of the page of text.
    pub max_scroll: u16,
    /// True if the question of the confirm dialog fitted.
    pub question_shown: bool,
    /// True if the actions of the lab fitted.
    pub choices_shown: bool,
}
