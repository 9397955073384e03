//! Job control by a shell: stopped by signals that cannot be caught or are not,
//! continued in the foreground and in the background.

use super::pty::{Session, words};
use super::{PROGRAM, assert_restored, is_table, wait_for_table};
use crate::pty::wait_for_state;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::time::{Duration, Instant};
use vt100::MouseProtocolMode;

/// A shell that sets its own modes whenever it has the terminal, and goes on by
/// a line that is typed.
const SHELL: &str = "set -m; modes=$(stty -g)
\"$0\" \"$@\"
stty $modes; echo in the shell; read line
if [ \"$line\" = bg ]; then bg; read line; echo still in the shell; read line; fi
fg";

fn start() -> Session {
    let session = Session::start("sh", &["-c", SHELL, PROGRAM, "--read-only"], &[]);
    wait_for_table(&session);
    session
}

/// The program that the shell started.
fn job_of(session: &Session) -> u32 {
    let shell = session.pid();
    let path = format!("/proc/{shell}/task/{shell}/children");
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// How often threads of a process gave up a processor: it grows while it runs.
fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let statuses =
        tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    let counts = statuses.flat_map(|status| {
        let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
        let counts = lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok());
        counts.collect::<Vec<_>>()
    });
    counts.sum()
}

fn is_shell(screen: &vt100::Screen, text: &str) -> bool {
    words(screen).contains(text)
}

/// Waits for the live table in all of its modes, obeying keys, and leaves it.
fn assert_taken_again(mut session: Session) {
    session.wait_for("the table again", |screen| {
        is_table(screen)
            && !words(screen).contains("in the shell")
            && screen.hide_cursor()
            && screen.bracketed_paste()
            && screen.mouse_protocol_mode() != MouseProtocolMode::None
    });
    assert!(!session.modes_restored(), "the terminal is raw again");
    session.keys("?");
    session.wait_for_text("/ F4 show only the rows");
    session.keys("qq");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

pub(crate) fn any_stop_gives_way_to_the_shell_and_fg_takes_the_terminal_again() {
    for signal in [Signal::STOP, Signal::TTIN, Signal::TTOU, Signal::TSTP] {
        let mut session = start();
        let job = job_of(&session);
        send(job, signal);
        wait_for_state(job, &['T']);
        session.wait_for("the shell", |screen| is_shell(screen, "in the shell"));
        assert!(session.modes_restored(), "{signal:?}: the shell's modes");
        session.keys("fg\r");
        assert_taken_again(session);
    }
}

pub(crate) fn continued_in_the_background_it_leaves_the_terminal_alone() {
    for signal in [Signal::STOP, Signal::TSTP] {
        let mut session = start();
        let job = job_of(&session);
        send(job, signal);
        wait_for_state(job, &['T']);
        session.wait_for("the shell", |screen| is_shell(screen, "in the shell"));
        let before = switches(job);
        session.keys("bg\r");
        let until = Instant::now() + Duration::from_mins(1);
        while switches(job) == before {
            assert!(Instant::now() < until, "it was never continued");
            std::thread::sleep(Duration::from_millis(5));
        }
        wait_for_state(job, &['T']);
        assert!(session.modes_restored(), "{signal:?}: the shell's modes");
        session.keys("look\r");
        session.wait_for("the shell", |screen| is_shell(screen, "still in the shell"));
        assert!(session.modes_restored(), "{signal:?}: the shell's modes");
        assert_eq!(session.words().contains("q quit"), signal == Signal::STOP);
        session.keys("fg\r");
        assert_taken_again(session);
    }
}
