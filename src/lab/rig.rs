//! The rig: parked sockets, their peers, and a list of the parked ones.

use super::LabError;
use super::device::DeviceChoice;
use super::far_end::{Conversation, FarEnd, Step};
use super::holder::Holder;
use super::kind::Kind;
use super::namespace::Namespace;
use super::parked::{Parked, plain};
use super::path::Path;
use crate::model::state::State;
use rustix::fs::fstat;
use rustix::net::getsockname;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Sockets of this process in states of which each lasts until the rig makes
/// its peer go on.
pub struct Rig<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) far_end: FarEnd,
    pub(super) holder: Holder,
    parked: Vec<Parked>,
    /// The peer's side of a parked socket, by its place in the list.
    conversations: Vec<(usize, Conversation)>,
    /// Whatever must stay open.
    kept: Vec<OwnedFd>,
    /// Number of peers.
    peers: u16,
}

impl<'a> Rig<'a> {
    /// A rig in which nothing is parked.
    ///
    /// # Errors
    ///
    /// If no device is available or no second process can be started.
    pub fn open(namespace: &'a Namespace, choice: DeviceChoice) -> Result<Self, LabError> {
        // First the other process: it must not inherit the device.
        let holder = Holder::start(namespace)?;
        Ok(Self {
            namespace,
            far_end: FarEnd::open(namespace, choice)?,
            holder,
            parked: Vec::new(),
            conversations: Vec::new(),
            kept: Vec::new(),
            peers: 0,
        })
    }

    /// Parks one of everything, on every path that this kernel offers.
    ///
    /// # Errors
    ///
    /// If one of them cannot be parked.
    pub fn park_everything(&mut self) -> Result<(), LabError> {
        for path in Path::offered() {
            for kind in Kind::ALL.into_iter().filter(|kind| kind.goes(path)) {
                self.park(kind, path)?;
            }
        }
        Ok(())
    }

    /// The parked sockets, companions such as a request's listener included.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// Sends the next step of a parked socket's peer. Returns false if it has
    /// no peer that the rig plays. Afterwards [`parked`](Self::parked) still
    /// reports the earlier state.
    pub fn tell(&mut self, number: usize, step: Step) -> bool {
        let found = self.conversations.iter_mut();
        let Some((_, conversation)) = found.into_iter().find(|(place, _)| *place == number) else {
            return false;
        };
        self.far_end.tell(conversation, step);
        true
    }

    /// Returns whether the peer of a parked socket has been reset, by reading all
    /// segments up to now. None if it has no peer that the rig plays.
    pub fn was_reset(&mut self, number: usize) -> Option<bool> {
        let mut found = self.conversations.iter();
        let (_, conversation) = found.find(|(place, _)| *place == number)?;
        Some(self.far_end.hears_reset(conversation))
    }

    /// Restarts every parked `TIME_WAIT`; to be called at least once a minute.
    pub fn keep_up(&mut self) {
        for (place, conversation) in &mut self.conversations {
            let kind = self.parked.get(*place).map(|parked| parked.kind);
            if kind == Some(Kind::TimeWait) {
                self.far_end.tell(conversation, Step::FinishAgain);
            }
        }
    }

    /// Another peer on this path.
    pub(super) fn peer(&mut self, path: Path, port: u16) -> SocketAddr {
        let peer = SocketAddr::new(path.peer(self.peers), port);
        self.peers += 1;
        peer
    }

    /// Leaves out peers: the next one has this number, or a higher one.
    pub(super) fn begin_peers_at(&mut self, number: u16) {
        self.peers = self.peers.max(number);
    }

    /// Adds a socket that this process holds.
    pub(super) fn keep(
        &mut self,
        spot: Spot,
        socket: OwnedFd,
        remote: Option<SocketAddr>,
    ) -> Result<usize, LabError> {
        let inode = fstat(&socket)
            .map_err(LabError::io("look at", "a socket"))?
            .st_ino;
        let place = self.note(Parked {
            kind: spot.kind,
            path: spot.path,
            state: spot.state,
            local: local(&socket)?,
            remote: remote.map(plain),
            inode: Some(inode),
            pids: vec![std::process::id()],
        });
        self.kept.push(socket);
        Ok(place)
    }

    /// Adds a socket that this process and the other one hold.
    pub(super) fn keep_shared(
        &mut self,
        spot: Spot,
        socket: OwnedFd,
        remote: Option<SocketAddr>,
    ) -> Result<usize, LabError> {
        self.holder.share(socket.as_fd())?;
        let other = self.holder.pid();
        let place = self.keep(spot, socket, remote)?;
        if let Some(parked) = self.parked.get_mut(place) {
            parked.pids.push(other);
            parked.pids.sort_unstable();
        }
        Ok(place)
    }

    /// Adds a socket that only the kernel holds.
    pub(super) fn leave(&mut self, spot: Spot, conversation: Conversation) {
        let place = self.note(Parked {
            kind: spot.kind,
            path: spot.path,
            state: spot.state,
            local: plain(conversation.here),
            remote: Some(plain(conversation.there)),
            inode: None,
            pids: Vec::new(),
        });
        self.converse(place, conversation);
    }

    /// Adds the peer's side of a socket.
    pub(super) fn converse(&mut self, place: usize, conversation: Conversation) {
        self.conversations.push((place, conversation));
    }

    fn note(&mut self, parked: Parked) -> usize {
        self.parked.push(parked);
        self.parked.len() - 1
    }
}

impl Drop for Rig<'_> {
    /// Resets all connections: sockets without a holder would outlast this
    /// process, and keep the namespace alive until their timers expire.
    fn drop(&mut self) {
        for (_, conversation) in &mut self.conversations {
            self.far_end.tell(conversation, Step::Reset);
        }
    }
}

/// Specification of a socket to park.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) kind: Kind,
    pub(super) path: Path,
    /// The state of this socket: a companion has one of its own.
    pub(super) state: State,
}

/// A socket's own end, as people know it.
pub(super) fn local(socket: impl AsFd) -> Result<SocketAddr, LabError> {
    let name = getsockname(socket).and_then(SocketAddr::try_from);
    name.map(plain).map_err(LabError::io("name", "a socket"))
}
