//! Elapsed time of the kernel's wait for an answer, and the time until it gives
//! up, counted from now: by its timer, the number of tries, and this machine's
//! settings.
//!
//! Calculated as in `tcp_write_timeout` and `tcp_keepalive_timer` in
//! `net/ipv4/tcp_timer.c` and `reqsk_timer_handler` in
//! `net/ipv4/inet_connection_sock.c`. A program may set limits of its own,
//! which no table reports (`TCP_SYNCNT`, `TCP_USER_TIMEOUT`, the keepalive
//! options). Requests (`SYN_RECV`) are not covered: the number of tries is not
//! reported, and each SYN that the client retransmits restarts the present
//! wait.

#[cfg(test)]
mod tests;

use crate::model::limits::Limits;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::timer::{Timer, TimerKind};
use std::time::Duration;

/// First wait after a SYN (`TCP_TIMEOUT_INIT`), seconds.
const SYN_RTO_S: f64 = 1.0;
/// Shortest wait for an acknowledgement (`TCP_RTO_MIN`), seconds.
const MIN_RTO_S: f64 = 0.2;
/// Longest wait between two tries (`TCP_RTO_MAX_SEC`) where the setting is
/// unknown, seconds.
const DEFAULT_MAX_RTO_S: f64 = 120.0;
/// Number of tries without a holder where `tcp_orphan_retries` is 0.
const DEFAULT_ORPHAN_RETRIES: u32 = 8;
/// Measured factor by which timers fire late.
const TIMER_LATENESS: f64 = 1.03;
/// Factor by which an observed time may exceed a limit before another limit
/// must apply.
const LIMIT_TOLERANCE: f64 = 1.1;
/// Tolerance between the silence and the keepalive settings: seconds, and a
/// share of the whole, as long timers are coarse.
const KEEPALIVE_TOLERANCE: (f64, f64) = (2.0, 0.04);
/// Factor by which a timer may exceed its length, as long ones are coarse
/// (`LVL_CLK_SHIFT` in `kernel/time/timer.c`).
const TIMER_GRANULARITY: f64 = 9.0 / 8.0;
/// Error of an observed spacing, as a table is not read in one moment: seconds.
const SPACING_JITTER_S: f64 = 0.5;

/// A wait for a missing answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct RetryState {
    /// Elapsed time, by the number of tries.
    pub(super) elapsed: Duration,
    /// Time until the kernel gives up; none without a known limit.
    pub(super) remaining: Option<Duration>,
}

/// Returns the wait that a socket's timer shows; none while nothing has been
/// retransmitted. `spacing` is the observed time between unanswered keepalive
/// probes, if any.
pub(super) fn retry_state(
    socket: &Socket,
    info: Option<&TcpInfo>,
    spacing: Option<Duration>,
    limits: &Limits,
) -> Option<RetryState> {
    let timer = socket.timer.filter(|timer| timer.retransmits > 0)?;
    let held = socket.inode.is_some();
    let waits = TimerModel::of(timer, limits);
    match (timer.kind, socket.state) {
        (TimerKind::Retransmit, State::SynSent) => Some(waits.syn(limits)),
        (_, State::SynReceived) => None,
        (TimerKind::Retransmit, _) if held => Some(waits.data(info, limits.retries2)),
        (TimerKind::Retransmit, _) => Some(waits.orphaned_data(info, limits.orphan_retries)),
        (TimerKind::ZeroWindowProbe, _) => Some(waits.zero_window(held, info?, limits)),
        (TimerKind::Keepalive, State::Established | State::CloseWait) => {
            Some(waits.keepalive(info, spacing, limits))
        }
        (TimerKind::Keepalive, State::FinWait2) if held => {
            Some(waits.keepalive(info, spacing, limits))
        }
        _ => None,
    }
}

