//! Decodes the attributes of a `sock_diag` message: `TCP_INFO` and the name of
//! its congestion control. Pure, bytes only.
//!
//! Format: `struct nlattr` in `include/uapi/linux/netlink.h`, `struct tcp_info`
//! in `include/uapi/linux/tcp.h`. The struct only ever grows at its end, so a
//! field is there if the attribute is long enough for it.

use super::diag_memory;
use crate::model::tcp_info::{CongestionState, TcpInfo};
use crate::model::tcp_metrics::{ByteCounts, TcpCounters};
use crate::model::text::Text;

/// `INET_DIAG_INFO`.
const ATTR_INFO: u16 = 2;
/// `INET_DIAG_CONG`.
const ATTR_CONGESTION: u16 = 4;
/// `INET_DIAG_SHUTDOWN`: a byte, sent with every socket.
const ATTR_SHUTDOWN: u16 = 8;
/// `RCV_SHUTDOWN` in `include/net/sock.h`.
const RCV_SHUTDOWN: u8 = 1;
/// `INET_DIAG_ULP_INFO`: information of a protocol above TCP, if there is one.
const ATTR_ULP_INFO: u16 = 19;
/// `INET_ULP_INFO_NAME`, within [`ATTR_ULP_INFO`].
const ATTR_ULP_NAME: u16 = 1;
/// The name by which subflows of MPTCP go (`subflow_ulp_ops` in
/// `net/mptcp/subflow.c`).
const MPTCP_ULP_NAME: &[u8] = b"mptcp";
/// Length of `struct nlattr`.
const ATTR_HEADER_LEN: usize = 4;
/// The upper bits of an attribute's type are flags (`NLA_TYPE_MASK`).
const ATTR_TYPE_MASK: u16 = 0x3fff;
/// Length that every kernel since 2.6 sends: up to `tcpi_total_retrans`.
const MIN_TCP_INFO_LEN: usize = 104;
/// `TCPI_OPT_SYN_DATA`.
const OPT_SYN_DATA: u8 = 32;
/// `TCP_INFINITE_SSTHRESH`.
const INFINITE_SSTHRESH: u32 = 0x7fff_ffff;

/// Decodes all attributes of a connection; none without `TCP_INFO`.
#[must_use]
pub fn parse_info(attributes: &[u8]) -> Option<TcpInfo> {
    let fields = RawTcpInfo::find(attributes)?;
    let algorithm = find_attribute(attributes, ATTR_CONGESTION).map(|name| {
        let end = name.iter().position(|byte| *byte == 0);
        Text::new(&name[..end.unwrap_or(name.len())])
    });
    let shut = find_attribute(attributes, ATTR_SHUTDOWN).and_then(|halves| halves.first());
    Some(TcpInfo {
        memory: diag_memory::parse_memory(attributes),
        congestion_control: algorithm.filter(|name| !name.is_empty()),
        receive_shutdown: shut.map(|halves| halves & RCV_SHUTDOWN != 0),
        is_subflow: is_mptcp(attributes),
        ..fields.to_tcp_info()
    })
}

/// True if the attributes name a path or a listener of MPTCP.
fn is_mptcp(attributes: &[u8]) -> bool {
    let upper = find_attribute(attributes, ATTR_ULP_INFO)
        .and_then(|upper| find_attribute(upper, ATTR_ULP_NAME));
    upper.and_then(|name| name.strip_suffix(b"\0")) == Some(MPTCP_ULP_NAME)
}

/// Only the fields that columns need; none without `TCP_INFO`.
#[must_use]
pub fn parse_counters(attributes: &[u8]) -> Option<TcpCounters> {
    let fields = RawTcpInfo::find(attributes)?;
    let carried = |(received, acked)| ByteCounts { received, acked };
    Some(TcpCounters {
        rtt_us: fields.rtt(),
        total_retransmits: fields.u32_at(100),
        bytes: fields.received().zip(fields.acked()).map(carried),
    })
}

