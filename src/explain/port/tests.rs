//! Tests: verdicts from sockets: a table, each case in both languages.

use super::super::catalogue::Language;
use super::*;
use crate::filter::test_world::{process, row};
use crate::model::gap::{Gap, GapReason};
use crate::model::namespace::{Namespace, NamespaceEntry};
use crate::model::namespace_addresses::GoneInterface;
use crate::model::owner::{Holder as LinkTarget, NoOwnerReason, OwnerSpan, ProcessId};
use crate::model::protocol::SocketFamily;
use crate::model::timer::Timer;
use std::num::NonZeroU32;

const PORT: u16 = 8081;

/// A socket in words: protocol or state, ends, then `of=PID`, `left=SECONDS`,
/// `ns=NUMBER`, `uid=NUMBER`, `v6only=0` or `1`, `unheld=1`.
fn world(sockets: &[&str]) -> Observation {
    let mut world = Observation {
        processes: vec![
            process(812, "python3", "/usr/bin/python3"),
            process(900, "nginx", "/n"),
        ],
        namespaces: [(1, None, true), (2, Some("web"), false)]
            .map(|(id, name, own)| Namespace {
                id,
                name: name.map(Into::into),
                is_current: own,
                entry: None,
            })
            .to_vec(),
        ..Observation::default()
    };
    world.limits.local_ports = Some((32_768, 60_999));
    let mut rows = Vec::new();
    for text in sockets {
        let mut words = text.split_whitespace();
        let (protocol, state) = match words.next().unwrap() {
            "udp" => (Protocol::Udp, State::Unconnected),
            state => (Protocol::Tcp, State::from_word(state).unwrap()),
        };
        let mut row = row(
            protocol,
            state,
            words.next().unwrap(),
            words.next().unwrap(),
        );
        for word in words {
            let (name, number) = word.split_once('=').unwrap();
            let number: u32 = number.parse().unwrap();
            match name {
                "of" => {
                    let place = u32::from(number == 900);
                    row.socket.inode = NonZeroU32::new(7);
                    row.owners = OwnerSpan {
                        start: u32::try_from(world.holders.len()).unwrap(),
                        count: 1,
                    };
                    world.holders.push(LinkTarget {
                        process: ProcessId(place),
                        fd: 3,
                    });
                }
                "uid" => {
                    row.socket.inode = NonZeroU32::new(7);
                    row.socket.uid = number;
                }
                "v6only" => {
                    row.socket.socket_family = SocketFamily::Inet6 {
                        only: Some(number == 1),
                    };
                }
                "unheld" => row.no_owner_reason = Some(NoOwnerReason::Kernel),
                "left" => {
                    row.socket.timer = Some(Timer {
                        kind: TimerKind::TimeWait,
                        expires_ms: number * 1000 - 300,
                        retransmits: 0,
                    });
                }
                _ => row.socket.namespace = number,
            }
        }
        if state == State::Listen {
            let number = u32::try_from(rows.len()).unwrap();
            world.listeners.push((row.socket.local.port, number));
        }
        rows.push(row);
    }
    world.listeners.sort_unstable();
    world.rows = Arc::new(rows);
    world
}

/// Sockets, the verdict, texts that the answer must contain, and texts that it
/// must not contain.
type PortCase = (
    &'static [&'static str],
    PortVerdict,
    &'static [&'static str],
    &'static [&'static str],
);

