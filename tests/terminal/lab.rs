//! The lab acts on its own processes, and on no others.

use super::inhabitants::lab_is_to_be_had;
use super::{PROGRAM, start, victim};

#[test]
fn the_lab_ends_its_own_processes_only() {
    if !lab_is_to_be_had(PROGRAM) {
        return;
    }
    // An ordinary user's lab does not even see the machine's sockets.
    if rustix::process::geteuid().is_root() {
        let (mut outsider, _) = victim();
        let filter = format!("pid:{}", outsider.id());
        let mut session = start(&["lab", "--everything", "--all-netns", &filter]);
        session.wait_for_text("1 of ");
        session.keys("K");
        session.wait_for_text("only the lab's own processes");
        session.keys("y");
        session.keys("X");
        session.wait_for_text("another network namespace");
        session.keys("q");
        assert_eq!(session.ended().code, 0);
        assert_eq!(outsider.try_wait().unwrap(), None, "nothing was sent");
        outsider.kill().unwrap();
        outsider.wait().unwrap();
    }
    let mut session = start(&["lab", "--everything", "process:lab-park state:syn_sent"]);
    session.wait_for_text("SYN_SENT for");
    session.keys("K");
    session.wait_for_text("y TERM");
    session.keys("f");
    session.wait_for_text("after KILL");
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

/// The lesson on a real terminal: a digit has the program close, the row follows,
/// and so does the language.
#[test]
fn a_learner_leads_a_socket_on() {
    if !lab_is_to_be_had(PROGRAM) {
        return;
    }
    let mut session = start(&["lab", "dst 10.99.0.0/16 and sport = :8080"]);
    session.wait_for_text("waits for: peer: ACK");
    // SYN_RECV stands first: its ACK comes.
    session.keys("1");
    session.wait_for_text("Done: peer sends ACK.");
    session.wait_for_text("waits for: program: accept");
    session.keys("m");
    session.wait_for_text("The state machine");
    session.keys("1");
    session.wait_for_text("Done: program calls accept.");
    session.keys("L");
    session.wait_for_text("状态机");
    // Back to the table, and out.
    session.keys("qq");
    assert_eq!(session.ended().code, 0);
}
