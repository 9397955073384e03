//! The command line: parses the arguments into a plan and executes it.

mod carrying;
mod flags;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod habits;
mod plan;
mod privileges;
mod settings;
mod tongue;

use crate::explain::catalogue::Catalogue;
use crate::lab::helper;
use crate::run::{Ending, outlive_file_limit};
use crate::source::{enter_named, events};
use plan::Asked;
use std::ffi::OsString;
use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::process::ExitCode;
use tongue::Tongue;

/// Exit code for "a finding" or "nothing matched".
const NOTHING: u8 = 1;
/// Printed if standard error is not that terminal.
const TERMINAL_GONE: &str = "the terminal is gone";
/// Exit code for an error.
const ERROR: u8 = 2;
/// Exit codes of `check` beside 0: those of the monitoring plugins.
const WARNING: u8 = 1;
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;

/// Runs the program with these arguments, the program's own name first.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(ended) = helper::play(&arguments) {
        return ended;
    }
    outlive_file_limit();
    let mut tongue = Tongue::of(&arguments);
    let named = flags::command_named(&habits::with_info(arguments.clone()));
    let names_check = named.as_deref() == Some("check");
    let asked = match plan::parse(arguments, &Surroundings::here()) {
        Ok(asked) => asked,
        Err(usage) => {
            let tongue = tongue.or(settings::usual_language());
            return complain(&usage.to_string(), tongue, error_code(names_check));
        }
    };
    let Asked {
        mut plan,
        own,
        netns,
    } = asked;
    let checks = matches!(plan, plan::Plan::Check(_));
    let ended = settings::apply(&mut plan, &own).and_then(|applied| {
        tongue = tongue.or(applied.language);
        // There is no thread yet: each that is started later is in it, too.
        let entered = netns.map(|name| enter_named(&name)).transpose()?;
        carrying::carry_out(plan, applied, entered, tongue)
    });
    // Threads that still read are not waited for, and drop nothing.
    events::end_all();
    match ended {
        Ok(Ending::TerminalGone) => complain(TERMINAL_GONE, tongue, ERROR),
        Ok(ending) => code(ending),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string(), tongue, error_code(checks)),
    }
}

/// Properties of the terminal that the plan depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// True if stdin and stdout are a terminal.
    terminal: bool,
    /// `NO_COLOR` is set and not empty.
    no_colour: bool,
    /// The locale's character set is UTF-8.
    utf8: bool,
}

impl Surroundings {
    fn here() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            // A dumb terminal cannot show a screen.
            terminal: stdin().is_terminal()
                && stdout().is_terminal()
                && set("TERM").is_none_or(|terminal| terminal != "dumb"),
            no_colour: set("NO_COLOR").is_some(),
            utf8,
        }
    }
}

fn code(ending: Ending) -> ExitCode {
    match ending {
        Ending::Done => ExitCode::SUCCESS,
        Ending::NothingMatched | Ending::Unfinished | Ending::Lacking => ExitCode::from(NOTHING),
        Ending::Warning => ExitCode::from(WARNING),
        Ending::Critical => ExitCode::from(CRITICAL),
        Ending::CutShort => ExitCode::from(UNKNOWN),
        // Exit code that a shell reports for a program ended by a signal.
        Ending::Signal(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        Ending::TerminalGone => ExitCode::from(ERROR),
    }
}

/// Prints one line. An error is ignored: the terminal may be closed.
fn complain(message: &str, tongue: Tongue, code: u8) -> ExitCode {
    let message = Catalogue::of(tongue.language()).message(message);
    let _ = writeln!(stderr(), "tcplens: {message}");
    ExitCode::from(code)
}

/// Exit code for an error. A monitoring system takes 2 of a check for an alarm.
fn error_code(checks: bool) -> u8 {
    if checks { UNKNOWN } else { ERROR }
}