const CASES: &[PortCase] = &[
    (
        &[],
        PortVerdict::Free,
        &[
            "8081",
            "docker ps --filter publish=8081",
            "nft list ruleset",
            "6.8",
        ],
        &[],
    ),
    (
        &["listen 127.0.0.1:8081 - of=812"],
        PortVerdict::Listened,
        &["python3", "812", "127.0.0.1", "tcplens kill"],
        &["EADDRINUSE"],
    ),
    // Client and server on one machine: only the server's end is on the port.
    (
        &[
            "listen 127.0.0.1:8081 - of=812",
            "established 127.0.0.1:8081 127.0.0.1:40000 of=812",
            "established 127.0.0.1:40000 127.0.0.1:8081 of=900",
            "syn_received 127.0.0.1:8081 127.0.0.1:40001",
            "time_wait 127.0.0.1:8081 127.0.0.1:40002 left=9",
        ],
        PortVerdict::Listened,
        &["python3", "1"],
        &["nginx", "TIME_WAIT", "2"],
    ),
    (
        &[
            "time_wait 127.0.0.1:8081 127.0.0.1:40000 left=53",
            "time_wait 127.0.0.1:8081 127.0.0.1:40001 left=12",
            "fin_wait_2 127.0.0.1:8081 127.0.0.1:40002 left=20",
            // The client's end of the previous case.
            "close_wait 127.0.0.1:40002 127.0.0.1:8081 of=900",
        ],
        PortVerdict::KernelOnly,
        &[
            "2 ",
            "TIME_WAIT",
            "FIN_WAIT2",
            " 20 ",
            "SO_REUSEADDR",
            "EADDRINUSE",
        ],
        &["nginx", "kill"],
    ),
    // The timer does not show how long an unacknowledged FIN is retransmitted.
    (
        &[
            "last_ack 192.0.2.1:8081 198.51.100.7:40000",
            "time_wait 192.0.2.1:8081 198.51.100.7:40001 left=12",
        ],
        PortVerdict::KernelOnly,
        &["LAST_ACK", "TIME_WAIT"],
        &["12"],
    ),
    // Connected to itself: the program connected to the port that it was given.
    (
        &["established 127.0.0.1:8081 127.0.0.1:8081 of=900"],
        PortVerdict::Taken,
        &["nginx", "900"],
        &["outlived"],
    ),
    // An outgoing connection, by its peer's listener here, or by its port.
    (
        &[
            "listen 127.0.0.1:514 - of=812",
            "established 127.0.0.1:8081 127.0.0.1:514 of=900",
        ],
        PortVerdict::Taken,
        &[
            "nginx",
            "900",
            "127.0.0.1:514",
            "tcplens kill pid:900",
            "EADDRINUSE",
        ],
        &["python3", "ip_local_reserved_ports"],
    ),
    (
        &["syn_sent 192.0.2.1:8081 198.51.100.7:443 of=900"],
        PortVerdict::Taken,
        &["nginx", "198.51.100.7:443"],
        &[],
    ),
    // The listener has ended, a worker has not.
    (
        &["established 192.0.2.1:8081 198.51.100.7:40000 of=900"],
        PortVerdict::Taken,
        &["nginx", "900", "SO_REUSEADDR"],
        &[],
    ),
    (
        &["bound_inactive 0.0.0.0:8081 - of=812"],
        PortVerdict::Taken,
        &["python3", "0.0.0.0", "EADDRINUSE"],
        &[],
    ),
    // The process is not readable.
    (
        &["listen 0.0.0.0:8081 - uid=1001"],
        PortVerdict::Listened,
        &["uid 1001", "sudo tcplens explain :8081"],
        &["tcplens kill"],
    ),
    // Every process was searched, as root: sudo shows nothing more.
    (
        &["listen 0.0.0.0:8081 - uid=1001 unheld=1"],
        PortVerdict::Listened,
        &["uid 1001", "tcplens close :8081"],
        &["sudo", "tcplens kill"],
    ),
    (
        &["udp 0.0.0.0:8081 - of=812"],
        PortVerdict::UdpOnly,
        &["python3", "UDP", "0.0.0.0"],
        &["EADDRINUSE"],
    ),
    (
        &["listen [::]:8081 - of=900", "udp 0.0.0.0:8081 - of=812"],
        PortVerdict::Listened,
        &["nginx", "[::]", "python3", "UDP"],
        &[],
    ),
    // As the table shows them: IPv6 alone, and both families.
    (
        &["listen [::]:8081 - of=900 v6only=1"],
        PortVerdict::Listened,
        &["[::]"],
        &[" *"],
    ),
    (
        &["listen [::]:8081 - of=900 v6only=0"],
        PortVerdict::Listened,
        &[" *"],
        &["[::]"],
    ),
    // UDP beside remains of TCP.
    (
        &[
            "udp 0.0.0.0:8081 - of=812",
            "time_wait 192.0.2.1:8081 198.51.100.7:40001 left=12",
        ],
        PortVerdict::KernelOnly,
        &["12", "python3", "UDP"],
        &[],
    ),
    (
        &[
            "listen 0.0.0.0:8081 - of=900 ns=2",
            "time_wait 192.0.2.1:8081 198.51.100.7:40001 left=12 ns=2",
        ],
        PortVerdict::OtherNamespace,
        &["nginx", "web", "docker ps"],
        &["TIME_WAIT"],
    ),
    (
        &[
            "listen 127.0.0.1:8081 - of=812",
            "listen 0.0.0.0:8081 - of=900 ns=2",
        ],
        PortVerdict::Listened,
        &["python3", "nginx", "web"],
        &[],
    ),
];

