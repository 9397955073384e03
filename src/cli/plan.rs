//! Parses arguments into a plan: everything is checked before anything is
//! opened.

mod action_args;
mod check;
mod explain;
mod unused_flags;

use super::{TerminalEnvironment, compat, flags};
use crate::control::pidfd::PidfdFallback;
use crate::filter::{Filter, nearest};
use crate::lab::DeviceChoice;
use crate::lab::load::LoadSize;
use crate::listing::{Column, QuickFilter, Sort, SortBy, StateClass};
use crate::model::action::AccessMode;
use crate::model::event::EventsMode;
use crate::model::lab::LabMode;
use crate::model::namespace::NamespaceScope;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::refresh_mode::RefreshMode;
use crate::model::signal::Signal;
use crate::model::text::Text;
use crate::run::{ListFormat, Topic};
use crate::source::SourceChoice;
use crate::view::theme::{Palette, Theme};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Error};
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

pub(super) use action_args::ActionArgs;
pub(super) use check::{CheckPlan, ConfigAction, SaveBaselinePlan};

/// The shortest and the longest time between readings.
const INTERVAL_RANGE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));

/// Default number of sockets of a load per process.
const SOCKETS_PER_PROCESS: u32 = 500;

/// Plan of one run of the program.
#[derive(Debug)]
pub(super) enum Plan {
    /// Print this text: help or version.
    Print(String),
    /// True for JSON.
    Explain(Topic, bool),
    /// Explain these, each from its own evidence; as JSON if so.
    ExplainSockets(SocketSelection, bool),
    List(ListPlan),
    /// True for JSON.
    Doctor(SourceChoice, bool),
    Live(LivePlan),
    Kill(ActionArgs, Signal, PidfdFallback),
    Close(ActionArgs),
    Check(CheckPlan),
    Config(ConfigAction, UserFiles),
    SaveBaseline(SaveBaselinePlan),
    /// Fill a private namespace, then do the rest in it.
    Lab(LabContents, Box<Plan>),
}

/// A plan, and the files it goes by.
#[derive(Debug)]
pub(super) struct ParsedCommand {
    pub(super) plan: Plan,
    pub(super) files: UserFiles,
    /// The network namespace to enter before anything is read.
    pub(super) netns: Option<String>,
}

/// Files named by the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UserFiles {
    /// The settings.
    pub(super) config: Option<PathBuf>,
    /// Baseline of expected listeners.
    pub(super) baseline: Option<PathBuf>,
}

/// Contents of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LabContents {
    /// A lab session.
    Session(LabMode, DeviceChoice),
    /// One of everything.
    Everything(DeviceChoice),
    /// Very many.
    Carry(LoadSize),
}

#[derive(Debug)]
pub(super) struct ListPlan {
    pub(super) selection: SocketSelection,
    pub(super) columns: Vec<Column>,
    pub(super) format: ListFormat,
    pub(super) heading: bool,
    pub(super) with_tcp_info: bool,
}

#[derive(Debug)]
pub(super) struct LivePlan {
    pub(super) selection: SocketSelection,
    pub(super) pace: RefreshMode,
    pub(super) theme: Theme,
    pub(super) mouse: bool,
    pub(super) policy: AccessMode,
    pub(super) pidfd_fallback: PidfdFallback,
    /// None leaves it to the settings.
    pub(super) events: Option<EventsMode>,
}

/// Selection of sockets for both the list and the live table.
#[derive(Debug)]
pub(super) struct SocketSelection {
    pub(super) source: SourceChoice,
    pub(super) filter: Filter,
    pub(super) quick: QuickFilter,
    pub(super) sort: Sort,
    pub(super) numeric: bool,
    pub(super) scope: NamespaceScope,
}

