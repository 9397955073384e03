//! tcplens beside the tools that do the same, on the same sockets:
//! `cargo bench --bench rivals`, with `-- --sizes 10000,100000 --runs 5` for
//! other loads.
//!
//! The load is real: established TCP (5 % IPv6) with 2 % half-closed, 2 % in
//! `SYN_SENT`, 5 % UDP and two listeners a process, in a private network
//! namespace. Each tool that is installed prints one snapshot with owners into
//! nothing, as a whole process, in turn with tcplens; what is told is the
//! median, and the median of the ratios run by run.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench may fail loudly and must speak"
)]

#[path = "rivals/report.rs"]
mod report;
#[path = "rivals/run.rs"]
mod run;

use run::Run;
use std::num::NonZeroU32;
use std::process::ExitCode;
use tcplens::lab::load::{Load, LoadSize};
use tcplens::lab::namespace::LabNamespace;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tcplens");

/// Snapshot commands: of tcplens, and of who is compared with it.
struct Duel {
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
}

const LIST: &[&str] = &[PROGRAM, "list"];
const JSON: &[&str] = &[PROGRAM, "list", "--json"];

const DUELS: [Duel; 5] = [
    Duel {
        ours: LIST,
        theirs: &["ss", "-tuanp"],
    },
    Duel {
        ours: LIST,
        theirs: &["netstat", "-tuanp"],
    },
    Duel {
        ours: LIST,
        theirs: &["lsof", "-nP", "-i"],
    },
    Duel {
        ours: JSON,
        theirs: &["somo", "--json"],
    },
    Duel {
        ours: JSON,
        theirs: &["netls", "--json"],
    },
];

/// What to measure.
struct Plan {
    sizes: Vec<u32>,
    runs: usize,
}

impl Plan {
    /// Words that are not understood are cargo's own.
    fn of(words: impl Iterator<Item = String>) -> Self {
        let words: Vec<String> = words.collect();
        let after = |name: &str| {
            let place = words.iter().position(|word| word == name)?;
            words.get(place + 1)
        };
        let number = |word: &str| word.parse().unwrap();
        Self {
            sizes: after("--sizes").map_or_else(
                || vec![1_000, 10_000, 100_000],
                |list| list.split(',').map(number).collect(),
            ),
            runs: after("--runs").map_or(5, |word| word.parse().unwrap()),
        }
    }
}

/// As on real machines: more sockets are in more processes, but not as many
/// more.
fn processes(sockets: u32) -> NonZeroU32 {
    let count = match sockets {
        0..5_000 => sockets / 100,
        5_000..50_000 => sockets / 200,
        _ => sockets / 500,
    };
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

fn main() -> ExitCode {
    // Copies of this program hold the sockets, and start what is measured.
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(ended) = tcplens::lab::helper::run_if_helper(&words) {
        return ended;
    }
    if let Some(ended) = run::play(std::env::args().skip(1)) {
        return ended;
    }
    let plan = Plan::of(std::env::args().skip(1));
    let namespace = match LabNamespace::enter() {
        Ok(namespace) => namespace,
        Err(error) => {
            eprintln!("not measured: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{}", report::machine());
    for sockets in plan.sizes {
        measure(&namespace, sockets, plan.runs);
    }
    ExitCode::SUCCESS
}

fn measure(namespace: &LabNamespace, sockets: u32, runs: usize) {
    let mix = LoadSize {
        sockets,
        processes: processes(sockets),
    };
    let load = match Load::start(namespace, mix) {
        Ok(load) => load,
        Err(error) => {
            eprintln!("{sockets} sockets are not measured: {error}");
            return;
        }
    };
    println!(
        "\n{} rows in {} processes, {runs} runs each\n\n{}",
        mix.socket_count(),
        mix.processes,
        report::HEAD
    );
    for duel in DUELS {
        if run::is_installed(duel.theirs) {
            let pairs = fight(&duel, runs);
            println!("{}", report::line(duel.ours, duel.theirs, &pairs));
        } else {
            println!("| {} | not installed |", duel.theirs.join(" "));
        }
    }
    drop(load);
    // What was closed keeps its addresses for a while, and tools list it.
    run::wait_until_empty();
}

/// In turn, after a round that does not count.
fn fight(duel: &Duel, runs: usize) -> Vec<(Run, Run)> {
    (0..=runs)
        .map(|_| (Run::of(duel.ours), Run::of(duel.theirs)))
        .skip(1)
        .collect()
}
