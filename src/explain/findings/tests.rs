//! Tests: text of every finding, with samples of all evidence.

use super::super::catalogue::Language;
use super::*;
use crate::model::baseline::{Listener, ListenerProgram};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{
    AcceptStall, Deadlock, Failing, HalfClosed, HalfOpen, Leak, OddPrograms, PortUse, ScanEvidence,
    SelfConnection, Stillness, UdpDrops, Unacknowledged,
};
use crate::model::finding::{FindingHolder, UnseenHolder};
use crate::model::process::{Descriptors, Process};
use crate::model::protocol::{Family, Protocol};
use crate::model::text::Text;
use crate::model::time::Stamp;
use crate::model::unit::Unit;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn scan(breadth: Breadth) -> Evidence {
    Evidence::OutboundScan(ScanEvidence {
        breadth,
        contacts: 2000,
        failed: 1999,
        refused: Some(12),
        unseen: 10,
        window_s: 300,
        likelihood: 1e6,
        waiting: 1999,
        examples: vec![Endpoint::default()],
        family: Family::Inet,
    })
}

/// One of each, or more where their texts differ.
fn samples() -> Vec<Evidence> {
    let host = Endpoint::default();
    vec![
        scan(Breadth::Hosts {
            count: 1999,
            port: 445,
        }),
        scan(Breadth::Ports { count: 30, host }),
        scan(Breadth::Throttle { queue: 120 }),
        Evidence::DeadDestination {
            destination: host,
            destinations: 1,
            waiting: 5,
        },
        Evidence::DeadDestination {
            destination: host,
            destinations: 3,
            waiting: 500,
        },
        Evidence::Ipv6Silent {
            failed: 30,
            reached: 30,
        },
        Evidence::PeerToPeer {
            failed: 70,
            contacts: 100,
            ports: 60,
        },
        Evidence::NetworkDown {
            processes: 3,
            failed: 40,
        },
    ]
}

fn ssh() -> Listener {
    Listener {
        protocol: Protocol::Tcp,
        address: [0, 0, 0, 0].into(),
        port: 22,
        program: ListenerProgram::File(Text::from("/usr/sbin/sshd")),
        uid: Some(0),
    }
}

fn tripped(group: Group, within: Option<Duration>) -> Evidence {
    Evidence::UserRule(Tripped {
        name: Text::from("many sockets"),
        words: None,
        filter: Text::from("state established"),
        group,
        now: 12,
        count: 12,
        limit: 10,
        within,
    })
}

#[test]
fn a_persons_own_sentence_stands_in_for_ours() {
    let words = Catalogue::of(Language::English);
    let said = |sentence: &str| {
        let Evidence::UserRule(mut rule) = tripped(Group::All, None) else {
            panic!("a rule")
        };
        rule.words = Some(Text::from(sentence));
        let finding = Finding {
            severity: Severity::Warn,
            since: Stamp(0),
            below_since: None,
            holder: FindingHolder::default(),
            process: None,
            evidence: Evidence::UserRule(rule),
        };
        describe(&finding, words).line
    };
    assert_eq!(said("{count} of {limit}!"), "12 of 10!");
    assert_eq!(said("\u{1b}[31m{count}"), "\\x1b[31m12");
    // The braces of an escape are no placeholder.
    assert_eq!(said("👩\u{200d}💻 {count}"), "👩\\u{200d}💻 12");
    // A message with an unknown placeholder is replaced by ours.
    let ours = "many sockets: 12 sockets in all, more than 10";
    assert_eq!(said("{remote}"), ours);
}

