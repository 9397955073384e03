//! One socket per TCP state; each leaves its state when the segment or call
//! that it waits for is requested.
//!
//! All are of IPv4 and of one process. Incoming connections go to a listener,
//! outgoing ones to the peers' service port.

mod exhibits;
pub(super) mod standing;
mod teaching;

use super::LabError;
use super::device::DeviceChoice;
use super::far_end::{Conversation, Step};
use super::namespace::{FIN_TIMEOUT, Namespace};
use super::path::Path;
use super::program::CLIENT;
use super::rig::{Rig, local};
use crate::model::endpoint::Endpoint;
use crate::model::lesson::{Move, Wish};
use crate::model::protocol::Protocol;
use crate::model::state::State;
use exhibits::Exhibit;
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use standing::Standing;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Number of bytes sent at once.
const BYTES: u16 = 32;
/// Number of SYNs of a flood sent at once.
const FLOOD_AT_ONCE: u16 = 30;
/// Sysctls of a state lab, which needs less time than a measured lab: remnants
/// of a killed one must be gone soon. Seconds, and retries.
const ORPHANS: [(&str, &str); 2] = [(FIN_TIMEOUT, "60"), ("ipv4/tcp_orphan_retries", "8")];

/// Use of the local end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A port reserved and not used.
    Reserved,
    Listening,
    Connection,
    Datagrams,
}

/// A socket of the lab: the program's descriptor and the peer's state.
#[derive(Debug)]
struct Place {
    /// State that it shows; none once it has left it.
    exhibit: Option<Exhibit>,
    used: Use,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    socket: Option<OwnedFd>,
    conversation: Option<Conversation>,
    /// The listener that it has to be accepted from.
    waits_at: Option<SocketAddr>,
}

/// The sockets, and the device that plays their peers.
pub(super) struct Classroom<'a> {
    rig: Rig<'a>,
    places: Vec<Place>,
    flood: Flood,
}

/// SYNs that are still to come.
#[derive(Clone, Copy, Debug, Default)]
struct Flood {
    port: u16,
    left: u16,
}

impl<'a> Classroom<'a> {
    /// Creates a lab without sockets.
    pub(super) fn open(namespace: &'a Namespace, choice: DeviceChoice) -> Result<Self, LabError> {
        for (setting, value) in ORPHANS {
            // Without it the states last as long as elsewhere in the lab.
            let _ = namespace.set(setting, value);
        }
        let mut rig = Rig::open(namespace, choice)?;
        // A lab that was ended has left connections to these: a SYN from one of
        // them would be taken for a segment of the old connection.
        rig.begin_peers_at(Standing::read()?.peers());
        Ok(Self {
            rig,
            places: Vec::new(),
            flood: Flood::default(),
        })
    }

    /// Adds a socket that the program holds.
    fn keep(
        &mut self,
        exhibit: Option<Exhibit>,
        used: Use,
        socket: OwnedFd,
        conversation: Option<Conversation>,
    ) -> Result<(), LabError> {
        self.places.push(Place {
            exhibit,
            used,
            local: local(&socket)?,
            remote: conversation.as_ref().map(|with| with.there),
            socket: Some(socket),
            conversation,
            waits_at: None,
        });
        Ok(())
    }

    /// Adds a connection that waits to be accepted.
    fn leave(&mut self, exhibit: Option<Exhibit>, conversation: Conversation) {
        self.places.push(Place {
            exhibit,
            used: Use::Connection,
            local: conversation.here,
            remote: Some(conversation.there),
            socket: None,
            waits_at: Some(conversation.here),
            conversation: Some(conversation),
        });
    }

    /// Connects a new client to a listener; the ACK is optional.
    fn arrive(
        &mut self,
        exhibit: Option<Exhibit>,
        at: SocketAddr,
        finished: bool,
    ) -> Result<(), LabError> {
        let conversation = if finished {
            self.rig.arrival(Path::V4, at)?
        } else {
            let there = self.rig.peer(Path::V4, CLIENT);
            self.rig.far_end.knock(there, at)?
        };
        self.leave(exhibit, conversation);
        Ok(())
    }

