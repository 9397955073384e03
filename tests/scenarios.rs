//! What must be found, and what must stay silent: each scenario is a small
//! world in a TOML file, polled once a second through either source and at
//! several offsets, because nothing may depend on luck.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly and say what it saw"
)]

#[path = "scenarios/script.rs"]
mod script;
#[path = "scenarios/world.rs"]
mod world;

use script::{Expectation, Script};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tcplens::model::finding::{Finding, Severity};
use tcplens::model::observation::Observation;
use tcplens::model::reading::SourceKind;
use tcplens::model::state::State;
use tcplens::monitor::Monitor;
use world::World;

/// Parts of a second by which the polls are late.
const OFFSETS: [f64; 3] = [0.0, 0.37, 0.81];
const SOURCES: [SourceKind; 2] = [SourceKind::SockDiag, SourceKind::Proc];

/// What was found, when.
struct Sighting {
    second: f64,
    rule: &'static str,
    severity: Severity,
    process: Option<String>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn load(name: &str) -> Script {
    let path = folder().join(format!("{name}.toml"));
    let text = fs::read_to_string(&path).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Polls a world to its end.
fn watch(script: &Script, source: SourceKind, offset: f64) -> Vec<(f64, Arc<Observation>)> {
    let world = World::new(script, source);
    let mut monitor = Monitor::default();
    let mut seen = Vec::new();
    let mut second = offset;
    while second <= script.seconds {
        seen.push((second, monitor.fold(world.poll(second)).unwrap()));
        second += 1.0;
    }
    seen
}

fn sightings(seen: &[(f64, Arc<Observation>)]) -> Vec<Sighting> {
    let sighting = |second: f64, finding: &Finding| Sighting {
        second,
        rule: finding.evidence.rule().key(),
        severity: finding.severity,
        process: finding.process.as_ref().map(|each| each.name.to_string()),
    };
    seen.iter()
        .flat_map(|(second, observation)| {
            let findings = observation.findings.iter();
            findings.map(|finding| sighting(*second, finding))
        })
        .collect()
}

fn severity(word: &str) -> Severity {
    [Severity::Info, Severity::Warn, Severity::Alarm]
        .into_iter()
        .find(|severity| severity.word() == word)
        .unwrap_or_else(|| panic!("no severity {word}"))
}

/// Plays a scenario in all its variants.
fn play(name: &str) {
    let script = load(name);
    for source in SOURCES {
        for offset in OFFSETS {
            let label = format!("{name} ({}, +{offset} s)", source.word());
            judge(&label, &script, &watch(&script, source, offset));
        }
    }
}

fn judge(label: &str, script: &Script, seen: &[(f64, Arc<Observation>)]) {
    let found = sightings(seen);
    // Said once each, however often.
    let mut complaints = BTreeSet::new();
    for expected in &script.expect {
        complaints.extend(missing(label, expected, seen, &found));
    }
    complaints.extend(found.iter().filter_map(|each| surplus(script, each)));
    let complaints: Vec<String> = complaints.into_iter().collect();
    let list = complaints.join("\n");
    assert!(list.is_empty(), "{label}: {}\n{list}", script.about);
}

/// What is wrong about an expected finding.
fn missing(
    label: &str,
    expected: &Expectation,
    seen: &[(f64, Arc<Observation>)],
    found: &[Sighting],
) -> Vec<String> {
    let wanted = severity(&expected.severity);
    let same = |each: &&Sighting| each.rule == expected.rule && each.process == expected.process;
    let grave: Vec<f64> = found
        .iter()
        .filter(same)
        .filter(|each| each.severity >= wanted)
        .map(|each| each.second)
        .collect();
    let what = format!(
        "{} {} {:?}",
        expected.severity, expected.rule, expected.process
    );
    let Some(first) = grave.first().copied() else {
        return vec![format!("{what} is missing")];
    };
    println!("{label}: {what} at {first:.2} s");
    let mut complaints = Vec::new();
    if first > expected.by {
        complaints.push(format!("{what} came at {first} only"));
    }
    let until = expected.until.unwrap_or(first);
    let polls = seen.iter().map(|(second, _)| *second);
    let lost = polls
        .clone()
        .find(|second| (first..=until).contains(second) && !grave.contains(second));
    complaints.extend(lost.map(|second| format!("{what} was lost at {second}")));
    let gone_by = expected.gone_by.unwrap_or(f64::INFINITY);
    let late = found
        .iter()
        .filter(same)
        .find(|each| each.second >= gone_by);
    complaints.extend(late.map(|each| format!("{what} still stood at {}", each.second)));
    complaints
}

/// What is wrong about a finding that came up.
fn surplus(script: &Script, found: &Sighting) -> Option<String> {
    let expected = script
        .expect
        .iter()
        .map(|each| (&each.rule, &each.severity, &each.process));
    let allowed = script
        .allow
        .iter()
        .map(|each| (&each.rule, &each.severity, &each.process));
    let fits = expected.chain(allowed).any(|(rule, most, process)| {
        rule == found.rule && found.severity <= severity(most) && *process == found.process
    });
    (!fits).then(|| {
        let Sighting {
            second,
            rule,
            severity,
            process,
        } = found;
        format!(
            "{} {rule} {process:?} at {second} is unexpected",
            severity.word()
        )
    })
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                play(stringify!($name));
            }
        )*

        #[test]
        fn every_scenario_is_played() {
            let played = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let written: BTreeSet<String> = fs::read_dir(folder())
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
                .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            assert_eq!(played, written);
        }
    };
}

scenarios! {
    broken_ipv6
    broken_ipv6_at_once
    browser
    browser_stumbles
    busy_server
    chatter
    crawler_10
    crawler_30
    curl
    forking_worm
    health_checker
    health_checker_patient
    health_checker_remains
    late_infection
    load_balancer
    load_balancer_five
    network_down
    one_database_down
    owners_found_late
    peer_to_peer_55
    peer_to_peer_70
    peer_to_peer_88
    peer_to_peer_96
    port_scan
    resets
    short_worm
    slow_worm
    stale_at_the_start
    two_hundred_successes
    workers_of_one_backend
    worm
    worm_already_running
    worm_beside_a_proxy
    worm_ended
    worm_over_ipv6
    worm_paused
}

#[test]
fn the_waiting_sockets_of_a_worm_are_flagged() {
    let script = load("worm");
    let seen = watch(&script, SourceKind::SockDiag, 0.0);
    let (_, last) = seen.last().unwrap();
    for row in last.rows.iter() {
        let owner = last.first_owner(row).map(|process| process.name.as_str());
        let is_part = owner == Some("worm") && row.socket.state == State::SynSent;
        assert_eq!(row.flagged, is_part.then_some(Severity::Alarm));
    }
}
