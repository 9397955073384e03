//! The dependency rules of the crate: layers, crates and clocks by module, no import
//! cycles, no type name declared twice, a head for every file. Import cycles arrive as
//! conveniences; this test keeps them out.
//!
//! `cargo test --test architecture -- --nocapture` prints the structure; with
//! `TCPLENS_IMPORTS=1` also the imports within cycles.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "architecture/crate_files.rs"]
mod crate_files;
#[path = "architecture/cycles.rs"]
mod cycles;
#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/types.rs"]
mod types;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate_files::{SourceFile, code};

/// Layers from the bottom; a module may import those of lower layers.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &["model"]),
    ("edges", &["source", "control", "lab", "privilege"]),
    ("history", &["filter", "monitor"]),
    ("queries", &["explain", "listing"]),
    ("state", &["app"]),
    ("presentation", &["view", "report"]),
    ("shell", &["config", "run", "cli", "lib", "main"]),
    // Compiled for tests and fuzzing only.
    ("fuzzing", &["fuzzing"]),
];

/// Imports within a layer.
const BESIDE: &[(&str, &[&str])] = &[
    ("monitor", &["filter"]),
    ("listing", &["explain"]),
    ("run", &["config"]),
    ("cli", &["run", "config"]),
    ("lib", &["run", "cli", "config"]),
    ("main", &["run", "cli", "config"]),
];

/// Modules that import nothing of the layers named, though these lie below.
const NOT: &[(&str, &[&str])] = &[
    ("filter", &["edges"]),
    ("monitor", &["edges"]),
    ("explain", &["edges"]),
    ("listing", &["edges"]),
    ("app", &["edges"]),
    ("view", &["edges"]),
    ("report", &["edges", "state"]),
    ("config", &["edges", "state", "presentation"]),
];

/// Groups of files that still use each other, by their first file and the number of
/// files. The list only shrinks.
const KNOWN_CYCLES: &[(&str, usize)] = &[
    ("view/capabilities_page.rs", 27),
    ("app/close_connection.rs", 15),
    ("lab/fd_holder.rs", 11),
    ("cli/execute.rs", 9),
    ("model/baseline.rs", 8),
    ("config/diagnostics.rs", 6),
    ("run/action_worker.rs", 6),
    ("filter/compiled.rs", 4),
    ("report/json/entry.rs", 4),
    ("run/command/kill.rs", 3),
    ("explain/port/text.rs", 2),
    ("lab/device.rs", 2),
    ("monitor/detect/local_ports/per_address.rs", 2),
    ("monitor/ledger/missing.rs", 2),
    ("monitor/row_groups.rs", 2),
    ("run/command/decision.rs", 2),
    ("run/input/decoder.rs", 2),
    ("source/diag_info.rs", 2),
    ("source/owners/budget.rs", 2),
    ("source/sock_diag.rs", 2),
];

/// Type names that are still declared more than once. The list only shrinks.
const KNOWN_TWICE: &[&str] = &[];

/// Words in the code, and the modules in which they may stand.
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

/// The modules named after `crate::` in a piece of code, also within braces.
fn modules_imported(code: &str) -> Vec<String> {
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

/// True if the code has the word, not as the end of a longer one.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(place, _)| {
        !code[..place]
            .chars()
            .next_back()
            .is_some_and(|before| before.is_alphanumeric() || before == '_')
    })
}

/// True if the layers let one module import another.
fn may_import(from: &str, to: &str) -> bool {
    let layer = |module: &str| {
        LAYERS
            .iter()
            .position(|(_, modules)| modules.contains(&module))
    };
    let (Some(lower), Some(upper)) = (layer(to), layer(from)) else {
        return false;
    };
    let listed = |table: &[(&str, &[&str])], what: &str| {
        table
            .iter()
            .any(|(module, others)| *module == from && others.contains(&what))
    };
    (lower < upper && !listed(NOT, LAYERS[lower].0)) || (lower == upper && listed(BESIDE, to))
}