#[test]
fn of_a_hidden_listener_is_said_what_is_known() {
    let host = Endpoint::new([0, 0, 0, 0].into(), 22);
    let unseen = |reason| UnseenHolder {
        reason,
        uid: Some(1000),
        namespace: 0,
        port: Some(22),
    };
    let described = |evidence: &Evidence, unseen, language| {
        let finding = Finding {
            severity: Severity::Info,
            since: Stamp(0),
            below_since: None,
            holder: FindingHolder {
                unseen,
                ..FindingHolder::default()
            },
            process: None,
            evidence: evidence.clone(),
        };
        describe(&finding, Catalogue::of(language))
    };
    let new = Evidence::NewListener {
        listener: host,
        program: None,
        open_to_all: true,
    };
    let unknown = Listener {
        program: ListenerProgram::Unknown,
        ..ssh()
    };
    let unlisted = Evidence::Unlisted(unknown.clone());
    for (evidence, holder, line) in [
        (
            &new,
            Some(unseen(Unowned::Hidden)),
            "a hidden process of uid 1000 listens on 0.0.0.0:22 since watching began",
        ),
        (
            &new,
            Some(unseen(Unowned::Kernel)),
            "uid 1000 listens on 0.0.0.0:22 since watching began, through no process seen here",
        ),
        (
            &new,
            None,
            "an unknown process listens on 0.0.0.0:22 since watching began",
        ),
        (
            &unlisted,
            Some(unseen(Unowned::Hidden)),
            "a hidden process of uid 1000 listens on tcp 0.0.0.0:22: not in the baseline",
        ),
    ] {
        let said = described(evidence, holder, Language::English);
        assert_eq!(said.line, line);
    }
    for evidence in [new, unlisted, Evidence::Missing(unknown)] {
        for language in Language::ALL {
            let said = described(&evidence, None, language).evidence;
            assert!(!said.contains(UNKNOWN), "{said}");
        }
    }
}

/// A listener whose oldest connection has waited for a minute and a half.
fn stall(stalled: Duration, at_least: bool, accepting: bool) -> Evidence {
    Evidence::NotAccepting(AcceptStall {
        listener: Endpoint::default(),
        waiting: 42,
        backlog: Some(100),
        oldest: Duration::from_secs(90),
        stalled,
        accepting,
        at_least,
    })
}

/// Two programs that wait for each other, the second of this name.
fn deadlock(other: Option<&str>) -> Evidence {
    let process = |name| Process {
        pid: 813,
        name: Text::from(name),
        ..Process::default()
    };
    Evidence::Deadlock(Deadlock {
        other: other.map(|name| Arc::new(process(name))),
        other_unseen: None,
        connections: 1,
        unread: 90_000,
        other_unread: 80_000,
        ends: (Endpoint::default(), Endpoint::default()),
        longest: Duration::from_secs(90),
    })
}

/// Queues that fill, overflow between tables, and are full.
fn queue_samples() -> Vec<Evidence> {
    let host = Endpoint::default();
    vec![
        Evidence::AcceptQueue {
            listener: host,
            waiting: 100,
            backlog: 128,
            dropped: None,
            overflows: None,
            full: false,
        },
        Evidence::AcceptQueue {
            listener: host,
            waiting: 0,
            backlog: 128,
            dropped: Some(12),
            overflows: Some(12),
            full: false,
        },
        Evidence::AcceptQueue {
            listener: host,
            waiting: 129,
            backlog: 128,
            dropped: Some(3),
            overflows: Some(7),
            full: true,
        },
    ]
}

/// The same for the rules that are not about first contacts.
fn more_samples() -> Vec<Evidence> {
    let host = Endpoint::default();
    vec![
        stall(Duration::from_secs(90), false, false),
        Evidence::UdpDrops(UdpDrops {
            socket: host,
            dropped: 1800,
            window: Duration::from_secs(10),
            total: 66_584,
            receive_buffer: Some(212_992),
        }),
        stall(Duration::from_secs(3), true, true),
        stall(Duration::from_secs(3), true, false),
        Evidence::TimeWaitHeap {
            count: 250_000,
            most: 262_144,
            overflows: 0,
        },
        Evidence::Orphans {
            orphans: 40_000,
            most: 65_536,
        },
        Evidence::FinWait2(HalfClosed {
            sockets: 3,
            shut: 1,
            peer: host,
            longest: Duration::from_secs(90),
            at_least: true,
            idle: Duration::from_secs(90),
        }),
        Evidence::SelfConnection(SelfConnection {
            end: host,
            lasts: Duration::from_secs(90),
            at_least: true,
        }),
        deadlock(None),
        deadlock(Some("redis-server")),
        Evidence::PeerNotReading(Stillness {
            sockets: 3,
            bytes: 2_000_000,
            peer: host,
            longest: Duration::from_secs(90),
        }),
        Evidence::OrphansNotRead(Stillness {
            sockets: 3,
            bytes: 2_000_000,
            peer: host,
            longest: Duration::from_secs(90),
        }),
        Evidence::ProgramNotReading(Stillness {
            sockets: 1,
            bytes: 65_536,
            peer: host,
            longest: Duration::from_secs(90),
        }),
        Evidence::FailedConnects {
            whose: Some(Failing {
                failed: 480,
                refused: 450,
                destinations: vec![host],
            }),
            failed: 500,
            tried: 520,
            window: Duration::from_secs(10),
        },
        Evidence::FailedConnects {
            whose: None,
            failed: 500,
            tried: 520,
            window: Duration::from_secs(10),
        },
        Evidence::LocalPorts(PortUse {
            from: host.address(),
            to: Some(host),
            used: 26_000,
            room: 28_232,
        }),
        Evidence::LocalPorts(PortUse {
            from: host.address(),
            to: None,
            used: 26_000,
            room: 28_232,
        }),
    ]
}

