//! What the running program may still do: read of it, thread by thread, in
//! `/proc`.

use super::pty::Session;
use super::{start, wait_for_table};
use std::fs;

const DAC_READ_SEARCH: u64 = 1 << 2;
const KILL: u64 = 1 << 5;
const NET_ADMIN: u64 = 1 << 12;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_ADMIN: u64 = 1 << 21;

/// A line of a thread's `status`.
fn field(status: &str, name: &str) -> String {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].trim().to_owned()
}

fn mask(status: &str, name: &str) -> u64 {
    u64::from_str_radix(&field(status, name), 16).unwrap()
}

/// Every thread's `status`.
fn threads(session: &Session) -> Vec<String> {
    fs::read_dir(format!("/proc/{}/task", session.pid()))
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok())
        .collect()
}

/// `Seccomp: 2` is a filter (proc_pid_status(5)).
fn assert_no_thread_may_start_a_program(arguments: &[&str]) {
    let mut session = start(arguments);
    wait_for_table(&session);
    let threads = threads(&session);
    assert!(threads.len() > 3, "{} threads", threads.len());
    for status in &threads {
        let name = field(status, "Name:");
        assert_eq!(field(status, "Seccomp:"), "2", "{arguments:?}: {name}");
    }
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

pub(crate) fn no_thread_may_start_a_program() {
    assert_no_thread_may_start_a_program(&[]);
    assert_no_thread_may_start_a_program(&["--read-only"]);
}

pub(crate) fn nor_in_a_lab_whose_programs_run() {
    assert_no_thread_may_start_a_program(&["lab", "--everything"]);
}

pub(crate) fn every_thread_keeps_only_the_privileges_in_use() {
    let reading = DAC_READ_SEARCH | SYS_PTRACE | SYS_ADMIN;
    let cases: [(&[&str], u64); 2] = [
        (&[], reading | KILL | NET_ADMIN),
        (&["--read-only"], reading),
    ];
    let here = fs::read_to_string("/proc/self/status").unwrap();
    for (arguments, used) in cases {
        let mut session = start(arguments);
        wait_for_table(&session);
        let threads = threads(&session);
        assert!(threads.len() > 3, "{} threads", threads.len());
        for status in &threads {
            let name = field(status, "Name:");
            assert_eq!(field(status, "NoNewPrivs:"), "1", "{name}");
            assert_eq!(mask(status, "CapInh:"), 0, "{name}");
            for set in ["CapPrm:", "CapEff:"] {
                // An ordinary user has none of them, and gets none.
                let expected = mask(&here, set) & used;
                assert_eq!(mask(status, set), expected, "{name} {set}");
            }
        }
        let effective = field(&threads[0], "CapEff:");
        println!("{arguments:?}: {} threads with {effective}", threads.len());
        session.keys("q");
        assert_eq!(session.ended().code, 0);
    }
}
