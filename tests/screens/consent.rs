//! Answers that nobody gave: typed ahead, or pasted into a terminal that delivers
//! a paste as typing. The clock is the test's.

use super::COLOUR;
use super::stage;
use crate::typing::{drawn, later, press, text, write};
use std::time::Duration;
use tcplens::app::App;
use tcplens::app::command::Command;
use tcplens::app::effect::Effect;
use tcplens::app::keys::Key;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::app::mode::Mode;
use tcplens::model::action::TargetFacts;

const READING_TIME: Duration = Duration::from_millis(400);

fn app_with(filter: &str) -> App {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, filter);
    press(&mut app, "Enter");
    drawn(&mut app, COLOUR, 80, 24);
    app
}

fn acts(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Signal(..) | Effect::SignalTree(..) | Effect::Close(_)
    )
}

/// Types a key some time after the one before, and draws; every process that is
/// asked about is taken hold of at once, as on a quiet machine.
fn type_after(app: &mut App, wait: Duration, key: Key) -> Vec<Effect> {
    let now = app.now() + wait;
    let effects = app.update_at(Message::Key(key), now);
    for effect in &effects {
        if let Effect::AcquireTarget(id, target) = effect {
            let facts = TargetFacts {
                target: target.clone(),
                ..TargetFacts::default()
            };
            app.update(Message::TargetAcquired(*id, Ok(facts)));
        }
    }
    if matches!(app.mode, Mode::Confirm(_) | Mode::Close(_)) {
        drawn(app, COLOUR, 80, 24);
    }
    effects
}

/// What a text does that comes with so many milliseconds between its characters.
fn pasted(app: &mut App, text: &str, gap: u64) -> Vec<Effect> {
    text.chars()
        .flat_map(|character| {
            let key = match character {
                '\n' => Key::Enter,
                other => Key::Char(other),
            };
            type_after(app, Duration::from_millis(gap), key)
        })
        .collect()
}

#[test]
fn no_text_ends_or_closes_anything_at_any_speed_of_a_line() {
    let texts = [
        "Kindly see the notes. ",
        "Kyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        "Key\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
        "Xy\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
        "Krypton glows by day; xylophones, by jolly luck, may stay silent. Kyiv. Ky. Key. Xylem, yes",
        "Kty by the way, the tree: yes yes yes yes yes yes yes yes yes yes",
    ];
    for gap in [1, 8, 30, 250] {
        for text in texts {
            for filter in ["process:sshd", "tcp and state:established"] {
                let mut app = app_with(filter);
                let effects = pasted(&mut app, text, gap);
                let done: Vec<_> = effects.into_iter().filter(acts).collect();
                assert_eq!(done, [], "{text:?} every {gap} ms at {filter}");
            }
        }
    }
}

#[test]
fn tagged_rows_and_trees_are_asked_about_as_slowly() {
    for (filter, keys, answer) in [
        ("pid:4711 or pid:812", "* K", "y"),
        ("tcp and state:established", "* X", "\n"),
        ("state:listen and :22", "X", "\n"),
    ] {
        let mut app = app_with(filter);
        for key in keys.split(' ') {
            let key = Key::from_name(key).unwrap();
            type_after(&mut app, Duration::from_secs(1), key);
        }
        let demand = match &app.mode {
            Mode::Confirm(confirm) => confirm.typed_confirmation(),
            Mode::Close(closing) => closing.typed_confirmation.clone(),
            other => panic!("{other:?}"),
        };
        let number = demand.unwrap().to_string();
        // The right number at the speed of a line, and the answer with it.
        let effects = pasted(&mut app, &format!("{number}{answer}"), 5);
        assert!(!effects.iter().any(acts), "{filter}: {effects:?}");
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        let early = text(&buffer).to_lowercase().contains("too early");
        assert!(early, "{filter}: {}", text(&buffer));
        let effects = pasted(&mut app, answer, 1_000);
        assert!(effects.iter().any(acts), "{filter}: {effects:?}");
    }
}

