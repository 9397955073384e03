//! TCP segments and UDP datagrams as bytes, both ways.
//!
//! Formats: RFC 791, RFC 8200, RFC 9293 section 3.1, RFC 768. Nothing here
//! touches a device.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, IpRepr, IpVersion, Ipv4Packet, Ipv6Packet, TcpControl, TcpPacket,
    TcpRepr, TcpSeqNumber, UdpPacket, UdpRepr,
};
use std::net::{IpAddr, SocketAddr};

/// Hops a packet of the lab may take; it takes none.
const HOPS: u8 = 64;

/// Control flag of a segment, besides ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentControl {
    /// Nothing.
    None,
    /// To open.
    Syn,
    /// To close.
    Fin,
    /// To forget the connection.
    Rst,
}

/// A TCP segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Control flag.
    pub control: SegmentControl,
    /// Sequence number of its first byte, or of its SYN or FIN.
    pub sequence: u32,
    /// Acknowledgement number; none if the ACK bit is not set.
    pub acknowledged: Option<u32>,
    /// Receive window of the sender, in bytes.
    pub window: u16,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Segment {
    /// The sequence number after it: SYN and FIN count one each.
    #[must_use]
    pub fn end_sequence(&self) -> u32 {
        let counted = u32::from(matches!(
            self.control,
            SegmentControl::Syn | SegmentControl::Fin
        ));
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        self.sequence.wrapping_add(length).wrapping_add(counted)
    }

    /// The IP packet that carries it; none if its ends are not of one family.
    #[must_use]
    pub fn to_packet(&self) -> Option<Vec<u8>> {
        let repr = TcpRepr {
            src_port: self.from.port(),
            dst_port: self.to.port(),
            control: match self.control {
                SegmentControl::None => TcpControl::None,
                SegmentControl::Syn => TcpControl::Syn,
                SegmentControl::Fin => TcpControl::Fin,
                SegmentControl::Rst => TcpControl::Rst,
            },
            seq_number: to_seq_number(self.sequence),
            ack_number: self.acknowledged.map(to_seq_number),
            window_len: self.window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &self.payload,
        };
        let length = repr.buffer_len();
        packet(
            self.from,
            self.to,
            IpProtocol::Tcp,
            length,
            |body, from, to| {
                repr.emit(
                    &mut TcpPacket::new_unchecked(body),
                    from,
                    to,
                    &ChecksumCapabilities::default(),
                );
            },
        )
    }

    /// Parses an IP packet; none if it carries no TCP or is malformed.
    ///
    /// Checksums are not looked at: a kernel leaves those of packets that never
    /// meet a wire unfinished.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        // smoltcp looks at the first byte unasked.
        packet.first()?;
        let (from, to, body) = match IpVersion::of_packet(packet).ok()? {
            IpVersion::Ipv4 => {
                let packet = Ipv4Packet::new_checked(packet).ok()?;
                let tcp = packet.next_header() == IpProtocol::Tcp;
                let ends = (packet.src_addr().into(), packet.dst_addr().into());
                tcp.then(|| (ends.0, ends.1, packet.payload()))?
            }
            IpVersion::Ipv6 => {
                let packet = Ipv6Packet::new_checked(packet).ok()?;
                let tcp = packet.next_header() == IpProtocol::Tcp;
                let ends = (packet.src_addr().into(), packet.dst_addr().into());
                tcp.then(|| (ends.0, ends.1, packet.payload()))?
            }
        };
        let tcp = TcpPacket::new_checked(body).ok()?;
        Some(Self {
            from: SocketAddr::new(from, tcp.src_port()),
            to: SocketAddr::new(to, tcp.dst_port()),
            control: match (tcp.rst(), tcp.syn(), tcp.fin()) {
                (true, _, _) => SegmentControl::Rst,
                (_, true, _) => SegmentControl::Syn,
                (_, _, true) => SegmentControl::Fin,
                _ => SegmentControl::None,
            },
            sequence: u32::from_ne_bytes(tcp.seq_number().0.to_ne_bytes()),
            acknowledged: tcp
                .ack()
                .then(|| u32::from_ne_bytes(tcp.ack_number().0.to_ne_bytes())),
            window: tcp.window_len(),
            payload: tcp.payload().to_vec(),
        })
    }
}

