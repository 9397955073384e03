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
const FIRST_SYN: f64 = 1.0;
/// Shortest wait for an acknowledgement (`TCP_RTO_MIN`), seconds.
const FIRST_DATA: f64 = 0.2;
/// Longest wait between two tries (`TCP_RTO_MAX_SEC`) where the setting is
/// unknown, seconds.
const LONGEST: f64 = 120.0;
/// Number of tries without a holder where `tcp_orphan_retries` is 0.
const USUAL_ORPHAN_RETRIES: u32 = 8;
/// Measured factor by which timers fire late.
const LATE: f64 = 1.03;
/// Factor by which an observed time may exceed a limit before another limit
/// must apply.
const SLACK: f64 = 1.1;
/// Tolerance between the silence and the keepalive settings: seconds, and a
/// share of the whole, as long timers are coarse.
const KEEPALIVE_SLACK: (f64, f64) = (2.0, 0.04);
/// Factor by which a timer may exceed its length, as long ones are coarse
/// (`LVL_CLK_SHIFT` in `kernel/time/timer.c`).
const COARSE: f64 = 9.0 / 8.0;
/// Error of an observed spacing, as a table is not read in one moment: seconds.
const SPACING_JITTER: f64 = 0.5;

/// A wait for a missing answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Silence {
    /// Elapsed time, by the number of tries.
    pub(super) lasted: Duration,
    /// Time until the kernel gives up; none without a known limit.
    pub(super) left: Option<Duration>,
}

