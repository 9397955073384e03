//! Real sockets, parked in every state that can be reached over loopback.

use super::namespace::Namespace;
use super::patience::wait_for;
use super::segment::send_syn;
use rustix::fs::{Gid, Uid, fchown, fstat};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
    sockopt,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, UdpSocket};
use std::net::{Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

/// How many connections of each ordinary kind.
const MANY: usize = 20;
/// A port nobody answers on.
const SMB: u16 = 445;

/// The sockets, for as long as this is kept.
#[derive(Default)]
pub(crate) struct Parked {
    kept: Vec<OwnedFd>,
    others: Vec<Other>,
    /// TCP sockets that only have a port: their addresses and inodes.
    pub(crate) bound: Vec<(SocketAddr, u64)>,
}

/// Another process that holds a socket: it ends when its input does.
pub(crate) struct Other(pub(crate) Child);

impl Other {
    /// A process that holds a socket as its descriptor 1, which it never
    /// writes to.
    pub(crate) fn holding(socket: impl Into<OwnedFd>, command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::from(socket.into()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Parked {
    /// One of everything, and many of what is common.
    pub(crate) fn everything(namespace: &Namespace) -> Self {
        let mut parked = Self::default();
        parked.listeners();
        parked.established();
        parked.half_closed();
        leave_time_wait();
        parked.accept_queues();
        parked.opening();
        parked.stuck();
        parked.datagrams();
        parked.shared();
        parked.bound_only();
        if namespace.by_root {
            parked.of_another_user();
        }
        parked
    }

    fn keep(&mut self, socket: impl Into<OwnedFd>) {
        self.kept.push(socket.into());
    }

    fn listeners(&mut self) {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"] {
            self.keep(TcpListener::bind(address).unwrap());
        }
        self.keep(TcpListener::bind((Namespace::HERE, 0)).unwrap());
        let scoped = SocketAddrV6::new(Namespace::LINK_LOCAL, 0, 0, 1);
        self.keep(TcpListener::bind(scoped).unwrap());
        let only_v6 = stream(AddressFamily::INET6);
        sockopt::set_ipv6_v6only(&only_v6, true).unwrap();
        bind(&only_v6, &any_v6()).unwrap();
        listen(&only_v6, 7).unwrap();
        self.keep(only_v6);
        // Two listeners on one port.
        let mut port = 0;
        for _ in 0..2 {
            let listener = stream(AddressFamily::INET);
            sockopt::set_socket_reuseport(&listener, true).unwrap();
            let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
            bind(&listener, &address).unwrap();
            listen(&listener, 3).unwrap();
            port = local(&listener).port();
            self.keep(listener);
        }
    }

    fn established(&mut self) {
        for _ in 0..MANY {
            for address in ["127.0.0.1:0", "[::1]:0"] {
                let (client, server) = pair(address);
                self.keep(client);
                self.keep(server);
            }
            let (mut client, mut server) = pair("127.0.0.1:0");
            client.write_all(&[7; 33]).unwrap();
            server.write_all(&[7; 1500]).unwrap();
            self.keep(client);
            self.keep(server);
        }
        // IPv4 between IPv6 sockets.
        let (client, server) = mapped_pair();
        self.keep(client);
        self.keep(server);
    }

    /// CLOSE_WAIT with and without unread bytes; the other side, FIN_WAIT_2,
    /// with a program and without.
    fn half_closed(&mut self) {
        for unread in [0, 32] {
            for abandoned in [false, true] {
                let (mut client, server) = pair("127.0.0.1:0");
                client.write_all(&vec![7; unread]).unwrap();
                if abandoned {
                    drop(client);
                } else {
                    client.shutdown(Shutdown::Write).unwrap();
                    self.keep(client);
                }
                self.keep(server);
            }
        }
    }

    /// Connections that no program has accepted.
    fn accept_queues(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for unread in [0, 10] {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(&vec![7; unread]).unwrap();
            self.keep(client);
        }
        let client = TcpStream::connect(address).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        self.keep(client);
        self.keep(listener);
        // A queue for one that is full: the kernel drops what else knocks.
        let full = stream(AddressFamily::INET);
        bind(&full, &any_port()).unwrap();
        listen(&full, 0).unwrap();
        let address = local(&full);
        self.keep(TcpStream::connect(address).unwrap());
        for _ in 0..3 {
            self.keep(knock(address));
        }
        self.keep(full);
    }

    /// SYN_SENT and SYN_RECV, each towards an address that stays silent.
    fn opening(&mut self) {
        for number in 0..5 {
            self.keep(knock((Namespace::silent(number), SMB).into()));
        }
        let listener = TcpListener::bind((Namespace::HERE, 0)).unwrap();
        let to = SocketAddrV4::new(Namespace::HERE, listener.local_addr().unwrap().port());
        for number in 0..3 {
            send_syn(SocketAddrV4::new(Namespace::silent(number), 4000), to).unwrap();
        }
        self.keep(listener);
    }

    /// A FIN waits behind bytes that the peer does not take: FIN_WAIT_1 with a
    /// program and without, and LAST_ACK.
    fn stuck(&mut self) {
        for abandoned in [false, true] {
            let (client, server) = pair("127.0.0.1:0");
            fill(&client);
            if abandoned {
                drop(client);
            } else {
                client.shutdown(Shutdown::Write).unwrap();
                self.keep(client);
            }
            self.keep(server);
        }
        let (client, mut server) = pair("127.0.0.1:0");
        client.shutdown(Shutdown::Write).unwrap();
        read_end(&mut server);
        fill(&server);
        server.shutdown(Shutdown::Write).unwrap();
        self.keep(client);
        self.keep(server);
    }

    fn datagrams(&mut self) {
        let peers = [("127.0.0.1:0", "127.0.0.1:0"), ("[::1]:0", "[::1]:0")];
        for (here, there) in peers {
            let unconnected = UdpSocket::bind(there).unwrap();
            let connected = UdpSocket::bind(here).unwrap();
            connected
                .connect(unconnected.local_addr().unwrap())
                .unwrap();
            for _ in 0..3 {
                connected.send(b"unread").unwrap();
            }
            self.keep(unconnected);
            self.keep(connected);
        }
        self.keep(UdpSocket::bind("0.0.0.0:0").unwrap());
        let dual = UdpSocket::bind("[::]:0").unwrap();
        let port = dual.local_addr().unwrap().port();
        let mapped = UdpSocket::bind("[::]:0").unwrap();
        mapped.connect(mapped_loopback(port)).unwrap();
        self.keep(dual);
        self.keep(mapped);
    }

    /// Sockets that two processes hold.
    fn shared(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, server) = pair("127.0.0.1:0");
        let copies: [OwnedFd; 2] = [
            listener.try_clone().unwrap().into(),
            server.try_clone().unwrap().into(),
        ];
        for copy in copies {
            let other = Other::holding(copy, &mut Command::new("cat"));
            self.others.push(other);
        }
        self.keep(listener);
        self.keep(client);
        self.keep(server);
    }

    fn bound_only(&mut self) {
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            let socket = stream(family);
            if family == AddressFamily::INET {
                bind(&socket, &any_port()).unwrap();
            } else {
                bind(&socket, &any_v6()).unwrap();
            }
            let inode = fstat(&socket).unwrap().st_ino;
            self.bound.push((local(&socket), inode));
            self.keep(socket);
        }
    }

    fn of_another_user(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, server) = pair("127.0.0.1:0");
        let nobody = (Uid::from_raw(65534), Gid::from_raw(65534));
        for socket in [listener.as_fd(), client.as_fd()] {
            fchown(socket, Some(nobody.0), Some(nobody.1)).unwrap();
        }
        self.keep(listener);
        self.keep(client);
        self.keep(server);
    }
}

