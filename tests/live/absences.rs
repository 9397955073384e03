//! What has become of sockets that a table lacks, asked of the running kernel:
//! a table that really misses one cannot be had at will, so it is taken out of
//! a true one.

use super::namespace::{LabNamespace, NotHere};
use super::watch::row;
use rustix::net::{AddressFamily, SocketType, bind, listen, sockopt};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use tcplens::model::observation::Observation;
use tcplens::model::reading::{Reading, ReadingKind};
use tcplens::model::row::{Phase, Row};
use tcplens::model::socket::{Socket, SocketKey};
use tcplens::model::state::State;
use tcplens::monitor::{Monitor, MonitorOptions};
use tcplens::source::ReadingSource;
use tcplens::source::live::{LiveOptions, LiveSource};

/// A source whose tables can be made to lack sockets.
struct Watch {
    live: LiveSource,
    monitor: Monitor,
}

impl Watch {
    fn begin() -> Self {
        Self {
            live: LiveSource::open(&LiveOptions::default()).unwrap(),
            monitor: Monitor::new(MonitorOptions {
                lookup_budget: 256,
                ..MonitorOptions::default()
            }),
        }
    }

    fn look(&mut self) -> Arc<Observation> {
        let reading = self.live.read_table().unwrap();
        self.fold(reading)
    }

    /// Reads a table and takes these out of it.
    fn look_without(&mut self, lacking: &[SocketKey]) -> Arc<Observation> {
        let mut reading = self.live.read_table().unwrap();
        if let ReadingKind::Table(snapshot) = &mut reading.kind {
            let owners = std::mem::take(&mut snapshot.owners);
            let sockets = std::mem::take(&mut snapshot.sockets);
            for (socket, owners) in sockets.into_iter().zip(owners) {
                if !lacking.contains(&socket.key()) {
                    snapshot.sockets.push(socket);
                    snapshot.owners.push(owners);
                }
            }
        }
        self.fold(reading)
    }

    fn fold(&mut self, reading: Reading) -> Arc<Observation> {
        if let Some(observation) = self.monitor.fold(reading) {
            return observation;
        }
        let answers = self.live.look_up(self.monitor.pending_lookups());
        self.monitor.fold(answers).unwrap()
    }
}

fn by_key(observation: &Observation, socket: &Socket) -> Row {
    let key = socket.key();
    let mut found = observation
        .rows
        .iter()
        .filter(|row| row.socket.key() == key);
    let row = *found.next().unwrap();
    assert!(found.next().is_none());
    row
}

pub(crate) fn are_settled_by_exact_questions(_: &LabNamespace) -> Result<(), NotHere> {
    let mut kept = Vec::new();
    for address in ["127.0.0.1:0", "[::1]:0", "[::]:0", "0.0.0.0:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let mut at: SocketAddr = listener.local_addr().unwrap();
        if at.ip().is_unspecified() {
            // To [::] with IPv4: both ends are v4-mapped there.
            at.set_ip([127, 0, 0, 1].into());
        }
        let client = TcpStream::connect(at).unwrap();
        let (server, _) = listener.accept().unwrap();
        // One that nobody accepts.
        let waits = TcpStream::connect(at).unwrap();
        kept.push((listener, client, server, waits));
    }
    let datagrams = ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"].map(|at| UdpSocket::bind(at).unwrap());
    datagrams[0].connect("127.0.0.1:9").unwrap();

    let mut watch = Watch::begin();
    let seen = watch.look();
    let all: Vec<Socket> = seen.rows.iter().map(|row| row.socket).collect();
    assert_eq!(all.len(), 4 * 5 + 3);
    let keys: Vec<SocketKey> = all.iter().map(Socket::key).collect();
    for _ in 0..2 {
        let seen = watch.look_without(&keys);
        assert_eq!(seen.rows.len(), all.len());
        for socket in &all {
            let row = by_key(&seen, socket);
            assert_eq!(row.phase, Phase::Unchanged, "{row:?}");
            assert_eq!(row.socket.state, socket.state);
            let owners: Vec<u32> = seen.owners(&row).map(|(owner, _)| owner.pid).collect();
            let held: &[u32] = if socket.inode.is_some() {
                &[std::process::id()]
            } else {
                &[]
            };
            assert_eq!(owners, held, "{row:?}");
        }
    }
    println!("{} sockets of every kind are there after all", all.len());

    // One connection closes: one end waits in the kernel, the other is gone.
    let (listener, client, mut server, waits) = kept.remove(0);
    let (near, far) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    drop(client);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    drop(server);
    let seen = watch.look_without(&keys);
    let left = row(&seen, near, Some(far)).unwrap();
    assert_eq!(left.socket.state, State::TimeWait);
    let from = State::Established;
    assert_eq!(left.phase, Phase::Changed { from });
    assert_eq!(seen.last_owner(&left).unwrap().pid, std::process::id());
    let ended = row(&seen, far, Some(near)).unwrap();
    assert_eq!((ended.phase, ended.no_owner_reason), (Phase::Closed, None));

    // A listener, and a UDP socket, are gone at once, too.
    let [first, ..] = datagrams;
    let port = first.local_addr().unwrap();
    drop((listener, waits, first));
    let seen = watch.look();
    assert_eq!(row(&seen, far, None).unwrap().phase, Phase::Closed);
    let closed = seen
        .rows
        .iter()
        .find(|row| row.socket.local.port == port.port());
    assert_eq!(closed.unwrap().phase, Phase::Closed);
    println!("those that closed are gone with the first table that lacks them");
    Ok(())
}

/// Listeners that share a port, of which one closes.
pub(crate) fn of_shared_ports_name_the_right_one(_: &LabNamespace) -> Result<(), NotHere> {
    let shared = |port: u16| {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseport(&socket, true).unwrap();
        let at: SocketAddr = ([127, 0, 0, 1], port).into();
        bind(&socket, &at).unwrap();
        listen(&socket, 3).unwrap();
        socket
    };
    let first = TcpListener::from(shared(0));
    let at = first.local_addr().unwrap();
    let second = shared(at.port());
    let mut watch = Watch::begin();
    let seen = watch.look();
    assert_eq!(seen.state_counts.tcp(State::Listen), 2);
    drop(second);
    let seen = watch.look();
    assert_eq!(seen.state_counts.tcp(State::Listen), 1);
    let phases: Vec<Phase> = seen.rows.iter().map(|row| row.phase).collect();
    assert_eq!(phases, [Phase::Unchanged, Phase::Closed]);
    drop(first);
    let seen = watch.look();
    assert_eq!(seen.state_counts.total(), 0);
    assert!(seen.listeners.is_empty());
    Ok(())
}

/// A connection over IPv6 whose listener has closed: no listener shows that one walk
/// reads both families.
pub(crate) fn of_ipv6_listeners_hide_no_connection(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    drop(listener);
    let seen = Watch::begin().look();
    for end in [&client, &server] {
        let (local, remote) = (end.local_addr().unwrap(), end.peer_addr().unwrap());
        let found = row(&seen, local, Some(remote)).unwrap();
        assert_eq!(found.socket.state, State::Established);
    }
    let listens = row(&seen, plain.local_addr().unwrap(), None).unwrap();
    assert_eq!(seen.drops(&listens), Some(0));
    assert_eq!(seen.rows.len(), 3);
    Ok(())
}
