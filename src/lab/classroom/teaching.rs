//! Performs the requested actions in the process that has the sockets.

use super::{BYTES, Classroom, Use};
use crate::lab::LabError;
use crate::lab::far_end::Step;
use crate::lab::path::Path;
use crate::lab::program::{BACKLOG, SERVICE};
use crate::model::lesson::{Move, Wish};
use rustix::io::{Errno, read, write};
use rustix::net::{Shutdown, connect, listen, shutdown};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

impl Classroom<'_> {
    /// Performs a request.
    pub(in crate::lab) fn make(&mut self, wish: &Wish) -> Result<(), LabError> {
        self.listen_in();
        // This request concerns no particular socket.
        if wish.what == Move::SetUpAgain {
            return self.set_up();
        }
        let gone = LabError::Lesson("that socket is gone");
        let place = self.wished(wish).ok_or(gone)?;
        match step(wish.what) {
            Some(step) => self.tell(place, step),
            None => self.call(wish.what, place),
        }
    }

    /// Sends the next step of a peer.
    fn tell(&mut self, number: usize, step: Step) -> Result<(), LabError> {
        let Self { rig, places, .. } = self;
        let Some(place) = places.get_mut(number) else {
            return Ok(());
        };
        if place.used == Use::Datagrams {
            let from = rig.peer(Path::V4, SERVICE);
            let bytes = [b'x'; BYTES as usize];
            rig.far_end.send_datagram(from, place.local, &bytes);
            return Ok(());
        }
        let conversation = place.conversation.as_mut();
        let conversation = conversation.ok_or(LabError::Lesson("it has no peer"))?;
        rig.far_end.tell(conversation, step);
        if step == Step::Reset {
            // A program would close it after the reset; a reserved port is
            // free.
            place.socket = None;
        }
        Ok(())
    }

    /// Performs a call of the program, or a client's action at its listener.
    fn call(&mut self, what: Move, number: usize) -> Result<(), LabError> {
        let Some(place) = self.places.get_mut(number) else {
            return Ok(());
        };
        let local = place.local;
        match what {
            Move::ClientKnocks => return self.arrive(None, local, false),
            Move::ClientConnects => return self.arrive(None, local, true),
            Move::ProgramAccepts => return self.accept_at(number),
            Move::ProgramConnects => return self.depart_from(number),
            _ => {}
        }
        let held = LabError::Lesson("no program holds it");
        if what == Move::ProgramCloses {
            let closed = place.socket.take().map(drop).ok_or(held);
            if place.used == Use::Listening {
                self.forget_callers(local);
            }
            return closed;
        }
        let socket = place.socket.as_ref().ok_or(held)?;
        if what == Move::ProgramListens {
            listen(socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
            place.used = Use::Listening;
            return Ok(());
        }
        use_socket(what, socket)
    }

    /// Accepts the next connection of a listener, or those up to a given one.
    fn accept_at(&mut self, number: usize) -> Result<(), LabError> {
        let place = self.places.get(number);
        let found = place.map(|place| (place.waits_at, place.local, place.remote));
        let Some((waits_at, local, remote)) = found else {
            return Ok(());
        };
        let Some(remote) = remote else {
            return self.accept(local).map(drop);
        };
        let at = waits_at.ok_or(LabError::Lesson("it is accepted already"))?;
        // The queue ends: then this is refused.
        while self.accept(at)? != remote {}
        Ok(())
    }

    /// Connects a socket that has a port already.
    fn depart_from(&mut self, number: usize) -> Result<(), LabError> {
        let there = self.rig.peer(Path::V4, SERVICE);
        let held = LabError::Lesson("no program holds it");
        let place = self.places.get_mut(number).ok_or(held)?;
        connect_to(place.socket.as_ref(), there)?;
        place.used = Use::Connection;
        place.remote = Some(there);
        place.conversation = Some(self.rig.far_end.hear_syn(there)?);
        Ok(())
    }
}

/// Returns the peer's step, if the action is one of the peer.
fn step(what: Move) -> Option<Step> {
    Some(match what {
        Move::PeerAnswers => Step::AnswerSyn,
        Move::PeerAcknowledges => Step::Acknowledge,
        Move::PeerFinishes => Step::Finish,
        Move::PeerFinishesCrossing => Step::FinishCrossing,
        Move::PeerFinishesAgain => Step::FinishAgain,
        Move::PeerSends => Step::Send(BYTES),
        Move::PeerResets => Step::Reset,
        _ => return None,
    })
}

fn connect_to(socket: Option<&OwnedFd>, there: SocketAddr) -> Result<(), LabError> {
    let socket = socket.ok_or(LabError::Lesson("no program holds it"))?;
    match connect(socket, &there) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(error) => Err(LabError::io("connect to", there.to_string())(error)),
    }
}

/// Performs a program's action on a connection that stays open.
fn use_socket(what: Move, socket: &OwnedFd) -> Result<(), LabError> {
    match what {
        Move::ProgramReads => loop {
            match read(socket, &mut [0; 4096]) {
                Ok(0) | Err(Errno::AGAIN) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(LabError::io("read from", "a socket")(error)),
            }
        },
        Move::ProgramSends => write(socket, &[b'x'; BYTES as usize])
            .map(drop)
            .map_err(LabError::io("write to", "a socket")),
        Move::ProgramShutsDown => {
            shutdown(socket, Shutdown::Write).map_err(LabError::io("shut down", "a socket"))
        }
        _ => Ok(()),
    }
}
