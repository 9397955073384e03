//! The screens in Chinese: characters two cells wide, and nothing out of line.

use crate::typing::{drawn, press, text};
use crate::{COLOUR, compare, stage};
use tcplens::app::App;
use tcplens::explain::catalogue::Language;
use tcplens::explain::template::is_chinese;
use tcplens::listing::display_width;

/// Screens by name, with the keys that lead there.
const SCREENS: [(&str, &str); 9] = [
    ("table", ""),
    ("details", "G Enter"),
    ("explain", "G x"),
    ("machine", "G m"),
    ("learn", "w"),
    ("handshake", "w Down Enter Enter Enter"),
    ("events", "E"),
    ("help", "?"),
    ("end_process", "j K"),
];

fn chinese() -> App {
    let mut app = stage::app(stage::scene());
    drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "L");
    assert_eq!(app.messages.language(), Language::Chinese);
    app
}

#[test]
fn screens_in_chinese() {
    for (name, keys) in SCREENS {
        for (columns, rows) in [(80, 24), (120, 40)] {
            let mut app = chinese();
            drawn(&mut app, COLOUR, columns, rows);
            press(&mut app, keys);
            let (buffer, _) = drawn(&mut app, COLOUR, columns, rows);
            compare(&format!("zh_{name}_{columns}x{rows}"), &text(&buffer));
        }
    }
}

/// Whatever the width, no line is wider than the screen, and no character is cut
/// in two.
#[test]
fn wide_characters_fit_every_width() {
    for columns in 20..=140_u16 {
        for (name, keys) in SCREENS {
            let mut app = chinese();
            drawn(&mut app, COLOUR, columns, 24);
            press(&mut app, keys);
            let (buffer, _) = drawn(&mut app, COLOUR, columns, 24);
            for line in text(&buffer).lines() {
                assert!(
                    display_width(line) <= usize::from(columns),
                    "{name} {columns}: {line}"
                );
            }
        }
    }
}

/// The screen in one language has what the other has: the table begins each
/// column where its heading is.
#[test]
fn headings_stand_over_their_columns() {
    let mut app = chinese();
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    let screen = text(&buffer);
    let lines: Vec<&str> = screen.lines().collect();
    let place = |line: &str, word: &str| line.find(word).map(|byte| display_width(&line[..byte]));
    let heading = lines.iter().position(|line| line.contains("状态")).unwrap();
    let state = place(lines[heading], "状态").unwrap();
    let listener = lines[heading + 1..]
        .iter()
        .find(|line| line.contains("LISTEN"))
        .unwrap();
    assert_eq!(place(listener, "LISTEN"), Some(state), "{screen}");
    assert!(screen.chars().any(is_chinese));
}

/// What is on screen changes with the language, and comes back.
#[test]
fn the_language_changes_live() {
    let mut app = stage::app(stage::scene());
    let (before, _) = drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "L");
    let (chinese, _) = drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "L");
    let (after, _) = drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(text(&before), text(&after));
    assert_ne!(text(&before), text(&chinese));
}
