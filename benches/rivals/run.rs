//! One run of a command as a whole process, with the kernel's own account of
//! it. A copy of this program starts it, so that the account is of nothing
//! else.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The hidden first argument of the copy.
const ONE: &str = "--run-one";
/// Closed connections last a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a run took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) wall_ms: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) peak_mib: f64,
}

impl Run {
    /// Runs a command; what it prints is thrown away.
    pub(crate) fn of(command: &[&str]) -> Self {
        let output = Command::new(std::env::current_exe().unwrap())
            .arg(ONE)
            .args(command)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<f64> = said
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        let [wall_ms, cpu_ms, peak_mib] = numbers[..] else {
            panic!("{command:?} could not be run: {said}");
        };
        Self {
            wall_ms,
            cpu_ms,
            peak_mib,
        }
    }
}

/// In the copy: runs the command and tells what it took.
pub(crate) fn play(mut words: impl Iterator<Item = String>) -> Option<ExitCode> {
    (words.next()? == ONE).then_some(())?;
    let program = words.next()?;
    let begin = Instant::now();
    let mut child = Command::new(program)
        .args(words)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.wait().unwrap();
    let wall = begin.elapsed().as_secs_f64() * 1000.0;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let spent = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    let spent = Duration::from_micros(spent.unsigned_abs()).as_secs_f64() * 1000.0;
    let peak_kib = u32::try_from(usage.max_rss()).unwrap();
    let peak = f64::from(peak_kib) / 1024.0;
    println!("{wall} {spent} {peak}");
    Some(ExitCode::SUCCESS)
}

/// Whether a command's program is in the path.
pub(crate) fn is_installed(command: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command[0]).is_file())
}

/// Waits until the kernel has forgotten all TCP sockets of this namespace.
pub(crate) fn wait_until_empty() {
    let table = Path::new("/proc/net/tcp");
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let rows = std::fs::read_to_string(table).unwrap().lines().count();
        if rows <= 1 {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
