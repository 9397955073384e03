//! The kernel's `sock_diag` as a socket source: every field, and right under
//! load where `/proc/net` shows rows twice.

use super::diag_message::{self, Entry, Message, Part};
use super::diag_request::{self, ALL_STATES, Dump, Extras, INET, INET6, LISTENERS};
use super::{SocketSource, SocketTable, SourceError, diag_info, diag_memory};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::protocol::{Family, Protocol};
use crate::model::reading::SourceKind;
use crate::model::socket::Socket;
use crate::model::socket_memory::SocketMemory;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink, recvfrom, sendto,
    socket_with, sockopt,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The kernel never sends more than this in one datagram of a dump.
const DATAGRAM: usize = 32 * 1024;
/// Number of repetitions of a dump that the kernel marks as interrupted.
const RETRIES: u32 = 2;
/// Timeout of a dump: the kernel answers at once or never.
const PATIENCE: Duration = Duration::from_secs(5);
/// Name of this source in errors.
const NAME: &str = "netlink sock_diag";

/// A netlink socket to the kernel's socket table.
pub(super) struct SockDiag {
    socket: OwnedFd,
    namespace: u32,
    sequence: u32,
    buffer: Vec<u8>,
    /// True if one dump yields TCP of both families.
    one_walk: bool,
    /// True if each connection includes its TCP counters.
    with_flows: bool,
}

/// Result of a dump besides its sockets.
#[derive(Default)]
struct Dumped {
    malformed: u64,
    interrupted: bool,
}

/// State of one dump.
struct Taking<'t> {
    protocol: Protocol,
    namespace: u32,
    with_flows: bool,
    into: &'t mut SocketTable,
    dumped: Dumped,
}

impl Taking<'_> {
    /// Handles a message; returns the kernel's error number if it is the last,
    /// 0 for none.
    fn take(&mut self, message: Message<'_>) -> Option<i32> {
        self.dumped.interrupted |= message.interrupted;
        match message.part {
            Part::Entry(entry) => self.enter(entry),
            Part::Malformed => self.dumped.malformed += 1,
            Part::Done(error) | Part::Refused(error) => return Some(error),
        }
        None
    }

    fn enter(&mut self, entry: Entry<'_>) {
        let Some(socket) = entry.socket(self.protocol, self.namespace) else {
            self.dumped.malformed += 1;
            return;
        };
        self.into.sockets.push(socket);
        if let Some(is_transparent) = entry.is_transparent() {
            self.into.add_options(is_transparent);
        }
        if let Some(id) = entry.cgroup_id() {
            self.into.add_cgroup(id);
        }
        if SocketMemory::is_listed(&socket)
            && let Some(memory) = diag_memory::memory(entry.attributes())
        {
            self.into.add_memory(memory);
        }
        if self.with_flows {
            let sample = diag_info::sample(entry.attributes());
            self.into
                .add_flow(sample.filter(|_| socket.is_connection()));
        }
    }
}

impl SockDiag {
    /// Opens the socket and checks that TCP can be dumped.
    ///
    /// # Errors
    ///
    /// If netlink is unavailable, or the kernel has no `tcp_diag`.
    pub(super) fn open(namespace: u32) -> Result<Self, SourceError> {
        let socket = open_socket().map_err(|error| SourceError::new("open", NAME, error))?;
        let mut source = Self {
            socket,
            namespace,
            sequence: 0,
            buffer: vec![0; DATAGRAM],
            one_walk: false,
            with_flows: false,
        };
        source.one_walk = source.walks_both()?;
        Ok(source)
    }

