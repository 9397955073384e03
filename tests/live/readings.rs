//! What is said of a socket against what ss(8) says of it: every number that a
//! diagnosis tells is read back from its English sentences.

use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::explain::diagnosis::{Diagnosis, diagnose};
use tcplens::lab::DeviceChoice;
use tcplens::lab::rig::Rig;
use tcplens::model::observation::Observation;
use tcplens::model::protocol::Protocol;
use tcplens::model::row::Row;
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::monitor::Monitor;
use tcplens::source::ReadingSource;
use tcplens::source::live::{LiveOptions, LiveSource};

/// Where to write what was said, for people to read.
const SHOW: &str = "TCPLENS_SHOW";

/// Names of the sentences that tell numbers.
const TELLING: [&str; 13] = [
    "recv_pending",
    "send_pending",
    "unread",
    "retransmitting",
    "next_try",
    "zero_window",
    "keepalive",
    "keepalive_failing",
    "expires",
    "queue",
    "full",
    "queue_full",
    "shared",
];

/// Places whose numbers ss tells, too: each must have been told at least once.
const PLACES: [&str; 6] = [
    "unread",
    "unsent",
    "retransmits",
    "expires",
    "waiting",
    "backlog",
];

/// A socket as ss has it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Witness {
    recv: u64,
    send: u64,
    retransmits: u64,
    /// Seconds until the timer fires, and how exactly that is told.
    due: Option<(f64, f64)>,
    line: String,
}

type Witnesses = BTreeMap<String, Witness>;

pub(crate) fn tell_what_ss_tells(namespace: &LabNamespace) -> Result<(), NotHere> {
    if ss().is_none() {
        return Err(NotHere::NoTool("ss"));
    }
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    rig.create_all().unwrap();
    let mut live = LiveSource::open(&LiveOptions::default()).unwrap();
    let mut monitor = Monitor::default();
    // A SYN is repeated after a second.
    let told = wait_for("each kind of number", || {
        let before = ss()?;
        let seen = look(&mut live, &mut monitor);
        let after = ss()?;
        let told = compare(&seen, &before, &after);
        let all = PLACES.iter().all(|place| told.contains_key(place));
        (all && seen.rows.iter().any(dials_again)).then_some(told)
    });
    println!("numbers as ss has them: {told:?}");
    show(&rig, &look(&mut live, &mut monitor), &ss().unwrap());
    Ok(())
}

fn dials_again(row: &Row) -> bool {
    let timer = row.socket.timer.as_ref();
    row.socket.state == State::SynSent && timer.is_some_and(|timer| timer.retransmits > 0)
}

/// A table with all the kernel tells of the connections in it.
pub(crate) fn look(live: &mut LiveSource, monitor: &mut Monitor) -> Arc<Observation> {
    let seen = monitor.fold(live.read_table().unwrap()).unwrap();
    let sockets = seen.rows.iter().map(|row| row.socket);
    let connections: Vec<Socket> = sockets.filter(Socket::is_connection).collect();
    let details = live.read_details(&connections);
    monitor.fold(details).unwrap()
}

/// Compares the numbers of all rows; counts them by what they tell.
fn compare(
    seen: &Observation,
    before: &Witnesses,
    after: &Witnesses,
) -> BTreeMap<&'static str, u32> {
    let mut told = BTreeMap::new();
    for row in seen.rows.iter().filter(|row| is_tcp(row)) {
        let Some((first, last)) = cookie(row).and_then(|cookie| both(&cookie, before, after))
        else {
            continue;
        };
        for (name, place, said) in numbers(row, seen) {
            let queue = match row.socket.state {
                State::Listen => Some((first, last)),
                _ => listener(row, seen).and_then(|cookie| both(&cookie, before, after)),
            };
            let agreed = match place {
                "unread" => within(&said, unread(row, first), unread(row, last)),
                "unsent" => within(&said, unsent(row, first), unsent(row, last)),
                "retransmits" => within(&said, first.retransmits, last.retransmits),
                "waiting" => {
                    queue.map(|(one, other)| within(&said, one.recv, other.recv) == Some(true))
                }
                "backlog" => {
                    queue.map(|(one, other)| within(&said, one.send, other.send) == Some(true))
                }
                "expires" => in_time(&said, first, last),
                _ => continue,
            };
            if let Some(agreed) = agreed {
                assert!(
                    agreed,
                    "{name} tells {place} {said:?}\n{}\n{}",
                    first.line, last.line
                );
                *told
                    .entry(PLACES.into_iter().find(|known| *known == place).unwrap())
                    .or_default() += 1;
            }
        }
    }
    told
}

