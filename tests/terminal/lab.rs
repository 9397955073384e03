//! The lab acts on its own processes, and on no others.

use super::pty::{Session, words};
use super::{start, victim};
use std::cell::Cell;
use unicode_width::UnicodeWidthStr;

pub(crate) fn the_lab_ends_its_own_processes_only() {
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
    session.wait_for_text("send TERM");
    session.keys("\x1b[B");
    session.wait_for_text("send KILL");
    session.answer("\r");
    session.wait_for_text("after KILL");
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

/// The lesson on a real terminal: a digit has the program close, the row follows,
/// and so does the language.
pub(crate) fn a_learner_leads_a_socket_on() {
    let mut session = start(&["lab", "dst 10.99.0.0/16 and sport = :8080"]);
    session.wait_for_text("waits for: peer: ACK");
    // SYN_RECV stands first: its ACK comes.
    session.keys("1");
    session.wait_for_text("Done: peer sends ACK.");
    session.wait_for_text("waits for: program: accept");
    session.keys("m");
    session.wait_for_text("closes first");
    session.keys("1");
    session.wait_for_text("Done: program calls accept.");
    session.keys("L");
    session.wait_for_text("主动关闭");
    // Back to the table, and out.
    session.keys("qq");
    assert_eq!(session.ended().code, 0);
}

/// Ending the lab's own program is a natural thing to try: it is told, and a key
/// sets the stage anew.
pub(crate) fn a_lab_whose_program_was_ended_is_set_up_again() {
    let mut session = start(&["lab"]);
    session.wait_for_text("lab-class");
    let before = owner(&session);
    session.keys("K");
    session.wait_for_text("send TERM");
    session.keys("\x1b[B");
    session.wait_for_text("send KILL");
    session.answer("\r");
    session.wait_for_text("The lab's program has ended: 9 starts it again");
    session.keys("9");
    session.wait_for_text("Set up again");
    session.wait_for("another process of the lab", |screen| {
        let now = pid(&words(screen));
        now.is_some() && now != before
    });
    // And a digit has its effect, by the mouse as well.
    let (column, row) = place(&session, "2 whole handshake");
    session.keys(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
    session.wait_for_text("Done: a client connects.");
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

/// The process of the first row that has one.
fn owner(session: &Session) -> Option<u32> {
    pid(&session.words())
}

fn pid(screen: &str) -> Option<u32> {
    let (_, rest) = screen.split_once("lab-class ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Where a text stands once it does, as the mouse counts.
fn place(session: &Session, text: &str) -> (usize, usize) {
    let found = Cell::new(None);
    session.wait_for(text, |screen| {
        let contents = screen.contents();
        let mut lines = contents.lines().zip(1..);
        found.set(lines.find_map(|(line, row)| Some((line[..line.find(text)?].width() + 1, row))));
        found.get().is_some()
    });
    found.get().unwrap()
}
