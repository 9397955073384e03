//! A number that is given to another process between question and answer: the
//! signal must not reach it.
//!
//! In a PID namespace of its own the next number can be chosen
//! (`/proc/sys/kernel/ns_last_pid`, proc_sys_kernel(5)), so it happens every
//! time and nobody else is near.

use super::namespace::{LabNamespace, NotHere, is_deep};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, Stdio};
use tcplens::control::ProcessControl;
use tcplens::control::pidfd::{PidfdControl, PidfdFallback};
use tcplens::model::action::{ProcessTarget, SignalOutcome, SignalRefusal, TargetId};
use tcplens::model::proc_stat::ProcStat;
use tcplens::model::signal::Signal;
use tcplens::model::text::Text;

/// The hidden first argument of the first process of a PID namespace.
const FIRST: &str = "--first-of-a-pid-namespace";
const ROUNDS: u32 = 200;
const ROUNDS_DEEPLY: u32 = 10_000;

pub(crate) fn reaches_nobody_else(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS).unwrap();
    let itself = std::env::current_exe().unwrap();
    let mut first = Command::new(itself).arg(FIRST).spawn().unwrap();
    assert!(first.wait().unwrap().success());
    Ok(())
}

pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> bool {
    arguments.next().is_some_and(|word| word == FIRST)
}

/// What came of all rounds.
#[derive(Default)]
struct Figures {
    rounds: u32,
    reused: u32,
    alike: u32,
    gone: u32,
    verified: u32,
    wrong: u32,
}

/// Plays the first process of the new namespace.
pub(crate) fn play() -> ExitCode {
    assert_eq!(std::process::id(), 1, "in a PID namespace of our own");
    is_refused_where_proc_counts_otherwise();
    let nothing: Option<&str> = None;
    let alone = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, alone, nothing).unwrap();
    mount(
        Some("proc"),
        "/proc",
        Some("proc"),
        MsFlags::empty(),
        nothing,
    )
    .unwrap();
    let rounds = if is_deep() { ROUNDS_DEEPLY } else { ROUNDS };
    let mut figures = Figures::default();
    for _ in 0..rounds {
        round(&mut figures);
    }
    let Figures {
        reused,
        alike,
        gone,
        verified,
        wrong,
        ..
    } = figures;
    println!("{reused} of {rounds} numbers were given to another process before the answer");
    println!("a plain kill would have hit {reused} wrong processes; {wrong} were hit");
    println!("start time, name and program alike, so that only the pidfd told: {alike}");
    println!("refused as gone: {gone}, as another process: {verified}");
    assert_eq!(figures.rounds, rounds);
    assert_eq!(reused, rounds, "or nothing is proved");
    assert_eq!(wrong, 0);
    assert_eq!(gone + verified, rounds);
    ExitCode::SUCCESS
}

/// As long as `/proc` is that of the namespace above, a number stands for one
/// process there and for another one here.
fn is_refused_where_proc_counts_otherwise() {
    let mut shown = cat();
    let above = number_above(shown.id());
    fs::write("/proc/sys/kernel/ns_last_pid", (above - 1).to_string()).unwrap();
    let mut other = cat();
    assert_eq!(other.id(), above, "or nothing is proved");
    for without in [PidfdFallback::Refuse, PidfdFallback::UsePid] {
        let armed = PidfdControl::new(without).acquire(TargetId(1), &target(above));
        assert_eq!(armed, Err(SignalRefusal::ForeignProc));
    }
    println!("where /proc counts otherwise, {above} was refused: it stands for two processes");
    for child in [&mut shown, &mut other] {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "nothing was sent");
    }
}

/// The number that `/proc` gives a process of this namespace.
fn number_above(own: u32) -> u32 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_it = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let numbers: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        // Of this namespace, not of one beside it: our own child.
        numbers.last() == Some(&own.to_string().as_str())
            && status.contains(&format!("PPid:\t{}\n", above_us()))
    };
    numbers.find(is_it).unwrap()
}

/// Our own number there.
fn above_us() -> u32 {
    let link = fs::read_link("/proc/self").unwrap();
    link.to_str().unwrap().parse().unwrap()
}

fn round(figures: &mut Figures) {
    let mut chosen = cat();
    let shown = target(chosen.id());
    let mut control = PidfdControl::default();
    control.acquire(TargetId(1), &shown).unwrap();
    chosen.kill().unwrap();
    chosen.wait().unwrap();
    let before = (shown.pid - 1).to_string();
    fs::write("/proc/sys/kernel/ns_last_pid", before).unwrap();
    let mut other = cat();
    let alike = target(other.id()) == shown;
    match control.signal(TargetId(1), Signal::Term) {
        SignalOutcome::Refused(SignalRefusal::Gone) => figures.gone += 1,
        SignalOutcome::Refused(SignalRefusal::PidReused) => figures.verified += 1,
        told => panic!("{told:?}"),
    }
    figures.rounds += 1;
    figures.reused += u32::from(other.id() == shown.pid);
    figures.alike += u32::from(alike);
    // It ends by itself, unless a signal has ended it.
    drop(other.stdin.take());
    let status = other.wait().unwrap();
    figures.wrong += u32::from(status.signal().is_some());
}

fn cat() -> Child {
    let mut command = Command::new("cat");
    let quiet = command.stdin(Stdio::piped()).stdout(Stdio::null());
    quiet.spawn().unwrap()
}

fn target(pid: u32) -> ProcessTarget {
    let stat = ProcStat::parse(&fs::read(format!("/proc/{pid}/stat")).unwrap()).unwrap();
    ProcessTarget {
        pid,
        start_ticks: stat.start_ticks,
        name: Text::new(&stat.name),
        ..ProcessTarget::default()
    }
}
