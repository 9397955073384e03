//! Tests: calculations against measurements on a kernel.

use super::*;
use crate::filter::test_world::row;
use crate::model::protocol::Protocol;
use std::num::NonZeroU32;

const DEFAULT_LIMITS: Limits = Limits {
    syn_retries: Some(6),
    syn_linear_timeouts: Some(4),
    synack_retries: Some(5),
    orphan_retries: Some(0),
    retries2: Some(15),
    rto_max_ms: Some(120_000),
    keepalive_interval: Some(75),
    keepalive_probes: Some(9),
    fin_timeout: None,
    keepalive_time: Some(7200),
    somaxconn: None,
    syncookies: None,
    max_syn_backlog: None,
    max_time_wait: None,
    max_orphans: None,
    reserved_ports: None,
    time_wait_reuse: None,
    local_ports: None,
};

fn retry(state: State, kind: TimerKind, tried: u8, due_ms: u32, held: bool) -> RetryState {
    retry_with_limits(&DEFAULT_LIMITS, None, state, kind, tried, due_ms, held).unwrap()
}

fn retry_with_limits(
    limits: &Limits,
    info: Option<&TcpInfo>,
    state: State,
    kind: TimerKind,
    tried: u8,
    due_ms: u32,
    held: bool,
) -> Option<RetryState> {
    let mut socket = row(Protocol::Tcp, state, "192.0.2.1:9", "192.0.2.2:80").socket;
    socket.inode = NonZeroU32::new(u32::from(held));
    socket.timer = Some(Timer {
        kind,
        expires_ms: due_ms,
        retransmits: tried,
    });
    retry_state(&socket, info, None, limits)
}

/// Elapsed and remaining seconds.
fn seconds(silence: RetryState) -> (u64, u64) {
    let rounded = |length: Duration| (length.as_secs_f64() + 0.5).floor();
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "small lengths"
    )]
    let whole = |length: Duration| rounded(length) as u64;
    (whole(silence.elapsed), whole(silence.remaining.unwrap()))
}

#[test]
fn the_kernel_gives_up_when_it_was_measured_to() {
    use State::{Established, FinWait1, SynSent};
    use TimerKind::{Keepalive, Retransmit};
    // SYNs go out at 0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s; the end is at 131 s.
    for (tried, sent_at, next_at) in [(1, 1, 2), (5, 5, 7), (8, 19, 35), (10, 67, 131)] {
        let due = (next_at - sent_at) * 1000;
        let (lasted, left) = seconds(retry(SynSent, Retransmit, tried, due, true));
        assert_eq!((lasted, left), (sent_at.into(), 131 - u64::from(sent_at)));
    }
    // An orphan ends about 106 s after its FIN.
    let (lasted, left) = seconds(retry(FinWait1, Retransmit, 5, 3_000, false));
    assert!((104..=107).contains(&(lasted + left)), "{lasted} {left}");
    // With a holder it lasts a quarter of an hour.
    let (lasted, left) = seconds(retry(Established, Retransmit, 5, 3_000, true));
    assert!((920..=1080).contains(&(lasted + left)), "{lasted} {left}");
    // Two hours, and a probe each 75 s.
    let quiet = (7200 + 2 * 75 - 60) * 1000;
    let info = TcpInfo {
        last_data_received_ms: quiet,
        last_ack_received_ms: quiet,
        ..TcpInfo::default()
    };
    let probed = retry_with_limits(
        &DEFAULT_LIMITS,
        Some(&info),
        Established,
        Keepalive,
        2,
        60_000,
        true,
    );
    assert_eq!(seconds(probed.unwrap()), (90, 585));
}

#[test]
fn other_waits_and_own_limits_have_no_retry_state() {
    let tried = |tried| {
        let mut socket = row(Protocol::Tcp, State::SynSent, "192.0.2.1:9", "192.0.2.2:80").socket;
        socket.timer = Some(Timer {
            kind: TimerKind::Retransmit,
            expires_ms: 10,
            retransmits: tried,
        });
        retry_state(&socket, None, None, &DEFAULT_LIMITS)
    };
    assert_eq!(tried(0), None);
    assert_eq!(tried(40).unwrap().remaining, None);
}