/// True if the unanswered probes do not fit the system's keepalive times: the
/// program has set its own, which nothing reports.
pub(super) fn has_own_keepalive(socket: &Socket, info: Option<&TcpInfo>, limits: &Limits) -> bool {
    let timer = socket
        .timer
        .filter(|timer| timer.kind == TimerKind::Keepalive && timer.retransmits > 0);
    let fits = timer.and_then(|timer| TimerModel::of(timer, limits).fits_keepalive(info?, limits));
    fits == Some(false)
}

/// True if the observed spacing of probes cannot be the system's.
pub(super) fn has_own_interval(spacing: Duration, limits: &Limits) -> bool {
    let interval = limits.keepalive_interval.map(f64::from);
    interval.is_some_and(|interval| !is_spaced_by(spacing, interval))
}

/// Returns the time until the kernel gives up if the program has left the
/// number of probes to the system; none if more have gone out.
pub(super) fn remaining_by_probe_count(
    timer: Timer,
    spacing: Duration,
    limits: &Limits,
) -> Option<Duration> {
    let more = limits
        .keepalive_probes?
        .checked_sub(timer.retransmits.into())?;
    Some(Duration::from_millis(timer.expires_ms.into()) + spacing * more)
}

/// Returns the time for which the kernel goes on probing a closed window,
/// although the peer answers each time; none if for ever, as it does for a
/// program.
pub(super) fn zero_window_timeout(
    socket: &Socket,
    info: Option<&TcpInfo>,
    limits: &Limits,
) -> Option<Duration> {
    let timer = socket
        .timer
        .filter(|timer| timer.kind == TimerKind::ZeroWindowProbe)?;
    let held = socket.inode.is_some();
    TimerModel::of(timer, limits)
        .zero_window_remaining_s(held, true, info?, limits)
        .map(seconds)
}

/// Longest wait between two tries, seconds.
pub(super) fn max_rto_s(limits: &Limits) -> f64 {
    limits
        .rto_max_ms
        .map_or(DEFAULT_MAX_RTO_S, |longest| f64::from(longest) / 1000.0)
}

/// Returns two to the power of a number, without multiplication: thousands of rows
/// need many of them.
fn power_of_two(exponent: u32) -> f64 {
    /// Exponent field of 1.0.
    const ONE: u64 = 1023;
    /// Place of that field.
    const PLACE: u32 = f64::MANTISSA_DIGITS - 1;
    f64::from_bits((ONE + u64::from(exponent.min(1023))) << PLACE)
}

/// Timeouts of one timer.
struct TimerModel {
    timer: Timer,
    /// Longest wait, seconds.
    max_rto_s: f64,
}

impl TimerModel {
    fn of(timer: Timer, limits: &Limits) -> Self {
        let max_rto_s = max_rto_s(limits);
        Self { timer, max_rto_s }
    }

    fn retries(&self) -> u32 {
        self.timer.retransmits.into()
    }

    /// Seconds until it fires.
    fn due_s(&self) -> f64 {
        f64::from(self.timer.expires_ms) / 1000.0
    }

    fn backed_off_s(&self, first: f64, times: u32) -> f64 {
        (first * power_of_two(times.min(64))).min(self.max_rto_s)
    }

    /// Sum of the first waits up to a number (`tcp_model_timeout`), seconds.
    fn model_timeout_s(&self, first: f64, boundary: u32) -> f64 {
        let each = (0..=boundary.min(255)).map(|number| self.backed_off_s(first, number));
        each.sum()
    }

    /// The wait after a SYN: the first waits are equal
    /// (`tcp_syn_linear_timeouts`), then each is twice the last. It ends after
    /// a number of tries, or at the first timer after the time that they would
    /// take if none were equal.
    fn syn(&self, limits: &Limits) -> RetryState {
        let alike = limits.syn_linear_timeouts.unwrap_or(0);
        let wait = |number: u32| self.backed_off_s(SYN_RTO_S, number.saturating_sub(alike));
        let done = self.retries();
        let before: f64 = (0..done).map(wait).sum();
        let lasted = before + (wait(done) - self.due_s()).max(0.0);
        // More tries than that: the program has set a limit of its own.
        let most = limits.syn_retries.filter(|most| done <= most + alike);
        let left = most.map(|most| {
            let limit = self.model_timeout_s(SYN_RTO_S, most);
            let (mut tried, mut left) = (done, self.due_s());
            while tried < most + alike && before + wait(done) + (left - self.due_s()) < limit {
                tried += 1;
                left += wait(tried);
            }
            left
        });
        RetryState {
            elapsed: seconds(lasted),
            remaining: left.map(seconds),
        }
    }

