//! A lab session: the sockets in processes of their own, and their next steps
//! on request.

use super::LabError;
use super::device::DeviceChoice;
use super::helper::{Helper, HelperRole, Maintenance, send_ready, serve};
use super::namespace::LabNamespace;
use super::state_lab::StateLab;
use super::tour::{FLOOD_COMMAND, Tour};
use crate::model::endpoint::Endpoint;
use crate::model::lab::{LabAction, LabMode, LabRequest};
use crate::model::protocol::Protocol;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Setting everything up takes well under a second.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Often enough for `TIME_WAIT` to last.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(20);
/// Between two handfuls of a flood.
const FLOOD_INTERVAL: Duration = Duration::from_millis(100);

/// A running lab session. It ends when this is dropped.
#[derive(Debug)]
pub struct LabSession {
    namespace: LabNamespace,
    choice: DeviceChoice,
    mode: LabMode,
    /// None while it restarts, and if that failed.
    processes: Option<LabProcesses>,
}

/// The processes of a session.
#[derive(Debug)]
struct LabProcesses {
    state_lab: Helper,
    tour: Option<Tour>,
}

impl LabProcesses {
    fn start(
        namespace: &LabNamespace,
        choice: DeviceChoice,
        course: LabMode,
    ) -> Result<Self, LabError> {
        let mut class = Helper::start(namespace, HelperRole::Lab(choice, course))?;
        class.wait_until_ready(REQUEST_TIMEOUT)?;
        let tour = match course {
            LabMode::States => None,
            LabMode::Tour => Some(Tour::start(namespace)?),
        };
        Ok(Self {
            state_lab: class,
            tour,
        })
    }

    fn perform(&mut self, wish: &LabRequest, namespace: &LabNamespace) -> Result<(), LabError> {
        match &mut self.tour {
            Some(tour) if wish.action == LabAction::Next => {
                tour.play_next_chapter(namespace, &mut self.state_lab)
            }
            _ => {
                let line = serde_json::to_string(&LabRequestLine::from(wish))
                    .map_err(LabError::io("tell of", "a move"))?;
                self.state_lab.request(&line, REQUEST_TIMEOUT)
            }
        }
    }

    fn is_running(&mut self) -> bool {
        self.state_lab.is_running() && self.tour.as_mut().is_none_or(Tour::is_running)
    }
}

impl LabSession {
    /// Starts the processes and waits until everything is set up.
    ///
    /// # Errors
    ///
    /// If one of them cannot be started, or reports an error.
    pub fn start(
        namespace: &LabNamespace,
        choice: DeviceChoice,
        course: LabMode,
    ) -> Result<Self, LabError> {
        let company = LabProcesses::start(namespace, choice, course)?;
        Ok(Self {
            namespace: namespace.clone(),
            choice,
            mode: course,
            processes: Some(company),
        })
    }

    /// Performs a request and waits for it. A restart works even if the
    /// processes have ended, with new ones.
    ///
    /// # Errors
    ///
    /// [`LabError::HelperGone`] if a process that it needs has ended; else if the request
    /// does not fit the current state, or failed.
    pub fn perform(&mut self, wish: &LabRequest) -> Result<(), LabError> {
        let anew = self.mode == LabMode::Tour || !self.is_running();
        if wish.action == LabAction::SetUpAgain && anew {
            return self.restart();
        }
        let company = self.processes.as_mut().ok_or(LabError::HelperGone)?;
        company.perform(wish, &self.namespace)
    }

    /// Returns true if all its processes are running.
    pub fn is_running(&mut self) -> bool {
        self.processes
            .as_mut()
            .is_some_and(LabProcesses::is_running)
    }

    fn restart(&mut self) -> Result<(), LabError> {
        // The old ones first: the device has one name, and so have the ports.
        drop(self.processes.take());
        let company = LabProcesses::start(&self.namespace, self.choice, self.mode)?;
        self.processes = Some(company);
        Ok(())
    }
}

/// A request as a line between the two processes.
#[derive(Debug, Serialize, Deserialize)]
struct LabRequestLine {
    what: LabAction,
    udp: bool,
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

impl From<&LabRequest> for LabRequestLine {
    fn from(wish: &LabRequest) -> Self {
        let address = |end: Endpoint| SocketAddr::new(end.address(), end.port);
        Self {
            what: wish.action,
            udp: wish.protocol == Protocol::Udp,
            local: address(wish.local),
            remote: wish.remote.map(address),
        }
    }
}

impl From<LabRequestLine> for LabRequest {
    fn from(order: LabRequestLine) -> Self {
        let end = |address: SocketAddr| Endpoint::new(address.ip(), address.port());
        Self {
            action: order.what,
            protocol: if order.udp {
                Protocol::Udp
            } else {
                Protocol::Tcp
            },
            local: end(order.local),
            remote: order.remote.map(end),
        }
    }
}

/// Runs in the process that has the sockets.
pub(super) fn run(
    namespace: &LabNamespace,
    choice: DeviceChoice,
    course: LabMode,
) -> Result<(), LabError> {
    let mut class = StateLab::open(namespace, choice)?;
    if course == LabMode::States {
        class.set_up()?;
    }
    send_ready()?;
    // Both the upkeep and the orders need the class.
    let class = std::cell::RefCell::new(class);
    let keep_up = |why| {
        let mut class = class.borrow_mut();
        match (course, why) {
            (LabMode::States, Maintenance::Query) => Some(MAINTENANCE_INTERVAL),
            (LabMode::States, Maintenance::Due) => {
                class.maintain();
                Some(MAINTENANCE_INTERVAL)
            }
            (LabMode::Tour, _) => class.continue_flood().then_some(FLOOD_INTERVAL),
        }
    };
    serve(keep_up, |line| handle_line(&mut class.borrow_mut(), line))
}

fn handle_line(class: &mut StateLab<'_>, line: &str) -> Result<(), LabError> {
    let unknown = || LabError::NotApplicable("what was that?");
    if let Some(rest) = line.strip_prefix(FLOOD_COMMAND) {
        let mut numbers = rest.split_whitespace().map(str::parse);
        let mut number = || numbers.next().and_then(Result::ok).ok_or_else(unknown);
        let (port, count) = (number()?, number()?);
        class.start_flood(port, count);
        return Ok(());
    }
    let order: LabRequestLine = serde_json::from_str(line).map_err(|_| unknown())?;
    class.perform(&order.into())
}
