//! What pages promise of the tests is true: each test they name is there.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::Path;

/// All Rust code of the repository.
fn code(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            code(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The words in backticks that may name a test or a fuzz target: those in the second
/// column of a table.
fn named(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let columns = rows.filter_map(|row| row.split('|').nth(2));
    let words = columns.flat_map(|column| column.split('`').skip(1).step_by(2));
    let is_name = |word: &&str| word.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    words.filter(is_name).collect()
}

#[test]
fn tests_named_in_pages_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    for folder in ["src", "tests", "fuzz"] {
        code(&root.join(folder), &mut all);
    }
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let names = named(&page);
    assert!(names.len() > 40, "{names:?}");
    let missing: Vec<&str> = names
        .into_iter()
        .filter(|name| {
            !all.contains(&format!("fn {name}(")) && !all.contains(&format!("\"{name}\""))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
    assert!(
        !all.contains(concat!("fn ", "no_such_test(")),
        "this test can fail"
    );
}
