//! Text that reaches the terminal as typing, at the speed of a line, and what was
//! typed before a question stood there: neither ends anything.

use super::pty::{Session, words};
use super::{PROGRAM, start, victim};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// Types a text with so much time between its characters, as a serial line or a
/// slow connection delivers a paste.
fn trickle(session: &mut Session, text: &str, gap: Duration) {
    for character in text.chars() {
        session.keys(character.encode_utf8(&mut [0; 4]));
        std::thread::sleep(gap);
    }
}

pub(crate) fn pasted_prose_ends_nothing_at_any_speed_of_a_line() {
    let (mut victim, _) = victim();
    let filter = format!("pid:{}", victim.id());
    for gap in [1, 3, 8, 30].map(Duration::from_millis) {
        let mut session = start(&[&filter]);
        session.wait_for_text("1 of 1");
        trickle(&mut session, "Kindly see the notes. ", gap);
        // It comes behind all of that.
        session.keys("\x03");
        assert_eq!(session.ended().code, 0);
        assert_eq!(victim.try_wait().unwrap(), None, "every {gap:?}");

        let mut session = start(&[&filter]);
        session.wait_for_text("1 of 1");
        trickle(
            &mut session,
            "Kyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
            gap,
        );
        // It was asked, and it says that an answer came too early.
        session.wait_for_text(&format!("End cat (pid {})?", victim.id()));
        session.wait_for_text("Enter again (too early)");
        session.keys("\x03");
        assert_eq!(session.ended().code, 0);
        assert_eq!(victim.try_wait().unwrap(), None, "every {gap:?}");
    }
    let mut session = start(&[&filter]);
    session.wait_for_text("1 of 1");
    session.keys("Ky");
    session.wait_for_text("Enter again (too early)");
    session.answer("y");
    session.wait_for_text(&format!("cat (pid {}) ended", victim.id()));
    assert_eq!(victim.wait().unwrap().signal(), Some(15));
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

pub(crate) fn what_was_typed_before_the_question_on_the_command_line_answers_nothing() {
    const QUESTION: &str = "Send TERM to this process? [y/N]";
    let (mut victim, port) = victim();
    let mut session = Session::start(PROGRAM, &["kill", &format!(":{port}")], &[]);
    session.keys("y\ryes\ry\r");
    assert!(!session.words().contains(QUESTION), "typed too late");
    session.wait_for_text(QUESTION);
    session.keys("n\r");
    let ended = session.ended();
    assert_eq!(ended.code, 1, "{}", words(&ended.screen));
    assert_eq!(victim.try_wait().unwrap(), None, "nothing was sent");
    victim.kill().unwrap();
    victim.wait().unwrap();
}
