//! Durations as text, and the limits that this machine's settings put on each
//! state.
//!
//! The calculations follow the kernel's `ip-sysctl` document and
//! `net/ipv4/tcp_timer.c`. A program may override several of them for its own
//! sockets (tcp(7): `TCP_SYNCNT`, `TCP_LINGER2`, `TCP_USER_TIMEOUT`, the
//! keepalive options), so they are presented as this machine's.

use crate::model::limits::Limits;
use std::time::Duration;

/// First wait after a SYN (`TCP_TIMEOUT_INIT`), seconds.
const SYN_RTO_S: f64 = 1.0;
/// Shortest wait for an acknowledgement (`TCP_RTO_MIN`), plus the 2–3 % by
/// which kernel timers were measured to fire late, seconds.
const MIN_RTO_S: f64 = 0.2 * 1.03;
/// `TCP_TIMEWAIT_LEN`, seconds.
const TIME_WAIT_S: u64 = 60;

/// A duration in its two largest units: `2 min 11 s`, `41 min`. The units `ms`,
/// `s`, `min`, `minutes`, `h` and `d` are those of a language.
pub(super) fn format_duration<'w>(duration: Duration, unit: impl Fn(&str) -> &'w str) -> String {
    let seconds = duration.as_secs();
    if duration < Duration::from_millis(100) {
        return format!("{} {}", duration.as_millis(), unit("ms"));
    }
    if seconds < 10 && duration.subsec_millis() >= 100 {
        let tenths = (duration.as_secs_f64() * 10.0).floor() / 10.0;
        return format!("{tenths:.1} {}", unit("s"));
    }
    // Some languages have another word where minutes stand alone.
    if (60..3600).contains(&seconds) && seconds.is_multiple_of(60) {
        return format!("{} {}", seconds / 60, unit("minutes"));
    }
    let pair = |large: u64, first: &str, small: u64, second: &str| match small {
        0 => format!("{large} {}", unit(first)),
        small => format!("{large} {} {small} {}", unit(first), unit(second)),
    };
    match seconds {
        0..60 => format!("{seconds} {}", unit("s")),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// Returns the value of a placeholder that depends on this machine's settings.
/// `None` for other placeholders, and for unknown settings.
#[must_use]
pub fn limit(name: &str, limits: &Limits) -> Option<Limit> {
    let longest = super::kernel_timeouts::max_rto_s(limits);
    let seconds = match name {
        "syn_sent_limit" => {
            let retries = limits.syn_retries?;
            let alike = limits.syn_linear_timeouts.unwrap_or(0);
            syn_timeouts(retries, alike, longest).iter().sum()
        }
        "syn_recv_limit" => total_backoff(SYN_RTO_S, limits.synack_retries?, longest),
        "orphan_limit" => {
            let retries = match limits.orphan_retries? {
                0 => 8,
                retries => retries,
            };
            total_backoff(MIN_RTO_S, retries, longest)
        }
        "retries2_limit" => total_backoff(MIN_RTO_S, limits.retries2?, longest),
        "fin_wait_2_limit" => f64::from(match limits.fin_timeout? {
            // Longer than a minute, it is first a full socket, then a
            // minisocket, and measured to last twice the excess.
            timeout if timeout > 60 => 2 * (timeout - 60),
            timeout => timeout,
        }),
        "time_wait_length" => return Some(Limit::Duration(Duration::from_secs(TIME_WAIT_S))),
        "keepalive_limit" => {
            let probing =
                f64::from(limits.keepalive_interval?) * f64::from(limits.keepalive_probes?);
            f64::from(limits.keepalive_time?) + probing
        }
        "syn_retries" => {
            let alike = limits.syn_linear_timeouts.unwrap_or(0);
            let waits = syn_timeouts(limits.syn_retries?, alike, longest).len();
            return u32::try_from(waits - 1).ok().map(Limit::Count);
        }
        "synack_retries" => return limits.synack_retries.map(Limit::Count),
        "somaxconn" => return limits.somaxconn.map(Limit::Count),
        _ => return None,
    };
    Some(Limit::Duration(Duration::from_secs_f64(seconds.round())))
}

/// True if a placeholder depends on this machine's settings.
#[must_use]
pub fn is_limit(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "syn_sent_limit",
        "syn_recv_limit",
        "orphan_limit",
        "retries2_limit",
        "fin_wait_2_limit",
        "time_wait_length",
        "keepalive_limit",
        "syn_retries",
        "synack_retries",
        "somaxconn",
    ];
    NAMES.contains(&name)
}

/// Value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A duration.
    Duration(Duration),
    /// A count.
    Count(u32),
}