    /// Returns true if the older request yields IPv6 too. It names no family and so
    /// yields both, unless IPv6 listeners prove otherwise; then both families are
    /// dumped separately. A dump walks the sockets of all namespaces, so that a
    /// second one costs as much as the first.
    fn walks_both(&mut self) -> Result<bool, SourceError> {
        let mut apart = SocketTable::default();
        let dump = Dump::Family(Protocol::Tcp, INET6);
        let _ = self.dump(dump, LISTENERS, Extras::None, &mut apart);
        let mut together = SocketTable::default();
        let dump = Dump::Family(Protocol::Tcp, INET);
        self.dump(dump, LISTENERS, Extras::None, &mut together)?;
        together.truncate(0);
        let both = self.dump(Dump::TcpBoth, LISTENERS, Extras::None, &mut together);
        let count = |table: &SocketTable| {
            let v6 = |socket: &&Socket| socket.family() == Family::Inet6;
            table.sockets.iter().filter(v6).count()
        };
        Ok(both.is_ok() && count(&together) >= count(&apart))
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

    /// Dumps, and repeats the dump while the kernel reports that the table
    /// changed meanwhile. A dump that stays inconsistent is a gap.
    fn dump_steadily(&mut self, dump: Dump, table: &mut SocketTable) -> Result<(), SourceError> {
        let kept = table.sockets.len();
        let mut dumped = self.dump_whole(dump, table)?;
        for _ in 0..RETRIES {
            if !dumped.interrupted {
                break;
            }
            table.truncate(kept);
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

    /// Dumps, and removes partial results if the dump fails half-way: another
    /// source may replace it.
    fn dump_whole(&mut self, dump: Dump, table: &mut SocketTable) -> Result<Dumped, SourceError> {
        let kept = table.sockets.len();
        let mut dumped = Dumped::default();
        for (states, extras) in self.parts(dump.protocol()) {
            match self.dump(dump, *states, *extras, table) {
                Ok(part) => {
                    dumped.malformed += part.malformed;
                    dumped.interrupted |= part.interrupted;
                }
                Err(error) => {
                    table.truncate(kept);
                    return Err(error);
                }
            }
        }
        Ok(dumped)
    }

    /// States of the dumps of one protocol, and the attributes to request with their
    /// sockets. Of TCP only the memory of listeners is listed: to fill it in for all
    /// connections takes the kernel longer.
    fn parts(&self, protocol: Protocol) -> &'static [(u32, Extras)] {
        match (protocol, self.with_flows) {
            (Protocol::Udp, _) => &[(ALL_STATES, Extras::Memory)],
            (Protocol::Tcp, false) => &[
                (LISTENERS, Extras::Memory),
                (ALL_STATES & !LISTENERS, Extras::None),
            ],
            (Protocol::Tcp, true) => &[
                (LISTENERS, Extras::Memory),
                (ALL_STATES & !LISTENERS, Extras::Info),
            ],
        }
    }

    fn dump(
        &mut self,
        dump: Dump,
        states: u32,
        extras: Extras,
        into: &mut SocketTable,
    ) -> Result<Dumped, SourceError> {
        let sequence = self.reserve_sequences(1);
        let mut taking = Taking {
            protocol: dump.protocol(),
            namespace: self.namespace,
            with_flows: extras == Extras::Info,
            into,
            dumped: Dumped::default(),
        };
        let request = diag_request::dump(dump, states, extras, sequence);
        self.send(&request)
            .map_err(|error| SourceError::new("ask", NAME, error))?;
        loop {
            let length = self
                .receive(RecvFlags::empty())
                .map_err(|error| SourceError::new("read", NAME, error))?;
            let mut end = None;
            for message in diag_message::messages(&self.buffer[..length]) {
                let lost = message.part == Part::Malformed && message.sequence == 0;
                // Those with another number belong to an earlier request.
                if message.sequence == sequence || lost {
                    end = taking.take(message).or(end);
                }
            }
            match end {
                None => {}
                Some(0) => return Ok(taking.dumped),
                Some(number) => {
                    let error = io::Error::from_raw_os_error(number);
                    return Err(SourceError::new("dump", NAME, error));
                }
            }
        }
    }

    /// Namespace of the sockets.
    pub(super) fn namespace(&self) -> u32 {
        self.namespace
    }

    /// Sets whether connections include their TCP counters.
    pub(super) fn include_flows(&mut self, wanted: bool) {
        self.with_flows = wanted;
    }

    /// Reserves a number of consecutive sequence numbers and returns the first.
    pub(super) fn reserve_sequences(&mut self, count: usize) -> u32 {
        let first = self.sequence.wrapping_add(1);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.sequence = self.sequence.wrapping_add(count);
        first
    }

    pub(super) fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.socket, requests, SendFlags::empty(), &kernel)?;
        Ok(())
    }

    /// Receives a pending datagram.
    pub(super) fn receive_if_any(&mut self) -> io::Result<Option<&[u8]>> {
        match self.receive(RecvFlags::DONTWAIT) {
            Ok(length) => Ok(self.buffer.get(..length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Receives one datagram from the kernel; others are skipped.
    fn receive(&mut self, flags: RecvFlags) -> io::Result<usize> {
        loop {
            let received = recvfrom(&self.socket, &mut self.buffer[..], flags | RecvFlags::TRUNC);
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

    fn include_flows(&mut self, wanted: bool) {
        SockDiag::include_flows(self, wanted);
    }

    fn exact(&mut self) -> Option<&mut SockDiag> {
        Some(self)
    }

    fn read(&mut self, room: Vec<Socket>) -> Result<SocketTable, SourceError> {
        let mut table = SocketTable::within(room);
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
