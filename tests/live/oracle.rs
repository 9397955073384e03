//! The parser of `/proc/net/*` against that of the `procfs` crate.

use super::crowd::Crowd;
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use procfs::net::{TcpNetEntry, UdpNetEntry};
use std::fs;
use std::net::SocketAddr;
use tcplens::lab::DeviceChoice;
use tcplens::lab::rig_process::RigProcess;
use tcplens::model::protocol::Protocol;
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::source::proc_net::parse_table;

/// What both parsers tell of a row: the crate's drops the rest.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    local: SocketAddr,
    remote: SocketAddr,
    state: State,
    queues: (u32, u32),
    uid: u32,
    inode: u64,
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl From<&Socket> for Row {
    fn from(socket: &Socket) -> Self {
        Self {
            local: SocketAddr::new(socket.local.address(), socket.local.port),
            remote: SocketAddr::new(socket.remote.address(), socket.remote.port),
            state: socket.state,
            queues: (socket.recv_queue, socket.send_queue),
            uid: socket.uid,
            inode: socket.inode.map_or(0, |inode| inode.get().into()),
        }
    }
}

impl From<TcpNetEntry> for Row {
    fn from(entry: TcpNetEntry) -> Self {
        Self {
            local: canonical(entry.local_address),
            remote: canonical(entry.remote_address),
            state: State::from_kernel(Protocol::Tcp, entry.state.to_u8()),
            queues: (entry.rx_queue, entry.tx_queue),
            uid: entry.uid,
            inode: entry.inode,
        }
    }
}

impl From<UdpNetEntry> for Row {
    fn from(entry: UdpNetEntry) -> Self {
        Self {
            local: canonical(entry.local_address),
            remote: canonical(entry.remote_address),
            state: State::from_kernel(Protocol::Udp, entry.state.to_u8()),
            queues: (entry.rx_queue, entry.tx_queue),
            uid: entry.uid,
            inode: entry.inode,
        }
    }
}

fn ours(file: &str, protocol: Protocol) -> Vec<Row> {
    let bytes = fs::read(format!("/proc/net/{file}")).unwrap();
    let parsed = parse_table(&bytes, protocol, 0);
    assert_eq!(parsed.malformed, 0, "{file}");
    parsed.sockets.iter().map(Row::from).collect()
}

fn rows<T>(entries: procfs::ProcResult<Vec<T>>) -> Vec<Row>
where
    Row: From<T>,
{
    entries.unwrap().into_iter().map(Row::from).collect()
}

pub(crate) fn parses_like_the_procfs_crate(namespace: &LabNamespace) -> Result<(), NotHere> {
    type Theirs = fn() -> Vec<Row>;
    let tables: [(&str, Protocol, Theirs); 4] = [
        ("tcp", Protocol::Tcp, || rows(procfs::net::tcp())),
        ("tcp6", Protocol::Tcp, || rows(procfs::net::tcp6())),
        ("udp", Protocol::Udp, || rows(procfs::net::udp())),
        ("udp6", Protocol::Udp, || rows(procfs::net::udp6())),
    ];
    let parking = RigProcess::start(namespace, DeviceChoice::Auto).unwrap();
    let crowd = Crowd::gather(namespace);
    let mut counts = Vec::new();
    for (file, protocol, theirs) in tables {
        let (ours, theirs) = wait_for("a table that stands still", || {
            let before = ours(file, protocol);
            let theirs = theirs();
            (before == ours(file, protocol)).then_some((before, theirs))
        });
        assert!(!ours.is_empty(), "{file}");
        assert_eq!(ours, theirs, "{file}");
        counts.push(format!("{file} {}", ours.len()));
    }
    println!("rows the same: {}", counts.join(", "));
    drop((parking, crowd));
    Ok(())
}
