//! The live table at work, on a real pseudo-terminal: how soon it shows
//! something, what it takes to run, and how soon it answers a key while it
//! reads. `cargo bench --bench live`, with `-- --sizes 10000,100000` for other
//! numbers of sockets, which are real and in a private network namespace.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench may fail loudly and must speak"
)]

#[allow(dead_code, reason = "a bench needs only a part of what tests do")]
#[path = "../tests/terminal/pty.rs"]
mod pty;

use pty::Session;
use std::fs;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};
use tcplens::lab::load::{Load, LoadSize};
use tcplens::lab::namespace::LabNamespace;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tcplens");
const SIZES: [u32; 3] = [200, 10_000, 100_000];
/// How long processor time is counted.
const WATCHED: Duration = Duration::from_secs(20);
/// The first tables are dearer than all others.
const SETTLING: Duration = Duration::from_secs(4);
/// How many keys are pressed.
const KEYS: u32 = 200;
/// The kernel's unit of processor time: a hundredth of a second (`USER_HZ`).
const TICK: f64 = 0.01;

fn main() -> ExitCode {
    // Copies of this program hold the sockets.
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(ended) = tcplens::lab::helper::run_if_helper(&words) {
        return ended;
    }
    let words: Vec<String> = std::env::args().collect();
    let sizes = words.iter().position(|word| word == "--sizes");
    let sizes = sizes.and_then(|place| words.get(place + 1)).map_or_else(
        || SIZES.to_vec(),
        |list| list.split(',').map(|size| size.parse().unwrap()).collect(),
    );
    let namespace = match LabNamespace::enter() {
        Ok(namespace) => namespace,
        Err(error) => {
            eprintln!("not measured: {error}");
            return ExitCode::from(2);
        }
    };
    println!(
        "| rows | first data ms | % of a core at 1 s | adaptive | MiB | key to screen ms: median | p99 | worst |\n\
         |---|---|---|---|---|---|---|---|"
    );
    for sockets in sizes {
        let mix = LoadSize {
            sockets,
            processes: NonZeroU32::new(sockets / 500).unwrap_or(NonZeroU32::MIN),
        };
        match Load::start(&namespace, mix) {
            Ok(_load) => measure(mix.socket_count()),
            Err(error) => eprintln!("{sockets} sockets are not measured: {error}"),
        }
    }
    ExitCode::SUCCESS
}

fn measure(rows: u64) {
    let begin = Instant::now();
    let mut session = Session::start(PROGRAM, &["--interval", "1s"], &[]);
    session.wait_for("rows", |screen| screen.contents().contains(" LISTEN "));
    let first = begin.elapsed();
    let busy = watch(session.pid());
    let memory = memory(session.pid());
    let mut answers = answers(&mut session);
    answers.sort_unstable();
    session.keys("q");
    let _ = session.ended();

    let mut session = Session::start(PROGRAM, &[], &[]);
    session.wait_for("rows", |screen| screen.contents().contains(" LISTEN "));
    let spared = watch(session.pid());
    session.keys("q");
    let _ = session.ended();

    let last = answers.len() - 1;
    println!(
        "| {rows} | {:.0} | {busy:.2} | {spared:.2} | {memory:.1} | {:.1} | {:.1} | {:.1} |",
        milliseconds(first),
        milliseconds(answers[last / 2]),
        milliseconds(answers[last * 99 / 100]),
        milliseconds(answers[last]),
    );
}

/// Moves down row by row, and notes how long it takes until the screen tells
/// the place. The pauses differ, so that keys meet every stage of a reading.
fn answers(session: &mut Session) -> Vec<Duration> {
    (0..KEYS)
        .map(|number| {
            thread::sleep(Duration::from_millis(u64::from(20 + number * 37 % 90)));
            let place = format!(" {} of ", number + 2);
            let begin = Instant::now();
            session.keys("j");
            session.wait_for(&place, |screen| screen.contents().contains(&place));
            begin.elapsed()
        })
        .collect()
}

/// The share of one core that a process takes, in percent.
fn watch(pid: u32) -> f64 {
    thread::sleep(SETTLING);
    let before = ticks(pid);
    let begin = Instant::now();
    thread::sleep(WATCHED);
    let taken = f64::from(ticks(pid) - before) * TICK;
    taken / begin.elapsed().as_secs_f64() * 100.0
}

/// User and system time of a process (fields 14 and 15, proc(5)).
fn ticks(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, behind_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let number = |place: usize| fields[place].parse::<u32>().unwrap();
    number(11) + number(12)
}

/// The most memory that was resident, in MiB.
fn memory(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: u32 = line.trim().trim_end_matches(" kB").parse().unwrap();
    f64::from(kib) / 1024.0
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
