//! Sockets and processes for the tests of this module.

use crate::model::endpoint::Endpoint;
use crate::model::owner::{Holder, OwnerSearch, OwnerSpan, ProcessId};
use crate::model::process::Process;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::reading::{Reading, ReadingKind, Snapshot};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::Time;
use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

/// The id with this number.
pub(super) fn process_id(number: u32) -> ProcessId {
    ProcessId(number)
}

/// A process with a pid and little else.
pub(super) fn process(pid: u32) -> Arc<Process> {
    Arc::new(Process {
        pid,
        start_ticks: 10,
        name: format!("program-{pid}").as_str().into(),
        ..Process::default()
    })
}

/// A TCP socket without a cookie; each number has its own addresses and inode.
pub(super) fn socket(number: u32, state: State) -> Socket {
    let port = u16::try_from(1024 + number % 60_000).unwrap();
    let peer = if state == State::Listen {
        Endpoint::default()
    } else {
        let address = Ipv4Addr::from(0xc633_6400 + number / 60_000);
        Endpoint::new(IpAddr::V4(address), 443)
    };
    Socket {
        cookie: None,
        local: Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), port),
        remote: peer,
        inode: NonZeroU32::new(number + 1),
        uid: 1000,
        interface: 0,
        recv_queue: 0,
        send_queue: 0,
        namespace: 1,
        timer: None,
        protocol: Protocol::Tcp,
        socket_family: IpFamily::Inet.into(),
        state,
    }
}

/// The same with a cookie made from the number.
pub(super) fn with_cookie(number: u32, state: State) -> Socket {
    Socket {
        cookie: NonZeroU64::new(u64::from(number) + 1),
        ..socket(number, state)
    }
}

/// A table in which one process, pid 100, holds each socket that has an inode.
pub(super) fn table(sockets: &[Socket]) -> Snapshot {
    let mut table = Snapshot {
        sockets: sockets.to_vec(),
        processes: vec![process(100)],
        owner_search: OwnerSearch::Complete,
        ..Snapshot::default()
    };
    for socket in sockets {
        let start = u32::try_from(table.holders.len()).unwrap();
        let held = socket.inode.is_some();
        table.owners.push(OwnerSpan {
            start,
            count: u32::from(held),
        });
        table.holders.extend(held.then_some(Holder {
            process: ProcessId(0),
            fd: start,
        }));
    }
    table
}

/// A table as a reading at this number of milliseconds.
pub(super) fn reading(milliseconds: u64, snapshot: Snapshot) -> Reading {
    Reading {
        time: Time {
            wall_ms: 1_700_000_000_000 + milliseconds,
            monotonic_ms: milliseconds,
        },
        kind: ReadingKind::Table(Box::new(snapshot)),
    }
}
