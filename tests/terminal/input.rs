//! Keys, pastes and sizes as terminals really send them: in bursts, together
//! with a resize, cut off, and where descriptors are scarce.

use super::pty::{Session, words};
use super::{PROGRAM, assert_restored, is_table, start, tries, wait_for_table};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A line of the page of keys.
const HELP: &str = "/ F4 show only the rows";

pub(crate) fn a_key_together_with_a_resize_is_obeyed_at_once() {
    let mut session = start(&["--read-only"]);
    wait_for_table(&session);
    let mut slowest = Duration::ZERO;
    for number in 0..tries(60, 400) {
        let since = Instant::now();
        session.set_size(24 - number % 2, 80);
        session.keys("?");
        session.wait_for_text(HELP);
        slowest = slowest.max(since.elapsed());
        // The Escape key by itself: nothing comes behind it.
        let since = Instant::now();
        session.keys("\x1b");
        session.wait_for("the table", is_table);
        slowest = slowest.max(since.elapsed());
    }
    println!("slowest key: {slowest:?}");
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

pub(crate) fn bursts_with_resizes_leave_the_keyboard_alive() {
    let mut session = start(&["--read-only"]);
    wait_for_table(&session);
    for number in 0..tries(20, 100) {
        session.set_size(24 - number % 3, 80 - number % 5);
        let bytes = [4_000, 8_000, 20_000, 80_000][usize::from(number % 4)];
        session.flood(&b"j".repeat(bytes));
    }
    session.set_size(24, 80);
    session.keys("?");
    session.wait_for_text(HELP);
    session.keys("\x03");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

/// A debug build took 8 s to obey these before it left.
pub(crate) fn the_key_that_leaves_does_so_whatever_stands_before_it() {
    for (keys, count) in [("j", 8_000), ("j", 80_000), ("/ab\x1b", 20_000)] {
        let burst = format!("{}\x03", keys.repeat(count));
        // On a busy machine one of them may wait for a processor.
        let mut took = (0..5).map(|_| {
            let mut session = start(&["--read-only"]);
            wait_for_table(&session);
            session.set_size(30, 90);
            session.flood(burst.as_bytes());
            let since = Instant::now();
            let ended = session.ended();
            assert_eq!(ended.code, 0);
            assert_restored(&ended);
            let took = since.elapsed();
            println!("{count} x {keys:?}: ended {took:?} after the key that leaves");
            took
        });
        assert!(took.any(|took| took < Duration::from_secs(1)), "{keys:?}");
    }
}

pub(crate) fn a_paste_without_an_end_is_over_after_a_while() {
    let mut session = start(&["--read-only"]);
    wait_for_table(&session);
    session.keys("/");
    session.keys("\x1b[200~state estab");
    session.wait_for_text("state estab");
    session.keys("\x15");
    session.wait_for("an empty line", |screen| {
        !words(screen).contains("state estab")
    });
    // Longer than any field, and its end comes.
    session.flood(b"\x1b[200~");
    session.flood(&b"Ky\r".repeat(500_000));
    session.flood(b"\x1b[201~");
    session.wait_for_text("KyKyKy");
    session.keys("\x1b");
    wait_for_table(&session);
    // By the key that always leaves, too: its presses are no silence.
    session.keys("\x1b[200~abc");
    session.press_until_ended("\x03");
    let ended = session.ended();
    ended.assert_left_by_presses();
}

pub(crate) fn a_filter_typed_raw_does_not_freeze_the_screen() {
    let mut session = start(&["--read-only"]);
    wait_for_table(&session);
    let since = Instant::now();
    session.keys("/");
    session.flood(&b"port:443 or ".repeat(256 * 1024 / 12));
    session.keys("\x1b");
    session.wait_for("the table", is_table);
    let took = since.elapsed();
    println!("256 KiB typed into the filter: {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

pub(crate) fn without_descriptors_it_says_so_or_works() {
    let mut outcomes = Vec::new();
    for limit in 4..=24 {
        let script = format!("ulimit -n {limit}; exec \"$0\" --read-only");
        let mut session = Session::start("sh", &["-c", &script, PROGRAM], &[]);
        session.wait_for("a table or a reason", |screen| {
            is_table(screen) || words(screen).contains("rror")
        });
        // By the key, or by itself.
        session.keys("q");
        let ended = session.ended();
        match ended.code {
            0 => assert_restored(&ended),
            2 => {
                assert_restored(&ended);
                let said = ended.screen.contents();
                let said = said.trim();
                assert!(said.starts_with("tcplens: "), "{limit}: {said}");
            }
            other => panic!("{limit}: {other}: {}", words(&ended.screen)),
        }
        outcomes.push((limit, ended.code));
    }
    println!("descriptors and exit codes: {outcomes:?}");
}

pub(crate) fn a_size_that_the_kernel_does_not_tell_is_the_usual_one() {
    let mut session = start(&["--read-only"]);
    wait_for_table(&session);
    session.set_size(0, 0);
    session.signal(Signal::WINCH);
    session.keys("?");
    session.wait_for_text(HELP);
    session.keys("\x03");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}
