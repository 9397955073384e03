//! The lab's pane: whom the selected socket waits for, and what can be done
//! about it.

use crate::typing::{drawn, press, text};
use crate::{COLOUR, compare, stage};
use ratatui::layout::Position;
use tcplens::app::command::Command;
use tcplens::app::effect::Effect;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::app::{App, AppOptions};
use tcplens::model::lab::{CHAPTER_STATES, LabAction, LabFailure, LabMode};
use tcplens::model::time::Timestamp;

fn lab(course: LabMode) -> App {
    let choices = AppOptions {
        lab_mode: Some(course),
        ..stage::choices()
    };
    stage::app_of(stage::scene(), choices)
}

fn made(app: &mut App, keys: &str) -> Vec<LabAction> {
    let effects = press(app, keys);
    let wishes = effects.into_iter().filter_map(|effect| match effect {
        Effect::LabAction(wish) => Some(wish.action),
        _ => None,
    });
    wishes.collect()
}

#[test]
fn the_pane_of_the_lab() {
    for (columns, rows) in [(60, 18), (80, 24), (120, 40)] {
        for language in ["", "L"] {
            let mut app = lab(LabMode::States);
            drawn(&mut app, COLOUR, columns, rows);
            press(&mut app, language);
            press(&mut app, "j j j");
            let (buffer, _) = drawn(&mut app, COLOUR, columns, rows);
            let tag = app.messages.language().tag();
            compare(&format!("lab_{tag}_{columns}x{rows}"), &text(&buffer));
        }
    }
}

/// A digit orders what stands beside it; another waits until that is done.
#[test]
fn digits_have_the_next_step_happen() {
    let mut app = lab(LabMode::States);
    assert_eq!(made(&mut app, "1"), [], "nothing is offered before a frame");
    drawn(&mut app, COLOUR, 80, 24);
    let offered = app.lab_choices();
    // A key that is held down counts once, until a table shows what it did.
    assert_eq!(made(&mut app, "1 1 1"), [offered[0].action]);
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(made(&mut app, "2"), [], "one after the other");
    app.update(Message::LabActionDone(Err(LabFailure::Failed(
        "no peer".to_owned(),
    ))));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("did not work: no peer"));
    assert_eq!(made(&mut app, "9"), [LabAction::SetUpAgain]);
    app.update(Message::LabActionDone(Ok(())));
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(made(&mut app, "1"), [], "no table has shown it yet");
    later(&mut app);
    // On a page and in the drawing they work as well.
    press(&mut app, "Enter");
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(made(&mut app, "1"), [offered[0].action]);
    app.update(Message::LabActionDone(Ok(())));
    later(&mut app);
    press(&mut app, "Esc F");
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(made(&mut app, "1"), [offered[0].action]);
    app.update(Message::LabActionDone(Ok(())));
    later(&mut app);
    // Held still, the table is not what it was.
    press(&mut app, "p");
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(made(&mut app, "1"), []);
}

/// The next table.
fn later(app: &mut App) {
    let mut next = (*app.observation).clone();
    next.table_number += 1;
    next.rows = std::sync::Arc::new(next.rows.to_vec());
    app.update(Message::Observed(std::sync::Arc::new(next)));
}

/// Once its processes have ended, nothing is offered but to begin anew; that they
/// have is told unasked, too.
#[test]
fn a_lab_that_has_ended_begins_anew() {
    for asked in [true, false] {
        let mut app = lab(LabMode::States);
        drawn(&mut app, COLOUR, 80, 24);
        if asked {
            made(&mut app, "1");
        }
        app.update(if asked {
            Message::LabActionDone(Err(LabFailure::Exited))
        } else {
            Message::LabExited
        });
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        assert!(text(&buffer).contains("The lab's program has ended: 9 starts"));
        assert_eq!(made(&mut app, "1"), []);
        drawn(&mut app, COLOUR, 80, 24);
        assert_eq!(made(&mut app, "9"), [LabAction::SetUpAgain]);
        // An end that is told meanwhile is not the answer to it.
        app.update(Message::LabExited);
        app.update(Message::LabActionDone(Ok(())));
        later(&mut app);
        // Nobody plays the peers of what was there before.
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        assert!(text(&buffer).contains("left behind, the kernel ends it"));
        assert_eq!(made(&mut app, "1"), []);
        let mut next = (*app.observation).clone();
        let mut rows = next.rows.to_vec();
        for row in &mut rows {
            row.first_seen = Timestamp(next.time.timestamp().0 + 100);
        }
        next.rows = std::sync::Arc::new(rows);
        app.update(Message::Observed(std::sync::Arc::new(next)));
        drawn(&mut app, COLOUR, 80, 24);
        assert_eq!(made(&mut app, "1").len(), 1, "the lesson goes on");
    }
}

#[test]
fn the_tour_can_be_played_again() {
    let mut app = lab(LabMode::Tour);
    for _ in 1..CHAPTER_STATES.len() {
        drawn(&mut app, COLOUR, 80, 24);
        made(&mut app, "1");
        app.update(Message::LabActionDone(Ok(())));
        later(&mut app);
    }
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains(" 9 play it again"));
    assert_eq!(made(&mut app, "9"), [LabAction::SetUpAgain]);
    app.update(Message::LabActionDone(Ok(())));
    later(&mut app);
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("lab 0/10"));
}

