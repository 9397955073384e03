//! Refuses flags that a command would ignore: a flag that is silently dropped looks as
//! if it had worked.

#[cfg(test)]
mod tests;

use super::UsageError;
use crate::cli::flags;
use crate::cli::flags::shared::{self, FlagUse, LIVE_TABLE};
use crate::model::text::Text;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// Refuses the first flag that the command would ignore.
pub(super) fn check(name: &str, command: &ArgMatches) -> Result<(), UsageError> {
    for flag in shared::flag_names() {
        // These print no colours anyway.
        let is_kept = flag == "color" && super::optional_value(command, flag) != Some("always");
        if is_typed(command, flag) && !is_kept && shared::flag_use(name, flag) == FlagUse::Unused {
            return Err(unused_flag(
                name,
                &flag_text(flag),
                &shared::commands_using(flag),
            ));
        }
    }
    Ok(())
}

/// Flags of the live table that mean nothing where the table is printed once.
const LIVE_ONLY: [&str; 3] = ["interval", "baseline", "allow-racy-kill"];

/// Refuses flags of the live table only, for a table that is printed once.
pub(super) fn check_printed_once(matches: &ArgMatches) -> Result<(), UsageError> {
    let demanded = [("color", "always"), ("events", "on")];
    let demanded = demanded.into_iter().filter_map(|(flag, value)| {
        let is_demanded = super::optional_value(matches, flag) == Some(value);
        is_demanded.then_some(flag)
    });
    let mut flags = LIVE_ONLY.into_iter().chain(demanded);
    match flags.find(|flag| is_typed(matches, flag)) {
        Some(flag) => Err(UsageError(format!(
            "{} is for the live table, and without a terminal or with --json the table is printed once; leave it out",
            flag_text(flag)
        ))),
        None => Ok(()),
    }
}

/// Returns the error for a flag in the wrong place, if some command has it. `named` is
/// the command of the line, if it names one.
pub(super) fn misplaced_flag(flag: &str, named: Option<&str>) -> Option<UsageError> {
    let whole = flags::command();
    let mut users: Vec<&str> = Vec::new();
    for command in whole.get_subcommands() {
        let below = command.get_subcommands();
        if has_flag(command, flag) || below.into_iter().any(|command| has_flag(command, flag)) {
            users.push(command.get_name());
        }
    }
    let shown = Text::from(flag);
    match named {
        _ if users.is_empty() => None,
        Some(named) if users.contains(&named) => {
            Some(UsageError(format!("{shown} belongs behind {named}")))
        }
        named => {
            let users: Vec<String> = users.into_iter().map(shared::command_text).collect();
            let name = named.map_or_else(|| shared::command_text(LIVE_TABLE), str::to_owned);
            Some(unused_flag(&name, &shown.to_string(), &users))
        }
    }
}

fn unused_flag(command: &str, flag: &str, users: &[String]) -> UsageError {
    UsageError(format!(
        "{command} does not use {flag}; leave it out (it works with: {})",
        users.join(", ")
    ))
}

/// True if a command has a flag that is typed so, before it has those of the commands
/// around it.
fn has_flag(command: &Command, typed: &str) -> bool {
    let mut own = command.get_arguments();
    own.any(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|name| name == typed)
    })
}

/// A flag as it is typed.
fn flag_text(flag: &str) -> String {
    let whole = flags::command();
    let arg = whole.get_arguments().find(|arg| arg.get_id() == flag);
    let long = arg.and_then(Arg::get_long).map(|long| format!("--{long}"));
    let short = arg.and_then(Arg::get_short);
    long.or_else(|| short.map(|short| format!("-{short}")))
        .unwrap_or_default()
}

/// Refuses the first flag that an explanation of a topic would ignore.
pub(super) fn check_topic(matches: &ArgMatches) -> Result<(), UsageError> {
    const ABOUT_TEXT: [&str; 5] = ["json", "lang", "config", "read-only", "color"];
    let mut flags = shared::flag_names().filter(|flag| !ABOUT_TEXT.contains(flag));
    match flags.find(|flag| is_typed(matches, flag)) {
        Some(flag) => Err(UsageError(format!(
            "explain of a topic does not use {}",
            flag_text(flag)
        ))),
        None => Ok(()),
    }
}

fn is_typed(matches: &ArgMatches, flag: &str) -> bool {
    let known = matches.try_contains_id(flag).unwrap_or(false);
    known && matches.value_source(flag) == Some(ValueSource::CommandLine)
}
