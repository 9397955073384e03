//! Tests: rules, baseline and mutes of a user, over tables of a made-up
//! machine.

use super::user_rule::{GroupBy, RuleLimit, UserRule};
use super::user_rule_engine::UserRules;
use crate::filter::Filter;
use crate::model::baseline::{Baseline, Listener, ListenerProgram};
use crate::model::evidence::{Evidence, UserRuleGroup};
use crate::model::finding::{Finding, Rule, Severity};
use crate::model::mute::{Mute, RuleId};
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

fn rule(filter: &str, per: GroupBy, limit: RuleLimit, hold: u64) -> UserRule {
    UserRule {
        name: Text::from("mine"),
        filter: Filter::parse(filter).unwrap(),
        group_by: per,
        limit,
        min_duration: Duration::from_secs(hold),
        severity: Severity::Warning,
        message: None,
    }
}

struct UserRuleFixture {
    monitor: Monitor,
}

impl UserRuleFixture {
    fn with(wishes: UserRules) -> Self {
        Self {
            monitor: Monitor::new(MonitorOptions {
                user_rules: wishes,
                ..MonitorOptions::default()
            }),
        }
    }

    fn of(rule: UserRule) -> Self {
        Self::with(UserRules {
            rules: vec![rule],
            ..UserRules::default()
        })
    }

