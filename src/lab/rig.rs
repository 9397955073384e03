//! The rig: parked sockets, their peers, and a list of the parked ones.

use super::LabError;
use super::address_kind::AddressKind;
use super::device::DeviceChoice;
use super::fd_holder::FdHolder;
use super::namespace::LabNamespace;
use super::peer::{Peer, PeerConnection, PeerStep};
use super::rig_socket::{RigSocket, canonical};
use super::socket_kind::RigSocketKind;
use crate::model::state::State;
use rustix::fs::fstat;
use rustix::net::getsockname;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Sockets of this process in states of which each lasts until the rig makes
/// its peer go on.
pub struct Rig<'a> {
    pub(super) namespace: &'a LabNamespace,
    pub(super) peer: Peer,
    pub(super) fd_holder: FdHolder,
    sockets: Vec<RigSocket>,
    /// The peer's side of a parked socket, by its place in the list.
    connections: Vec<(usize, PeerConnection)>,
    /// Whatever must stay open.
    held: Vec<OwnedFd>,
    /// Number of peers.
    peer_count: u16,
}

impl<'a> Rig<'a> {
    /// A rig in which nothing is parked.
    ///
    /// # Errors
    ///
    /// If no device is available or no second process can be started.
    pub fn open(namespace: &'a LabNamespace, choice: DeviceChoice) -> Result<Self, LabError> {
        // First the other process: it must not inherit the device.
        let holder = FdHolder::start(namespace)?;
        Ok(Self {
            namespace,
            peer: Peer::open(namespace, choice)?,
            fd_holder: holder,
            sockets: Vec::new(),
            connections: Vec::new(),
            held: Vec::new(),
            peer_count: 0,
        })
    }

    /// Parks one of everything, on every path that this kernel offers.
    ///
    /// # Errors
    ///
    /// If one of them cannot be parked.
    pub fn create_all(&mut self) -> Result<(), LabError> {
        for path in AddressKind::supported() {
            for kind in RigSocketKind::ALL
                .into_iter()
                .filter(|kind| kind.supports(path))
            {
                self.create(kind, path)?;
            }
        }
        Ok(())
    }

    /// The parked sockets, companions such as a request's listener included.
    #[must_use]
    pub fn sockets(&self) -> &[RigSocket] {
        &self.sockets
    }

    /// Sends the next step of a parked socket's peer. Returns false if it has
    /// no peer that the rig plays. Afterwards [`sockets`](Self::sockets) still
    /// reports the earlier state.
    pub fn send_step(&mut self, number: usize, step: PeerStep) -> bool {
        let found = self.connections.iter_mut();
        let Some((_, conversation)) = found.into_iter().find(|(place, _)| *place == number) else {
            return false;
        };
        self.peer.send_step(conversation, step);
        true
    }

    /// Returns whether the peer of a parked socket has been reset, by reading all
    /// segments up to now. None if it has no peer that the rig plays.
    pub fn was_reset(&mut self, number: usize) -> Option<bool> {
        let mut found = self.connections.iter();
        let (_, conversation) = found.find(|(place, _)| *place == number)?;
        Some(self.peer.received_reset(conversation))
    }

    /// Restarts every parked `TIME_WAIT`; to be called at least once a minute.
    pub fn maintain(&mut self) {
        for (place, conversation) in &mut self.connections {
            let kind = self.sockets.get(*place).map(|parked| parked.kind);
            if kind == Some(RigSocketKind::TimeWait) {
                self.peer.send_step(conversation, PeerStep::RetransmitFin);
            }
        }
    }

    /// Another peer on this path.
    pub(super) fn next_peer(&mut self, path: AddressKind, port: u16) -> SocketAddr {
        let peer = SocketAddr::new(path.peer_address(self.peer_count), port);
        self.peer_count += 1;
        peer
    }

    /// Leaves out peers: the next one has this number, or a higher one.
    pub(super) fn skip_peers_below(&mut self, number: u16) {
        self.peer_count = self.peer_count.max(number);
    }

    /// Adds a socket that this process holds.
    pub(super) fn add_held(
        &mut self,
        spot: SocketSpec,
        socket: OwnedFd,
        remote: Option<SocketAddr>,
    ) -> Result<usize, LabError> {
        let inode = fstat(&socket)
            .map_err(LabError::io("look at", "a socket"))?
            .st_ino;
        let place = self.push(RigSocket {
            kind: spot.kind,
            path: spot.path,
            state: spot.state,
            local: local_address(&socket)?,
            remote: remote.map(canonical),
            inode: Some(inode),
            pids: vec![std::process::id()],
        });
        self.held.push(socket);
        Ok(place)
    }

    /// Adds a socket that this process and the other one hold.
    pub(super) fn add_shared(
        &mut self,
        spot: SocketSpec,
        socket: OwnedFd,
        remote: Option<SocketAddr>,
    ) -> Result<usize, LabError> {
        self.fd_holder.share(socket.as_fd())?;
        let other = self.fd_holder.pid();
        let place = self.add_held(spot, socket, remote)?;
        if let Some(parked) = self.sockets.get_mut(place) {
            parked.pids.push(other);
            parked.pids.sort_unstable();
        }
        Ok(place)
    }

    /// Adds a socket that only the kernel holds.
    pub(super) fn add_kernel_owned(&mut self, spot: SocketSpec, conversation: PeerConnection) {
        let place = self.push(RigSocket {
            kind: spot.kind,
            path: spot.path,
            state: spot.state,
            local: canonical(conversation.local),
            remote: Some(canonical(conversation.remote)),
            inode: None,
            pids: Vec::new(),
        });
        self.add_connection(place, conversation);
    }

    /// Adds the peer's side of a socket.
    pub(super) fn add_connection(&mut self, place: usize, conversation: PeerConnection) {
        self.connections.push((place, conversation));
    }

    fn push(&mut self, parked: RigSocket) -> usize {
        self.sockets.push(parked);
        self.sockets.len() - 1
    }
}

impl Drop for Rig<'_> {
    /// Resets all connections: sockets without a holder would outlast this
    /// process, and keep the namespace alive until their timers expire.
    fn drop(&mut self) {
        for (_, conversation) in &mut self.connections {
            self.peer.send_step(conversation, PeerStep::Rst);
        }
    }
}

/// Specification of a socket to park.
#[derive(Clone, Copy)]
pub(super) struct SocketSpec {
    pub(super) kind: RigSocketKind,
    pub(super) path: AddressKind,
    /// The state of this socket: a companion has one of its own.
    pub(super) state: State,
}

/// A socket's own end, as people know it.
pub(super) fn local_address(socket: impl AsFd) -> Result<SocketAddr, LabError> {
    let name = getsockname(socket).and_then(SocketAddr::try_from);
    name.map(canonical)
        .map_err(LabError::io("name", "a socket"))
}
