//! Decodes a record of the tracepoint into a state change: pure, bytes only.

use super::format::TracepointFormat;
use super::ring_buffer::RingRecord;
use crate::model::endpoint::Endpoint;
use crate::model::event::StateChange;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::state::State;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const TCP: u16 = 6;
const INET: u16 = 2;
const INET6: u16 = 10;
/// Flags of a record for hard and soft interrupts (`TRACE_FLAG_HARDIRQ`,
/// `TRACE_FLAG_SOFTIRQ`).
const INTERRUPT_FLAGS: u8 = 0x08 | 0x10;

/// A change whose process is not resolved yet.
pub(super) struct DecodedChange {
    pub(super) change: StateChange,
    /// Running thread, if it is certainly the owner's.
    pub(super) thread: Option<u32>,
}

/// Decodes a record; none if it is of another tracepoint or protocol. Times
/// are counted from `origin_ns`.
pub(super) fn decode(
    record: &RingRecord<'_>,
    format: &TracepointFormat,
    origin_ns: u64,
) -> Option<DecodedChange> {
    let bytes = record.data;
    let kind = u16::from_ne_bytes(*bytes.first_chunk()?);
    let protocol = u16::from_ne_bytes(format.protocol.read(bytes)?);
    if kind != format.id || protocol != TCP || bytes.len() < format.min_len {
        return None;
    }
    let family = match u16::from_ne_bytes(format.family.read(bytes)?) {
        INET => IpFamily::Inet,
        INET6 => IpFamily::Inet6,
        _ => return None,
    };
    let address = |v4: [u8; 4], v6: [u8; 16]| match family {
        IpFamily::Inet => IpAddr::from(Ipv4Addr::from(v4)),
        IpFamily::Inet6 => Ipv6Addr::from(v6).to_canonical(),
    };
    let local = address(format.local_v4.read(bytes)?, format.local_v6.read(bytes)?);
    let remote = address(format.remote_v4.read(bytes)?, format.remote_v6.read(bytes)?);
    let port = |bytes| u16::from_ne_bytes(bytes);
    let to = decode_state(format.to.read(bytes)?);
    let thread = u32::from_ne_bytes(format.thread.read(bytes)?);
    let change = StateChange {
        at_us: record.at_ns.saturating_sub(origin_ns) / 1000,
        socket: u64::from_ne_bytes(format.socket.read(bytes)?),
        local: Endpoint::new(local, port(format.local_port.read(bytes)?)),
        remote: Endpoint::new(remote, port(format.remote_port.read(bytes)?)),
        family,
        from: decode_state(format.from.read(bytes)?),
        to,
        in_interrupt: u8::from_ne_bytes(format.flags.read(bytes)?) & INTERRUPT_FLAGS != 0,
        process: None,
    };
    // All other changes may occur in the context of an unrelated thread.
    let called = matches!(to, State::SynSent | State::Listen);
    Some(DecodedChange {
        change,
        thread: called.then_some(thread),
    })
}

fn decode_state(number: [u8; 4]) -> State {
    let number = u8::try_from(u32::from_ne_bytes(number)).unwrap_or(u8::MAX);
    State::from_kernel(Protocol::Tcp, number)
}

#[cfg(test)]
mod tests {
    use super::super::format::tests::FORMAT;
    use super::*;
    use proptest::prelude::*;

    fn record(from: u32, to: u32) -> Vec<u8> {
        let mut bytes = 2287_u16.to_ne_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(812_u32.to_ne_bytes());
        bytes.extend(0xffff_8881_0102_0304_u64.to_ne_bytes());
        bytes.extend(from.to_ne_bytes());
        bytes.extend(to.to_ne_bytes());
        for number in [0_u16, 443, INET, TCP] {
            bytes.extend(number.to_ne_bytes());
        }
        bytes.extend([192, 0, 2, 1]);
        bytes.extend([203, 0, 113, 9]);
        bytes.extend(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets());
        bytes.extend(Ipv4Addr::new(203, 0, 113, 9).to_ipv6_mapped().octets());
        bytes
    }

