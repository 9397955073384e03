//! Decodes the attributes of a `sock_diag` message: `TCP_INFO` and the name of
//! its congestion control. Pure, bytes only.
//!
//! Format: `struct nlattr` in `include/uapi/linux/netlink.h`, `struct tcp_info`
//! in `include/uapi/linux/tcp.h`. The struct only ever grows at its end, so a
//! field is there if the attribute is long enough for it.

use super::diag_memory;
use crate::model::flow::{Carried, Sample};
use crate::model::tcp_info::{CongestionState, TcpInfo};
use crate::model::text::Text;

/// `INET_DIAG_INFO`.
const INFO: u16 = 2;
/// `INET_DIAG_CONG`.
const ALGORITHM: u16 = 4;
/// `INET_DIAG_SHUTDOWN`: a byte, sent with every socket.
const SHUTDOWN: u16 = 8;
/// `RCV_SHUTDOWN` in `include/net/sock.h`.
const RECEIVING: u8 = 1;
/// `INET_DIAG_ULP_INFO`: information of a protocol above TCP, if there is one.
const UPPER: u16 = 19;
/// `INET_ULP_INFO_NAME`, within [`UPPER`].
const UPPER_NAME: u16 = 1;
/// The name by which subflows of MPTCP go (`subflow_ulp_ops` in
/// `net/mptcp/subflow.c`).
const MPTCP: &[u8] = b"mptcp";
/// Length of `struct nlattr`.
const HEADER: usize = 4;
/// The upper bits of an attribute's type are flags (`NLA_TYPE_MASK`).
const TYPE: u16 = 0x3fff;
/// Length that every kernel since 2.6 sends: up to `tcpi_total_retrans`.
const LEAST: usize = 104;
/// `TCPI_OPT_SYN_DATA`.
const DATA_IN_SYN: u8 = 32;
/// `TCP_INFINITE_SSTHRESH`.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

/// Decodes all attributes of a connection; none without `TCP_INFO`.
#[must_use]
pub fn info(attributes: &[u8]) -> Option<TcpInfo> {
    let fields = Fields::of(attributes)?;
    let algorithm = find(attributes, ALGORITHM).map(|name| {
        let end = name.iter().position(|byte| *byte == 0);
        Text::new(&name[..end.unwrap_or(name.len())])
    });
    let shut = find(attributes, SHUTDOWN).and_then(|halves| halves.first());
    Some(TcpInfo {
        memory: diag_memory::memory(attributes),
        congestion_control: algorithm.filter(|name| !name.is_empty()),
        receiving_shut: shut.map(|halves| halves & RECEIVING != 0),
        is_subflow: is_mptcp(attributes),
        ..fields.info()
    })
}

/// True if the attributes name a path or a listener of MPTCP.
fn is_mptcp(attributes: &[u8]) -> bool {
    let upper = find(attributes, UPPER).and_then(|upper| find(upper, UPPER_NAME));
    upper.and_then(|name| name.strip_suffix(b"\0")) == Some(MPTCP)
}

/// Only the fields that columns need; none without `TCP_INFO`.
#[must_use]
pub fn sample(attributes: &[u8]) -> Option<Sample> {
    let fields = Fields::of(attributes)?;
    let carried = |(received, acked)| Carried { received, acked };
    Some(Sample {
        rtt_us: fields.rtt(),
        total_retransmits: fields.number(100),
        carried: fields.received().zip(fields.acked()).map(carried),
    })
}

/// Returns the value of the first attribute of a type. Bytes after an
/// impossible length are ignored.
pub(super) fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = attributes;
    loop {
        let [low, high, kind @ ..] = *rest.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = rest.get(HEADER..length)?;
        if u16::from_ne_bytes(kind) & TYPE == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// A `struct tcp_info` that is long enough for its oldest part.
#[derive(Clone, Copy)]
struct Fields<'d>(&'d [u8]);

impl<'d> Fields<'d> {
    fn of(attributes: &'d [u8]) -> Option<Self> {
        let fields = find(attributes, INFO)?;
        (fields.len() >= LEAST).then_some(Self(fields))
    }

    fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// A number of the oldest part.
    fn number(self, at: usize) -> u32 {
        self.newer(at).unwrap_or(0)
    }

