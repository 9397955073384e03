//! Closing connections and tagging rows with the keyboard, in the lab: what is
//! closed there is nobody's.

use super::pty::{Session, words};
use super::{PROGRAM, start, victim, wait_for_table};
use std::os::unix::process::ExitStatusExt;

/// The number that the dialog asks for, once it is wholly drawn.
fn asked(session: &Session) -> String {
    session.wait_for_text("and Enter to close: _");
    let words = session.words();
    let (_, rest) = words.split_once("Type ").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

fn wait_for_no_dialog(session: &Session) {
    session.wait_for("no question", |screen| !words(screen).contains("Close "));
}

pub(crate) fn a_connection_is_closed_after_a_yes() {
    let mut session = start(&[
        "lab",
        "--everything",
        // One that its program holds.
        "state:close-wait and dst 10.99.0.20",
    ]);
    wait_for_table(&session);
    session.wait_for_text("── 1 of ");
    // Which may be known only with the next table.
    session.wait_for_text("lab-park ");
    session.keys("X");
    session.wait_for_text("(CLOSE_WAIT)?");
    session.wait_for_text("ECONNABORTED at its next call");
    session.keys("n");
    wait_for_no_dialog(&session);
    assert!(!session.words().contains("is closed"), "nothing was done");
    session.keys("X");
    session.wait_for_text("(CLOSE_WAIT)?");
    session.wait_for_text("Enter close it");
    session.answer("y");
    session.wait_for_text("is closed and gone from the table.");
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

pub(crate) fn a_listener_and_several_at_once_take_a_number() {
    let mut session = start(&["lab", "--everything", "state:listen"]);
    wait_for_table(&session);
    session.wait_for_text("── 1 of ");
    session.keys("X");
    session.wait_for_text("Close the listener on");
    let port = asked(&session);
    session.keys("y\r");
    session.keys(&format!("{port}0"));
    session.wait_for_text(&format!("to close: {port}0_"));
    session.keys("\r");
    session.wait_for_text("to close: _");
    session.keys(&port);
    session.wait_for_text(&format!("to close: {port}_"));
    session.answer("\r");
    // How it goes on depends on whether the port is shared or chosen.
    session.wait_for("what came of it", |screen| {
        let words = words(screen);
        words.contains("and gone from the table.") || words.contains("listens no more")
    });

    session.keys("/\x15state:fin-wait-1\r");
    session.wait_for_text("filter: state fin_wait_1");
    // Home: the cursor may be on the last row, where it can't go on.
    session.keys("\x1b[H  ");
    session.wait_for_text("2 tagged");
    session.keys("*");
    session.wait_for("more tags", |screen| !words(screen).contains("2 tagged"));
    session.wait_for_text("Tagged: ");
    session.keys("X");
    session.wait_for_text("sockets?");
    let count = asked(&session);
    assert!(count.parse::<u32>().unwrap() > 2, "{count}");
    session.keys(&count);
    session.wait_for_text(&format!("to close: {count}_"));
    session.answer("\r");
    session.wait_for_text(&format!("{count} are closed."));
    // Their tags went with them.
    session.wait_for("no tags", |screen| !words(screen).contains(" tagged"));
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

pub(crate) fn the_command_line_asks_as_the_screen_does() {
    let (mut victim, port) = victim();
    let pid = victim.id();
    for (answer, code) in [("n", 1), ("", 1), ("y", 0)] {
        let mut session = Session::start(PROGRAM, &["kill", &format!(":{port}")], &[]);
        session.wait_for_text("Send TERM to this process? [y/N]");
        assert!(session.words().contains(&format!("cat ({pid})")));
        assert_eq!(victim.try_wait().unwrap(), None, "nothing yet");
        session.keys(&format!("{answer}\r"));
        let ended = session.ended();
        assert_eq!(ended.code, code, "{}", words(&ended.screen));
    }
    assert_eq!(victim.wait().unwrap().signal(), Some(15));

    let (mut one, first) = self::victim();
    let (mut other, second) = self::victim();
    let filter = format!(":{first} or :{second}");
    for (answer, code) in [("y", 1), ("3", 1), ("2", 0)] {
        let mut session = Session::start(PROGRAM, &["kill", &filter, "--yes"], &[]);
        session.wait_for_text("Type 2 to send TERM:");
        session.keys(&format!("{answer}\r"));
        let ended = session.ended();
        assert_eq!(ended.code, code, "{}", words(&ended.screen));
    }
    for victim in [&mut one, &mut other] {
        assert_eq!(victim.wait().unwrap().signal(), Some(15));
    }
}
