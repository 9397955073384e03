//! What is typed wrong is answered in a line that helps, and a reader that goes
//! away is no error.

use libtest_mimic::Failed;
use std::io::pipe;
use std::process::{Command, Output, Stdio};

fn tcplens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcplens"));
    command.args(arguments).stdin(Stdio::null());
    // Not the settings of who runs the tests.
    command.env("XDG_CONFIG_HOME", "/nowhere/at/all");
    command
}

fn run(arguments: &[&str]) -> Result<Output, Failed> {
    Ok(tcplens(arguments).output()?)
}

/// Arguments, what the answer must say, and whether it shows a filter with
/// carets below.
const MISTAKES: [(&[&str], &[&str], bool); 18] = [
    (
        &["list", "state", "syn-snet"],
        &["syn-snet", "syn_sent"],
        true,
    ),
    (&["list", "state:lissen"], &["lissen", "listen"], true),
    (&["list", "port:70000"], &["70000", "65535"], true),
    (&["list", "dport", "=", ":99999"], &["99999", "65535"], true),
    (&["list", "tcp and ("], &["`(`", "at the end"], true),
    (
        &["list", "state established and"],
        &["and", "at the end"],
        true,
    ),
    (&["list", "proces:nginx"], &["proces", "process"], true),
    (&["state", "syn-snet"], &["syn-snet", "syn_sent"], true),
    (&["list", "--jsno"], &["--jsno", "--json"], false),
    (&["--numerc"], &["--numerc", "--numeric"], false),
    (
        &["list", "--columns", "pid,proces"],
        &["proces", "process"],
        false,
    ),
    (&["list", "--sort", "satte"], &["satte", "state"], false),
    (&["list", "--source", "procc"], &["procc", "proc"], false),
    (&["list", "--format", "jsn"], &["jsn", "json"], false),
    (&["explain", "SYN_SNET"], &["SYN_SNET", "SYN_SENT"], false),
    (&["explain", "listne"], &["listne", "LISTEN"], false),
    (&["explain", "port:70000"], &["70000", "65535"], true),
    (&["list", "--source"], &["--source", "sock-diag"], false),
];

pub(crate) fn is_answered_in_a_line() -> Result<(), Failed> {
    for (arguments, expected, is_filter) in MISTAKES {
        let output = run(arguments)?;
        let said = String::from_utf8(output.stderr)?;
        let context = format!("{arguments:?}:\n{said}");
        if output.status.code() != Some(2) || !output.stdout.is_empty() {
            return Err(format!("{} {context}", output.status).into());
        }
        let lines: Vec<&str> = said.lines().collect();
        let (told, picture) = lines.split_first().ok_or("nothing is said")?;
        if !told.starts_with("tcplens: ") || !expected.iter().all(|part| told.contains(part)) {
            return Err(format!("does not say {expected:?}: {context}").into());
        }
        let well_drawn = match picture {
            [] => !is_filter,
            [_, carets] => is_filter && carets.trim().chars().all(|caret| caret == '^'),
            _ => false,
        };
        if !well_drawn {
            return Err(format!("lines: {context}").into());
        }
    }
    println!("{} mistakes answered", MISTAKES.len());
    Ok(())
}

/// Wrong lines of `check`, and one of another command that only mentions it: a
/// monitoring system takes 2 for an alarm, so that errors of a check are 3, wherever
/// its flags stand.
const CHECKS: [(&str, i32, &str); 17] = [
    (
        "--baseline /nowhere/b.json check --for 1s",
        3,
        "/nowhere/b.json",
    ),
    (
        "check --baseline /nowhere/b.json --for 1s",
        3,
        "/nowhere/b.json",
    ),
    (
        "--config /nowhere/c.toml check --for 1s",
        3,
        "/nowhere/c.toml",
    ),
    ("--baseline check check --onelin", 3, "--oneline"),
    ("--bad check", 3, "--bad"),
    ("-ti check --bad", 3, "--bad"),
    ("check --bad", 3, "--bad"),
    ("check --for never", 3, "between 1s and 24h"),
    ("--for 1s check", 3, "--for belongs behind check"),
    (
        "--interval garbage check",
        3,
        "check does not use --interval",
    ),
    ("--no-mouse check", 3, "check does not use --no-mouse"),
    ("check --yes", 3, "check does not use --yes"),
    ("-t check", 3, "every socket"),
    ("check --fail-on severe", 3, "warn"),
    ("check --source nowhere", 3, "sock-diag"),
    ("list --columns check", 2, "check"),
    ("--baseline check list", 2, "list does not use --baseline"),
];

pub(crate) fn of_a_check_is_unknown_and_not_critical() -> Result<(), Failed> {
    for (words, code, expected) in CHECKS {
        let arguments: Vec<&str> = words.split(' ').collect();
        let output = run(&arguments)?;
        let said = String::from_utf8(output.stderr)?;
        println!("$ tcplens {words}\n{said}exit {:?}", output.status.code());
        if output.status.code() != Some(code) || !said.contains(expected) {
            return Err(format!("{words}: not {code} with {expected:?}").into());
        }
        if !output.stdout.is_empty() {
            return Err(format!("{words}: something on stdout").into());
        }
    }
    Ok(())
}

/// No row is an answer, too: for scripts it is another exit code.
pub(crate) fn that_matches_nothing_exits_1() -> Result<(), Failed> {
    let filter = "process:no-such-program-anywhere";
    for format in ["table", "json"] {
        let output = run(&["list", "--format", format, filter])?;
        if output.status.code() != Some(1) {
            return Err(format!("{format}: {output:?}").into());
        }
        if format == "json" {
            let listing: serde_json::Value = serde_json::from_slice(&output.stdout)?;
            if listing["sockets"] != serde_json::json!([]) {
                return Err("rows that match nothing".into());
            }
        }
    }
    let output = run(&["explain", filter])?;
    if output.status.code() != Some(1) || !output.stdout.is_empty() {
        return Err(format!("explain: {output:?}").into());
    }
    Ok(())
}

/// As in `tcplens list | head -0`: everything is written to a pipe that nobody
/// reads any more.
pub(crate) fn of_a_closed_pipe_is_quiet() -> Result<(), Failed> {
    let whole: [&[&str]; 5] = [
        &["list"],
        &["list", "--json"],
        &["explain", "all"],
        &["--help"],
        &["--version"],
    ];
    for arguments in whole {
        let (reader, writer) = pipe()?;
        drop(reader);
        let output = tcplens(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()?
            .wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(0) || said.contains("tcplens:") {
            return Err(format!("{arguments:?}: {} {said}", output.status).into());
        }
    }
    Ok(())
}
