//! Tests inside a private network namespace: whatever is sent in it stays in
//! it.
//!
//! A process with threads cannot enter a user namespace, and this test program
//! has threads. So it starts itself again, and the copy enters the lab's
//! namespace as the first thing it does.

use super::NOBODY;
use libtest_mimic::{Completion, Failed};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;
use tcplens::lab::LabError;
pub(crate) use tcplens::lab::namespace::LabNamespace;

/// The hidden first argument of a copy.
const INSIDE: &str = "--inside-a-namespace";

/// Exit codes of a copy that could not do its test here.
const NO_NAMESPACE: u8 = 77;
const NO_ROOT: u8 = 78;
const NO_TRACE: u8 = 79;
const MISSING: u8 = 80;
const NO_TOOL: u8 = 81;

/// Set where a test that gets no namespace must fail.
const REQUIRED: &str = "TCPLENS_REQUIRE_NAMESPACES";
/// Set where a test that gets no trace of the kernel must fail.
const TRACE_REQUIRED: &str = "TCPLENS_REQUIRE_EVENTS";
/// Set where a test must fail for which another program is missing.
const TOOLS_REQUIRED: &str = "TCPLENS_REQUIRE_TOOLS";
/// Set where tests take their time.
const DEEP: &str = "TCPLENS_DEEP";
/// In a copy that an ordinary user runs: where the program is that it may run.
const PROGRAM: &str = "TCPLENS_TESTED_PROGRAM";

/// Why a test cannot run here.
pub(crate) enum NotHere {
    /// The machine gives no private namespace.
    NoNamespace(String),
    /// It takes processes of two users, which only root can start.
    NoRoot,
    /// The kernel's trace is refused, or not there.
    NoTrace(String),
    /// A part of the kernel is not there, or nothing of what is tested.
    Missing(String),
    /// A program that serves as a witness is not installed.
    NoTool(&'static str),
}

/// A test that runs in a namespace of its own.
pub(crate) type Body = fn(&LabNamespace) -> Result<(), NotHere>;

/// Whether tests take their time.
pub(crate) fn is_deep() -> bool {
    is_set(DEEP)
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value == "1")
}

/// The program that is tested.
pub(crate) fn program() -> PathBuf {
    let here = std::env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_tcplens").into());
    PathBuf::from(here)
}

/// In a copy of the test program: the test to run, and the number of the
/// namespace that the test program is in. None in the test program itself.
pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> Option<(String, u64)> {
    if arguments.next()? != INSIDE {
        return None;
    }
    Some((arguments.next()?, arguments.next()?.parse().ok()?))
}