/// Whether a number is what ss had before or after; none where it changed in
/// between by more than can be told apart.
fn within(said: &str, before: u64, after: u64) -> Option<bool> {
    let said: u64 = said.replace(',', "").parse().ok()?;
    let (low, high) = (before.min(after), before.max(after));
    Some((low..=high).contains(&said))
}

/// Whether a timer fires when ss says, to a second; none where it has begun
/// anew in between.
fn in_time(said: &str, first: &Witness, last: &Witness) -> Option<bool> {
    let (latest, coarse) = first.due?;
    let (earliest, _) = last.due?;
    if earliest > latest {
        return None;
    }
    let said = seconds(said)?;
    Some(said >= earliest - 1.0 && said <= latest + coarse + 1.0)
}

/// A length as the program writes it.
fn seconds(text: &str) -> Option<f64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut sum = 0.0;
    for pair in words.chunks(2) {
        let [number, unit] = pair else {
            return None;
        };
        let number: f64 = number.parse().ok()?;
        sum += number
            * match *unit {
                "ms" => 0.001,
                "s" => 1.0,
                "min" => 60.0,
                "h" => 3600.0,
                _ => return None,
            };
    }
    Some(sum)
}

/// The numbers told of a row: sentence, place and text.
fn numbers(row: &Row, seen: &Observation) -> Vec<(&'static str, &'static str, String)> {
    let words = Catalogue::of(Language::English);
    let diagnosis = diagnose(row, seen, words);
    let mut found = Vec::new();
    for name in TELLING {
        let of_state = words.diagnosis(row.socket.state.key(), name);
        let template = match of_state {
            "" => words.diagnosis("any", name),
            text => text,
        };
        let read = diagnosis
            .sentences
            .iter()
            .find_map(|said| read_back(template, said));
        found.extend(
            read.into_iter()
                .flatten()
                .map(|(place, text)| (name, place, text)),
        );
    }
    found
}

/// What stands at the places of a sentence; none if it is another sentence.
fn read_back<'t>(template: &'t str, said: &str) -> Option<Vec<(&'t str, String)>> {
    let mut found = Vec::new();
    let (head, mut template) = template.split_once('{')?;
    let mut said = said.strip_prefix(head)?;
    loop {
        let (place, rest) = template.split_once('}')?;
        let (literal, further) = rest
            .split_once('{')
            .map_or((rest, None), |(text, next)| (text, Some(next)));
        let end = match (literal, further) {
            (literal, None) => said.strip_suffix(literal)?.len(),
            (literal, Some(_)) => said.find(literal)?,
        };
        found.push((place, said[..end].to_owned()));
        said = &said[end + literal.len()..];
        match further {
            Some(next) => template = next,
            None => return Some(found),
        }
    }
}

fn is_tcp(row: &Row) -> bool {
    row.socket.protocol == Protocol::Tcp
}

fn cookie(row: &Row) -> Option<String> {
    row.socket.cookie.map(|cookie| format!("{cookie:x}"))
}

/// The listener whose queue a row waits in.
fn listener(row: &Row, seen: &Observation) -> Option<String> {
    cookie(seen.best_listeners(row).next()?)
}

fn both<'w>(
    cookie: &str,
    before: &'w Witnesses,
    after: &'w Witnesses,
) -> Option<(&'w Witness, &'w Witness)> {
    before.get(cookie).zip(after.get(cookie))
}

/// The FIN counts as a byte.
fn unread(row: &Row, witness: &Witness) -> u64 {
    witness
        .recv
        .saturating_sub(u64::from(row.socket.state == State::CloseWait))
}

