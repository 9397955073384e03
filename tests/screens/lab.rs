//! The lab's pane: whom the selected socket waits for, and what can be done
//! about it.

use crate::typing::{drawn, press, text};
use crate::{COLOUR, compare, stage};
use tcplens::app::effect::Effect;
use tcplens::app::message::Message;
use tcplens::app::{App, Choices};
use tcplens::model::lesson::{CHAPTERS, Course, Move};

fn lab(course: Course) -> App {
    let choices = Choices {
        course: Some(course),
        ..stage::choices()
    };
    stage::app_of(stage::scene(), choices)
}

fn made(app: &mut App, keys: &str) -> Vec<Move> {
    let effects = press(app, keys);
    let wishes = effects.into_iter().filter_map(|effect| match effect {
        Effect::Make(wish) => Some(wish.what),
        _ => None,
    });
    wishes.collect()
}

#[test]
fn the_pane_of_the_lab() {
    for (columns, rows) in [(80, 24), (120, 40)] {
        for language in ["", "L"] {
            let mut app = lab(Course::States);
            drawn(&mut app, COLOUR, columns, rows);
            press(&mut app, language);
            press(&mut app, "j j j");
            let (buffer, _) = drawn(&mut app, COLOUR, columns, rows);
            let tag = app.words.language().tag();
            compare(&format!("lab_{tag}_{columns}x{rows}"), &text(&buffer));
        }
    }
}

/// A digit orders what stands beside it; another waits until that is done.
#[test]
fn digits_have_the_next_step_happen() {
    let mut app = lab(Course::States);
    drawn(&mut app, COLOUR, 80, 24);
    let offered = app.choices();
    assert_eq!(made(&mut app, "1"), [offered[0].what]);
    assert_eq!(made(&mut app, "2"), [], "one after the other");
    app.update(Message::Made(Err("no peer".to_owned())));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("did not work: no peer"));
    assert_eq!(made(&mut app, "9"), [Move::SetUpAgain]);
    app.update(Message::Made(Ok(())));
    // On a page and in the drawing they work as well.
    press(&mut app, "Enter");
    assert_eq!(made(&mut app, "1"), [offered[0].what]);
}

#[test]
fn the_tour_goes_on_until_it_is_over() {
    let mut app = lab(Course::Tour);
    for chapter in 0..CHAPTERS {
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        let number = format!("lab {chapter}/{}", CHAPTERS - 1);
        assert!(text(&buffer).contains(&number), "{}", text(&buffer));
        let more = chapter + 1 < CHAPTERS;
        assert_eq!(made(&mut app, "1").len(), usize::from(more));
        app.update(Message::Made(Ok(())));
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
