//! Refuses flags that a command would ignore: a flag that is silently dropped looks as
//! if it had worked.

#[cfg(test)]
mod tests;

use super::Usage;
use crate::cli::flags;
use crate::cli::flags::shared::{self, LIVE, Use};
use crate::model::text::Text;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// Refuses the first flag that the command would ignore.
pub(super) fn check(name: &str, command: &ArgMatches) -> Result<(), Usage> {
    for flag in shared::names() {
        // These print no colours anyway.
        let is_kept = flag == "color" && super::optional(command, flag) != Some("always");
        if is_typed(command, flag) && !is_kept && shared::use_of(name, flag) == Use::None {
            return Err(unused(name, &shown(flag), &shared::users(flag)));
        }
    }
    Ok(())
}

/// Flags of the live table that mean nothing where the table is printed once.
const LIVE_ONLY: [&str; 3] = ["interval", "baseline", "allow-racy-kill"];

/// Refuses flags of the live table only, for a table that is printed once.
pub(super) fn check_printed_once(matches: &ArgMatches) -> Result<(), Usage> {
    let demanded = [("color", "always"), ("events", "on")];
    let demanded = demanded.into_iter().filter_map(|(flag, value)| {
        let is_demanded = super::optional(matches, flag) == Some(value);
        is_demanded.then_some(flag)
    });
    let mut flags = LIVE_ONLY.into_iter().chain(demanded);
    match flags.find(|flag| is_typed(matches, flag)) {
        Some(flag) => Err(Usage(format!(
            "{} is for the live table, and without a terminal or with --json the table is printed once; leave it out",
            shown(flag)
        ))),
        None => Ok(()),
    }
}

/// Returns the error for a flag in the wrong place, if some command has it. `named` is
/// the command of the line, if it names one.
pub(super) fn misplaced(flag: &str, named: Option<&str>) -> Option<Usage> {
    let whole = flags::command();
    let mut users: Vec<&str> = Vec::new();
    for command in whole.get_subcommands() {
        let below = command.get_subcommands();
        if has(command, flag) || below.into_iter().any(|command| has(command, flag)) {
            users.push(command.get_name());
        }
    }
    let shown = Text::from(flag);
    match named {
        _ if users.is_empty() => None,
        Some(named) if users.contains(&named) => {
            Some(Usage(format!("{shown} belongs behind {named}")))
        }
        named => {
            let users: Vec<String> = users.into_iter().map(shared::typed).collect();
            let name = named.map_or_else(|| shared::typed(LIVE), str::to_owned);
            Some(unused(&name, &shown.to_string(), &users))
        }
    }
}

fn unused(command: &str, flag: &str, users: &[String]) -> Usage {
    Usage(format!(
        "{command} does not use {flag}; leave it out (it works with: {})",
        users.join(", ")
    ))
}

/// True if a command has a flag that is typed so, before it has those of the commands
/// around it.
fn has(command: &Command, typed: &str) -> bool {
    let mut own = command.get_arguments();
    own.any(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|name| name == typed)
    })
}

/// A flag as it is typed.
fn shown(flag: &str) -> String {
    let whole = flags::command();
    let arg = whole.get_arguments().find(|arg| arg.get_id() == flag);
    let long = arg.and_then(Arg::get_long).map(|long| format!("--{long}"));
    let short = arg.and_then(Arg::get_short);
    long.or_else(|| short.map(|short| format!("-{short}")))
        .unwrap_or_default()
}

/// Refuses the first flag that an explanation of a topic would ignore.
pub(super) fn check_topic(matches: &ArgMatches) -> Result<(), Usage> {
    const ABOUT_TEXT: [&str; 5] = ["json", "lang", "config", "read-only", "color"];
    let mut flags = shared::names().filter(|flag| !ABOUT_TEXT.contains(flag));
    match flags.find(|flag| is_typed(matches, flag)) {
        Some(flag) => Err(Usage(format!(
            "explain of a topic does not use {}",
            shown(flag)
        ))),
        None => Ok(()),
    }
}

fn is_typed(matches: &ArgMatches, flag: &str) -> bool {
    let known = matches.try_contains_id(flag).unwrap_or(false);
    known && matches.value_source(flag) == Some(ValueSource::CommandLine)
}
