//! Tests: rules, baseline and mutes of a user, over tables of a made-up
//! machine.

use super::personal::Wishes;
use super::user_rule::{Per, RuleLimit, UserRule};
use crate::filter::Filter;
use crate::model::baseline::{Baseline, Listener, ListenerProgram};
use crate::model::evidence::{Evidence, Group};
use crate::model::finding::{Finding, Rule, Severity};
use crate::model::mute::{Mute, RuleName};
use crate::model::namespace::Namespace;
use crate::model::observation::Observation;
use crate::model::process::{Process, Program};
use crate::model::protocol::Protocol;
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::text::Text;
use crate::monitor::fixture::{process, process_id, reading, socket, table};
use crate::monitor::{Monitor, MonitorOptions};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

fn rule(filter: &str, per: Per, limit: RuleLimit, hold: u64) -> UserRule {
    UserRule {
        name: Text::from("mine"),
        filter: Filter::parse(filter).unwrap(),
        per,
        limit,
        hold: Duration::from_secs(hold),
        severity: Severity::Warn,
        words: None,
    }
}

struct World {
    monitor: Monitor,
}

impl World {
    fn with(wishes: Wishes) -> Self {
        Self {
            monitor: Monitor::new(MonitorOptions {
                wishes,
                ..MonitorOptions::default()
            }),
        }
    }

    fn of(rule: UserRule) -> Self {
        Self::with(Wishes {
            rules: vec![rule],
            ..Wishes::default()
        })
    }

    /// Folds two tables, half a second apart: a socket that only one lacks does
    /// not count as closed.
    fn look(&mut self, second: u64, sockets: &[Socket]) -> Arc<Observation> {
        self.monitor.fold(reading(second * 1000, table(sockets)));
        let again = reading(second * 1000 + 500, table(sockets));
        self.monitor.fold(again).unwrap()
    }
}

fn established(numbers: std::ops::Range<u32>) -> Vec<Socket> {
    numbers
        .map(|number| socket(number, State::Established))
        .collect()
}

/// Group and count of each finding.
fn told(findings: &[Finding]) -> Vec<(Group, u32)> {
    findings
        .iter()
        .filter_map(|finding| match &finding.evidence {
            Evidence::UserRule(tripped) => Some((tripped.group, tripped.count)),
            _ => None,
        })
        .collect()
}

#[test]
fn more_than_the_count_is_a_finding_for_each_of_what_is_counted() {
    let remote = socket(0, State::Established).remote.address();
    let cases = [
        ("state established", Per::Total, 9, vec![]),
        ("state established", Per::Total, 8, vec![(Group::All, 9)]),
        (
            "state established",
            Per::Process,
            8,
            vec![(Group::Process, 9)],
        ),
        (
            "state established",
            Per::Remote,
            8,
            vec![(Group::Remote(remote), 9)],
        ),
        ("state established", Per::LocalPort, 1, vec![]),
        (
            "sport = :1024",
            Per::LocalPort,
            0,
            vec![(Group::LocalPort(1024), 1)],
        ),
        ("state listen", Per::Remote, 0, vec![]),
        ("state listen", Per::Total, 0, vec![(Group::All, 1)]),
        ("", Per::Total, 9, vec![(Group::All, 10)]),
    ];
    for (filter, per, count, expected) in cases {
        let mut world = World::of(rule(filter, per, RuleLimit::Count(count), 0));
        let mut sockets = established(0..9);
        sockets.push(socket(9, State::Listen));
        let seen = world.look(0, &sockets);
        assert_eq!(told(&seen.findings), expected, "{filter} {per:?} {count}");
    }
}

#[test]
fn its_rows_are_flagged_and_no_others() {
    let mut world = World::of(rule("sport = :1024", Per::Process, RuleLimit::Count(0), 0));
    let seen = world.look(0, &established(0..3));
    let flagged: Vec<u16> = seen
        .rows
        .iter()
        .filter(|row| row.flagged == Some(Severity::Warn))
        .map(|row| row.socket.local.port)
        .collect();
    assert_eq!(flagged, [1024]);
    assert_eq!(seen.findings[0].process.as_ref().unwrap().pid, 100);
}

#[test]
fn it_must_hold_and_it_falls_a_minute_after_half() {
    let mut world = World::of(rule("", Per::Total, RuleLimit::Count(4), 10));
    let counts = |world: &mut World, second, count| {
        let seen = world.look(second, &established(0..count));
        seen.findings.len()
    };
    assert_eq!(counts(&mut world, 0, 9), 0);
    // A moment below the limit restarts the time.
    assert_eq!(counts(&mut world, 5, 4), 0);
    assert_eq!(counts(&mut world, 9, 9), 0);
    assert_eq!(counts(&mut world, 12, 9), 0);
    assert_eq!(counts(&mut world, 19, 9), 1);
    // Above half sustains it for ever, half and less for a minute.
    assert_eq!(counts(&mut world, 200, 3), 1);
    assert_eq!(counts(&mut world, 210, 2), 1);
    assert_eq!(counts(&mut world, 269, 2), 1);
    assert_eq!(counts(&mut world, 270, 2), 0);
}