/// Error of the command line, in one line (a filter adds two with a caret).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Parses the arguments, the program's own name first, into a plan.
pub(super) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    here: &TerminalEnvironment,
) -> Result<ParsedCommand, UsageError> {
    let arguments = compat::expand_info_flag(arguments.into_iter().collect());
    let named = flags::find_command_name(&arguments);
    let is_filter = arguments.iter().any(|argument| argument == "--");
    let matches = match flags::command().try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            ) =>
        {
            return Ok(ParsedCommand {
                plan: Plan::Print(error.to_string()),
                files: user_files_of_help(arguments),
                netns: None,
            });
        }
        Err(error) => return Err(usage_error(&error, named.as_deref())),
    };
    let command = matches.subcommand().map(|(_, command)| command);
    match matches.subcommand() {
        Some((name, command)) => unused_flags::check(name, command)?,
        None if is_filter => {}
        None => check_misspelled_command(&matches)?,
    }
    let command = command.unwrap_or(&matches);
    Ok(ParsedCommand {
        plan: build_plan(&matches, here)?,
        files: user_files(command),
        netns: netns(command)?,
    })
}

/// The network namespace that is asked for by name or process.
fn netns(matches: &ArgMatches) -> Result<Option<String>, UsageError> {
    let named = optional_value(matches, "netns").map(str::to_owned);
    if named.is_some() && optional_flag(matches, "all-netns") {
        let text = "--netns and --all-netns exclude each other";
        return Err(UsageError(text.to_owned()));
    }
    Ok(named)
}

/// A first word that is nearly a command is not taken for a filter, nor is a command
/// after one.
fn check_misspelled_command(matches: &ArgMatches) -> Result<(), UsageError> {
    let words = filter_words(matches);
    let (Some(word), Ok(filter)) = (words.first(), Filter::parse(&words.join(" "))) else {
        return Ok(());
    };
    let mut texts = filter.text_terms().into_iter();
    if let Some(command) = texts.find(|text| compat::COMMANDS.contains(text)) {
        let shown = Text::from(words.join(" ").as_str());
        return Err(UsageError(format!(
            "`{command}` is a command and goes first; to search for the word: tcplens -- {shown}"
        )));
    }
    match compat::suggest_command(word, &filter) {
        Some(meant) => {
            let shown = Text::from(*word);
            Err(UsageError(format!(
                "no command `{shown}`; did you mean `{meant}`? To search for the word: tcplens -- {shown}"
            )))
        }
        None => Ok(()),
    }
}

/// Names of the page about the filter language.
const FILTER_TOPICS: [&str; 2] = ["filter", "filters"];

/// The help of a command, of filters, or of the program.
fn help(matches: &ArgMatches) -> Result<Plan, UsageError> {
    let mut command = flags::command();
    let Some(word) = optional_value(matches, "topic") else {
        return Ok(Plan::Print(command.render_help().to_string()));
    };
    if FILTER_TOPICS.contains(&word) {
        return Ok(Plan::Explain(Topic::Filters, false));
    }
    command.build();
    match command.find_subcommand_mut(word) {
        Some(command) => Ok(Plan::Print(command.render_help().to_string())),
        None => Err(UsageError(unknown_message(
            "command",
            word,
            nearest(word, compat::COMMANDS.into_iter().chain(FILTER_TOPICS)),
            "tcplens help",
        ))),
    }
}

