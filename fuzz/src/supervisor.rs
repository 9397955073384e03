//! Campaigns in processes of their own, several at a time: an abort, a stack overflow
//! or an endless input ends only its own process, and the input is found again by its
//! number.

use crate::campaign::{self, Fault, Report};
use crate::seeds::Seeds;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tcplens::fuzzing::FuzzTarget;

/// The hidden command of the processes that do the work.
pub(crate) const WORKER: &str = "worker";

/// Options of campaigns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CampaignOptions<'a> {
    pub(crate) seed: u64,
    pub(crate) inputs: u64,
    pub(crate) time: Duration,
    /// Directory for inputs that find faults.
    pub(crate) artifacts: &'a Path,
}

/// Last output of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct WorkerOutput {
    /// Number of the last input it reported.
    reached: u64,
    /// Peak of its memory.
    memory_kib: u64,
    report: Option<Report>,
}

/// Runs the campaign of a target, and returns its report and the peak of its memory in
/// KiB.
///
/// # Errors
///
/// If a process cannot be started.
pub(crate) fn run(
    target: &FuzzTarget,
    seeds: &Seeds,
    orders: CampaignOptions<'_>,
) -> io::Result<(Report, u64)> {
    let heard = spawn_worker(target, orders, 0, orders.inputs, false)?;
    if let Some(report) = heard.report {
        return Ok((report, heard.memory_kib));
    }
    // It died: run again from the last reported number, reporting each.
    let again = spawn_worker(target, orders, heard.reached, orders.inputs, true)?;
    if again.report.is_some() {
        let what = "died, and did not when the same inputs were tried again";
        return Ok((
            died_report(what, again.reached, Vec::new()),
            heard.memory_kib,
        ));
    }
    let input = campaign::input(target, seeds, orders.seed, again.reached);
    let what = "aborts, overflows the stack or does not end";
    Ok((died_report(what, again.reached, input), heard.memory_kib))
}

fn died_report(what: &str, number: u64, input: Vec<u8>) -> Report {
    Report {
        inputs: number,
        panics: 1,
        faults: vec![Fault {
            number,
            what: what.to_owned(),
            input,
        }],
        ..Report::default()
    }
}

fn spawn_worker(
    target: &FuzzTarget,
    orders: CampaignOptions<'_>,
    first: u64,
    inputs: u64,
    tells_each: bool,
) -> io::Result<WorkerOutput> {
    let mut worker = Command::new(std::env::current_exe()?)
        .args([WORKER, target.name])
        .args([orders.seed, first, inputs.saturating_sub(first)].map(|n| n.to_string()))
        .arg(orders.time.as_millis().to_string())
        .arg(tells_each.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // The report includes the runtime's message about an overflow.
        .stderr(Stdio::null())
        .spawn()?;
    let mut heard = WorkerOutput::default();
    if let Some(out) = worker.stdout.take() {
        for line in BufReader::new(out).lines() {
            parse_line(&line?, &mut heard);
        }
    }
    if !worker.wait()?.success() {
        heard.report = None;
    }
    Ok(heard)
}

/// Writes the report of a worker in lines for [`parse_line`].
pub(crate) fn tell(report: &Report, memory_kib: u64, mut line: impl FnMut(String)) {
    for fault in &report.faults {
        let (what, input) = (hex(fault.what.as_bytes()), hex(&fault.input));
        line(format!("fault {} {what} {input}", fault.number));
    }
    line(format!(
        "report {} {} {} {} {} {memory_kib}",
        report.inputs,
        report.bytes,
        report.time.as_micros(),
        report.slowest.as_micros(),
        report.panics,
    ));
}

fn parse_line(line: &str, heard: &mut WorkerOutput) {
    let words: Vec<&str> = line.split(' ').collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let number = |at: usize| number(at).unwrap_or(0);
    match words.first() {
        Some(&"at") => heard.reached = number(1),
        Some(&"fault") => {
            let bytes = |at: usize| words.get(at).map_or_else(Vec::new, |word| unhex(word));
            let report = heard.report.get_or_insert_default();
            report.faults.push(Fault {
                number: number(1),
                what: String::from_utf8_lossy(&bytes(2)).into_owned(),
                input: bytes(3),
            });
        }
        Some(&"report") => {
            let report = heard.report.get_or_insert_default();
            report.inputs = number(1);
            report.bytes = number(2);
            report.time = Duration::from_micros(number(3));
            report.slowest = Duration::from_micros(number(4));
            report.panics = number(5);
            heard.memory_kib = number(6);
        }
        _ => {}
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_round_trips() {
        let report = Report {
            inputs: 9,
            bytes: 300,
            time: Duration::from_micros(7),
            slowest: Duration::from_micros(3),
            panics: 2,
            faults: vec![Fault {
                number: 4,
                what: "at src/a.rs:\nzero".to_owned(),
                input: vec![0, 0xff, b' '],
            }],
        };
        let mut heard = WorkerOutput::default();
        tell(&report, 55, |line| parse_line(&line, &mut heard));
        assert_eq!((heard.report, heard.memory_kib), (Some(report), 55));
    }
}
