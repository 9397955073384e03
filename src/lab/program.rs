//! The local program's side of each socket: opens, binds, listens, connects and
//! accepts, in step with the peer.

use super::LabError;
use super::far_end::{Conversation, Step};
use super::path::Path;
use super::rig::{Rig, Spot, local};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with, sockopt,
};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

/// Port of peers that connect to this machine.
pub(super) const CLIENT: u16 = 40000;
/// Port of peers that this machine connects to.
pub(super) const SERVICE: u16 = 443;
/// Default backlog.
pub(super) const BACKLOG: i32 = 16;
/// The longest the kernel may take on a busy machine, in seconds.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

impl Rig<'_> {
    /// Opens a socket whose SYN the peer has received.
    pub(super) fn knocking(&mut self, path: Path) -> Result<(OwnedFd, Conversation), LabError> {
        let there = self.peer(path, SERVICE);
        let socket = self.stream(path)?;
        match connect(&socket, &self.for_calls(path, there)) {
            Err(Errno::INPROGRESS) => {}
            Ok(()) => return Err(LabError::Late(format!("silence from {there}"))),
            Err(error) => return Err(LabError::io("connect to", there.to_string())(error)),
        }
        Ok((socket, self.far_end.hear_syn(there)?))
    }

    /// A connection that this machine opened.
    pub(super) fn connected(
        &mut self,
        path: Path,
        answer: Step,
    ) -> Result<(OwnedFd, Conversation), LabError> {
        let (socket, mut conversation) = self.knocking(path)?;
        self.far_end.tell(&mut conversation, answer);
        wait_until(&socket, PollFlags::OUT, "a connection")?;
        // Taken out of the device, so that it is not received later.
        self.far_end.hear_ack(&conversation)?;
        Ok((socket, conversation))
    }

    /// A connection that the peer opened and a program accepted. Its listener
    /// is closed.
    pub(super) fn accepted(&mut self, spot: Spot) -> Result<(OwnedFd, Conversation), LabError> {
        let at = SocketAddr::new(spot.path.here(), 0);
        let listener = self.listening(spot.path, at, BACKLOG)?;
        let conversation = self.arrival(spot.path, local(&listener)?)?;
        wait_until(&listener, PollFlags::IN, "a connection to accept")?;
        let socket = accept_with(&listener, SocketFlags::CLOEXEC)
            .map_err(LabError::io("accept on", "a listener"))?;
        Ok((socket, conversation))
    }

    /// A connection that the peer opened, still in the listener's queue.
    pub(super) fn arrival(&mut self, path: Path, at: SocketAddr) -> Result<Conversation, LabError> {
        let there = self.peer(path, CLIENT);
        let mut conversation = self.far_end.knock(there, at)?;
        self.far_end.tell(&mut conversation, Step::Acknowledge);
        self.far_end.settle(&conversation)?;
        Ok(conversation)
    }

    pub(super) fn listening(
        &self,
        path: Path,
        at: SocketAddr,
        backlog: i32,
    ) -> Result<OwnedFd, LabError> {
        let socket = self.stream(path)?;
        if at.ip().is_unspecified() && path == Path::V6 {
            sockopt::set_ipv6_v6only(&socket, true)
                .map_err(LabError::io("narrow to IPv6", "a listener"))?;
        }
        self.bind(&socket, path, at)?;
        listen(&socket, backlog).map_err(LabError::io("listen on", at.to_string()))?;
        Ok(socket)
    }

    pub(super) fn stream(&self, path: Path) -> Result<OwnedFd, LabError> {
        self.socket(path, SocketType::STREAM)
    }

    /// Takes the rig, since sockets are made only where they are harmless.
    pub(super) fn socket(&self, path: Path, kind: SocketType) -> Result<OwnedFd, LabError> {
        debug_assert_ne!(self.namespace.number(), self.namespace.outside());
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(path.address_family(), kind, flags, None).map_err(LabError::io(
            "open",
            format!("a socket for {}", path.word()),
        ))
    }

    pub(super) fn bind(
        &self,
        socket: &OwnedFd,
        path: Path,
        at: SocketAddr,
    ) -> Result<(), LabError> {
        bind(socket, &self.for_calls(path, at)).map_err(LabError::io("bind to", at.to_string()))
    }

    pub(super) fn for_calls(&self, path: Path, address: SocketAddr) -> SocketAddr {
        path.for_calls(address, self.far_end.device_index())
    }
}

pub(super) fn wait_until(socket: impl AsFd, flags: PollFlags, what: &str) -> Result<(), LabError> {
    let mut descriptors = [PollFd::new(&socket, flags)];
    match poll(&mut descriptors, Some(&PATIENCE)) {
        Ok(0) => Err(LabError::Late(what.to_owned())),
        Ok(_) => Ok(()),
        Err(error) => Err(LabError::io("wait for", what)(error)),
    }
}
