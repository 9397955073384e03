//! The inputs of one target, one after the other, in a process of their own: an
//! input that panics or takes too long is kept, and the campaign continues.

use crate::mutation::make;
use crate::random::Random;
use crate::seeds::Seeds;
use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tcplens::fuzzing::FuzzTarget;

/// Processor time of a single input above which it is a fault, whatever the load of the
/// machine.
const SLOW_INPUT: Duration = Duration::from_millis(200);
/// Processor time of a single input above which it counts as endless.
const HANG_TIMEOUT: Duration = Duration::from_secs(20);
/// Factor by which an input that uses no processor time may take longer than that by the
/// clock.
const BLOCKED: u32 = 30;
/// Number of faults in different places after which a campaign stops.
const MAX_FAULTS: usize = 5;
/// Number of inputs between two looks at the clock.
const CLOCK_INTERVAL: u64 = 64;

/// Budget of a campaign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Number of the first input.
    pub(crate) first: u64,
    pub(crate) inputs: u64,
    pub(crate) time: Duration,
}

/// Result of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) inputs: u64,
    pub(crate) bytes: u64,
    pub(crate) time: Duration,
    pub(crate) slowest: Duration,
    pub(crate) panics: u64,
    pub(crate) faults: Vec<Fault>,
}

/// An input that causes a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Number of the input, from which it can be made again.
    pub(crate) number: u64,
    pub(crate) what: String,
    pub(crate) input: Vec<u8>,
}

thread_local! {
    /// Place and message of the last panic of this thread.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the message of a panic instead of writing it.
pub(crate) fn keep_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANIC.with_borrow_mut(|kept| *kept = panic.to_string());
    }));
}

/// Runs a target on an input and returns the panic, if there is one.
pub(crate) fn try_input(target: &FuzzTarget, input: &[u8]) -> Option<String> {
    let run = AssertUnwindSafe(|| (target.run)(input));
    catch_unwind(run).err().map(|_| PANIC.take())
}

/// The input with a number.
pub(crate) fn input(target: &FuzzTarget, seeds: &Seeds, seed: u64, number: u64) -> Vec<u8> {
    let mut input = Vec::new();
    let mut random = Random::new(seed, number);
    make(&mut random, seeds, target.max_len, &mut input);
    input
}

/// Runs until the budget is used up; `began` is called with the number of each input
/// first.
pub(crate) fn run(
    target: &FuzzTarget,
    seeds: &Seeds,
    seed: u64,
    budget: Budget,
    began: impl Fn(u64),
) -> Report {
    let mut report = Report::default();
    let mut places = BTreeSet::new();
    let mut input = Vec::new();
    let start = Instant::now();
    let mut before = Duration::ZERO;
    for number in (budget.first..).take(saturating_usize(budget.inputs)) {
        began(number);
        make(
            &mut Random::new(seed, number),
            seeds,
            target.max_len,
            &mut input,
        );
        let panicked = try_input(target, &input);
        report.inputs += 1;
        report.bytes += input.len() as u64;
        let now = start.elapsed();
        let took = now.saturating_sub(before);
        report.slowest = report.slowest.max(took);
        before = now;
        report.panics += u64::from(panicked.is_some());
        let slow = || slow(target, &input, took).map(|used| format!("takes {used:?}"));
        if let Some(what) = panicked.or_else(slow) {
            // One fault per place is enough.
            let place = what.lines().next().unwrap_or_default().to_owned();
            if places.insert(place) {
                report.faults.push(Fault {
                    number,
                    what,
                    input: input.clone(),
                });
            }
            if report.faults.len() >= MAX_FAULTS {
                break;
            }
        }
        if number.is_multiple_of(CLOCK_INTERVAL) && now >= budget.time {
            break;
        }
    }
    report.time = start.elapsed();
    report
}

/// Processor time of an input, if that is too much: a busy machine and a process that is
/// stopped use none.
fn slow(target: &FuzzTarget, input: &[u8], took: Duration) -> Option<Duration> {
    if took <= SLOW_INPUT {
        return None;
    }
    let used = |_| {
        let start = used_by(ClockId::ThreadCPUTime);
        let _ = try_input(target, input);
        used_by(ClockId::ThreadCPUTime).saturating_sub(start)
    };
    let least = (0..3).map(used).min();
    least.filter(|least| *least > SLOW_INPUT)
}

