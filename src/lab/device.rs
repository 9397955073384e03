//! The device on whose far side the lab plays the peers.
//!
//! A TUN device returns every packet that is sent out on it and takes any as
//! received. If `/dev/net/tun` must not be opened, a veth pair with a packet
//! socket on the second device does the same and needs only the capabilities
//! that the root of a namespace has anyway. Neither needs address resolution.

use super::LabError;
use super::namespace::Namespace;
use super::path::Path;
use super::rtnetlink::{Configuration, DeviceIndex};
use smoltcp::phy::{
    Device as _, Medium, RawSocket, RxToken as _, TunTapInterface, TxToken as _, wait,
};
use smoltcp::time::Instant as Moment;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The name of the device, as link-local addresses show it.
pub(super) const NAME: &str = "lab0";
/// The name of the other end of a pair.
pub(super) const FAR_NAME: &str = "lab1";

/// Link address of [`NAME`] in a pair. Packets sent to it are accepted.
const LINK_ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// EtherTypes, which follow two link addresses.
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const LINK_HEADER: usize = 14;

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

/// A device that is switched on, with the addresses of every [`Path`].
pub(super) struct Device {
    port: Port,
    index: DeviceIndex,
}

enum Port {
    Tun(TunTapInterface),
    Pair(RawSocket),
}

impl Device {
    /// Makes the device; one that a process that was ended has left is taken away.
    pub(super) fn open(namespace: &Namespace, choice: DeviceChoice) -> Result<Self, LabError> {
        let port = match choice {
            DeviceChoice::Tun => tun(namespace)?,
            DeviceChoice::Pair => pair(namespace)?,
            DeviceChoice::Auto => tun(namespace).or_else(|tun| {
                pair(namespace).map_err(|packet| LabError::NoDevice {
                    tun: Box::new(tun),
                    packet: Box::new(packet),
                })
            })?,
        };
        let index = Configuration::open()?.index(NAME)?;
        Ok(Self { port, index })
    }

    pub(super) fn index(&self) -> DeviceIndex {
        self.index
    }

    /// Sends an IP packet to the kernel, as if received on the device.
    pub(super) fn send(&mut self, packet: &[u8]) {
        match &mut self.port {
            Port::Tun(tun) => {
                if let Some(token) = tun.transmit(Moment::ZERO) {
                    token.consume(packet.len(), |into| into.copy_from_slice(packet));
                }
            }
            Port::Pair(socket) => {
                let kind = match packet.first().map(|byte| byte >> 4) {
                    Some(6) => IPV6,
                    _ => IPV4,
                };
                let header = [&LINK_ADDRESS[..], &LINK_ADDRESS[..], &kind[..]].concat();
                if let Some(token) = socket.transmit(Moment::ZERO) {
                    token.consume(LINK_HEADER + packet.len(), |into| {
                        into[..LINK_HEADER].copy_from_slice(&header);
                        into[LINK_HEADER..].copy_from_slice(packet);
                    });
                }
            }
        }
    }

    /// The next IP packet that was sent out on the device, if one waits.
    pub(super) fn receive(&mut self) -> Option<Vec<u8>> {
        match &mut self.port {
            Port::Tun(tun) => {
                let (token, _) = tun.receive(Moment::ZERO)?;
                Some(token.consume(<[u8]>::to_vec))
            }
            Port::Pair(socket) => {
                let (token, _) = socket.receive(Moment::ZERO)?;
                let behind = |frame: &[u8]| frame.get(LINK_HEADER..).map(<[u8]>::to_vec);
                Some(token.consume(behind).unwrap_or_default())
            }
        }
    }

    /// Waits until a packet is there, or this long.
    pub(super) fn wait(&self, patience: Duration) -> Result<(), LabError> {
        let descriptor = match &self.port {
            Port::Tun(tun) => tun.as_raw_fd(),
            Port::Pair(socket) => socket.as_raw_fd(),
        };
        let micros = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
        let patience = smoltcp::time::Duration::from_micros(micros);
        wait(descriptor, Some(patience)).map_err(LabError::io("wait for", NAME))
    }
}

fn tun(namespace: &Namespace) -> Result<Port, LabError> {
    let tun =
        TunTapInterface::new(NAME, Medium::Ip).map_err(LabError::io("open", "/dev/net/tun"))?;
    furnish(namespace, NAME, Path::offered())?;
    Ok(Port::Tun(tun))
}

fn pair(namespace: &Namespace) -> Result<Port, LabError> {
    let configuration = Configuration::open()?;
    // A pair belongs to the namespace: that of a process that was ended outlasts it.
    if let Ok(left) = configuration.index(NAME) {
        configuration.remove(left)?;
    }
    configuration.add_pair(NAME, FAR_NAME, LINK_ADDRESS)?;
    furnish(namespace, FAR_NAME, std::iter::empty())?;
    furnish(namespace, NAME, Path::offered())?;
    let socket = RawSocket::new(FAR_NAME, Medium::Ethernet)
        .map_err(LabError::io("open a packet socket on", FAR_NAME))?;
    Ok(Port::Pair(socket))
}

/// Switches a device on and gives it the addresses of these paths.
fn furnish(
    namespace: &Namespace,
    device: &str,
    paths: impl Iterator<Item = Path>,
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
        let _ = namespace.set(&format!("ipv6/conf/{device}/{setting}"), value);
    }
    let configuration = Configuration::open()?;
    let index = configuration.index(device)?;
    configuration.raise_quietly(index)?;
    for path in paths {
        if let Some((address, prefix)) = path.network() {
            configuration.add_address(index, address, prefix)?;
        }
    }
    Ok(())
}