/// The wait until giving up: each of `retries` tries and the last wait after
/// them doubles, up to the longest, seconds.
fn total_backoff(first: f64, retries: u32, longest: f64) -> f64 {
    let mut wait = first;
    let mut total = 0.0;
    for _ in 0..=retries.min(255) {
        total += wait;
        wait = (wait * 2.0).min(longest);
    }
    total
}

/// The waits after each SYN, seconds: the first ones are equal, then each is
/// twice the last. The kernel gives up after this number, or at the first end
/// of one that is not before the time that they would take if none were equal.
fn syn_timeouts(retries: u32, alike: u32, longest: f64) -> Vec<f64> {
    let limit = total_backoff(SYN_RTO_S, retries, longest);
    let mut waits = Vec::new();
    for number in 0..=retries.saturating_add(alike).min(255) {
        let doublings = number.saturating_sub(alike).min(64);
        let doubled = SYN_RTO_S * 2f64.powi(i32::try_from(doublings).unwrap_or(64));
        waits.push(doubled.min(longest));
        if waits.iter().sum::<f64>() >= limit {
            break;
        }
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{Catalogue, Language};
    use super::*;

    #[test]
    fn durations_have_their_two_largest_units() {
        let cases = [
            (42, "42 ms"),
            (300, "0.3 s"),
            (2_050, "2 s"),
            (9_960, "9.9 s"),
            (42_900, "42 s"),
            (131_000, "2 min 11 s"),
            (2_460_000, "41 min"),
            (7_875_000, "2 h 11 min"),
            (266_400_000, "3 d 2 h"),
        ];
        for (milliseconds, shown) in cases {
            let said =
                Catalogue::of(Language::English).duration_text(Duration::from_millis(milliseconds));
            assert_eq!(said, shown);
        }
    }

    #[test]
    fn minutes_that_stand_alone_have_their_own_word_in_chinese() {
        for (seconds, shown) in [
            (120, "2 分钟"),
            (131, "2 分 11 秒"),
            (7_875, "2 小时 11 分"),
        ] {
            let said = Catalogue::of(Language::Chinese).duration_text(Duration::from_secs(seconds));
            assert_eq!(said, shown);
        }
    }

    #[test]
    fn limits_follow_the_settings() {
        let limits = Limits {
            syn_retries: Some(6),
            syn_linear_timeouts: Some(4),
            synack_retries: Some(5),
            fin_timeout: Some(60),
            orphan_retries: Some(0),
            retries2: Some(15),
            keepalive_time: Some(7200),
            keepalive_interval: Some(75),
            keepalive_probes: Some(9),
            ..Limits::default()
        };
        let seconds = |name: &str, limits: &Limits| match limit(name, limits) {
            Some(Limit::Duration(length)) => length.as_secs(),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(seconds("syn_sent_limit", &limits), 131);
        let older = Limits {
            syn_linear_timeouts: None,
            ..limits
        };
        assert_eq!(seconds("syn_sent_limit", &older), 127);
        for (retries, expected, repeats) in [(1, 3, 2), (2, 7, 5), (3, 19, 7)] {
            let few = Limits {
                syn_retries: Some(retries),
                ..limits
            };
            assert_eq!(seconds("syn_sent_limit", &few), expected);
            assert_eq!(limit("syn_retries", &few), Some(Limit::Count(repeats)));
        }
        assert_eq!(seconds("syn_recv_limit", &limits), 63);
        assert_eq!(seconds("orphan_limit", &limits), 105);
        assert!((920..=935).contains(&seconds("retries2_limit", &limits)));
        assert_eq!(seconds("keepalive_limit", &limits), 7875);
        assert_eq!(seconds("fin_wait_2_limit", &limits), 60);
        let long = Limits {
            fin_timeout: Some(90),
            ..limits
        };
        assert_eq!(seconds("fin_wait_2_limit", &long), 60);
        assert_eq!(limit("somaxconn", &limits), None);
        assert_eq!(limit("syn_retries", &limits), Some(Limit::Count(10)));
    }
}
