//! What the parts cost, at 1,000, 10,000 and 100,000 sockets:
//! `cargo bench --bench ladder`, or one part of it with its name behind `--`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a bench may fail loudly, and says what it is by its name"
)]

#[path = "ladder/listing.rs"]
mod listing;
#[path = "ladder/observe.rs"]
mod observe;
#[path = "ladder/parse.rs"]
mod parse;
#[path = "ladder/read.rs"]
mod read;
#[path = "ladder/render.rs"]
mod render;
#[path = "ladder/world.rs"]
mod world;

/// Numbers of sockets.
const LADDER: [u32; 3] = [1_000, 10_000, 100_000];

fn main() -> std::process::ExitCode {
    // Copies of this program hold the sockets that are read.
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(ended) = tcplens::lab::helper::run_if_helper(&words) {
        return ended;
    }
    read::enter();
    divan::main();
    std::process::ExitCode::SUCCESS
}
