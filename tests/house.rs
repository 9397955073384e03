//! The walls of the house: which room may import which, and what may be
//! touched where. Import cycles arrive as conveniences; this test is the wall.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it may import besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("source", &["model"]),
    ("control", &["model"]),
    ("lab", &["model"]),
    ("privilege", &["model"]),
    ("filter", &["model"]),
    ("monitor", &["model", "filter"]),
    ("listing", &["model", "filter", "monitor", "explain"]),
    ("explain", &["model", "filter", "monitor"]),
    ("app", &["model", "filter", "monitor", "listing", "explain"]),
    (
        "report",
        &["model", "filter", "monitor", "listing", "explain"],
    ),
    (
        "view",
        &["model", "filter", "monitor", "listing", "explain", "app"],
    ),
    (
        "config",
        &["model", "filter", "monitor", "listing", "explain"],
    ),
    ("cli", EVERY_ROOM),
    ("run", EVERY_ROOM),
    ("main", EVERY_ROOM),
    ("lib", EVERY_ROOM),
    // Compiled for tests and fuzzing only.
    ("fuzzing", EVERY_ROOM),
];

const EVERY_ROOM: &[&str] = &[
    "model",
    "source",
    "control",
    "lab",
    "filter",
    "monitor",
    "listing",
    "explain",
    "app",
    "report",
    "view",
    "config",
    "cli",
    "run",
    "privilege",
];

/// Words in the code, and the rooms in which they may stand.
const RESTRICTED: &[(&str, &[&str])] = &[
    ("ratatui::", &["view", "run"]),
    ("crossterm::", &["run"]),
    ("procfs::", &["source", "control"]),
    ("sysinfo::", &["source"]),
    ("nix::", &["source", "lab"]),
    ("smoltcp::", &["lab"]),
    (
        "rustix::",
        &["source", "control", "lab", "privilege", "run", "config"],
    ),
    ("clap::", &["cli"]),
    ("signal_hook::", &["run"]),
    ("libc::", &["privilege"]),
    ("seccompiler::", &["privilege"]),
    ("pidfd_send_signal", &["control"]),
    // Which may close connections.
    ("netlink::", &["source", "control", "lab"]),
    ("kill_process", &["control"]),
    ("SystemTime", &["source", "run", "cli"]),
    ("Instant::now", &["source", "control", "lab", "run"]),
    (
        "std::fs",
        &["source", "control", "lab", "privilege", "run", "config"],
    ),
    ("File::open", &["source", "control", "run", "config"]),
    ("std::env", &["cli", "run", "main"]),
    ("env::var", &["cli", "run", "main"]),
    ("std::thread", &["source", "control", "run"]),
    ("unshare", &["lab"]),
    ("set_capabilities", &["privilege"]),
    // Only there may anything be started or connected. In `cli` it is clap's.
    ("Command::new", &["lab", "cli"]),
    ("process::Command", &["lab"]),
    // Mounting, which only tracing needs.
    ("fsmount", &["source"]),
    ("move_into_link_name_space", &["source"]),
    ("TcpStream", &["lab"]),
    ("TcpListener", &["lab"]),
    ("UdpSocket", &["lab"]),
];

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The room a file belongs to: the first folder or file name below `src`.
fn room(path: &Path) -> String {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .unwrap();
    let first = below.components().next().unwrap();
    let name = Path::new(first.as_os_str()).file_stem().unwrap();
    name.to_str().unwrap().to_owned()
}

/// The code of a file: without its tests, which may look anywhere, and
/// without comments. Tests stand at the end of a file, in `mod tests`, or in a
/// file of that name.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod tests {").next();
    shipped
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The rooms named after `crate::` in a piece of code, also within braces.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for character in list.chars() {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(character),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(rest.to_owned());
        }
    }
    found
        .iter()
        .map(|name| {
            name.trim()
                .chars()
                .take_while(|character| character.is_alphanumeric() || *character == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether a word stands in the code as a whole word at its beginning.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(place, _)| {
        !code[..place]
            .chars()
            .next_back()
            .is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

#[test]
fn arrows_only_go_down() {
    let mut wrong = Vec::new();
    for path in sources() {
        let room = room(&path);
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: no room `{room}` is planned", path.display()));
            continue;
        };
        for import in imports(&code(&fs::read_to_string(&path).unwrap())) {
            if import != room && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{}: {room} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_world_is_touched_only_where_planned() {
    let mut wrong = Vec::new();
    for path in sources() {
        if path.ends_with("tests.rs") {
            continue;
        }
        let room = room(&path);
        let code = code(&fs::read_to_string(&path).unwrap());
        for (word, rooms) in RESTRICTED {
            if mentions(&code, word) && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{}: `{word}` in {room}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_why_it_exists() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no head", path.display());
    }
}

/// Their suites list their tests, so that one which cannot run is ignored with its
/// reason: an attribute there would be passed over in silence.
#[test]
fn suites_with_a_list_have_no_attributes() {
    for suite in ["live", "terminal", "scenarios"] {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut paths = vec![tests.join(suite).with_extension("rs")];
        for entry in fs::read_dir(tests.join(suite)).unwrap() {
            paths.push(entry.unwrap().path());
        }
        for path in paths
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        {
            let text = fs::read_to_string(path).unwrap();
            assert!(!text.contains("#[test]"), "{}: list it", path.display());
        }
    }
}

/// Two doors that the other tests would not see.
#[test]
fn imports_are_written_so_that_the_walls_can_see_them() {
    for path in sources() {
        let code = code(&fs::read_to_string(&path).unwrap());
        assert!(!code.contains("use std::{"), "{}", path.display());
        let is_room = path.parent().is_some_and(|folder| folder.ends_with("src"));
        assert!(!is_room || !code.contains("super::"), "{}", path.display());
    }
}

#[test]
fn the_walls_would_hold() {
    assert_eq!(imports("use crate::view::table;"), ["view"]);
    assert_eq!(
        imports("use crate::{app::{App, keys}, view};"),
        ["app", "view"]
    );
    assert_eq!(imports("let x = crate::run::go();"), ["run"]);
    assert!(mentions("use nix::x;", "nix::") && !mentions("os::unix::x", "nix::"));
    assert!(!code("fn a() {}\n#[cfg(test)]\nmod tests { use crate::view; }").contains("view"));
}