/// Returns the value of the first attribute of a type. Bytes after an
/// impossible length are ignored.
pub(super) fn find_attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = attributes;
    loop {
        let [low, high, kind @ ..] = *rest.first_chunk::<ATTR_HEADER_LEN>()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = rest.get(ATTR_HEADER_LEN..length)?;
        if u16::from_ne_bytes(kind) & ATTR_TYPE_MASK == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// A `struct tcp_info` that is long enough for its oldest part.
#[derive(Clone, Copy)]
struct RawTcpInfo<'d>(&'d [u8]);

impl<'d> RawTcpInfo<'d> {
    fn find(attributes: &'d [u8]) -> Option<Self> {
        let fields = find_attribute(attributes, ATTR_INFO)?;
        (fields.len() >= MIN_TCP_INFO_LEN).then_some(Self(fields))
    }

    fn u8_at(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// A number of the oldest part.
    fn u32_at(self, at: usize) -> u32 {
        self.optional_u32_at(at).unwrap_or(0)
    }

    /// A number of a part that older kernels do not send.
    fn optional_u32_at(self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    }

    /// Two-byte number of a part that older kernels do not send.
    fn optional_u16_at(self, at: usize) -> Option<u16> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u16::from_ne_bytes(*bytes))
    }

    /// Eight-byte number of a part that older kernels do not send.
    fn optional_u64_at(self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    }

    fn rtt(self) -> Option<u32> {
        Some(self.u32_at(68)).filter(|rtt| *rtt != 0)
    }

    fn acked(self) -> Option<u64> {
        self.optional_u64_at(120)
    }

    fn received(self) -> Option<u64> {
        self.optional_u64_at(128)
    }

    fn to_tcp_info(self) -> TcpInfo {
        TcpInfo {
            congestion_state: CongestionState::from_kernel(self.u8_at(1)),
            retransmits: self.u8_at(2),
            probes: self.u8_at(3),
            backoff: self.u8_at(4),
            data_in_syn: self.u8_at(5) & OPT_SYN_DATA != 0,
            rto_us: self.u32_at(8),
            ato_us: self.u32_at(12),
            snd_mss: self.u32_at(16),
            rcv_mss: self.u32_at(20),
            unacked: self.u32_at(24),
            sacked: self.u32_at(28),
            lost: self.u32_at(32),
            retrans: self.u32_at(36),
            last_data_sent_ms: self.u32_at(44),
            last_data_received_ms: self.u32_at(52),
            last_ack_received_ms: self.u32_at(56),
            path_mtu: self.u32_at(60),
            rtt_us: self.rtt(),
            rtt_variation_us: self.u32_at(72),
            slow_start_threshold: Some(self.u32_at(76)).filter(|limit| *limit < INFINITE_SSTHRESH),
            congestion_window: self.u32_at(80),
            advertised_mss: self.u32_at(84),
            receiver_rtt_us: Some(self.u32_at(92)).filter(|rtt| *rtt != 0),
            receive_space: self.u32_at(96),
            total_retransmits: self.u32_at(100),
            // All ones: no limit.
            pacing_rate: self.optional_u64_at(104).filter(|rate| *rate != u64::MAX),
            max_pacing_rate: self.optional_u64_at(112).filter(|rate| *rate != u64::MAX),
            bytes_acked: self.acked(),
            bytes_received: self.received(),
            segments_out: self.optional_u32_at(136),
            segments_in: self.optional_u32_at(140),
            not_sent_bytes: self.optional_u32_at(144),
            // All ones: not measured yet.
            min_rtt_us: self.optional_u32_at(148).filter(|rtt| *rtt != u32::MAX),
            data_segments_in: self.optional_u32_at(152),
            data_segments_out: self.optional_u32_at(156),
            delivery_rate: self.optional_u64_at(160),
            delivery_rate_app_limited: self.u8_at(7) & app_limited_bit() != 0,
            busy_us: self.optional_u64_at(168),
            peer_window_limited_us: self.optional_u64_at(176),
            send_buffer_limited_us: self.optional_u64_at(184),
            delivered: self.optional_u32_at(192),
            delivered_ce: self.optional_u32_at(196),
            bytes_sent: self.optional_u64_at(200),
            bytes_retransmitted: self.optional_u64_at(208),
            dsack_duplicates: self.optional_u32_at(216),
            reorderings: self.optional_u32_at(220),
            received_out_of_order: self.optional_u32_at(224),
            peer_window: self.optional_u32_at(228),
            local_window: self.optional_u32_at(232),
            timeouts: self.optional_u16_at(240),
            timeout_recoveries: self.optional_u16_at(242),
            timeout_ms: self.optional_u32_at(244),
            congestion_control: None,
            receive_shutdown: None,
            is_subflow: false,
            memory: None,
        }
    }
}