    fn decoded(bytes: &[u8]) -> Option<DecodedChange> {
        let record = RingRecord {
            at_ns: 5_000_000,
            data: bytes,
        };
        decode(
            &record,
            &TracepointFormat::parse(FORMAT).unwrap(),
            1_000_000,
        )
    }

    #[test]
    fn every_field_is_read() {
        let told = decoded(&record(7, 2)).unwrap();
        assert_eq!(told.thread, Some(812));
        let change = told.change;
        assert_eq!((change.at_us, change.family), (4000, IpFamily::Inet));
        assert_eq!(change.local.to_string(), "192.0.2.1:0");
        assert_eq!(change.remote.to_string(), "203.0.113.9:443");
        assert_eq!((change.from, change.to), (State::Closed, State::SynSent));
    }

    #[test]
    fn an_interrupt_differs_from_a_call() {
        assert!(!decoded(&record(2, 7)).unwrap().change.in_interrupt);
        for flag in [0x08, 0x10, 0x15] {
            let mut bytes = record(2, 7);
            bytes[2] = flag;
            assert!(decoded(&bytes).unwrap().change.in_interrupt);
        }
    }

    #[test]
    fn only_a_call_has_a_caller() {
        assert_eq!(decoded(&record(7, 10)).unwrap().thread, Some(812));
        for (from, to) in [(2, 1), (10, 3), (3, 1), (1, 4), (1, 8), (2, 7)] {
            assert_eq!(decoded(&record(from, to)).unwrap().thread, None);
        }
    }

    #[test]
    fn records_of_another_kind_are_skipped() {
        let mut other = record(7, 2);
        other[0] ^= 1;
        assert!(decoded(&other).is_none());
        let mut mptcp = record(7, 2);
        mptcp[30..32].copy_from_slice(&262_u16.to_ne_bytes());
        assert!(decoded(&mptcp).is_none());
        assert!(decoded(&record(7, 2)[..71]).is_none());
    }

    #[test]
    fn earlier_times_are_clamped_to_the_origin() {
        let bytes = record(1, 4);
        let record = RingRecord {
            at_ns: 5,
            data: &bytes,
        };
        let told = decode(
            &record,
            &TracepointFormat::parse(FORMAT).unwrap(),
            1_000_000,
        );
        assert_eq!(told.unwrap().change.at_us, 0);
    }

    /// A page of Linux 6.18 on x86-64: a connection over loopback whose client
    /// closes first, and one that is refused.
    #[test]
    fn a_captured_page_has_both_ends() {
        let page = include_bytes!("../../../tests/captured/ring/loopback.page");
        let format = TracepointFormat::parse(FORMAT).unwrap();
        let told: Vec<DecodedChange> = super::super::ring_buffer::RingPage::new(page)
            .filter_map(|record| decode(&record, &format, 0))
            .collect();
        let mut times = told.iter().map(|told| told.change.at_us);
        assert!(times.by_ref().is_sorted() && told[0].change.at_us > 0);
        let way = |from: u16, to: u16| -> Vec<State> {
            let ends = |change: &&StateChange| {
                let fits = |port: u16, wanted: u16| port == wanted || port == 0;
                fits(change.local.port, from) && change.remote.port == to
            };
            let changes = told.iter().map(|told| &told.change).filter(ends);
            changes.map(|change| change.to).collect()
        };
        let client = [
            State::SynSent,
            State::Established,
            State::FinWait1,
            State::FinWait2,
            State::Closed,
        ];
        assert_eq!(way(40_000, 8080), client);
        let server = [
            State::SynReceived,
            State::Established,
            State::CloseWait,
            State::LastAck,
            State::Closed,
        ];
        assert_eq!(way(8080, 40_000), server);
        let refused = told.iter().filter(|told| told.change.remote.port == 9);
        let refused: Vec<State> = refused.map(|told| told.change.to).collect();
        assert_eq!(refused, [State::SynSent, State::Closed]);
        // One thread did it all, and is named where that is sure.
        let threads: Vec<u32> = told.iter().filter_map(|told| told.thread).collect();
        assert_eq!(threads.len(), 3);
        assert!(threads.iter().all(|thread| *thread == threads[0]));
    }

    proptest! {
        #[test]
        fn any_record_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decoded(&bytes);
        }
    }
}
