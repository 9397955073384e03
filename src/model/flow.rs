//! Traffic of a connection: the few numbers of `TCP_INFO` that columns show,
//! small enough to keep for every row, and the rates between two samples.

use super::tcp_info::TcpInfo;
use std::num::NonZeroU64;

/// The part of `TCP_INFO` that columns, sorting and filters use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sample {
    /// Smoothed round-trip time in µs; none before the first.
    pub rtt_us: Option<u32>,
    /// Number of retransmitted segments over the connection's life.
    pub total_retransmits: u32,
    /// Bytes carried so far; none before Linux 4.1.
    pub carried: Option<Carried>,
}

/// Bytes carried over a connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Carried {
    /// Received.
    pub received: u64,
    /// Sent and acknowledged.
    pub acked: u64,
}

impl From<&TcpInfo> for Sample {
    fn from(info: &TcpInfo) -> Self {
        let carried = |(received, acked)| Carried { received, acked };
        Self {
            rtt_us: info.rtt_us,
            total_retransmits: info.total_retransmits,
            carried: info.bytes_received.zip(info.bytes_acked).map(carried),
        }
    }
}

/// The latest sample of a connection, and its rates since an earlier one. At most
/// 64 bytes: sorting by a rate takes one for every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flow {
    /// Smoothed round-trip time in µs; none before the first.
    pub rtt_us: Option<u32>,
    /// Number of retransmitted segments over the connection's life.
    pub total_retransmits: u32,
    /// Bytes received a second; none before the second sample.
    pub rx: Option<Rate>,
    /// Bytes sent and acknowledged a second; none before the second sample.
    pub tx: Option<Rate>,
    /// Base of the next rates.
    base: Option<Base>,
}

/// Bytes carried at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Base {
    carried: Carried,
    monotonic_ms: u64,
}

impl Flow {
    /// Minimum time over which rates are computed: over less they would jump with
    /// every burst.
    const SHORTEST_MS: u64 = 250;

    /// Returns the state after the first sample of a connection.
    #[must_use]
    pub fn begin(sample: &Sample, monotonic_ms: u64) -> Self {
        Self {
            rtt_us: sample.rtt_us,
            total_retransmits: sample.total_retransmits,
            rx: None,
            tx: None,
            base: sample.carried.map(|carried| Base {
                carried,
                monotonic_ms,
            }),
        }
    }

    /// Returns the state after the next sample of the same connection. A sample
    /// soon after the last leaves the rates as they are; a counter that decreased
    /// or is missing restarts them.
    #[must_use]
    pub fn next(&self, sample: &Sample, monotonic_ms: u64) -> Self {
        let fresh = Self::begin(sample, monotonic_ms);
        let (Some(base), Some(carried)) = (self.base, sample.carried) else {
            return fresh;
        };
        let since = monotonic_ms.saturating_sub(base.monotonic_ms);
        let grown = |now: u64, before: u64| now.checked_sub(before);
        let (Some(received), Some(acked)) = (
            grown(carried.received, base.carried.received),
            grown(carried.acked, base.carried.acked),
        ) else {
            return fresh;
        };
        if since < Self::SHORTEST_MS {
            return Self {
                rtt_us: sample.rtt_us,
                total_retransmits: sample.total_retransmits,
                ..*self
            };
        }
        Self {
            rx: Some(Rate::over(received, since)),
            tx: Some(Rate::over(acked, since)),
            ..fresh
        }
    }
}

/// Bytes a second. Offset by one so that `Option` costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// Returns the rate of a number of bytes in a number of milliseconds, rounded
    /// down.
    #[must_use]
    pub fn over(bytes: u64, milliseconds: u64) -> Self {
        let rate = u128::from(bytes) * 1000 / u128::from(milliseconds.max(1));
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(rate))
    }

    /// Bytes a second.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0.get() - 1
    }
}

/// Index of a row's metrics in the observation's table. Offset by one so that
/// `Option` costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId(std::num::NonZeroU32);

impl FlowId {
    /// Wraps an index.
    #[must_use]
    pub fn new(place: u32) -> Self {
        Self(std::num::NonZeroU32::MIN.saturating_add(place))
    }

    /// The index.
    #[must_use]
    pub fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(received: u64, acked: u64) -> Sample {
        Sample {
            rtt_us: Some(40),
            total_retransmits: 1,
            carried: Some(Carried { received, acked }),
        }
    }

    fn rates(flow: Flow) -> Option<(u64, u64)> {
        Some((flow.rx?.bytes(), flow.tx?.bytes()))
    }

    #[test]
    fn stays_compact() {
        assert!(size_of::<Flow>() <= 64, "{}", size_of::<Flow>());
    }

    #[test]
    fn a_rate_takes_two_samples() {
        let first = Flow::begin(&sample(1000, 5), 10_000);
        assert_eq!(rates(first), None);
        let second = first.next(&sample(4000, 5), 12_000);
        assert_eq!(rates(second), Some((1500, 0)));
        let third = second.next(&sample(4000, 105), 12_500);
        assert_eq!(rates(third), Some((0, 200)));
    }

    #[test]
    fn what_comes_soon_changes_no_rate_and_loses_no_byte() {
        let flow = Flow::begin(&sample(0, 0), 0).next(&sample(1000, 0), 1000);
        let soon = flow.next(&sample(9000, 0), 1100);
        assert_eq!(rates(soon), Some((1000, 0)));
        assert_eq!(rates(soon.next(&sample(9000, 0), 2000)), Some((8000, 0)));
    }

    #[test]
    fn a_counter_that_goes_back_begins_anew() {
        let flow = Flow::begin(&sample(1000, 1000), 0).next(&sample(2000, 2000), 1000);
        let back = flow.next(&sample(1999, 3000), 2000);
        assert_eq!(rates(back), None);
        let again = back.next(&sample(2999, 3000), 3000);
        assert_eq!(rates(again), Some((1000, 0)));
    }

    #[test]
    fn without_counters_there_is_no_rate() {
        let bare = Sample {
            carried: None,
            ..sample(0, 0)
        };
        let flow = Flow::begin(&bare, 0).next(&bare, 1000);
        assert_eq!((rates(flow), flow.rtt_us), (None, Some(40)));
    }

    #[test]
    fn rates_do_not_overflow() {
        assert_eq!(Rate::over(u64::MAX, 1).bytes(), u64::MAX - 1);
        assert_eq!(Rate::over(7, 0).bytes(), 7000);
    }
}
