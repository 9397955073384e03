//! Sockets destroyed by the kernel, with their counters: a multicast of
//! `sock_diag`, as `ss -E` reads it. It needs no privilege and covers this
//! network namespace.
//!
//! See `net/core/sock_diag.c`, `sock_diag_broadcast_destroy`.

use super::super::diag_info;
use super::super::diag_message::{self, DiagPayload};
use crate::model::event::SocketDestroyed;
use crate::model::protocol::Protocol;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, bind, netlink, recvfrom, socket_with,
    sockopt,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`, as bits.
const MULTICAST_GROUPS: u32 = 0b101;
/// Receive buffer size: some 6,000 connections, 70 ms at 90,000 a second.
const RECEIVE_BUFFER: usize = 8 << 20;
/// A message is a socket and its `TCP_INFO`, well below this.
const MAX_DATAGRAM: usize = 4096;

/// Socket that receives the destroyed sockets.
pub(super) struct DestroyListener {
    socket: OwnedFd,
    namespace: u32,
    buffer: Vec<u8>,
}

/// Result of one read.
#[derive(Default)]
pub(super) struct DestroyEvents {
    pub(super) sockets: Vec<SocketDestroyed>,
    /// Number of times that messages were lost; the number of lost messages is
    /// unknown.
    pub(super) losses: u64,
}

impl DestroyListener {
    /// Starts listening.
    pub(super) fn open(namespace: u32) -> Result<Self, Errno> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::SOCK_DIAG),
        )?;
        // Beyond the system's limit only with CAP_NET_ADMIN.
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER);
        }
        bind(
            &socket,
            &netlink::SocketAddrNetlink::new(0, MULTICAST_GROUPS),
        )?;
        Ok(Self {
            socket,
            namespace,
            buffer: vec![0; MAX_DATAGRAM],
        })
    }

    /// True if the receive buffer is small, so that it must be read often.
    pub(super) fn has_small_buffer(&self) -> bool {
        sockopt::socket_recv_buffer_size(&self.socket).is_ok_and(|room| room < RECEIVE_BUFFER)
    }

    /// Reads all pending messages, up to a number of sockets.
    pub(super) fn read(&mut self, at_us: u64, most: usize) -> DestroyEvents {
        let mut heard = DestroyEvents::default();
        while heard.sockets.len() < most {
            match recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((_, length, _)) if length > self.buffer.len() => heard.losses += 1,
                Ok((_, length, sender)) => {
                    let sender =
                        sender.and_then(|sender| netlink::SocketAddrNetlink::try_from(sender).ok());
                    if sender.is_some_and(|sender| sender.pid() == 0) {
                        let datagram = self.buffer.get(..length).unwrap_or_default();
                        heard
                            .sockets
                            .extend(decode_destroyed(datagram, self.namespace, at_us));
                    }
                }
                Err(Errno::NOBUFS) => heard.losses += 1,
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        heard
    }
}

impl AsFd for DestroyListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn decode_destroyed(
    datagram: &[u8],
    namespace: u32,
    at_us: u64,
) -> impl Iterator<Item = SocketDestroyed> {
    diag_message::messages(datagram).filter_map(move |message| {
        let DiagPayload::Socket(entry) = message.payload else {
            return None;
        };
        Some(SocketDestroyed {
            at_us,
            socket: entry.decode_socket(Protocol::Tcp, namespace)?,
            info: diag_info::parse_info(entry.attributes()).unwrap_or_default(),
        })
    })
}
