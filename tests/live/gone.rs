//! Addresses and interfaces that a socket is bound to and that are gone.

use super::namespace::{LabNamespace, NotHere, program};
use super::watch::{Watch, row};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink, recv, sendto,
    socket_with,
};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket,
};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use tcplens::model::namespace_addresses::MissingBindTarget;
use tcplens::source::SourceChoice;

const NEW_LINK: u16 = 16;
const REMOVE_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const REMOVE_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const CHANGE: u16 = 0x5;
/// The same with `NLM_F_CREATE | NLM_F_EXCL`.
const CREATE: u16 = 0x605;
const LOOPBACK: u32 = 1;

pub(crate) fn address_is_told(namespace: &LabNamespace) -> Result<(), NotHere> {
    let own: IpAddr = "10.97.0.7".parse().unwrap();
    let kernel = Configuration::open();
    kernel.address(NEW_ADDRESS, CREATE, own, 32, LOOPBACK);
    // A whole network is this machine's without being among its addresses.
    kernel.add_local_network(Ipv4Addr::new(10, 96, 0, 0), 16);
    let server = TcpListener::bind((LabNamespace::LOCAL_ADDRESS, 0)).unwrap();
    let listener = TcpListener::bind((own, 0)).unwrap();
    let datagrams = UdpSocket::bind((own, 0)).unwrap();
    let any_ip = TcpListener::bind("10.96.3.3:0").unwrap();
    let multicast = UdpSocket::bind("224.0.0.251:0").unwrap();
    let client = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    let from_own = connect_from(own, server.local_addr().unwrap());
    let lost = || {
        let observation = Watch::begin(SourceChoice::Auto).look();
        let lost = |local, remote| {
            let row = row(&observation, local, remote).unwrap();
            observation.missing_bind_target(&row.socket)
        };
        let end = |stream: &TcpStream| (stream.local_addr().unwrap(), stream.peer_addr().ok());
        let (near, far) = end(&from_own);
        let (other_near, other_far) = end(&client);
        let gaps: Vec<_> = observation.gaps.iter().map(|gap| gap.kind.key()).collect();
        assert!(!gaps.contains(&"addresses_unreadable"), "{gaps:?}");
        (
            [
                lost(listener.local_addr().unwrap(), None),
                lost(datagrams.local_addr().unwrap(), None),
                lost(near, far),
            ],
            [
                lost(server.local_addr().unwrap(), None),
                lost(any_ip.local_addr().unwrap(), None),
                lost(multicast.local_addr().unwrap(), None),
                lost(other_near, other_far),
            ],
        )
    };
    assert_eq!(lost(), ([None; 3], [None; 4]), "while it is there");
    kernel.address(REMOVE_ADDRESS, CHANGE, own, 32, LOOPBACK);
    assert_eq!(
        lost(),
        ([Some(MissingBindTarget::Address); 3], [None; 4]),
        "once it is gone"
    );
    // What is not there from the start is not told as there either.
    let said = explained(&format!("src {own}"));
    assert!(said.contains("10.97.0.7"), "{said}");
    assert!(
        said.contains(&format!(
            "ip route get {} from {own}",
            LabNamespace::LOCAL_ADDRESS
        )),
        "{said}"
    );
    kernel.address(NEW_ADDRESS, CREATE, own, 32, LOOPBACK);
    assert_eq!(lost(), ([None; 3], [None; 4]), "once it is back");
    assert_ne!(namespace.id(), namespace.host_id());
    Ok(())
}

pub(crate) fn interface_is_told(_: &LabNamespace) -> Result<(), NotHere> {
    let own: Ipv6Addr = "fe80::7".parse().unwrap();
    let kernel = Configuration::open();
    kernel.add_pair("gone0", "gone1");
    let index = kernel.index("gone0");
    kernel.address(NEW_ADDRESS, CREATE, own.into(), 64, index);
    // A link-local address binds to its interface, as SO_BINDTODEVICE does.
    let listener = TcpListener::bind(SocketAddrV6::new(own, 0, 0, index)).unwrap();
    let local: SocketAddr = listener.local_addr().unwrap();
    let lost = || {
        let observation = Watch::begin(SourceChoice::Auto).look();
        observation.missing_bind_target(&row(&observation, local, None).unwrap().socket)
    };
    assert_eq!(lost(), None);
    kernel.remove_link(index);
    kernel.add_pair("gone0", "gone1");
    assert_ne!(kernel.index("gone0"), index);
    assert_eq!(lost(), Some(MissingBindTarget::Interface));
    let said = explained(&format!(":{}", local.port()));
    assert!(
        said.contains(&format!("interface {index}, which is gone")),
        "{said}"
    );
    let verdict = format!("Port {}: ", local.port());
    assert!(
        said.starts_with(&verdict) && said.contains("Nobody can reach it: the interface"),
        "{said}"
    );
    kernel.remove_link(kernel.index("gone0"));
    Ok(())
}

