//! Closing connections and tagging rows, on the made-up server.

use super::{COLOUR, compare, stage};
use crate::typing::{drawn, press, text, write};
use std::sync::Arc;
use tcplens::app::App;
use tcplens::app::command::Command;
use tcplens::app::effect::Effect;
use tcplens::app::message::Message;
use tcplens::app::mode::Mode;
use tcplens::model::action::AccessMode;
use tcplens::model::close::{CloseRefusal, CloseResult, CloseTarget};
use tcplens::model::observation::Observation;
use tcplens::model::row::{Phase, Row};

/// The app with only some rows in sight, drawn once.
fn filtered(filter: &str) -> App {
    let mut app = stage::app(stage::scene());
    drawn(&mut app, COLOUR, 80, 24);
    narrow(&mut app, filter);
    app
}

fn narrow(app: &mut App, filter: &str) {
    press(app, "/ Ctrl-u");
    write(app, filter);
    press(app, "Enter");
}

fn words(app: &mut App) -> String {
    let (buffer, _) = drawn(app, COLOUR, 80, 24);
    let text = text(&buffer);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

fn asked(effects: &[Effect]) -> Vec<CloseTarget> {
    let [Effect::Close(targets)] = effects else {
        panic!("{effects:?}")
    };
    targets.clone()
}

/// What the kernel would say of each.
fn answer(app: &mut App, targets: &[CloseTarget], result: &Result<(), CloseRefusal>) {
    let closed = targets.iter().map(|target| CloseResult {
        target: *target,
        result: result.clone(),
        closed_with_peer: false,
    });
    app.update(Message::CloseResults(closed.collect()));
}

/// The scene in a later table, with each row changed.
fn later(app: &mut App, tables: u64, change: impl Fn(&mut Row)) {
    let scene = stage::scene();
    let mut rows = (*scene.rows).clone();
    rows.iter_mut().for_each(change);
    let observation = Observation {
        table_number: scene.table_number + tables,
        rows: Arc::new(rows),
        ..(*scene).clone()
    };
    app.update(Message::Observed(Arc::new(observation)));
}

const ONE: &str = "dst 198.51.100.8";

#[test]
fn the_dialogs() {
    let cases = [
        ("close_connection", ONE, "X"),
        ("close_listener", "state:listen and :22", "X"),
        ("close_several", "tcp and process:nginx", "* X"),
    ];
    for (name, filter, keys) in cases {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut app = filtered(filter);
            press(&mut app, keys);
            let (buffer, _) = drawn(&mut app, COLOUR, width, height);
            compare(&format!("{name}_{width}x{height}"), &text(&buffer));
        }
    }
}

#[test]
fn one_key_closes_a_connection_and_the_tables_tell() {
    let mut app = filtered(ONE);
    assert!(press(&mut app, "X").is_empty());
    assert!(
        press(&mut app, "y").is_empty(),
        "nobody has seen the question"
    );
    assert!(words(&mut app).contains("Enter again (too early) ? explain n cancel"));
    assert!(press(&mut app, "n").is_empty(), "cancelled");
    assert_eq!(app.mode, Mode::Table);
    press(&mut app, "X");
    drawn(&mut app, COLOUR, 80, 24);
    let targets = asked(&press(&mut app, "y"));
    let port = targets[0].socket().remote.port;
    assert_eq!((targets.len(), port), (1, 40110));

    answer(&mut app, &targets, &Ok(()));
    assert!(words(&mut app).contains("198.51.100.8:40110 is closed."));
    // A table that was under way says nothing; the second does.
    later(&mut app, 1, |_| {});
    assert!(words(&mut app).contains("198.51.100.8:40110 is closed."));
    later(&mut app, 2, |row| {
        if row.socket.remote.port == 40110 {
            row.phase = Phase::Closed;
        }
    });
    let said = words(&mut app);
    assert!(said.contains("gone from the table. nginx (812) gets ECONNABORTED"));
}

