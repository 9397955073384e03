//! `tcplens kill` and `tcplens close`: the actions of the screen for scripts
//! and for users who know their targets.
//!
//! The targets are printed first, line by line, and then confirmed as on the
//! screen: one key there is a `y` or `--yes` here, a typed number is a typed
//! one or `--confirm`. Without a terminal and without these options, the error
//! names the option that is needed, and nothing is done.

mod close;
mod decision;
mod kill;
mod owners;
mod ports;
mod undecided;

pub use close::{CloseRequest, close};
pub use kill::{KillRequest, kill};

use super::ages::Read;
use super::{ExitReason, RunError};
use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::filter::Filter;
use crate::listing::{QuickFilter, Sort, select_rows};
use crate::model::action::MAX_TARGETS;
use crate::model::observation::Observation;
use crate::model::risk::TypedConfirmation;
use crate::model::row::Row;
use crate::model::text::Text;
use crate::monitor::{Monitor, MonitorOptions};
use crate::source::ReadingSource;
use decision::{Decision, DecisionInput, decide};
use rustix::termios::{QueueSelector, tcflush};
use std::io::{IsTerminal, Write, stderr, stdin, stdout};

/// Options of an action on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionOptions {
    /// Answers a plain confirmation with yes.
    pub yes: bool,
    /// The number that would have to be typed.
    pub confirm: Option<u32>,
    /// Only prints the actions.
    pub dry_run: bool,
    /// Largest number of targets.
    pub max_targets: usize,
    /// True if a port without a side includes clients.
    pub clients: bool,
}

impl Default for ActionOptions {
    fn default() -> Self {
        Self {
            yes: false,
            confirm: None,
            dry_run: false,
            max_targets: MAX_TARGETS,
            clients: false,
        }
    }
}

/// Query for the sockets of an action.
pub struct SocketQuery {
    /// Source of the table.
    pub source: Box<dyn ReadingSource>,
    /// Filter of the rows.
    pub filter: Filter,
    /// Kinds of sockets.
    pub quick: QuickFilter,
    /// Order of the printed rows.
    pub sort: Sort,
}

impl SocketQuery {
    /// Reads the table once.
    fn observe(&mut self) -> Result<Observation, RunError> {
        self.source
            .include_tcp_counters(self.filter.uses_tcp_metrics());
        let reading = self.source.read_table()?;
        let mut monitor = Monitor::new(MonitorOptions::default());
        let Some(observation) = monitor.fold(reading) else {
            return Ok(Observation::default());
        };
        let read = Read {
            monitor: &mut monitor,
            source: self.source.as_mut(),
            observation,
        };
        let observation = read.with_ages(&self.filter, self.quick, false);
        Ok((*observation).clone())
    }

    /// The rows that match.
    fn rows<'o>(&self, observation: &'o Observation) -> Vec<&'o Row> {
        select_rows(observation, &self.filter, &self.sort, &self.quick)
            .iter()
            .filter_map(|number| observation.rows.get(*number as usize))
            .collect()
    }
}

/// Prints a whole sentence.
fn print_line(sentence: &str) {
    let _ = writeln!(stdout(), "{sentence}");
}

/// Prints messages for the user. A closed output does not stop the action.
struct Console {
    messages: &'static Catalogue,
}

impl Console {
    fn message(&self, name: &str, values: &[(&str, String)]) -> String {
        let sentence = self.messages.closing("command", name);
        let value = |place: &str| {
            let (_, value) = values.iter().find(|(name, _)| *name == place)?;
            Some(value.clone())
        };
        render(sentence, value).unwrap_or_default()
    }

    /// Prints an action that is done or would be.
    fn print(&self, name: &str, values: &[(&str, String)]) {
        let _ = writeln!(stdout(), "{}", self.message(name, values));
    }

    /// Prints an action that is not done.
    fn warn(&self, name: &str, values: &[(&str, String)]) {
        let _ = writeln!(stderr(), "tcplens: {}", self.message(name, values));
    }

    fn refuse(&self, name: &str, values: &[(&str, String)]) -> RunError {
        RunError::Refused(self.message(name, values))
    }

