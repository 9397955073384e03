//! Throws mutated bytes at the parsers of tcplens; see README.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool of the developers"
)]

mod campaign;
mod mutation;
mod planted;
mod random;
mod seeds;
mod supervisor;

use campaign::{Budget, Report};
use seeds::Seeds;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use supervisor::CampaignOptions;
use tcplens::fuzzing::{FuzzTarget, TARGETS};

const USAGE: &str = "\
tcplens-fuzz list
tcplens-fuzz run TARGET|all … [--seconds N] [--inputs N] [--seed N] [--jobs N] [--artifacts DIR]
tcplens-fuzz replay TARGET FILE …";

/// Number of inputs between two progress lines of the worker.
const PROGRESS_INTERVAL: u64 = 8192;
/// Longer inputs are not printed, only saved.
const MAX_PRINTED: usize = 2048;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["list"] => {
            for target in TARGETS {
                println!("{}", target.name);
            }
            Ok(true)
        }
        ["run", ref rest @ ..] => run(rest),
        ["replay", target, ref files @ ..] => replay(target, files),
        [supervisor::WORKER, ref rest @ ..] => run_worker(rest).map(|()| true),
        _ => Err(wrong("")),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("{what}\n{USAGE}"))
}

/// Directory of seeds and dictionaries.
fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn target(name: &str) -> io::Result<&'static FuzzTarget> {
    let mut all = TARGETS.iter().chain(planted::TARGETS);
    all.find(|target| target.name == name)
        .ok_or_else(|| wrong(&format!("there is no target {name}")))
}

fn seeds(target: &FuzzTarget) -> io::Result<Seeds> {
    if planted::TARGETS.iter().any(|one| one.name == target.name) {
        let files = planted::SEEDS.iter().map(|seed| seed.to_vec()).collect();
        return Ok(Seeds::new(files, Vec::new()));
    }
    Seeds::read(home(), target.name)
}

/// Runs campaigns; true if none found a fault.
fn run(words: &[&str]) -> io::Result<bool> {
    let mut names = Vec::new();
    let (mut time, mut inputs) = (None, None);
    let (mut seed, mut jobs) = (1, thread::available_parallelism().map_or(1, usize::from));
    let mut artifacts = home().join("artifacts");
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if !word.starts_with('-') {
            names.push(*word);
            continue;
        }
        let value = rest.next().ok_or_else(|| wrong(word))?;
        let number = || value.parse::<u64>().map_err(|_| wrong(word));
        match *word {
            "--seconds" => time = Some(Duration::from_secs(number()?)),
            "--inputs" => inputs = Some(number()?),
            "--seed" => seed = number()?,
            "--jobs" => jobs = usize::try_from(number()?).unwrap_or(1).max(1),
            "--artifacts" => artifacts = PathBuf::from(value),
            _ => return Err(wrong(word)),
        }
    }
    if time.is_none() && inputs.is_none() {
        time = Some(Duration::from_secs(5));
    }
    let targets: Vec<&FuzzTarget> = match names[..] {
        ["all"] => TARGETS.iter().collect(),
        [] => return Err(wrong("which target?")),
        _ => names
            .iter()
            .map(|name| target(name))
            .collect::<io::Result<_>>()?,
    };
    let orders = CampaignOptions {
        seed,
        inputs: inputs.unwrap_or(u64::MAX),
        time: time.unwrap_or(Duration::MAX),
        artifacts: &artifacts,
    };
    campaigns(targets, orders, jobs)
}

fn campaigns(
    targets: Vec<&FuzzTarget>,
    orders: CampaignOptions<'_>,
    jobs: usize,
) -> io::Result<bool> {
    println!(
        "{:<17} {:>11} {:>9} {:>8} {:>7} {:>10} {:>7}",
        "target", "inputs", "inputs/s", "MB", "panics", "slowest", "MiB"
    );
    let waiting = Mutex::new(VecDeque::from(targets));
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let one = || -> io::Result<bool> {
        let mut clean = true;
        while let Some(target) = next() {
            let (report, memory) = supervisor::run(target, &seeds(target)?, orders)?;
            print!("{}", told(target, &report, memory, orders)?);
            clean &= report.faults.is_empty();
        }
        Ok(clean)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(one)).collect();
        let mut clean = true;
        for worker in workers {
            clean &= worker
                .join()
                .map_err(|_| io::Error::other("a thread died"))??;
        }
        Ok(clean)
    })
}

/// The line of a campaign and its findings.
fn told(
    target: &FuzzTarget,
    report: &Report,
    memory: u64,
    orders: CampaignOptions<'_>,
) -> io::Result<String> {
    use std::fmt::Write as _;
    let per_second = u128::from(report.inputs) * 1000 / report.time.as_millis().max(1);
    let mut text = format!(
        "{:<17} {:>11} {per_second:>9} {:>8} {:>7} {:>10} {:>7}\n",
        target.name,
        report.inputs,
        report.bytes >> 20,
        report.panics,
        format!("{:.1?}", report.slowest),
        memory >> 10,
    );
    for fault in &report.faults {
        let path = campaign::save(orders.artifacts, target.name, &fault.input)?;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {}: input {} of seed {}",
            target.name, fault.number, orders.seed
        );
        for line in fault.what.lines() {
            let _ = writeln!(text, "  {line}");
        }
        if fault.input.len() <= MAX_PRINTED {
            let _ = writeln!(text, "  b\"{}\"", fault.input.escape_ascii());
        }
        let _ = writeln!(
            text,
            "  tcplens-fuzz replay {} {}",
            target.name,
            path.display()
        );
    }
    Ok(text)
}

/// Tries single inputs; true if none of them panics.
fn replay(name: &str, files: &[&str]) -> io::Result<bool> {
    let target = target(name)?;
    campaign::keep_panics();
    let mut clean = true;
    for file in files {
        match campaign::try_input(target, &fs::read(file)?) {
            None => println!("{file}: nothing"),
            Some(what) => {
                println!("{file}: {what}");
                clean = false;
            }
        }
    }
    Ok(clean)
}

/// Main function of a worker process: see [`supervisor`].
fn run_worker(words: &[&str]) -> io::Result<()> {
    let [name, seed, first, inputs, milliseconds, tells_each] = words else {
        return Err(wrong("worker"));
    };
    let number = |word: &str| word.parse::<u64>().map_err(|_| wrong(word));
    // Without an end, where it is none of 64 bits.
    let time = number(milliseconds).map_or(Duration::MAX, Duration::from_millis);
    let target = target(name)?;
    let seeds = seeds(target)?;
    let tells_each = *tells_each == "true";
    campaign::keep_panics();
    let current = Arc::new(AtomicU64::new(0));
    campaign::watch(Arc::clone(&current))?;
    let say = |line: String| {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    let began = |number: u64| {
        current.store(number, Ordering::Relaxed);
        if tells_each || number.is_multiple_of(PROGRESS_INTERVAL) {
            say(format!("at {number}"));
        }
    };
    let budget = Budget {
        first: number(first)?,
        inputs: number(inputs)?,
        time,
    };
    let mut report = campaign::run(target, &seeds, number(seed)?, budget, began);
    for fault in &mut report.faults {
        fault.input = campaign::shorten(target, fault);
    }
    supervisor::tell(&report, peak_memory_kib(), say);
    Ok(())
}

/// Peak of the resident memory of this process (proc(5)).
fn peak_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
