//! How long the kernel has waited for an answer, and when it gives up, counted
//! from now: by its timer, by how often it has tried, and by this machine's
//! settings.
//!
//! Sums after `tcp_write_timeout` and `tcp_keepalive_timer` in
//! `net/ipv4/tcp_timer.c` and `reqsk_timer_handler` in
//! `net/ipv4/inet_connection_sock.c`. A program may set limits of its own, which
//! no table tells (`TCP_SYNCNT`, `TCP_USER_TIMEOUT`, the keepalive options).

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
/// Longest wait between two tries (`TCP_RTO_MAX`), seconds.
const LONGEST: f64 = 120.0;
/// Timers were measured to fire so much late.
const LATE: f64 = 1.03;

/// A wait for an answer that has not come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Silence {
    /// How long it has lasted, by the number of tries.
    pub(super) lasted: Duration,
    /// How long until the kernel gives up; none where it sets no limit that is
    /// known.
    pub(super) left: Option<Duration>,
}

/// The silence that a socket's timer tells of; none while nothing has been sent
/// again.
pub(super) fn silence(socket: &Socket, info: Option<&TcpInfo>, limits: &Limits) -> Option<Silence> {
    let timer = socket.timer.filter(|timer| timer.retransmits > 0)?;
    match (timer.kind, socket.state) {
        (TimerKind::Retransmit, State::SynSent) => Some(syn(timer, limits)),
        (TimerKind::Retransmit, State::SynReceived) => Some(syn_ack(timer, limits)),
        (TimerKind::Retransmit, _) => {
            let boundary = match (socket.inode, limits.orphan_retries) {
                (Some(_), _) => limits.retries2,
                (None, Some(0)) => Some(8),
                (None, retries) => retries,
            };
            Some(data(timer, info, boundary))
        }
        (TimerKind::Keepalive, State::Established | State::CloseWait) => {
            Some(keepalive(timer, limits))
        }
        _ => None,
    }
}

/// Waits of a SYN: the first ones are alike (`tcp_syn_linear_timeouts`), then
/// each is twice the last.
fn syn(timer: Timer, limits: &Limits) -> Silence {
    let alike = limits.syn_linear_timeouts.unwrap_or(0);
    let wait = |number: u32| doubled(FIRST_SYN, number.saturating_sub(alike));
    counted(timer, limits.syn_retries.map(|most| most + alike), wait)
}

fn syn_ack(timer: Timer, limits: &Limits) -> Silence {
    let wait = |number| doubled(FIRST_SYN, number);
    counted(timer, limits.synack_retries, wait)
}

/// A wait that ends after so many tries.
fn counted(timer: Timer, most: Option<u32>, wait: impl Fn(u32) -> f64) -> Silence {
    let done = u32::from(timer.retransmits);
    let due = seconds_left(timer);
    let before: f64 = (0..done).map(&wait).sum();
    // More tries than that: the program has set a limit of its own.
    let most = most.filter(|most| done <= *most);
    let left = most.map(|most| due + (done + 1..=most).map(&wait).sum::<f64>());
    Silence {
        lasted: length(before + (wait(done) - due).max(0.0)),
        left: left.map(length),
    }
}