    /// Prints a note that belongs to the confirmation, but is not a target. The
    /// confirming user must see it, even if stderr is redirected.
    fn notice(&self, name: &str, values: &[(&str, String)]) {
        if is_interactive() {
            self.print(name, values);
        } else {
            self.warn(name, values);
        }
    }

    /// Prints an excluded target with the reason.
    fn print_excluded(&self, what: &str, reason: String) {
        let values = [("what", what.to_owned()), ("reason", reason)];
        self.notice("left_out", &values);
    }

    /// Prints the risks.
    fn print_risks(&self, case: &DecisionInput) {
        let cautions = case.confirmation.iter().flat_map(TypedConfirmation::risks);
        for caution in cautions {
            let sentence = self.messages.closing("cautions", caution.key());
            let said = render(sentence, |_| Some(case.targets.to_string()));
            self.print("caution", &[("caution", said.unwrap_or_default())]);
        }
    }
}

/// Messages in which the two commands differ, by their names in the assets.
struct MessageKeys {
    question: &'static str,
    type_number: &'static str,
    dry_run: &'static str,
}

/// Confirms the action: `None` to proceed, else the exit reason.
fn confirm(
    case: &DecisionInput,
    order: &ActionOptions,
    wording: &MessageKeys,
    teller: &Console,
    extra: &[(&str, String)],
) -> Result<Option<ExitReason>, RunError> {
    let count = || ("count", case.targets.to_string());
    let most = || ("most", order.max_targets.to_string());
    let with = |value: (&'static str, String)| {
        let mut values = extra.to_vec();
        values.push(value);
        values
    };
    let declined = || {
        teller.warn("declined", &[]);
        Ok(Some(ExitReason::Partial))
    };
    match decide(case, order) {
        Decision::Proceed => Ok(None),
        Decision::NoTargets => {
            teller.warn("nothing_left", &[]);
            Ok(Some(ExitReason::NoMatch))
        }
        Decision::DryRun => {
            teller.print(wording.dry_run, &with(count()));
            if case.targets > order.max_targets {
                teller.warn("dry_too_many", &[count(), most()]);
            }
            Ok(Some(ExitReason::Done))
        }
        Decision::TooMany => Err(teller.refuse("too_many", &[count(), most()])),
        Decision::NeedsYes => Err(teller.refuse("needs_yes", &[])),
        Decision::NeedsNumber(number) => Err(teller.refuse("needs_number", &[("number", number)])),
        Decision::WrongNumber { given, number } => {
            let values = [("given", given.to_string()), ("number", number)];
            Err(teller.refuse("wrong_number", &values))
        }
        Decision::AskYes => {
            let typed = prompt(&teller.message(wording.question, extra))?;
            match typed.to_ascii_lowercase().as_str() {
                "y" | "yes" => Ok(None),
                _ => declined(),
            }
        }
        Decision::AskNumber(number) => {
            let values = with(("number", number.clone()));
            let typed = prompt(&teller.message(wording.type_number, &values))?;
            if typed == number {
                Ok(None)
            } else {
                declined()
            }
        }
    }
}

/// True if a user sees the output and can answer.
fn is_interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Reads a trimmed line from the terminal. Input typed before the prompt is
/// discarded.
fn prompt(question: &str) -> Result<String, RunError> {
    let mut out = stdout();
    tcflush(stdin(), QueueSelector::IFlush).map_err(|error| RunError::io("ask")(error.into()))?;
    write!(out, "{question}")
        .and_then(|()| out.flush())
        .map_err(RunError::io("ask"))?;
    let mut line = String::new();
    stdin()
        .read_line(&mut line)
        .map_err(RunError::io("read the answer"))?;
    Ok(line.trim().to_owned())
}

/// A user as people know them.
fn user_text(uid: Option<u32>, observation: &Observation) -> Text {
    uid.map_or_else(Text::default, |uid| {
        let name = observation.user(uid).cloned();
        name.unwrap_or_else(|| Text::from(uid.to_string().as_str()))
    })
}
