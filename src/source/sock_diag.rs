//! The kernel's `sock_diag` as a socket source: every field, and right under
//! load where `/proc/net` shows rows twice.

use super::diag_message::{self, ALL_STATES, Dump, INET, INET6, LISTENERS, Part};
use super::{SocketSource, SocketTable, SourceError};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::protocol::{Family, Protocol};
use crate::model::reading::SourceKind;
use crate::model::socket::Socket;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recvfrom, sendto,
    socket_with, sockopt,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The kernel never sends more than this in one datagram of a dump.
const DATAGRAM: usize = 32 * 1024;
/// A dump that the kernel marks as interrupted is made again this often.
const RETRIES: u32 = 2;
/// A dump is answered at once; a kernel that stays silent this long never will.
const PATIENCE: Duration = Duration::from_secs(5);
/// How an error names this source.
const NAME: &str = "netlink sock_diag";

/// A netlink socket to the kernel's socket table.
pub(super) struct SockDiag {
    socket: OwnedFd,
    namespace: u32,
    sequence: u32,
    buffer: Vec<u8>,
    /// Whether one walk gives TCP of both families.
    one_walk: bool,
}

/// What a dump gave besides its sockets.
#[derive(Default)]
struct Dumped {
    malformed: u64,
    interrupted: bool,
}

impl SockDiag {
    /// Opens the socket and asks whether TCP can be dumped at all.
    ///
    /// # Errors
    ///
    /// If netlink is not to be had, or the kernel has no `tcp_diag`.
    pub(super) fn open(namespace: u32) -> Result<Self, SourceError> {
        let socket = open_socket().map_err(|error| SourceError::new("open", NAME, error))?;
        let mut source = Self {
            socket,
            namespace,
            sequence: 0,
            buffer: vec![0; DATAGRAM],
            one_walk: false,
        };
        source.one_walk = source.walks_both()?;
        Ok(source)
    }

    /// Whether the older request yields IPv6 too. Only believed if there is an
    /// IPv6 listener to prove it; else both families are dumped apart.
    fn walks_both(&mut self) -> Result<bool, SourceError> {
        let mut apart = Vec::new();
        let dump = Dump::Family(Protocol::Tcp, INET6);
        let _ = self.dump(dump, LISTENERS, &mut apart);
        let mut together = Vec::new();
        self.dump(Dump::Family(Protocol::Tcp, INET), LISTENERS, &mut together)?;
        together.clear();
        let worked = self.dump(Dump::TcpBoth, LISTENERS, &mut together).is_ok();
        let count = |sockets: &[Socket]| {
            let v6 = |socket: &&Socket| socket.family == Family::Inet6;
            sockets.iter().filter(v6).count()
        };
        Ok(worked && count(&apart) > 0 && count(&together) >= count(&apart))
    }

    /// Adds all sockets of one protocol to the table.
    pub(super) fn read_protocol(
        &mut self,
        protocol: Protocol,
        table: &mut SocketTable,
    ) -> Result<(), SourceError> {
        match protocol {
            Protocol::Tcp if self.one_walk => self.dump_steadily(Dump::TcpBoth, table),
            _ => {
                self.dump_steadily(Dump::Family(protocol, INET), table)?;
                let second = self.dump_steadily(Dump::Family(protocol, INET6), table);
                if let Err(error) = second
                    && GapReason::of(error.io()) != GapReason::NotOffered
                {
                    table.gaps.push(Gap {
                        kind: GapKind::TablesUnreadable,
                        count: 1,
                        reason: GapReason::of(error.io()),
                    });
                }
                Ok(())
            }
        }
    }

    /// Dumps, and dumps again while the kernel says that the table changed
    /// under the reader. What is still doubtful then is a gap.
    fn dump_steadily(&mut self, dump: Dump, table: &mut SocketTable) -> Result<(), SourceError> {
        let kept = table.sockets.len();
        let mut dumped = self.dump_whole(dump, table)?;
        for _ in 0..RETRIES {
            if !dumped.interrupted {
                break;
            }
            table.sockets.truncate(kept);
            dumped = self.dump_whole(dump, table)?;
        }
        let counts = [
            (
                GapKind::DumpsInterrupted,
                u64::from(dumped.interrupted),
                GapReason::Changed,
            ),
            (
                GapKind::MessagesMalformed,
                dumped.malformed,
                GapReason::Malformed,
            ),
        ];
        for (kind, count, reason) in counts {
            if count > 0 {
                table.gaps.push(Gap {
                    kind,
                    count,
                    reason,
                });
            }
        }
        Ok(())
    }

    /// A dump that fails half-way leaves nothing behind: another source may
    /// stand in for it.
    fn dump_whole(&mut self, dump: Dump, table: &mut SocketTable) -> Result<Dumped, SourceError> {
        let kept = table.sockets.len();
        let dumped = self.dump(dump, ALL_STATES, &mut table.sockets);
        if dumped.is_err() {
            table.sockets.truncate(kept);
        }
        dumped
    }

    fn dump(
        &mut self,
        dump: Dump,
        states: u32,
        into: &mut Vec<Socket>,
    ) -> Result<Dumped, SourceError> {
        self.sequence = self.sequence.wrapping_add(1);
        let request = diag_message::request(dump, states, self.sequence);
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, &request, SendFlags::empty(), &kernel)
            .map_err(|error| SourceError::new("ask", NAME, error))?;
        let mut dumped = Dumped::default();
        loop {
            let length = self
                .receive()
                .map_err(|error| SourceError::new("read", NAME, error))?;
            let mut end = None;
            let seen = diag_message::parts(
                &self.buffer[..length],
                self.sequence,
                dump.protocol(),
                self.namespace,
                |part| match part {
                    Part::Socket(socket) => into.push(socket),
                    Part::Malformed => dumped.malformed += 1,
                    Part::Done(error) | Part::Refused(error) => end = Some(error),
                },
            );
            dumped.interrupted |= seen.interrupted;
            match end {
                None => {}
                Some(0) => return Ok(dumped),
                Some(number) => {
                    let error = io::Error::from_raw_os_error(number);
                    return Err(SourceError::new("dump", NAME, error));
                }
            }
        }
    }

    /// One datagram from the kernel; those from anybody else are passed over.
    fn receive(&mut self) -> io::Result<usize> {
        loop {
            let received = recvfrom(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC);
            let (_, length, sender) = match received {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let from_kernel = sender
                .and_then(|sender| netlink::SocketAddrNetlink::try_from(sender).ok())
                .is_some_and(|sender| sender.pid() == 0);
            if !from_kernel {
                continue;
            }
            if length > self.buffer.len() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the kernel's answer did not fit its buffer",
                ));
            }
            return Ok(length);
        }
    }
}

fn open_socket() -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    Ok(socket)
}

impl SocketSource for SockDiag {
    fn kind(&self) -> SourceKind {
        SourceKind::SockDiag
    }

    fn read(&mut self) -> Result<SocketTable, SourceError> {
        let mut table = SocketTable::default();
        self.read_protocol(Protocol::Tcp, &mut table)?;
        if let Err(error) = self.read_protocol(Protocol::Udp, &mut table) {
            table.gaps.push(Gap {
                kind: GapKind::TablesUnreadable,
                count: 1,
                reason: GapReason::of(error.io()),
            });
        }
        Ok(table)
    }
}
