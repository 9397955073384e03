//! Traffic of a connection: the few numbers of `TCP_INFO` that columns show,
//! small enough to keep for every row, and the rates between two samples.

use super::tcp_info::TcpInfo;
use std::num::NonZeroU64;

/// The part of `TCP_INFO` that columns, sorting and filters use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpCounters {
    /// Smoothed round-trip time in µs; none before the first.
    pub rtt_us: Option<u32>,
    /// Number of retransmitted segments over the connection's life.
    pub total_retransmits: u32,
    /// Bytes carried so far; none before Linux 4.1.
    pub bytes: Option<ByteCounts>,
}

/// Bytes carried over a connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ByteCounts {
    /// Received.
    pub received: u64,
    /// Sent and acknowledged.
    pub acked: u64,
}

impl From<&TcpInfo> for TcpCounters {
    fn from(info: &TcpInfo) -> Self {
        let carried = |(received, acked)| ByteCounts { received, acked };
        Self {
            rtt_us: info.rtt_us,
            total_retransmits: info.total_retransmits,
            bytes: info.bytes_received.zip(info.bytes_acked).map(carried),
        }
    }
}

/// The latest sample of a connection, and its rates since an earlier one. At most
/// 64 bytes: sorting by a rate takes one for every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TcpMetrics {
    /// Smoothed round-trip time in µs; none before the first.
    pub rtt_us: Option<u32>,
    /// Number of retransmitted segments over the connection's life.
    pub total_retransmits: u32,
    /// Bytes received a second; none before the second sample.
    pub rx_rate: Option<Rate>,
    /// Bytes sent and acknowledged a second; none before the second sample.
    pub tx_rate: Option<Rate>,
    /// Base of the next rates.
    base: Option<RateBase>,
}

/// Bytes carried at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RateBase {
    bytes: ByteCounts,
    monotonic_ms: u64,
}

impl TcpMetrics {
    /// Minimum time over which rates are computed: over less they would jump with
    /// every burst.
    const MIN_RATE_INTERVAL_MS: u64 = 250;

    /// Returns the state after the first sample of a connection.
    #[must_use]
    pub fn from_first(sample: &TcpCounters, monotonic_ms: u64) -> Self {
        Self {
            rtt_us: sample.rtt_us,
            total_retransmits: sample.total_retransmits,
            rx_rate: None,
            tx_rate: None,
            base: sample.bytes.map(|carried| RateBase {
                bytes: carried,
                monotonic_ms,
            }),
        }
    }

    /// Returns the state after the next sample of the same connection. A sample
    /// soon after the last leaves the rates as they are; a counter that decreased
    /// or is missing restarts them.
    #[must_use]
    pub fn advance(&self, sample: &TcpCounters, monotonic_ms: u64) -> Self {
        let fresh = Self::from_first(sample, monotonic_ms);
        let (Some(base), Some(carried)) = (self.base, sample.bytes) else {
            return fresh;
        };
        let since = monotonic_ms.saturating_sub(base.monotonic_ms);
        let grown = |now: u64, before: u64| now.checked_sub(before);
        let (Some(received), Some(acked)) = (
            grown(carried.received, base.bytes.received),
            grown(carried.acked, base.bytes.acked),
        ) else {
            return fresh;
        };
        if since < Self::MIN_RATE_INTERVAL_MS {
            return Self {
                rtt_us: sample.rtt_us,
                total_retransmits: sample.total_retransmits,
                ..*self
            };
        }
        Self {
            rx_rate: Some(Rate::from_bytes(received, since)),
            tx_rate: Some(Rate::from_bytes(acked, since)),
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
    pub fn from_bytes(bytes: u64, milliseconds: u64) -> Self {
        let rate = u128::from(bytes) * 1000 / u128::from(milliseconds.max(1));
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(rate))
    }

    /// Bytes a second.
    #[must_use]
    pub fn bytes_per_second(self) -> u64 {
        self.0.get() - 1
    }
}

/// Index of a row's metrics in the observation's table. Offset by one so that
/// `Option` costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsId(std::num::NonZeroU32);

impl MetricsId {
    /// Wraps an index.
    #[must_use]
    pub fn new(place: u32) -> Self {
        Self(std::num::NonZeroU32::MIN.saturating_add(place))
    }

    /// The index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(received: u64, acked: u64) -> TcpCounters {
        TcpCounters {
            rtt_us: Some(40),
            total_retransmits: 1,
            bytes: Some(ByteCounts { received, acked }),
        }
    }

    fn rates(flow: TcpMetrics) -> Option<(u64, u64)> {
        Some((
            flow.rx_rate?.bytes_per_second(),
            flow.tx_rate?.bytes_per_second(),
        ))
    }

    #[test]
    fn stays_compact() {
        assert!(size_of::<TcpMetrics>() <= 64, "{}", size_of::<TcpMetrics>());
    }

    #[test]
    fn a_rate_takes_two_samples() {
        let first = TcpMetrics::from_first(&sample(1000, 5), 10_000);
        assert_eq!(rates(first), None);
        let second = first.advance(&sample(4000, 5), 12_000);
        assert_eq!(rates(second), Some((1500, 0)));
        let third = second.advance(&sample(4000, 105), 12_500);
        assert_eq!(rates(third), Some((0, 200)));
    }

    #[test]
    fn early_sample_keeps_the_rate_and_loses_no_byte() {
        let flow = TcpMetrics::from_first(&sample(0, 0), 0).advance(&sample(1000, 0), 1000);
        let soon = flow.advance(&sample(9000, 0), 1100);
        assert_eq!(rates(soon), Some((1000, 0)));
        assert_eq!(rates(soon.advance(&sample(9000, 0), 2000)), Some((8000, 0)));
    }

    #[test]
    fn decreasing_counter_restarts_the_rate() {
        let flow =
            TcpMetrics::from_first(&sample(1000, 1000), 0).advance(&sample(2000, 2000), 1000);
        let back = flow.advance(&sample(1999, 3000), 2000);
        assert_eq!(rates(back), None);
        let again = back.advance(&sample(2999, 3000), 3000);
        assert_eq!(rates(again), Some((1000, 0)));
    }

    #[test]
    fn without_counters_there_is_no_rate() {
        let bare = TcpCounters {
            bytes: None,
            ..sample(0, 0)
        };
        let flow = TcpMetrics::from_first(&bare, 0).advance(&bare, 1000);
        assert_eq!((rates(flow), flow.rtt_us), (None, Some(40)));
    }

    #[test]
    fn rates_do_not_overflow() {
        assert_eq!(
            Rate::from_bytes(u64::MAX, 1).bytes_per_second(),
            u64::MAX - 1
        );
        assert_eq!(Rate::from_bytes(7, 0).bytes_per_second(), 7000);
    }
}
