//! The command line: parses the arguments into a plan and executes it.

mod compat;
mod execute;
mod flags;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod locale;
mod plan;
mod privileges;
mod settings;

use crate::explain::catalogue::Catalogue;
use crate::lab::helper;
use crate::run::{ExitReason, ignore_file_size_signal};
use crate::source::{enter_named, events};
use locale::LanguageChoice;
use plan::ParsedCommand;
use std::ffi::OsString;
use std::io::{IsTerminal, Write, stderr, stdin, stdout};
use std::process::ExitCode;

/// Exit code for "a finding" or "nothing matched".
const EXIT_NOTHING: u8 = 1;
/// Printed if standard error is not that terminal.
const TERMINAL_GONE_MESSAGE: &str = "the terminal is gone";
/// Exit code for an error.
const EXIT_ERROR: u8 = 2;
/// Exit codes of `check` beside 0: those of the monitoring plugins.
const EXIT_WARNING: u8 = 1;
const EXIT_CRITICAL: u8 = 2;
const EXIT_UNKNOWN: u8 = 3;

/// Runs the program with these arguments, the program's own name first.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(ended) = helper::run_if_helper(&arguments) {
        return ended;
    }
    ignore_file_size_signal();
    let mut language_choice = LanguageChoice::detect(&arguments);
    let named = flags::find_command_name(&compat::expand_info_flag(arguments.clone()));
    let names_check = named.as_deref() == Some("check");
    let asked = match plan::parse(arguments, &TerminalEnvironment::detect()) {
        Ok(asked) => asked,
        Err(usage) => {
            let language_choice = language_choice.with_configured(settings::default_language());
            return print_error(&usage.to_string(), language_choice, error_code(names_check));
        }
    };
    let ParsedCommand {
        mut plan,
        files: own,
        netns,
    } = asked;
    let checks = matches!(plan, plan::Plan::Check(_));
    let ended = settings::apply(&mut plan, &own).and_then(|applied| {
        language_choice = language_choice.with_configured(applied.language);
        // There is no thread yet: each that is started later is in it, too.
        let entered = netns.map(|name| enter_named(&name)).transpose()?;
        execute::run_plan(plan, applied, entered, language_choice)
    });
    // Threads that still read are not waited for, and drop nothing.
    events::stop_all_traces();
    match ended {
        Ok(ExitReason::TerminalGone) => {
            print_error(TERMINAL_GONE_MESSAGE, language_choice, EXIT_ERROR)
        }
        Ok(ending) => exit_code(ending),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => print_error(&error.to_string(), language_choice, error_code(checks)),
    }
}

/// Properties of the terminal that the plan depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct TerminalEnvironment {
    /// True if stdin and stdout are a terminal.
    terminal: bool,
    /// `NO_COLOR` is set and not empty.
    no_colour: bool,
    /// The locale's character set is UTF-8.
    utf8: bool,
}

impl TerminalEnvironment {
    fn detect() -> Self {
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

fn exit_code(ending: ExitReason) -> ExitCode {
    match ending {
        ExitReason::Done => ExitCode::SUCCESS,
        ExitReason::NoMatch | ExitReason::Partial | ExitReason::Limited => {
            ExitCode::from(EXIT_NOTHING)
        }
        ExitReason::Warning => ExitCode::from(EXIT_WARNING),
        ExitReason::Critical => ExitCode::from(EXIT_CRITICAL),
        ExitReason::Inconclusive => ExitCode::from(EXIT_UNKNOWN),
        // Exit code that a shell reports for a program ended by a signal.
        ExitReason::Signal(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        ExitReason::TerminalGone => ExitCode::from(EXIT_ERROR),
    }
}

/// Prints one line. An error is ignored: the terminal may be closed.
fn print_error(message: &str, language_choice: LanguageChoice, code: u8) -> ExitCode {
    let message = Catalogue::of(language_choice.language()).translate_message(message);
    let _ = writeln!(stderr(), "tcplens: {message}");
    ExitCode::from(code)
}

/// Exit code for an error. A monitoring system takes 2 of a check for an alarm.
fn error_code(checks: bool) -> u8 {
    if checks { EXIT_UNKNOWN } else { EXIT_ERROR }
}
