//! The device on whose far side the lab plays the peers.
//!
//! A TUN device returns every packet that is sent out on it and takes any as
//! received. If `/dev/net/tun` must not be opened, a veth pair with a packet
//! socket on the second device does the same and needs only the capabilities
//! that the root of a namespace has anyway. Neither needs address resolution.

use super::LabError;
use super::address_kind::AddressKind;
use super::namespace::LabNamespace;
use super::rtnetlink::{DeviceIndex, RtnetlinkConfig};
use smoltcp::phy::{
    Device as _, Medium, RawSocket, RxToken as _, TunTapInterface, TxToken as _, wait,
};
use smoltcp::time::Instant as MarkTiming;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The name of the device, as link-local addresses show it.
pub(super) const DEVICE_NAME: &str = "lab0";
/// The name of the other end of a pair.
pub(super) const PEER_DEVICE_NAME: &str = "lab1";

/// Link address of [`DEVICE_NAME`] in a pair. Packets sent to it are accepted.
const MAC_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// EtherTypes, which follow two link addresses.
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ETHERNET_HEADER_LEN: usize = 14;

/// Choice of the device on which the peers are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// TUN if it is available, else the pair.
    #[default]
    Auto,
    /// A TUN device.
    Tun,
    /// A pair of veth devices and a packet socket.
    Pair,
}

impl DeviceChoice {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Tun, Self::Pair];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tun => "tun",
            Self::Pair => "pair",
        }
    }

    /// The choice with that name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.word() == word)
    }
}

/// A device that is switched on, with the addresses of every [`AddressKind`].
pub(super) struct Device {
    backend: DeviceBackend,
    index: DeviceIndex,
}

enum DeviceBackend {
    Tun(TunTapInterface),
    Pair(RawSocket),
}

impl Device {
    /// Makes the device; one that a process that was ended has left is taken away.
    pub(super) fn open(namespace: &LabNamespace, choice: DeviceChoice) -> Result<Self, LabError> {
        let port = match choice {
            DeviceChoice::Tun => open_tun(namespace)?,
            DeviceChoice::Pair => open_pair(namespace)?,
            DeviceChoice::Auto => open_tun(namespace).or_else(|tun| {
                open_pair(namespace).map_err(|packet| LabError::NoDevice {
                    tun: Box::new(tun),
                    packet: Box::new(packet),
                })
            })?,
        };
        let index = RtnetlinkConfig::open()?.index(DEVICE_NAME)?;
        Ok(Self {
            backend: port,
            index,
        })
    }

    pub(super) fn index(&self) -> DeviceIndex {
        self.index
    }

    /// Sends an IP packet to the kernel, as if received on the device.
    pub(super) fn send(&mut self, packet: &[u8]) {
        match &mut self.backend {
            DeviceBackend::Tun(tun) => {
                if let Some(token) = tun.transmit(MarkTiming::ZERO) {
                    token.consume(packet.len(), |into| into.copy_from_slice(packet));
                }
            }
            DeviceBackend::Pair(socket) => {
                let kind = match packet.first().map(|byte| byte >> 4) {
                    Some(6) => ETHERTYPE_IPV6,
                    _ => ETHERTYPE_IPV4,
                };
                let header = [&MAC_ADDRESS[..], &MAC_ADDRESS[..], &kind[..]].concat();
                if let Some(token) = socket.transmit(MarkTiming::ZERO) {
                    token.consume(ETHERNET_HEADER_LEN + packet.len(), |into| {
                        into[..ETHERNET_HEADER_LEN].copy_from_slice(&header);
                        into[ETHERNET_HEADER_LEN..].copy_from_slice(packet);
                    });
                }
            }
        }
    }

    /// The next IP packet that was sent out on the device, if one waits.
    pub(super) fn receive(&mut self) -> Option<Vec<u8>> {
        match &mut self.backend {
            DeviceBackend::Tun(tun) => {
                let (token, _) = tun.receive(MarkTiming::ZERO)?;
                Some(token.consume(<[u8]>::to_vec))
            }
            DeviceBackend::Pair(socket) => {
                let (token, _) = socket.receive(MarkTiming::ZERO)?;
                let behind = |frame: &[u8]| frame.get(ETHERNET_HEADER_LEN..).map(<[u8]>::to_vec);
                Some(token.consume(behind).unwrap_or_default())
            }
        }
    }

    /// Waits until a packet is there, or this long.
    pub(super) fn wait(&self, timeout: Duration) -> Result<(), LabError> {
        let descriptor = match &self.backend {
            DeviceBackend::Tun(tun) => tun.as_raw_fd(),
            DeviceBackend::Pair(socket) => socket.as_raw_fd(),
        };
        let micros = u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX);
        let timeout = smoltcp::time::Duration::from_micros(micros);
        wait(descriptor, Some(timeout)).map_err(LabError::io("wait for", DEVICE_NAME))
    }
}

fn open_tun(namespace: &LabNamespace) -> Result<DeviceBackend, LabError> {
    let tun = TunTapInterface::new(DEVICE_NAME, Medium::Ip)
        .map_err(LabError::io("open", "/dev/net/tun"))?;
    configure(namespace, DEVICE_NAME, AddressKind::supported())?;
    Ok(DeviceBackend::Tun(tun))
}

fn open_pair(namespace: &LabNamespace) -> Result<DeviceBackend, LabError> {
    let configuration = RtnetlinkConfig::open()?;
    // A pair belongs to the namespace: that of a process that was ended outlasts it.
    if let Ok(left) = configuration.index(DEVICE_NAME) {
        configuration.remove(left)?;
    }
    configuration.add_pair(DEVICE_NAME, PEER_DEVICE_NAME, MAC_ADDRESS)?;
    configure(namespace, PEER_DEVICE_NAME, std::iter::empty())?;
    configure(namespace, DEVICE_NAME, AddressKind::supported())?;
    let socket = RawSocket::new(PEER_DEVICE_NAME, Medium::Ethernet)
        .map_err(LabError::io("open a packet socket on", PEER_DEVICE_NAME))?;
    Ok(DeviceBackend::Pair(socket))
}

/// Switches a device on and gives it the addresses of these paths.
fn configure(
    namespace: &LabNamespace,
    device: &str,
    paths: impl Iterator<Item = AddressKind>,
) -> Result<(), LabError> {
    // No addresses and no neighbour discovery but the lab's own. A kernel
    // without IPv6 lacks them.
    let ipv6 = [
        ("disable_ipv6", "0"),
        ("addr_gen_mode", "1"),
        ("accept_ra", "0"),
        ("router_solicitations", "0"),
    ];
    for (setting, value) in ipv6 {
        let _ = namespace.set_sysctl(&format!("ipv6/conf/{device}/{setting}"), value);
    }
    let configuration = RtnetlinkConfig::open()?;
    let index = configuration.index(device)?;
    configuration.set_up_without_arp(index)?;
    for path in paths {
        if let Some((address, prefix)) = path.network() {
            configuration.add_address(index, address, prefix)?;
        }
    }
    Ok(())
}
