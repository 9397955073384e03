//! The terminal's modes: entered once, and left on every way out.
//!
//! Leaving is done at most once per entering, from whichever comes first: the
//! end of the program, a panic in any thread, or a suspension.

mod backend;

pub(super) use backend::size;

use super::{RunError, job_control};
use crate::source::events;
use backend::TerminalBackend;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::style::force_color_output;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Frame;
use ratatui::layout::Rect;
use signal_hook::consts::SIGTSTP;
use signal_hook::low_level::emulate_default_handler;
use std::io::{self, Write, stdout};
use std::mem::ManuallyDrop;
use std::panic;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

/// True while the terminal is in tcplens's modes.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Exit code after a panic, as Rust's own.
const EXIT_PANIC: i32 = 101;

/// The terminal in our modes; leaves them when dropped.
pub(super) struct Terminal {
    /// Never dropped: its destructor prints an error on standard error when the
    /// cursor cannot be shown, and panics if that is a closed terminal. This
    /// program shows the cursor itself.
    screen: ManuallyDrop<ratatui::Terminal<TerminalBackend>>,
    mouse: bool,
}

impl Terminal {
    /// Enters our modes, and makes sure that a panic leaves them.
    pub(super) fn enter(mouse: bool) -> Result<Self, RunError> {
        install_panic_hook();
        // Only the theme decides on colours. By default the library strips them
        // if `NO_COLOR` is set, even if the command line requests them.
        force_color_output(true);
        let screen = ratatui::Terminal::new(TerminalBackend::new())
            .map_err(RunError::io("open the terminal"))?;
        let mut terminal = Self {
            screen: ManuallyDrop::new(screen),
            mouse,
        };
        terminal.set_modes()?;
        Ok(terminal)
    }

    fn set_modes(&mut self) -> Result<(), RunError> {
        ENTERED.store(true, Ordering::SeqCst);
        enable_raw_mode().map_err(RunError::io("switch the terminal to raw mode"))?;
        let entered = execute!(
            stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            cursor::Hide
        )
        .and_then(|()| {
            if self.mouse {
                execute!(stdout(), EnableMouseCapture)
            } else {
                Ok(())
            }
        });
        entered.map_err(RunError::io("set up the terminal"))
    }

    /// Gives the terminal back, stops until continued, and takes it again.
    pub(super) fn suspend(&mut self) -> Result<(), RunError> {
        restore();
        emulate_default_handler(SIGTSTP).map_err(RunError::io("stop"))?;
        self.reenter()
    }

    /// Takes the terminal after a stop: of `suspend`, or one that left it in
    /// our modes (SIGSTOP, SIGTTIN), after which a shell has set its own and
    /// written on the screen. In the background it stops first.
    pub(super) fn reenter(&mut self) -> Result<(), RunError> {
        job_control::wait_for_foreground()?;
        // Raw mode is switched on only where the library believes it is off.
        let _ = disable_raw_mode();
        self.set_modes()?;
        self.redraw_all()
            .map_err(RunError::io("clear the terminal"))
    }

    /// Clears the screen, so that all of it is redrawn. `clear` would query the
    /// terminal for its cursor, and the reply never arrives: it goes to the
    /// thread that reads keys.
    fn redraw_all(&mut self) -> io::Result<()> {
        let area = Rect::from(self.screen.size()?);
        self.screen.resize(area)
    }

    /// Draws a frame; unchanged cells are not written again.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.screen.draw(render).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves the modes. A closed terminal can't be restored and needs no
/// restoring, so errors are ignored.
fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}

/// Rings the bell once. Errors are ignored.
pub(super) fn ring_bell() {
    let mut out = stdout();
    let _ = out.write_all(b"\x07").and_then(|()| out.flush());
}

/// Leaves the modes that need no writing, for a terminal that accepts no more
/// output.
pub(super) fn leave_raw_mode() {
    let _ = disable_raw_mode();
}

/// Installs a hook with which a panic in any thread restores the terminal,
/// prints its message on the ordinary screen, and ends the program: running
/// with a part of the threads would be worse.
fn install_panic_hook() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Locked to the end, or another thread would draw on the ordinary
        // screen meanwhile.
        let _no_more = stdout().lock();
        restore();
        usual(info);
        // Nothing is dropped on this way out.
        events::stop_all_traces();
        process::exit(EXIT_PANIC);
    }));
}

/// Panics in this thread if a test requests it. Not in release builds.
#[cfg(debug_assertions)]
pub(super) fn panic_if_requested(thread: &str) {
    let asked = std::env::var_os("TCPLENS_TEST_PANIC").is_some_and(|wanted| wanted == thread);
    assert!(!asked, "asked to panic in {thread}");
}