fn build_plan(matches: &ArgMatches, here: &TerminalEnvironment) -> Result<Plan, UsageError> {
    match matches.subcommand() {
        Some(("explain", explain)) => self::explain::explain(explain),
        Some(("kill", kill)) => {
            let signal = action_args::parse_signal(kill)?;
            let mut acting = action_args::parse_action_args("kill", kill)?;
            acting.options.clients = kill.get_flag("clients");
            Ok(Plan::Kill(acting, signal, pidfd_fallback(kill)))
        }
        Some(("close", close)) => action_args::parse_action_args("close", close).map(Plan::Close),
        Some(("check", check)) => self::check::check(check).map(Plan::Check),
        Some(("config", config)) => Ok(Plan::Config(
            self::check::config(config),
            user_files(config),
        )),
        Some(("baseline", baseline)) => self::check::save(baseline).map(Plan::SaveBaseline),
        Some(("doctor", doctor)) => Ok(Plan::Doctor(source(doctor), doctor.get_flag("json"))),
        Some(("help", topic)) => help(topic),
        Some(("version", _)) => Ok(Plan::Print(flags::command().render_version())),
        Some(("list", list)) => self::list(list).map(Plan::List),
        Some(("lab", lab)) => {
            let watch = list_or_live(lab, here)?;
            Ok(Plan::Lab(lab_contents(lab), Box::new(watch)))
        }
        _ => list_or_live(matches, here),
    }
}

/// Without a terminal the table is printed once. Invalid options of the live
/// table are errors there, too.
fn list_or_live(matches: &ArgMatches, here: &TerminalEnvironment) -> Result<Plan, UsageError> {
    let live = live(matches, here)?;
    if !here.terminal || matches.get_flag("json") {
        unused_flags::check_printed_once(matches)?;
        list(matches).map(Plan::List)
    } else {
        Ok(Plan::Live(live))
    }
}

fn lab_contents(matches: &ArgMatches) -> LabContents {
    let number = |name: &str| matches.get_one::<u32>(name).copied();
    let Some(sockets) = number("sockets") else {
        let choice = optional_value(matches, "far-end").and_then(DeviceChoice::from_word);
        let choice = choice.unwrap_or_default();
        return match (matches.get_flag("everything"), matches.get_flag("tour")) {
            (true, _) => LabContents::Everything(choice),
            (false, true) => LabContents::Session(LabMode::Tour, choice),
            (false, false) => LabContents::Session(LabMode::States, choice),
        };
    };
    let usual = NonZeroU32::MIN.saturating_add(sockets / SOCKETS_PER_PROCESS);
    let processes = number("load-processes").and_then(NonZeroU32::new);
    LabContents::Carry(LoadSize {
        sockets,
        processes: processes.unwrap_or(usual),
    })
}

fn list(matches: &ArgMatches) -> Result<ListPlan, UsageError> {
    let names = optional_value(matches, "columns");
    let json = is_json(matches)?;
    let mut columns = names.map_or_else(|| Ok(DEFAULT_COLUMNS.to_vec()), columns)?;
    let mut add = |flag: &str, more: &[Column]| {
        if matches.get_flag(flag) {
            let missing = more.iter().filter(|column| !columns.contains(column));
            let missing: Vec<Column> = missing.copied().collect();
            columns.extend(missing);
        }
    };
    add("extended", &[Column::Inode]);
    add("info", &[Column::Rtt, Column::Retrans]);
    Ok(ListPlan {
        selection: socket_selection(matches)?,
        columns,
        heading: !matches.get_flag("no-header"),
        format: if json {
            ListFormat::Json
        } else {
            ListFormat::Table
        },
        with_tcp_info: matches.get_flag("info"),
    })
}

/// True for JSON, which has every field and no headings.
fn is_json(matches: &ArgMatches) -> Result<bool, UsageError> {
    let (flag, format) = (matches.get_flag("json"), optional_value(matches, "format"));
    let excluded = [
        (format == Some("table"), "--format table"),
        (optional_value(matches, "columns").is_some(), "--columns"),
        (matches.get_flag("no-header"), "--no-header"),
    ];
    let json = flag || format == Some("json");
    match excluded.into_iter().find(|(is_typed, _)| *is_typed) {
        Some((_, typed)) if json => Err(UsageError(format!("JSON and {typed} exclude each other"))),
        _ => Ok(json),
    }
}

/// Columns of a plain table unless others are chosen.
const DEFAULT_COLUMNS: [Column; 10] = [
    Column::Process,
    Column::Pid,
    Column::User,
    Column::Proto,
    Column::Local,
    Column::Remote,
    Column::State,
    Column::RecvQ,
    Column::SendQ,
    Column::Timer,
];