/// A wait that ends at the first timer after a time: the one in which the
/// shortest waits would have been doubled `boundary` times (`tcp_model_timeout`),
/// counted from the first repetition.
fn data(timer: Timer, info: Option<&TcpInfo>, boundary: Option<u32>) -> Silence {
    let first = info.map_or(FIRST_DATA, first_wait);
    let wait = |number: u32| doubled(first, number) * LATE;
    let mut tried = u32::from(timer.retransmits);
    let due = seconds_left(timer);
    let since_first: f64 = (1..tried).map(wait).sum::<f64>() + (wait(tried) - due).max(0.0);
    let left = boundary.map(|boundary| {
        let limit: f64 = (0..=boundary.min(255))
            .map(|number| doubled(FIRST_DATA, number))
            .sum();
        let mut left = due;
        while since_first + left < limit {
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

/// The timeout before it was doubled.
fn first_wait(info: &TcpInfo) -> f64 {
    let now = f64::from(info.rto_us) / 1e6;
    let longest = now >= LONGEST;
    if longest || info.rto_us == 0 {
        // How much of the doubling was cut off is not known.
        return FIRST_DATA;
    }
    now / f64::from(1_u32 << info.backoff.min(31))
}

fn keepalive(timer: Timer, limits: &Limits) -> Silence {
    let unanswered = u32::from(timer.retransmits);
    let due = seconds_left(timer);
    let interval = limits.keepalive_interval.map(f64::from);
    let more = limits
        .keepalive_probes
        .and_then(|most| most.checked_sub(unanswered));
    let left = interval
        .zip(more)
        .map(|(interval, more)| due + interval * f64::from(more));
    let since = interval.map_or(0.0, |interval| {
        (interval * f64::from(unanswered) - due).max(0.0)
    });
    Silence {
        lasted: length(since),
        left: left.map(length),
    }
}

fn doubled(first: f64, times: u32) -> f64 {
    (first * 2f64.powi(i32::try_from(times.min(64)).unwrap_or(64))).min(LONGEST)
}

fn seconds_left(timer: Timer) -> f64 {
    f64::from(timer.expires_ms) / 1000.0
}

fn length(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::row;
    use crate::model::protocol::Protocol;
    use std::num::NonZeroU32;

    const USUAL: Limits = Limits {
        syn_retries: Some(6),
        syn_linear_timeouts: Some(4),
        synack_retries: Some(5),
        orphan_retries: Some(0),
        retries2: Some(15),
        keepalive_interval: Some(75),
        keepalive_probes: Some(9),
        fin_timeout: None,
        keepalive_time: None,
        somaxconn: None,
        syncookies: None,
        max_syn_backlog: None,
        max_time_wait: None,
        max_orphans: None,
        reserved_ports: None,
        time_wait_reuse: None,
        local_ports: None,
    };

    fn told(state: State, kind: TimerKind, tried: u8, due_ms: u32, held: bool) -> Silence {
        let mut socket = row(Protocol::Tcp, state, "192.0.2.1:9", "192.0.2.2:80").socket;
        socket.inode = NonZeroU32::new(u32::from(held));
        socket.timer = Some(Timer {
            kind,
            expires_ms: due_ms,
            retransmits: tried,
        });
        silence(&socket, None, &USUAL).unwrap()
    }

    /// Seconds that it has lasted and that are left.
    fn seconds(silence: Silence) -> (u64, u64) {
        let rounded = |length: Duration| (length.as_secs_f64() + 0.5).floor();
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "small lengths"
        )]
        let whole = |length: Duration| rounded(length) as u64;
        (whole(silence.lasted), whole(silence.left.unwrap()))
    }

    #[test]
    fn the_kernel_gives_up_when_it_was_measured_to() {
        use State::{Established, FinWait1, SynReceived, SynSent};
        use TimerKind::{Keepalive, Retransmit};
        // SYNs go out at 0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s; the end is at 131 s.
        for (tried, sent_at, next_at) in [(1, 1, 2), (5, 5, 7), (8, 19, 35), (10, 67, 131)] {
            let due = (next_at - sent_at) * 1000;
            let (lasted, left) = seconds(told(SynSent, Retransmit, tried, due, true));
            assert_eq!((lasted, left), (sent_at.into(), 131 - u64::from(sent_at)));
        }
        // A request: 1, 3, 7, 15, 31 s; the end is at 63 s.
        assert_eq!(
            seconds(told(SynReceived, Retransmit, 3, 4_000, false)),
            (11, 52)
        );
        // An orphan ends about 106 s after its FIN.
        let (lasted, left) = seconds(told(FinWait1, Retransmit, 5, 3_000, false));
        assert!((104..=107).contains(&(lasted + left)), "{lasted} {left}");
        // What is held lasts a quarter of an hour.
        let (lasted, left) = seconds(told(Established, Retransmit, 5, 3_000, true));
        assert!((920..=1080).contains(&(lasted + left)), "{lasted} {left}");
        assert_eq!(
            seconds(told(Established, Keepalive, 2, 60_000, true)),
            (90, 585)
        );
    }

    #[test]
    fn nothing_is_said_of_who_is_not_waited_for_or_has_other_limits() {
        let tried = |tried| {
            let mut socket =
                row(Protocol::Tcp, State::SynSent, "192.0.2.1:9", "192.0.2.2:80").socket;
            socket.timer = Some(Timer {
                kind: TimerKind::Retransmit,
                expires_ms: 10,
                retransmits: tried,
            });
            silence(&socket, None, &USUAL)
        };
        assert_eq!(tried(0), None);
        assert_eq!(tried(40).unwrap().left, None);
    }
}
