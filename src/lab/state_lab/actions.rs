//! Performs the requested actions in the process that has the sockets.

use super::{PAYLOAD_BYTES, SocketUse, StateLab};
use crate::lab::LabError;
use crate::lab::address_kind::AddressKind;
use crate::lab::local_sockets::{BACKLOG, SERVICE_PORT};
use crate::lab::peer::PeerStep;
use crate::model::lab::{LabAction, LabRequest};
use rustix::io::{Errno, read, write};
use rustix::net::{Shutdown, connect, listen, shutdown};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

impl StateLab<'_> {
    /// Performs a request.
    pub(in crate::lab) fn perform(&mut self, wish: &LabRequest) -> Result<(), LabError> {
        self.track_received();
        // This request concerns no particular socket.
        if wish.action == LabAction::SetUpAgain {
            return self.set_up();
        }
        let gone = LabError::NotApplicable("that socket is gone");
        let place = self.find_requested(wish).ok_or(gone)?;
        match peer_step(wish.action) {
            Some(step) => self.send_step(place, step),
            None => self.call_program(wish.action, place),
        }
    }

    /// Sends the next step of a peer.
    fn send_step(&mut self, number: usize, step: PeerStep) -> Result<(), LabError> {
        let Self {
            rig,
            sockets: places,
            ..
        } = self;
        let Some(place) = places.get_mut(number) else {
            return Ok(());
        };
        if place.socket_use == SocketUse::Udp {
            let from = rig.next_peer(AddressKind::V4, SERVICE_PORT);
            let bytes = [b'x'; PAYLOAD_BYTES as usize];
            rig.peer.send_datagram(from, place.local, &bytes);
            return Ok(());
        }
        let conversation = place.connection.as_mut();
        let conversation = conversation.ok_or(LabError::NotApplicable("it has no peer"))?;
        rig.peer.send_step(conversation, step);
        if step == PeerStep::Rst {
            // A program would close it after the reset; a reserved port is
            // free.
            place.socket = None;
        }
        Ok(())
    }

    /// Performs a call of the program, or a client's action at its listener.
    fn call_program(&mut self, what: LabAction, number: usize) -> Result<(), LabError> {
        let Some(place) = self.sockets.get_mut(number) else {
            return Ok(());
        };
        let local = place.local;
        match what {
            LabAction::ClientKnocks => return self.connect_client(None, local, false),
            LabAction::ClientConnects => return self.connect_client(None, local, true),
            LabAction::ProgramAccepts => return self.accept_at(number),
            LabAction::ProgramConnects => return self.connect_from(number),
            _ => {}
        }
        let held = LabError::NotApplicable("no program holds it");
        if what == LabAction::ProgramCloses {
            let closed = place.socket.take().map(drop).ok_or(held);
            if place.socket_use == SocketUse::Listening {
                self.drop_queued(local);
            }
            return closed;
        }
        let socket = place.socket.as_ref().ok_or(held)?;
        if what == LabAction::ProgramListens {
            listen(socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
            place.socket_use = SocketUse::Listening;
            return Ok(());
        }
        use_socket(what, socket)
    }

    /// Accepts the next connection of a listener, or those up to a given one.
    fn accept_at(&mut self, number: usize) -> Result<(), LabError> {
        let place = self.sockets.get(number);
        let found = place.map(|place| (place.queued_at, place.local, place.remote));
        let Some((waits_at, local, remote)) = found else {
            return Ok(());
        };
        let Some(remote) = remote else {
            return self.accept(local).map(drop);
        };
        let at = waits_at.ok_or(LabError::NotApplicable("it is accepted already"))?;
        // The queue ends: then this is refused.
        while self.accept(at)? != remote {}
        Ok(())
    }

    /// Connects a socket that has a port already.
    fn connect_from(&mut self, number: usize) -> Result<(), LabError> {
        let there = self.rig.next_peer(AddressKind::V4, SERVICE_PORT);
        let held = LabError::NotApplicable("no program holds it");
        let place = self.sockets.get_mut(number).ok_or(held)?;
        connect_to(place.socket.as_ref(), there)?;
        place.socket_use = SocketUse::Connection;
        place.remote = Some(there);
        place.connection = Some(self.rig.peer.wait_for_syn(there)?);
        Ok(())
    }
}

/// Returns the peer's step, if the action is one of the peer.
fn peer_step(what: LabAction) -> Option<PeerStep> {
    Some(match what {
        LabAction::PeerAnswers => PeerStep::SynAck,
        LabAction::PeerAcknowledges => PeerStep::Ack,
        LabAction::PeerFinishes => PeerStep::FinAck,
        LabAction::PeerFinishesCrossing => PeerStep::CrossingFin,
        LabAction::PeerFinishesAgain => PeerStep::RetransmitFin,
        LabAction::PeerSends => PeerStep::Data(PAYLOAD_BYTES),
        LabAction::PeerResets => PeerStep::Rst,
        _ => return None,
    })
}

fn connect_to(socket: Option<&OwnedFd>, there: SocketAddr) -> Result<(), LabError> {
    let socket = socket.ok_or(LabError::NotApplicable("no program holds it"))?;
    match connect(socket, &there) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(LabError::io("connect to", there.to_string())(error)),
    }
}

/// Performs a program's action on a connection that stays open.
fn use_socket(what: LabAction, socket: &OwnedFd) -> Result<(), LabError> {
    match what {
        LabAction::ProgramReads => loop {
            match read(socket, &mut [0; 4096]) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(LabError::io("read from", "a socket")(error)),
            }
        },
        LabAction::ProgramSends => write(socket, &[b'x'; PAYLOAD_BYTES as usize])
            .map(drop)
            .map_err(LabError::io("write to", "a socket")),
        LabAction::ProgramShutsDown => {
            shutdown(socket, Shutdown::Write).map_err(LabError::io("shut down", "a socket"))
        }
        _ => Ok(()),
    }
}