#[test]
fn sockets_give_the_expected_verdict() {
    for (sockets, verdict, holds, lacks) in CASES {
        let world = world(sockets);
        let found = PortStatus::of(PORT, &world);
        assert_eq!(found.verdict(), *verdict, "{sockets:?}");
        for language in [Language::English, Language::Chinese] {
            let lines = found.lines(&world, Catalogue::of(language));
            let text = lines.join("\n");
            assert!(lines.len() >= 2 && lines[0].contains("8081"), "{text}");
            assert!(!text.contains(['{', '}']), "{text}");
            for held in *holds {
                assert!(text.contains(held), "{sockets:?}: no {held:?} in\n{text}");
            }
            // The port itself and commands may contain any digit.
            let plain = text
                .replace("8081", "")
                .replace("812", "")
                .replace("127.0.0.1", "");
            for lacked in *lacks {
                assert!(
                    !plain.contains(lacked),
                    "{sockets:?}: {lacked:?} in\n{text}"
                );
            }
        }
    }
}

#[test]
fn ending_a_container_proxy_is_not_advised() {
    let mut world = world(&["listen 127.0.0.1:8081 - of=812"]);
    let proxy = Arc::make_mut(&mut world.processes[0]);
    proxy.name = "docker-proxy".into();
    let arguments = ["-container-ip", "172.17.0.2", "-container-port", "80"];
    proxy.command_line = arguments.map(Into::into).to_vec();
    for language in [Language::English, Language::Chinese] {
        let found = PortStatus::of(PORT, &world);
        let text = found.lines(&world, Catalogue::of(language)).join("\n");
        assert!(text.contains("172.17.0.2:80"), "{text}");
        assert!(!text.contains("tcplens kill"), "{text}");
    }
}

#[test]
fn a_listener_that_nobody_can_reach_is_said_to_be_so() {
    let told = |world: &Observation, language| {
        let found = PortStatus::of(PORT, world);
        found.lines(world, Catalogue::of(language))[0].clone()
    };
    let mut world = world(&["listen 0.0.0.0:8081 - of=812"]);
    Arc::make_mut(&mut world.rows)[0].socket.interface = 3;
    let with = told(&world, Language::English);
    assert!(!with.contains("Nobody can reach it"), "{with}");
    let namespace = world.rows[0].socket.namespace;
    world.gone_interfaces = vec![GoneInterface {
        namespace,
        index: 3,
    }];
    let without = told(&world, Language::English);
    assert!(
        without.contains("0.0.0.0%3")
            && without.contains("the interface that it is bound to is gone"),
        "{without}"
    );
    assert!(told(&world, Language::Chinese).contains("网络接口已不存在"));
    // One that can be reached beside it answers.
    let mut rows = world.rows.to_vec();
    rows.push(rows[0]);
    rows[1].socket.interface = 0;
    world.listeners.push((PORT, 1));
    world.rows = Arc::new(rows);
    let both = told(&world, Language::English);
    assert!(!both.contains("Nobody can reach it"), "{both}");
}

