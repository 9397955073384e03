//! Connections that do not move, with real sockets: what is said of each must be
//! its cause, and no other.

use super::namespace::{LabNamespace, NotHere};
use super::other::Other;
use super::patience::wait_for;
use super::readings::look;
use super::troubles::stream;
use rustix::io::Errno;
use rustix::net::{accept, bind, connect, listen, sockopt};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::explain::diagnosis::{Diagnosis, Urgency, diagnose};
use tcplens::lab::DeviceChoice;
use tcplens::lab::address_kind::AddressKind;
use tcplens::lab::peer::Peer;
use tcplens::model::observation::Observation;
use tcplens::model::row::Row;
use tcplens::model::state::State;
use tcplens::monitor::Monitor;
use tcplens::source::live::{LiveOptions, LiveSource};

/// What is false of all but one.
const NOTHING_LEAVES: &str = "nothing gets out of this machine";

/// Tables with what the kernel tells of each connection.
struct Reader {
    live: LiveSource,
    monitor: Monitor,
}

impl Reader {
    fn begin() -> Self {
        Self {
            live: LiveSource::open(&LiveOptions::default()).unwrap(),
            monitor: Monitor::default(),
        }
    }

    fn look(&mut self) -> Arc<Observation> {
        look(&mut self.live, &mut self.monitor)
    }

    /// Reads until a row in this state is told of in these words.
    fn until(
        &mut self,
        state: State,
        words: &str,
        fits: impl Fn(&Row) -> bool,
        mut act: impl FnMut(),
    ) -> Diagnosis {
        wait_for(words, || {
            act();
            let seen = self.look();
            let mut rows = seen.rows.iter();
            let row = rows.find(|row| row.socket.state == state && fits(row))?;
            let told = diagnose(row, &seen, Catalogue::of(Language::English));
            let said = told.sentences.join(" ");
            assert!(
                words == NOTHING_LEAVES || !said.contains(NOTHING_LEAVES),
                "{said}"
            );
            said.contains(words).then_some(told)
        })
    }
}

/// A client that dials its own port is connected to itself.
pub(crate) fn on_itself(_: &LabNamespace) -> Result<(), NotHere> {
    const PORT: u16 = 44_600;
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    fs::write(range, format!("{PORT} {PORT}")).unwrap();
    let itself = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).unwrap();
    let words = "is connected to itself: both ends are 127.0.0.1:44600";
    let told = Reader::begin().until(State::Established, words, |_| true, || {});
    assert_eq!(told.urgency, Urgency::Act);
    assert!(told.sentences.join(" ").contains("EADDRINUSE"), "{told:?}");
    // That is true: nobody can listen there.
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).is_err());
    drop(itself);
    Ok(())
}

/// A program that corks its socket holds its data back itself.
pub(crate) fn behind_a_cork(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap();
    sockopt::set_tcp_cork(&client, true).unwrap();
    let port = client.local_addr().unwrap().port();
    let told = Reader::begin().until(
        State::Established,
        "held back until a segment is full",
        |row| row.socket.local.port == port,
        || client.write_all(&[0; 100]).unwrap(),
    );
    assert_eq!(told.urgency, Urgency::Normal, "{told:?}");
    drop(server);
    Ok(())
}

/// A program that has limited its rate waits for itself.
pub(crate) fn at_its_own_pace(_: &LabNamespace) -> Result<(), NotHere> {
    const CLIENT: &str = "import socket, sys
s = socket.socket()
# The kernel paces from the tenth segment on.
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
s.connect(('127.0.0.1', int(sys.argv[1])))
s.setsockopt(socket.SOL_SOCKET, 47, 10000)
s.setblocking(False)
s.send(bytes(200000))
sys.stdin.read()";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let _client = Command::new("python3")
        .args(["-c", CLIENT, &port.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .map(Other)
        .map_err(|_| NotHere::NoTool("python3"))?;
    let (_server, from) = listener.accept().unwrap();
    let told = Reader::begin().until(
        State::Established,
        "to 10,000 bytes a second (SO_MAX_PACING_RATE)",
        |row| row.socket.local.port == from.port(),
        || {},
    );
    assert_eq!(told.urgency, Urgency::Normal, "{told:?}");
    Ok(())
}

/// The device goes while a SYN waits for its answer: what is sent again stays here.
pub(crate) fn without_a_device(namespace: &LabNamespace) -> Result<(), NotHere> {
    let far_end = Peer::open(namespace, DeviceChoice::Auto)
        .map_err(|error| NotHere::NoNamespace(error.to_string()))?;
    let socket = stream();
    let there = SocketAddr::new(AddressKind::V4.peer_address(0), 80);
    assert_eq!(connect(&socket, &there), Err(Errno::INPROGRESS));
    let mut reader = Reader::begin();
    let silence = "Silence means";
    let told = reader.until(State::SynSent, silence, |_| true, || {});
    assert!(!told.waits_for_is_specific, "{told:?}");
    drop(far_end);
    let words = "the repetitions do not leave this machine";
    let told = reader.until(State::SynSent, words, |_| true, || {});
    let advice = told.advice.join(" ");
    assert!(advice.contains("ip route get"), "{advice}");
    assert!(!told.sentences.join(" ").contains(silence), "{told:?}");
    Ok(())
}

/// A client vanishes with data under way.
pub(crate) fn for_a_silent_peer(namespace: &LabNamespace) -> Result<(), NotHere> {
    let here = SocketAddrV4::new(namespace_address(), 8080);
    let mut far_end = Peer::open(namespace, DeviceChoice::Auto)
        .map_err(|error| NotHere::NoNamespace(error.to_string()))?;
    let listener = stream();
    bind(&listener, &here).unwrap();
    listen(&listener, 8).unwrap();
    far_end.send_forged_syn(
        SocketAddr::new(AddressKind::V4.peer_address(1), 40_000),
        here.into(),
    );
    let accepted = wait_for("a client", || {
        far_end.complete_handshakes(8);
        accept(&listener).ok()
    });
    let mut server = TcpStream::from(accepted);
    server.write_all(b"PING").unwrap();
    let told = Reader::begin().until(
        State::Established,
        "the last try went out",
        |_| true,
        || far_end.discard_received(),
    );
    let said = told.sentences.join(" ");
    assert!(said.contains("has not acknowledged them for"), "{said}");
    assert!(!said.contains("the last went out"), "{said}");
    let advice = told.advice.join(" ");
    assert!(advice.contains("TCP_USER_TIMEOUT"), "{advice}");
    Ok(())
}

fn namespace_address() -> Ipv4Addr {
    match AddressKind::V4.local_address() {
        std::net::IpAddr::V4(address) => address,
        std::net::IpAddr::V6(address) => panic!("{address}"),
    }
}