fn unsent(row: &Row, witness: &Witness) -> u64 {
    let fin = matches!(
        row.socket.state,
        State::FinWait1 | State::Closing | State::LastAck
    );
    witness.send.saturating_sub(u64::from(fin))
}

/// The TCP sockets that ss lists, by cookie; none where it is not installed.
fn ss() -> Option<Witnesses> {
    let output = Command::new("ss").arg("-tanoieOH").output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().filter_map(witness).collect())
}

fn witness(line: &str) -> Option<(String, Witness)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let named = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
    let timer = named("timer:(").map(|timer| timer.trim_end_matches(')'));
    let parts: Vec<&str> = timer
        .into_iter()
        .flat_map(|timer| timer.split(','))
        .collect();
    let witness = Witness {
        recv: fields.get(1)?.parse().ok()?,
        send: fields.get(2)?.parse().ok()?,
        retransmits: parts.get(2).map_or(0, |number| number.parse().unwrap()),
        due: parts.get(1).and_then(|text| due(text)),
        line: fields.join(" "),
    };
    Some((named("sk:")?.to_owned(), witness))
}

/// ss writes `1min39sec`, `12sec`, `4.200ms` (which are 4.2 s), `200ms`, and
/// from ten minutes on minutes only.
fn due(text: &str) -> Option<(f64, f64)> {
    let (minutes, rest) = match text.split_once("min") {
        Some((minutes, rest)) => (minutes.parse::<f64>().ok()?, rest),
        None => (0.0, text),
    };
    let rest = match (rest.strip_suffix("sec"), rest.strip_suffix("ms")) {
        (Some(seconds), _) => seconds.parse().ok()?,
        (None, Some(milliseconds)) => {
            let whole: f64 = milliseconds.parse().ok()?;
            if milliseconds.contains('.') {
                whole
            } else {
                whole / 1000.0
            }
        }
        (None, None) => 0.0,
    };
    let coarse = if minutes > 9.0 { 60.0 } else { 1.0 };
    Some((minutes * 60.0 + rest, coarse))
}

/// Writes what is said of one of each kind, where somebody asks for it.
fn show(rig: &Rig<'_>, seen: &Observation, witnesses: &Witnesses) {
    let Some(file) = std::env::var_os(SHOW) else {
        return;
    };
    let mut text = String::new();
    let mut kinds = Vec::new();
    for parked in rig.sockets() {
        let (local, remote) = parked.endpoints();
        let mut rows = seen.rows.iter();
        let found = rows.find(|row| row.socket.local == local && row.socket.peer() == remote);
        let Some(row) = found.filter(|_| !kinds.contains(&(parked.kind, parked.state))) else {
            continue;
        };
        kinds.push((parked.kind, parked.state));
        let line = cookie(row).and_then(|cookie| witnesses.get(&cookie));
        let line = line.map_or("not among those of ss -t", |witness| &witness.line);
        let _ = writeln!(text, "## {:?}, {}\n{line}", parked.kind, parked.state);
        for language in [Language::English, Language::Chinese] {
            let words = Catalogue::of(language);
            text.push_str(&written(&diagnose(row, seen, words), words));
        }
        text.push('\n');
    }
    fs::write(file, text).unwrap();
    println!("{} kinds shown", kinds.len());
}

fn written(diagnosis: &Diagnosis, words: &Catalogue) -> String {
    let mut text = String::new();
    let (headline, _) = diagnosis.headline_with_urgency(words);
    let _ = writeln!(
        text,
        "\n{}",
        words.with_note(&headline, &diagnosis.waits_for)
    );
    let unowned = diagnosis.no_owner_reason.iter();
    let unowned = unowned.filter(|_| !diagnosis.reason_in_sentences);
    for sentence in diagnosis.sentences.iter().chain(unowned) {
        let _ = writeln!(text, "  {sentence}");
    }
    for (number, to_do) in diagnosis.advice.iter().enumerate() {
        let heading = if number == 0 { "next" } else { "then" };
        let _ = writeln!(text, "  {}{to_do}", words.diagnosis("join", heading));
    }
    let _ = writeln!(text, "  {}", diagnosis.ss_command);
    text
}
