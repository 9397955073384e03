//! When the kernel gives up, against what was said of it before: real sockets
//! whose peers are silent, with few tries so that nobody waits for long.

use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use super::readings::look;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::explain::diagnosis::diagnose;
use tcplens::lab::DeviceChoice;
use tcplens::lab::rig::Rig;
use tcplens::model::observation::Observation;
use tcplens::model::row::Phase;
use tcplens::model::socket::SocketKey;
use tcplens::model::state::State;
use tcplens::monitor::Monitor;
use tcplens::source::live::{LiveOptions, LiveSource};

/// Few tries, below `/proc/sys/net/ipv4`.
const SETTINGS: [(&str, &str); 3] = [
    ("tcp_syn_retries", "3"),
    ("tcp_retries2", "4"),
    ("tcp_orphan_retries", "5"),
];
/// Who must be among them: a SYN, data or a FIN of a program, and of nobody.
const STATES: [State; 3] = [State::SynSent, State::FinWait1, State::LastAck];
/// How far an end may be from what was said: that is told in whole seconds, and
/// timers fire late.
const TOLERANCE: f64 = 1.5;
/// The same as a share of the time.
const SHARE: f64 = 0.1;

/// An end that was foretold.
struct Foretold {
    state: State,
    held: bool,
    at: Instant,
    within: f64,
}

pub(crate) fn ends_come_as_they_were_foretold(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    rig.create_all().unwrap();
    for (name, value) in SETTINGS {
        fs::write(format!("/proc/sys/net/ipv4/{name}"), value).unwrap();
    }
    let mut live = LiveSource::open(&LiveOptions::default()).unwrap();
    let mut monitor = Monitor::default();
    let mut foretold: BTreeMap<SocketKey, Foretold> = BTreeMap::new();
    let mut ended: Vec<(Foretold, f64)> = Vec::new();
    wait_for("the ends that were foretold", || {
        let seen = look(&mut live, &mut monitor);
        let now = Instant::now();
        let there: BTreeSet<(SocketKey, State)> = seen
            .rows
            .iter()
            .filter(|row| row.phase != Phase::Closed)
            .map(|row| (row.socket.key(), row.socket.state))
            .collect();
        let over: Vec<SocketKey> = foretold
            .iter()
            .filter(|(key, told)| !there.contains(&(**key, told.state)))
            .map(|(key, _)| *key)
            .collect();
        for key in over {
            let told = foretold.remove(&key).unwrap();
            let lasted = (now - told.at).as_secs_f64();
            ended.push((told, lasted));
        }
        for (key, told) in tellings(&seen, now) {
            foretold.entry(key).or_insert(told);
        }
        let all = STATES
            .iter()
            .all(|state| ended.iter().any(|(told, _)| told.state == *state));
        (all && foretold.is_empty()).then_some(())
    });
    let mut worst: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (told, lasted) in &ended {
        let off = lasted - told.within;
        let held = if told.held { "held" } else { "of nobody" };
        let kind = worst.entry(format!("{} {held}", told.state)).or_default();
        if off.abs() >= (kind.0 - kind.1).abs() {
            *kind = (*lasted, told.within);
        }
        assert!(
            off.abs() <= TOLERANCE + told.within * SHARE,
            "{}: {} s foretold, {lasted:.1} s lasted",
            told.state,
            told.within
        );
    }
    println!(
        "{} ends as foretold; the furthest off (came, foretold, seconds): {worst:.1?}",
        ended.len()
    );
    assert!(ended.iter().any(|(told, _)| told.held));
    assert!(ended.iter().any(|(told, _)| !told.held));
    Ok(())
}

/// What is said now of sockets that the kernel will give up.
fn tellings(seen: &Observation, now: Instant) -> Vec<(SocketKey, Foretold)> {
    let words = Catalogue::of(Language::English);
    let rows = seen.rows.iter().filter(|row| row.phase != Phase::Closed);
    rows.filter_map(|row| {
        let told = diagnose(row, seen, words).sentences.join(" ");
        let (_, rest) = told.split_once("gives up in about ")?;
        let within = seconds(rest)?.as_secs_f64();
        let told = Foretold {
            state: row.socket.state,
            held: row.socket.inode.is_some(),
            at: now,
            within,
        };
        Some((row.socket.key(), told))
    })
    .collect()
}

/// A length as it is said, of less than an hour: `2 min 11 s`.
fn seconds(text: &str) -> Option<Duration> {
    let mut words = text.split([' ', ',', '.', ';']);
    let first: u64 = words.next()?.parse().ok()?;
    let minutes = match words.next()? {
        "s" => return Some(Duration::from_secs(first)),
        "min" => Duration::from_mins(first),
        _ => return None,
    };
    let more = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Some(minutes + Duration::from_secs(more))
}
