//! Filters on the screen: half typed, matching nothing, and undecided.

use super::{COLOUR, stage};
use crate::typing::{drawn, press, text, write};
use tcplens::app::App;

fn screen(app: &mut App) -> String {
    let (buffer, _) = drawn(app, COLOUR, 120, 24);
    text(&buffer)
}

/// Shows the filter and types no further.
fn filtered(filter: &str) -> (App, String) {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, filter);
    press(&mut app, "Enter");
    let shown = screen(&mut app);
    (app, shown)
}

#[test]
fn a_filter_that_cannot_be_read_yet_leaves_the_rows_that_matched_last() {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, "process:sshd");
    let rows = app.row_order.clone();
    assert!(!rows.is_empty() && rows.len() < app.observation.rows.len());
    for typed in [" and", " port", ":", "99999"] {
        write(&mut app, typed);
        assert_eq!(app.row_order, rows, "after {typed}");
    }
    write(&mut app, " or tcp");
    assert_eq!(app.row_order, rows);
    press(&mut app, "Enter");
    assert!(screen(&mut app).contains("above 65535"), "it is not taken");
    press(&mut app, "Esc");
    assert!(app.filter.is_all());
    assert_eq!(app.row_order.len(), app.observation.rows.len());
}

#[test]
fn an_unknown_field_is_named_with_those_there_are() {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, "regex:x");
    let shown = screen(&mut app);
    assert!(shown.contains("unknown field `regex`"), "{shown}");
    assert!(shown.contains("fields: state, exclude, port"), "{shown}");
}

#[test]
fn what_was_taken_for_text_is_said_when_nothing_matches() {
    let (_, shown) = filtered("ngnix :443");
    assert!(shown.contains("No socket matches"), "{shown}");
    assert!(shown.contains("`ngnix` is searched as text"), "{shown}");
    let (_, shown) = filtered("dport = :1");
    assert!(!shown.contains("searched as text"), "{shown}");
}

#[test]
fn what_is_unknown_is_counted_and_not_shown() {
    // Everything was there when watching began, 42 s ago.
    let (app, shown) = filtered("age > 5m and sport = :22");
    assert!(app.row_order.is_empty());
    assert_eq!(app.undecided.count, 2);
    let reason =
        "2 sockets left out: unknown whether they match (at least 42 s old; unknown whether 5 min)";
    assert!(shown.contains(reason), "{shown}");
    assert!(shown.contains("2 unknown"), "{shown}");
    let (app, _) = filtered("not age > 5m and sport = :22");
    assert_eq!((app.row_order.len(), app.undecided.count), (0, 2));
    let (app, shown) = filtered("age > 10s and sport = :22");
    assert_eq!((app.row_order.len(), app.undecided.count), (2, 0));
    assert!(!shown.contains("unknown"), "{shown}");
}
