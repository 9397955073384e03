//! Tests: calculations against measurements on a kernel.

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

fn told(state: State, kind: TimerKind, tried: u8, due_ms: u32, held: bool) -> Silence {
    told_by(&USUAL, None, state, kind, tried, due_ms, held).unwrap()
}

fn told_by(
    limits: &Limits,
    info: Option<&TcpInfo>,
    state: State,
    kind: TimerKind,
    tried: u8,
    due_ms: u32,
    held: bool,
) -> Option<Silence> {
    let mut socket = row(Protocol::Tcp, state, "192.0.2.1:9", "192.0.2.2:80").socket;
    socket.inode = NonZeroU32::new(u32::from(held));
    socket.timer = Some(Timer {
        kind,
        expires_ms: due_ms,
        retransmits: tried,
    });
    silence(&socket, info, None, limits)
}

/// Elapsed and remaining seconds.
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
    use State::{Established, FinWait1, SynSent};
    use TimerKind::{Keepalive, Retransmit};
    // SYNs go out at 0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s; the end is at 131 s.
    for (tried, sent_at, next_at) in [(1, 1, 2), (5, 5, 7), (8, 19, 35), (10, 67, 131)] {
        let due = (next_at - sent_at) * 1000;
        let (lasted, left) = seconds(told(SynSent, Retransmit, tried, due, true));
        assert_eq!((lasted, left), (sent_at.into(), 131 - u64::from(sent_at)));
    }
    // An orphan ends about 106 s after its FIN.
    let (lasted, left) = seconds(told(FinWait1, Retransmit, 5, 3_000, false));
    assert!((104..=107).contains(&(lasted + left)), "{lasted} {left}");
    // With a holder it lasts a quarter of an hour.
    let (lasted, left) = seconds(told(Established, Retransmit, 5, 3_000, true));
    assert!((920..=1080).contains(&(lasted + left)), "{lasted} {left}");
    // Two hours, and a probe each 75 s.
    let quiet = (7200 + 2 * 75 - 60) * 1000;
    let info = TcpInfo {
        last_data_received_ms: quiet,
        last_ack_received_ms: quiet,
        ..TcpInfo::default()
    };
    let probed = told_by(&USUAL, Some(&info), Established, Keepalive, 2, 60_000, true);
    assert_eq!(seconds(probed.unwrap()), (90, 585));
}

#[test]
fn nothing_is_said_of_who_is_not_waited_for_or_has_other_limits() {
    let tried = |tried| {
        let mut socket = row(Protocol::Tcp, State::SynSent, "192.0.2.1:9", "192.0.2.2:80").socket;
        socket.timer = Some(Timer {
            kind: TimerKind::Retransmit,
            expires_ms: 10,
            retransmits: tried,
        });
        silence(&socket, None, None, &USUAL)
    };
    assert_eq!(tried(0), None);
    assert_eq!(tried(40).unwrap().left, None);
}

/// Whole seconds until the kernel gives up.
fn left(silence: Option<Silence>) -> Option<u64> {
    Some((silence?.left? + Duration::from_millis(500)).as_secs())
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
            ..USUAL
        };
        let due = (next_at - sent_at) * 1000;
        let told = told_by(&limits, None, State::SynSent, Retransmit, tried, due, true);
        assert_eq!(left(told), Some(end - u64::from(sent_at)), "{retries}");
    }
}

#[test]
fn shorter_longest_waits_end_sooner() {
    let limits = Limits {
        rto_max_ms: Some(1500),
        ..USUAL
    };
    let wait = |held, tried, due| {
        let (state, kind) = (State::FinWait1, TimerKind::Retransmit);
        left(told_by(&limits, None, state, kind, tried, due, held)).unwrap()
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
        let answered = patience_with_window(&socket, Some(&info), limits);
        let silent = silence(&socket, Some(&info), None, limits);
        (answered.map(|time| time.as_secs()), left(silent))
    };
    // With a holder, one that answers is probed for ever.
    assert_eq!(window(&USUAL, true, 0, 3, 1000), (None, None));
    // Measured with tcp_retries2 5: 19.5 s after the peer had gone.
    let few = Limits {
        retries2: Some(5),
        ..USUAL
    };
    let (_, silent) = window(&few, true, 3, 5, 3364);
    assert!((14..=20).contains(&silent.unwrap()), "{silent:?}");
    // Measured without a holder: 5 min 46 s in all.
    let (answered, _) = window(&USUAL, false, 0, 0, 204);
    assert!((325..=350).contains(&answered.unwrap()), "{answered:?}");
    // Unanswered, eight times.
    let (_, silent) = window(&USUAL, false, 8, 8, 20_000);
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
        let told = silence(&socket, Some(&info), None, &USUAL);
        let own = has_own_keepalive(&socket, Some(&info), &USUAL);
        (left(told), own)
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
        let told = silence(&socket, Some(&info), Some(spacing), &USUAL).unwrap();
        let own = has_own_interval(spacing, &USUAL);
        let by_count = left_by_probe_count(timer, spacing, &USUAL);
        let seconds = |length: Option<Duration>| length.map(|length| length.as_secs());
        let (lasted, left) = (told.lasted.as_secs(), told.left);
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
fn late_timers_make_no_interval_of_a_program() {
    let own = |interval, spacing_ms| {
        let limits = Limits {
            keepalive_interval: interval,
            ..USUAL
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
        ..USUAL
    };
    let (state, kind) = (State::Established, TimerKind::Retransmit);
    let wait = |tried, due| left(told_by(&limits, None, state, kind, tried, due, true));
    assert_eq!(wait(5, 6_000), Some(6));
    assert_eq!(wait(9, 60_000), None, "given up long ago by these settings");
    assert_eq!(wait(3, 300_000), None, "no such wait");
}
