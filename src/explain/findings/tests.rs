//! Every finding in words, with samples of all evidence there is.

use super::super::catalogue::Language;
use super::*;
use crate::model::baseline::Listener;
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{
    Failing, HalfOpen, Leak, PortUse, ScanEvidence, Stillness, Unacknowledged,
};
use crate::model::process::Process;
use crate::model::protocol::{Family, Protocol};
use crate::model::text::Text;
use crate::model::time::Stamp;
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

/// One of each, or more where their words differ.
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
        program: Some(Text::from("/usr/sbin/sshd")),
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
            process: None,
            evidence: Evidence::UserRule(rule),
        };
        describe(&finding, words).line
    };
    assert_eq!(said("{count} of {limit}!"), "12 of 10!");
    assert_eq!(said("\u{1b}[31m{count}"), "\\x1b[31m12");
    // What has no such place is told in our words.
    let ours = "many sockets: 12 sockets in all, more than 10";
    assert_eq!(said("{remote}"), ours);
}

/// The same for the rules that are not about first contacts.
fn more_samples() -> Vec<Evidence> {
    let host = Endpoint::default();
    vec![
        Evidence::AcceptQueue {
            listener: host,
            waiting: 100,
            backlog: 128,
            overflows: None,
            full: false,
        },
        Evidence::AcceptQueue {
            listener: host,
            waiting: 129,
            backlog: 128,
            overflows: Some(7),
            full: true,
        },
        Evidence::TimeWaitHeap {
            count: 250_000,
            most: 262_144,
            overflows: 0,
        },
        Evidence::Orphans {
            orphans: 40_000,
            most: 65_536,
        },
        Evidence::PeerNotReading(Stillness {
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
            to: host,
            used: 26_000,
            room: 28_232,
        }),
    ]
}

/// Silent peers: of one process or of nobody in sight, one peer or several.
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
            process: None,
            evidence: Evidence::Unacknowledged(silent),
        };
        describe(&finding, words).line
    };
    let line = "No ACK from 192.0.2.200:16379 for 1 min 15 s (sockets: 20, ";
    assert_eq!(said(Some(33)), format!("{line}owner hidden, uid 33)"));
    assert_eq!(said(None), format!("{line}already closed here)"));
}

/// And for those that are about programs and listeners, or about more than one
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
        Evidence::NewListener {
            listener: host,
            program: None,
            open_to_all: true,
        },
        Evidence::Unlisted(ssh()),
        Evidence::Missing(ssh()),
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

#[test]
fn every_finding_has_every_sentence() {
    let words = Catalogue::of(Language::English);
    let severities = [Severity::Info, Severity::Warn, Severity::Alarm];
    for (evidence, severity) in samples()
        .into_iter()
        .chain(more_samples())
        .chain(still_more_samples())
        .chain(silent_samples())
        .flat_map(|evidence| severities.map(|severity| (evidence.clone(), severity)))
    {
        let finding = Finding {
            severity,
            since: Stamp(0),
            below_since: None,
            process: Some(Arc::new(Process {
                pid: 812,
                name: Text::from("wormlike"),
                ..Process::default()
            })),
            evidence,
        };
        let said = describe(&finding, words);
        for text in [
            &said.title,
            &said.line,
            &said.evidence,
            &said.otherwise,
            &said.next,
        ] {
            assert!(!text.is_empty(), "{finding:?} {said:?}");
        }
        assert!(said.line.chars().count() <= 90, "{}", said.line);
    }
}

#[test]
fn not_all_failed_is_not_a_hundred_percent() {
    assert_eq!(percent(1999, 2000), "99");
    assert_eq!(percent(2000, 2000), "100");
    assert_eq!(percent(0, 0), "0");
}