/// Runs a test in this process, which is a copy.
pub(crate) fn play(body: Body, outside: u64) -> ExitCode {
    let entered = LabNamespace::enter().map_err(|error| match error {
        LabError::NotPrivate(_) => panic!("{error}"),
        refused => NotHere::NoNamespace(refused.to_string()),
    });
    let done = entered.and_then(|namespace| {
        assert_ne!(namespace.id(), outside, "where the test program is");
        body(&namespace)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(NotHere::NoNamespace(reason)) => {
            eprintln!("{reason}");
            ExitCode::from(NO_NAMESPACE)
        }
        Err(NotHere::NoRoot) => {
            eprintln!("only root can start processes of two users");
            ExitCode::from(NO_ROOT)
        }
        Err(NotHere::Missing(what)) => {
            eprintln!("{what}");
            ExitCode::from(MISSING)
        }
        Err(NotHere::NoTrace(reason)) => {
            eprintln!("no trace of the kernel's events: {reason}");
            ExitCode::from(NO_TRACE)
        }
        Err(NotHere::NoTool(name)) => {
            eprintln!("{name} is not installed");
            ExitCode::from(NO_TOOL)
        }
    }
}

/// What a copy has measured, line by line.
pub(crate) type Told = Vec<String>;

/// How a test went that did not fail.
pub(crate) enum Ran {
    /// To its end, with what it has measured.
    Through(Told),
    /// Not at all, for this reason.
    NotHere(String),
}

/// Runs a test in a copy of this program, as this user.
pub(crate) fn run(name: &str) -> Result<Ran, Failed> {
    judge(name, &copy(&std::env::current_exe()?, name)?.output()?)
}

/// Runs a test in a copy of this program, as a user without any privilege.
pub(crate) fn run_as_nobody(name: &str) -> Result<Ran, Failed> {
    if !rustix::process::geteuid().is_root() {
        // This user is as good as any.
        return run(name);
    }
    let folder = tempfile::tempdir()?;
    let tests = where_anybody_may_run_it(&std::env::current_exe()?, folder.path())?;
    let tested = where_anybody_may_run_it(&program(), folder.path())?;
    let mut copy = copy(&tests, name)?;
    copy.env(PROGRAM, tested)
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/");
    judge(name, &copy.output()?)
}

/// Runs a test again and again where tests take their time; what the last one
/// has measured.
pub(crate) fn run_repeatedly(
    name: &str,
    run: impl Fn(&str) -> Result<Ran, Failed>,
) -> Result<Ran, Failed> {
    let times = if is_deep() { 100 } else { 1 };
    let mut told = Told::new();
    for _ in 0..times {
        match run(name)? {
            Ran::Through(latest) => told = latest,
            not_here @ Ran::NotHere(_) => return Ok(not_here),
        }
    }
    told.push(format!("{times} times so"));
    Ok(Ran::Through(told))
}

/// Says what was measured, and how long that took. A test that could not run is
/// ignored, with its reason: it has not passed.
pub(crate) fn complete(name: &str, ran: Ran, began: Instant) -> Completion {
    match ran {
        Ran::Through(told) => {
            for line in told {
                println!("{name}: {line}");
            }
            println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
            Completion::Completed
        }
        Ran::NotHere(reason) => Completion::ignored_with(reason),
    }
}

/// Copies a program into a folder that everybody may look into.
/// Whether the tests themselves run from a folder where anybody may put files:
/// then they are told of as odd programs, and rightly so.
pub(crate) fn run_from_anybodys_folder() -> bool {
    let itself = std::env::current_exe().unwrap_or_default();
    ["/tmp", "/var/tmp", "/dev/shm"]
        .iter()
        .any(|folder| itself.starts_with(folder))
}

pub(crate) fn where_anybody_may_run_it(program: &Path, folder: &Path) -> io::Result<PathBuf> {
    let copy = folder.join(program.file_name().unwrap_or_default());
    fs::copy(program, &copy)?;
    for path in [folder, &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(copy)
}

fn copy(program: &Path, name: &str) -> io::Result<Command> {
    let outside = fs::metadata("/proc/self/ns/net")?.ino();
    let mut command = Command::new(program);
    command
        .args([INSIDE, name, &outside.to_string()])
        .stdin(Stdio::null());
    Ok(command)
}

fn judge(name: &str, output: &Output) -> Result<Ran, Failed> {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => {
            let told = String::from_utf8_lossy(&output.stdout);
            Ok(Ran::Through(told.lines().map(str::to_owned).collect()))
        }
        Some(code)
            if [NO_NAMESPACE, NO_ROOT, NO_TRACE, MISSING, NO_TOOL]
                .map(i32::from)
                .contains(&code) =>
        {
            // No success that anybody should overlook.
            eprintln!("SKIPPED {name}: {said}");
            let needs = [
                (REQUIRED, NO_NAMESPACE),
                (TRACE_REQUIRED, NO_TRACE),
                (TOOLS_REQUIRED, NO_TOOL),
            ];
            for (name, of) in needs {
                if is_set(name) && code == i32::from(of) {
                    return Err(format!("{name} is set, but {said}").into());
                }
            }
            Ok(Ran::NotHere(said))
        }
        _ => {
            let told = String::from_utf8_lossy(&output.stdout);
            Err(format!("{}\n{told}{said}", output.status).into())
        }
    }
}
