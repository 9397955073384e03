//! The picture in the README: drawn by the program itself from the same
//! made-up server as the screen tests, so that it cannot go stale.
//!
//! `TCPLENS_DRAW_PICTURE=1 cargo test --test picture` draws it anew.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "screens/stage.rs"]
#[expect(dead_code, reason = "the screen tests use more of the stage")]
mod stage;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tcplens::app::keys::Key;
use tcplens::app::message::Message;
use tcplens::view::draw;
use tcplens::view::theme::Theme;

const WIDTH: u16 = 100;
const HEIGHT: u16 = 26;
/// Size of a character cell, in the picture's units.
const CELL: (u16, u16) = (9, 19);

#[test]
fn the_picture_shows_what_the_program_draws() {
    let mut app = stage::app(stage::scene());
    for _ in 0..5 {
        app.update(Message::Key(Key::Down));
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, WIDTH, HEIGHT));
    draw(&app, Theme::default(), &mut buffer);
    let drawn = svg(&buffer);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/screen.svg");
    if std::env::var_os("TCPLENS_DRAW_PICTURE").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(
        kept == drawn,
        "assets/screen.svg is stale: TCPLENS_DRAW_PICTURE=1 cargo test --test picture"
    );
}

fn svg(buffer: &Buffer) -> String {
    let (width, height) = (WIDTH * CELL.0 + 20, HEIGHT * CELL.1 + 20);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"The live table of tcplens\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#16191d\"/>\n\
         <g font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"15\" xml:space=\"preserve\">\n"
    );
    for (number, line) in buffer.content.chunks(usize::from(WIDTH)).enumerate() {
        let row = u16::try_from(number).unwrap();
        let mut column = 0;
        for run in line.chunk_by(|left, right| left.style() == right.style()) {
            draw_run(run, column, row, &mut svg);
            column += u16::try_from(run.len()).unwrap();
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Draws cells of one style: their background if they have one, then the text,
/// stretched to its cells so that columns align in any font.
fn draw_run(run: &[Cell], column: u16, row: u16, svg: &mut String) {
    let style = run[0].style();
    let reversed = style.add_modifier.contains(Modifier::REVERSED);
    let text: String = run.iter().map(Cell::symbol).collect();
    let (x, y) = (10 + column * CELL.0, 10 + row * CELL.1);
    let width = u16::try_from(run.len()).unwrap() * CELL.0;
    let ink = colour(style.fg.unwrap_or_default());
    let (ink, paper) = if reversed {
        ("#16191d", Some(ink))
    } else {
        (ink, None)
    };
    if let Some(paper) = paper {
        let height = CELL.1;
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{paper}\"/>"
        )
        .unwrap();
    }
    let trimmed = text.trim_end();
    if trimmed.trim().is_empty() {
        return;
    }
    let length = u16::try_from(trimmed.chars().count()).unwrap() * CELL.0;
    let bold = style.add_modifier.contains(Modifier::BOLD);
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let dim = style.add_modifier.contains(Modifier::DIM);
    let faint = if dim { " opacity=\"0.65\"" } else { "" };
    let baseline = y + 14;
    let escaped = trimmed
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    writeln!(
        svg,
        "<text x=\"{x}\" y=\"{baseline}\" textLength=\"{length}\" fill=\"{ink}\"{weight}{faint}>{escaped}</text>"
    )
    .unwrap();
}

fn colour(colour: Color) -> &'static str {
    match colour {
        Color::Red => "#ff7b72",
        Color::Green => "#7ee787",
        Color::Yellow => "#f2cc60",
        Color::Blue => "#79c0ff",
        Color::Magenta => "#d2a8ff",
        Color::Cyan => "#76e3ea",
        _ => "#d6dbe1",
    }
}
