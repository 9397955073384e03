//! Carries out what a learner wishes for, in the process that has the sockets.

use super::{BYTES, Classroom};
use crate::lab::LabError;
use crate::lab::far_end::Step;
use crate::lab::program::BACKLOG;
use crate::model::lesson::{Move, Wish};
use crate::model::protocol::Protocol;
use rustix::io::{Errno, read, write};
use rustix::net::{Shutdown, listen, shutdown};

impl Classroom<'_> {
    /// Does what is wished for.
    pub(in crate::lab) fn make(&mut self, wish: &Wish) -> Result<(), LabError> {
        self.listen_in();
        // That is about no socket in particular.
        if wish.what == Move::SetUpAgain {
            return self.set_up();
        }
        let found = self.wished(wish);
        match wish.what {
            Move::ClientKnocks => self.arrive(false),
            Move::ClientConnects => self.arrive(true),
            Move::ProgramConnects => match found.filter(|place| self.is_reserved(*place)) {
                Some(place) => self.depart_from(place),
                None => self.depart(),
            },
            _ => self.go_on(wish, found.ok_or(LabError::Lesson("that socket is gone"))?),
        }
    }

    /// The next step of a socket that is there.
    fn go_on(&mut self, wish: &Wish, place: usize) -> Result<(), LabError> {
        let step = match wish.what {
            Move::PeerAnswers => Step::AnswerSyn,
            Move::PeerAcknowledges => Step::Acknowledge,
            Move::PeerFinishes => Step::Finish,
            Move::PeerFinishesCrossing => Step::FinishCrossing,
            Move::PeerFinishesAgain => Step::FinishAgain,
            Move::PeerSends if wish.protocol == Protocol::Tcp => Step::Send(BYTES),
            Move::PeerResets => Step::Reset,
            what => return self.call(what, place),
        };
        let Self { rig, places, .. } = self;
        let conversation = places
            .get_mut(place)
            .and_then(|place| place.conversation.as_mut())
            .ok_or(LabError::Lesson("it has no peer"))?;
        rig.far_end.tell(conversation, step);
        Ok(())
    }

    /// A call of the program.
    fn call(&mut self, what: Move, number: usize) -> Result<(), LabError> {
        if what == Move::ProgramAccepts {
            return self.accept_at(number);
        }
        let Some(place) = self.places.get_mut(number) else {
            return Ok(());
        };
        if what == Move::PeerSends {
            let to = place.local;
            self.send_datagram(to);
            return Ok(());
        }
        let held = LabError::Lesson("no program holds it");
        if what == Move::ProgramCloses {
            let closed = place.socket.take().map(drop).ok_or(held);
            let (local, listened) = (place.local, place.remote.is_none());
            if listened {
                self.forget_callers(local);
            }
            return closed;
        }
        let socket = place.socket.as_ref().ok_or(held)?;
        match what {
            Move::ProgramListens => {
                listen(socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))
            }
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

    /// Accepts what waits: a connection in the queue, or the next of a listener.
    fn accept_at(&mut self, number: usize) -> Result<(), LabError> {
        let remote = self.places.get(number).and_then(|place| place.remote);
        let Some(remote) = remote else {
            let (socket, from) = self.accept()?;
            if let Some(place) = self.place(from) {
                place.socket = Some(socket);
                place.exhibit = None;
            }
            return Ok(());
        };
        let socket = self.accept_from(remote)?;
        if let Some(place) = self.places.get_mut(number) {
            place.socket = Some(socket);
        }
        Ok(())
    }
}
