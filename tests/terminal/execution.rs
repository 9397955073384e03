//! Nothing is executed, least of all when the terminal goes away: a library
//! that asks for its size then would run `tput` from PATH, as root.

use super::needs::STRACE;
use super::{PROGRAM, tries};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// From the start to the hang-up, milliseconds: before, while and after the
/// screen is entered.
const DELAYS: [u64; 12] = [4, 6, 8, 10, 12, 15, 20, 30, 50, 100, 500, 1000];
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with programs of the names that libraries start, each of which
/// leaves a file.
fn trap() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let ran = folder.path().join("ran");
    for name in ["tput", "stty", "sh", "infocmp", "resize"] {
        let path = folder.path().join(name);
        let script = format!("#!/bin/sh\necho {name} >> {}\necho 80\n", ran.display());
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    let search = format!("{}:/usr/bin:/bin", folder.path().display());
    (folder, search)
}

/// What the planted programs left.
fn ran(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("ran")).unwrap_or_default()
}

/// Starts a command on a terminal, takes the terminal away, and waits until the
/// command has ended.
fn hang_up_after(delay: Duration, command: &[&str], search: &str, typed: &[u8], resized: bool) {
    let size = |rows| PtySize {
        rows,
        cols: 80,
        ..PtySize::default()
    };
    let pair = native_pty_system().openpty(size(24)).unwrap();
    let mut builder = CommandBuilder::new(command[0]);
    builder.args(&command[1..]);
    builder.env("PATH", search);
    builder.env("TERM", "xterm-256color");
    builder.env("XDG_CONFIG_HOME", "/nowhere/at/all");
    let mut child = pair.slave.spawn_command(builder).unwrap();
    drop(pair.slave);
    // No condition to wait for: any moment will do, and each is tried.
    thread::sleep(delay);
    let mut writer = pair.master.take_writer().unwrap();
    // A program that has ended has closed its side.
    let _ = writer.write_all(typed);
    if resized {
        let _ = pair.master.resize(size(25));
    }
    drop(writer);
    drop(pair.master);
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("it outlives its terminal");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The same at each moment, with and without keys and resizes.
fn hang_ups(rounds: u16, command: &[&str], search: &str, mut after_each: impl FnMut(Duration)) {
    for round in 0..usize::from(rounds) {
        let delay = Duration::from_millis(DELAYS[round % DELAYS.len()]);
        let variant = round / DELAYS.len();
        let typed: &[u8] = if variant % 2 == 1 { b"jjjj" } else { b"" };
        hang_up_after(delay, command, search, typed, variant / 2 % 2 == 1);
        after_each(delay);
    }
}

pub(crate) fn a_hang_up_runs_nothing_from_path() {
    let (folder, search) = trap();
    // The trap works.
    let tried = Command::new("tput").env("PATH", &search).status().unwrap();
    assert!(tried.success());
    assert_eq!(ran(&folder), "tput\n");
    fs::remove_file(folder.path().join("ran")).unwrap();
    hang_ups(
        tries(48, 200),
        &[PROGRAM, "--read-only"],
        &search,
        |delay| {
            assert_eq!(ran(&folder), "", "hang-up after {delay:?}");
        },
    );
}

pub(crate) fn a_hang_up_asks_the_kernel_to_execute_nothing() {
    let (folder, search) = trap();
    let log = folder.path().join("log");
    let command = [
        STRACE,
        "-f",
        // It outlives the hang-up, and so sees what comes of it.
        "-I4",
        "-e",
        "trace=execve,execveat",
        "-o",
        log.to_str().unwrap(),
        PROGRAM,
        "--read-only",
    ];
    hang_ups(tries(12, 200), &command, &search, |delay| {
        // The hang-up may come before strace has begun.
        let log = fs::read_to_string(&log).unwrap_or_default();
        let calls: Vec<_> = log.lines().filter(|line| line.contains("execve")).collect();
        // The program itself.
        assert!(calls.len() <= 1, "hang-up after {delay:?}: {calls:#?}");
    });
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("execve"), "strace has seen nothing: {log}");
}
