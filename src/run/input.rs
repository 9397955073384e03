//! The thread that reads the terminal, and the translation of what it reads.

use super::RunError;
use super::screen::Event;
use crate::app::keys::Key;
use crate::app::message::Gesture;
use crossterm::event::{
    self, Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent,
    MouseEventKind,
};
use ratatui::layout::Position;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// Two presses at one spot within this time are a double click.
const DOUBLE_CLICK: Duration = Duration::from_millis(400);

/// Starts the thread.
pub(super) fn start(events: Sender<Event>) -> Result<(), RunError> {
    let spawned = thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || {
            let mut clicks = Clicks::default();
            loop {
                // Without keys the table could not be left.
                let heard = match event::read() {
                    Ok(input) => translate(input, &mut clicks),
                    Err(error) => vec![Event::InputFailed(error)],
                };
                let failed = matches!(heard[..], [Event::InputFailed(_)]);
                for event in heard {
                    if events.send(event).is_err() {
                        return;
                    }
                }
                if failed {
                    return;
                }
            }
        });
    spawned.map(drop).map_err(RunError::io("start a thread"))
}

fn translate(input: Input, clicks: &mut Clicks) -> Vec<Event> {
    let now = Instant::now();
    let event = match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => return translate_keys(key, now),
        Input::Paste(text) => Some(Event::Paste(text, now)),
        Input::Mouse(mouse) => clicks.translate(mouse, now),
        Input::Resize(..) => Some(Event::Redraw),
        _ => None,
    };
    event.into_iter().collect()
}

/// Escape and a key that come together look like the key with Alt. They are
/// taken as the two they may be: an Escape that was meant to cancel must not
/// get lost before a `y`.
fn translate_keys(key: KeyEvent, now: Instant) -> Vec<Event> {
    let escaped = key.modifiers.contains(KeyModifiers::ALT);
    let first = escaped.then_some(Key::Esc);
    let keys = first.into_iter().chain(translate_key(key));
    keys.map(|key| Event::Key(key, now)).collect()
}

fn translate_key(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char(character) if control => Key::Ctrl(character.to_ascii_lowercase()),
        KeyCode::Char(character) => Key::Char(character),
        KeyCode::F(number) => Key::F(number),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Tab => Key::Tab,
        _ => return None,
    })
}

/// Tells a double click from two clicks.
#[derive(Default)]
struct Clicks {
    last: Option<(Position, Instant)>,
}

impl Clicks {
    fn translate(&mut self, mouse: MouseEvent, now: Instant) -> Option<Event> {
        let position = Position::new(mouse.column, mouse.row);
        let gesture = match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(position, now),
            MouseEventKind::ScrollUp => Gesture::WheelUp,
            MouseEventKind::ScrollDown => Gesture::WheelDown,
            _ => return None,
        };
        Some(Event::Mouse(gesture, position, now))
    }

    fn click(&mut self, position: Position, now: Instant) -> Gesture {
        let again = self.last.is_some_and(|(place, time)| {
            place == position && now.duration_since(time) < DOUBLE_CLICK
        });
        self.last = (!again).then_some((position, now));
        if again {
            Gesture::DoubleClick
        } else {
            Gesture::Click
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_quick_presses_at_one_spot_are_a_double_click() {
        let mut clicks = Clicks::default();
        let now = Instant::now();
        let here = Position::new(3, 4);
        assert_eq!(clicks.click(here, now), Gesture::Click);
        assert_eq!(clicks.click(here, now), Gesture::DoubleClick);
        assert_eq!(clicks.click(here, now), Gesture::Click);
        assert_eq!(clicks.click(Position::new(3, 5), now), Gesture::Click);
        let later = now + Duration::from_secs(1);
        assert_eq!(clicks.click(Position::new(3, 5), later), Gesture::Click);
    }

    #[test]
    fn an_escape_before_another_key_is_not_lost() {
        let both = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::ALT);
        let events = translate_keys(both, Instant::now());
        assert!(matches!(
            events[..],
            [Event::Key(Key::Esc, _), Event::Key(Key::Char('y'), _)]
        ));
    }

    #[test]
    fn keys_keep_their_case_and_control() {
        let key = |code, modifiers| translate_key(KeyEvent::new(code, modifiers));
        assert_eq!(
            key(KeyCode::Char('K'), KeyModifiers::SHIFT),
            Some(Key::Char('K'))
        );
        assert_eq!(
            key(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Key::Ctrl('c'))
        );
        assert_eq!(key(KeyCode::F(9), KeyModifiers::NONE), Some(Key::F(9)));
    }
}
