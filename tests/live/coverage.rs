//! `tcplens check` where it cannot see, and where it cannot be heard: it never says
//! that all is well for a time in which it read nothing, and it always ends.

use super::checks::{Crowd, Folder, command, start, tables};
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{self, ErrorKind, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A process that stands still is blind, and so is one on a machine without time for
/// it. What it has found stays found.
pub(crate) fn is_told_where_it_was_stopped(_: &LabNamespace) -> Result<(), NotHere> {
    let all = |checks: &[Child; 2], signal| checks.iter().for_each(|check| send(check, signal));
    is_told_after(
        |checks| all(checks, Signal::STOP),
        |checks| all(checks, Signal::CONT),
    );
    Ok(())
}

/// The same in a control group that is frozen, as container engines and services do it.
pub(crate) fn is_told_where_it_was_frozen(_: &LabNamespace) -> Result<(), NotHere> {
    let freezer = Freezer::new().map_err(|error| {
        NotHere::Missing(format!("no group of cgroup2 can be made here: {error}"))
    })?;
    is_told_after(
        |checks| {
            for check in checks {
                freezer.write("cgroup.procs", &check.id().to_string());
            }
            freezer.write("cgroup.freeze", "1");
            wait_for("the frost", || {
                let events = fs::read_to_string(freezer.0.join("cgroup.events")).ok()?;
                events.contains("frozen 1").then_some(())
            });
        },
        |_| freezer.write("cgroup.freeze", "0"),
    );
    Ok(())
}

/// A control group of its own, which can be frozen.
struct Freezer(PathBuf);

impl Freezer {
    fn new() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mut fields = mounts.lines().map(|line| line.split(' '));
        let mounted = fields.find_map(|mut fields| {
            let folder = fields.nth(1)?;
            (fields.next()? == "cgroup2").then_some(folder)
        });
        let mounted = mounted.ok_or(ErrorKind::NotFound)?;
        let folder = Path::new(mounted).join(format!("tcplens-test-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let freezer = Self(folder);
        // Also where the group may be made and nothing moved into it.
        let mut child = std::process::Command::new("cat")
            .stdin(Stdio::piped())
            .spawn()?;
        let moved = fs::write(freezer.0.join("cgroup.procs"), child.id().to_string());
        let frozen = fs::write(freezer.0.join("cgroup.freeze"), "0");
        drop(child.stdin.take());
        child.wait()?;
        moved.and(frozen).map(|()| freezer)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.0.join(file), text).unwrap();
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.freeze"), "0");
        let _ = fs::remove_dir(&self.0);
    }
}

fn is_told_after(stop: impl FnOnce(&[Child; 2]), go_on: impl FnOnce(&[Child; 2])) {
    let folder = Folder::new();
    let crowd = Crowd::of(4);
    let nothing = folder.settings("nothing.toml", "");
    let rule = folder.settings(
        "rule.toml",
        &format!(
            "[[rule]]\nname = \"many\"\nfilter = \"dport = :{}\"\ncount = 3\n",
            crowd.port
        ),
    );
    let mut checks = [nothing, rule]
        .map(|settings| start(&format!("check --for 9s --oneline --config {settings}")));
    for check in &mut checks {
        tables(check, 2);
    }
    stop(&checks);
    let began = Instant::now();
    let long = Duration::from_secs(5);
    wait_for("five seconds", || (began.elapsed() > long).then_some(()));
    go_on(&checks);
    let [(code, said), (found_code, found)] = checks.map(|check| {
        let output = check.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        println!("{said}exit {:?}", output.status.code());
        (output.status.code(), said)
    });
    assert_eq!(code, Some(3), "{said}");
    let first = "TCPLENS UNKNOWN - no table was read for ";
    assert!(said.starts_with(first), "{said}");
    assert!(said.contains(", 0 findings | findings=0;;"), "{said}");
    assert_eq!(found_code, Some(1), "{found}");
    let first = "TCPLENS WARNING - no table was read for ";
    assert!(found.starts_with(first), "{found}");
    assert!(found.contains(", 1 finding: "), "{found}");
}

/// A pipe whose reader does not read takes no more: a signal ends the check all the
/// same a second later, and a second one at once.
pub(crate) fn is_no_reason_to_stay(_: &LabNamespace) -> Result<(), NotHere> {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        end_into_a_full_pipe(&[signal]);
    }
    // The same signal twice could be one. A busy machine may take its time.
    let quick = Duration::from_millis(700);
    let twice = || end_into_a_full_pipe(&[Signal::TERM, Signal::INT]);
    assert!(
        (0..10).any(|_| twice() < quick),
        "the second one is waited for"
    );
    Ok(())
}

/// Sends signals to a check that cannot write what it has found; the time it takes to
/// end.
fn end_into_a_full_pipe(signals: &[Signal]) -> Duration {
    let (reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let full = loop {
        if let Err(error) = writer.write(&[b'.'; 4096]) {
            break error.kind();
        }
    };
    assert_eq!(full, ErrorKind::WouldBlock);
    fcntl_setfl(&writer, flags).unwrap();
    let mut check = command("check --for 1s")
        .stdout(Stdio::from(writer))
        .spawn()
        .unwrap();
    wait_until_it_writes(&check);
    assert_eq!(check.try_wait().unwrap(), None, "there is no room to write");
    let began = Instant::now();
    for signal in signals {
        send(&check, *signal);
    }
    let ended = wait_for("its end", || check.try_wait().unwrap());
    let took = began.elapsed();
    println!("{signals:?}: {ended} after {took:?}");
    assert_eq!(ended.code(), Some(3), "{signals:?}");
    drop(reader);
    took
}

/// Waits until the thread that reads tables has come and gone.
fn wait_until_it_writes(check: &Child) {
    let reads = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", check.id())).ok()?;
        let mut names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Some(names.any(|name| name.trim() == "reader"))
    };
    wait_for("the check to read", || reads().filter(|reads| *reads));
    wait_for("the check to write", || reads().filter(|reads| !*reads));
}
