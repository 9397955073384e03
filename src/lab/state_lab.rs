//! One socket per TCP state; each leaves its state when the segment or call
//! that it waits for is requested.
//!
//! All are of IPv4 and of one process. Incoming connections go to a listener,
//! outgoing ones to the peers' service port.

mod actions;
pub(super) mod kernel_state;
mod setups;

use super::LabError;
use super::address_kind::AddressKind;
use super::device::DeviceChoice;
use super::local_sockets::CLIENT_PORT;
use super::namespace::{FIN_TIMEOUT_SYSCTL, LabNamespace};
use super::peer::{PeerConnection, PeerStep};
use super::rig::{Rig, local_address};
use crate::model::endpoint::Endpoint;
use crate::model::lab::{LabAction, LabRequest};
use crate::model::protocol::Protocol;
use crate::model::state::State;
use kernel_state::KernelSockets;
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use setups::Setup;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Number of bytes sent at once.
const PAYLOAD_BYTES: u16 = 32;
/// Number of SYNs of a flood sent at once.
const FLOOD_BATCH: u16 = 30;
/// Sysctls of a state lab, which needs less time than a measured lab: remnants
/// of a killed one must be gone soon. Seconds, and retries.
const ORPHAN_SYSCTLS: [(&str, &str); 2] =
    [(FIN_TIMEOUT_SYSCTL, "60"), ("ipv4/tcp_orphan_retries", "8")];

/// Use of the local end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocketUse {
    /// A port reserved and not used.
    Reserved,
    Listening,
    Connection,
    Udp,
}

/// A socket of the lab: the program's descriptor and the peer's state.
#[derive(Debug)]
struct LabSocket {
    /// State that it shows; none once it has left it.
    setup: Option<Setup>,
    socket_use: SocketUse,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    socket: Option<OwnedFd>,
    connection: Option<PeerConnection>,
    /// The listener that it has to be accepted from.
    queued_at: Option<SocketAddr>,
}

/// The sockets, and the device that plays their peers.
pub(super) struct StateLab<'a> {
    rig: Rig<'a>,
    sockets: Vec<LabSocket>,
    flood: PendingFlood,
}

/// SYNs that are still to come.
#[derive(Clone, Copy, Debug, Default)]
struct PendingFlood {
    port: u16,
    left: u16,
}

impl<'a> StateLab<'a> {
    /// Creates a lab without sockets.
    pub(super) fn open(
        namespace: &'a LabNamespace,
        choice: DeviceChoice,
    ) -> Result<Self, LabError> {
        for (setting, value) in ORPHAN_SYSCTLS {
            // Without it the states last as long as elsewhere in the lab.
            let _ = namespace.set_sysctl(setting, value);
        }
        let mut rig = Rig::open(namespace, choice)?;
        // A lab that was ended has left connections to these: a SYN from one of
        // them would be taken for a segment of the old connection.
        rig.skip_peers_below(KernelSockets::read()?.next_peer_number());
        Ok(Self {
            rig,
            sockets: Vec::new(),
            flood: PendingFlood::default(),
        })
    }

    /// Adds a socket that the program holds.
    fn add_held(
        &mut self,
        exhibit: Option<Setup>,
        used: SocketUse,
        socket: OwnedFd,
        conversation: Option<PeerConnection>,
    ) -> Result<(), LabError> {
        self.sockets.push(LabSocket {
            setup: exhibit,
            socket_use: used,
            local: local_address(&socket)?,
            remote: conversation.as_ref().map(|with| with.remote),
            socket: Some(socket),
            connection: conversation,
            queued_at: None,
        });
        Ok(())
    }

    /// Adds a connection that waits to be accepted.
    fn add_queued(&mut self, exhibit: Option<Setup>, conversation: PeerConnection) {
        self.sockets.push(LabSocket {
            setup: exhibit,
            socket_use: SocketUse::Connection,
            local: conversation.local,
            remote: Some(conversation.remote),
            socket: None,
            queued_at: Some(conversation.local),
            connection: Some(conversation),
        });
    }

    /// Connects a new client to a listener; the ACK is optional.
    fn connect_client(
        &mut self,
        exhibit: Option<Setup>,
        at: SocketAddr,
        finished: bool,
    ) -> Result<(), LabError> {
        let conversation = if finished {
            self.rig.queued_connection(AddressKind::V4, at)?
        } else {
            let there = self.rig.next_peer(AddressKind::V4, CLIENT_PORT);
            self.rig.peer.send_syn(there, at)?
        };
        self.add_queued(exhibit, conversation);
        Ok(())
    }

