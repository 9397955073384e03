//! One socket in each state, for a learner: each is left when somebody wishes
//! for the segment or the call that it waits for.
//!
//! All are of IPv4 and of one process. What comes in comes to one listener; what
//! goes out goes to the peers' service port.

mod teaching;

use super::LabError;
use super::device::DeviceChoice;
use super::far_end::{Conversation, Step};
use super::namespace::{FIN_TIMEOUT, Namespace};
use super::path::Path;
use super::program::{BACKLOG, CLIENT, SERVICE, wait_until};
use super::rig::{Rig, local};
use crate::model::endpoint::Endpoint;
use crate::model::lesson::{Move, Wish};
use crate::model::protocol::Protocol;
use crate::model::state::State;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{
    Shutdown, SocketFlags, SocketType, acceptfrom_with, connect, listen, shutdown, sockopt,
};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Where the program of the class listens.
const PORT: u16 = 8080;
/// What it has reserved and does not use.
const RESERVED: u16 = 9000;
const RESERVED_LAST: u16 = 9099;
/// Where it takes datagrams.
const DATAGRAMS: u16 = 5353;
/// How many bytes are sent at once.
pub(super) const BYTES: u16 = 32;
/// So many SYNs of a flood come at once.
const FLOOD_AT_ONCE: u16 = 30;
/// A class is left alone for less than a lab that is measured: what it leaves
/// behind when it is killed must be gone soon. Seconds, and retries.
const ORPHANS: [(&str, &str); 2] = [(FIN_TIMEOUT, "60"), ("ipv4/tcp_orphan_retries", "8")];

/// What is set up, in about the order of a connection's life.
const SHOWN: [Exhibit; 13] = [
    Exhibit::Reserved,
    Exhibit::Listener,
    Exhibit::Way(State::SynSent),
    Exhibit::Way(State::SynReceived),
    Exhibit::Way(State::Established),
    Exhibit::Way(State::FinWait1),
    Exhibit::Way(State::FinWait2),
    Exhibit::Way(State::Closing),
    Exhibit::Way(State::TimeWait),
    Exhibit::Way(State::CloseWait),
    Exhibit::Way(State::LastAck),
    Exhibit::Datagrams,
    // Last: who accepts one accepts all that wait before it.
    Exhibit::NotAccepted,
];

/// What is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exhibit {
    /// A port reserved and not used.
    Reserved,
    Listener,
    /// A connection in this state.
    Way(State),
    /// A connection in the accept queue.
    NotAccepted,
    Datagrams,
}

/// A socket of the class: what the program holds of it, and what the peer knows.
#[derive(Debug)]
pub(super) struct Place {
    exhibit: Option<Exhibit>,
    pub(super) local: SocketAddr,
    pub(super) remote: Option<SocketAddr>,
    protocol: Protocol,
    pub(super) socket: Option<OwnedFd>,
    pub(super) conversation: Option<Conversation>,
}

/// Sockets, and the far end that plays their peers.
pub(super) struct Classroom<'a> {
    pub(super) rig: Rig<'a>,
    pub(super) places: Vec<Place>,
    flood: Flood,
}

/// SYNs that are still to come.
#[derive(Clone, Copy, Debug, Default)]
struct Flood {
    port: u16,
    left: u16,
}

impl<'a> Classroom<'a> {
    /// A class in which nothing is set up.
    pub(super) fn open(namespace: &'a Namespace, choice: DeviceChoice) -> Result<Self, LabError> {
        for (setting, value) in ORPHANS {
            // Without it the states last as long as elsewhere in the lab.
            let _ = namespace.set(setting, value);
        }
        Ok(Self {
            rig: Rig::open(namespace, choice)?,
            places: Vec::new(),
            flood: Flood::default(),
        })
    }

    /// Sets up what is not there, or was changed.
    pub(super) fn set_up(&mut self) -> Result<(), LabError> {
        for exhibit in SHOWN {
            let there = self
                .places
                .iter()
                .any(|place| place.exhibit == Some(exhibit));
            if !there {
                self.show(exhibit)?;
            }
        }
        Ok(())
    }