#[test]
fn imports_only_go_down() {
    let mut wrong = Vec::new();
    for file in crate_files::read() {
        let module = file.top_module();
        for import in modules_imported(&code(&file.text)) {
            if import != module && !may_import(&module, &import) {
                wrong.push(format!(
                    "{}: {module} imports {import}",
                    file.path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_system_is_touched_only_where_planned() {
    let mut wrong = Vec::new();
    for file in crate_files::read().iter().filter(|file| !file.is_test) {
        let module = file.top_module();
        let code = code(&file.text);
        for (word, modules) in RESTRICTED {
            if mentions(&code, word) && !modules.contains(&module.as_str()) {
                wrong.push(format!("{}: `{word}` in {module}", file.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_why_it_exists() {
    for file in crate_files::read() {
        let head = file.text.starts_with("//!");
        assert!(head, "{} has no head", file.path.display());
    }
}

#[test]
fn no_files_use_each_other() {
    let found = named_cycles(crate_files::read());
    let mut wrong = Vec::new();
    for group in &found {
        let known = KNOWN_CYCLES.iter().find(|(first, _)| *first == group[0]);
        if known.is_none_or(|(_, count)| group.len() > *count) {
            wrong.push(format!("{} files: {}", group.len(), group.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (first, count) in KNOWN_CYCLES {
        let still = found.iter().find(|group| group[0] == *first);
        let len = still.map_or(0, Vec::len);
        assert_eq!(len, *count, "lower the number of `{first}` in KNOWN_CYCLES");
    }
}

#[test]
fn no_type_name_is_declared_twice() {
    let twice = declared_twice(crate_files::read());
    for (name, places) in &twice {
        let known = KNOWN_TWICE.contains(&name.as_str());
        assert!(known, "`{name}` is declared in {}", places.join(" "));
    }
    for name in KNOWN_TWICE {
        let still = twice.contains_key(*name);
        assert!(still, "take `{name}` out of KNOWN_TWICE");
    }
}

#[test]
fn structure_is_printed() {
    let files = crate_files::read();
    let mut modules: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_test) {
        let (count, lines) = modules.entry(file.top_module()).or_default();
        *count += 1;
        *lines += file.code_lines();
    }
    println!("{:<12} {:>5} {:>7}", "module", "files", "code");
    for (module, (count, lines)) in &modules {
        println!("{module:<12} {count:>5} {lines:>7}");
    }
    let total: usize = modules.values().map(|(_, lines)| lines).sum();
    println!("{:<12} {:>5} {total:>7}", "all", files.len());
    let cycles = named_cycles(files);
    println!("cycles: {}", cycles.len());
    for group in &cycles {
        println!("  {}: {}", group.len(), group.join(" "));
    }
    if std::env::var_os("TCPLENS_IMPORTS").is_some() {
        print_imports_within(files, &cycles);
    }
    let declared = types::declared(files);
    println!("type names: {}", declared.len());
    let twice = declared_twice(files);
    println!("declared more than once: {}", twice.len());
    for (name, places) in &twice {
        println!("  {name}: {}", places.join(" "));
    }
    let mut long: Vec<(usize, String)> = files
        .iter()
        .filter(|file| !file.is_test && file.code_lines() > 400)
        .map(|file| (file.code_lines(), file.path.display().to_string()))
        .collect();
    long.sort();
    println!("files of more than 400 lines of code: {long:?}");
}

/// Prints each import from one file of a group to another: those that make the cycle.
#[allow(clippy::print_stdout, reason = "it is asked for")]
fn print_imports_within(files: &[SourceFile], cycles: &[Vec<String>]) {
    let path = |index: usize| files[index].path.display().to_string();
    for (from, used) in imports::graph(files).iter().enumerate() {
        let Some(group) = cycles.iter().find(|group| group.contains(&path(from))) else {
            continue;
        };
        for to in used.iter().filter(|to| group.contains(&path(**to))) {
            println!("  {} -> {}", path(from), path(*to));
        }
    }
}

/// Groups of files that use each other, by their paths.
fn named_cycles(files: &[SourceFile]) -> Vec<Vec<String>> {
    cycles::find(&imports::graph(files))
        .into_iter()
        .map(|group| {
            group
                .into_iter()
                .map(|index| files[index].path.display().to_string())
                .collect()
        })
        .collect()
}

/// Type names with more than one declaration, and where.
fn declared_twice(files: &[SourceFile]) -> BTreeMap<String, Vec<String>> {
    let mut declared = types::declared(files);
    declared.retain(|_, places| places.len() > 1);
    declared
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

/// What the other tests would not see.
#[test]
fn imports_are_written_so_that_the_rules_can_see_them() {
    for file in crate_files::read() {
        let code = code(&file.text);
        assert!(!code.contains("use std::{"), "{}", file.path.display());
        let is_top = file.path.components().count() == 1;
        assert!(
            !is_top || !code.contains("super::"),
            "{}",
            file.path.display()
        );
    }
}

#[test]
fn the_rules_would_hold() {
    assert_eq!(modules_imported("use crate::view::table;"), ["view"]);
    assert_eq!(
        modules_imported("use crate::{app::{App, keys}, view};"),
        ["app", "view"]
    );
    assert_eq!(modules_imported("let x = crate::run::go();"), ["run"]);
    assert!(mentions("use nix::x;", "nix::") && !mentions("os::unix::x", "nix::"));
    assert!(!code("fn a() {}\n#[cfg(test)]\nmod tests { use crate::view; }").contains("view"));
    assert!(may_import("view", "app") && !may_import("app", "view"));
    assert!(!may_import("view", "source") && !may_import("run", "cli"));
    let graph = [vec![1], vec![2], vec![0], vec![0], vec![4]];
    let graph: Vec<_> = graph
        .into_iter()
        .map(|to| to.into_iter().collect())
        .collect();
    assert_eq!(cycles::find(&graph[..4]), [vec![0, 1, 2]]);
}