    /// Accepts the next queued connection of a listener, and returns its peer.
    fn accept(&mut self, at: SocketAddr) -> Result<SocketAddr, LabError> {
        let listener = self.sockets.iter().find_map(|place| {
            let listens = place.socket_use == SocketUse::Listening && place.local == at;
            place.socket.as_ref().filter(|_| listens)
        });
        let listener = listener.ok_or(LabError::NotApplicable("the listener is closed"))?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, from) = acceptfrom_with(listener, flags).map_err(|error| match error {
            Errno::AGAIN => LabError::NotApplicable("nothing waits to be accepted"),
            error => LabError::io("accept on", "a listener")(error),
        })?;
        // The address at arrival: the connection may have been reset since.
        let from = from.and_then(|name| SocketAddr::try_from(name).ok());
        let from = from.ok_or(LabError::NotApplicable("its peer has gone"))?;
        let known = |place: &&mut LabSocket| place.remote == Some(from);
        if let Some(place) = self.sockets.iter_mut().find(known) {
            place.socket = Some(socket);
            place.setup = None;
            place.queued_at = None;
        }
        Ok(from)
    }

    /// Starts a flood of SYNs to a local port, each from another address that
    /// sends nothing else.
    pub(super) fn start_flood(&mut self, port: u16, count: u16) {
        self.flood = PendingFlood { port, left: count };
    }

    /// Sends the next SYNs of a flood; returns true if more remain.
    pub(super) fn continue_flood(&mut self) -> bool {
        let at = SocketAddr::new(AddressKind::V4.local_address(), self.flood.port);
        let now = self.flood.left.min(FLOOD_BATCH);
        self.flood.left -= now;
        for _ in 0..now {
            let there = self.rig.next_peer(AddressKind::V4, CLIENT_PORT);
            self.rig.peer.send_forged_syn(there, at);
        }
        self.rig.peer.discard_received();
        self.flood.left > 0
    }

    /// Drops the queue of a closed listener: the kernel resets its completed
    /// connections and forgets the half-open ones.
    fn drop_queued(&mut self, listener: SocketAddr) {
        self.sockets
            .retain(|place| place.queued_at != Some(listener));
    }

    /// Updates the connections with the kernel's segments since the last step.
    fn track_received(&mut self) {
        let Self {
            rig,
            sockets: places,
            ..
        } = self;
        let known = places
            .iter_mut()
            .filter_map(|place| place.connection.as_mut());
        rig.peer.track_received(known);
    }

    /// Returns the index of the socket that a request concerns. A socket that
    /// leaves its state no longer shows it, so that it can be set up again.
    fn find_requested(&mut self, wish: &LabRequest) -> Option<usize> {
        let same =
            |address: SocketAddr, end: Endpoint| Endpoint::new(address.ip(), address.port()) == end;
        let found = self.sockets.iter().rposition(|place| {
            (place.socket_use == SocketUse::Udp) == (wish.protocol == Protocol::Udp)
                && same(place.local, wish.local)
                && match (place.remote, wish.remote) {
                    (Some(address), Some(end)) => same(address, end),
                    (None, None) => true,
                    _ => false,
                }
        })?;
        let place = self.sockets.get_mut(found)?;
        let stays = matches!(wish.action, LabAction::PeerSends | LabAction::ProgramReads)
            || place.socket_use == SocketUse::Listening && wish.action != LabAction::ProgramCloses;
        if !stays {
            place.setup = None;
        }
        Some(found)
    }

    /// Restarts `TIME_WAIT` of the connection that shows it.
    pub(super) fn maintain(&mut self) {
        let Self {
            rig,
            sockets: places,
            ..
        } = self;
        let kept = places
            .iter_mut()
            .filter(|place| place.setup == Some(Setup::InState(State::TimeWait)));
        for conversation in kept.filter_map(|place| place.connection.as_mut()) {
            rig.peer.send_step(conversation, PeerStep::RetransmitFin);
        }
    }
}

impl Drop for StateLab<'_> {
    /// Resets the connections, as every rig does: sockets without a holder
    /// would outlast this process.
    fn drop(&mut self) {
        let Self {
            rig,
            sockets: places,
            ..
        } = self;
        let known = places
            .iter_mut()
            .filter_map(|place| place.connection.as_mut());
        for conversation in known {
            rig.peer.send_step(conversation, PeerStep::Rst);
        }
    }
}