    /// A wait that ends at the first timer after a time: the one in which the
    /// shortest waits would have been doubled `boundary` times, counted from
    /// the first retransmission.
    fn data(&self, info: Option<&TcpInfo>, boundary: Option<u32>) -> RetryState {
        self.retransmission(info, boundary, false)
    }

    /// The same without a holder. Unless the number of tries is set, the kernel
    /// also gives up when it waits as long as it ever does
    /// (`tcp_orphan_retries`).
    fn orphaned_data(&self, info: Option<&TcpInfo>, retries: Option<u32>) -> RetryState {
        match retries {
            Some(0) => self.retransmission(info, Some(DEFAULT_ORPHAN_RETRIES), true),
            retries => self.retransmission(info, retries, false),
        }
    }

    fn retransmission(
        &self,
        info: Option<&TcpInfo>,
        boundary: Option<u32>,
        until_longest: bool,
    ) -> RetryState {
        let first = info.map_or(MIN_RTO_S, |info| self.initial_rto_s(info));
        let wait = |number: u32| self.backed_off_s(first, number) * TIMER_LATENESS;
        let mut tried = self.retries();
        let due = self.due_s();
        let until_last: f64 = (1..tried).map(wait).sum();
        let since_first = until_last + (wait(tried) - due).max(0.0);
        // By that limit, it would have given up with the last try.
        let overdue = |limit: f64| {
            until_last > limit * LIMIT_TOLERANCE || due > self.max_rto_s * LIMIT_TOLERANCE
        };
        let limited = boundary.map(|boundary| self.model_timeout_s(MIN_RTO_S, boundary));
        let left = limited.filter(|limit| !overdue(*limit)).map(|limit| {
            let mut left = due;
            while since_first + left < limit
                && !(until_longest && self.backed_off_s(first, tried) >= self.max_rto_s)
            {
                tried += 1;
                left += wait(tried);
            }
            left
        });
        RetryState {
            elapsed: seconds(wait(0) + since_first),
            remaining: left.map(seconds),
        }
    }

    /// The timeout before it was doubled, seconds.
    fn initial_rto_s(&self, info: &TcpInfo) -> f64 {
        let now = f64::from(info.rto_us) / 1e6;
        if now >= self.max_rto_s || info.rto_us == 0 {
            // It is unknown how much of the doubling was cut off.
            return MIN_RTO_S.min(self.max_rto_s);
        }
        now / f64::from(1_u32 << info.backoff.min(31))
    }

    /// The wait for an answer to probes of a closed window.
    fn zero_window(&self, held: bool, info: &TcpInfo, limits: &Limits) -> RetryState {
        let unanswered = self.retries();
        let last = u32::from(info.backoff);
        let first = last.saturating_sub(unanswered);
        let waited: f64 = (first..last)
            .map(|number| self.probe_interval_s(info, number))
            .sum();
        let running = (self.probe_interval_s(info, last) - self.due_s()).max(0.0);
        RetryState {
            elapsed: seconds(waited + running),
            remaining: self
                .zero_window_remaining_s(held, false, info, limits)
                .map(seconds),
        }
    }