/// Processor time that this thread or process has used.
fn used_by(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}

fn saturating_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Shortens an input that panics, as long as it still does in the same place.
pub(crate) fn shorten(target: &FuzzTarget, fault: &Fault) -> Vec<u8> {
    let place = fault.what.lines().next().unwrap_or_default();
    let mut input = fault.input.clone();
    let mut piece = input.len() / 2;
    let until = Instant::now() + Duration::from_secs(5);
    while piece > 0 {
        let mut at = 0;
        while at < input.len() && Instant::now() < until {
            let mut shorter = input.clone();
            shorter.drain(at..(at + piece).min(input.len()));
            let same = try_input(target, &shorter).is_some_and(|what| what.starts_with(place));
            if same {
                input = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

/// Aborts the process if an input does not end; the number is that of the input.
pub(crate) fn watch(current: Arc<AtomicU64>) -> io::Result<()> {
    let watcher = move || {
        let used = || used_by(ClockId::ProcessCPUTime);
        let mut last = (current.load(Ordering::Relaxed), used(), Instant::now());
        loop {
            thread::sleep(Duration::from_millis(100));
            let now = current.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, used(), Instant::now());
            } else if used().saturating_sub(last.1) > hang_timeout()
                || last.2.elapsed() > hang_timeout() * BLOCKED
            {
                std::process::abort();
            }
        }
    };
    thread::Builder::new().spawn(watcher).map(drop)
}

/// Longest time of an input; tests of the driver use a shorter one.
fn hang_timeout() -> Duration {
    let milliseconds = std::env::var("TCPLENS_FUZZ_HANG_MS").ok();
    let milliseconds = milliseconds.and_then(|text| text.parse().ok());
    milliseconds.map_or(HANG_TIMEOUT, Duration::from_millis)
}

/// Writes an input that found a fault; the name is that of its content.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn save(folder: &Path, target: &str, input: &[u8]) -> io::Result<PathBuf> {
    let folder = folder.join(target);
    fs::create_dir_all(&folder)?;
    // FNV-1a: the same input has the same name on any machine.
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = folder.join(format!("crash-{hash:016x}"));
    fs::write(&path, input)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planted;

    fn campaign(name: &str, inputs: u64) -> (FuzzTarget, Report) {
        keep_panics();
        let target = planted::TARGETS.iter().find(|t| t.name == name).unwrap();
        let files = planted::SEEDS.iter().map(|seed| seed.to_vec()).collect();
        let seeds = Seeds::new(files, Vec::new());
        let budget = Budget {
            first: 0,
            inputs,
            time: Duration::MAX,
        };
        (*target, run(target, &seeds, 1, budget, |_| {}))
    }

    #[test]
    fn a_planted_panic_is_found_and_shortened() {
        let (target, report) = campaign("planted_panic", 1_000_000);
        let [fault] = &report.faults[..] else {
            panic!("{report:?}");
        };
        assert!(report.panics > 0);
        assert!(fault.what.contains("planted"), "{}", fault.what);
        assert!(try_input(&target, &fault.input).is_some());
        let short = shorten(&target, fault);
        assert_eq!(short, b"header 4294967296body\n");
        assert_eq!(try_input(&target, b"header 16 length 20\n"), None);
    }

    #[test]
    fn arithmetic_that_overflows_is_a_fault() {
        let (_, report) = campaign("planted_overflow", 200_000);
        let found = report.faults.first().unwrap();
        assert!(found.what.contains("overflow"), "{}", found.what);
    }

    #[test]
    fn a_budget_is_kept() {
        let target = FuzzTarget {
            name: "quiet",
            run: |_| {},
            max_len: 10,
        };
        let seeds = Seeds::new(vec![b"a".to_vec()], Vec::new());
        let budget = |inputs, time| Budget {
            first: 5,
            inputs,
            time,
        };
        let report = run(&target, &seeds, 1, budget(1000, Duration::MAX), |_| {});
        assert_eq!((report.inputs, report.panics), (1000, 0));
        let time = Duration::from_millis(20);
        let report = run(&target, &seeds, 1, budget(u64::MAX, time), |_| {});
        assert!(report.time >= time && report.inputs > 0);
    }
}