/// Returns the wait that a socket's timer shows; none while nothing has been
/// retransmitted. `spacing` is the observed time between unanswered keepalive
/// probes, if any.
pub(super) fn silence(
    socket: &Socket,
    info: Option<&TcpInfo>,
    spacing: Option<Duration>,
    limits: &Limits,
) -> Option<Silence> {
    let timer = socket.timer.filter(|timer| timer.retransmits > 0)?;
    let held = socket.inode.is_some();
    let waits = Waits::of(timer, limits);
    match (timer.kind, socket.state) {
        (TimerKind::Retransmit, State::SynSent) => Some(waits.syn(limits)),
        (_, State::SynReceived) => None,
        (TimerKind::Retransmit, _) if held => Some(waits.data(info, limits.retries2)),
        (TimerKind::Retransmit, _) => Some(waits.orphaned_data(info, limits.orphan_retries)),
        (TimerKind::ZeroWindowProbe, _) => Some(waits.window(held, info?, limits)),
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
    let fits = timer.and_then(|timer| Waits::of(timer, limits).fits_keepalive(info?, limits));
    fits == Some(false)
}

/// True if the observed spacing of probes cannot be the system's.
pub(super) fn has_own_interval(spacing: Duration, limits: &Limits) -> bool {
    let interval = limits.keepalive_interval.map(f64::from);
    interval.is_some_and(|interval| !is_spaced_by(spacing, interval))
}

/// Returns the time until the kernel gives up if the program has left the
/// number of probes to the system; none if more have gone out.
pub(super) fn left_by_probe_count(
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
pub(super) fn patience_with_window(
    socket: &Socket,
    info: Option<&TcpInfo>,
    limits: &Limits,
) -> Option<Duration> {
    let timer = socket
        .timer
        .filter(|timer| timer.kind == TimerKind::ZeroWindowProbe)?;
    let held = socket.inode.is_some();
    Waits::of(timer, limits)
        .window_left(held, true, info?, limits)
        .map(length)
}

/// Longest wait between two tries, seconds.
pub(super) fn longest(limits: &Limits) -> f64 {
    limits
        .rto_max_ms
        .map_or(LONGEST, |longest| f64::from(longest) / 1000.0)
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
struct Waits {
    timer: Timer,
    /// Longest wait, seconds.
    longest: f64,
}

impl Waits {
    fn of(timer: Timer, limits: &Limits) -> Self {
        let longest = longest(limits);
        Self { timer, longest }
    }

    fn tried(&self) -> u32 {
        self.timer.retransmits.into()
    }

    /// Seconds until it fires.
    fn due(&self) -> f64 {
        f64::from(self.timer.expires_ms) / 1000.0
    }

    fn doubled(&self, first: f64, times: u32) -> f64 {
        (first * power_of_two(times.min(64))).min(self.longest)
    }

    /// Sum of the first waits up to a number (`tcp_model_timeout`), seconds.
    fn modelled(&self, first: f64, boundary: u32) -> f64 {
        let each = (0..=boundary.min(255)).map(|number| self.doubled(first, number));
        each.sum()
    }

    /// The wait after a SYN: the first waits are equal
    /// (`tcp_syn_linear_timeouts`), then each is twice the last. It ends after
    /// a number of tries, or at the first timer after the time that they would
    /// take if none were equal.
    fn syn(&self, limits: &Limits) -> Silence {
        let alike = limits.syn_linear_timeouts.unwrap_or(0);
        let wait = |number: u32| self.doubled(FIRST_SYN, number.saturating_sub(alike));
        let done = self.tried();
        let before: f64 = (0..done).map(wait).sum();
        let lasted = before + (wait(done) - self.due()).max(0.0);
        // More tries than that: the program has set a limit of its own.
        let most = limits.syn_retries.filter(|most| done <= most + alike);
        let left = most.map(|most| {
            let limit = self.modelled(FIRST_SYN, most);
            let (mut tried, mut left) = (done, self.due());
            while tried < most + alike && before + wait(done) + (left - self.due()) < limit {
                tried += 1;
                left += wait(tried);
            }
            left
        });
        Silence {
            lasted: length(lasted),
            left: left.map(length),
        }
    }

    /// A wait that ends at the first timer after a time: the one in which the
    /// shortest waits would have been doubled `boundary` times, counted from
    /// the first retransmission.
    fn data(&self, info: Option<&TcpInfo>, boundary: Option<u32>) -> Silence {
        self.repeated(info, boundary, false)
    }

    /// The same without a holder. Unless the number of tries is set, the kernel
    /// also gives up when it waits as long as it ever does
    /// (`tcp_orphan_retries`).
    fn orphaned_data(&self, info: Option<&TcpInfo>, retries: Option<u32>) -> Silence {
        match retries {
            Some(0) => self.repeated(info, Some(USUAL_ORPHAN_RETRIES), true),
            retries => self.repeated(info, retries, false),
        }
    }

    fn repeated(
        &self,
        info: Option<&TcpInfo>,
        boundary: Option<u32>,
        until_longest: bool,
    ) -> Silence {
        let first = info.map_or(FIRST_DATA, |info| self.first(info));
        let wait = |number: u32| self.doubled(first, number) * LATE;
        let mut tried = self.tried();
        let due = self.due();
        let until_last: f64 = (1..tried).map(wait).sum();
        let since_first = until_last + (wait(tried) - due).max(0.0);
        // By that limit, it would have given up with the last try.
        let overdue = |limit: f64| until_last > limit * SLACK || due > self.longest * SLACK;
        let limited = boundary.map(|boundary| self.modelled(FIRST_DATA, boundary));
        let left = limited.filter(|limit| !overdue(*limit)).map(|limit| {
            let mut left = due;
            while since_first + left < limit
                && !(until_longest && self.doubled(first, tried) >= self.longest)
            {
                tried += 1;
                left += wait(tried);
            }
            left
        });
        Silence {
            lasted: length(wait(0) + since_first),
            left: left.map(length),
        }
    }

    /// The timeout before it was doubled, seconds.
    fn first(&self, info: &TcpInfo) -> f64 {
        let now = f64::from(info.rto_us) / 1e6;
        if now >= self.longest || info.rto_us == 0 {
            // It is unknown how much of the doubling was cut off.
            return FIRST_DATA.min(self.longest);
        }
        now / f64::from(1_u32 << info.backoff.min(31))
    }

    /// The wait for an answer to probes of a closed window.
    fn window(&self, held: bool, info: &TcpInfo, limits: &Limits) -> Silence {
        let unanswered = self.tried();
        let last = u32::from(info.backoff);
        let first = last.saturating_sub(unanswered);
        let waited: f64 = (first..last).map(|number| self.probe(info, number)).sum();
        let running = (self.probe(info, last) - self.due()).max(0.0);
        Silence {
            lasted: length(waited + running),
            left: self.window_left(held, false, info, limits).map(length),
        }
    }

    /// Seconds until the kernel stops probing. For a program it goes on as long
    /// as there are answers.
    fn window_left(
        &self,
        held: bool,
        answered: bool,
        info: &TcpInfo,
        limits: &Limits,
    ) -> Option<f64> {
        let retries2 = limits.retries2?;
        let orphan_retries = limits.orphan_retries?;
        let mut unanswered = self.tried();
        let mut doubled = u32::from(info.backoff);
        let mut left = self.due();
        if unanswered > retries2.max(orphan_retries).max(USUAL_ORPHAN_RETRIES) {
            return None;
        }
        // A wait that does not end within this number has no known end.
        for _ in 0..=u8::MAX {
            let as_long_as_ever = self.doubled(base(info), doubled) >= self.longest;
            let most = match (held, orphan_retries) {
                (true, _) => retries2,
                (false, 0) if as_long_as_ever => 0,
                (false, 0) => USUAL_ORPHAN_RETRIES,
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
            left += self.probe(info, doubled) * LATE;
        }
        None
    }

    /// The wait after a number of doublings (`tcp_probe0_when`), seconds.
    fn probe(&self, info: &TcpInfo, doublings: u32) -> f64 {
        let most = (self.longest / FIRST_DATA).log2().floor() + 1.0;
        let times = f64::from(doublings).min(most);
        (base(info) * 2f64.powf(times)).min(self.longest)
    }

    /// True if the probes went out by the settings; none if one of them is
    /// unknown.
    fn fits_keepalive(&self, info: &TcpInfo, limits: &Limits) -> Option<bool> {
        let idle = f64::from(limits.keepalive_time?);
        let interval = f64::from(limits.keepalive_interval?);
        let quiet = info.last_data_received_ms.min(info.last_ack_received_ms);
        let expected = idle + interval * f64::from(self.tried()) - self.due();
        let (seconds, share) = KEEPALIVE_SLACK;
        let off = (f64::from(quiet) / 1000.0 - expected).abs();
        Some(self.due() <= interval + seconds && off <= seconds + expected * share)
    }

    /// The wait for an answer to keepalive probes. Its end is known only if the
    /// probes went out by the settings: a program may have set each of the
    /// three by itself.
    fn keepalive(
        &self,
        info: Option<&TcpInfo>,
        spacing: Option<Duration>,
        limits: &Limits,
    ) -> Silence {
        let fits = info.and_then(|info| self.fits_keepalive(info, limits)) == Some(true)
            && !spacing.is_some_and(|spacing| has_own_interval(spacing, limits));
        let interval = limits.keepalive_interval.filter(|_| fits);
        let interval = interval.map(|seconds| Duration::from_secs(seconds.into()));
        let spacing = spacing.or(interval);
        let left = spacing
            .filter(|_| fits)
            .and_then(|spacing| left_by_probe_count(self.timer, spacing, limits));
        let since = spacing.map_or(0.0, |spacing| {
            spacing.as_secs_f64() * f64::from(self.tried()) - self.due()
        });
        Silence {
            lasted: length(since),
            left,
        }
    }
}

/// True if this spacing of probes fits an interval in seconds: timers fire late
/// by up to an eighth of their length.
fn is_spaced_by(spacing: Duration, interval: f64) -> bool {
    let least = (interval - SPACING_JITTER).max(interval / 2.0);
    let most = interval * COARSE + SPACING_JITTER;
    (least..=most).contains(&spacing.as_secs_f64())
}

/// The first wait for an answer about the window (`tcp_probe0_base`), seconds.
fn base(info: &TcpInfo) -> f64 {
    (f64::from(info.rto_us) / 1e6).max(FIRST_DATA)
}

fn length(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}