/// Two ends of a connection: who connected, and who accepted.
fn pair(address: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

fn mapped_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(mapped_loopback(port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}

/// Closes a connection, the client first: TIME_WAIT stays on its side.
fn close(client: TcpStream, mut server: TcpStream) {
    drop(client);
    read_end(&mut server);
}

/// Many connections that were closed: the kernel alone keeps them.
fn leave_time_wait() {
    for address in ["127.0.0.1:0", "[::1]:0"].repeat(MANY / 2) {
        let (client, server) = pair(address);
        close(client, server);
    }
    let (client, server) = mapped_pair();
    close(client, server);
}

fn read_end(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0, "the end");
}

/// Writes until no more is taken.
fn fill(mut stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let bytes = vec![7; 1 << 20];
    let mut refused = 0;
    wait_for("a full connection", || {
        // The peer's kernel takes some more for a moment.
        match stream.write(&bytes) {
            Ok(_) => refused = 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => refused += 1,
            Err(error) => panic!("{error}"),
        }
        (refused > 5).then_some(())
    });
}

/// Asks for a connection without waiting for it.
pub(crate) fn knock(address: SocketAddr) -> OwnedFd {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    assert_eq!(connect(&socket, &address), Err(Errno::INPROGRESS));
    socket
}

fn stream(family: AddressFamily) -> OwnedFd {
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap()
}

fn local(socket: impl AsFd) -> SocketAddr {
    getsockname(socket).unwrap().try_into().unwrap()
}

fn any_port() -> SocketAddrV4 {
    SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)
}

fn any_v6() -> SocketAddrV6 {
    SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0)
}

fn mapped_loopback(port: u16) -> SocketAddr {
    format!("[::ffff:127.0.0.1]:{port}").parse().unwrap()
}