/// Whole seconds until the kernel gives up.
fn remaining_s(silence: Option<RetryState>) -> Option<u64> {
    Some((silence?.remaining? + Duration::from_millis(500)).as_secs())
}

#[test]
fn a_few_syns_end_by_the_time_they_would_take() {
    use TimerKind::Retransmit;
    // Measured with tcp_syn_retries 1, 2, 3 and 6: 3, 7, 19 and 131 s.
    for (retries, tried, sent_at, next_at, end) in [
        (1, 1, 1, 2, 3),
        (2, 1, 1, 2, 7),
        (3, 2, 2, 3, 19),
        (6, 1, 1, 2, 131),
    ] {
        let limits = Limits {
            syn_retries: Some(retries),
            ..DEFAULT_LIMITS
        };
        let due = (next_at - sent_at) * 1000;
        let told = retry_with_limits(&limits, None, State::SynSent, Retransmit, tried, due, true);
        assert_eq!(
            remaining_s(told),
            Some(end - u64::from(sent_at)),
            "{retries}"
        );
    }
}

#[test]
fn shorter_longest_waits_end_sooner() {
    let limits = Limits {
        rto_max_ms: Some(1500),
        ..DEFAULT_LIMITS
    };
    let wait = |held, tried, due| {
        let (state, kind) = (State::FinWait1, TimerKind::Retransmit);
        remaining_s(retry_with_limits(
            &limits, None, state, kind, tried, due, held,
        ))
        .unwrap()
    };
    // Measured: 21.9 s with a program, and about 3 s without.
    let first_four = 200 + 400 + 800;
    assert!((19..=22).contains(&(wait(true, 3, 1500) + first_four / 1000)));
    assert_eq!(wait(false, 3, 1500), 2);
}

#[test]
fn a_closed_window_is_asked_about_for_a_time() {
    let window = |limits: &Limits, held, unanswered: u8, backoff, due_ms| {
        let info = TcpInfo {
            rto_us: 204_000,
            backoff,
            ..TcpInfo::default()
        };
        let (state, kind) = (State::Established, TimerKind::ZeroWindowProbe);
        let mut socket = row(Protocol::Tcp, state, "192.0.2.1:9", "192.0.2.2:80").socket;
        socket.inode = NonZeroU32::new(u32::from(held));
        socket.timer = Some(Timer {
            kind,
            expires_ms: due_ms,
            retransmits: unanswered,
        });
        let answered = zero_window_timeout(&socket, Some(&info), limits);
        let silent = retry_state(&socket, Some(&info), None, limits);
        (answered.map(|time| time.as_secs()), remaining_s(silent))
    };
    // With a holder, one that answers is probed for ever.
    assert_eq!(window(&DEFAULT_LIMITS, true, 0, 3, 1000), (None, None));
    // Measured with tcp_retries2 5: 19.5 s after the peer had gone.
    let few = Limits {
        retries2: Some(5),
        ..DEFAULT_LIMITS
    };
    let (_, silent) = window(&few, true, 3, 5, 3364);
    assert!((14..=20).contains(&silent.unwrap()), "{silent:?}");
    // Measured without a holder: 5 min 46 s in all.
    let (answered, _) = window(&DEFAULT_LIMITS, false, 0, 0, 204);
    assert!((325..=350).contains(&answered.unwrap()), "{answered:?}");
    // Unanswered, eight times.
    let (_, silent) = window(&DEFAULT_LIMITS, false, 8, 8, 20_000);
    assert_eq!(silent, Some(20));
}