    /// Accepts the next queued connection of a listener, and returns its peer.
    fn accept(&mut self, at: SocketAddr) -> Result<SocketAddr, LabError> {
        let listener = self.places.iter().find_map(|place| {
            let listens = place.used == Use::Listening && place.local == at;
            place.socket.as_ref().filter(|_| listens)
        });
        let listener = listener.ok_or(LabError::Lesson("the listener is closed"))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, from) = acceptfrom_with(listener, flags).map_err(|error| match error {
            Errno::AGAIN => LabError::Lesson("nothing waits to be accepted"),
            error => LabError::io("accept on", "a listener")(error),
        })?;
        // The address at arrival: the connection may have been reset since.
        let from = from.and_then(|name| SocketAddr::try_from(name).ok());
        let from = from.ok_or(LabError::Lesson("its peer has gone"))?;
        let known = |place: &&mut Place| place.remote == Some(from);
        if let Some(place) = self.places.iter_mut().find(known) {
            place.socket = Some(socket);
            place.exhibit = None;
            place.waits_at = None;
        }
        Ok(from)
    }

    /// Starts a flood of SYNs to a local port, each from another address that
    /// sends nothing else.
    pub(super) fn flood(&mut self, port: u16, count: u16) {
        self.flood = Flood { port, left: count };
    }

    /// Sends the next SYNs of a flood; returns true if more remain.
    pub(super) fn flood_on(&mut self) -> bool {
        let at = SocketAddr::new(Path::V4.here(), self.flood.port);
        let now = self.flood.left.min(FLOOD_AT_ONCE);
        self.flood.left -= now;
        for _ in 0..now {
            let there = self.rig.peer(Path::V4, CLIENT);
            self.rig.far_end.forge_syn(there, at);
        }
        self.rig.far_end.pass_over();
        self.flood.left > 0
    }

    /// Drops the queue of a closed listener: the kernel resets its completed
    /// connections and forgets the half-open ones.
    fn forget_callers(&mut self, listener: SocketAddr) {
        self.places.retain(|place| place.waits_at != Some(listener));
    }

    /// Updates the connections with the kernel's segments since the last step.
    fn listen_in(&mut self) {
        let Self { rig, places, .. } = self;
        let known = places
            .iter_mut()
            .filter_map(|place| place.conversation.as_mut());
        rig.far_end.note(known);
    }

    /// Returns the index of the socket that a request concerns. A socket that
    /// leaves its state no longer shows it, so that it can be set up again.
    fn wished(&mut self, wish: &Wish) -> Option<usize> {
        let same =
            |address: SocketAddr, end: Endpoint| Endpoint::new(address.ip(), address.port()) == end;
        let found = self.places.iter().rposition(|place| {
            (place.used == Use::Datagrams) == (wish.protocol == Protocol::Udp)
                && same(place.local, wish.local)
                && match (place.remote, wish.remote) {
                    (Some(address), Some(end)) => same(address, end),
                    (None, None) => true,
                    _ => false,
                }
        })?;
        let place = self.places.get_mut(found)?;
        let stays = matches!(wish.what, Move::PeerSends | Move::ProgramReads)
            || place.used == Use::Listening && wish.what != Move::ProgramCloses;
        if !stays {
            place.exhibit = None;
        }
        Some(found)
    }

    /// Restarts `TIME_WAIT` of the connection that shows it.
    pub(super) fn keep_up(&mut self) {
        let Self { rig, places, .. } = self;
        let kept = places
            .iter_mut()
            .filter(|place| place.exhibit == Some(Exhibit::Way(State::TimeWait)));
        for conversation in kept.filter_map(|place| place.conversation.as_mut()) {
            rig.far_end.tell(conversation, Step::FinishAgain);
        }
    }
}

impl Drop for Classroom<'_> {
    /// Resets the connections, as every rig does: sockets without a holder
    /// would outlast this process.
    fn drop(&mut self) {
        let Self { rig, places, .. } = self;
        let known = places
            .iter_mut()
            .filter_map(|place| place.conversation.as_mut());
        for conversation in known {
            rig.far_end.tell(conversation, Step::Reset);
        }
    }
}
