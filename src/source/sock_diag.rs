//! The kernel's `sock_diag` as a socket source: every field, and right under
//! load where `/proc/net` shows rows twice.

use super::diag_message::{self, DiagMessage, DiagPayload, InetDiagMessage};
use super::diag_request::{
    self, AF_INET, AF_INET6, ALL_STATES, DiagExtensions, DumpRequest, LISTEN_STATE,
};
use super::{SocketSource, SocketTable, SourceError, diag_info, diag_memory};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::protocol::{IpFamily, Protocol};
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
const MAX_DATAGRAM: usize = 32 * 1024;
/// Number of repetitions of a dump that the kernel marks as interrupted.
const MAX_DUMP_RETRIES: u32 = 2;
/// Timeout of a dump: the kernel answers at once or never.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// Name of this source in errors.
const SOURCE_NAME: &str = "netlink sock_diag";

/// A netlink socket to the kernel's socket table.
pub(super) struct SockDiag {
    socket: OwnedFd,
    namespace: u32,
    sequence: u32,
    buffer: Vec<u8>,
    /// True if one dump yields TCP of both families.
    single_dump: bool,
    /// True if each connection includes its TCP counters.
    with_counters: bool,
}

/// Result of a dump besides its sockets.
#[derive(Default)]
struct DumpStats {
    malformed: u64,
    interrupted: bool,
}

/// State of one dump.
struct DumpReader<'t> {
    protocol: Protocol,
    namespace: u32,
    with_counters: bool,
    table: &'t mut SocketTable,
    stats: DumpStats,
}