    /// Seconds until the kernel stops probing. For a program it goes on as long
    /// as there are answers.
    fn zero_window_remaining_s(
        &self,
        held: bool,
        answered: bool,
        info: &TcpInfo,
        limits: &Limits,
    ) -> Option<f64> {
        let retries2 = limits.retries2?;
        let orphan_retries = limits.orphan_retries?;
        let mut unanswered = self.retries();
        let mut doubled = u32::from(info.backoff);
        let mut left = self.due_s();
        if unanswered > retries2.max(orphan_retries).max(DEFAULT_ORPHAN_RETRIES) {
            return None;
        }
        // A wait that does not end within this number has no known end.
        for _ in 0..=u8::MAX {
            let as_long_as_ever = self.backed_off_s(probe_base_s(info), doubled) >= self.max_rto_s;
            let most = match (held, orphan_retries) {
                (true, _) => retries2,
                (false, 0) if as_long_as_ever => 0,
                (false, 0) => DEFAULT_ORPHAN_RETRIES,
                (false, retries) => retries,
            };
            let late = !held && as_long_as_ever && doubled >= most;
            if late || unanswered >= most {
                return Some(left);
            }
            if answered && held {
                return None;
            }
            unanswered = if answered { 0 } else { unanswered + 1 };
            doubled = (doubled + 1).min(retries2);
            left += self.probe_interval_s(info, doubled) * TIMER_LATENESS;
        }
        None
    }

    /// The wait after a number of doublings (`tcp_probe0_when`), seconds.
    fn probe_interval_s(&self, info: &TcpInfo, doublings: u32) -> f64 {
        let most = (self.max_rto_s / MIN_RTO_S).log2().floor() + 1.0;
        let times = f64::from(doublings).min(most);
        (probe_base_s(info) * 2f64.powf(times)).min(self.max_rto_s)
    }

    /// True if the probes went out by the settings; none if one of them is
    /// unknown.
    fn fits_keepalive(&self, info: &TcpInfo, limits: &Limits) -> Option<bool> {
        let idle = f64::from(limits.keepalive_time?);
        let interval = f64::from(limits.keepalive_interval?);
        let quiet = info.last_data_received_ms.min(info.last_ack_received_ms);
        let expected = idle + interval * f64::from(self.retries()) - self.due_s();
        let (seconds, share) = KEEPALIVE_TOLERANCE;
        let off = (f64::from(quiet) / 1000.0 - expected).abs();
        Some(self.due_s() <= interval + seconds && off <= seconds + expected * share)
    }

    /// The wait for an answer to keepalive probes. Its end is known only if the
    /// probes went out by the settings: a program may have set each of the
    /// three by itself.
    fn keepalive(
        &self,
        info: Option<&TcpInfo>,
        spacing: Option<Duration>,
        limits: &Limits,
    ) -> RetryState {
        let fits = info.and_then(|info| self.fits_keepalive(info, limits)) == Some(true)
            && !spacing.is_some_and(|spacing| has_own_interval(spacing, limits));
        let interval = limits.keepalive_interval.filter(|_| fits);
        let interval = interval.map(|seconds| Duration::from_secs(seconds.into()));
        let spacing = spacing.or(interval);
        let left = spacing
            .filter(|_| fits)
            .and_then(|spacing| remaining_by_probe_count(self.timer, spacing, limits));
        let since = spacing.map_or(0.0, |spacing| {
            spacing.as_secs_f64() * f64::from(self.retries()) - self.due_s()
        });
        RetryState {
            elapsed: seconds(since),
            remaining: left,
        }
    }
}

/// True if this spacing of probes fits an interval in seconds: timers fire late
/// by up to an eighth of their length.
fn is_spaced_by(spacing: Duration, interval: f64) -> bool {
    let least = (interval - SPACING_JITTER_S).max(interval / 2.0);
    let most = interval * TIMER_GRANULARITY + SPACING_JITTER_S;
    (least..=most).contains(&spacing.as_secs_f64())
}

/// The first wait for an answer about the window (`tcp_probe0_base`), seconds.
fn probe_base_s(info: &TcpInfo) -> f64 {
    (f64::from(info.rto_us) / 1e6).max(MIN_RTO_S)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}
