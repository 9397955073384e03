//! Definition of all flags and commands, for the parser and the help.

pub(super) mod shared;

use crate::lab::DeviceChoice;
use clap::{Arg, ArgAction, Command, value_parser};
use shared::{LIVE_TABLE, flag, path, value, with_shared};
use std::ffi::OsString;

const EXAMPLES: &str = "\
Examples:
  tcplens                        the live table
  tcplens :8080                  only port 8080
  tcplens state syn-sent         only sockets in SYN_SENT
  tcplens process nginx          only those of nginx
  tcplens -tln                   listening TCP sockets, numbers only
  tcplens list 'process:nginx and not state:listen'
  tcplens list --json            every socket as JSON, for other programs
  tcplens explain CLOSE_WAIT     what a state means, and what to do
  tcplens explain :8080          who has port 8080 (\"address already in use\"), and why
  tcplens kill :8080             end whoever has port 8080, after asking
  tcplens close dst 192.0.2.7    close the connections to a machine, after asking
  tcplens doctor                 what can be seen and done here
  tcplens check --for 30s        watch for a while; exit 1 if something was found

Filters: words of ss(8) such as  state established and dport = :443 and not dst
10.0.0.0/8,  or short ones:  :443  port:443  state:syn_sent  process:nginx
pid:812  user:www-data  cmd:manage.py  dev eth0,  joined by and, or, not, ( ).
Any other word is searched in what is shown and in command lines.
All fields and operators: tcplens help filter

Flags go before or after the command; one that it does not use is an error.

Exit codes: 0 all well, 1 nothing matched or not all done, 2 an error; those of
check are in its help.";

/// The whole command line.
pub(super) fn command() -> Command {
    let command = Command::new("tcplens")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Every socket, its owner, its state, and what that state means.")
        .after_help(EXAMPLES)
        .disable_help_subcommand(true)
        // For example `-tuplanet`, which has -t twice.
        .args_override_self(true)
        // Broken lines could not be put into another language.
        .term_width(0)
        .args_conflicts_with_subcommands(false)
        .subcommand_negates_reqs(true)
        .arg(filter());
    let commands = [
        list(),
        explain(),
        kill(),
        close(),
        doctor(),
        check(),
        help(),
        Command::new("version").about("Print the version"),
        config(),
        baseline(),
        lab(),
    ];
    let commands = commands.map(|command| {
        let name = command.get_name().to_owned();
        with_shared(command, &name)
    });
    with_shared(command, LIVE_TABLE).subcommands(commands)
}

fn list() -> Command {
    Command::new("list")
        .about("Print the table once")
        .after_help(EXAMPLES)
        .arg(filter())
        .arg(
            value("format", "FORMAT", "How to print: table or json")
                .value_parser(["table", "json"]),
        )
        .arg(value(
            "columns",
            "NAMES",
            "Columns of the table, with commas between",
        ))
}

fn explain() -> Command {
    Command::new("explain")
        .about("Explain a state, everything, or the sockets that match")
        .arg(
            Arg::new("filter")
                .value_name("STATE|all|FILTER")
                .num_args(0..)
                .action(ArgAction::Append)
                .help("A state in any spelling, all, or which sockets"),
        )
}

fn doctor() -> Command {
    Command::new("doctor").about("Tell what can be seen and done here, and what would help")
}

fn help() -> Command {
    Command::new("help")
        .about("Print the help, that of a command, or that of filters")
        .arg(
            Arg::new("topic")
                .value_name("COMMAND|filter")
                .help("A command, or filter for the filter language"),
        )
}

const LAB: &str = "\
Makes a real socket in each state in a private network namespace from which no
route leads out, and shows them in the usual table. The lab plays their peers
itself: digits have the next step happen. Everything ends with the table.

Examples:
  tcplens lab                    one socket in each state, each with its next steps
  tcplens lab --tour             a session told in chapters
  tcplens lab state:closing      only what is in CLOSING
  tcplens lab --everything       every kind of socket there is, IPv4 and IPv6
  tcplens lab --everything --json
  tcplens lab --sockets 100000 --processes 200";

fn lab() -> Command {
    Command::new("lab")
        .about("Watch real sockets in every state, in a private namespace")
        .after_help(LAB)
        .arg(filter())
        .arg(
            flag(
                "tour",
                None,
                "A session told in chapters, from the handshake to a leak",
            )
            .conflicts_with_all(["everything", "sockets"]),
        )
        .arg(
            flag(
                "everything",
                None,
                "Every kind of socket there is, IPv4 and IPv6, and no lesson",
            )
            .conflicts_with("sockets"),
        )
        .arg(
            value("sockets", "N", "A load of N established sockets instead")
                .value_parser(value_parser!(u32).range(100..=1_000_000)),
        )
        .arg(
            value("load-processes", "P", "In how many processes the load is")
                .long("processes")
                .value_parser(value_parser!(u32).range(1..=4_000))
                .requires("sockets"),
        )
        .arg(
            value("far-end", "DEVICE", "What the peers are played on")
                .value_parser(DeviceChoice::ALL.map(DeviceChoice::word))
                .hide(true),
        )
}

const CHECK: &str = "\
Examples:
  tcplens check                        watches for 15 s, tells what was found
  tcplens check --for 1m --json        the same as JSON (schema 1)
  tcplens check --oneline              one line with numbers, for Icinga and Nagios
  tcplens check --fail-on alarm        warnings are told, but only an alarm exits 2
  tcplens check --baseline FILE        also whoever listens and is not in it

Rules of your own, limits and mutes stand in the settings: tcplens config init.

Exit codes: 0 nothing found at or above the level, 1 something, 2 an alarm,
3 unknown: an error, or nothing found and too little seen (or ended early).";

fn check() -> Command {
    Command::new("check")
        .about("Watch for a while and tell what was found, for monitoring")
        .after_help(CHECK)
        .arg(filter().hide(true))
        .arg(value(
            "for",
            "TIME",
            "How long to watch, such as 30s; 15s if nothing is said",
        ))
        .arg(flag(
            "oneline",
            None,
            "One line in the form of monitoring plugins",
        ))
        .arg(
            value(
                "fail-on",
                "LEVEL",
                "From which severity on to exit 1, an alarm 2; warn if nothing is said",
            )
            .value_parser(["info", "warn", "alarm"]),
        )
}

const CONFIG: &str = "\
The settings are in $XDG_CONFIG_HOME/tcplens/config.toml, else in
~/.config/tcplens/config.toml; --config FILE names another file. They hold for the
live table, check, kill and close. As root only a file of root, or of who called
sudo, is read, and only if nobody else may write it.

Examples:
  tcplens config init            begins the file, with everything commented out
  tcplens config show            everything in force, and where it comes from
  tcplens config path            where the file is";

fn config() -> Command {
    Command::new("config")
        .about("Show or begin the settings")
        .after_help(CONFIG)
        .subcommand_required(true)
        .subcommand(Command::new("path").about("Where the settings are"))
        .subcommand(Command::new("show").about("Everything in force, and where it comes from"))
        .subcommand(Command::new("init").about("Begin the file; one that is there stays"))
}

const BASELINE: &str = "\
Examples:
  tcplens baseline save listeners.json
  tcplens --baseline listeners.json          marks who listens and is not in it
  tcplens check --baseline listeners.json    the same for monitoring";

fn baseline() -> Command {
    Command::new("baseline")
        .about("Write down who is meant to listen")
        .after_help(BASELINE)
        .subcommand_required(true)
        .subcommand(
            Command::new("save")
                .about("Write who listens now: protocol, address, port, program file")
                .arg(path("file", "FILE", "The file to write").required(true))
                .arg(flag("force", None, "Replace a file that is there")),
        )
}

const KILL: &str = "\
Examples:
  tcplens kill :8080                         asks, then sends TERM to whoever listens on port 8080
  tcplens kill process:nginx --dry-run       only tells whom it would be sent to
  tcplens kill user:www-data --confirm 3     without asking, if it is exactly three
  tcplens kill pid:812 --signal HUP --yes
  tcplens kill either :8080 --dry-run        the clients of port 8080, too

A port means the local one: who listens on it (TCP) or receives on it (UDP), or
if nobody does, who has it. Its clients are left alone, and named; 'either :8080'
or --clients includes them.

Signals: TERM KILL INT HUP STOP CONT USR1 USR2. More than one process, one that
tcplens runs under, and one that matches only by the remote end of a connection
take a number to type, or --confirm.

Exit codes: 0 all are gone (HUP, STOP, CONT, USR1, USR2: all were sent),
1 nothing matched or one is still there, 2 an error or a refusal.";

const CLOSE: &str = "\
The program that owns a connection gets ECONNABORTED at its next call, the peer a
reset. It takes CAP_NET_ADMIN, and works in this network namespace.

Examples:
  tcplens close dst 192.0.2.7                asks, then closes the connections to it
  tcplens close state close-wait --dry-run   only tells what it would close
  tcplens close 'sport = :443 and dst 192.0.2.7' --confirm 12

More than one, a listener, TIME_WAIT, and the session you are logged in by take
a number to type, or --confirm.

Exit codes: 0 all are closed, 1 nothing matched or one was not, 2 an error or a
refusal.";

fn kill() -> Command {
    with_action_args(
        Command::new("kill")
            .about("End the processes whose sockets match")
            .after_help(KILL)
            .arg(value("signal", "NAME", "What to send; TERM if nothing is said").short('s'))
            .arg(flag(
                "clients",
                None,
                "A port means both ends: clients of it are targets, too",
            )),
    )
}

fn close() -> Command {
    with_action_args(
        Command::new("close")
            .about("Close the connections that match")
            .after_help(CLOSE),
    )
}

/// Adds the arguments of both actions.
fn with_action_args(command: Command) -> Command {
    let number = || value_parser!(u32).range(1..);
    command
        .arg(filter())
        .arg(flag("yes", Some('y'), "Answer a plain question with yes"))
        .arg(
            value("confirm", "N", "The number that would have to be typed")
                .value_parser(value_parser!(u32)),
        )
        .arg(flag("dry-run", None, "Only tell what would be done"))
        .arg(
            value(
                "max",
                "N",
                "Allow up to N targets at once; 64 if nothing is said",
            )
            .value_parser(number()),
        )
}

fn filter() -> Arg {
    Arg::new("filter")
        .value_name("FILTER")
        .num_args(0..)
        .action(ArgAction::Append)
        .help("Which sockets; all words together are one filter")
}

/// The command line in which asking for help stops nothing, so that the flags beside it
/// can be read.
pub(super) fn command_without_help() -> Command {
    let asked = |name, short| flag(name, Some(short), "").global(true);
    command()
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(asked("help", 'h'))
        .arg(asked("version", 'V'))
}

/// The command that the arguments name, the program's own name first, even if they
/// cannot be parsed: the first word that is a command and not the value of a flag.
pub(super) fn find_command_name(arguments: &[OsString]) -> Option<String> {
    let whole = command();
    let takes_value = |typed: &str| {
        let mut flags = whole.get_arguments().filter(|arg| takes_value(arg));
        let long = typed.strip_prefix("--");
        // The last letter of several.
        let short = typed.chars().last().filter(|_| long.is_none());
        flags.any(|flag| {
            long.is_some() && flag.get_long() == long
                || short.is_some() && flag.get_short() == short
        })
    };
    let mut words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        match word {
            "--" => return None,
            flag if flag.len() > 1 && flag.starts_with('-') && takes_value(flag) => {
                words.next();
            }
            word if whole.find_subcommand(word).is_some() => return Some(word.to_owned()),
            _ => {}
        }
    }
    None
}

/// True for a flag with a value.
fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) && !arg.is_positional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Catalogue;
    use crate::explain::language::Language;

    /// Every sentence of the help, of this command and those below it.
    fn sentences(command: &Command, into: &mut Vec<String>) {
        let said = [command.get_about(), command.get_after_help()];
        into.extend(said.into_iter().flatten().map(ToString::to_string));
        let helps = command.get_arguments().filter(|arg| !arg.is_hide_set());
        into.extend(helps.filter_map(Arg::get_help).map(ToString::to_string));
        for below in command.get_subcommands() {
            sentences(below, into);
        }
    }

    #[test]
    fn the_help_is_chinese_where_that_is_wanted() {
        let words = Catalogue::of(Language::Chinese);
        let mut all = Vec::new();
        sentences(&command(), &mut all);
        assert!(all.len() > 50);
        let left: Vec<_> = all
            .into_iter()
            .filter(|english| words.translate_message(english) == *english)
            .collect();
        assert!(left.is_empty(), "{left:#?}");
    }
}
