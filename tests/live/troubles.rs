//! Every trouble that can be made in a private namespace, with real sockets:
//! each must be found, and nothing else.
//!
//! Limits of minutes are shortened to seconds, and said to be. What no private
//! namespace can show stands in the scenarios alone: `tcp_max_orphans` can be
//! read in the initial namespace only.

use super::hunt::Hunt;
use super::namespace::{LabNamespace, NotHere};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept, bind, connect, listen, socket_with, sockopt,
};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;
use tcplens::lab::DeviceChoice;
use tcplens::lab::address_kind::AddressKind;
use tcplens::lab::peer::Peer;
use tcplens::model::evidence::Evidence;
use tcplens::model::finding::{Rule, Severity};
use tcplens::monitor::Thresholds;

/// Where those listen that somebody floods.
const PORT: u16 = 8080;
/// Where nobody listens.
const CLOSED: u16 = 9;
/// SYNs in a second.
const FLOOD: u16 = 600;
/// Clients that come at the same moment. The device holds 500 packets.
const AT_ONCE: u16 = 100;

/// A socket that does not wait.
pub(crate) fn stream() -> OwnedFd {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

/// Asks an address that never answers.
pub(crate) fn ask_silence(number: u16, port: u16) -> OwnedFd {
    let socket = stream();
    let asked = connect(
        &socket,
        &SocketAddrV4::new(LabNamespace::silent_address(number), port),
    );
    assert_eq!(asked, Err(Errno::INPROGRESS));
    socket
}

fn listening(address: SocketAddr, backlog: i32) -> OwnedFd {
    let socket = stream();
    bind(&socket, &address).unwrap();
    listen(&socket, backlog).unwrap();
    socket
}

fn set(_proof: &LabNamespace, setting: &str, value: &str) {
    fs::write(format!("/proc/sys/net/ipv4/{setting}"), value).unwrap();
}

/// Hosts are asked one after the other, ten a second, and none answers.
pub(crate) fn a_scan(_: &LabNamespace) -> Result<(), NotHere> {
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let mut kept = Vec::new();
    hunt.until_found((Rule::OutboundScan, Severity::Critical), || {
        let first = u16::try_from(kept.len()).unwrap();
        kept.extend((first..first + 10).map(|number| ask_silence(number, 22)));
    });
    hunt.end();
    Ok(())
}

/// Connects are refused before any table can see them.
pub(crate) fn refusals(_: &LabNamespace) -> Result<(), NotHere> {
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let mut refused = 0;
    hunt.until_found((Rule::FailedConnects, Severity::Warning), || {
        while refused < 1000 {
            let socket = stream();
            let asked = connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, CLOSED));
            assert!(matches!(asked, Err(Errno::INPROGRESS | Errno::CONNREFUSED)));
            refused += 1;
        }
    });
    hunt.end();
    Ok(())
}

/// SYNs from addresses that never answer, each from another.
struct Flood {
    far_end: Peer,
    sent: u16,
}

impl Flood {
    fn open(namespace: &LabNamespace) -> Result<Self, NotHere> {
        let far_end = Peer::open(namespace, DeviceChoice::Auto)
            .map_err(|error| NotHere::NoNamespace(error.to_string()))?;
        Ok(Self { far_end, sent: 0 })
    }

    fn send(&mut self, count: u16, to: SocketAddr) {
        for _ in 0..count {
            let from = SocketAddr::new(AddressKind::V4.peer_address(self.sent % 60_000), 40_000);
            self.far_end.send_forged_syn(from, to);
            self.sent += 1;
        }
    }
}

fn flooded(namespace: &LabNamespace, cookies: &str, severity: Severity) -> Result<(), NotHere> {
    set(namespace, "tcp_syncookies", cookies);
    let here = SocketAddr::new(AddressKind::V4.local_address(), PORT);
    let mut flood = Flood::open(namespace)?;
    let listener = listening(here, 64);
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let found = hunt.until_found((Rule::SynFlood, severity), || {
        for _ in 0..10 {
            flood.send(FLOOD / 10, here);
            flood.far_end.discard_received();
        }
    });
    let process = found.process.as_ref().unwrap();
    assert_eq!(process.pid, std::process::id());
    hunt.end();
    drop(listener);
    Ok(())
}

/// Forged addresses against a small backlog, with cookies …
pub(crate) fn a_flood_answered_with_cookies(namespace: &LabNamespace) -> Result<(), NotHere> {
    flooded(namespace, "1", Severity::Critical)
}

/// … and without.
pub(crate) fn a_flood_without_cookies(namespace: &LabNamespace) -> Result<(), NotHere> {
    flooded(namespace, "0", Severity::Warning)
}

/// As many SYNs against a backlog as small, but every client finishes.
pub(crate) fn honest_clients(namespace: &LabNamespace) -> Result<(), NotHere> {
    set(namespace, "tcp_syncookies", "1");
    let here = SocketAddr::new(AddressKind::V4.local_address(), PORT);
    let mut flood = Flood::open(namespace)?;
    let listener = listening(here, 16);
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let mut kept = Vec::new();
    let mut come = || {
        for _ in 0..4 {
            // Those of before. No more at a time than the listener has room for.
            while flood.far_end.complete_handshakes(8) > 0 {
                kept.extend(std::iter::from_fn(|| accept(&listener).ok()));
            }
            flood.send(AT_ONCE, here);
        }
    };
    // No flood: a small backlog.
    hunt.until_found((Rule::SynFlood, Severity::Info), &mut come);
    hunt.through(3, |_| come());
    println!("{} of {} SYNs became connections", kept.len(), flood.sent);
    assert!(kept.len() > usize::from(flood.sent) / 2);
    hunt.end();
    // Their peers are not there to say goodbye to.
    for socket in kept {
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
    }
    Ok(())
}

