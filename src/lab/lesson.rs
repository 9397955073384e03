//! A lab session: the sockets in processes of their own, and their next steps
//! on request.

use super::LabError;
use super::classroom::Classroom;
use super::device::DeviceChoice;
use super::helper::{Helper, Role, Upkeep, obey, say_ready};
use super::namespace::Namespace;
use super::tour::{FLOOD_ORDER, Tour};
use crate::model::endpoint::Endpoint;
use crate::model::lesson::{Course, Move, Wish};
use crate::model::protocol::Protocol;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// Setting everything up takes well under a second.
const PATIENCE: Duration = Duration::from_secs(30);
/// Often enough for `TIME_WAIT` to last.
const UPKEEP: Duration = Duration::from_secs(20);
/// Between two handfuls of a flood.
const FLOODING: Duration = Duration::from_millis(100);

/// A running lab session. It ends when this is dropped.
#[derive(Debug)]
pub struct Lesson {
    namespace: Namespace,
    choice: DeviceChoice,
    course: Course,
    /// None while it restarts, and if that failed.
    company: Option<Company>,
}

/// The processes of a session.
#[derive(Debug)]
struct Company {
    class: Helper,
    tour: Option<Tour>,
}

impl Company {
    fn gather(
        namespace: &Namespace,
        choice: DeviceChoice,
        course: Course,
    ) -> Result<Self, LabError> {
        let mut class = Helper::start(namespace, Role::Teach(choice, course))?;
        class.ready(PATIENCE)?;
        let tour = match course {
            Course::States => None,
            Course::Tour => Some(Tour::begin(namespace)?),
        };
        Ok(Self { class, tour })
    }

    fn make(&mut self, wish: &Wish, namespace: &Namespace) -> Result<(), LabError> {
        match &mut self.tour {
            Some(tour) if wish.what == Move::Next => tour.go_on(namespace, &mut self.class),
            _ => {
                let line = serde_json::to_string(&Order::from(wish))
                    .map_err(LabError::io("tell of", "a move"))?;
                self.class.order(&line, PATIENCE)
            }
        }
    }

    fn is_whole(&mut self) -> bool {
        self.class.runs() && self.tour.as_mut().is_none_or(Tour::is_whole)
    }
}

impl Lesson {
    /// Starts the processes and waits until everything is set up.
    ///
    /// # Errors
    ///
    /// If one of them cannot be started, or reports an error.
    pub fn start(
        namespace: &Namespace,
        choice: DeviceChoice,
        course: Course,
    ) -> Result<Self, LabError> {
        let company = Company::gather(namespace, choice, course)?;
        Ok(Self {
            namespace: namespace.clone(),
            choice,
            course,
            company: Some(company),
        })
    }

    /// Performs a request and waits for it. A restart works even if the
    /// processes have ended, with new ones.
    ///
    /// # Errors
    ///
    /// [`LabError::Gone`] if a process that it needs has ended; else if the request
    /// does not fit the current state, or failed.
    pub fn make(&mut self, wish: &Wish) -> Result<(), LabError> {
        let anew = self.course == Course::Tour || !self.is_whole();
        if wish.what == Move::SetUpAgain && anew {
            return self.begin_anew();
        }
        let company = self.company.as_mut().ok_or(LabError::Gone)?;
        company.make(wish, &self.namespace)
    }

    /// Returns true if all its processes are running.
    pub fn is_whole(&mut self) -> bool {
        self.company.as_mut().is_some_and(Company::is_whole)
    }

    fn begin_anew(&mut self) -> Result<(), LabError> {
        // The old ones first: the device has one name, and so have the ports.
        drop(self.company.take());
        let company = Company::gather(&self.namespace, self.choice, self.course)?;
        self.company = Some(company);
        Ok(())
    }
}

/// A request as a line between the two processes.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    what: Move,
    udp: bool,
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

impl From<&Wish> for Order {
    fn from(wish: &Wish) -> Self {
        let address = |end: Endpoint| SocketAddr::new(end.address(), end.port);
        Self {
            what: wish.what,
            udp: wish.protocol == Protocol::Udp,
            local: address(wish.local),
            remote: wish.remote.map(address),
        }
    }
}

impl From<Order> for Wish {
    fn from(order: Order) -> Self {
        let end = |address: SocketAddr| Endpoint::new(address.ip(), address.port());
        Self {
            what: order.what,
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
pub(super) fn play(
    namespace: &Namespace,
    choice: DeviceChoice,
    course: Course,
) -> Result<(), LabError> {
    let mut class = Classroom::open(namespace, choice)?;
    if course == Course::States {
        class.set_up()?;
    }
    say_ready()?;
    // Both the upkeep and the orders need the class.
    let class = std::cell::RefCell::new(class);
    let keep_up = |why| {
        let mut class = class.borrow_mut();
        match (course, why) {
            (Course::States, Upkeep::Asked) => Some(UPKEEP),
            (Course::States, Upkeep::Due) => {
                class.keep_up();
                Some(UPKEEP)
            }
            (Course::Tour, _) => class.flood_on().then_some(FLOODING),
        }
    };
    obey(keep_up, |line| follow(&mut class.borrow_mut(), line))
}

fn follow(class: &mut Classroom<'_>, line: &str) -> Result<(), LabError> {
    let unknown = || LabError::Lesson("what was that?");
    if let Some(rest) = line.strip_prefix(FLOOD_ORDER) {
        let mut numbers = rest.split_whitespace().map(str::parse);
        let mut number = || numbers.next().and_then(Result::ok).ok_or_else(unknown);
        let (port, count) = (number()?, number()?);
        class.flood(port, count);
        return Ok(());
    }
    let order: Order = serde_json::from_str(line).map_err(|_| unknown())?;
    class.make(&order.into())
}
