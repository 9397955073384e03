//! Backend of the drawing library without its query of the size: if the kernel
//! does not report it, the library runs `tput` from PATH.

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use rustix::termios::tcgetwinsize;
use std::io::{self, Stdout, stdout};

/// Size of a terminal that does not know its own, as a serial line: 24 lines of
/// 80 columns, which every terminal has.
const FALLBACK_SIZE: Size = Size::new(80, 24);

/// Standard output as a terminal.
pub(super) struct TerminalBackend(CrosstermBackend<Stdout>);

impl TerminalBackend {
    pub(super) fn new() -> Self {
        Self(CrosstermBackend::new(stdout()))
    }
}

/// Size of the terminal that standard output is, cells.
///
/// # Errors
///
/// If standard output is none, or is one that hung up.
pub(in crate::run) fn size() -> io::Result<Size> {
    let size = tcgetwinsize(stdout())?;
    Ok(if size.ws_col == 0 || size.ws_row == 0 {
        FALLBACK_SIZE
    } else {
        Size::new(size.ws_col, size.ws_row)
    })
}

impl Backend for TerminalBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.0.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.0.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.0.show_cursor()
    }

    /// Refused: the terminal's answer would come among the keys.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.0.set_cursor_position(position)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.0.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.0.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize {
            columns_rows: size()?,
            pixels: Size::ZERO,
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.0)
    }
}