/// A program does not accept.
pub(crate) fn a_full_accept_queue(_: &LabNamespace) -> Result<(), NotHere> {
    let here = SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT);
    let listener = listening(here.into(), 8);
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let mut kept = Vec::new();
    hunt.until_found((Rule::AcceptQueue, Severity::Warning), || {
        while kept.len() < 9 {
            kept.push(TcpStream::connect(here).unwrap());
        }
    });
    hunt.end();
    drop(listener);
    Ok(())
}

/// A program does not close what its peers have closed.
pub(crate) fn a_leak(_: &LabNamespace) -> Result<(), NotHere> {
    let thresholds = Thresholds {
        leak_age: Duration::from_secs(1),
        leak_window: Duration::from_secs(20),
        ..Thresholds::default()
    };
    println!("old after 1 s instead of 60, grown within 20 s instead of 300");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let mut hunt = Hunt::begin(thresholds, &[]);
    let mut kept = Vec::new();
    hunt.until_found((Rule::CloseWait, Severity::Warning), || {
        for _ in 0..10 {
            drop(TcpStream::connect(at).unwrap());
            kept.push(listener.accept().unwrap());
        }
    });
    hunt.end();
    Ok(())
}

/// Connections to one destination take up a narrow range of local ports.
pub(crate) fn local_ports(namespace: &LabNamespace) -> Result<(), NotHere> {
    set(namespace, "ip_local_port_range", "40000 40199");
    // Outside that range.
    let listener = TcpListener::bind(("127.0.0.1", PORT)).unwrap();
    let at = listener.local_addr().unwrap();
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let mut kept = Vec::new();
    for (least, severity) in [(144, Severity::Warning), (184, Severity::Critical)] {
        let found = hunt.until_found((Rule::LocalPorts, severity), || {
            while kept.len() < least {
                let client = TcpStream::connect(at).unwrap();
                kept.push((client, listener.accept().unwrap()));
            }
        });
        assert_eq!(found.severity, severity);
        println!("{} at {least} of 200 ports", severity.word());
        assert_eq!(found.process.unwrap().pid, std::process::id());
    }
    hunt.end();
    Ok(())
}

/// Limits by which a queue stands still sooner.
fn impatient() -> Thresholds {
    println!("still after 2 s instead of 30");
    Thresholds {
        still_after: Duration::from_secs(2),
        ..Thresholds::default()
    }
}

fn fill(socket: &mut TcpStream) {
    fcntl_setfl(&*socket, OFlags::NONBLOCK).unwrap();
    let bytes = vec![0; 65_536];
    while socket.write(&bytes).is_ok() {}
}

/// A peer with little room does not read: what waits there is too little for a
/// finding of its own.
pub(crate) fn a_closed_window(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = stream();
    sockopt::set_socket_recv_buffer_size(&listener, 4096).unwrap();
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT)).unwrap();
    listen(&listener, 8).unwrap();
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).unwrap();
    let server = accept(&listener).unwrap();
    let mut hunt = Hunt::begin(impatient(), &[]);
    // The end that does not read is here: that is told of its program.
    hunt.until_found((Rule::ProgramNotReading, Severity::Info), || {
        fill(&mut client);
    });
    hunt.end();
    drop(server);
    Ok(())
}

/// Both ends are here and write, and neither reads: that is one trouble, and neither
/// end's alone.
pub(crate) fn two_writers(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let mut hunt = Hunt::begin(impatient(), &[]);
    hunt.until_found((Rule::Deadlock, Severity::Warning), || {
        fill(&mut client);
        fill(&mut server);
    });
    hunt.through(3, |_| {});
    hunt.end();
    Ok(())
}

/// A program does not take its datagrams in time.
pub(crate) fn dropped_datagrams(_: &LabNamespace) -> Result<(), NotHere> {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_recv_buffer_size(&receiver, 4096).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let found = hunt.until_found((Rule::UdpDrops, Severity::Warning), || {
        for _ in 0..100 {
            sender.send(&[0; 100]).unwrap();
        }
    });
    hunt.end();
    println!("{:?}", found.evidence);
    assert!(matches!(found.evidence, Evidence::UdpDrops(_)));
    Ok(())
}

/// Peers vanish with data under way.
pub(crate) fn a_silent_peer(namespace: &LabNamespace) -> Result<(), NotHere> {
    let thresholds = Thresholds {
        unacknowledged_after: Duration::from_secs(3),
        ..Thresholds::default()
    };
    println!("silent after 3 s instead of 15");
    let here = SocketAddr::new(AddressKind::V4.local_address(), PORT);
    let mut flood = Flood::open(namespace)?;
    let listener = listening(here, 64);
    flood.send(8, here);
    let mut kept = Vec::new();
    let mut hunt = Hunt::begin(thresholds, &[]);
    let found = hunt.until_found((Rule::Unacknowledged, Severity::Warning), || {
        // Handshakes are finished, and nothing else is answered.
        flood.far_end.complete_handshakes(8);
        let accepted = std::iter::from_fn(|| accept(&listener).ok());
        let written = accepted.map(TcpStream::from).map(|mut server| {
            server.write_all(b"PING").unwrap();
            server
        });
        kept.extend(written);
    });
    let Evidence::Unacknowledged(silent) = &found.evidence else {
        panic!("{found:?}")
    };
    println!("{} of {} connections", silent.sockets, kept.len());
    assert_eq!(
        (silent.port, silent.bytes),
        (Some(PORT), 4 * u64::from(silent.sockets))
    );
    assert!(silent.longest >= Duration::from_secs(3), "{silent:?}");
    hunt.end();
    Ok(())
}
