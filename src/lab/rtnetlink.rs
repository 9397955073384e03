//! The few rtnetlink requests that a private namespace needs, so that nothing
//! has to be executed for them.
//!
//! Format: rtnetlink(7), `include/uapi/linux/rtnetlink.h`,
//! `include/uapi/linux/if_link.h`, `include/uapi/linux/veth.h`.

use super::LabError;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, netlink, recv, sendto,
    socket_with,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

const TYPE_NEWLINK: u16 = 16;
const TYPE_DELLINK: u16 = 17;
const TYPE_NEWADDR: u16 = 20;
const TYPE_NEWROUTE: u16 = 24;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const FLAGS_REQUEST_ACK: u16 = 0x5;
/// `NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL`.
const FLAGS_CREATE: u16 = 0x605;
const TYPE_ERROR: u16 = 2;

const INET: u8 = 2;
const INET6: u8 = 10;

const IFF_UP: u32 = 0x1;
const IFF_NOARP: u32 = 0x80;

/// Name in errors.
const ERROR_NAME: &str = "rtnetlink";

/// The number of a network device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeviceIndex(pub(super) u32);

/// A socket to the kernel's network configuration.
pub(super) struct RtnetlinkConfig(OwnedFd);

impl RtnetlinkConfig {
    /// The loopback device is the first of every namespace.
    pub(super) const LOOPBACK: DeviceIndex = DeviceIndex(1);

    pub(super) fn open() -> Result<Self, LabError> {
        let family = AddressFamily::NETLINK;
        let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, None)
            .map_err(LabError::io("open", ERROR_NAME))?;
        Ok(Self(socket))
    }

    pub(super) fn index(&self, device: &str) -> Result<DeviceIndex, LabError> {
        netdevice::name_to_index(&self.0, device)
            .map(DeviceIndex)
            .map_err(LabError::io("find the device", device))
    }

    pub(super) fn set_loopback_up(&self) -> Result<(), LabError> {
        self.set_link_up(Self::LOOPBACK, 0)
            .map_err(LabError::io("switch on", "lo"))
    }

    /// Brings a device up. It does not resolve link addresses (`IFF_NOARP`, for
    /// IPv6 too), so its peer need not answer such requests.
    pub(super) fn set_up_without_arp(&self, device: DeviceIndex) -> Result<(), LabError> {
        self.set_link_up(device, IFF_NOARP)
            .map_err(LabError::io("switch on", "the lab's device"))
    }

    fn set_link_up(&self, device: DeviceIndex, flags: u32) -> io::Result<()> {
        // struct ifinfomsg: family, padding, type, index, flags, changed flags.
        let mut body = vec![0; 4];
        for number in [device.0, IFF_UP | flags, IFF_UP | flags] {
            body.extend_from_slice(&number.to_ne_bytes());
        }
        self.request(TYPE_NEWLINK, FLAGS_REQUEST_ACK, &body)
    }

    /// Makes two devices that are connected to each other. The link address is
    /// that of the first.
    pub(super) fn add_pair(
        &self,
        near: &str,
        far: &str,
        link_address: [u8; 6],
    ) -> Result<(), LabError> {
        let name = |name: &str| [name.as_bytes(), &[0]].concat();
        // VETH_INFO_PEER: a struct ifinfomsg with attributes of its own.
        let mut peer = vec![0; 16];
        append_attribute(3, &name(far), &mut peer);
        let mut data = Vec::new();
        append_attribute(1, &peer, &mut data);
        // IFLA_INFO_KIND and IFLA_INFO_DATA.
        let mut info = Vec::new();
        append_attribute(1, b"veth", &mut info);
        append_attribute(2, &data, &mut info);
        // IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINKINFO.
        let mut body = vec![0; 16];
        append_attribute(1, &link_address, &mut body);
        append_attribute(3, &name(near), &mut body);
        append_attribute(18, &info, &mut body);
        self.request(TYPE_NEWLINK, FLAGS_CREATE, &body)
            .map_err(LabError::io("make", "a pair of veth devices"))
    }

    /// Takes a device away; of a pair, both.
    pub(super) fn remove(&self, device: DeviceIndex) -> Result<(), LabError> {
        // struct ifinfomsg: as above.
        let mut body = vec![0; 16];
        body[4..8].copy_from_slice(&device.0.to_ne_bytes());
        self.request(TYPE_DELLINK, FLAGS_REQUEST_ACK, &body)
            .map_err(LabError::io("take away", "the lab's device"))
    }

    /// Gives a device a further address.
    pub(super) fn add_address(
        &self,
        device: DeviceIndex,
        address: IpAddr,
        prefix: u8,
    ) -> Result<(), LabError> {
        let (family, octets) = octets(address);
        // struct ifaddrmsg: family, prefix length, flags (no duplicate address
        // detection), scope, index.
        let mut body = vec![family, prefix, 0x02, 0];
        body.extend_from_slice(&device.0.to_ne_bytes());
        // IFA_ADDRESS and IFA_LOCAL.
        append_attribute(1, &octets, &mut body);
        append_attribute(2, &octets, &mut body);
        self.request(TYPE_NEWADDR, FLAGS_CREATE, &body)
            .map_err(LabError::io("add the address", address.to_string()))
    }

    /// Routes a network to loopback, where no socket receives it: its addresses
    /// are as silent as hosts that are switched off.
    pub(super) fn add_silent_network(
        &self,
        network: Ipv4Addr,
        prefix: u8,
        from: Ipv4Addr,
    ) -> Result<(), LabError> {
        // struct rtmsg: family, prefix lengths, tos, table main, protocol
        // static, scope link, type unicast, flags.
        let mut body = vec![INET, prefix, 0, 0, 254, 4, 253, 1];
        body.extend_from_slice(&[0; 4]);
        // RTA_DST, RTA_OIF, RTA_PREFSRC.
        append_attribute(1, &network.octets(), &mut body);
        append_attribute(4, &Self::LOOPBACK.0.to_ne_bytes(), &mut body);
        append_attribute(7, &from.octets(), &mut body);
        self.request(TYPE_NEWROUTE, FLAGS_CREATE, &body)
            .map_err(LabError::io("add a route to", network.to_string()))
    }

    fn request(&self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
        let mut message = Vec::from(length.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&flags.to_ne_bytes());
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(body);
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        sendto(&self.0, &message, SendFlags::empty(), &kernel)?;
        let mut answer = [0; 4096];
        let (_, length) = recv(&self.0, &mut answer[..], RecvFlags::empty())?;
        parse_ack(answer.get(..length).unwrap_or_default())
    }
}