/// Silent peers: of a known process or without one, one peer or several.
fn silent_samples() -> Vec<Evidence> {
    let silent = |port, destinations| {
        Evidence::Unacknowledged(Unacknowledged {
            peer: Endpoint::new([192, 0, 2, 200].into(), 16_379),
            port,
            destinations,
            sockets: 20,
            bytes: 80,
            longest: Duration::from_secs(75),
            tries: 9,
            user: None,
            unheld: false,
        })
    };
    vec![silent(None, 1), silent(None, 7), silent(Some(8443), 3)]
}

#[test]
fn silent_peers_of_nobody_in_sight_have_their_lines() {
    let words = Catalogue::of(Language::English);
    let said = |user| {
        let Some(Evidence::Unacknowledged(mut silent)) = silent_samples().pop() else {
            panic!("a sample")
        };
        silent.user = user;
        let finding = Finding {
            severity: Severity::Warn,
            since: Stamp(0),
            below_since: None,
            holder: FindingHolder::default(),
            process: None,
            evidence: Evidence::Unacknowledged(silent),
        };
        describe(&finding, words).line
    };
    let line = "No ACK from 192.0.2.200:16379 for 1 min 15 s (sockets: 20, ";
    assert_eq!(said(Some(33)), format!("{line}owner hidden, uid 33)"));
    assert_eq!(said(None), format!("{line}already closed here)"));
}

/// The same for the rules about programs and listeners, or about more than one
/// thing.
fn still_more_samples() -> Vec<Evidence> {
    let host = Endpoint::default();
    vec![
        Evidence::OddProgram {
            oddity: Oddity::KernelName,
            program: Text::from("/usr/bin/x"),
        },
        Evidence::OddProgram {
            oddity: Oddity::Resembles(Text::from("nginx")),
            program: Text::from("/home/u/nginxx"),
        },
        Evidence::OddProgram {
            oddity: Oddity::InMemory,
            program: Text::from("/memfd:x (deleted)"),
        },
        Evidence::OddProgram {
            oddity: Oddity::AnybodysFolder,
            program: Text::from("/dev/shm/x"),
        },
        Evidence::OddProgram {
            oddity: Oddity::OtherFile,
            program: Text::from("/usr/sbin/sshd"),
        },
        Evidence::OddProgram {
            oddity: Oddity::OwnFileSystem,
            program: Text::from("/app/bin/x"),
        },
        Evidence::NewListener {
            listener: host,
            program: None,
            open_to_all: true,
        },
        Evidence::OddPrograms(OddPrograms {
            uid: Some(2001),
            oddity: "anybodys_folder",
            folder: Some(Text::from("/tmp")),
            count: 2500,
            names: vec![Text::from("miner"), Text::from("x")],
        }),
        Evidence::OddPrograms(OddPrograms {
            uid: Some(2001),
            oddity: "other_file",
            folder: None,
            count: 4,
            names: vec![Text::from("sshd")],
        }),
        Evidence::UnheldListener {
            listener: host,
            uid: 2001,
        },
        Evidence::Unlisted(ssh()),
        Evidence::Unlisted(Listener {
            program: ListenerProgram::Unknown,
            ..ssh()
        }),
        Evidence::Unlisted(Listener {
            program: ListenerProgram::NoneHere,
            ..ssh()
        }),
        Evidence::Missing(ssh()),
        Evidence::Missing(Listener {
            program: ListenerProgram::Unknown,
            ..ssh()
        }),
        tripped(Group::All, None),
        tripped(Group::Process, None),
        tripped(Group::Remote(host.address()), None),
        tripped(Group::LocalPort(443), Some(Duration::from_mins(5))),
        tripped(Group::All, Some(Duration::from_mins(5))),
        tripped(Group::Process, Some(Duration::from_mins(5))),
        tripped(Group::Remote(host.address()), Some(Duration::from_mins(5))),
        tripped(Group::LocalPort(443), None),
        Evidence::SynFlood(HalfOpen {
            listener: Some(host),
            half_open: 129,
            stale: 129,
            backlog: Some(128),
            cookies_sent: Some(5000),
            cookies_returned: Some(3),
            dropped: None,
        }),
        Evidence::CloseWait(Leak {
            count: 213,
            growth: 12,
            window: Duration::from_mins(5),
            open: Some(900),
            most: Some(1024),
        }),
        Evidence::CloseWait(Leak {
            count: 1,
            growth: 0,
            window: Duration::from_mins(5),
            open: None,
            most: None,
        }),
    ]
}

