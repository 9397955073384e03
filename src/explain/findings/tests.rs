//! Tests: text of every finding, with samples of all evidence.

use super::super::catalogue::Language;
use super::*;
use crate::model::baseline::{Listener, ListenerProgram};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{
    AcceptStallEvidence, CloseWaitEvidence, DeadlockEvidence, FailingProcess, FinWait2Evidence,
    LocalPortsEvidence, ScanEvidence, SelfConnectionEvidence, StalledQueueEvidence,
    SuspiciousProgramsEvidence, SynFloodEvidence, UdpDropsEvidence, UnacknowledgedEvidence,
};
use crate::model::finding::{FindingHolder, UnknownHolder};
use crate::model::process::{OpenFiles, Process};
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::text::Text;
use crate::model::time::Timestamp;
use crate::model::unit::Unit;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn scan(breadth: ScanKind) -> Evidence {
    Evidence::OutboundScan(ScanEvidence {
        kind: breadth,
        contacts: 2000,
        failed: 1999,
        refused: Some(12),
        untracked_attempts: 10,
        window_s: 300,
        likelihood_ratio: 1e6,
        waiting: 1999,
        examples: vec![Endpoint::default()],
        family: IpFamily::Inet,
    })
}

/// One of each, or more where their texts differ.
fn samples() -> Vec<Evidence> {
    let host = Endpoint::default();
    vec![
        scan(ScanKind::Hosts {
            count: 1999,
            port: 445,
        }),
        scan(ScanKind::Ports { count: 30, host }),
        scan(ScanKind::Throttle { queue: 120 }),
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

fn tripped(group: UserRuleGroup, within: Option<Duration>) -> Evidence {
    Evidence::UserRule(UserRuleEvidence {
        name: Text::from("many sockets"),
        message: None,
        filter: Text::from("state established"),
        group,
        current: 12,
        count: 12,
        limit: 10,
        window: within,
    })
}

#[test]
fn a_user_rules_own_message_replaces_ours() {
    let words = Catalogue::of(Language::English);
    let said = |sentence: &str| {
        let Evidence::UserRule(mut rule) = tripped(UserRuleGroup::All, None) else {
            panic!("a rule")
        };
        rule.message = Some(Text::from(sentence));
        let finding = Finding {
            severity: Severity::Warning,
            since: Timestamp(0),
            clearing_since: None,
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
    let unseen = |reason| UnknownHolder {
        reason,
        uid: Some(1000),
        namespace: 0,
        port: Some(22),
    };
    let described = |evidence: &Evidence, unseen, language| {
        let finding = Finding {
            severity: Severity::Info,
            since: Timestamp(0),
            clearing_since: None,
            holder: FindingHolder {
                unknown: unseen,
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
        on_all_addresses: true,
    };
    let unknown = Listener {
        program: ListenerProgram::Unknown,
        ..ssh()
    };
    let unlisted = Evidence::NotInBaseline(unknown.clone());
    for (evidence, holder, line) in [
        (
            &new,
            Some(unseen(NoOwnerReason::Hidden)),
            "a hidden process of uid 1000 listens on 0.0.0.0:22 since watching began",
        ),
        (
            &new,
            Some(unseen(NoOwnerReason::Kernel)),
            "uid 1000 listens on 0.0.0.0:22 since watching began, through no process seen here",
        ),
        (
            &new,
            None,
            "an unknown process listens on 0.0.0.0:22 since watching began",
        ),
        (
            &unlisted,
            Some(unseen(NoOwnerReason::Hidden)),
            "a hidden process of uid 1000 listens on tcp 0.0.0.0:22: not in the baseline",
        ),
    ] {
        let said = described(evidence, holder, Language::English);
        assert_eq!(said.line, line);
    }
    for evidence in [new, unlisted, Evidence::MissingListener(unknown)] {
        for language in Language::ALL {
            let said = described(&evidence, None, language).evidence;
            assert!(!said.contains(UNKNOWN), "{said}");
        }
    }
}

/// A listener whose oldest connection has waited for a minute and a half.
fn stall(stalled: Duration, at_least: bool, accepting: bool) -> Evidence {
    Evidence::NotAccepting(AcceptStallEvidence {
        listener: Endpoint::default(),
        waiting: 42,
        backlog: Some(100),
        oldest: Duration::from_secs(90),
        stalled,
        accepting,
        is_lower_bound: at_least,
    })
}

/// Two programs that wait for each other, the second of this name.
fn deadlock(other: Option<&str>) -> Evidence {
    let process = |name| Process {
        pid: 813,
        name: Text::from(name),
        ..Process::default()
    };
    Evidence::Deadlock(DeadlockEvidence {
        other_process: other.map(|name| Arc::new(process(name))),
        other_holder: None,
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
        Evidence::UdpDrops(UdpDropsEvidence {
            socket: host,
            dropped: 1800,
            window: Duration::from_secs(10),
            total: 66_584,
            receive_buffer: Some(212_992),
        }),
        stall(Duration::from_secs(3), true, true),
        stall(Duration::from_secs(3), true, false),
        Evidence::TimeWaitLimit {
            count: 250_000,
            limit: 262_144,
            overflows: 0,
        },
        Evidence::Orphans {
            orphans: 40_000,
            limit: 65_536,
        },
        Evidence::FinWait2(FinWait2Evidence {
            sockets: 3,
            receive_shutdown: 1,
            peer: host,
            longest: Duration::from_secs(90),
            is_lower_bound: true,
            idle: Duration::from_secs(90),
        }),
        Evidence::SelfConnection(SelfConnectionEvidence {
            endpoint: host,
            duration: Duration::from_secs(90),
            is_lower_bound: true,
        }),
        deadlock(None),
        deadlock(Some("redis-server")),
        Evidence::PeerNotReading(StalledQueueEvidence {
            sockets: 3,
            bytes: 2_000_000,
            peer: host,
            longest: Duration::from_secs(90),
        }),
        Evidence::PeerNotReadingOrphans(StalledQueueEvidence {
            sockets: 3,
            bytes: 2_000_000,
            peer: host,
            longest: Duration::from_secs(90),
        }),
        Evidence::ProgramNotReading(StalledQueueEvidence {
            sockets: 1,
            bytes: 65_536,
            peer: host,
            longest: Duration::from_secs(90),
        }),
        Evidence::FailedConnects {
            process: Some(FailingProcess {
                failed: 480,
                refused: 450,
                destinations: vec![host],
            }),
            failed: 500,
            attempted: 520,
            window: Duration::from_secs(10),
        },
        Evidence::FailedConnects {
            process: None,
            failed: 500,
            attempted: 520,
            window: Duration::from_secs(10),
        },
        Evidence::LocalPorts(LocalPortsEvidence {
            local_address: host.address(),
            destination: Some(host),
            used: 26_000,
            available: 28_232,
        }),
        Evidence::LocalPorts(LocalPortsEvidence {
            local_address: host.address(),
            destination: None,
            used: 26_000,
            available: 28_232,
        }),
    ]
}

/// Silent peers: of a known process or without one, one peer or several.
fn silent_samples() -> Vec<Evidence> {
    let silent = |port, destinations| {
        Evidence::Unacknowledged(UnacknowledgedEvidence {
            peer: Endpoint::new([192, 0, 2, 200].into(), 16_379),
            port,
            destinations,
            sockets: 20,
            bytes: 80,
            longest: Duration::from_secs(75),
            retransmits: 9,
            uid: None,
            include_unowned: false,
        })
    };
    vec![silent(None, 1), silent(None, 7), silent(Some(8443), 3)]
}

#[test]
fn silent_peers_without_a_known_owner_have_their_lines() {
    let words = Catalogue::of(Language::English);
    let said = |user| {
        let Some(Evidence::Unacknowledged(mut silent)) = silent_samples().pop() else {
            panic!("a sample")
        };
        silent.uid = user;
        let finding = Finding {
            severity: Severity::Warning,
            since: Timestamp(0),
            clearing_since: None,
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
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::KernelThreadName,
            program: Text::from("/usr/bin/x"),
        },
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::SimilarName(Text::from("nginx")),
            program: Text::from("/home/u/nginxx"),
        },
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::InMemory,
            program: Text::from("/memfd:x (deleted)"),
        },
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::WorldWritableDirectory,
            program: Text::from("/dev/shm/x"),
        },
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::DifferentFile,
            program: Text::from("/usr/sbin/sshd"),
        },
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::PrivateFileSystem,
            program: Text::from("/app/bin/x"),
        },
        Evidence::NewListener {
            listener: host,
            program: None,
            on_all_addresses: true,
        },
        Evidence::SuspiciousPrograms(SuspiciousProgramsEvidence {
            uid: Some(2001),
            anomaly: "anybodys_folder",
            folder: Some(Text::from("/tmp")),
            count: 2500,
            names: vec![Text::from("miner"), Text::from("x")],
        }),
        Evidence::SuspiciousPrograms(SuspiciousProgramsEvidence {
            uid: Some(2001),
            anomaly: "other_file",
            folder: None,
            count: 4,
            names: vec![Text::from("sshd")],
        }),
        Evidence::UnownedListener {
            listener: host,
            uid: 2001,
        },
        Evidence::NotInBaseline(ssh()),
        Evidence::NotInBaseline(Listener {
            program: ListenerProgram::Unknown,
            ..ssh()
        }),
        Evidence::NotInBaseline(Listener {
            program: ListenerProgram::NotLocalFile,
            ..ssh()
        }),
        Evidence::MissingListener(ssh()),
        Evidence::MissingListener(Listener {
            program: ListenerProgram::Unknown,
            ..ssh()
        }),
        tripped(UserRuleGroup::All, None),
        tripped(UserRuleGroup::Process, None),
        tripped(UserRuleGroup::Remote(host.address()), None),
        tripped(UserRuleGroup::LocalPort(443), Some(Duration::from_mins(5))),
        tripped(UserRuleGroup::All, Some(Duration::from_mins(5))),
        tripped(UserRuleGroup::Process, Some(Duration::from_mins(5))),
        tripped(
            UserRuleGroup::Remote(host.address()),
            Some(Duration::from_mins(5)),
        ),
        tripped(UserRuleGroup::LocalPort(443), None),
        Evidence::SynFlood(SynFloodEvidence {
            listener: Some(host),
            half_open: 129,
            unanswered: 129,
            backlog: Some(128),
            cookies_sent: Some(5000),
            cookies_returned: Some(3),
            dropped: None,
        }),
        Evidence::CloseWait(CloseWaitEvidence {
            count: 213,
            growth: 12,
            window: Duration::from_mins(5),
            open_files: Some(900),
            open_files_limit: Some(1024),
        }),
        Evidence::CloseWait(CloseWaitEvidence {
            count: 1,
            growth: 0,
            window: Duration::from_mins(5),
            open_files: None,
            open_files_limit: None,
        }),
    ]
}

/// Every kind of holder: a process in every state, several workers, an unknown
/// one for every reason, and none.
fn holders() -> Vec<(Option<Arc<Process>>, FindingHolder)> {
    let states = [
        RunState::Normal,
        RunState::Stopped,
        RunState::Traced,
        RunState::Uninterruptible,
    ];
    let process = |run_state| {
        Arc::new(Process {
            pid: 812,
            name: Text::from("wormlike"),
            run_state,
            open_files: Some(OpenFiles {
                open: 24,
                limit: 24,
            }),
            ..Process::default()
        })
    };
    let mut holders: Vec<_> = states
        .map(|state| (Some(process(state)), FindingHolder::default()))
        .to_vec();
    let workers = FindingHolder {
        workers: vec![process(RunState::Normal)],
        ..FindingHolder::default()
    };
    holders.push((Some(process(RunState::Normal)), workers));
    holders.push((None, FindingHolder::default()));
    for reason in NoOwnerReason::ALL {
        for (uid, port) in [(None, Some(8081)), (Some(33), Some(8081)), (Some(33), None)] {
            let unseen = Some(UnknownHolder {
                reason,
                uid,
                namespace: 1,
                port,
            });
            let holder = FindingHolder {
                unknown: unseen,
                ..FindingHolder::default()
            };
            if uid.is_some() && matches!(reason, NoOwnerReason::Hidden | NoOwnerReason::Kernel) {
                let of_unit = FindingHolder {
                    opener: Some(Arc::new(Unit::system("web.service"))),
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
            for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
                for below_since in [None, Some(Timestamp(100))] {
                    all.push(Finding {
                        severity,
                        since: Timestamp(0),
                        clearing_since: below_since,
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
                &said.alternatives,
                &said.advice,
            ] {
                assert!(!text.trim().is_empty(), "{finding:?} {said:?}");
                assert!(!text.contains('{'), "{finding:?} {said:?}");
            }
            let most = if finding.process.is_some() { 90 } else { 110 };
            let opener = finding.holder.opener.as_ref();
            let most = most + opener.map_or(0, |unit| " (unit )".len() + unit.as_str().len());
            if finding.clearing_since.is_none() {
                assert!(said.line.chars().count() <= most, "{}", said.line);
            }
        }
    }
}

#[test]
fn a_holder_that_is_not_seen_is_told_as_far_as_it_is_known() {
    let words = Catalogue::of(Language::English);
    let line = |evidence: Evidence, reason| {
        let unseen = Some(UnknownHolder {
            reason,
            uid: Some(33),
            namespace: 1,
            port: Some(8081),
        });
        let finding = Finding {
            severity: Severity::Info,
            since: Timestamp(0),
            clearing_since: None,
            process: None,
            holder: FindingHolder {
                unknown: unseen,
                ..FindingHolder::default()
            },
            evidence,
        };
        describe(&finding, words).line
    };
    let leak = Evidence::CloseWait(CloseWaitEvidence {
        count: 60,
        growth: 0,
        window: Duration::from_mins(5),
        open_files: None,
        open_files_limit: None,
    });
    let expected = "a hidden process of uid 33, port 8081 has not closed what its peers have \
                    closed: 60 for over a minute";
    assert_eq!(line(leak, NoOwnerReason::Hidden), expected);
    let stalled = stall(Duration::from_secs(90), true, false);
    let expected = "a hidden process of uid 33 has accepted nothing on 0.0.0.0:0 for at least \
                    1 min 30 s (waiting: 42)";
    assert_eq!(line(stalled, NoOwnerReason::Hidden), expected);
}

#[test]
fn the_unit_that_opened_the_sockets_is_told_with_a_hidden_holder() {
    let words = Catalogue::of(Language::English);
    let unseen = UnknownHolder {
        reason: NoOwnerReason::Hidden,
        uid: Some(33),
        namespace: 1,
        port: Some(8081),
    };
    let said = |evidence: Evidence| {
        let finding = Finding {
            severity: Severity::Info,
            since: Timestamp(0),
            clearing_since: None,
            process: None,
            holder: FindingHolder {
                unknown: Some(unseen),
                opener: Some(Arc::new(Unit::system("web.service"))),
                ..FindingHolder::default()
            },
            evidence,
        };
        describe(&finding, words)
    };
    let leak = said(Evidence::CloseWait(CloseWaitEvidence {
        count: 60,
        growth: 0,
        window: Duration::from_mins(5),
        open_files: None,
        open_files_limit: None,
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
        on_all_addresses: true,
    });
    assert!(fresh.line.ends_with("(unit web.service)"), "{}", fresh.line);
}

#[test]
fn hidden_processes_that_wait_for_a_destination_are_told_by_user() {
    let finding = |reason| Finding {
        severity: Severity::Info,
        since: Timestamp(0),
        clearing_since: None,
        process: None,
        holder: FindingHolder {
            unknown: Some(UnknownHolder {
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
    let hidden = said(Language::English, NoOwnerReason::Hidden);
    let expected =
        "no answer from 198.51.100.100:5432 (sockets waiting: 3, hidden processes of uid 1000)";
    assert_eq!(hidden.line, expected);
    assert!(hidden.evidence.contains("of one process or of several"));
    assert!(hidden.advice.contains("as root"));
    let kernel = said(Language::English, NoOwnerReason::Kernel);
    let expected = "no answer from 198.51.100.100:5432 (sockets waiting: 3, no process seen here, \
                    uid 1000)";
    assert_eq!(kernel.line, expected);
    assert!(!kernel.advice.contains("as root"));
    let chinese = said(Language::Chinese, NoOwnerReason::Hidden);
    let expected = "198.51.100.100:5432 没有应答（等待的套接字：3，uid 1000 的不可见进程）";
    assert_eq!(chinese.line, expected);
}

#[test]
fn not_all_failed_is_not_a_hundred_percent() {
    assert_eq!(percent(1999, 2000), "99");
    assert_eq!(percent(2000, 2000), "100");
    assert_eq!(percent(0, 0), "0");
}