fn columns(names: &str) -> Result<Vec<Column>, UsageError> {
    names
        .split(',')
        .map(|name| Column::from_word(name.trim()).map_err(|error| UsageError(error.to_string())))
        .collect()
}

fn live(matches: &ArgMatches, here: &TerminalEnvironment) -> Result<LivePlan, UsageError> {
    let mono = match optional_value(matches, "color") {
        Some("always") => false,
        Some("never") => true,
        _ => here.no_colour,
    };
    Ok(LivePlan {
        selection: socket_selection(matches)?,
        pace: match optional_value(matches, "interval") {
            Some(word) => RefreshMode::Fixed(interval(word)?),
            None => RefreshMode::Adaptive,
        },
        theme: Theme {
            palette: if mono { Palette::Mono } else { Palette::Colour },
            ascii: !here.utf8,
        },
        mouse: !matches.get_flag("no-mouse"),
        policy: if matches.get_flag("read-only") {
            AccessMode::ReadOnly
        } else {
            AccessMode::Full
        },
        pidfd_fallback: pidfd_fallback(matches),
        events: events(matches),
    })
}

fn events(matches: &ArgMatches) -> Option<EventsMode> {
    optional_value(matches, "events").and_then(EventsMode::from_word)
}

fn user_files(matches: &ArgMatches) -> UserFiles {
    let path = |name: &str| {
        let named = matches.try_get_one::<PathBuf>(name).ok().flatten();
        named.cloned()
    };
    UserFiles {
        config: path("config"),
        baseline: path("baseline"),
    }
}

/// The files named beside `--help` or `--version`: the settings have the language.
fn user_files_of_help(arguments: Vec<OsString>) -> UserFiles {
    let asked = flags::command_without_help().try_get_matches_from(arguments);
    asked.map_or_else(|_| UserFiles::default(), |matches| user_files(&matches))
}

/// Behaviour without pidfds.
fn pidfd_fallback(matches: &ArgMatches) -> PidfdFallback {
    if optional_flag(matches, "allow-racy-kill") {
        PidfdFallback::UsePid
    } else {
        PidfdFallback::Refuse
    }
}

fn interval(word: &str) -> Result<Duration, UsageError> {
    let plain = word
        .parse::<f64>()
        .ok()
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let parsed = match plain {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => humantime::parse_duration(word).ok(),
    };
    let (shortest, longest) = INTERVAL_RANGE;
    parsed
        .filter(|time| (shortest..=longest).contains(time))
        .ok_or_else(|| {
            let shown = Text::from(word);
            UsageError(format!(
                "--interval {shown}: a time between 100ms and 1h is needed, such as 500ms or 2s"
            ))
        })
}

fn source(matches: &ArgMatches) -> SourceChoice {
    match optional_value(matches, "source") {
        Some("sock-diag") => SourceChoice::SockDiag,
        Some("proc") => SourceChoice::Proc,
        _ => SourceChoice::Auto,
    }
}

fn socket_selection(matches: &ArgMatches) -> Result<SocketSelection, UsageError> {
    let one_of = |first: bool, second: bool| first != second;
    let (tcp, udp) = (matches.get_flag("tcp"), matches.get_flag("udp"));
    let (v4, v6) = (matches.get_flag("ipv4"), matches.get_flag("ipv6"));
    let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
    let family = if v4 { IpFamily::Inet } else { IpFamily::Inet6 };
    let quick = QuickFilter {
        protocol: one_of(tcp, udp).then_some(protocol),
        family: one_of(v4, v6).then_some(family),
        // Like netstat: -a takes precedence over -l.
        class: (matches.get_flag("listening") && !matches.get_flag("all"))
            .then_some(StateClass::Listening),
    };
    Ok(SocketSelection {
        source: source(matches),
        filter: filter(matches)?,
        quick,
        sort: optional_value(matches, "sort").map_or_else(|| Ok(Sort::default()), sort)?,
        numeric: matches.get_flag("numeric"),
        scope: if matches.get_flag("all-netns") {
            NamespaceScope::All
        } else {
            NamespaceScope::Current
        },
    })
}

