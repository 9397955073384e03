//! Tests: sentences and advice from evidence.

use super::super::catalogue::{Catalogue, Language};
use super::facts::*;
use super::*;
use crate::model::owner::NoOwnerReason;
use crate::model::timer::{Timer, TimerKind};
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;

fn evidence(state: State) -> SocketFacts {
    SocketFacts {
        protocol: Protocol::Tcp,
        state,
        has_inode: true,
        owner_known: true,
        other_holders: 0,
        no_owner_reason: None,
        recv_queue: 0,
        send_queue: 0,
        backlog: None,
        timer: None,
        unanswered_for: None,
        end_known: false,
        is_last_retry: false,
        window_stall: None,
        blocked_locally: false,
        mtu: None,
        paced: false,
        own_keepalive: false,
        probe_interval: None,
        self_connected: false,
        other_end: None,
        target: None,
        half_open: 0,
        data_in_syn: false,
        nothing_sent: false,
        data_direction: None,
        received_ago: None,
        trend_change: None,
        local_ports: None,
        age: Duration::from_secs(5),
        saw_state_entry: true,
        local: Ipv4Addr::new(192, 0, 2, 10).into(),
        interface_known: true,
        missing_bind_target: None,
        loopback_only: None,
        v6_only: None,
        one_interface: false,
        has_peer: false,
        remote_is_local: false,
        receiving_shut: false,
        subflow: false,
        dropped: false,
        similar: 0,
        same_remote: 0,
        listener_full: false,
        has_listener: false,
        keeps_port: false,
        simultaneous_close: false,
        closed_first: false,
        accept_delay: None,
        process_obstacle: None,
        has_warning: false,
        simultaneous_open: false,
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
            SocketFacts {
                recv_queue: 1,
                age: Duration::from_secs(30),
                ..base(State::CloseWait)
            },
            "next_old",
            "unread_fin",
        ),
        (
            SocketFacts {
                recv_queue: 33,
                similar: 213,
                saw_state_entry: false,
                ..base(State::CloseWait)
            },
            "next_leak",
            "unread",
        ),
        (
            SocketFacts {
                age: Duration::from_secs(1),
                ..base(State::CloseWait)
            },
            "next",
            "fresh",
        ),
        (
            SocketFacts {
                timer: Some(resent(TimerKind::Retransmit)),
                ..base(State::SynSent)
            },
            "next_old",
            "silence",
        ),
        (
            SocketFacts {
                similar: 2000,
                ..base(State::SynSent)
            },
            "next_many",
            "many_siblings",
        ),
        (
            SocketFacts {
                similar: 20,
                same_remote: 20,
                ..base(State::SynSent)
            },
            "next",
            "many_same_remote",
        ),
        (
            SocketFacts {
                recv_queue: 5,
                backlog: Some(4),
                ..base(State::Listen)
            },
            "next_full",
            "full",
        ),
        (
            SocketFacts {
                backlog: Some(0),
                ..base(State::Listen)
            },
            "next",
            "limit_zero",
        ),
        (
            SocketFacts {
                has_inode: false,
                ..base(State::FinWait2)
            },
            "next",
            "orphan",
        ),
        (
            SocketFacts {
                no_owner_reason: Some(NoOwnerReason::AcceptQueue),
                ..base(State::Established)
            },
            "next_accept_queue",
            "accept_queue",
        ),
        (
            SocketFacts {
                timer: Some(resent(TimerKind::ZeroWindowProbe)),
                window_stall: Some(WindowStall::Closed { ends: false }),
                send_queue: 9,
                ..base(State::Established)
            },
            "next_zero_window",
            "zero_window",
        ),
        (base(State::TimeWait), "next", "first_or_both"),
    ];
    for (evidence, next, sentence) in cases {
        let selection = select(&evidence);
        assert_eq!(selection.advice.first(), Some(&next), "{evidence:?}");
        assert!(selection.sentences.contains(&sentence), "{selection:?}");
    }
}

/// Every selection that any evidence can lead to names existing sentences.
#[test]
fn every_selection_names_existing_sentences() {
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
        Some(WindowStall::Closed { ends: true }),
        Some(WindowStall::Silent),
        Some(WindowStall::BlockedLocally),
        Some(WindowStall::HeldByProgram),
    ];
    let mtus = [
        None,
        Some(MtuSign::SmallerSegmentsArrive),
        Some(MtuSign::NoFullSegmentArrives),
    ];
    let targets = [
        None,
        Some(TargetListener::Full),
        Some(TargetListener::HasRoom),
        Some(TargetListener::UnknownBacklog),
        Some(TargetListener::Absent),
    ];
    for state in State::ALL.into_iter().chain([State::Unknown(0)]) {
        for (bits, timer) in (0..1024_u32).flat_map(|bits| timers.map(|timer| (bits, timer))) {
            let bit = |number: u32| bits >> number & 1 == 1;
            let evidence = SocketFacts {
                has_inode: bit(0),
                no_owner_reason: bit(1).then_some(NoOwnerReason::AcceptQueue),
                recv_queue: bits >> 2 & 3,
                send_queue: if bit(4) { 9 } else { 0 },
                backlog: bit(5).then_some(bits >> 4 & 1),
                timer,
                window_stall: windows[(bits >> 5) as usize % windows.len()],
                mtu: mtus[(bits >> 4) as usize % mtus.len()],
                target: targets[(bits >> 3) as usize % targets.len()],
                blocked_locally: bits % 7 == 0,
                paced: bits % 5 == 0,
                own_keepalive: bit(2),
                probe_interval: [
                    None,
                    Some(ProbeInterval::Own),
                    Some(ProbeInterval::SystemDefault),
                ][(bits % 3) as usize],
                self_connected: bits % 11 == 0,
                half_open: bits & 1,
                data_in_syn: bit(7),
                other_end: bit(5).then_some(OtherEnd {
                    unread: bit(6),
                    in_accept_queue: bit(7),
                    blocked: bit(8),
                }),
                nothing_sent: bit(6),
                is_last_retry: bit(9),
                has_listener: bit(8),
                age: Duration::from_secs(if bit(6) { 90 } else { 1 }),
                saw_state_entry: bit(7),
                local: locals[(bits & 3) as usize],
                remote_is_local: bit(3),
                receiving_shut: bit(8),
                subflow: bit(9),
                dropped: bit(9),
                one_interface: bit(4),
                interface_known: bit(9),
                v6_only: bit(7).then_some(bit(8)),
                has_peer: bit(2),
                similar: if bit(8) { 500 } else { 0 },
                same_remote: if bit(9) { 400 } else { 0 },
                listener_full: bit(2),
                simultaneous_close: bit(5),
                closed_first: bit(6),
                ..evidence(state)
            };
            let selection = select(&evidence);
            for name in selection.sentences.iter().chain(&selection.advice) {
                let of_state = words.diagnosis(state.key(), name);
                let shared = words.diagnosis("any", name);
                let sentence = format!("{of_state}{shared}");
                assert!(!sentence.is_empty(), "{state} {name}");
            }
        }
    }
}

#[test]
fn past_drops_are_reported_without_urgency() {
    for state in [State::Unconnected, State::Established] {
        let dropped = SocketFacts {
            protocol: Protocol::Udp,
            dropped: true,
            ..evidence(state)
        };
        let selection = select(&dropped);
        assert!(selection.sentences.contains(&"drops"), "{selection:?}");
        assert_eq!(selection.urgency, Urgency::Normal);
    }
}
