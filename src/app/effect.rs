//! Effects outside of the app, as data: the app itself performs none.

use crate::model::action::{ProcessTarget, TargetId};
use crate::model::close::CloseTarget;
use crate::model::lab::LabRequest;
use crate::model::mute::Mute;
use crate::model::namespace::NamespaceScope;
use crate::model::refresh_mode::RefreshMode;
use crate::model::signal::Signal;
use crate::model::socket::Socket;
use std::time::Duration;

/// An effect that `run` carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Read the table now.
    Refresh,
    /// Read the table at this interval.
    SetRefreshMode(RefreshMode),
    /// Read these network namespaces.
    SetScope(NamespaceScope),
    /// Read CPU and memory of a process.
    MeasureUsage(u32),
    /// Read details of these connections, which are now on screen, at once and
    /// with every table, as long as the kernel has them, and track their states.
    ReadDetails(Vec<Socket>),
    /// Read tables with or without the TCP metrics of every connection.
    IncludeTcpMetrics(bool),
    /// Read events between the tables as they come, for their page, or not.
    StreamEvents(bool),
    /// Mute these findings from now on, and no others.
    Mute(Vec<Mute>),
    /// Ring the terminal's bell.
    Bell,
    /// Acquire a process.
    AcquireTarget(TargetId, ProcessTarget),
    /// Send a signal to an acquired process.
    Signal(TargetId, Signal),
    /// Send a signal to an acquired process and all its descendants.
    SignalTree(TargetId, Signal),
    /// Release a process.
    ReleaseTarget(TargetId),
    /// Close these connections.
    Close(Vec<CloseTarget>),
    /// Perform an action in the lab.
    LabAction(LabRequest),
    /// Send one tick after this time, instead of one requested before.
    TickAfter(Duration),
    /// Put a text on the clipboard.
    Copy(String),
    /// Put the selected row on the clipboard as JSON.
    CopyJson,
}