/// `tcpi_delivery_rate_app_limited`, the first bit field of its byte: where it
/// lies depends on the machine.
fn app_limited_bit() -> u8 {
    if cfg!(target_endian = "little") {
        0x01
    } else {
        0x80
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(ATTR_HEADER_LEN + value.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// A `struct tcp_info` in which each word holds its own offset.
    fn numbered(length: usize) -> Vec<u8> {
        let words = (0..length).step_by(4);
        words
            .flat_map(|at| u32::try_from(at).unwrap().to_ne_bytes())
            .collect()
    }

    /// Eight bytes of the numbered struct at an offset.
    fn pair(at: u64) -> u64 {
        let bytes = numbered(usize::try_from(at).unwrap() + 8);
        u64::from_ne_bytes(*bytes.last_chunk().unwrap())
    }

    #[test]
    fn every_field_is_decoded_from_its_offset() {
        let mut bytes = attribute(8, &[0]);
        bytes.extend(attribute(ATTR_INFO, &numbered(248)));
        bytes.extend(attribute(ATTR_CONGESTION, b"cubic\0"));
        let info = parse_info(&bytes).unwrap();
        let name = info.congestion_control.as_ref().map(Text::as_str);
        assert_eq!(name, Some("cubic"));
        let oldest = [
            (info.rto_us, 8),
            (info.ato_us, 12),
            (info.snd_mss, 16),
            (info.rcv_mss, 20),
            (info.unacked, 24),
            (info.sacked, 28),
            (info.lost, 32),
            (info.retrans, 36),
            (info.last_data_sent_ms, 44),
            (info.last_data_received_ms, 52),
            (info.last_ack_received_ms, 56),
            (info.path_mtu, 60),
            (info.rtt_variation_us, 72),
            (info.congestion_window, 80),
            (info.advertised_mss, 84),
            (info.receive_space, 96),
            (info.total_retransmits, 100),
        ];
        for (value, place) in oldest {
            assert_eq!(value, place);
        }
        let optional = [
            (info.rtt_us, 68),
            (info.slow_start_threshold, 76),
            (info.receiver_rtt_us, 92),
            (info.segments_out, 136),
            (info.segments_in, 140),
            (info.not_sent_bytes, 144),
            (info.min_rtt_us, 148),
            (info.data_segments_in, 152),
            (info.data_segments_out, 156),
            (info.delivered, 192),
            (info.delivered_ce, 196),
            (info.dsack_duplicates, 216),
            (info.reorderings, 220),
            (info.received_out_of_order, 224),
            (info.peer_window, 228),
            (info.local_window, 232),
            (info.timeout_ms, 244),
        ];
        for (value, place) in optional {
            assert_eq!(value, Some(place));
        }
        let large = [
            (info.pacing_rate, 104),
            (info.max_pacing_rate, 112),
            (info.bytes_acked, 120),
            (info.bytes_received, 128),
            (info.delivery_rate, 160),
            (info.busy_us, 168),
            (info.peer_window_limited_us, 176),
            (info.send_buffer_limited_us, 184),
            (info.bytes_sent, 200),
            (info.bytes_retransmitted, 208),
        ];
        for (value, place) in large {
            assert_eq!(value, Some(pair(place)), "at {place}");
        }
        assert_eq!(TcpCounters::from(&info), parse_counters(&bytes).unwrap());
    }

    #[test]
    fn small_fields_are_decoded_from_their_offsets() {
        let mut fields = vec![0; 248];
        (fields[3], fields[5]) = (7, OPT_SYN_DATA | 1);
        fields[240..242].copy_from_slice(&300_u16.to_ne_bytes());
        fields[242..244].copy_from_slice(&2_u16.to_ne_bytes());
        let info = parse_info(&attribute(ATTR_INFO, &fields)).unwrap();
        assert_eq!((info.probes, info.data_in_syn), (7, true));
        let timeouts = (info.timeouts, info.timeout_recoveries);
        assert_eq!(timeouts, (Some(300), Some(2)));
    }

    #[test]
    fn shutdown_and_ulp_attributes_are_decoded() {
        let told = |others: &[u8]| {
            let bytes = [&attribute(ATTR_INFO, &numbered(240))[..], others].concat();
            let info = parse_info(&bytes).unwrap();
            (info.receive_shutdown, info.is_subflow)
        };
        assert_eq!(told(&[]), (None, false));
        // SEND_SHUTDOWN is 2.
        for (halves, receiving) in [(0, false), (2, false), (1, true), (3, true)] {
            let found = told(&attribute(ATTR_SHUTDOWN, &[halves]));
            assert_eq!(found, (Some(receiving), false), "{halves}");
        }
        let upper = |name| told(&attribute(ATTR_ULP_INFO, &attribute(ATTR_ULP_NAME, name)));
        assert_eq!(upper(b"mptcp\0"), (None, true));
        assert_eq!(upper(b"tls\0"), (None, false));
    }

    #[test]
    fn older_kernels_send_fewer_fields() {
        let of = |length| parse_info(&attribute(ATTR_INFO, &numbered(length)));
        assert_eq!(of(100), None);
        let oldest = of(104).unwrap();
        assert_eq!((oldest.rtt_us, oldest.bytes_acked), (Some(68), None));
        let cut = of(132).unwrap();
        assert_eq!(cut.bytes_acked, Some(pair(120)));
        assert_eq!(cut.bytes_received, None, "half of it is none of it");
        let before_6_7 = of(240).unwrap();
        assert_eq!((before_6_7.timeouts, before_6_7.timeout_ms), (None, None));
        let before_4_6 = of(144).unwrap();
        let later = (before_4_6.data_segments_out, before_4_6.delivered);
        assert_eq!(later, (None, None));
        assert_eq!(
            parse_counters(&attribute(ATTR_INFO, &numbered(132)))
                .unwrap()
                .bytes,
            None
        );
    }

    #[test]
    fn sentinel_values_are_none() {
        let mut fields = vec![0; 240];
        fields[76..80].copy_from_slice(&INFINITE_SSTHRESH.to_ne_bytes());
        fields[104..120].fill(0xff);
        fields[148..152].fill(0xff);
        let info = parse_info(&attribute(ATTR_INFO, &fields)).unwrap();
        assert_eq!((info.rtt_us, info.min_rtt_us), (None, None));
        assert_eq!((info.slow_start_threshold, info.pacing_rate), (None, None));
        assert_eq!(info.max_pacing_rate, None);
        assert!(!info.delivery_rate_app_limited);
        assert_eq!(info.congestion_control, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (parse_info(&bytes), parse_counters(&bytes));
        }

        #[test]
        fn any_mutation_is_survived(place in 0_usize..250, byte in any::<u8>(), cut in 0_usize..250) {
            let mut bytes = attribute(8, &[0]);
            bytes.extend(attribute(ATTR_INFO, &numbered(232)));
            bytes.extend(attribute(ATTR_CONGESTION, b"cubic\0"));
            bytes[place] = byte;
            let _ = (parse_info(&bytes), parse_info(&bytes[..cut]));
        }
    }
}