/// The IP packet of a UDP datagram; none if its ends are not of one family.
#[must_use]
pub fn udp_packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let repr = UdpRepr {
        src_port: from.port(),
        dst_port: to.port(),
    };
    let length = repr.header_len() + payload.len();
    packet(from, to, IpProtocol::Udp, length, |body, from, to| {
        repr.emit(
            &mut UdpPacket::new_unchecked(body),
            from,
            to,
            payload.len(),
            |into| into.copy_from_slice(payload),
            &ChecksumCapabilities::default(),
        );
    })
}

/// A packet whose body of that length is written by `emit`.
fn packet(
    from: SocketAddr,
    to: SocketAddr,
    protocol: IpProtocol,
    length: usize,
    emit: impl FnOnce(&mut [u8], &IpAddress, &IpAddress),
) -> Option<Vec<u8>> {
    if from.is_ipv4() != to.is_ipv4() {
        return None;
    }
    let (from, to) = (to_ip_address(from.ip()), to_ip_address(to.ip()));
    let header = IpRepr::new(from, to, protocol, length, HOPS);
    let mut packet = vec![0; header.buffer_len()];
    header.emit(&mut packet[..], &ChecksumCapabilities::default());
    emit(&mut packet[header.header_len()..], &from, &to);
    Some(packet)
}

fn to_ip_address(address: IpAddr) -> IpAddress {
    match address {
        IpAddr::V4(v4) => IpAddress::Ipv4(v4),
        IpAddr::V6(v6) => IpAddress::Ipv6(v6),
    }
}

/// smoltcp keeps sequence numbers signed.
fn to_seq_number(sequence: u32) -> TcpSeqNumber {
    TcpSeqNumber(i32::from_ne_bytes(sequence.to_ne_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn control() -> impl Strategy<Value = SegmentControl> {
        prop_oneof![
            Just(SegmentControl::None),
            Just(SegmentControl::Syn),
            Just(SegmentControl::Fin),
            Just(SegmentControl::Rst)
        ]
    }

    fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        let ports = (1..=u16::MAX, 1..=u16::MAX);
        let v4 = (any::<[u8; 4]>(), any::<[u8; 4]>(), ports.clone())
            .prop_map(|(from, to, ports)| ((from, ports.0).into(), (to, ports.1).into()));
        let v6 = (any::<[u8; 16]>(), any::<[u8; 16]>(), ports)
            .prop_map(|(from, to, ports)| ((from, ports.0).into(), (to, ports.1).into()));
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            (from, to) in ends(),
            control in control(),
            sequence in any::<u32>(),
            acknowledged in any::<Option<u32>>(),
            window in any::<u16>(),
            payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let segment = Segment { from, to, control, sequence, acknowledged, window, payload };
            let packet = segment.to_packet().unwrap();
            prop_assert_eq!(Segment::parse(&packet), Some(segment));
        }

        #[test]
        fn foreign_bytes_are_survived(mut bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Segment::parse(&bytes);
            // Bytes with the version of an IP header.
            for version in [0x45, 0x60] {
                if let Some(first) = bytes.first_mut() {
                    *first = version;
                }
                let _ = Segment::parse(&bytes);
            }
        }
    }

    #[test]
    fn a_syn_as_the_rfc_draws_it() {
        let segment = Segment {
            from: "10.99.1.1:4000".parse().unwrap(),
            to: "10.99.0.1:80".parse().unwrap(),
            control: SegmentControl::Syn,
            sequence: 1,
            acknowledged: None,
            window: 0xffff,
            payload: Vec::new(),
        };
        let packet = segment.to_packet().unwrap();
        assert_eq!(packet[0], 0x45);
        assert_eq!(packet[9], 6);
        assert_eq!(packet[20..24], [0x0f, 0xa0, 0, 80]);
        assert_eq!(packet[33], 0x02, "SYN and nothing else");
        // The one's complement sum of a whole header is all ones.
        let sum: u32 = packet[..20]
            .chunks(2)
            .map(|word| u32::from(word[0]) << 8 | u32::from(word[1]))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!(segment.end_sequence(), 2);
    }

    #[test]
    fn ends_of_two_families_make_no_packet() {
        let (v4, v6) = ("10.0.0.1:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        assert_eq!(udp_packet(v4, v6, b""), None);
        assert!(udp_packet(v6, v6, b"unread").is_some());
    }
}
