//! What must be found, and what must stay silent: each scenario is a small
//! world in a TOML file, polled once a second through either source and at
//! several offsets, because nothing may depend on luck.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly and say what it saw"
)]

#[path = "scenarios/curve.rs"]
mod curve;
#[path = "scenarios/figures.rs"]
mod figures;
#[path = "scenarios/kernel.rs"]
mod kernel;
#[path = "scenarios/script.rs"]
mod script;
#[path = "scenarios/world.rs"]
mod world;

use figures::Figures;
use libtest_mimic::{Arguments, Trial};
use script::{Expectation, Script};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use tcplens::model::finding::{Finding, Rule, Severity};
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

/// When a world is polled.
fn polls(script: &Script, offset: f64) -> Vec<f64> {
    std::iter::successors(Some(offset), |second| Some(second + script.interval))
        .take_while(|second| *second <= script.seconds)
        .collect()
}

/// Polls a world to its end.
fn watch(script: &Script, source: SourceKind, offset: f64) -> Vec<(f64, Arc<Observation>)> {
    let world = World::new(script, source);
    let mut monitor = Monitor::default();
    polls(script, offset)
        .into_iter()
        .map(|second| {
            if let Some(events) = world.tell(second, script.interval) {
                monitor.fold(events);
            }
            let seen = monitor.fold(world.poll(second)).unwrap();
            let details = world.details(second, monitor.probed());
            monitor.fold(details);
            (second, seen)
        })
        .collect()
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
            findings.map(move |finding| sighting(*second, finding))
        })
        .collect()
}

fn severity(word: &str) -> Severity {
    [Severity::Info, Severity::Warning, Severity::Critical]
        .into_iter()
        .find(|severity| severity.word() == word)
        .unwrap_or_else(|| panic!("no severity {word}"))
}