pub(crate) fn connect_from(own: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap();
    rustix::net::bind(&socket, &SocketAddr::new(own, 0)).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    TcpStream::from(socket)
}

fn explained(filter: &str) -> String {
    let output = Command::new(program())
        .args(["explain", "--lang", "en", filter])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The network configuration of this namespace, through rtnetlink(7).
pub(crate) struct Configuration(OwnedFd);

impl Configuration {
    pub(crate) fn open() -> Self {
        let family = AddressFamily::NETLINK;
        Self(socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap())
    }

    fn index(&self, device: &str) -> u32 {
        netdevice::name_to_index(&self.0, device).unwrap()
    }

    /// Gives the loopback device a further address.
    pub(crate) fn add_address(&self, address: IpAddr) {
        self.address(NEW_ADDRESS, CREATE, address, 32, LOOPBACK);
    }

    /// Takes one from it.
    pub(crate) fn remove_address(&self, address: IpAddr) {
        self.address(REMOVE_ADDRESS, CHANGE, address, 32, LOOPBACK);
    }

    fn address(&self, kind: u16, flags: u16, address: IpAddr, prefix: u8, index: u32) {
        let (family, octets) = match address {
            IpAddr::V4(v4) => (2, v4.octets().to_vec()),
            IpAddr::V6(v6) => (10, v6.octets().to_vec()),
        };
        // struct ifaddrmsg, without duplicate address detection.
        let mut body = vec![family, prefix, 0x02, 0];
        body.extend(index.to_ne_bytes());
        attribute(1, &octets, &mut body);
        attribute(2, &octets, &mut body);
        self.ask(kind, flags, &body);
    }

    fn add_local_network(&self, network: Ipv4Addr, prefix: u8) {
        // struct rtmsg: table local, protocol static, scope host, type local.
        let mut body = vec![2, prefix, 0, 0, 255, 4, 254, 2, 0, 0, 0, 0];
        attribute(1, &network.octets(), &mut body);
        attribute(4, &LOOPBACK.to_ne_bytes(), &mut body);
        self.ask(NEW_ROUTE, CREATE, &body);
    }

    fn add_pair(&self, near: &str, far: &str) {
        let name = |name: &str| [name.as_bytes(), &[0]].concat();
        let mut peer = vec![0; 16];
        attribute(3, &name(far), &mut peer);
        let mut data = Vec::new();
        attribute(1, &peer, &mut data);
        let mut info = Vec::new();
        attribute(1, b"veth", &mut info);
        attribute(2, &data, &mut info);
        // Switched on: struct ifinfomsg with IFF_UP.
        let mut body = vec![0; 8];
        body.extend(1_u32.to_ne_bytes());
        body.extend(1_u32.to_ne_bytes());
        attribute(3, &name(near), &mut body);
        attribute(18, &info, &mut body);
        self.ask(NEW_LINK, CREATE, &body);
    }

    fn remove_link(&self, index: u32) {
        let mut body = vec![0; 16];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        self.ask(REMOVE_LINK, CHANGE, &body);
    }

    fn ask(&self, kind: u16, flags: u16, body: &[u8]) {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut message = Vec::from(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(body);
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.0, &message, SendFlags::empty(), &kernel).unwrap();
        let mut answer = [0; 4096];
        recv(&self.0, &mut answer[..], RecvFlags::empty()).unwrap();
        let error = i32::from_ne_bytes(answer[16..20].try_into().unwrap());
        assert_eq!(error, 0, "request {kind}");
    }
}

fn attribute(kind: u16, payload: &[u8], into: &mut Vec<u8>) {
    let length = u16::try_from(4 + payload.len()).unwrap();
    into.extend(length.to_ne_bytes());
    into.extend(kind.to_ne_bytes());
    into.extend(payload);
    into.resize(into.len().next_multiple_of(4), 0);
}
