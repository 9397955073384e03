//! The local program's side of each socket: opens, binds, listens, connects and
//! accepts, in step with the peer.

use super::LabError;
use super::address_kind::AddressKind;
use super::peer::{PeerConnection, PeerStep};
use super::rig::{Rig, SocketSpec, local_address};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with, sockopt,
};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Port of peers that connect to this machine.
pub(super) const CLIENT_PORT: u16 = 40000;
/// Port of peers that this machine connects to.
pub(super) const SERVICE_PORT: u16 = 443;
/// Default backlog.
pub(super) const BACKLOG: i32 = 16;
/// The longest the kernel may take on a busy machine, in seconds.
const POLL_TIMEOUT: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

impl Rig<'_> {
    /// Opens a socket whose SYN the peer has received.
    pub(super) fn syn_sent_socket(
        &mut self,
        path: AddressKind,
    ) -> Result<(OwnedFd, PeerConnection), LabError> {
        let there = self.next_peer(path, SERVICE_PORT);
        let socket = self.stream_socket(path)?;
        match connect(&socket, &self.socket_address(path, there)) {
            Err(Errno::INPROGRESS) => {}
            Ok(()) => return Err(LabError::Timeout(format!("silence from {there}"))),
            Err(error) => return Err(LabError::io("connect to", there.to_string())(error)),
        }
        Ok((socket, self.peer.wait_for_syn(there)?))
    }

    /// A connection that this machine opened.
    pub(super) fn connected_socket(
        &mut self,
        path: AddressKind,
        answer: PeerStep,
    ) -> Result<(OwnedFd, PeerConnection), LabError> {
        let (socket, mut conversation) = self.syn_sent_socket(path)?;
        self.peer.send_step(&mut conversation, answer);
        poll_until(&socket, PollFlags::OUT, "a connection")?;
        // Taken out of the device, so that it is not received later.
        self.peer.wait_for_ack(&conversation)?;
        Ok((socket, conversation))
    }

    /// A connection that the peer opened and a program accepted. Its listener
    /// is closed.
    pub(super) fn accepted_socket(
        &mut self,
        spot: SocketSpec,
    ) -> Result<(OwnedFd, PeerConnection), LabError> {
        let at = SocketAddr::new(spot.path.local_address(), 0);
        let listener = self.listening_socket(spot.path, at, BACKLOG)?;
        let conversation = self.queued_connection(spot.path, local_address(&listener)?)?;
        poll_until(&listener, PollFlags::IN, "a connection to accept")?;
        let socket = accept_with(&listener, SocketFlags::CLOEXEC)
            .map_err(LabError::io("accept on", "a listener"))?;
        Ok((socket, conversation))
    }

    /// A connection that the peer opened, still in the listener's queue.
    pub(super) fn queued_connection(
        &mut self,
        path: AddressKind,
        at: SocketAddr,
    ) -> Result<PeerConnection, LabError> {
        let there = self.next_peer(path, CLIENT_PORT);
        let mut conversation = self.peer.send_syn(there, at)?;
        self.peer.send_step(&mut conversation, PeerStep::Ack);
        self.peer.synchronize(&conversation)?;
        Ok(conversation)
    }

    pub(super) fn listening_socket(
        &self,
        path: AddressKind,
        at: SocketAddr,
        backlog: i32,
    ) -> Result<OwnedFd, LabError> {
        let socket = self.stream_socket(path)?;
        if at.ip().is_unspecified() && path == AddressKind::V6 {
            sockopt::set_ipv6_v6only(&socket, true)
                .map_err(LabError::io("narrow to IPv6", "a listener"))?;
        }
        self.bind(&socket, path, at)?;
        listen(&socket, backlog).map_err(LabError::io("listen on", at.to_string()))?;
        Ok(socket)
    }

    pub(super) fn stream_socket(&self, path: AddressKind) -> Result<OwnedFd, LabError> {
        self.socket(path, SocketType::STREAM)
    }

    /// Takes the rig, since sockets are made only where they are harmless.
    pub(super) fn socket(&self, path: AddressKind, kind: SocketType) -> Result<OwnedFd, LabError> {
        debug_assert_ne!(self.namespace.id(), self.namespace.host_id());
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(path.address_family(), kind, flags, None).map_err(LabError::io(
            "open",
            format!("a socket for {}", path.word()),
        ))
    }

    pub(super) fn bind(
        &self,
        socket: &OwnedFd,
        path: AddressKind,
        at: SocketAddr,
    ) -> Result<(), LabError> {
        bind(socket, &self.socket_address(path, at))
            .map_err(LabError::io("bind to", at.to_string()))
    }

    pub(super) fn socket_address(&self, path: AddressKind, address: SocketAddr) -> SocketAddr {
        path.socket_address(address, self.peer.device_index())
    }
}

pub(super) fn poll_until(socket: impl AsFd, flags: PollFlags, what: &str) -> Result<(), LabError> {
    let mut descriptors = [PollFd::new(&socket, flags)];
    match poll(&mut descriptors, Some(&POLL_TIMEOUT)) {
        Ok(0) => Err(LabError::Timeout(what.to_owned())),
        Ok(_) => Ok(()),
        Err(error) => Err(LabError::io("wait for", what)(error)),
    }
}
