//! Set-up of each kind of socket: the actions of the local program, and those
//! that the peer performs or omits.

use super::LabError;
use super::far_end::{Conversation, Step};
use super::kind::Kind;
use super::namespace::{FIN_TIMEOUT, LONG_FIN_TIMEOUT};
use super::path::Path;
use super::program::{BACKLOG, CLIENT, SERVICE, wait_until};
use super::rig::{Rig, Spot, local};
use crate::model::state::State;
use rustix::event::PollFlags;
use rustix::io::write;
use rustix::net::{Shutdown, SocketType, connect, listen, shutdown, sockopt};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

/// Number of bytes or datagrams that stay unread or unsent.
const BYTES: u16 = 32;
const DATAGRAMS: usize = 3;
/// `FIN_WAIT_2` time of an orphan with which the kernel shrinks it, in seconds:
/// at most that of `TIME_WAIT`.
const SHORT_FIN_TIMEOUT: &str = "60";

impl Rig<'_> {
    /// Parks a socket of a kind.
    ///
    /// # Errors
    ///
    /// If it cannot be parked.
    pub fn park(&mut self, kind: Kind, path: Path) -> Result<(), LabError> {
        let spot = Spot {
            kind,
            path,
            state: kind.state(),
        };
        match kind {
            Kind::Bound => self.bound(spot),
            Kind::Listener => self.listener(spot, path.here()).map(|_| ()),
            Kind::ListenerAnywhere => self.listener(spot, path.anywhere()).map(|_| ()),
            Kind::PortShared => self.port_shared(spot),
            Kind::ListenerShared => self.listener_shared(spot),
            Kind::QueueFull => self.queue_full(spot),
            Kind::SynSent => self.syn_sent(spot),
            Kind::SynReceived => self.syn_received(spot),
            Kind::EstablishedUnaccepted | Kind::CloseWaitUnaccepted => self.unaccepted(spot),
            Kind::EstablishedBlocked => self.blocked(spot),
            Kind::Established
            | Kind::EstablishedShared
            | Kind::EstablishedUnread
            | Kind::EstablishedUnacknowledged => self.established(spot),
            Kind::FinWait1 | Kind::FinWait1Orphan => self.fin_wait_1(spot),
            Kind::FinWait2 | Kind::FinWait2Orphan => self.fin_wait_2(spot),
            Kind::FinWait2Shrunk => {
                // If settings may not be written, this is the default anyway.
                let _ = self.namespace.set(FIN_TIMEOUT, SHORT_FIN_TIMEOUT);
                self.fin_wait_2(spot)?;
                let _ = self.namespace.set(FIN_TIMEOUT, LONG_FIN_TIMEOUT);
                Ok(())
            }
            Kind::Closing | Kind::ClosingOrphan => self.closing(spot),
            Kind::TimeWait => self.time_wait(spot),
            Kind::CloseWait | Kind::CloseWaitUnread => self.close_wait(spot),
            Kind::LastAck | Kind::LastAckOrphan => self.last_ack(spot),
            Kind::Datagrams | Kind::DatagramsConnected => self.datagrams(spot),
        }
    }

    fn bound(&mut self, spot: Spot) -> Result<(), LabError> {
        let socket = self.stream(spot.path)?;
        self.bind(&socket, spot.path, SocketAddr::new(spot.path.here(), 0))?;
        self.keep(spot, socket, None).map(drop)
    }

    /// Parks a listener and returns its address.
    fn listener(&mut self, spot: Spot, address: IpAddr) -> Result<SocketAddr, LabError> {
        let socket = self.listening(spot.path, SocketAddr::new(address, 0), BACKLOG)?;
        let at = local(&socket)?;
        let spot = Spot {
            state: State::Listen,
            ..spot
        };
        self.keep(spot, socket, None)?;
        Ok(at)
    }

    fn port_shared(&mut self, spot: Spot) -> Result<(), LabError> {
        let mut at = SocketAddr::new(spot.path.here(), 0);
        for _ in 0..2 {
            let socket = self.stream(spot.path)?;
            sockopt::set_socket_reuseport(&socket, true)
                .map_err(LabError::io("share the port of", "a listener"))?;
            self.bind(&socket, spot.path, at)?;
            listen(&socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
            at.set_port(local(&socket)?.port());
            self.keep(spot, socket, None)?;
        }
        Ok(())
    }

    fn listener_shared(&mut self, spot: Spot) -> Result<(), LabError> {
        let at = SocketAddr::new(spot.path.here(), 0);
        let socket = self.listening(spot.path, at, BACKLOG)?;
        self.keep_shared(spot, socket, None).map(drop)
    }

    /// Two connections wait where one may: the next SYN is not answered.
    fn queue_full(&mut self, spot: Spot) -> Result<(), LabError> {
        let at = SocketAddr::new(spot.path.here(), 0);
        let socket = self.listening(spot.path, at, 1)?;
        let at = local(&socket)?;
        self.keep(spot, socket, None)?;
        for _ in 0..2 {
            let conversation = self.arrival(spot.path, at)?;
            let waiting = Spot {
                state: State::Established,
                ..spot
            };
            self.leave(waiting, conversation);
        }
        Ok(())
    }

    fn syn_sent(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, conversation) = self.knocking(spot.path)?;
        let place = self.keep(spot, socket, Some(conversation.there))?;
        self.converse(place, conversation);
        Ok(())
    }

    fn syn_received(&mut self, spot: Spot) -> Result<(), LabError> {
        let at = self.listener(spot, spot.path.here())?;
        let there = self.peer(spot.path, CLIENT);
        let conversation = self.far_end.knock(there, at)?;
        self.leave(spot, conversation);
        Ok(())
    }

    fn unaccepted(&mut self, spot: Spot) -> Result<(), LabError> {
        let at = self.listener(spot, spot.path.here())?;
        let mut conversation = self.arrival(spot.path, at)?;
        if spot.kind == Kind::CloseWaitUnaccepted {
            self.far_end.tell(&mut conversation, Step::Finish);
            self.far_end.hear_ack(&conversation)?;
        }
        self.leave(spot, conversation);
        Ok(())
    }

    fn established(&mut self, spot: Spot) -> Result<(), LabError> {
        // One of each pair was opened by the peer.
        let (socket, mut conversation) = match spot.kind {
            Kind::Established | Kind::EstablishedShared => self.accepted(spot)?,
            _ => self.connected(spot.path, Step::AnswerSyn)?,
        };
        let there = Some(conversation.there);
        let place = match spot.kind {
            Kind::EstablishedShared => self.keep_shared(spot, socket, there)?,
            Kind::EstablishedUnread => {
                self.far_end.tell(&mut conversation, Step::Send(BYTES));
                self.far_end.hear_ack(&conversation)?;
                self.keep(spot, socket, there)?
            }
            Kind::EstablishedUnacknowledged => {
                send(&socket)?;
                self.far_end.hear_bytes(&mut conversation)?;
                self.keep(spot, socket, there)?
            }
            _ => self.keep(spot, socket, there)?,
        };
        self.converse(place, conversation);
        Ok(())
    }

    fn blocked(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, conversation) = self.connected(spot.path, Step::AnswerSynBlocked)?;
        send(&socket)?;
        let place = self.keep(spot, socket, Some(conversation.there))?;
        self.converse(place, conversation);
        Ok(())
    }

    fn fin_wait_1(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, conversation) = self.connected(spot.path, Step::AnswerSyn)?;
        self.close(spot, socket, conversation, |_, _| Ok(()))
    }

    fn fin_wait_2(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, conversation) = self.connected(spot.path, Step::AnswerSyn)?;
        self.close(spot, socket, conversation, |rig, conversation| {
            rig.far_end.tell(conversation, Step::Acknowledge);
            rig.far_end.settle(conversation)
        })
    }

    fn closing(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, conversation) = self.connected(spot.path, Step::AnswerSyn)?;
        self.close(spot, socket, conversation, |rig, conversation| {
            rig.far_end.tell(conversation, Step::FinishCrossing);
            rig.far_end.hear_ack(conversation)
        })
    }

    fn time_wait(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, conversation) = self.connected(spot.path, Step::AnswerSyn)?;
        self.close(spot, socket, conversation, |rig, conversation| {
            rig.far_end.tell(conversation, Step::Finish);
            rig.far_end.hear_ack(conversation)
        })
    }

    fn close_wait(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, mut conversation) = self.connected(spot.path, Step::AnswerSyn)?;
        if spot.kind == Kind::CloseWaitUnread {
            self.far_end.tell(&mut conversation, Step::Send(BYTES));
            self.far_end.hear_ack(&conversation)?;
        }
        self.far_end.tell(&mut conversation, Step::Finish);
        self.far_end.hear_ack(&conversation)?;
        let place = self.keep(spot, socket, Some(conversation.there))?;
        self.converse(place, conversation);
        Ok(())
    }

    fn last_ack(&mut self, spot: Spot) -> Result<(), LabError> {
        let (socket, mut conversation) = self.connected(spot.path, Step::AnswerSyn)?;
        self.far_end.tell(&mut conversation, Step::Finish);
        self.far_end.hear_ack(&conversation)?;
        self.close(spot, socket, conversation, |_, _| Ok(()))
    }

    fn datagrams(&mut self, spot: Spot) -> Result<(), LabError> {
        let socket = self.socket(spot.path, SocketType::DGRAM)?;
        self.bind(&socket, spot.path, SocketAddr::new(spot.path.here(), 0))?;
        let at = local(&socket)?;
        let there = self.peer(spot.path, SERVICE);
        let connected = spot.kind == Kind::DatagramsConnected;
        if connected {
            connect(&socket, &self.for_calls(spot.path, there))
                .map_err(LabError::io("connect to", there.to_string()))?;
        }
        for _ in 0..DATAGRAMS {
            self.far_end.send_datagram(there, at, b"unread");
        }
        wait_until(&socket, PollFlags::IN, "a datagram")?;
        self.keep(spot, socket, connected.then_some(there))
            .map(drop)
    }

    /// Closes this side of a connection and waits for its FIN, then performs
    /// the peer's part. An orphan is closed, any other only shut down.
    fn close(
        &mut self,
        spot: Spot,
        socket: OwnedFd,
        mut conversation: Conversation,
        answer: impl FnOnce(&mut Self, &mut Conversation) -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        let owned = matches!(
            spot.kind,
            Kind::FinWait1 | Kind::FinWait2 | Kind::Closing | Kind::LastAck
        );
        let kept = if owned {
            shutdown(&socket, Shutdown::Write).map_err(LabError::io("shut down", "a socket"))?;
            Some(socket)
        } else {
            drop(socket);
            None
        };
        self.far_end.hear_fin(&mut conversation)?;
        answer(self, &mut conversation)?;
        match kept {
            Some(socket) => {
                let place = self.keep(spot, socket, Some(conversation.there))?;
                self.converse(place, conversation);
            }
            None => self.leave(spot, conversation),
        }
        Ok(())
    }
}

fn send(socket: &OwnedFd) -> Result<(), LabError> {
    write(socket, &[b'x'; BYTES as usize])
        .map(drop)
        .map_err(LabError::io("write to", "a socket"))
}