#[test]
fn growth_counts_from_the_least_of_the_window() {
    let grows = RuleLimit::Growth {
        by: 5,
        within: Duration::from_mins(1),
    };
    let mut world = World::of(rule("state established", Per::Process, grows, 0));
    assert!(world.look(0, &established(0..50)).findings.is_empty());
    assert!(world.look(10, &established(0..55)).findings.is_empty());
    let seen = world.look(20, &established(0..56));
    assert_eq!(told(&seen.findings), [(Group::Process, 6)]);
}

#[test]
fn what_is_muted_stands_apart_and_flags_no_row() {
    let mute = Mute {
        rule: RuleName::Theirs(Text::from("mine")),
        program: None,
    };
    let mut world = World::with(Wishes {
        rules: vec![rule("", Per::Total, RuleLimit::Count(0), 0)],
        mutes: vec![mute],
        ..Wishes::default()
    });
    let sockets = established(0..2);
    let seen = world.look(0, &sockets);
    assert_eq!((seen.findings.len(), seen.muted.len()), (0, 1));
    assert!(seen.rows.iter().all(|row| row.flagged.is_none()));
    world.monitor.set_mutes(Vec::new());
    let seen = world.look(1, &sockets);
    assert_eq!((seen.findings.len(), seen.muted.len()), (1, 0));
    assert!(seen.rows.iter().all(|row| row.flagged.is_some()));
}

#[test]
fn a_baseline_knows_who_is_meant_to_listen() {
    let known = socket(1, State::Listen);
    let away = socket(2, State::Listen);
    let listed = |socket: &Socket| Listener {
        protocol: Protocol::Tcp,
        address: socket.local.address(),
        port: socket.local.port,
        program: ListenerProgram::Unknown,
        uid: None,
    };
    let mut world = World::with(Wishes {
        baseline: Some(Baseline {
            listeners: BTreeSet::from([listed(&known), listed(&away)]),
        }),
        ..Wishes::default()
    });
    let rules = |seen: &Observation| -> Vec<(Rule, Severity)> {
        let findings = seen.findings.iter();
        findings
            .map(|finding| (finding.evidence.rule(), finding.severity))
            .collect()
    };
    assert_eq!(rules(&world.look(0, &[known])), []);
    // A listed listener that comes back is not reported.
    assert_eq!(rules(&world.look(3, &[known, away])), []);
    let stranger = socket(3, State::Listen);
    let unlisted = (Rule::NewListener, Severity::Warn);
    let missing = (Rule::MissingListener, Severity::Info);
    let seen = world.look(4, &[known, stranger]);
    assert_eq!(rules(&seen), [unlisted]);
    for row in seen.rows.iter() {
        let expected = (row.socket.key() == stranger.key()).then_some(Severity::Warn);
        assert_eq!(row.flagged, expected);
    }
    let seen = world.look(10, &[known, stranger]);
    assert_eq!(rules(&seen), [unlisted, missing]);
    // Once it is back it is not missing.
    let seen = world.look(11, &[known, away, stranger]);
    assert_eq!(rules(&seen), [unlisted]);
}

#[test]
fn a_baseline_is_of_the_own_namespace() {
    let own = socket(1, State::Listen);
    let elsewhere = Socket {
        namespace: 2,
        ..socket(2, State::Listen)
    };
    let namespace = |id, own| Namespace {
        id,
        name: None,
        own,
        entrance: None,
    };
    let mut world = World::with(Wishes {
        baseline: Some(Baseline::default()),
        ..Wishes::default()
    });
    let mut seen = Arc::default();
    for moment in [0, 500] {
        let mut table = table(&[own, elsewhere]);
        table.namespaces = vec![namespace(1, true), namespace(2, false)];
        seen = world.monitor.fold(reading(moment, table)).unwrap_or(seen);
    }
    assert_eq!(seen.rows.len(), 2);
    let found: Vec<u16> = seen
        .findings
        .iter()
        .filter_map(|finding| match &finding.evidence {
            Evidence::Unlisted(listener) => Some(listener.port),
            _ => None,
        })
        .collect();
    assert_eq!(found, [own.local.port]);
    assert_eq!(Baseline::of(&seen).listeners.len(), 1);
}

#[test]
fn a_mute_of_the_first_program_leaves_the_rows_of_the_second_flagged() {
    let program = |pid: u32, path: &str| {
        Arc::new(Process {
            pid,
            exe: Some(Program::here(path)),
            ..(*process(pid)).clone()
        })
    };
    // Whichever is reported first.
    for muted in ["/a", "/b"] {
        let mut world = World::with(Wishes {
            rules: vec![rule("", Per::Process, RuleLimit::Count(0), 0)],
            mutes: vec![Mute {
                rule: RuleName::Theirs(Text::from("mine")),
                program: Some(Text::from(muted)),
            }],
            ..Wishes::default()
        });
        let mut seen = Arc::default();
        for moment in [0, 500] {
            let mut table = table(&established(0..2));
            table.processes = vec![program(100, "/a"), program(101, "/b")];
            table.holders[1].process = process_id(1);
            seen = world.monitor.fold(reading(moment, table)).unwrap_or(seen);
        }
        let flagged: Vec<u16> = seen
            .rows
            .iter()
            .filter(|row| row.flagged.is_some())
            .map(|row| row.socket.local.port)
            .collect();
        let other = if muted == "/a" { 1025 } else { 1024 };
        assert_eq!((flagged, seen.muted.len()), (vec![other], 1), "{muted}");
    }
}
