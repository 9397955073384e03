//! Set-up of each kind of socket: the actions of the local program, and those
//! that the peer performs or omits.

use super::LabError;
use super::address_kind::AddressKind;
use super::local_sockets::{BACKLOG, CLIENT_PORT, SERVICE_PORT, poll_until};
use super::namespace::{FIN_TIMEOUT_SYSCTL, LONG_FIN_TIMEOUT_S};
use super::peer::{PeerConnection, PeerStep};
use super::rig::{Rig, SocketSpec, local_address};
use super::socket_kind::RigSocketKind;
use crate::model::state::State;
use rustix::event::PollFlags;
use rustix::io::write;
use rustix::net::{Shutdown, SocketType, connect, listen, shutdown, sockopt};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

/// Number of bytes or datagrams that stay unread or unsent.
const PAYLOAD_BYTES: u16 = 32;
const UNREAD_DATAGRAMS: usize = 3;
/// `FIN_WAIT_2` time of an orphan with which the kernel shrinks it, in seconds:
/// at most that of `TIME_WAIT`.
const SHORT_FIN_TIMEOUT_S: &str = "60";

impl Rig<'_> {
    /// Parks a socket of a kind.
    ///
    /// # Errors
    ///
    /// If it cannot be parked.
    pub fn create(&mut self, kind: RigSocketKind, path: AddressKind) -> Result<(), LabError> {
        let spot = SocketSpec {
            kind,
            path,
            state: kind.state(),
        };
        match kind {
            RigSocketKind::Bound => self.bound(spot),
            RigSocketKind::Listens => self.listener(spot, path.local_address()).map(|_| ()),
            RigSocketKind::ListenerAnywhere => self.listener(spot, path.unspecified()).map(|_| ()),
            RigSocketKind::PortShared => self.port_shared(spot),
            RigSocketKind::ListenerShared => self.listener_shared(spot),
            RigSocketKind::QueueFull => self.queue_full(spot),
            RigSocketKind::SynSent => self.syn_sent(spot),
            RigSocketKind::SynReceived => self.syn_received(spot),
            RigSocketKind::EstablishedUnaccepted | RigSocketKind::CloseWaitUnaccepted => {
                self.unaccepted(spot)
            }
            RigSocketKind::EstablishedBlocked => self.blocked(spot),
            RigSocketKind::Established
            | RigSocketKind::EstablishedShared
            | RigSocketKind::EstablishedUnread
            | RigSocketKind::EstablishedUnacknowledged => self.established(spot),
            RigSocketKind::FinWait1 | RigSocketKind::FinWait1Orphan => self.fin_wait_1(spot),
            RigSocketKind::FinWait2 | RigSocketKind::FinWait2Orphan => self.fin_wait_2(spot),
            RigSocketKind::FinWait2Shrunk => {
                // If settings may not be written, this is the default anyway.
                let _ = self
                    .namespace
                    .set_sysctl(FIN_TIMEOUT_SYSCTL, SHORT_FIN_TIMEOUT_S);
                self.fin_wait_2(spot)?;
                let _ = self
                    .namespace
                    .set_sysctl(FIN_TIMEOUT_SYSCTL, LONG_FIN_TIMEOUT_S);
                Ok(())
            }
            RigSocketKind::Closing | RigSocketKind::ClosingOrphan => self.closing(spot),
            RigSocketKind::TimeWait => self.time_wait(spot),
            RigSocketKind::CloseWait | RigSocketKind::CloseWaitUnread => self.close_wait(spot),
            RigSocketKind::LastAck | RigSocketKind::LastAckOrphan => self.last_ack(spot),
            RigSocketKind::Datagrams | RigSocketKind::DatagramsConnected => self.datagrams(spot),
        }
    }

    fn bound(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let socket = self.stream_socket(spot.path)?;
        self.bind(
            &socket,
            spot.path,
            SocketAddr::new(spot.path.local_address(), 0),
        )?;
        self.add_held(spot, socket, None).map(drop)
    }

    /// Parks a listener and returns its address.
    fn listener(&mut self, spot: SocketSpec, address: IpAddr) -> Result<SocketAddr, LabError> {
        let socket = self.listening_socket(spot.path, SocketAddr::new(address, 0), BACKLOG)?;
        let at = local_address(&socket)?;
        let spot = SocketSpec {
            state: State::Listen,
            ..spot
        };
        self.add_held(spot, socket, None)?;
        Ok(at)
    }

    fn port_shared(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let mut at = SocketAddr::new(spot.path.local_address(), 0);
        for _ in 0..2 {
            let socket = self.stream_socket(spot.path)?;
            sockopt::set_socket_reuseport(&socket, true)
                .map_err(LabError::io("share the port of", "a listener"))?;
            self.bind(&socket, spot.path, at)?;
            listen(&socket, BACKLOG).map_err(LabError::io("listen on", "a socket"))?;
            at.set_port(local_address(&socket)?.port());
            self.add_held(spot, socket, None)?;
        }
        Ok(())
    }

    fn listener_shared(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let at = SocketAddr::new(spot.path.local_address(), 0);
        let socket = self.listening_socket(spot.path, at, BACKLOG)?;
        self.add_shared(spot, socket, None).map(drop)
    }

    /// Two connections wait where one may: the next SYN is not answered.
    fn queue_full(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let at = SocketAddr::new(spot.path.local_address(), 0);
        let socket = self.listening_socket(spot.path, at, 1)?;
        let at = local_address(&socket)?;
        self.add_held(spot, socket, None)?;
        for _ in 0..2 {
            let conversation = self.queued_connection(spot.path, at)?;
            let waiting = SocketSpec {
                state: State::Established,
                ..spot
            };
            self.add_kernel_owned(waiting, conversation);
        }
        Ok(())
    }

    fn syn_sent(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, conversation) = self.syn_sent_socket(spot.path)?;
        let place = self.add_held(spot, socket, Some(conversation.remote))?;
        self.add_connection(place, conversation);
        Ok(())
    }

    fn syn_received(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let at = self.listener(spot, spot.path.local_address())?;
        let there = self.next_peer(spot.path, CLIENT_PORT);
        let conversation = self.peer.send_syn(there, at)?;
        self.add_kernel_owned(spot, conversation);
        Ok(())
    }

    fn unaccepted(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let at = self.listener(spot, spot.path.local_address())?;
        let mut conversation = self.queued_connection(spot.path, at)?;
        if spot.kind == RigSocketKind::CloseWaitUnaccepted {
            self.peer.send_step(&mut conversation, PeerStep::FinAck);
            self.peer.wait_for_ack(&conversation)?;
        }
        self.add_kernel_owned(spot, conversation);
        Ok(())
    }

    fn established(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        // One of each pair was opened by the peer.
        let (socket, mut conversation) = match spot.kind {
            RigSocketKind::Established | RigSocketKind::EstablishedShared => {
                self.accepted_socket(spot)?
            }
            _ => self.connected_socket(spot.path, PeerStep::SynAck)?,
        };
        let there = Some(conversation.remote);
        let place = match spot.kind {
            RigSocketKind::EstablishedShared => self.add_shared(spot, socket, there)?,
            RigSocketKind::EstablishedUnread => {
                self.peer
                    .send_step(&mut conversation, PeerStep::Data(PAYLOAD_BYTES));
                self.peer.wait_for_ack(&conversation)?;
                self.add_held(spot, socket, there)?
            }
            RigSocketKind::EstablishedUnacknowledged => {
                send_payload(&socket)?;
                self.peer.wait_for_data(&mut conversation)?;
                self.add_held(spot, socket, there)?
            }
            _ => self.add_held(spot, socket, there)?,
        };
        self.add_connection(place, conversation);
        Ok(())
    }

    fn blocked(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, conversation) =
            self.connected_socket(spot.path, PeerStep::SynAckZeroWindow)?;
        send_payload(&socket)?;
        let place = self.add_held(spot, socket, Some(conversation.remote))?;
        self.add_connection(place, conversation);
        Ok(())
    }

    fn fin_wait_1(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, conversation) = self.connected_socket(spot.path, PeerStep::SynAck)?;
        self.close(spot, socket, conversation, |_, _| Ok(()))
    }

    fn fin_wait_2(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, conversation) = self.connected_socket(spot.path, PeerStep::SynAck)?;
        self.close(spot, socket, conversation, |rig, conversation| {
            rig.peer.send_step(conversation, PeerStep::Ack);
            rig.peer.synchronize(conversation)
        })
    }

    fn closing(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, conversation) = self.connected_socket(spot.path, PeerStep::SynAck)?;
        self.close(spot, socket, conversation, |rig, conversation| {
            rig.peer.send_step(conversation, PeerStep::CrossingFin);
            rig.peer.wait_for_ack(conversation)
        })
    }

    fn time_wait(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, conversation) = self.connected_socket(spot.path, PeerStep::SynAck)?;
        self.close(spot, socket, conversation, |rig, conversation| {
            rig.peer.send_step(conversation, PeerStep::FinAck);
            rig.peer.wait_for_ack(conversation)
        })
    }

    fn close_wait(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, mut conversation) = self.connected_socket(spot.path, PeerStep::SynAck)?;
        if spot.kind == RigSocketKind::CloseWaitUnread {
            self.peer
                .send_step(&mut conversation, PeerStep::Data(PAYLOAD_BYTES));
            self.peer.wait_for_ack(&conversation)?;
        }
        self.peer.send_step(&mut conversation, PeerStep::FinAck);
        self.peer.wait_for_ack(&conversation)?;
        let place = self.add_held(spot, socket, Some(conversation.remote))?;
        self.add_connection(place, conversation);
        Ok(())
    }

    fn last_ack(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let (socket, mut conversation) = self.connected_socket(spot.path, PeerStep::SynAck)?;
        self.peer.send_step(&mut conversation, PeerStep::FinAck);
        self.peer.wait_for_ack(&conversation)?;
        self.close(spot, socket, conversation, |_, _| Ok(()))
    }

    fn datagrams(&mut self, spot: SocketSpec) -> Result<(), LabError> {
        let socket = self.socket(spot.path, SocketType::DGRAM)?;
        self.bind(
            &socket,
            spot.path,
            SocketAddr::new(spot.path.local_address(), 0),
        )?;
        let at = local_address(&socket)?;
        let there = self.next_peer(spot.path, SERVICE_PORT);
        let connected = spot.kind == RigSocketKind::DatagramsConnected;
        if connected {
            connect(&socket, &self.socket_address(spot.path, there))
                .map_err(LabError::io("connect to", there.to_string()))?;
        }
        for _ in 0..UNREAD_DATAGRAMS {
            self.peer.send_datagram(there, at, b"unread");
        }
        poll_until(&socket, PollFlags::IN, "a datagram")?;
        self.add_held(spot, socket, connected.then_some(there))
            .map(drop)
    }

    /// Closes this side of a connection and waits for its FIN, then performs
    /// the peer's part. An orphan is closed, any other only shut down.
    fn close(
        &mut self,
        spot: SocketSpec,
        socket: OwnedFd,
        mut conversation: PeerConnection,
        answer: impl FnOnce(&mut Self, &mut PeerConnection) -> Result<(), LabError>,
    ) -> Result<(), LabError> {
        let owned = matches!(
            spot.kind,
            RigSocketKind::FinWait1
                | RigSocketKind::FinWait2
                | RigSocketKind::Closing
                | RigSocketKind::LastAck
        );
        let kept = if owned {
            shutdown(&socket, Shutdown::Write).map_err(LabError::io("shut down", "a socket"))?;
            Some(socket)
        } else {
            drop(socket);
            None
        };
        self.peer.wait_for_fin(&mut conversation)?;
        answer(self, &mut conversation)?;
        match kept {
            Some(socket) => {
                let place = self.add_held(spot, socket, Some(conversation.remote))?;
                self.add_connection(place, conversation);
            }
            None => self.add_kernel_owned(spot, conversation),
        }
        Ok(())
    }
}

fn send_payload(socket: &OwnedFd) -> Result<(), LabError> {
    write(socket, &[b'x'; PAYLOAD_BYTES as usize])
        .map(drop)
        .map_err(LabError::io("write to", "a socket"))
}
