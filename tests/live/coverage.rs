//! `tcplens check` where it cannot see, and where it cannot be heard: it never says
//! that all is well for a time in which it read nothing, and it always ends.

use super::checks::{Crowd, Folder, command, start, tables};
use super::namespace::{Namespace, NotHere};
use super::patience::wait_for;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{ErrorKind, Write, pipe};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A process that stands still is blind, and so is one on a machine without time for
/// it. What it has found stays found.
pub(crate) fn is_told_where_it_was_stopped(_: &Namespace) -> Result<(), NotHere> {
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
    for check in &checks {
        send(check, Signal::STOP);
    }
    let began = Instant::now();
    let long = Duration::from_secs(5);
    wait_for("five seconds", || (began.elapsed() > long).then_some(()));
    for check in &checks {
        send(check, Signal::CONT);
    }
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
    Ok(())
}

/// A pipe whose reader does not read takes no more: a signal ends the check all the
/// same a second later, and a second one at once.
pub(crate) fn is_no_reason_to_stay(_: &Namespace) -> Result<(), NotHere> {
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