/// Each digit can be clicked, wherever it stands; between them nothing happens.
#[test]
fn what_is_offered_can_be_clicked() {
    for (columns, rows) in [(80, 24), (60, 18)] {
        for keys in ["", "L"] {
            let mut app = lab(LabMode::States);
            press(&mut app, keys);
            press(&mut app, "j j j j");
            let (buffer, frame) = drawn(&mut app, COLOUR, columns, rows);
            let choices = app.lab_choices();
            assert!(choices.len() > 4, "{choices:?}");
            for choice in choices {
                let spot = HitTarget::Command(Command::from_digit(choice.digit).unwrap());
                let lies = frame.hit_targets.iter().find(|(_, known)| *known == spot);
                let (area, _) = lies.unwrap_or_else(|| panic!("{choice:?}"));
                let digit = buffer[(area.x, area.y)].symbol();
                assert_eq!(digit, choice.digit.to_string());
                assert_eq!(
                    frame.hit_target(Position::new(area.right() - 1, area.y)),
                    spot
                );
                assert_ne!(frame.hit_target(Position::new(area.x - 1, area.y)), spot);
            }
            let again = HitTarget::Command(Command::LabAction9);
            let effects = app.update(Message::Mouse(MouseAction::Click, again));
            assert!(matches!(effects[..], [Effect::LabAction(_)]), "{effects:?}");
        }
    }
}

/// Where the rows begin, and where the words, does not depend on the row; neither
/// do the columns.
#[test]
fn nothing_moves_under_the_cursor() {
    for (columns, rows) in [(60, 18), (80, 24), (100, 30)] {
        for language in ["", "L"] {
            let mut app = lab(LabMode::States);
            press(&mut app, language);
            let mut seen = Vec::new();
            for _ in 0..app.row_order.len() {
                let (buffer, _) = drawn(&mut app, COLOUR, columns, rows);
                let text = text(&buffer);
                let starts = |mark: &str| text.lines().position(|line| line.starts_with(mark));
                let heading = text
                    .lines()
                    .find(|line| line.contains("PID") || line.contains('端'));
                let rules = (starts(" ── "), starts(" ───"), heading.map(str::to_owned));
                assert!(rules.0.is_some() && rules.1.is_some(), "{text}");
                seen.push(rules);
                press(&mut app, "j");
            }
            seen.dedup();
            assert_eq!(seen.len(), 1, "{columns}x{rows} {language} {seen:?}");
        }
    }
}

/// The pane tells how long a state would last outside the lab.
#[test]
fn the_usual_time_stands_beside_the_labs() {
    let scene = stage::scene();
    let usual = scene.limits;
    let mut raised = (*scene).clone();
    raised.limits.syn_retries = Some(127);
    let choices = AppOptions {
        lab_mode: Some(LabMode::States),
        host_limits: Some(usual),
        ..stage::choices()
    };
    let mut app = stage::app_of(std::sync::Arc::new(raised), choices);
    press(&mut app, "j j j");
    for (columns, rows, said) in [
        (80, 24, "(outside: 2 min 11 s)"),
        (120, 40, "(outside the lab at most 2 min 11 s)"),
    ] {
        let (buffer, _) = drawn(&mut app, COLOUR, columns, rows);
        assert!(text(&buffer).contains(said), "{}", text(&buffer));
    }
    press(&mut app, "m");
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    let screen = text(&buffer);
    assert!(
        screen.contains("(outside the lab about 2 min 11 s)"),
        "{screen}"
    );
}

/// On a small screen the text gives way to what can be chosen; where that is
/// not to be seen either, a digit does nothing.
#[test]
fn what_cannot_be_seen_cannot_be_chosen() {
    for rows in 1..24 {
        let mut app = lab(LabMode::Tour);
        let (buffer, _) = drawn(&mut app, COLOUR, 80, rows);
        let seen = text(&buffer).contains(" 1 go on");
        assert_eq!(made(&mut app, "1").len(), usize::from(seen), "{rows}");
    }
}

#[test]
fn the_tour_goes_on_until_it_is_over() {
    let mut app = lab(LabMode::Tour);
    for chapter in 0..CHAPTER_STATES.len() {
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        let number = format!("lab {chapter}/{}", CHAPTER_STATES.len() - 1);
        assert!(text(&buffer).contains(&number), "{}", text(&buffer));
        let more = chapter + 1 < CHAPTER_STATES.len();
        assert_eq!(made(&mut app, "1").len(), usize::from(more));
        app.update(Message::LabActionDone(Ok(())));
        later(&mut app);
    }
}

/// Outside the lab digits do nothing, and no page speaks of them.
#[test]
fn there_is_no_lab_elsewhere() {
    let mut app = stage::app(stage::scene());
    assert_eq!(made(&mut app, "1 2 9"), []);
    press(&mut app, "?");
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 60);
    assert!(!text(&buffer).contains("In the lab"));
}
