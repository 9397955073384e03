//! Tests: sentences and advice from evidence.

use super::super::catalogue::{Catalogue, Language};
use super::*;
use std::net::Ipv4Addr;

fn evidence(state: State) -> Evidence {
    Evidence {
        protocol: Protocol::Tcp,
        state,
        held: true,
        owned: true,
        sharers: 0,
        unowned: None,
        recv_queue: 0,
        send_queue: 0,
        backlog: None,
        timer: None,
        silent_for: None,
        ends: false,
        last_wait: false,
        window: None,
        unsent_here: false,
        mtu: None,
        paced: false,
        own_keepalive: false,
        spacing: None,
        itself: false,
        other_end: None,
        target: None,
        half_open: 0,
        data_in_syn: false,
        nothing_sent: false,
        carried: None,
        received_ago: None,
        change: None,
        local_ports: None,
        age: Duration::from_secs(5),
        entry_seen: true,
        local: Ipv4Addr::new(192, 0, 2, 10).into(),
        interface_told: true,
        lost: None,
        loopback_only: None,
        v6_only: None,
        one_interface: false,
        has_peer: false,
        remote_is_here: false,
        receiving_shut: false,
        subflow: false,
        dropped: false,
        siblings: 0,
        same_remote: 0,
        listener_full: false,
        listened: false,
        keeps_port: false,
        simultaneous: false,
        first: false,
        waited: None,
        plight: None,
        warned_of: false,
        dialled_by_both: false,
        still_sends: false,
        sending_unknown: false,
    }
}

fn resent(kind: TimerKind) -> Timer {
    Timer {
        kind,
        expires_ms: 4000,
        retransmits: 3,
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn evidence_decides_the_advice() {
    let base = evidence;
    let cases = [
        (base(State::CloseWait), "next", "noticed"),
        (
            Evidence {
                recv_queue: 1,
                age: Duration::from_secs(30),
                ..base(State::CloseWait)
            },
            "next_old",
            "unread_fin",
        ),
        (
            Evidence {
                recv_queue: 33,
                siblings: 213,
                entry_seen: false,
                ..base(State::CloseWait)
            },
            "next_leak",
            "unread",
        ),
        (
            Evidence {
                age: Duration::from_secs(1),
                ..base(State::CloseWait)
            },
            "next",
            "fresh",
        ),
        (
            Evidence {
                timer: Some(resent(TimerKind::Retransmit)),
                ..base(State::SynSent)
            },
            "next_old",
            "silence",
        ),
        (
            Evidence {
                siblings: 2000,
                ..base(State::SynSent)
            },
            "next_many",
            "many_siblings",
        ),
        (
            Evidence {
                siblings: 20,
                same_remote: 20,
                ..base(State::SynSent)
            },
            "next",
            "many_same_remote",
        ),
        (
            Evidence {
                recv_queue: 5,
                backlog: Some(4),
                ..base(State::Listen)
            },
            "next_full",
            "full",
        ),
        (
            Evidence {
                backlog: Some(0),
                ..base(State::Listen)
            },
            "next",
            "limit_zero",
        ),
        (
            Evidence {
                held: false,
                ..base(State::FinWait2)
            },
            "next",
            "orphan",
        ),
        (
            Evidence {
                unowned: Some(Unowned::AcceptQueue),
                ..base(State::Established)
            },
            "next_accept_queue",
            "accept_queue",
        ),
        (
            Evidence {
                timer: Some(resent(TimerKind::ZeroWindowProbe)),
                window: Some(Window::Closed { ends: false }),
                send_queue: 9,
                ..base(State::Established)
            },
            "next_zero_window",
            "zero_window",
        ),
        (base(State::TimeWait), "next", "first_or_both"),
    ];
    for (evidence, next, sentence) in cases {
        let choice = pick(&evidence);
        assert_eq!(choice.next.first(), Some(&next), "{evidence:?}");
        assert!(choice.sentences.contains(&sentence), "{choice:?}");
    }
}

/// Every selection that any evidence can lead to names existing sentences.
#[test]
fn every_choice_has_its_words() {
    let words = Catalogue::of(Language::English);
    let timers = [
        None,
        Some(resent(TimerKind::Retransmit)),
        Some(resent(TimerKind::Keepalive)),
        Some(resent(TimerKind::ZeroWindowProbe)),
    ];
    let locals: [IpAddr; 4] = ["0.0.0.0", "::", "::1", "192.0.2.1"].map(|a| a.parse().unwrap());
    let windows = [
        None,
        Some(Window::Closed { ends: true }),
        Some(Window::Silent),
        Some(Window::StuckHere),
        Some(Window::HeldBack),
    ];
    let mtus = [None, Some(Mtu::LaterArrive), Some(Mtu::NoneArrives)];
    let targets = [
        None,
        Some(Target::Full),
        Some(Target::Room),
        Some(Target::Unmeasured),
        Some(Target::Nobody),
    ];
    for state in State::ALL.into_iter().chain([State::Unknown(0)]) {
        for (bits, timer) in (0..1024_u32).flat_map(|bits| timers.map(|timer| (bits, timer))) {
            let bit = |number: u32| bits >> number & 1 == 1;
            let evidence = Evidence {
                held: bit(0),
                unowned: bit(1).then_some(Unowned::AcceptQueue),
                recv_queue: bits >> 2 & 3,
                send_queue: if bit(4) { 9 } else { 0 },
                backlog: bit(5).then_some(bits >> 4 & 1),
                timer,
                window: windows[(bits >> 5) as usize % windows.len()],
                mtu: mtus[(bits >> 4) as usize % mtus.len()],
                target: targets[(bits >> 3) as usize % targets.len()],
                unsent_here: bits % 7 == 0,
                paced: bits % 5 == 0,
                own_keepalive: bit(2),
                spacing: [None, Some(Spacing::Own), Some(Spacing::Plain)][(bits % 3) as usize],
                itself: bits % 11 == 0,
                half_open: bits & 1,
                data_in_syn: bit(7),
                other_end: bit(5).then_some(OtherEnd {
                    unread: bit(6),
                    queued: bit(7),
                    blocked: bit(8),
                }),
                nothing_sent: bit(6),
                last_wait: bit(9),
                listened: bit(8),
                age: Duration::from_secs(if bit(6) { 90 } else { 1 }),
                entry_seen: bit(7),
                local: locals[(bits & 3) as usize],
                remote_is_here: bit(3),
                receiving_shut: bit(8),
                subflow: bit(9),
                dropped: bit(9),
                one_interface: bit(4),
                interface_told: bit(9),
                v6_only: bit(7).then_some(bit(8)),
                has_peer: bit(2),
                siblings: if bit(8) { 500 } else { 0 },
                same_remote: if bit(9) { 400 } else { 0 },
                listener_full: bit(2),
                simultaneous: bit(5),
                first: bit(6),
                ..evidence(state)
            };
            let choice = pick(&evidence);
            for name in choice.sentences.iter().chain(&choice.next) {
                let of_state = words.diagnosis(state.key(), name);
                let shared = words.diagnosis("any", name);
                let sentence = format!("{of_state}{shared}");
                assert!(!sentence.is_empty(), "{state} {name}");
            }
        }
    }
}

#[test]
fn drops_of_the_past_are_told_and_are_no_matter_of_urgency() {
    for state in [State::Unconnected, State::Established] {
        let dropped = Evidence {
            protocol: Protocol::Udp,
            dropped: true,
            ..evidence(state)
        };
        let choice = pick(&dropped);
        assert!(choice.sentences.contains(&"drops"), "{choice:?}");
        assert_eq!(choice.urgency, Urgency::Normal);
    }
}
