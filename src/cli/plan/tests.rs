//! Arguments of the command line, and their plans.

use super::*;
use crate::model::state::State;

/// The plan of these arguments without a terminal.
pub(super) fn plan_without_terminal(words: &str) -> Result<Plan, UsageError> {
    plan(words, false)
}

fn plan(words: &str, terminal: bool) -> Result<Plan, UsageError> {
    parse_words(words, terminal).map(|asked| asked.plan)
}

pub(super) fn parse_words(words: &str, terminal: bool) -> Result<ParsedCommand, UsageError> {
    let here = TerminalEnvironment {
        terminal,
        ..TerminalEnvironment::default()
    };
    let words = std::iter::once("tcplens").chain(words.split_whitespace());
    parse(words.map(OsString::from), &here)
}

#[test]
fn flags_combine_and_words_are_a_filter() {
    let Ok(Plan::Live(live)) = plan("-tulpn state syn-sent dport = :443", true) else {
        panic!("a live table")
    };
    assert!(live.selection.numeric);
    assert_eq!(live.selection.quick.protocol, None);
    assert_eq!(live.selection.quick.class, Some(StateClass::Listening));
    assert!(!live.selection.filter.is_all());
    let Ok(Plan::List(list)) = plan("-t6 :8080", false) else {
        panic!("no terminal, no command: the plain table")
    };
    assert_eq!(list.selection.quick.protocol, Some(Protocol::Tcp));
    assert_eq!(list.selection.quick.family, Some(IpFamily::Inet6));
}

#[test]
fn flags_of_netstat_and_ss_are_understood() {
    for words in [
        "-tulpen",
        "-tuplanet",
        "-tanpoie",
        "-tunapl",
        "-tlnpOW",
        "list -tanpoie",
        "list -tulpenH",
    ] {
        plan(words, true).unwrap_or_else(|usage| panic!("{words}: {usage}"));
    }
    let list = |words: &str| match plan(words, false) {
        Ok(Plan::List(list)) => list,
        other => panic!("{words}: {other:?}"),
    };
    let plain = list("list");
    assert!(plain.heading && !plain.columns.contains(&Column::Inode));
    assert!(list("list -e").columns.ends_with(&[Column::Inode]));
    assert!(
        list("list -ti")
            .columns
            .ends_with(&[Column::Rtt, Column::Retrans])
    );
    assert!(!list("list -H").heading);
    let columns = list("list --columns pid,inode -e").columns;
    assert_eq!(columns, [Column::Pid, Column::Inode]);
    // Like netstat: -a takes precedence over -l.
    assert_eq!(
        list("list -tl").selection.quick.class,
        Some(StateClass::Listening)
    );
    assert_eq!(list("list -tuplanet").selection.quick.class, None);
}

#[test]
fn misspelled_commands_are_errors_and_help_is_a_command() {
    for (words, meant) in [
        ("lits", "did you mean `list`?"),
        ("kil :80", "did you mean `kill`?"),
        ("ps", "did you mean `list`?"),
        ("-t lsit", "tcplens -- lsit"),
        ("help kil", "did you mean kill?"),
        ("help filer", "did you mean filter?"),
        (":80 list", "`list` is a command and goes first"),
        (
            "state listen and check",
            "tcplens -- state listen and check",
        ),
    ] {
        let usage = plan(words, true).map(|_| ()).unwrap_err().to_string();
        assert!(usage.contains(meant), "{words}: {usage}");
        assert_eq!(usage.lines().count(), 1, "{usage}");
    }
    for words in [
        "-- lits",
        "nginx",
        "listen",
        "process nginx",
        "process list",
        "\"lits\"",
        "-- :80 list",
    ] {
        assert!(matches!(plan(words, true), Ok(Plan::Live(_))), "{words}");
    }
    for words in ["help filter", "help filters"] {
        let planned = plan(words, true);
        assert!(matches!(planned, Ok(Plan::Explain(Topic::Filters, false))));
    }
    for (words, part) in [
        ("help", "Usage: tcplens"),
        ("help kill", "--signal"),
        ("version", "tcplens 0."),
    ] {
        let Ok(Plan::Print(text)) = plan(words, true) else {
            panic!("{words}")
        };
        assert!(text.contains(part), "{words}: {text}");
    }
}