    /// Folds two tables, half a second apart: a socket that only one lacks does
    /// not count as closed.
    fn fold_table(&mut self, second: u64, sockets: &[Socket]) -> Arc<Observation> {
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
fn told(findings: &[Finding]) -> Vec<(UserRuleGroup, u32)> {
    findings
        .iter()
        .filter_map(|finding| match &finding.evidence {
            Evidence::UserRule(tripped) => Some((tripped.group, tripped.count)),
            _ => None,
        })
        .collect()
}

#[test]
fn every_group_above_the_count_has_a_finding() {
    let remote = socket(0, State::Established).remote.address();
    let cases = [
        ("state established", GroupBy::Total, 9, vec![]),
        (
            "state established",
            GroupBy::Total,
            8,
            vec![(UserRuleGroup::All, 9)],
        ),
        (
            "state established",
            GroupBy::Process,
            8,
            vec![(UserRuleGroup::Process, 9)],
        ),
        (
            "state established",
            GroupBy::Remote,
            8,
            vec![(UserRuleGroup::Remote(remote), 9)],
        ),
        ("state established", GroupBy::LocalPort, 1, vec![]),
        (
            "sport = :1024",
            GroupBy::LocalPort,
            0,
            vec![(UserRuleGroup::LocalPort(1024), 1)],
        ),
        ("state listen", GroupBy::Remote, 0, vec![]),
        (
            "state listen",
            GroupBy::Total,
            0,
            vec![(UserRuleGroup::All, 1)],
        ),
        ("", GroupBy::Total, 9, vec![(UserRuleGroup::All, 10)]),
    ];
    for (filter, per, count, expected) in cases {
        let mut world = UserRuleFixture::of(rule(filter, per, RuleLimit::Count(count), 0));
        let mut sockets = established(0..9);
        sockets.push(socket(9, State::Listen));
        let seen = world.fold_table(0, &sockets);
        assert_eq!(told(&seen.findings), expected, "{filter} {per:?} {count}");
    }
}

#[test]
fn its_rows_are_flagged_and_no_others() {
    let mut world = UserRuleFixture::of(rule(
        "sport = :1024",
        GroupBy::Process,
        RuleLimit::Count(0),
        0,
    ));
    let seen = world.fold_table(0, &established(0..3));
    let flagged: Vec<u16> = seen
        .rows
        .iter()
        .filter(|row| row.severity == Some(Severity::Warning))
        .map(|row| row.socket.local.port)
        .collect();
    assert_eq!(flagged, [1024]);
    assert_eq!(seen.findings[0].process.as_ref().unwrap().pid, 100);
}

#[test]
fn a_count_must_last_and_clears_a_minute_after_half() {
    let mut world = UserRuleFixture::of(rule("", GroupBy::Total, RuleLimit::Count(4), 10));
    let counts = |world: &mut UserRuleFixture, second, count| {
        let seen = world.fold_table(second, &established(0..count));
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
    let mut world = UserRuleFixture::of(rule("state established", GroupBy::Process, grows, 0));
    assert!(world.fold_table(0, &established(0..50)).findings.is_empty());
    assert!(
        world
            .fold_table(10, &established(0..55))
            .findings
            .is_empty()
    );
    let seen = world.fold_table(20, &established(0..56));
    assert_eq!(told(&seen.findings), [(UserRuleGroup::Process, 6)]);
}

#[test]
fn what_is_muted_stands_apart_and_flags_no_row() {
    let mute = Mute {
        rule: RuleId::User(Text::from("mine")),
        program: None,
    };
    let mut world = UserRuleFixture::with(UserRules {
        rules: vec![rule("", GroupBy::Total, RuleLimit::Count(0), 0)],
        mutes: vec![mute],
        ..UserRules::default()
    });
    let sockets = established(0..2);
    let seen = world.fold_table(0, &sockets);
    assert_eq!((seen.findings.len(), seen.muted.len()), (0, 1));
    assert!(seen.rows.iter().all(|row| row.severity.is_none()));
    world.monitor.set_mutes(Vec::new());
    let seen = world.fold_table(1, &sockets);
    assert_eq!((seen.findings.len(), seen.muted.len()), (1, 0));
    assert!(seen.rows.iter().all(|row| row.severity.is_some()));
}

#[test]
fn a_baseline_reports_unlisted_and_missing_listeners() {
    let known = socket(1, State::Listen);
    let away = socket(2, State::Listen);
    let listed = |socket: &Socket| Listener {
        protocol: Protocol::Tcp,
        address: socket.local.address(),
        port: socket.local.port,
        program: ListenerProgram::Unknown,
        uid: None,
    };
    let mut world = UserRuleFixture::with(UserRules {
        baseline: Some(Baseline {
            listeners: BTreeSet::from([listed(&known), listed(&away)]),
        }),
        ..UserRules::default()
    });
    let rules = |seen: &Observation| -> Vec<(Rule, Severity)> {
        let findings = seen.findings.iter();
        findings
            .map(|finding| (finding.evidence.rule(), finding.severity))
            .collect()
    };
    assert_eq!(rules(&world.fold_table(0, &[known])), []);
    // A listed listener that comes back is not reported.
    assert_eq!(rules(&world.fold_table(3, &[known, away])), []);
    let stranger = socket(3, State::Listen);
    let unlisted = (Rule::NewListener, Severity::Warning);
    let missing = (Rule::MissingListener, Severity::Info);
    let seen = world.fold_table(4, &[known, stranger]);
    assert_eq!(rules(&seen), [unlisted]);
    for row in seen.rows.iter() {
        let expected = (row.socket.key() == stranger.key()).then_some(Severity::Warning);
        assert_eq!(row.severity, expected);
    }
    let seen = world.fold_table(10, &[known, stranger]);
    assert_eq!(rules(&seen), [unlisted, missing]);
    // Once it is back it is not missing.
    let seen = world.fold_table(11, &[known, away, stranger]);
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
        is_current: own,
        entry: None,
    };
    let mut world = UserRuleFixture::with(UserRules {
        baseline: Some(Baseline::default()),
        ..UserRules::default()
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
            Evidence::NotInBaseline(listener) => Some(listener.port),
            _ => None,
        })
        .collect();
    assert_eq!(found, [own.local.port]);
    assert_eq!(Baseline::from_observation(&seen).listeners.len(), 1);
}

#[test]
fn a_mute_of_the_first_program_leaves_the_rows_of_the_second_flagged() {
    let program = |pid: u32, path: &str| {
        Arc::new(Process {
            pid,
            exe: Some(Program::verified(path)),
            ..(*process(pid)).clone()
        })
    };
    // Whichever is reported first.
    for muted in ["/a", "/b"] {
        let mut world = UserRuleFixture::with(UserRules {
            rules: vec![rule("", GroupBy::Process, RuleLimit::Count(0), 0)],
            mutes: vec![Mute {
                rule: RuleId::User(Text::from("mine")),
                program: Some(Text::from(muted)),
            }],
            ..UserRules::default()
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
            .filter(|row| row.severity.is_some())
            .map(|row| row.socket.local.port)
            .collect();
        let other = if muted == "/a" { 1025 } else { 1024 };
        assert_eq!((flagged, seen.muted.len()), (vec![other], 1), "{muted}");
    }
}
