//! Sockets of the state lab, and how each is set up.

use super::standing::Standing;
use super::{Classroom, Use};
use crate::lab::LabError;
use crate::lab::far_end::{Conversation, Step};
use crate::lab::path::Path;
use crate::lab::program::{BACKLOG, wait_until};
use crate::model::state::State;
use rustix::event::PollFlags;
use rustix::net::{Shutdown, SocketFlags, SocketType, accept_with, listen, shutdown, sockopt};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// Port of the lab's listener.
const PORT: u16 = 8080;
/// Port on which accepted connections arrived. It has no listener any more.
const ACCEPTED: u16 = 8081;
/// The first port it may reserve, and the last.
const RESERVED: [u16; 2] = [9000, 9099];
/// Port of the UDP socket.
const DATAGRAMS: u16 = 5353;

/// Something that is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exhibit {
    /// A port reserved and not used.
    Reserved,
    /// A listener.
    Listener,
    /// A connection in this state.
    Way(State),
    /// A connection in the accept queue.
    NotAccepted,
    /// A UDP socket.
    Datagrams,
}

/// All exhibits, in about the order of a connection's life.
const SHOWN: [Exhibit; 13] = [
    Exhibit::Reserved,
    Exhibit::Listener,
    Exhibit::Way(State::SynSent),
    Exhibit::Way(State::SynReceived),
    Exhibit::NotAccepted,
    Exhibit::Way(State::Established),
    Exhibit::Way(State::FinWait1),
    Exhibit::Way(State::FinWait2),
    Exhibit::Way(State::Closing),
    Exhibit::Way(State::TimeWait),
    Exhibit::Way(State::CloseWait),
    Exhibit::Way(State::LastAck),
    Exhibit::Datagrams,
];

fn here(port: u16) -> SocketAddr {
    SocketAddr::new(Path::V4.here(), port)
}

impl Classroom<'_> {
    /// Sets up every socket that is missing or has left its state.
    pub(in crate::lab) fn set_up(&mut self) -> Result<(), LabError> {
        let standing = Standing::read()?;
        for exhibit in SHOWN {
            if !self.shows(exhibit, &standing) {
                self.show(exhibit)?;
            }
        }
        Ok(())
    }

    /// Returns true if it is still as it was set up: the kernel, or the user by
    /// other means, may have ended it.
    fn shows(&mut self, exhibit: Exhibit, standing: &Standing) -> bool {
        let state = match exhibit {
            Exhibit::Way(state) => Some(state),
            Exhibit::NotAccepted => Some(State::Established),
            _ => None,
        };
        let gone = |place: &super::Place| match (state, place.remote) {
            (Some(state), Some(remote)) => !standing.has(place.local, remote, state),
            _ => false,
        };
        for place in &mut self.places {
            if place.exhibit == Some(exhibit) && gone(place) {
                place.exhibit = None;
            }
        }
        let mut places = self.places.iter();
        places.any(|place| place.exhibit == Some(exhibit))
    }

    fn show(&mut self, exhibit: Exhibit) -> Result<(), LabError> {
        let shown = Some(exhibit);
        match exhibit {
            Exhibit::Reserved => {
                let socket = self.reserve()?;
                self.keep(shown, Use::Reserved, socket, None)
            }
            Exhibit::Listener => {
                let socket = self.open_door(PORT)?;
                self.keep(shown, Use::Listening, socket, None)
            }
            Exhibit::Datagrams => {
                let socket = self.rig.socket(Path::V4, SocketType::DGRAM)?;
                self.rig.bind(&socket, Path::V4, here(DATAGRAMS))?;
                self.keep(shown, Use::Datagrams, socket, None)
            }
            Exhibit::NotAccepted => self.arrive(shown, here(PORT), true),
            Exhibit::Way(State::SynReceived) => self.arrive(shown, here(PORT), false),
            Exhibit::Way(State::SynSent) => {
                let (socket, conversation) = self.rig.knocking(Path::V4)?;
                self.keep(shown, Use::Connection, socket, Some(conversation))
            }
            Exhibit::Way(state) => self.show_way(exhibit, state),
        }
    }

    /// Creates a connection that a program holds, in this state.
    fn show_way(&mut self, exhibit: Exhibit, state: State) -> Result<(), LabError> {
        let passive = matches!(
            state,
            State::Established | State::CloseWait | State::LastAck
        );
        let (socket, mut conversation) = if passive {
            self.accepted()?
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
        self.keep(Some(exhibit), Use::Connection, socket, Some(conversation))
    }

    /// A connection from a new peer that the program has accepted. It has a
    /// listener of its own, so that no other is accepted with it.
    fn accepted(&mut self) -> Result<(OwnedFd, Conversation), LabError> {
        let door = self.open_door(ACCEPTED)?;
        let conversation = self.rig.arrival(Path::V4, here(ACCEPTED))?;
        wait_until(&door, PollFlags::IN, "a connection to accept")?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = accept_with(&door, flags).map_err(LabError::io("accept on", "a listener"))?;
        Ok((socket, conversation))
    }

    fn open_door(&self, port: u16) -> Result<OwnedFd, LabError> {
        let socket = self.rig.stream(Path::V4)?;
        // Connections of an earlier one may still be there.
        sockopt::set_socket_reuseaddr(&socket, true)
            .map_err(LabError::io("use the port again of", "a listener"))?;
        self.rig.bind(&socket, Path::V4, here(port))?;
        listen(&socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
        Ok(socket)
    }

    /// A port that is free: earlier ones may be in use by now.
    fn reserve(&self) -> Result<OwnedFd, LabError> {
        let [mut port, last] = RESERVED;
        loop {
            let socket = self.rig.stream(Path::V4)?;
            match self.rig.bind(&socket, Path::V4, here(port)) {
                Ok(()) => return Ok(socket),
                Err(error) if port == last => return Err(error),
                Err(_) => port += 1,
            }
        }
    }
}