    fn show(&mut self, exhibit: Exhibit) -> Result<(), LabError> {
        let here = |port| SocketAddr::new(Path::V4.here(), port);
        match exhibit {
            Exhibit::Reserved => {
                let socket = self.reserve(here)?;
                self.keep(exhibit, socket, None)
            }
            Exhibit::Listener => {
                let socket = self.rig.stream(Path::V4)?;
                // Connections of an earlier one may still be there.
                sockopt::set_socket_reuseaddr(&socket, true)
                    .map_err(LabError::io("use the port again of", "a listener"))?;
                self.rig.bind(&socket, Path::V4, here(PORT))?;
                listen(&socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
                self.keep(exhibit, socket, None)
            }
            Exhibit::Datagrams => {
                let socket = self.rig.socket(Path::V4, SocketType::DGRAM)?;
                self.rig.bind(&socket, Path::V4, here(DATAGRAMS))?;
                self.keep(exhibit, socket, None)
            }
            Exhibit::NotAccepted => {
                let conversation = self.rig.arrival(Path::V4, self.listener()?)?;
                self.leave(Some(exhibit), conversation);
                Ok(())
            }
            Exhibit::Way(State::SynReceived) => {
                let there = self.rig.peer(Path::V4, CLIENT);
                let conversation = self.rig.far_end.knock(there, self.listener()?)?;
                self.leave(Some(exhibit), conversation);
                Ok(())
            }
            Exhibit::Way(State::SynSent) => {
                let (socket, conversation) = self.rig.knocking(Path::V4)?;
                self.keep(exhibit, socket, Some(conversation))
            }
            Exhibit::Way(state) => self.show_way(exhibit, state),
        }
    }

    /// A port that is free: earlier ones may be in use by now.
    fn reserve(&mut self, here: impl Fn(u16) -> SocketAddr) -> Result<OwnedFd, LabError> {
        let mut port = RESERVED;
        loop {
            let socket = self.rig.stream(Path::V4)?;
            match self.rig.bind(&socket, Path::V4, here(port)) {
                Ok(()) => return Ok(socket),
                Err(error) if port == RESERVED_LAST => return Err(error),
                Err(_) => port += 1,
            }
        }
    }

    /// A connection that a program holds, led to its state.
    fn show_way(&mut self, exhibit: Exhibit, state: State) -> Result<(), LabError> {
        let passive = matches!(
            state,
            State::Established | State::CloseWait | State::LastAck
        );
        let (socket, mut conversation) = if passive {
            self.arrive_and_accept()?
        } else {
            self.rig.connected(Path::V4, Step::AnswerSyn)?
        };
        if matches!(state, State::CloseWait | State::LastAck) {
            self.rig.far_end.tell(&mut conversation, Step::Finish);
            self.rig.far_end.settle(&conversation)?;
        }
        if !matches!(state, State::Established | State::CloseWait) {
            shutdown(&socket, Shutdown::Write).map_err(LabError::io("shut down", "a socket"))?;
            self.rig.far_end.hear_fin(&mut conversation)?;
        }
        let answer = match state {
            State::FinWait2 => Some(Step::Acknowledge),
            State::Closing => Some(Step::FinishCrossing),
            State::TimeWait => Some(Step::Finish),
            _ => None,
        };
        if let Some(step) = answer {
            self.rig.far_end.tell(&mut conversation, step);
            self.rig.far_end.settle(&conversation)?;
        }
        self.keep(exhibit, socket, Some(conversation))
    }

    /// A connection from a new peer that the program has accepted.
    fn arrive_and_accept(&mut self) -> Result<(OwnedFd, Conversation), LabError> {
        let at = self.listener()?;
        let conversation = self.rig.arrival(Path::V4, at)?;
        let socket = self.accept_from(conversation.there)?;
        Ok((socket, conversation))
    }

    /// Where the program listens.
    pub(super) fn listener(&self) -> Result<SocketAddr, LabError> {
        let found = self
            .places
            .iter()
            .find(|place| place.exhibit == Some(Exhibit::Listener) && place.socket.is_some());
        found
            .map(|place| place.local)
            .ok_or(LabError::Lesson("the listener is closed"))
    }

    /// Accepts until the connection from a peer is there; those that waited
    /// before it are kept as accepted.
    pub(super) fn accept_from(&mut self, there: SocketAddr) -> Result<OwnedFd, LabError> {
        for _ in 0..=BACKLOG {
            let (socket, from) = self.accept()?;
            if from == there {
                return Ok(socket);
            }
            if let Some(place) = self.place(from) {
                place.socket = Some(socket);
                place.exhibit = None;
            }
        }
        Err(LabError::Lesson("nothing waits to be accepted"))
    }

    /// Accepts the next connection, and tells where it is from.
    fn accept(&self) -> Result<(OwnedFd, SocketAddr), LabError> {
        let listener = self.places.iter().find_map(|place| {
            let listens = place.exhibit == Some(Exhibit::Listener);
            place.socket.as_ref().filter(|_| listens)
        });
        let listener = listener.ok_or(LabError::Lesson("the listener is closed"))?;
        wait_until(listener, PollFlags::IN, "a connection to accept")?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, from) =
            acceptfrom_with(listener, flags).map_err(LabError::io("accept on", "a listener"))?;
        // As it was when it came: it may have been reset since.
        let from = from.and_then(|name| SocketAddr::try_from(name).ok());
        Ok((socket, from.ok_or(LabError::Lesson("its peer has gone"))?))
    }

    fn place(&mut self, remote: SocketAddr) -> Option<&mut Place> {
        self.places
            .iter_mut()
            .find(|place| place.remote == Some(remote))
    }

    /// Notes a socket that the program holds.
    fn keep(
        &mut self,
        exhibit: Exhibit,
        socket: OwnedFd,
        conversation: Option<Conversation>,
    ) -> Result<(), LabError> {
        let datagrams = exhibit == Exhibit::Datagrams;
        self.places.push(Place {
            exhibit: Some(exhibit),
            local: local(&socket)?,
            remote: conversation.as_ref().map(|with| with.there),
            protocol: if datagrams {
                Protocol::Udp
            } else {
                Protocol::Tcp
            },
            socket: Some(socket),
            conversation,
        });
        Ok(())
    }

