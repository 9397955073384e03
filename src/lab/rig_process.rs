//! A whole rig in a process of its own, so that a table can be watched, and
//! even its owner be ended, from another.

use super::LabError;
use super::device::DeviceChoice;
use super::helper::{Helper, HelperRole, send_line, send_ready, wait_for_end};
use super::namespace::LabNamespace;
use super::rig::Rig;
use super::rig_socket::RigSocket;
use std::time::Duration;

/// Parking one of everything takes well under a second.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Often enough for `TIME_WAIT` to last.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(20);

/// A process in which one of everything is parked. It ends when this is
/// dropped.
#[derive(Debug)]
pub struct RigProcess {
    helper: Helper,
    sockets: Vec<RigSocket>,
}

impl RigProcess {
    /// Starts the process and waits until everything is parked.
    ///
    /// # Errors
    ///
    /// If the process cannot be started, or reports an error.
    pub fn start(namespace: &LabNamespace, choice: DeviceChoice) -> Result<Self, LabError> {
        let mut helper = Helper::start(namespace, HelperRole::Rig(choice))?;
        let lines = helper.wait_until_ready(START_TIMEOUT)?;
        let parked = lines
            .iter()
            .map(|line| serde_json::from_str(line))
            .collect::<Result<_, _>>()
            .map_err(LabError::io("understand", "the parking process"))?;
        Ok(Self {
            helper,
            sockets: parked,
        })
    }

    /// The parked sockets.
    #[must_use]
    pub fn sockets(&self) -> &[RigSocket] {
        &self.sockets
    }

    /// The process that parks.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.helper.pid()
    }
}

/// Runs in that process: parks the sockets, reports them, and maintains them
/// until the input closes.
pub(super) fn run(namespace: &LabNamespace, choice: DeviceChoice) -> Result<(), LabError> {
    let mut rig = Rig::open(namespace, choice)?;
    rig.create_all()?;
    for parked in rig.sockets() {
        let line = serde_json::to_string(parked).map_err(LabError::io("tell of", "a socket"))?;
        send_line(&line)?;
    }
    send_ready()?;
    while !wait_for_end(Some(MAINTENANCE_INTERVAL))? {
        rig.maintain();
    }
    Ok(())
}