impl DumpReader<'_> {
    /// Handles a message; returns the kernel's error number if it is the last,
    /// 0 for none.
    fn handle_message(&mut self, message: DiagMessage<'_>) -> Option<i32> {
        self.stats.interrupted |= message.interrupted;
        match message.payload {
            DiagPayload::Socket(entry) => self.add_socket(entry),
            DiagPayload::Malformed => self.stats.malformed += 1,
            DiagPayload::Done(error) | DiagPayload::Error(error) => return Some(error),
        }
        None
    }

    fn add_socket(&mut self, entry: InetDiagMessage<'_>) {
        let Some(socket) = entry.decode_socket(self.protocol, self.namespace) else {
            self.stats.malformed += 1;
            return;
        };
        self.table.sockets.push(socket);
        if let Some(is_transparent) = entry.is_transparent() {
            self.table.add_transparent(is_transparent);
        }
        if let Some(id) = entry.cgroup_id() {
            self.table.add_cgroup(id);
        }
        if SocketMemory::is_listed(&socket)
            && let Some(memory) = diag_memory::parse_memory(entry.attributes())
        {
            self.table.add_memory(memory);
        }
        if self.with_counters {
            let sample = diag_info::parse_counters(entry.attributes());
            self.table
                .add_counters(sample.filter(|_| socket.is_connection()));
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
        let socket = open_socket().map_err(|error| SourceError::new("open", SOURCE_NAME, error))?;
        let mut source = Self {
            socket,
            namespace,
            sequence: 0,
            buffer: vec![0; MAX_DATAGRAM],
            single_dump: false,
            with_counters: false,
        };
        source.single_dump = source.supports_single_dump()?;
        Ok(source)
    }

    /// Returns true if the older request yields IPv6 too. It names no family and so
    /// yields both, unless IPv6 listeners prove otherwise; then both families are
    /// dumped separately. A dump walks the sockets of all namespaces, so that a
    /// second one costs as much as the first.
    fn supports_single_dump(&mut self) -> Result<bool, SourceError> {
        let mut apart = SocketTable::default();
        let dump = DumpRequest::Family(Protocol::Tcp, AF_INET6);
        let _ = self.dump(dump, LISTEN_STATE, DiagExtensions::None, &mut apart);
        let mut together = SocketTable::default();
        let dump = DumpRequest::Family(Protocol::Tcp, AF_INET);
        self.dump(dump, LISTEN_STATE, DiagExtensions::None, &mut together)?;
        together.truncate(0);
        let both = self.dump(
            DumpRequest::TcpAllFamilies,
            LISTEN_STATE,
            DiagExtensions::None,
            &mut together,
        );
        let count = |table: &SocketTable| {
            let v6 = |socket: &&Socket| socket.family() == IpFamily::Inet6;
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
            Protocol::Tcp if self.single_dump => {
                self.dump_until_consistent(DumpRequest::TcpAllFamilies, table)
            }
            _ => {
                self.dump_until_consistent(DumpRequest::Family(protocol, AF_INET), table)?;
                let second =
                    self.dump_until_consistent(DumpRequest::Family(protocol, AF_INET6), table);
                if let Err(error) = second
                    && GapReason::from_io_error(error.io()) != GapReason::Unsupported
                {
                    table.gaps.push(Gap {
                        kind: GapKind::TablesUnreadable,
                        count: 1,
                        reason: GapReason::from_io_error(error.io()),
                    });
                }
                Ok(())
            }
        }
    }

    /// Dumps, and repeats the dump while the kernel reports that the table
    /// changed meanwhile. A dump that stays inconsistent is a gap.
    fn dump_until_consistent(
        &mut self,
        dump: DumpRequest,
        table: &mut SocketTable,
    ) -> Result<(), SourceError> {
        let kept = table.sockets.len();
        let mut dumped = self.dump_or_roll_back(dump, table)?;
        for _ in 0..MAX_DUMP_RETRIES {
            if !dumped.interrupted {
                break;
            }
            table.truncate(kept);
            dumped = self.dump_or_roll_back(dump, table)?;
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
    fn dump_or_roll_back(
        &mut self,
        dump: DumpRequest,
        table: &mut SocketTable,
    ) -> Result<DumpStats, SourceError> {
        let kept = table.sockets.len();
        let mut dumped = DumpStats::default();
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
    fn parts(&self, protocol: Protocol) -> &'static [(u32, DiagExtensions)] {
        match (protocol, self.with_counters) {
            (Protocol::Udp, _) => &[(ALL_STATES, DiagExtensions::Memory)],
            (Protocol::Tcp, false) => &[
                (LISTEN_STATE, DiagExtensions::Memory),
                (ALL_STATES & !LISTEN_STATE, DiagExtensions::None),
            ],
            (Protocol::Tcp, true) => &[
                (LISTEN_STATE, DiagExtensions::Memory),
                (ALL_STATES & !LISTEN_STATE, DiagExtensions::Info),
            ],
        }
    }

    fn dump(
        &mut self,
        dump: DumpRequest,
        states: u32,
        extras: DiagExtensions,
        into: &mut SocketTable,
    ) -> Result<DumpStats, SourceError> {
        let sequence = self.reserve_sequences(1);
        let mut taking = DumpReader {
            protocol: dump.protocol(),
            namespace: self.namespace,
            with_counters: extras == DiagExtensions::Info,
            table: into,
            stats: DumpStats::default(),
        };
        let request = diag_request::encode_dump(dump, states, extras, sequence);
        self.send(&request)
            .map_err(|error| SourceError::new("ask", SOURCE_NAME, error))?;
        loop {
            let length = self
                .receive(RecvFlags::empty())
                .map_err(|error| SourceError::new("read", SOURCE_NAME, error))?;
            let mut end = None;
            for message in diag_message::messages(&self.buffer[..length]) {
                let lost = message.payload == DiagPayload::Malformed && message.sequence == 0;
                // Those with another number belong to an earlier request.
                if message.sequence == sequence || lost {
                    end = taking.handle_message(message).or(end);
                }
            }
            match end {
                None => {}
                Some(0) => return Ok(taking.stats),
                Some(number) => {
                    let error = io::Error::from_raw_os_error(number);
                    return Err(SourceError::new("dump", SOURCE_NAME, error));
                }
            }
        }
    }

    /// Namespace of the sockets.
    pub(super) fn namespace(&self) -> u32 {
        self.namespace
    }

    /// Sets whether connections include their TCP counters.
    pub(super) fn include_tcp_counters(&mut self, wanted: bool) {
        self.with_counters = wanted;
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
    pub(super) fn try_receive(&mut self) -> io::Result<Option<&[u8]>> {
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
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(REPLY_TIMEOUT))?;
    Ok(socket)
}

impl SocketSource for SockDiag {
    fn kind(&self) -> SourceKind {
        SourceKind::SockDiag
    }

    fn include_tcp_counters(&mut self, wanted: bool) {
        SockDiag::include_tcp_counters(self, wanted);
    }

    fn sock_diag(&mut self) -> Option<&mut SockDiag> {
        Some(self)
    }

    fn read(&mut self, room: Vec<Socket>) -> Result<SocketTable, SourceError> {
        let mut table = SocketTable::with_buffer(room);
        self.read_protocol(Protocol::Tcp, &mut table)?;
        if let Err(error) = self.read_protocol(Protocol::Udp, &mut table) {
            table.gaps.push(Gap {
                kind: GapKind::TablesUnreadable,
                count: 1,
                reason: GapReason::from_io_error(error.io()),
            });
        }
        Ok(table)
    }
}