/// Every kind of holder: a process in every state, several workers, an unknown
/// one for every reason, and none.
fn holders() -> Vec<(Option<Arc<Process>>, FindingHolder)> {
    let states = [
        RunState::Usual,
        RunState::Stopped,
        RunState::Traced,
        RunState::Uninterruptible,
    ];
    let process = |run_state| {
        Arc::new(Process {
            pid: 812,
            name: Text::from("wormlike"),
            run_state,
            descriptors: Some(Descriptors { open: 24, most: 24 }),
            ..Process::default()
        })
    };
    let mut holders: Vec<_> = states
        .map(|state| (Some(process(state)), FindingHolder::default()))
        .to_vec();
    let workers = FindingHolder {
        workers: vec![process(RunState::Usual)],
        ..FindingHolder::default()
    };
    holders.push((Some(process(RunState::Usual)), workers));
    holders.push((None, FindingHolder::default()));
    for reason in Unowned::ALL {
        for (uid, port) in [(None, Some(8081)), (Some(33), Some(8081)), (Some(33), None)] {
            let unseen = Some(UnseenHolder {
                reason,
                uid,
                namespace: 1,
                port,
            });
            let holder = FindingHolder {
                unseen,
                ..FindingHolder::default()
            };
            if uid.is_some() && matches!(reason, Unowned::Hidden | Unowned::Kernel) {
                let of_unit = FindingHolder {
                    opener: Some(Arc::new(Unit::of_system("web.service"))),
                    ..holder.clone()
                };
                holders.push((None, of_unit));
            }
            holders.push((None, holder));
        }
    }
    holders
}

/// Every kind of finding, in every severity, active and clearing.
pub(crate) fn all_findings() -> Vec<Finding> {
    let mut all = Vec::new();
    let evidence = || samples().into_iter().chain(more_samples());
    for evidence in evidence()
        .chain(still_more_samples())
        .chain(queue_samples())
        .chain(silent_samples())
    {
        for (process, holder) in holders() {
            for severity in [Severity::Info, Severity::Warn, Severity::Alarm] {
                for below_since in [None, Some(Stamp(100))] {
                    all.push(Finding {
                        severity,
                        since: Stamp(0),
                        below_since,
                        process: process.clone(),
                        holder: holder.clone(),
                        evidence: evidence.clone(),
                    });
                }
            }
        }
    }
    all
}

#[test]
fn no_sentence_of_any_finding_is_empty_or_has_a_gap() {
    let rules: BTreeSet<Rule> = all_findings()
        .iter()
        .map(|finding| finding.evidence.rule())
        .collect();
    assert_eq!(rules.len(), Rule::ALL.len(), "a sample of every rule");
    for language in [Language::English, Language::Chinese] {
        let words = Catalogue::of(language);
        for finding in all_findings() {
            let said = describe(&finding, words);
            for text in [
                &said.title,
                &said.line,
                &said.evidence,
                &said.otherwise,
                &said.next,
            ] {
                assert!(!text.trim().is_empty(), "{finding:?} {said:?}");
                assert!(!text.contains('{'), "{finding:?} {said:?}");
            }
            let most = if finding.process.is_some() { 90 } else { 110 };
            let opener = finding.holder.opener.as_ref();
            let most = most + opener.map_or(0, |unit| " (unit )".len() + unit.as_str().len());
            if finding.below_since.is_none() {
                assert!(said.line.chars().count() <= most, "{}", said.line);
            }
        }
    }
}

