//! The flags shared by several commands, and their use by each command. Each of them
//! may stand before a command or after it.

use crate::explain::language::Language;
use clap::{Arg, ArgAction, Command, value_parser};
use std::path::PathBuf;

/// The name of the live table in the tables below: it has no command.
pub(in crate::cli) const LIVE_TABLE: &str = "";

/// Relation of a command to a shared flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum FlagUse {
    /// The flag changes the command.
    Used,
    /// The command does so anyway.
    Implied,
    /// The command refuses the flag with a reason of its own.
    Forbidden,
    /// The flag means nothing to the command.
    Unused,
}

/// Shared flags with the commands that use them.
const USED: &[(&str, &[&str])] = &[
    ("tcp", SELECTING),
    ("udp", SELECTING),
    ("listening", SELECTING),
    ("all", SELECTING),
    ("ipv4", SELECTING),
    ("ipv6", SELECTING),
    ("sort", SELECTING),
    ("numeric", SELECTING),
    (
        "json",
        &[LIVE_TABLE, "lab", "list", "explain", "doctor", "check"],
    ),
    ("info", TABLES),
    ("extended", TABLES),
    ("timers", TABLES),
    ("wide", TABLES),
    ("one-line", TABLES),
    ("no-header", TABLES),
    ("shown-processes", WITH_PROCESSES),
    (
        "all-netns",
        &[
            LIVE_TABLE, "lab", "list", "explain", "kill", "close", "check",
        ],
    ),
    (
        "netns",
        &[
            LIVE_TABLE, "list", "explain", "kill", "close", "check", "baseline",
        ],
    ),
    (
        "source",
        &[
            LIVE_TABLE, "lab", "list", "explain", "kill", "close", "doctor", "check", "baseline",
        ],
    ),
    ("events", &[LIVE_TABLE, "lab", "check"]),
    ("baseline", &[LIVE_TABLE, "lab", "check"]),
    ("allow-racy-kill", &[LIVE_TABLE, "lab", "kill"]),
    ("interval", &[LIVE_TABLE, "lab"]),
    ("no-mouse", &[LIVE_TABLE, "lab"]),
    ("read-only", &[LIVE_TABLE, "lab"]),
    ("color", &[LIVE_TABLE, "lab"]),
    ("config", ALL_COMMANDS),
    ("lang", ALL_COMMANDS),
];

/// The commands that show sockets or act on them.
const SELECTING: &[&str] = &[LIVE_TABLE, "lab", "list", "explain", "kill", "close"];
/// The commands that show the table.
const TABLES: &[&str] = &[LIVE_TABLE, "lab", "list"];
/// The commands whose help lists `-p`.
const WITH_PROCESSES: &[&str] = &[LIVE_TABLE, "lab", "list", "kill", "close"];
const ALL_COMMANDS: &[&str] = &[
    LIVE_TABLE, "lab", "list", "explain", "kill", "close", "doctor", "check", "baseline", "config",
    "help", "version",
];

/// Flags that request the default of a command.
const IMPLIED: &[(&str, &[&str])] = &[
    // None of them acts.
    (
        "read-only",
        &[
            "list", "explain", "doctor", "check", "baseline", "config", "help", "version",
        ],
    ),
    ("shown-processes", &["explain"]),
    ("all-netns", &["doctor"]),
];

/// Flags that a command refuses with a reason of its own.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("json", &["kill", "close"]),
    ("read-only", &["kill", "close"]),
    // A check that looks at less overlooks something.
    ("tcp", &["check"]),
    ("udp", &["check"]),
    ("listening", &["check"]),
    ("ipv4", &["check"]),
    ("ipv6", &["check"]),
];

/// The relation of a command to a shared flag.
pub(in crate::cli) fn flag_use(command: &str, flag: &str) -> FlagUse {
    let has = |table: &[(&str, &[&str])]| {
        let mut lines = table.iter();
        lines.any(|(name, commands)| *name == flag && commands.contains(&command))
    };
    if has(USED) {
        FlagUse::Used
    } else if has(IMPLIED) {
        FlagUse::Implied
    } else if has(FORBIDDEN) {
        FlagUse::Forbidden
    } else {
        FlagUse::Unused
    }
}

/// The shared flags.
pub(in crate::cli) fn flag_names() -> impl Iterator<Item = &'static str> {
    USED.iter().map(|(flag, _)| *flag)
}

/// The commands that obey a shared flag, as they are typed.
pub(in crate::cli) fn commands_using(flag: &str) -> Vec<String> {
    let commands = USED.iter().find(|(name, _)| *name == flag);
    let commands = commands.map_or(&[][..], |(_, commands)| *commands);
    commands
        .iter()
        .map(|command| command_text(command))
        .collect()
}

