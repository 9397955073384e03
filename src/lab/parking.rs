//! A whole rig in a process of its own, so that a table can be watched, and
//! even its owner be ended, from another.

use super::LabError;
use super::device::DeviceChoice;
use super::helper::{Helper, Role, say, say_ready, wait_for_end};
use super::namespace::Namespace;
use super::parked::Parked;
use super::rig::Rig;
use std::time::Duration;

/// Parking one of everything takes well under a second.
const PATIENCE: Duration = Duration::from_mins(1);
/// Often enough for `TIME_WAIT` to last.
const UPKEEP: Duration = Duration::from_secs(20);

/// A process in which one of everything is parked. It ends when this is
/// dropped.
#[derive(Debug)]
pub struct Parking {
    helper: Helper,
    parked: Vec<Parked>,
}

impl Parking {
    /// Starts the process and waits until everything is parked.
    ///
    /// # Errors
    ///
    /// If the process cannot be started, or reports an error.
    pub fn start(namespace: &Namespace, choice: DeviceChoice) -> Result<Self, LabError> {
        let mut helper = Helper::start(namespace, Role::Park(choice))?;
        let lines = helper.ready(PATIENCE)?;
        let parked = lines
            .iter()
            .map(|line| serde_json::from_str(line))
            .collect::<Result<_, _>>()
            .map_err(LabError::io("understand", "the parking process"))?;
        Ok(Self { helper, parked })
    }

    /// The parked sockets.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// The process that parks.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.helper.pid()
    }
}

/// Runs in that process: parks the sockets, reports them, and maintains them
/// until the input closes.
pub(super) fn play(namespace: &Namespace, choice: DeviceChoice) -> Result<(), LabError> {
    let mut rig = Rig::open(namespace, choice)?;
    rig.park_everything()?;
    for parked in rig.parked() {
        let line = serde_json::to_string(parked).map_err(LabError::io("tell of", "a socket"))?;
        say(&line)?;
    }
    say_ready()?;
    while !wait_for_end(Some(UPKEEP))? {
        rig.keep_up();
    }
    Ok(())
}