#[test]
fn a_holder_that_is_not_seen_is_told_as_far_as_it_is_known() {
    let words = Catalogue::of(Language::English);
    let line = |evidence: Evidence, reason| {
        let unseen = Some(UnseenHolder {
            reason,
            uid: Some(33),
            namespace: 1,
            port: Some(8081),
        });
        let finding = Finding {
            severity: Severity::Info,
            since: Stamp(0),
            below_since: None,
            process: None,
            holder: FindingHolder {
                unseen,
                ..FindingHolder::default()
            },
            evidence,
        };
        describe(&finding, words).line
    };
    let leak = Evidence::CloseWait(Leak {
        count: 60,
        growth: 0,
        window: Duration::from_mins(5),
        open: None,
        most: None,
    });
    let expected = "a hidden process of uid 33, port 8081 has not closed what its peers have \
                    closed: 60 for over a minute";
    assert_eq!(line(leak, Unowned::Hidden), expected);
    let stalled = stall(Duration::from_secs(90), true, false);
    let expected = "a hidden process of uid 33 has accepted nothing on 0.0.0.0:0 for at least \
                    1 min 30 s (waiting: 42)";
    assert_eq!(line(stalled, Unowned::Hidden), expected);
}

#[test]
fn the_unit_that_opened_the_sockets_is_told_with_a_hidden_holder() {
    let words = Catalogue::of(Language::English);
    let unseen = UnseenHolder {
        reason: Unowned::Hidden,
        uid: Some(33),
        namespace: 1,
        port: Some(8081),
    };
    let said = |evidence: Evidence| {
        let finding = Finding {
            severity: Severity::Info,
            since: Stamp(0),
            below_since: None,
            process: None,
            holder: FindingHolder {
                unseen: Some(unseen),
                opener: Some(Arc::new(Unit::of_system("web.service"))),
                ..FindingHolder::default()
            },
            evidence,
        };
        describe(&finding, words)
    };
    let leak = said(Evidence::CloseWait(Leak {
        count: 60,
        growth: 0,
        window: Duration::from_mins(5),
        open: None,
        most: None,
    }));
    let expected = "a hidden process of uid 33, port 8081 has not closed what its peers have \
                    closed: 60 for over a minute (unit web.service)";
    assert_eq!(leak.line, expected);
    let opened = "web.service opened all of these sockets; a process that they were passed to may \
                  hold them.";
    assert!(leak.evidence.ends_with(opened), "{}", leak.evidence);
    // A sentence that names nobody has the unit behind it.
    let fresh = said(Evidence::NewListener {
        listener: Endpoint::new([0, 0, 0, 0].into(), 8081),
        program: None,
        open_to_all: true,
    });
    assert!(fresh.line.ends_with("(unit web.service)"), "{}", fresh.line);
}

#[test]
fn hidden_processes_that_wait_for_a_destination_are_told_by_user() {
    let finding = |reason| Finding {
        severity: Severity::Info,
        since: Stamp(0),
        below_since: None,
        process: None,
        holder: FindingHolder {
            unseen: Some(UnseenHolder {
                reason,
                uid: Some(1000),
                namespace: 1,
                port: None,
            }),
            ..FindingHolder::default()
        },
        evidence: Evidence::DeadDestination {
            destination: Endpoint::new([198, 51, 100, 100].into(), 5432),
            destinations: 1,
            waiting: 3,
        },
    };
    let said = |language, reason| describe(&finding(reason), Catalogue::of(language));
    let hidden = said(Language::English, Unowned::Hidden);
    let expected =
        "no answer from 198.51.100.100:5432 (sockets waiting: 3, hidden processes of uid 1000)";
    assert_eq!(hidden.line, expected);
    assert!(hidden.evidence.contains("of one process or of several"));
    assert!(hidden.next.contains("as root"));
    let kernel = said(Language::English, Unowned::Kernel);
    let expected = "no answer from 198.51.100.100:5432 (sockets waiting: 3, no process seen here, \
                    uid 1000)";
    assert_eq!(kernel.line, expected);
    assert!(!kernel.next.contains("as root"));
    let chinese = said(Language::Chinese, Unowned::Hidden);
    let expected = "198.51.100.100:5432 没有应答（等待的套接字：3，uid 1000 的不可见进程）";
    assert_eq!(chinese.line, expected);
}

#[test]
fn not_all_failed_is_not_a_hundred_percent() {
    assert_eq!(percent(1999, 2000), "99");
    assert_eq!(percent(2000, 2000), "100");
    assert_eq!(percent(0, 0), "0");
}
