//! The few rtnetlink requests that a private namespace needs, so that nothing
//! has to be executed for them.
//!
//! Format: rtnetlink(7), `include/uapi/linux/rtnetlink.h`.

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, sendto,
    socket_with,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

/// The loopback device is the first of every namespace.
const LOOPBACK: u32 = 1;

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const ASK: u16 = 0x5;
/// The same with `NLM_F_CREATE | NLM_F_EXCL`.
const CREATE: u16 = 0x605;
const ERROR: u16 = 2;

const INET: u8 = 2;
const INET6: u8 = 10;

/// A socket to the kernel's network configuration.
pub(crate) struct Configuration(OwnedFd);

impl Configuration {
    pub(crate) fn open() -> io::Result<Self> {
        let family = AddressFamily::NETLINK;
        let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self(socket))
    }

    /// Switches loopback on.
    pub(crate) fn raise_loopback(&self) -> io::Result<()> {
        // struct ifinfomsg: family, padding, type, index, flags, changed flags.
        let mut body = vec![0; 4];
        for number in [LOOPBACK, 1, 1] {
            body.extend_from_slice(&number.to_ne_bytes());
        }
        self.ask(NEW_LINK, ASK, &body)
    }

    /// Gives loopback a further address.
    pub(crate) fn add_address(&self, address: IpAddr, prefix: u8) -> io::Result<()> {
        let (family, octets) = octets(address);
        // struct ifaddrmsg: family, prefix length, flags (no duplicate address
        // detection), scope, index.
        let mut body = vec![family, prefix, 0x02, 0];
        body.extend_from_slice(&LOOPBACK.to_ne_bytes());
        // IFA_ADDRESS and IFA_LOCAL.
        attribute(1, &octets, &mut body);
        attribute(2, &octets, &mut body);
        self.ask(NEW_ADDRESS, CREATE, &body)
    }

    /// Sends what goes to a network out on loopback, where nobody takes it:
    /// its addresses are as silent as those of hosts that are switched off.
    pub(crate) fn add_silent_network(
        &self,
        network: Ipv4Addr,
        prefix: u8,
        from: Ipv4Addr,
    ) -> io::Result<()> {
        // struct rtmsg: family, prefix lengths, tos, table main, protocol
        // static, scope link, type unicast, flags.
        let mut body = vec![INET, prefix, 0, 0, 254, 4, 253, 1];
        body.extend_from_slice(&[0; 4]);
        // RTA_DST, RTA_OIF, RTA_PREFSRC.
        attribute(1, &network.octets(), &mut body);
        attribute(4, &LOOPBACK.to_ne_bytes(), &mut body);
        attribute(7, &from.octets(), &mut body);
        self.ask(NEW_ROUTE, CREATE, &body)
    }

    fn ask(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(16 + body.len()).unwrap();
        let mut message = Vec::from(length.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&flags.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(body);
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.0, &message, SendFlags::empty(), &kernel)?;
        let mut answer = [0; 4096];
        let (_, length) = recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        // struct nlmsgerr behind the header: 0, or a negative error number.
        let kind = u16::from_ne_bytes(answer[4..6].try_into().unwrap());
        assert!(length >= 20 && kind == ERROR, "an answer of kind {kind}");
        match i32::from_ne_bytes(answer[16..20].try_into().unwrap()) {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(-number)),
        }
    }
}

fn octets(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (INET6, v6.octets().to_vec()),
    }
}

fn attribute(kind: u16, payload: &[u8], into: &mut Vec<u8>) {
    let length = u16::try_from(4 + payload.len()).unwrap();
    into.extend_from_slice(&length.to_ne_bytes());
    into.extend_from_slice(&kind.to_ne_bytes());
    into.extend_from_slice(payload);
    into.resize(into.len().next_multiple_of(4), 0);
}
