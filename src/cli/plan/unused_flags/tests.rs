//! Every flag with every command, before it and after it. The flags are read from the
//! definition of the command line, so that a new one is tested, too.

use super::super::parse;
use super::super::tests::{parse_words, plan_without_terminal as plan};
use super::*;
use crate::cli::TerminalEnvironment;
use crate::cli::compat::COMMANDS;
use crate::cli::locale::LanguageChoice;
use std::collections::BTreeSet;
use std::ffi::OsString;

/// A flag as it is typed, with a value that is not the usual one where it takes one.
fn flag_with_value(arg: &Arg) -> String {
    let name = match (arg.get_long(), arg.get_short()) {
        // In the lab, `--processes` is something else.
        (_, Some(short)) if arg.get_id() == "shown-processes" => format!("-{short}"),
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => panic!("{} cannot be typed", arg.get_id()),
    };
    if !arg.get_action().takes_values() {
        return name;
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .collect();
    let value = match (arg.get_id().as_str(), values.last()) {
        ("color", _) => "always",
        ("events", _) => "on",
        ("lang", _) => "zh",
        ("sockets", _) => "300",
        ("columns", _) => "pid",
        ("signal", _) => "HUP",
        ("sort", _) => "-pid",
        (_, Some(value)) => value,
        (_, None) => {
            let names = arg.get_value_names().map(|names| names[0].as_str());
            match names {
                Some("FILE") => "some.file",
                Some("TIME") => "2s",
                Some("N" | "P" | "NAME|PID") => "3",
                other => panic!("no value for {name} {other:?} is known here"),
            }
        }
    };
    format!("{name} {value}")
}

/// The arguments that complete a command.
fn complete_command(command: &str) -> String {
    match command {
        "kill" | "close" | "explain" => format!("{command} :80"),
        "config" => "config show".to_owned(),
        "baseline" => "baseline save x.json".to_owned(),
        other => other.to_owned(),
    }
}

/// Parses a line: returns the plan, its files and its language; or the error.
fn parse_outcome(words: &str) -> Result<String, String> {
    let words = words.trim();
    let arguments: Vec<OsString> = words.split(' ').map(OsString::from).collect();
    let language = LanguageChoice::detect(&arguments).requested_or_english();
    let here = TerminalEnvironment {
        // Else the flags of a live table would mean nothing.
        terminal: true,
        no_colour: true,
        utf8: true,
    };
    let arguments = std::iter::once("tcplens".into()).chain(arguments);
    let asked = parse(arguments, &here).map_err(|usage| usage.to_string())?;
    Ok(format!("{asked:?} {language:?}"))
}

/// Flags without an effect, as stated in their help.
const NO_EFFECT: [&str; 4] = ["timers", "wide", "one-line", "shown-processes"];

/// True if the help of a flag states that it has no effect with this command.
fn is_without_effect(command: &str, flag: &str) -> bool {
    NO_EFFECT.contains(&flag)
        // With --listening it has one.
        || flag == "all"
        || command == "lab" && ["extended", "no-header", "info"].contains(&flag)
}

/// Use that a command makes of a flag: it changes the plan, is so anyway, or is refused.
fn observed_use(command: &str, flag: &Arg, before: bool) -> FlagUse {
    let (id, flag_with_value) = (flag.get_id().as_str(), flag_with_value(flag));
    let plain = complete_command(command);
    let words = if before {
        format!("{flag_with_value} {plain}")
    } else {
        format!("{plain} {flag_with_value}")
    };
    let usual = parse_outcome(&plain).unwrap();
    match parse_outcome(&words) {
        Ok(told) if told != usual => FlagUse::Used,
        Ok(_) if is_without_effect(command, id) => shared::flag_use(command, id),
        Ok(_) => FlagUse::Implied,
        Err(said) => {
            assert_eq!(said.lines().count(), 1, "{words}: {said}");
            let name = super::flag_text(id);
            if said.contains("leave it out") {
                assert!(said.starts_with(&format!("{command} does not use {name};")));
                assert!(said.contains("works with: tcplens"), "{words}: {said}");
                FlagUse::Unused
            } else {
                FlagUse::Forbidden
            }
        }
    }
}

#[test]
fn each_shared_flag_is_obeyed_or_refused_by_each_command_on_either_side() {
    let complete_command = flags::command();
    let shared: Vec<&Arg> = complete_command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect();
    let declared: BTreeSet<&str> = shared.iter().map(|arg| arg.get_id().as_str()).collect();
    assert_eq!(declared, shared::flag_names().collect());
    assert!(shared.iter().all(|arg| arg.is_global_set()));
    for command in COMMANDS {
        for flag in &shared {
            let id = flag.get_id().as_str();
            for before in [true, false] {
                let judged = observed_use(command, flag, before);
                let expected = shared::flag_use(command, id);
                let is_text = matches!(command, "help" | "version") && id == "config";
                assert!(
                    judged == expected || is_text,
                    "{command} {id}, before it: {before}: {judged:?}, not {expected:?}"
                );
            }
        }
    }
}

/// The flags of the live table without a command.
#[test]
fn each_shared_flag_changes_the_live_table_or_says_why_not() {
    for arg in flags::command().get_arguments() {
        let id = arg.get_id().as_str();
        if arg.is_positional() || matches!(id, "help" | "version") {
            continue;
        }
        let told = parse_outcome(&flag_with_value(arg)).unwrap();
        let without_effect = is_without_effect("lab", id);
        assert_eq!(told != parse_outcome("").unwrap(), !without_effect, "{id}");
    }
}

/// A flag of one command before it, after it, and with every other command.
#[test]
fn a_flag_of_one_command_is_obeyed_there_and_refused_with_a_reason_elsewhere() {
    let whole_line = flags::command();
    let mut tried = 0;
    for owner in whole_line.get_subcommands() {
        let nested: Vec<&Command> = owner.get_subcommands().collect();
        let own = owner
            .get_arguments()
            .chain(nested.iter().flat_map(|command| command.get_arguments()));
        for flag in own.filter(|arg| !arg.is_global_set() && !arg.is_positional()) {
            tried += 1;
            let (name, flag_with_value) = (owner.get_name(), flag_with_value(flag));
            let first = flag_with_value.split(' ').next().unwrap();
            // A load of its own is what has processes.
            let plain = if first == "--processes" {
                "lab --sockets 300".to_owned()
            } else {
                complete_command(name)
            };
            let behind = parse_outcome(&format!("{plain} {flag_with_value}")).unwrap();
            assert_ne!(
                behind,
                parse_outcome(&plain).unwrap(),
                "{name} {flag_with_value} is ignored"
            );
            if first == "--processes" {
                continue;
            }
            let before = parse_outcome(&format!("{flag_with_value} {plain}")).unwrap_err();
            assert_eq!(before, format!("{first} belongs behind {name}"));
            for other in COMMANDS {
                let has = whole_line.find_subcommand(other).unwrap();
                if super::has_flag(has, first) || other == "baseline" && name == other {
                    continue;
                }
                let line = format!("{} {flag_with_value}", complete_command(other));
                let said = parse_outcome(&line).unwrap_err();
                let expected = format!("{other} does not use {first}; leave it out");
                assert!(said.starts_with(&expected), "{line}: {said}");
                assert!(said.contains(&format!("tcplens {name}")), "{line}: {said}");
            }
        }
    }
    assert!(tried > 12, "{tried}");
}

/// The help of a command has the flags that it obeys, and no other.
#[test]
fn the_help_of_a_command_lists_what_it_obeys() {
    for command in COMMANDS {
        let Ok(super::super::Plan::Print(help)) = plan(&format!("help {command}")) else {
            panic!("no help of {command}")
        };
        for arg in flags::command().get_arguments() {
            let id = arg.get_id().as_str();
            if arg.is_positional() {
                continue;
            }
            let help_of_flag = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let listed = help.contains(&help_of_flag);
            assert_eq!(
                listed,
                shared::flag_use(command, id) == FlagUse::Used,
                "{command} {id}:\n{help}"
            );
        }
    }
}

#[test]
fn a_table_that_is_printed_once_refuses_what_only_a_live_one_obeys() {
    for words in [
        "-i 2",
        "--baseline x",
        "--allow-racy-kill",
        "--events on",
        "--color always",
        "lab --baseline x",
    ] {
        let said = plan(words).map(|_| ()).unwrap_err().to_string();
        assert!(said.contains("is for the live table"), "{words}: {said}");
    }
    for words in ["--no-mouse", "--read-only", "--events off", "--color never"] {
        assert!(plan(words).is_ok(), "{words}");
    }
    for (words, said) in [
        ("list --json --columns pid", "JSON and --columns exclude"),
        ("list --format json -H", "JSON and --no-header exclude"),
        (
            "list --json --format table",
            "JSON and --format table exclude",
        ),
    ] {
        let usage = plan(words).map(|_| ()).unwrap_err().to_string();
        assert!(usage.contains(said), "{words}: {usage}");
    }
    assert!(plan("doctor --color never").is_ok());
}

#[test]
fn the_settings_named_beside_a_question_for_help_are_used() {
    for words in [
        "--config c.toml --help",
        "check -h --config c.toml",
        "-V --config c.toml",
    ] {
        let own = parse_words(words, true).unwrap().files;
        assert_eq!(
            own.config.as_deref(),
            Some(std::path::Path::new("c.toml")),
            "{words}"
        );
    }
}