#[test]
fn a_port_for_outgoing_connections_can_be_reserved() {
    let mut world = world(&["established 192.0.2.1:8081 198.51.100.7:443 of=900"]);
    let text = |world: &Observation| {
        let found = PortStatus::of(PORT, world);
        found
            .lines(world, Catalogue::of(Language::English))
            .join("\n")
    };
    // Nothing shows which end opened it.
    assert!(!text(&world).contains("ip_local_reserved_ports"));
    world.limits.local_ports = Some((8000, 9000));
    let said = text(&world);
    assert!(
        said.contains("outgoing connection of nginx (900) to 198.51.100.7:443"),
        "{said}"
    );
    assert!(
        said.contains("add 8081 to net.ipv4.ip_local_reserved_ports"),
        "{said}"
    );
}

#[test]
fn an_unreadable_table_is_no_free_port() {
    let mut world = world(&[]);
    world.gaps.push(Gap {
        kind: GapKind::TablesUnreadable,
        count: 1,
        reason: GapReason::Failed,
    });
    assert_eq!(PortStatus::of(PORT, &world).verdict(), PortVerdict::Unknown);
}

#[test]
fn a_forwarded_port_names_its_target_and_who_is_there() {
    let world = world(&["established 198.51.100.2:80 192.0.2.2:60858 of=900 ns=2"]);
    let forwardings = vec![NatForwarding {
        target: Endpoint::new("198.51.100.2".parse().unwrap(), 80),
        connections: 1,
    }];
    let found = PortStatus::of(PORT, &world).with_forwardings(forwardings, &world);
    assert_eq!(found.verdict(), PortVerdict::Forwarded);
    for language in [Language::English, Language::Chinese] {
        let text = found.lines(&world, Catalogue::of(language)).join("\n");
        for held in ["8081", "198.51.100.2:80", "nginx", "web", "docker ps"] {
            assert!(text.contains(held), "no {held} in {text}");
        }
    }
    let none = PortStatus::of(PORT, &world).with_forwardings(Vec::new(), &world);
    assert_eq!(none.verdict(), PortVerdict::Free);
}

/// Without the flag the command would end who has the port elsewhere.
#[test]
fn advice_in_a_namespace_that_was_entered_is_about_it() {
    for (entrance, flag) in [
        (NamespaceEntry::Name("blue".into()), "--netns blue"),
        (NamespaceEntry::Process(7), "--netns 7"),
    ] {
        let mut world = world(&["listen 0.0.0.0:8081 - of=812"]);
        world.namespaces[0].entry = Some(entrance);
        for language in [Language::English, Language::Chinese] {
            let lines = PortStatus::of(PORT, &world).lines(&world, Catalogue::of(language));
            let text = lines.join("\n");
            assert!(
                text.contains(&format!("tcplens kill {flag} :8081")),
                "{text}"
            );
        }
    }
}

#[test]
fn many_holders_are_counted() {
    let texts: Vec<String> = (1..=9)
        .map(|uid| format!("udp 0.0.0.0:8081 - uid={uid}"))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let world = world(&texts);
    let lines = PortStatus::of(PORT, &world).lines(&world, Catalogue::of(Language::English));
    assert!(
        lines[0].contains("uid 1") && lines[0].contains("6 more"),
        "{lines:?}"
    );
}

#[test]
fn a_hidden_holder_comes_with_the_unit_that_opened_the_socket() {
    let mut world = world(&["listen 0.0.0.0:8081 - uid=33"]);
    let mut rows = world.rows.to_vec();
    rows[0].no_owner_reason = Some(NoOwnerReason::Hidden);
    world.rows = rows.into();
    let world = crate::filter::test_world::with_openers(world, &[(0, "web.service")]);
    let verdict = |words| PortStatus::of(PORT, &world).headline(&world, words);
    for (language, expected) in [
        (
            Language::English,
            "a process of uid 33 (opened by web.service) listens",
        ),
        (
            Language::Chinese,
            "用户 uid 33 的进程（由 web.service 打开）",
        ),
    ] {
        let told = verdict(Catalogue::of(language));
        assert!(told.contains(expected), "{told}");
    }
}
