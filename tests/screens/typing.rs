//! Types keys into the app and draws it, as the program's own loop does.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;
use tcplens::app::App;
use tcplens::app::effect::Effect;
use tcplens::app::keys::Key;
use tcplens::app::message::Message;
use tcplens::view::theme::Theme;
use tcplens::view::{Frame, draw};

/// A person needs about so long for each key.
const PACE: Duration = Duration::from_secs(1);

/// Types keys by name, separated by blanks: `j j Enter`.
pub(crate) fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    keys.split_whitespace()
        .flat_map(|name| later(app, Message::Key(Key::from_name(name).unwrap())))
        .collect()
}

/// Has something happen in its own time.
pub(crate) fn later(app: &mut App, message: Message) -> Vec<Effect> {
    let now = app.now() + PACE;
    app.update_at(message, now)
}

/// Types a text, character by character.
pub(crate) fn write(app: &mut App, text: &str) {
    for character in text.chars() {
        later(app, Message::Key(Key::Char(character)));
    }
}

/// Draws the app and tells it what was drawn.
pub(crate) fn drawn(app: &mut App, theme: Theme, width: u16, height: u16) -> (Buffer, Frame) {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let frame = draw(app, theme, &mut buffer);
    app.update(Message::FrameDrawn(frame.info));
    (buffer, frame)
}

/// The characters on screen, a line each.
pub(crate) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content.chunks(width).map(|line| {
        // A wide character lies over the cell behind it.
        let mut text = String::new();
        let mut covered = 0;
        for cell in line {
            if covered > 0 {
                covered -= 1;
                continue;
            }
            text.push_str(cell.symbol());
            covered = tcplens::listing::display_width(cell.symbol()).saturating_sub(1);
        }
        text.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The characters, then the style of each run that has one: colour carries
/// meaning.
pub(crate) fn text_and_styles(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width).max(1);
    let mut described = text(buffer);
    described.push_str("\n\n");
    for (number, line) in buffer.content.chunks(width).enumerate() {
        let mut start = 0;
        for run in line.chunk_by(|left, right| left.style() == right.style()) {
            let style = run[0].style();
            let plain = ratatui::style::Style::reset() == style;
            let words: String = run.iter().map(ratatui::buffer::Cell::symbol).collect();
            let unseen = words.trim().is_empty() && style.add_modifier.is_empty();
            if !plain && !unseen {
                let end = start + run.len() - 1;
                let colour = style.fg.map_or(String::new(), |colour| colour.to_string());
                let weight = format!("{:?}", style.add_modifier);
                let weight = weight.trim_start_matches("NONE");
                let entry = format!("{number}:{start}-{end} {colour} {weight}");
                described.push_str(entry.trim_end());
                described.push('\n');
            }
            start += run.len();
        }
    }
    described
}