/// A command as it is typed.
pub(in crate::cli) fn command_text(command: &str) -> String {
    match command {
        LIVE_TABLE => "tcplens [FILTER]".to_owned(),
        command => format!("tcplens {command}"),
    }
}

/// A command with the shared flags: its help has those that it obeys, its parser takes
/// all, so that the others can be refused with a reason.
pub(super) fn with_shared(command: Command, name: &str) -> Command {
    shared(name).into_iter().fold(command, |command, flag| {
        let is_shown = flag_use(name, flag.get_id().as_str()) == FlagUse::Used;
        command.arg(flag.global(true).hide(!is_shown))
    })
}

fn shared(command: &str) -> Vec<Arg> {
    let processes = match command {
        // A load has processes, too.
        "lab" => shown_processes(),
        _ => shown_processes().long("processes"),
    };
    let mut flags = vec![
        processes,
        interval(),
        flag("no-mouse", None, "Leave the mouse to the terminal"),
        allow_racy_kill_arg(),
        baseline_file(),
    ];
    flags.extend(common());
    flags
}

fn common() -> Vec<Arg> {
    vec![
        flag("tcp", Some('t'), "Only TCP"),
        flag("udp", Some('u'), "Only UDP"),
        flag("json", None, "Print JSON once, for other programs"),
        flag(
            "info",
            None,
            "TCP details (-i of ss): RTT and RETRANS in the list, tcp_info in JSON",
        ),
        flag("listening", Some('l'), "Only listening sockets"),
        flag("all", Some('a'), "All sockets (the default), also with -l"),
        flag(
            "numeric",
            Some('n'),
            "Numbers instead of names of users and services",
        ),
        flag(
            "extended",
            Some('e'),
            "Inodes in the list; the live table and JSON have them",
        ),
        flag("timers", Some('o'), "Timers (always shown)"),
        flag("wide", Some('W'), "Cut nothing in the list (never done)"),
        Arg::new("one-line")
            .short('O')
            .action(ArgAction::SetTrue)
            .help("One line for each socket (always so)"),
        flag(
            "no-header",
            Some('H'),
            "A list without the line of headings",
        ),
        flag("ipv4", Some('4'), "Only IPv4, and what takes it as well"),
        flag("ipv6", Some('6'), "Only IPv6"),
        flag(
            "all-netns",
            None,
            "All network namespaces that can be entered, in one table",
        ),
        value(
            "netns",
            "NAME|PID",
            "The network namespace of this name (ip netns), or of this process, as if started in it",
        ),
        path(
            "config",
            "FILE",
            "Settings of this file instead of the usual one",
        )
        .long("config"),
        value(
            "sort",
            "COLUMN",
            "Sort by a column: amounts begin with the largest, names with the first; - before it is largest first, + smallest first",
        )
        .allow_hyphen_values(true),
        value("source", "SOURCE", "Where to read: auto, sock-diag or proc").value_parser([
            "auto",
            "sock-diag",
            "proc",
        ]),
        value(
            "events",
            "WHEN",
            "What the kernel tells between tables (live table, check): auto, on or off",
        )
        .value_parser(["auto", "on", "off"]),
        flag(
            "read-only",
            None,
            "Only look: nothing can be ended or closed",
        ),
        value(
            "lang",
            "LANG",
            "The language: en or zh; else that of the settings, or of the locale",
        )
        .value_parser(Language::ALL.map(Language::tag)),
        value("color", "WHEN", "Colours: auto, always or never")
            .value_parser(["auto", "always", "never"]),
    ]
}

/// Flag for users of netstat and ss; processes are always shown. It has no long
/// form for the lab, where a load has processes, too.
fn shown_processes() -> Arg {
    Arg::new("shown-processes")
        .short('p')
        .action(ArgAction::SetTrue)
        .help("Show processes (the default)")
}

fn allow_racy_kill_arg() -> Arg {
    flag(
        "allow-racy-kill",
        None,
        "Without pidfds: signal by number, which may hit another process",
    )
}

fn interval() -> Arg {
    value(
        "interval",
        "TIME",
        "Time between tables, such as 500ms or 1m; else 1s, or longer to keep below 10 % of a core",
    )
    .short('i')
}

pub(super) fn flag(name: &'static str, short: Option<char>, help: &'static str) -> Arg {
    let arg = Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help);
    match short {
        Some(short) => arg.short(short),
        None => arg,
    }
}

pub(super) fn value(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(placeholder).help(help)
}

pub(super) fn path(name: &'static str, placeholder: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .value_name(placeholder)
        .value_parser(value_parser!(PathBuf))
        .help(help)
}

fn baseline_file() -> Arg {
    path(
        "baseline",
        "FILE",
        "Who is meant to listen, as baseline save wrote it",
    )
    .long("baseline")
}