    /// A number of a part that older kernels do not send.
    fn newer(self, at: usize) -> Option<u32> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    }

    /// Two-byte number of a part that older kernels do not send.
    fn short(self, at: usize) -> Option<u16> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u16::from_ne_bytes(*bytes))
    }

    /// Eight-byte number of a part that older kernels do not send.
    fn large(self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    }

    fn rtt(self) -> Option<u32> {
        Some(self.number(68)).filter(|rtt| *rtt != 0)
    }

    fn acked(self) -> Option<u64> {
        self.large(120)
    }

    fn received(self) -> Option<u64> {
        self.large(128)
    }

    fn info(self) -> TcpInfo {
        TcpInfo {
            congestion_state: CongestionState::from_kernel(self.byte(1)),
            retransmits: self.byte(2),
            probes: self.byte(3),
            backoff: self.byte(4),
            data_in_syn: self.byte(5) & DATA_IN_SYN != 0,
            rto_us: self.number(8),
            ato_us: self.number(12),
            snd_mss: self.number(16),
            rcv_mss: self.number(20),
            unacked: self.number(24),
            selectively_acked: self.number(28),
            lost: self.number(32),
            retrans: self.number(36),
            last_data_sent_ms: self.number(44),
            last_data_received_ms: self.number(52),
            last_ack_received_ms: self.number(56),
            path_mtu: self.number(60),
            rtt_us: self.rtt(),
            rtt_variation_us: self.number(72),
            slow_start_threshold: Some(self.number(76)).filter(|limit| *limit < NO_THRESHOLD),
            congestion_window: self.number(80),
            advertised_mss: self.number(84),
            receiver_rtt_us: Some(self.number(92)).filter(|rtt| *rtt != 0),
            receive_space: self.number(96),
            total_retransmits: self.number(100),
            // All ones: no limit.
            pacing_rate: self.large(104).filter(|rate| *rate != u64::MAX),
            max_pacing_rate: self.large(112).filter(|rate| *rate != u64::MAX),
            bytes_acked: self.acked(),
            bytes_received: self.received(),
            segments_out: self.newer(136),
            segments_in: self.newer(140),
            not_sent_bytes: self.newer(144),
            // All ones: not measured yet.
            min_rtt_us: self.newer(148).filter(|rtt| *rtt != u32::MAX),
            data_segments_in: self.newer(152),
            data_segments_out: self.newer(156),
            delivery_rate: self.large(160),
            delivery_rate_is_programs: self.byte(7) & application_limited() != 0,
            busy_us: self.large(168),
            peer_window_limited_us: self.large(176),
            send_buffer_limited_us: self.large(184),
            delivered: self.newer(192),
            delivered_ce: self.newer(196),
            bytes_sent: self.large(200),
            bytes_retransmitted: self.large(208),
            duplicates_reported: self.newer(216),
            reorderings: self.newer(220),
            received_out_of_order: self.newer(224),
            peer_window: self.newer(228),
            own_window: self.newer(232),
            timeouts: self.short(240),
            timeout_recoveries: self.short(242),
            timeout_ms: self.newer(244),
            congestion_control: None,
            receiving_shut: None,
            is_subflow: false,
            memory: None,
        }
    }
}

/// `tcpi_delivery_rate_app_limited`, the first bit field of its byte: where it
/// lies depends on the machine.
fn application_limited() -> u8 {
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
        let length = u16::try_from(HEADER + value.len()).unwrap();
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
    fn every_field_is_taken_from_its_place() {
        let mut bytes = attribute(8, &[0]);
        bytes.extend(attribute(INFO, &numbered(248)));
        bytes.extend(attribute(ALGORITHM, b"cubic\0"));
        let info = info(&bytes).unwrap();
        let name = info.congestion_control.as_ref().map(Text::as_str);
        assert_eq!(name, Some("cubic"));
        let oldest = [
            (info.rto_us, 8),
            (info.ato_us, 12),
            (info.snd_mss, 16),
            (info.rcv_mss, 20),
            (info.unacked, 24),
            (info.selectively_acked, 28),
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
            (info.duplicates_reported, 216),
            (info.reorderings, 220),
            (info.received_out_of_order, 224),
            (info.peer_window, 228),
            (info.own_window, 232),
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
        assert_eq!(Sample::from(&info), sample(&bytes).unwrap());
    }

    #[test]
    fn small_fields_are_taken_from_their_places() {
        let mut fields = vec![0; 248];
        (fields[3], fields[5]) = (7, DATA_IN_SYN | 1);
        fields[240..242].copy_from_slice(&300_u16.to_ne_bytes());
        fields[242..244].copy_from_slice(&2_u16.to_ne_bytes());
        let info = info(&attribute(INFO, &fields)).unwrap();
        assert_eq!((info.probes, info.data_in_syn), (7, true));
        let timeouts = (info.timeouts, info.timeout_recoveries);
        assert_eq!(timeouts, (Some(300), Some(2)));
    }

    #[test]
    fn what_is_told_beside_it_is_taken_too() {
        let told = |others: &[u8]| {
            let bytes = [&attribute(INFO, &numbered(240))[..], others].concat();
            let info = info(&bytes).unwrap();
            (info.receiving_shut, info.is_subflow)
        };
        assert_eq!(told(&[]), (None, false));
        // SEND_SHUTDOWN is 2.
        for (halves, receiving) in [(0, false), (2, false), (1, true), (3, true)] {
            let found = told(&attribute(SHUTDOWN, &[halves]));
            assert_eq!(found, (Some(receiving), false), "{halves}");
        }
        let upper = |name| told(&attribute(UPPER, &attribute(UPPER_NAME, name)));
        assert_eq!(upper(b"mptcp\0"), (None, true));
        assert_eq!(upper(b"tls\0"), (None, false));
    }

    #[test]
    fn older_kernels_tell_less() {
        let of = |length| info(&attribute(INFO, &numbered(length)));
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
            sample(&attribute(INFO, &numbered(132))).unwrap().carried,
            None
        );
    }

    #[test]
    fn numbers_that_mean_none_are_none() {
        let mut fields = vec![0; 240];
        fields[76..80].copy_from_slice(&NO_THRESHOLD.to_ne_bytes());
        fields[104..120].fill(0xff);
        fields[148..152].fill(0xff);
        let info = info(&attribute(INFO, &fields)).unwrap();
        assert_eq!((info.rtt_us, info.min_rtt_us), (None, None));
        assert_eq!((info.slow_start_threshold, info.pacing_rate), (None, None));
        assert_eq!(info.max_pacing_rate, None);
        assert!(!info.delivery_rate_is_programs);
        assert_eq!(info.congestion_control, None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = (info(&bytes), sample(&bytes));
        }

        #[test]
        fn any_mutation_is_survived(place in 0_usize..250, byte in any::<u8>(), cut in 0_usize..250) {
            let mut bytes = attribute(8, &[0]);
            bytes.extend(attribute(INFO, &numbered(232)));
            bytes.extend(attribute(ALGORITHM, b"cubic\0"));
            bytes[place] = byte;
            let _ = (info(&bytes), info(&bytes[..cut]));
        }
    }
}