/// Plays a scenario in all its variants. The error is what is wrong with the
/// first that fails.
fn play(name: &str, figures: &Mutex<Figures>) -> Result<(), String> {
    let script = load(name);
    let sources = SOURCES.into_iter().filter(|source| {
        // Some of it only one source can tell.
        script
            .source
            .as_deref()
            .is_none_or(|only| only == source.word())
    });
    let mut wrong = Vec::new();
    for source in sources {
        for offset in OFFSETS {
            let seen = sightings(&watch(&script, source, offset));
            let polls = polls(&script, offset);
            count(&script, &seen, &mut figures.lock().unwrap());
            let complaints = complaints(&script, &polls, &seen);
            if !complaints.is_empty() {
                let list: Vec<String> = complaints.into_iter().collect();
                let label = format!("{name} ({}, +{offset} s)", source.word());
                wrong.push(format!("{label}: {}\n{}", script.about, list.join("\n")));
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Adds what one play says about each rule.
fn count(script: &Script, seen: &[Sighting], figures: &mut Figures) {
    for expected in &script.expect {
        let first = grave(expected, seen).next();
        let in_time = first.filter(|first| *first <= expected.by);
        figures.wanted(&expected.rule, in_time.map(|at| at - expected.since));
    }
    for rule in Rule::ALL.map(Rule::key) {
        let wanted = script.expect.iter().map(|each| &each.rule);
        let allowed = script.allow.iter().map(|each| &each.rule);
        if !wanted.chain(allowed).any(|known| known == rule) {
            let said = seen.iter().any(|each| each.rule == rule);
            figures.silent(rule, said);
        }
    }
}

/// What is wrong with a play, said once each, however often.
fn complaints(script: &Script, polls: &[f64], found: &[Sighting]) -> BTreeSet<String> {
    let mut complaints = BTreeSet::new();
    for expected in &script.expect {
        complaints.extend(missing(expected, polls, found));
    }
    let mut said = BTreeSet::new();
    let unexpected = found.iter().filter(|each| !is_expected(script, each));
    complaints.extend(unexpected.filter_map(|each| {
        let Sighting {
            second,
            rule,
            severity,
            process,
        } = each;
        let what = format!("{} {rule} {process:?}", severity.word());
        let complaint = format!("{what} at {second:.2} is unexpected");
        said.insert(what).then_some(complaint)
    }));
    complaints
}

/// When an expected finding was there, as grave as it must be.
fn grave<'a>(
    expected: &'a Expectation,
    found: &'a [Sighting],
) -> impl Iterator<Item = f64> + Clone + 'a {
    let wanted = severity(&expected.severity);
    found
        .iter()
        .filter(move |each| is_same(expected, each) && each.severity >= wanted)
        .map(|each| each.second)
}

fn is_same(expected: &Expectation, found: &Sighting) -> bool {
    found.rule == expected.rule && found.process == expected.process
}

/// What is wrong about an expected finding.
fn missing(expected: &Expectation, polls: &[f64], found: &[Sighting]) -> Vec<String> {
    let grave: Vec<f64> = grave(expected, found).collect();
    let what = format!(
        "{} {} {:?}",
        expected.severity, expected.rule, expected.process
    );
    let Some(first) = grave.first().copied() else {
        return vec![format!("{what} is missing")];
    };
    let mut complaints = Vec::new();
    if first > expected.by {
        complaints.push(format!("{what} came at {first} only"));
    }
    if first < expected.since {
        complaints.push(format!("{what} came at {first} already"));
    }
    let until = expected.until.unwrap_or(first);
    let mut polls = polls.iter();
    let lost = polls.find(|second| (first..=until).contains(*second) && !grave.contains(second));
    complaints.extend(lost.map(|second| format!("{what} was lost at {second}")));
    let eased_by = expected.eased_by.unwrap_or(f64::INFINITY);
    let too_grave = grave.iter().find(|second| **second >= eased_by);
    complaints.extend(too_grave.map(|second| format!("{what} was as grave at {second}")));
    let gone_by = expected.gone_by.unwrap_or(f64::INFINITY);
    let late = found
        .iter()
        .filter(|each| is_same(expected, each))
        .find(|each| each.second >= gone_by);
    complaints.extend(late.map(|each| format!("{what} still stood at {}", each.second)));
    complaints
}

/// Whether a finding must or may come up.
fn is_expected(script: &Script, found: &Sighting) -> bool {
    let expected = script
        .expect
        .iter()
        .map(|each| (&each.rule, &each.severity, &each.process));
    let allowed = script
        .allow
        .iter()
        .map(|each| (&each.rule, &each.severity, &each.process));
    expected.chain(allowed).any(|(rule, most, process)| {
        rule == found.rule && found.severity <= severity(most) && *process == found.process
    })
}

fn the_waiting_sockets_of_a_worm_are_flagged() {
    let script = load("worm");
    let seen = watch(&script, SourceKind::SockDiag, 0.0);
    let (_, last) = seen.last().unwrap();
    for row in last.rows.iter() {
        let owner = last.first_owner(row).map(|process| process.name.as_str());
        let is_part = owner == Some("worm") && row.socket.state == State::SynSent;
        assert_eq!(row.severity, is_part.then_some(Severity::Critical));
    }
}

/// The scenarios there are.
fn written() -> BTreeSet<String> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// Not the ordinary harness: it has no end at which the figures could be told.
fn main() -> ExitCode {
    let figures = Arc::new(Mutex::new(Figures::default()));
    let mut trials: Vec<Trial> = written()
        .into_iter()
        .map(|name| {
            let figures = Arc::clone(&figures);
            Trial::test(name.clone(), move || Ok(play(&name, &figures)?))
        })
        .collect();
    trials.push(Trial::test(
        "the_waiting_sockets_of_a_worm_are_flagged",
        || {
            the_waiting_sockets_of_a_worm_are_flagged();
            Ok(())
        },
    ));
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        print!("{}", figures.lock().unwrap());
    }
    conclusion.exit_code()
}
