//! The lessons and the state machine on a real terminal: segments fly by
//! themselves, and stop.

use super::pty::{Session, words};
use super::{PROGRAM, assert_restored, wait_for_table};

pub(crate) fn segments_fly_by_themselves_to_the_end() {
    let mut session = Session::start(PROGRAM, &["-i", "30"], &[]);
    wait_for_table(&session);
    // No table comes meanwhile: what moves is moved by ticks alone.
    session.keys("wgj\r");
    session.wait_for_text("before the first segment");
    session.keys(" ");
    session.wait_for("a segment on its way", |screen| {
        let words = words(screen);
        words.contains("segment 1 of 3") && !words.contains("SYN_RECV")
    });
    session.wait_for_text("segment 3 of 3");
    session.wait_for("both ends open", |screen| {
        words(screen).matches("ESTABLISHED").count() == 2
    });
    session.keys("qqm");
    session.wait_for_text("closes second");
    session.keys("q");
    session.wait_for_text("PROCESS");
    session.keys("q");
    assert_restored(&session.ended());
}