#[test]
fn who_answers_too_early_is_told_and_answers_again() {
    let mut app = app_with("pid:4711");
    type_after(&mut app, Duration::from_secs(1), Key::Char('K'));
    let effects = type_after(&mut app, Duration::from_millis(350), Key::Enter);
    assert_eq!(effects, []);
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let said = text(&buffer);
    assert!(said.contains(" Enter again (too early)  Down"), "{said}");
    // Once more, and as much too early: the key is held down.
    let effects = type_after(&mut app, Duration::from_millis(399), Key::Enter);
    assert_eq!(effects, []);
    let effects = type_after(&mut app, READING_TIME, Key::Enter);
    assert!(effects.iter().any(acts), "{effects:?}");
}

#[test]
fn the_footer_shows_when_an_answer_counts() {
    let mut app = app_with("pid:4711");
    type_after(&mut app, Duration::from_secs(1), Key::Char('K'));
    let faint = |app: &mut App| {
        let (buffer, _) = drawn(app, COLOUR, 80, 24);
        let cell = &buffer[(1, 23)];
        assert_eq!(cell.symbol(), "E", "of Enter");
        cell.style()
            .add_modifier
            .contains(ratatui::style::Modifier::DIM)
    };
    assert!(faint(&mut app), "not yet");
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 80, 24));
    let frame = tcplens::view::draw(&app, COLOUR, &mut buffer);
    let now = app.now() + Duration::from_millis(150);
    let effects = app.update_at(Message::FrameDrawn(frame.info), now);
    assert_eq!(effects, [Effect::TickAfter(Duration::from_millis(250))]);
    let now = app.now() + Duration::from_millis(250);
    assert_eq!(app.update_at(Message::Tick, now), []);
    assert!(!faint(&mut app), "now");
}

#[test]
fn a_signal_is_chosen_and_sent_without_a_further_wait() {
    let mut app = app_with("pid:4711");
    type_after(&mut app, Duration::from_secs(1), Key::Char('K'));
    type_after(&mut app, Duration::from_millis(600), Key::Down);
    type_after(&mut app, Duration::from_millis(90), Key::Down);
    let effects = type_after(&mut app, Duration::from_millis(90), Key::Enter);
    assert!(effects.iter().any(acts), "{effects:?}");
}

#[test]
fn a_tree_is_another_question() {
    let mut app = app_with("pid:811");
    let effects = later(&mut app, Message::Key(Key::Char('K')));
    let [Effect::AcquireTarget(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let facts = TargetFacts {
        target: target.clone(),
        descendants: vec![(812, "nginx".into())],
        children: vec![(812, "nginx".into())],
        ..TargetFacts::default()
    };
    app.update(Message::TargetAcquired(*id, Ok(facts)));
    drawn(&mut app, COLOUR, 80, 24);
    type_after(&mut app, Duration::from_secs(1), Key::Char('t'));
    let typed = type_after(&mut app, Duration::from_millis(100), Key::Char('2'));
    let early = type_after(&mut app, Duration::from_millis(100), Key::Enter);
    assert_eq!((typed, early), (vec![], vec![]));
    let effects = type_after(&mut app, Duration::from_millis(500), Key::Enter);
    assert!(
        matches!(effects[..], [Effect::SignalTree(..)]),
        "{effects:?}"
    );
}

#[test]
fn a_click_and_a_paste_answer_nothing_early() {
    let mut app = app_with("pid:4711");
    type_after(&mut app, Duration::from_secs(1), Key::Char('K'));
    let click = || Message::Mouse(MouseAction::Click, HitTarget::Command(Command::ConfirmSend));
    let now = app.now() + Duration::from_millis(300);
    assert_eq!(app.update_at(click(), now), []);
    // A paste that was never meant for the question: whoever pastes does not read.
    let now = app.now() + Duration::from_millis(390);
    assert_eq!(app.update_at(Message::Paste("y\ny".to_owned()), now), []);
    let now = app.now() + Duration::from_millis(390);
    assert_eq!(app.update_at(click(), now), []);
    drawn(&mut app, COLOUR, 80, 24);
    let effects = later(&mut app, click());
    assert!(effects.iter().any(acts), "{effects:?}");
}

#[test]
fn another_language_is_read_anew() {
    let mut app = app_with("pid:4711");
    type_after(&mut app, Duration::from_secs(1), Key::Char('K'));
    type_after(&mut app, Duration::from_secs(1), Key::Char('L'));
    let effects = type_after(&mut app, Duration::from_millis(100), Key::Char('y'));
    assert_eq!(effects, []);
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let said = text(&buffer);
    assert!(said.contains(" Enter 再按一次（刚才太早）"), "{said}");
}