/// Arguments that are not flags.
fn filter_words(matches: &ArgMatches) -> Vec<&str> {
    let words = matches.get_many::<String>("filter").into_iter().flatten();
    words.map(String::as_str).collect()
}

fn filter(matches: &ArgMatches) -> Result<Filter, UsageError> {
    Filter::parse(&filter_words(matches).join(" "))
        .map_err(|error| UsageError(format!("filter: {error}\n{}", error.text_with_carets())))
}

fn sort(word: &str) -> Result<Sort, UsageError> {
    let descending = match word.chars().next() {
        Some('-') => Some(true),
        Some('+') => Some(false),
        _ => None,
    };
    let name = descending.and_then(|_| word.get(1..)).unwrap_or(word);
    SortBy::from_word(name)
        .map(|by| match descending {
            Some(descending) => Sort::with_direction(by, descending),
            None => Sort { by, reverse: false },
        })
        .map_err(|error| UsageError(format!("--sort: {error}")))
}

fn optional_value<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    let value = matches.try_get_one::<String>(name).ok().flatten();
    value.map(String::as_str)
}

fn optional_flag(matches: &ArgMatches, name: &str) -> bool {
    let value = matches.try_get_one::<bool>(name).ok().flatten();
    value.copied().unwrap_or(false)
}

fn unknown_message(what: &str, word: &str, suggestion: Option<&str>, help: &str) -> String {
    let shown = Text::from(word);
    match suggestion {
        Some(suggestion) => format!("unknown {what} '{shown}': did you mean {suggestion}?"),
        None => format!("unknown {what} '{shown}'; '{help}' lists what there is"),
    }
}

/// The parser's error as one line: what, where, the nearest valid word.
fn usage_error(error: &Error, named: Option<&str>) -> UsageError {
    let context = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let argument = context(ContextKind::InvalidArg).unwrap_or_default();
    let shown = Text::from(argument.as_str());
    let text = match error.kind() {
        ErrorKind::UnknownArgument => {
            if let Some(usage) = unused_flags::misplaced_flag(&argument, named) {
                return usage;
            }
            let suggestion = context(ContextKind::SuggestedArg);
            let help = match named {
                Some(command) => format!("tcplens help {command}"),
                None => "tcplens help".to_owned(),
            };
            unknown_message("flag", &argument, suggestion.as_deref(), &help)
        }
        ErrorKind::InvalidValue => {
            let value = context(ContextKind::InvalidValue).unwrap_or_default();
            let valid = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(valid)) => valid.join(", "),
                _ => String::new(),
            };
            if value.is_empty() && valid.is_empty() {
                format!("{shown}: a value is missing")
            } else if value.is_empty() {
                format!("{shown}: a value is missing; valid are {valid}")
            } else {
                let value = Text::from(value.as_str());
                format!("{shown}: '{value}' is not one of {valid}")
            }
        }
        ErrorKind::ArgumentConflict => format!("{shown} was given twice, or with what excludes it"),
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            let suggestion = context(ContextKind::SuggestedSubcommand);
            unknown_message("command", &word, suggestion.as_deref(), "tcplens --help")
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "a command is missing behind it: config path, show or init; baseline save FILE"
                .to_owned()
        }
        ErrorKind::MissingRequiredArgument => format!("{shown} is missing"),
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => {
            let whole = error.to_string();
            let first = whole.lines().next().unwrap_or_default();
            Text::from(first.trim_start_matches("error: ")).to_string()
        }
    };
    UsageError(text)
}

#[cfg(test)]
mod tests;
