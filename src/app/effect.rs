//! What is to be done outside, as data: the app itself does nothing.

use crate::model::action::{ArmId, Target};
use crate::model::closing::Closable;
use crate::model::lesson::Wish;
use crate::model::mute::Mute;
use crate::model::namespace::Scope;
use crate::model::pace::Pace;
use crate::model::signal::Signal;
use crate::model::socket::Socket;
use std::time::Duration;

/// Something `run` carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Read the table now.
    Refresh,
    /// Read the table this often.
    SetPace(Pace),
    /// Read these network namespaces.
    SetScope(Scope),
    /// Read CPU and memory of a process.
    MeasureUsage(u32),
    /// From now on these connections are on screen: read what they carry, now
    /// and with every table, where the kernel still knows that, and follow their
    /// way through the states.
    Watch(Vec<Socket>),
    /// Read tables with what every connection carries, or no longer.
    IncludeFlows(bool),
    /// Read events between the tables too, as their page is open, or no longer.
    StreamEvents(bool),
    /// Mute these findings from now on, and no others.
    Mute(Vec<Mute>),
    /// Ring the terminal's bell.
    Ring,
    /// Take hold of a process.
    Arm(ArmId, Target),
    /// Send a signal to the process taken hold of.
    Signal(ArmId, Signal),
    /// Send it to the process taken hold of and all its descendants.
    SignalTree(ArmId, Signal),
    /// Let go of it.
    Disarm(ArmId),
    /// Close these connections.
    Close(Vec<Closable>),
    /// Have something happen in the lab.
    Make(Wish),
    /// Send one tick after this time; a tick that was asked for before is
    /// forgotten.
    TickAfter(Duration),
    /// Put a text on the clipboard.
    Copy(String),
    /// Put the selected row on the clipboard as JSON.
    CopyJson,
}