#[test]
fn what_did_not_work_says_why_and_a_row_that_stays_is_told() {
    let cases = [
        (CloseRefusal::Gone, "no longer exists"),
        (CloseRefusal::NotPermitted, "CAP_NET_ADMIN"),
        (CloseRefusal::Unsupported, "CONFIG_INET_DIAG_DESTROY"),
    ];
    for (refusal, expected) in cases {
        let mut app = filtered(ONE);
        press(&mut app, "X");
        drawn(&mut app, COLOUR, 80, 24);
        let targets = asked(&press(&mut app, "y"));
        answer(&mut app, &targets, &Err(refusal));
        let said = words(&mut app);
        assert!(said.contains("Not closed: 192.0.2.10:443"), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    let mut app = filtered(ONE);
    press(&mut app, "X");
    drawn(&mut app, COLOUR, 80, 24);
    let targets = asked(&press(&mut app, "y"));
    answer(&mut app, &targets, &Ok(()));
    later(&mut app, 2, |_| {});
    assert!(words(&mut app).contains("Still open in the table: 1."));
}

#[test]
fn a_listener_takes_its_port() {
    let mut app = filtered("state:listen and :22");
    press(&mut app, "X");
    drawn(&mut app, COLOUR, 80, 24);
    for wrong in ["y", "Enter", "2 Enter", "2 2 2 Enter"] {
        assert!(press(&mut app, wrong).is_empty(), "{wrong}");
    }
    assert!(words(&mut app).contains("Type 22 and Enter to close: _"));
    let targets = asked(&press(&mut app, "2 3 Backspace 2 Enter"));
    assert_eq!(targets[0].socket().local.port, 22);
    // Esc closes nothing.
    assert!(press(&mut app, "X 2 2 Esc").is_empty());
    assert_eq!(app.mode, Mode::Table);
}

#[test]
fn the_session_of_the_person_is_not_cut_by_one_key() {
    let carried = "192.0.2.10:22 198.51.100.23:50514";
    let mut choices = stage::choices();
    choices.login_session.endpoints =
        tcplens::model::login_session::LoginSession::parse_ssh_connection(
            "198.51.100.23 50514 192.0.2.10 22",
        );
    let mut app = stage::app_of(stage::scene(), choices);
    narrow(&mut app, "dst 198.51.100.23");
    press(&mut app, "X");
    let said = words(&mut app);
    assert!(said.contains("lock yourself out"), "{carried}: {said}");
    assert!(said.contains("Type 22 and Enter"), "{said}");
    assert!(press(&mut app, "y").is_empty());
}

#[test]
fn where_it_cannot_be_done_the_key_says_so() {
    let mut app = filtered(ONE);
    assert!(app.is_available(Command::CloseConnection));
    app.update(Message::CapabilitiesProbed(Box::new(
        stage::ordinary_means(),
    )));
    assert!(!app.is_available(Command::CloseConnection));
    assert!(!words(&mut app).contains("X close"));
    press(&mut app, "X");
    assert!(words(&mut app).contains("Closing is not to be had here: it takes CAP_NET_ADMIN"));
    press(&mut app, "?");
    assert!(words(&mut app).contains("X Closing is not to be had here"));

    let mut choices = stage::choices();
    choices.access_mode = AccessMode::ReadOnly;
    let mut app = stage::app_of(stage::scene(), choices);
    press(&mut app, "X");
    assert!(words(&mut app).contains("--read-only"));

    // Datagrams for anyone are no connection.
    let mut app = filtered("udp");
    press(&mut app, "X");
    assert!(words(&mut app).contains("it has no peer and does not listen"));
}

#[test]
fn tags_follow_sockets_and_bound_what_is_closed() {
    let mut app = filtered("tcp and state:established");
    let before = app.row_order.len();
    press(&mut app, "Space Space");
    assert_eq!((app.tags.count(), app.cursor.index()), (2, 2));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("tagged_80x24", &text(&buffer));
    // In another order the same sockets are tagged, and out of sight, too.
    let tagged = |app: &App| {
        let rows = app.target_rows();
        rows.iter().map(|row| row.socket.key()).collect::<Vec<_>>()
    };
    let first = tagged(&app);
    press(&mut app, "S");
    assert_eq!(tagged(&app), first);
    narrow(&mut app, ONE);
    assert_eq!(tagged(&app), first);
    press(&mut app, "X");
    let said = words(&mut app);
    assert!(said.contains("Close 2 sockets?"), "{said}");
    assert_eq!(asked(&press(&mut app, "2 Enter")).len(), 2);

    // They have served. A socket that closes takes its tag along.
    assert_eq!(app.tags.count(), 0);
    narrow(&mut app, "tcp and state:established");
    press(&mut app, "g Space Space");
    let first = tagged(&app);
    assert_eq!(first.len(), 2);
    later(&mut app, 1, |row| {
        if row.socket.key() == first[0] {
            row.phase = Phase::Closed;
        }
    });
    assert_eq!(tagged(&app), first[1..]);
    // Esc takes the tags first, then the filter.
    press(&mut app, "Esc");
    assert!(app.tags.count() == 0 && !app.filter.is_all());
    press(&mut app, "Esc");
    assert!(app.filter.is_all());

    narrow(&mut app, "tcp and state:established");
    press(&mut app, "*");
    assert_eq!(app.tags.count(), before - 1, "but for the closed one");
    press(&mut app, "*");
    assert_eq!(app.tags.count(), 0);
}

#[test]
fn more_than_64_are_refused_with_their_count() {
    let mut app = stage::app(stage::scan_scene());
    drawn(&mut app, COLOUR, 80, 24);
    narrow(&mut app, "state:syn_sent");
    press(&mut app, "* X");
    let said = words(&mut app);
    assert!(
        said.contains("Nothing was closed: these are 300, and no more than 64"),
        "{said}"
    );
}
