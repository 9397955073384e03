//! The flags that each command obeys. Any other is refused: a flag that is
//! silently ignored looks as if it had worked.

use super::Usage;
use clap::ArgMatches;
use clap::parser::ValueSource;

/// The flags that select sockets.
const SELECTING: &[&str] = &["tcp", "udp", "listening", "all", "ipv4", "ipv6"];

/// Flags that every command obeys: the language and the settings file.
const ALWAYS: &[&str] = &["lang", "config"];

/// Flags of the live table that every command inherits, with the name to type.
pub(super) const INHERITED: &[(&str, &str)] = &[
    ("tcp", "--tcp"),
    ("udp", "--udp"),
    ("json", "--json"),
    ("info", "--info"),
    ("listening", "--listening"),
    ("all", "--all"),
    ("numeric", "--numeric"),
    ("ipv4", "--ipv4"),
    ("ipv6", "--ipv6"),
    ("extended", "--extended"),
    ("timers", "--timers"),
    ("wide", "--wide"),
    ("one-line", "-O"),
    ("no-header", "--no-header"),
    ("all-netns", "--all-netns"),
    ("config", "--config"),
    ("sort", "--sort"),
    ("source", "--source"),
    ("events", "--events"),
    ("read-only", "--read-only"),
    ("lang", "--lang"),
    ("color", "--color"),
];

/// Flags of the live table that no command inherits.
const OWN: &[(&str, &str)] = &[
    ("interval", "--interval"),
    ("no-mouse", "--no-mouse"),
    ("allow-racy-kill", "--allow-racy-kill"),
    ("baseline", "--baseline"),
];

/// The flags that a command obeys or refuses in words of its own; none for those
/// that obey all.
fn obeyed(command: &str) -> Option<(&'static [&'static str], bool)> {
    Some(match command {
        "list" => (
            &[
                "json",
                "info",
                "numeric",
                "extended",
                "timers",
                "wide",
                "one-line",
                "no-header",
                "all-netns",
                "sort",
                "source",
                "read-only",
            ],
            true,
        ),
        "explain" => (
            &[
                "json",
                "numeric",
                "all-netns",
                "sort",
                "source",
                "read-only",
            ],
            true,
        ),
        // Acting refuses these itself.
        "kill" | "close" => (
            &[
                "json",
                "info",
                "numeric",
                "all-netns",
                "sort",
                "source",
                "read-only",
            ],
            true,
        ),
        // So does a check what would make it overlook something.
        "check" => (
            &["json", "all-netns", "source", "events", "read-only"],
            true,
        ),
        "doctor" => (&["json", "all-netns", "source", "read-only"], false),
        "baseline" => (&["source", "read-only"], false),
        "config" | "help" | "version" => (&["read-only"], false),
        _ => return None,
    })
}

/// True if a command obeys a flag, or refuses it in words of its own.
pub(super) fn obeys(command: &str, flag: &str) -> bool {
    obeyed(command).is_none_or(|(flags, selects)| {
        flags.contains(&flag) || ALWAYS.contains(&flag) || selects && SELECTING.contains(&flag)
    })
}

/// Refuses the first flag that the command would ignore.
pub(super) fn check(top: &ArgMatches, name: &str, command: &ArgMatches) -> Result<(), Usage> {
    for (flag, typed) in INHERITED {
        // No colours are what those print.
        let is_kept = *flag == "color" && super::optional(command, flag) != Some("always");
        if is_typed(command, flag) && !is_kept && !obeys(name, flag) {
            return Err(Usage(format!("{name} does not use {typed}")));
        }
    }
    for (flag, typed) in OWN {
        if is_typed(top, flag) {
            return Err(Usage(format!(
                "{typed} belongs behind {name}, if it is used there"
            )));
        }
    }
    match super::words(top).first() {
        Some(word) => {
            let word = crate::model::text::Text::from(*word);
            Err(Usage(format!("{word} belongs behind {name}")))
        }
        None => Ok(()),
    }
}

pub(super) fn is_typed(matches: &ArgMatches, flag: &str) -> bool {
    let known = matches.try_contains_id(flag).unwrap_or(false);
    known && matches.value_source(flag) == Some(ValueSource::CommandLine)
}

#[cfg(test)]
mod tests {
    use super::super::tests::planned as plan;
    use super::*;
    use crate::cli::flags;
    use crate::cli::habits::COMMANDS;

    /// Words that make a command whole, and values that make a flag whole.
    fn line(command: &str, typed: &str) -> String {
        let whole = match command {
            "kill" | "close" => format!("{command} :80"),
            "explain" => "explain :80".to_owned(),
            "config" => "config path".to_owned(),
            "baseline" => "baseline save x.json".to_owned(),
            other => other.to_owned(),
        };
        let value = match typed {
            "--sort" => " pid",
            "--source" => " proc",
            "--events" => " on",
            "--lang" => " en",
            "--color" => " always",
            "--config" => " c.toml",
            _ => "",
        };
        format!("{whole} {typed}{value}")
    }

    /// Every inherited flag with every command: it is obeyed, or refused in a line
    /// that names it or says why.
    #[test]
    fn each_flag_is_obeyed_or_refused_by_each_command() {
        let declared: Vec<String> = flags::command()
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .map(|arg| arg.get_id().to_string())
            .collect();
        let known: Vec<&str> = INHERITED.iter().map(|(flag, _)| *flag).collect();
        for flag in &declared {
            assert!(known.contains(&flag.as_str()), "{flag} is in no table");
        }
        assert_eq!(declared.len(), known.len());
        for command in COMMANDS {
            for (flag, typed) in INHERITED {
                let words = line(command, typed);
                let told = plan(&words).map(|_| ()).map_err(|usage| usage.to_string());
                match told {
                    Ok(()) => assert!(obeys(command, flag), "{words} is ignored"),
                    Err(told) if obeys(command, flag) => {
                        let own = ["kill", "close", "check"].contains(&command);
                        assert!(own, "{words}: {told}");
                    }
                    Err(told) => assert_eq!(told, format!("{command} does not use {typed}")),
                }
            }
        }
    }

    #[test]
    fn what_stands_before_a_command_is_not_lost() {
        for (words, told) in [
            ("--interval 2 list", "--interval belongs behind list"),
            ("--baseline x check", "--baseline belongs behind check"),
            ("--no-mouse doctor", "--no-mouse belongs behind doctor"),
            ("-i 2 list", "--interval belongs behind list"),
        ] {
            let said = plan(words).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains(told), "{words}: {said}");
        }
        assert!(plan("-n list").is_ok());
        assert!(plan("doctor --color never").is_ok());
    }
}
