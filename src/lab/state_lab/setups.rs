//! Sockets of the state lab, and how each is set up.

use super::kernel_state::KernelSockets;
use super::{SocketUse, StateLab};
use crate::lab::LabError;
use crate::lab::address_kind::AddressKind;
use crate::lab::local_sockets::{BACKLOG, poll_until};
use crate::lab::peer::{PeerConnection, PeerStep};
use crate::model::state::State;
use rustix::event::PollFlags;
use rustix::net::{Shutdown, SocketFlags, SocketType, accept_with, listen, shutdown, sockopt};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Port of the lab's listener.
const LISTEN_PORT: u16 = 8080;
/// Port on which accepted connections arrived. It has no listener any more.
const ACCEPTED_PORT: u16 = 8081;
/// The first port it may reserve, and the last.
const RESERVED_PORTS: [u16; 2] = [9000, 9099];
/// Port of the UDP socket.
const UDP_PORT: u16 = 5353;

/// Something that is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setup {
    /// A port reserved and not used.
    Reserved,
    /// A listener.
    Listens,
    /// A connection in this state.
    InState(State),
    /// A connection in the accept queue.
    Unaccepted,
    /// A UDP socket.
    Udp,
}

/// All exhibits, in about the order of a connection's life.
const ALL_SETUPS: [Setup; 13] = [
    Setup::Reserved,
    Setup::Listens,
    Setup::InState(State::SynSent),
    Setup::InState(State::SynReceived),
    Setup::Unaccepted,
    Setup::InState(State::Established),
    Setup::InState(State::FinWait1),
    Setup::InState(State::FinWait2),
    Setup::InState(State::Closing),
    Setup::InState(State::TimeWait),
    Setup::InState(State::CloseWait),
    Setup::InState(State::LastAck),
    Setup::Udp,
];

fn local_address(port: u16) -> SocketAddr {
    SocketAddr::new(AddressKind::V4.local_address(), port)
}

impl StateLab<'_> {
    /// Sets up every socket that is missing or has left its state.
    pub(in crate::lab) fn set_up(&mut self) -> Result<(), LabError> {
        let standing = KernelSockets::read()?;
        for exhibit in ALL_SETUPS {
            if !self.is_set_up(exhibit, &standing) {
                self.create(exhibit)?;
            }
        }
        Ok(())
    }

    /// Returns true if it is still as it was set up: the kernel, or the user by
    /// other means, may have ended it.
    fn is_set_up(&mut self, exhibit: Setup, standing: &KernelSockets) -> bool {
        let state = match exhibit {
            Setup::InState(state) => Some(state),
            Setup::Unaccepted => Some(State::Established),
            _ => None,
        };
        let gone = |place: &super::LabSocket| match (state, place.remote) {
            (Some(state), Some(remote)) => !standing.has_connection(place.local, remote, state),
            _ => false,
        };
        for place in &mut self.sockets {
            if place.setup == Some(exhibit) && gone(place) {
                place.setup = None;
            }
        }
        let mut places = self.sockets.iter();
        places.any(|place| place.setup == Some(exhibit))
    }

    fn create(&mut self, exhibit: Setup) -> Result<(), LabError> {
        let shown = Some(exhibit);
        match exhibit {
            Setup::Reserved => {
                let socket = self.reserve()?;
                self.add_held(shown, SocketUse::Reserved, socket, None)
            }
            Setup::Listens => {
                let socket = self.open_listener(LISTEN_PORT)?;
                self.add_held(shown, SocketUse::Listening, socket, None)
            }
            Setup::Udp => {
                let socket = self.rig.socket(AddressKind::V4, SocketType::DGRAM)?;
                self.rig
                    .bind(&socket, AddressKind::V4, local_address(UDP_PORT))?;
                self.add_held(shown, SocketUse::Udp, socket, None)
            }
            Setup::Unaccepted => self.connect_client(shown, local_address(LISTEN_PORT), true),
            Setup::InState(State::SynReceived) => {
                self.connect_client(shown, local_address(LISTEN_PORT), false)
            }
            Setup::InState(State::SynSent) => {
                let (socket, conversation) = self.rig.syn_sent_socket(AddressKind::V4)?;
                self.add_held(shown, SocketUse::Connection, socket, Some(conversation))
            }
            Setup::InState(state) => self.create_in_state(exhibit, state),
        }
    }

    /// Creates a connection that a program holds, in this state.
    fn create_in_state(&mut self, exhibit: Setup, state: State) -> Result<(), LabError> {
        let passive = matches!(
            state,
            State::Established | State::CloseWait | State::LastAck
        );
        let (socket, mut conversation) = if passive {
            self.accepted_connection()?
        } else {
            self.rig
                .connected_socket(AddressKind::V4, PeerStep::SynAck)?
        };
        if matches!(state, State::CloseWait | State::LastAck) {
            self.rig.peer.send_step(&mut conversation, PeerStep::FinAck);
            self.rig.peer.synchronize(&conversation)?;
        }
        if !matches!(state, State::Established | State::CloseWait) {
            shutdown(&socket, Shutdown::Write).map_err(LabError::io("shut down", "a socket"))?;
            self.rig.peer.wait_for_fin(&mut conversation)?;
        }
        let answer = match state {
            State::FinWait2 => Some(PeerStep::Ack),
            State::Closing => Some(PeerStep::CrossingFin),
            State::TimeWait => Some(PeerStep::FinAck),
            _ => None,
        };
        if let Some(step) = answer {
            self.rig.peer.send_step(&mut conversation, step);
            self.rig.peer.synchronize(&conversation)?;
        }
        self.add_held(
            Some(exhibit),
            SocketUse::Connection,
            socket,
            Some(conversation),
        )
    }

    /// A connection from a new peer that the program has accepted. It has a
    /// listener of its own, so that no other is accepted with it.
    fn accepted_connection(&mut self) -> Result<(OwnedFd, PeerConnection), LabError> {
        let door = self.open_listener(ACCEPTED_PORT)?;
        let conversation = self
            .rig
            .queued_connection(AddressKind::V4, local_address(ACCEPTED_PORT))?;
        poll_until(&door, PollFlags::IN, "a connection to accept")?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = accept_with(&door, flags).map_err(LabError::io("accept on", "a listener"))?;
        Ok((socket, conversation))
    }

    fn open_listener(&self, port: u16) -> Result<OwnedFd, LabError> {
        let socket = self.rig.stream_socket(AddressKind::V4)?;
        // Connections of an earlier one may still be there.
        sockopt::set_socket_reuseaddr(&socket, true)
            .map_err(LabError::io("use the port again of", "a listener"))?;
        self.rig
            .bind(&socket, AddressKind::V4, local_address(port))?;
        listen(&socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
        Ok(socket)
    }

    /// A port that is free: earlier ones may be in use by now.
    fn reserve(&self) -> Result<OwnedFd, LabError> {
        let [mut port, last] = RESERVED_PORTS;
        loop {
            let socket = self.rig.stream_socket(AddressKind::V4)?;
            match self.rig.bind(&socket, AddressKind::V4, local_address(port)) {
                Ok(()) => return Ok(socket),
                Err(error) if port == last => return Err(error),
                Err(_) => port += 1,
            }
        }
    }
}