/// A reply is a struct nlmsgerr after its header: 0, or a negative error
/// number.
pub(super) fn parse_ack(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
    let number = answer.get(16..20).and_then(|bytes| bytes.try_into().ok());
    match (kind.map(u16::from_ne_bytes), number.map(i32::from_ne_bytes)) {
        (Some(TYPE_ERROR), Some(0)) => Ok(()),
        (Some(TYPE_ERROR), Some(number)) => {
            Err(io::Error::from_raw_os_error(number.wrapping_neg()))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn octets(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (INET6, v6.octets().to_vec()),
    }
}

fn append_attribute(kind: u16, payload: &[u8], into: &mut Vec<u8>) {
    let length = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX);
    into.extend_from_slice(&length.to_ne_bytes());
    into.extend_from_slice(&kind.to_ne_bytes());
    into.extend_from_slice(payload);
    into.resize(into.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_to_four_bytes_and_say_their_own_length() {
        let mut bytes = Vec::new();
        append_attribute(3, b"lab0\0", &mut bytes);
        assert_eq!(bytes.len(), 12);
        assert_eq!(
            bytes[..4],
            [9_u16.to_ne_bytes(), 3_u16.to_ne_bytes()].concat()
        );
    }

    #[test]
    fn an_answer_is_an_error_number_or_it_is_none() {
        let answer = |number: i32| {
            let mut bytes = vec![0; 20];
            bytes[4..6].copy_from_slice(&TYPE_ERROR.to_ne_bytes());
            bytes[16..].copy_from_slice(&number.to_ne_bytes());
            parse_ack(&bytes).map_err(|error| error.raw_os_error())
        };
        assert_eq!(answer(0), Ok(()));
        assert_eq!(answer(-17), Err(Some(17)));
        assert!(parse_ack(&[0; 3]).is_err());
    }
}