    /// Notes one that only the kernel holds.
    fn leave(&mut self, exhibit: Option<Exhibit>, conversation: Conversation) {
        self.places.push(Place {
            exhibit,
            local: conversation.here,
            remote: Some(conversation.there),
            protocol: Protocol::Tcp,
            socket: None,
            conversation: Some(conversation),
        });
    }

    /// A new client's SYN to the listener, and its ACK, if it is to have one.
    pub(super) fn arrive(&mut self, finished: bool) -> Result<(), LabError> {
        let at = self.listener()?;
        let conversation = if finished {
            self.rig.arrival(Path::V4, at)?
        } else {
            let there = self.rig.peer(Path::V4, CLIENT);
            self.rig.far_end.knock(there, at)?
        };
        self.leave(None, conversation);
        Ok(())
    }

    /// A new connection of the program, of which the peer has heard the SYN.
    pub(super) fn depart(&mut self) -> Result<(), LabError> {
        let (socket, conversation) = self.rig.knocking(Path::V4)?;
        self.places.push(Place {
            exhibit: None,
            local: local(&socket)?,
            remote: Some(conversation.there),
            protocol: Protocol::Tcp,
            socket: Some(socket),
            conversation: Some(conversation),
        });
        Ok(())
    }

    /// What waited at a listener goes with it: the kernel resets what was
    /// finished, and answers nothing to what was half open.
    fn forget_callers(&mut self, listener: SocketAddr) {
        self.places
            .retain(|place| place.socket.is_some() || place.local != listener);
    }

    /// Notes what the kernel has sent since the last step.
    fn listen_in(&mut self) {
        let Self { rig, places, .. } = self;
        let known = places
            .iter_mut()
            .filter_map(|place| place.conversation.as_mut());
        rig.far_end.note(known);
    }

    /// Whether a place has a port and no use for it.
    fn is_reserved(&self, number: usize) -> bool {
        let place = self.places.get(number);
        place.is_some_and(|place| (RESERVED..=RESERVED_LAST).contains(&place.local.port()))
    }

    /// Connects a socket that has a port already.
    fn depart_from(&mut self, number: usize) -> Result<(), LabError> {
        let there = self.rig.peer(Path::V4, SERVICE);
        let held = LabError::Lesson("no program holds it");
        let place = self.places.get_mut(number);
        let place = place.filter(|place| place.socket.is_some()).ok_or(held)?;
        let Some(socket) = &place.socket else {
            return Ok(());
        };
        match connect(socket, &there) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(LabError::io("connect to", there.to_string())(error)),
        }
        place.remote = Some(there);
        place.conversation = Some(self.rig.far_end.hear_syn(there)?);
        Ok(())
    }

    /// A datagram from a peer.
    pub(super) fn send_datagram(&mut self, to: SocketAddr) {
        let from = self.rig.peer(Path::V4, SERVICE);
        let bytes = [b'x'; BYTES as usize];
        self.rig.far_end.send_datagram(from, to, &bytes);
    }

    /// From now on SYNs come to a port of this machine, so many in all, each from
    /// another address that never says more.
    pub(super) fn flood(&mut self, port: u16, count: u16) {
        self.flood = Flood { port, left: count };
    }

    /// The next SYNs of a flood, if there is one.
    pub(super) fn flood_on(&mut self) {
        let at = SocketAddr::new(Path::V4.here(), self.flood.port);
        let now = self.flood.left.min(FLOOD_AT_ONCE);
        self.flood.left -= now;
        for _ in 0..now {
            let there = self.rig.peer(Path::V4, CLIENT);
            self.rig.far_end.forge_syn(there, at);
        }
        self.rig.far_end.pass_over();
    }

    /// The number of the place that a wish is about. What a place has become of
    /// is no exhibit any more: it can be set up again.
    pub(super) fn wished(&mut self, wish: &Wish) -> Option<usize> {
        let same =
            |address: SocketAddr, end: Endpoint| Endpoint::new(address.ip(), address.port()) == end;
        let found = self.places.iter().rposition(|place| {
            place.protocol == wish.protocol
                && same(place.local, wish.local)
                && match (place.remote, wish.remote) {
                    (Some(address), Some(end)) => same(address, end),
                    (None, None) => true,
                    _ => false,
                }
        })?;
        let place = self.places.get_mut(found)?;
        let stays = matches!(wish.what, Move::PeerSends | Move::ProgramReads)
            || place.exhibit == Some(Exhibit::Listener) && wish.what != Move::ProgramCloses;
        if !stays {
            place.exhibit = None;
        }
        Some(found)
    }

    /// Has `TIME_WAIT` begin anew as long as nobody has touched it.
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
    /// As with every rig: sockets that nobody holds would outlast this process.
    fn drop(&mut self) {
        let Self { rig, places, .. } = self;
        for conversation in places
            .iter_mut()
            .filter_map(|place| place.conversation.as_mut())
        {
            rig.far_end.tell(conversation, Step::Reset);
        }
    }
}
