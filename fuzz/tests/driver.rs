//! The driver finds faults that were planted, prints their inputs, and plays them again.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::process::{Command, Output};

fn driver(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tcplens-fuzz"))
        .args(arguments)
        .env("TCPLENS_FUZZ_HANG_MS", "500")
        .output()
        .unwrap()
}

fn stdout_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn run(target: &str, artifacts: &Path) -> Output {
    let artifacts = artifacts.to_str().unwrap();
    let inputs = ["--inputs", "1000000", "--artifacts", artifacts];
    driver(&[&["run", target], &inputs[..]].concat())
}

/// The only file that was saved for a target.
fn saved(folder: &Path, target: &str) -> String {
    let mut entries = std::fs::read_dir(folder.join(target)).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none(), "one of each fault");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_planted_panic_is_printed_saved_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let found = run("planted_panic", folder.path());
    let text = stdout_text(&found);
    assert_eq!(found.status.code(), Some(1), "{text}");
    assert!(text.contains("planted\n"), "{text}");
    assert!(text.contains("b\"header 4294967296body\\n\""), "{text}");
    let file = saved(folder.path(), "planted_panic");
    assert!(
        text.contains(&format!("replay planted_panic {file}")),
        "{text}"
    );
    let replayed = driver(&["replay", "planted_panic", &file]);
    assert_eq!(replayed.status.code(), Some(1));
    assert!(stdout_text(&replayed).contains("planted"));
}

/// Neither can be caught within a process.
#[test]
fn an_abort_and_an_input_without_end_are_found_by_number() {
    for target in ["planted_abort", "planted_hang"] {
        let folder = tempfile::tempdir().unwrap();
        let found = run(target, folder.path());
        assert_eq!(found.status.code(), Some(1), "{}", stdout_text(&found));
        let input = std::fs::read(saved(folder.path(), target)).unwrap();
        assert!(input.starts_with(b"header 4294967296"), "{target}");
        assert!(input.ends_with(b"body\n"), "{target}");
    }
}

#[test]
fn a_clean_run_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = folder.path().to_str().unwrap();
    let found = driver(&[
        "run",
        "session",
        "--inputs",
        "2000",
        "--artifacts",
        artifacts,
    ]);
    assert_eq!(found.status.code(), Some(0), "{}", stdout_text(&found));
    assert!(
        stdout_text(&found).contains("2000"),
        "{}",
        stdout_text(&found)
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    for wrong in [
        &["run"][..],
        &["run", "no_such_target"],
        &["run", "all", "--inputs", "x"],
    ] {
        assert_eq!(driver(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