/// Four unanswered probes within 24 s are not 75 s apart: `TCP_KEEPIDLE` 8,
/// `TCP_KEEPINTVL` 5.
#[test]
fn keepalive_times_of_a_program_promise_no_end() {
    let probed = |quiet_s: u32, tried, due_ms| {
        let info = TcpInfo {
            last_data_received_ms: quiet_s * 1000,
            last_ack_received_ms: quiet_s * 1000,
            ..TcpInfo::default()
        };
        let (state, kind) = (State::Established, TimerKind::Keepalive);
        let mut socket = row(Protocol::Tcp, state, "192.0.2.1:9", "192.0.2.2:80").socket;
        socket.timer = Some(Timer {
            kind,
            expires_ms: due_ms,
            retransmits: tried,
        });
        let told = retry_state(&socket, Some(&info), None, &DEFAULT_LIMITS);
        let own = has_own_keepalive(&socket, Some(&info), &DEFAULT_LIMITS);
        (remaining_s(told), own)
    };
    assert_eq!(probed(24, 4, 3_800), (None, true));
    // Its own idle time alone: the interval may be the system's or another.
    assert_eq!(probed(600, 1, 60_000), (None, true));
    // A wait that is longer than the system's.
    assert_eq!(probed(7290, 1, 110_000), (None, true));
    assert_eq!(probed(7290, 2, 60_000), (Some(585), false));
    // Long timers are coarse.
    assert_eq!(probed(7420, 2, 60_000), (Some(585), false));
}

/// Probes observed to be 5 s apart are a program's own, whatever the silence:
/// it need not have set the idle time, too.
#[test]
fn observed_probes_beat_the_settings() {
    let probed = |quiet_s: u32, tried, due_ms, spacing_ms| {
        let info = TcpInfo {
            last_data_received_ms: quiet_s * 1000,
            last_ack_received_ms: quiet_s * 1000,
            ..TcpInfo::default()
        };
        let (state, kind) = (State::Established, TimerKind::Keepalive);
        let mut socket = row(Protocol::Tcp, state, "192.0.2.1:9", "192.0.2.2:80").socket;
        let timer = Timer {
            kind,
            expires_ms: due_ms,
            retransmits: tried,
        };
        socket.timer = Some(timer);
        let spacing = Duration::from_millis(spacing_ms);
        let told = retry_state(&socket, Some(&info), Some(spacing), &DEFAULT_LIMITS).unwrap();
        let own = has_own_interval(spacing, &DEFAULT_LIMITS);
        let by_count = remaining_by_probe_count(timer, spacing, &DEFAULT_LIMITS);
        let seconds = |length: Option<Duration>| length.map(|length| length.as_secs());
        let (lasted, left) = (told.elapsed.as_secs(), told.remaining);
        (lasted, seconds(left), own, seconds(by_count))
    };
    assert_eq!(
        probed(24, 4, 3800, 5100),
        (16, None, true, Some(29)),
        "TCP_KEEPIDLE 8, TCP_KEEPINTVL 5"
    );
    assert_eq!(
        probed(7201, 1, 4000, 5100),
        (1, None, true, Some(44)),
        "idle time of the system"
    );
    assert_eq!(
        probed(7290, 2, 60_000, 76_500),
        (93, Some(595), false, Some(595)),
        "a coarse timer"
    );
    assert_eq!(
        probed(600, 1, 60_000, 75_000),
        (15, None, false, Some(660)),
        "idle time of its own"
    );
    assert_eq!(
        probed(80, 12, 4000, 5000),
        (56, None, true, None),
        "more probes than the system sends"
    );
}

#[test]
fn late_timers_are_not_a_programs_own_interval() {
    let own = |interval, spacing_ms| {
        let limits = Limits {
            keepalive_interval: interval,
            ..DEFAULT_LIMITS
        };
        has_own_interval(Duration::from_millis(spacing_ms), &limits)
    };
    let spacings = [74_800, 75_000, 79_000, 84_000];
    assert!(spacings.iter().all(|spacing| !own(Some(75), *spacing)));
    assert!(own(Some(75), 74_000) && own(Some(75), 90_000));
    assert!(own(Some(2), 1020) && own(Some(1), 2050) && !own(Some(1), 1020));
    assert!(!own(None, 5000), "the system's is unknown");
}

/// A wait longer than the limit of the settings has another limit.
#[test]
fn data_that_outlives_the_settings_promises_no_end() {
    let limits = Limits {
        retries2: Some(5),
        ..DEFAULT_LIMITS
    };
    let (state, kind) = (State::Established, TimerKind::Retransmit);
    let wait = |tried, due| {
        remaining_s(retry_with_limits(
            &limits, None, state, kind, tried, due, true,
        ))
    };
    assert_eq!(wait(5, 6_000), Some(6));
    assert_eq!(wait(9, 60_000), None, "given up long ago by these settings");
    assert_eq!(wait(3, 300_000), None, "no such wait");
}
