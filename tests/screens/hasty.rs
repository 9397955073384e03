//! Keys and presses faster than the eye: what was not on the screen is not
//! answered, and what was meant for one thing does not fall on another.

use super::{COLOUR, stage};
use crate::typing::{drawn, later, press, text, write};
use std::sync::Arc;
use tcplens::app::App;
use tcplens::app::command::Command;
use tcplens::app::effect::Effect;
use tcplens::app::keys::Key;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::app::mode::Mode;
use tcplens::model::action::{ProcessTarget, SignalOutcome, TargetFacts, TargetId};
use tcplens::model::observation::Observation;
use tcplens::model::row::Phase;
use tcplens::model::signal::Signal;

fn app_with(filter: &str) -> App {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, filter);
    press(&mut app, "Enter");
    drawn(&mut app, COLOUR, 80, 24);
    app
}

fn armed(app: &mut App, effects: &[Effect]) -> (TargetId, ProcessTarget) {
    let [Effect::AcquireTarget(id, target)] = effects else {
        panic!("{effects:?}")
    };
    let facts = TargetFacts {
        target: target.clone(),
        ..TargetFacts::default()
    };
    app.update(Message::TargetAcquired(*id, Ok(facts)));
    (*id, target.clone())
}

#[test]
fn a_question_that_was_never_drawn_is_not_answered() {
    let mut app = app_with("tcp and state:established");
    press(&mut app, "X");
    drawn(&mut app, COLOUR, 80, 24);
    // As a slow line delivers them: all before the next frame.
    assert!(press(&mut app, "n j X y").is_empty());
    assert!(matches!(app.mode, Mode::Close(_)), "it still asks");
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(press(&mut app, "y").len(), 1, "now it was read");
}

#[test]
fn what_was_found_out_is_drawn_before_the_answer() {
    let mut app = app_with("pid:4711");
    let effects = press(&mut app, "K");
    drawn(&mut app, COLOUR, 80, 24);
    let (id, _) = armed(&mut app, &effects);
    assert!(
        press(&mut app, "y").is_empty(),
        "what was found is not drawn yet"
    );
    drawn(&mut app, COLOUR, 80, 24);
    let signal = Signal::Term;
    assert_eq!(press(&mut app, "y"), [Effect::Signal(id, signal)]);
}

#[test]
fn a_second_press_and_a_key_of_the_last_frame_do_nothing() {
    let mut app = app_with("pid:4711");
    let effects = press(&mut app, "K");
    armed(&mut app, &effects);
    drawn(&mut app, COLOUR, 80, 24);
    let twice = Message::Mouse(
        MouseAction::DoubleClick,
        HitTarget::Command(Command::ConfirmSend),
    );
    assert!(app.update(twice).is_empty());
    for command in [Command::Details, Command::Help, Command::EndProcess] {
        let stale = Message::Mouse(MouseAction::Click, HitTarget::Command(command));
        assert!(app.update(stale).is_empty(), "{command:?}");
        assert!(matches!(app.mode, Mode::Confirm(_)), "{command:?}");
    }
    let meant = Message::Mouse(MouseAction::Click, HitTarget::Command(Command::ConfirmSend));
    assert!(matches!(&later(&mut app, meant)[..], [Effect::Signal(..)]));
}

#[test]
fn tags_that_lapse_do_not_let_a_key_fall_on_the_cursor() {
    let mut app = app_with("tcp and state:established");
    press(&mut app, "g Space");
    let tagged = app.target_rows()[0].socket.key();
    let scene = stage::scene();
    let mut rows = (*scene.rows).clone();
    for row in rows.iter_mut().filter(|row| row.socket.key() == tagged) {
        row.phase = Phase::Closed;
    }
    let gone = Observation {
        table_number: scene.table_number + 1,
        rows: Arc::new(rows),
        ..(*scene).clone()
    };
    app.update(Message::Observed(Arc::new(gone)));
    assert!(press(&mut app, "X").is_empty());
    assert!(
        matches!(app.mode, Mode::Table),
        "it was meant for the tagged"
    );
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("The tagged sockets are gone"));
    press(&mut app, "j X");
    assert!(matches!(app.mode, Mode::Close(_)), "this one is its own");
}

#[test]
fn an_offer_is_for_its_own_row() {
    let mut app = app_with("pid:4711 or pid:812");
    press(&mut app, "g");
    let first = app
        .observation
        .first_owner(app.selected().unwrap())
        .cloned();
    let effects = press(&mut app, "K");
    let (id, target) = armed(&mut app, &effects);
    drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "y");
    let (signal, after) = (Signal::Term, std::time::Duration::from_secs(5));
    app.update(Message::SignalOutcome(
        id,
        SignalOutcome::StillRunning { after, signal },
    ));
    // To a row of somebody else, by the mouse, which takes no notice away.
    let other = (0..app.row_order.len())
        .find(|place| {
            let row = &app.observation.rows[app.row_order[*place] as usize];
            let owner = app.observation.first_owner(row);
            owner.is_some_and(|owner| Some(owner) != first.as_ref())
        })
        .unwrap();
    app.update(Message::Mouse(MouseAction::Click, HitTarget::Row(other)));
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(_, asked)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_ne!(asked.pid, target.pid, "the row that was clicked is meant");
}

#[test]
fn two_affairs_are_both_told_of() {
    let mut app = app_with("pid:4711 or pid:812");
    let mut ids = Vec::new();
    for place in ["g", "G"] {
        press(&mut app, place);
        let effects = press(&mut app, "K");
        ids.push(armed(&mut app, &effects));
        drawn(&mut app, COLOUR, 80, 24);
        assert_eq!(press(&mut app, "y").len(), 1, "nobody is let go of");
    }
    assert_ne!(ids[0].1.pid, ids[1].1.pid);
    for (id, target) in ids {
        let (signal, after) = (Signal::Term, std::time::Duration::from_millis(30));
        app.update(Message::SignalOutcome(
            id,
            SignalOutcome::Exited { after, signal },
        ));
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        let said = format!("{} (pid {}) ended", target.name, target.pid);
        assert!(text(&buffer).contains(&said), "{}", text(&buffer));
    }
}

#[test]
fn keys_that_come_at_once_do_the_same_as_one_by_one() {
    let lines: [&[Key]; 4] = [
        &[
            Key::Char('/'),
            Key::Char(':'),
            Key::Char('8'),
            Key::Char('0'),
            Key::Enter,
        ],
        &[
            Key::Char('/'),
            Key::Char('x'),
            Key::Char('y'),
            Key::Left,
            Key::Delete,
        ],
        &[
            Key::Char('/'),
            Key::Char('t'),
            Key::Char('c'),
            Key::Char('p'),
            Key::Esc,
            Key::Char('s'),
        ],
        &[
            Key::Down,
            Key::Char('/'),
            Key::Char('a'),
            Key::Ctrl('u'),
            Key::Up,
            Key::Char('z'),
        ],
    ];
    for keys in lines {
        let mut slow = stage::app(stage::scene());
        for key in keys {
            slow.update(Message::Key(*key));
        }
        let mut fast = stage::app(stage::scene());
        fast.update(Message::Keys(keys.to_vec()));
        assert_eq!(fast.mode, slow.mode, "{keys:?}");
        assert_eq!(fast.filter, slow.filter, "{keys:?}");
        assert_eq!(fast.row_order, slow.row_order, "{keys:?}");
    }
}
