//! A whole tree ended from the table, with the number typed that the question
//! asks for.

use super::pty::words;
use super::{assert_restored, listening, start};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};

/// A shell and two processes below it that all hold one listener, until they
/// are ended or their input closes with the test.
fn family() -> (Child, u16) {
    let script = "exec 3<&0; cat <&3 & cat <&3 & wait";
    listening(Command::new("sh").args(["-c", script]))
}

pub(crate) fn a_tree_is_ended_once_its_number_is_typed() {
    let (mut family, port) = family();
    let pid = family.id();
    let mut session = start(&[&format!(":{port}")]);
    session.wait_for_text("sh +2");
    session.keys("K");
    session.wait_for_text(&format!("End sh (pid {pid})?"));
    session.wait_for_text("2 other processes hold its sockets too: cat");
    session.keys("t");
    session.wait_for_text("and all 2 below it?");
    session.wait_for_text("To allow the signals, type 3: _");
    session.wait_for("no signal to choose", |screen| {
        !words(screen).contains("send TERM")
    });
    session.keys("y");
    session.wait_for_text("Nothing was sent. First type 3: _");
    session.keys("4");
    session.wait_for_text("type 3: 4_");
    session.keys("\r");
    session.wait_for_text("First type 3: 4_");
    assert_eq!(family.try_wait().unwrap(), None, "nothing was sent");
    session.keys("\x7f3");
    session.wait_for_text("3 is typed");
    session.wait_for_text("Enter send TERM");
    // A person who is unsure asks for help: nothing is sent by that.
    for help in ["h", "?"] {
        session.keys(help);
        session.wait_for_text("Nothing has been sent.");
        session.keys("\r");
        session.wait_for_text("Enter send TERM");
    }
    session.keys("\x1b[B");
    session.wait_for_text("> KILL");
    session.keys("\x1b[A");
    session.wait_for_text("> TERM");
    assert_eq!(family.try_wait().unwrap(), None, "nothing was sent");
    session.answer("y");
    session.wait_for_text(&format!("sh (pid {pid}) and 2 below it ended"));
    session.wait_for_text(&format!("Port {port} is free."));
    assert_eq!(family.wait().unwrap().signal(), Some(15));
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}
