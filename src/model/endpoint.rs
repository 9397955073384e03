//! One end of a socket: an address and a port.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and a port in 18 bytes.
///
/// An IPv4 address is kept in its v4-mapped form (RFC 4291, 2.5.5.2), so that an
/// IPv6 socket with an IPv4 peer shows the usual address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    address: [u8; 16],
    /// Port, 0 if none is bound.
    pub port: u16,
}

impl Endpoint {
    /// Combines an address and a port.
    #[must_use]
    pub fn new(address: IpAddr, port: u16) -> Self {
        let address = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        Self { address, port }
    }

    /// The address; v4-mapped ones come out as IPv4.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        Ipv6Addr::from(self.address).to_canonical()
    }

    /// True if the address is an IPv4 one.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        matches!(self.address(), IpAddr::V4(_))
    }

    /// True if this is "any address": 0.0.0.0 or `::`.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.address().is_unspecified()
    }

    /// True if there is neither address nor port.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.port == 0 && self.is_unspecified()
    }

    /// True if the address never leaves this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.address().is_loopback()
    }

    /// True if the address is an IPv6 link-local one (fe80::/10), which is
    /// ambiguous without an interface.
    #[must_use]
    pub fn is_link_local_v6(&self) -> bool {
        self.address[0] == 0xfe && self.address[1] & 0xc0 == 0x80
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            IpAddr::V4(v4) => formatter.write_str(Ipv4EndpointText::new(v4, self.port).as_str()),
            IpAddr::V6(v6) => write!(formatter, "[{v6}]:{}", self.port),
        }
    }
}

/// An IPv4 address and port in text, several times faster than with the formatter
/// of the standard library: a table writes hundreds of thousands.
struct Ipv4EndpointText {
    /// Long enough for `255.255.255.255:65535`.
    bytes: [u8; 21],
    length: usize,
}

impl Ipv4EndpointText {
    fn new(address: Ipv4Addr, port: u16) -> Self {
        let mut written = Self {
            bytes: [0; 21],
            length: 0,
        };
        let [first, others @ ..] = address.octets();
        written.push_number(first.into());
        for octet in others {
            written.push(b'.');
            written.push_number(octet.into());
        }
        written.push(b':');
        written.push_number(port);
        written
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// Writes a number without leading zeros.
    fn push_number(&mut self, number: u16) {
        for power in [10_000, 1_000, 100, 10, 1] {
            if number >= power || power == 1 {
                // A remainder of ten fits.
                self.push(b'0' + u8::try_from(number / power % 10).unwrap_or(0));
            }
        }
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fast_formatter_equals_the_standard_one(address in any::<Ipv4Addr>(), port in any::<u16>()) {
            let fast = Endpoint::new(address.into(), port).to_string();
            prop_assert_eq!(fast, format!("{address}:{port}"));
        }
    }

    #[test]
    fn mapped_addresses_show_as_ipv4() {
        let mapped = Endpoint::new("::ffff:192.0.2.1".parse().unwrap(), 80);
        let plain = Endpoint::new("192.0.2.1".parse().unwrap(), 80);
        assert_eq!(mapped, plain);
        assert_eq!(mapped.to_string(), "192.0.2.1:80");
        let v6 = Endpoint::new("2001:db8::1".parse().unwrap(), 443);
        assert_eq!(v6.to_string(), "[2001:db8::1]:443");
    }

    #[test]
    fn any_address_keeps_its_family() {
        let v4 = Endpoint::new("0.0.0.0".parse().unwrap(), 22);
        let v6 = Endpoint::new("::".parse().unwrap(), 22);
        assert_ne!(v4, v6);
        assert!(v4.is_unspecified() && v6.is_unspecified());
        assert!(v4.is_v4() && !v6.is_v4());
    }
}