#[test]
fn a_risk_is_only_taken_when_it_is_asked_for() {
    let cases = [
        ("", PidfdFallback::Refuse),
        ("--allow-racy-kill :80", PidfdFallback::UsePid),
    ];
    for (words, expected) in cases {
        let Ok(Plan::Live(live)) = plan(words, true) else {
            panic!("a live table")
        };
        assert_eq!(live.pidfd_fallback, expected, "{words}");
    }
}

#[test]
fn subcommands_win_over_filter_words() {
    assert!(matches!(plan("list --json", true), Ok(Plan::List(_))));
    assert!(matches!(plan("-n list -t", true), Ok(Plan::List(_))));
    assert!(matches!(plan("-- list", true), Ok(Plan::Live(_))));
    assert!(matches!(
        plan("explain syn-sent", true),
        Ok(Plan::Explain(Topic::State(State::SynSent), false))
    ));
    assert!(matches!(
        plan("explain all", true),
        Ok(Plan::Explain(Topic::All, false))
    ));
    assert!(matches!(plan("--help", true), Ok(Plan::Print(_))));
    assert!(matches!(plan("--version", false), Ok(Plan::Print(_))));
}

#[test]
fn the_lab_is_filled_and_watched_like_anything_else() {
    let Ok(Plan::Lab(contents, watch)) = plan("lab -np state:closing", true) else {
        panic!("a lab")
    };
    assert_eq!(
        contents,
        LabContents::Session(LabMode::States, DeviceChoice::Auto)
    );
    let lessons = [
        (
            "lab --tour",
            LabContents::Session(LabMode::Tour, DeviceChoice::Auto),
        ),
        (
            "lab --everything",
            LabContents::Everything(DeviceChoice::Auto),
        ),
    ];
    for (words, expected) in lessons {
        let planned = plan(words, true);
        assert!(
            matches!(planned, Ok(Plan::Lab(contents, _)) if contents == expected),
            "{words}"
        );
    }
    assert!(plan("lab --tour --everything", true).is_err());
    assert!(matches!(*watch, Plan::Live(live) if live.selection.numeric));
    for words in ["lab --json", "lab -t"] {
        let planned = plan(words, words.contains("json"));
        assert!(
            matches!(planned, Ok(Plan::Lab(_, watch)) if matches!(*watch, Plan::List(_))),
            "{words}"
        );
    }
    let cases = [
        ("lab --sockets 100000 --processes 200", (100_000, 200)),
        ("lab --sockets 2000", (2000, 5)),
    ];
    for (words, (sockets, processes)) in cases {
        let mix = LoadSize {
            sockets,
            processes: NonZeroU32::new(processes).unwrap(),
        };
        let Ok(Plan::Lab(contents, _)) = plan(words, true) else {
            panic!("{words}")
        };
        assert_eq!(contents, LabContents::Carry(mix));
    }
}

#[test]
fn mistakes_are_one_line_with_the_nearest_word() {
    let cases = [
        ("--jsno list", "--json"),
        ("--numerc", "--numeric"),
        ("list --jsn", "--json"),
        ("list --sort satte", "state"),
        ("list --columns pid,proces", "process"),
        ("--source procc", "sock-diag"),
        ("--interval 5parsecs", "500ms"),
        ("--interval 0", "100ms"),
        ("explain SYN_SNET", "SYN_SENT"),
        ("state syn-snet", "syn"),
        ("port:70000", "65535"),
        ("list --source", "proc"),
        ("lab --sockets 3", "1000000"),
        ("lab --sockets many", "many"),
        ("lab --processes 3", "--sockets"),
        ("lab --sokets 300", "--sockets"),
    ];
    for (words, expected) in cases {
        let usage = plan(words, true).map(|_| ()).unwrap_err().to_string();
        assert!(usage.contains(expected), "{words}: {usage}");
        let lines = usage.lines().count();
        assert!(lines == 1 || usage.starts_with("filter:"), "{usage}");
    }
}

#[test]
fn what_a_list_does_not_need_is_checked_all_the_same() {
    for words in ["--interval abc", "-i 5parsecs", "--interval 0", "lab -i 0"] {
        let usage = plan_without_terminal(words)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(usage.contains("--interval"), "{words}: {usage}");
    }
}
