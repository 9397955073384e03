//! tcplens: every socket, its owner, its state, and what that state means.
//!
//! # Architecture
//!
//! A source yields readings; a monitor folds them into an observation;
//! everything else only reads observations. The live kernel and the scenarios of
//! the tests, the screen and the reports differ only in the source at one end
//! and the reader at the other.
//!
//! ```text
//!  kernel ─▶ source ─▶ Reading ─▶ monitor ─▶ Arc<Observation> ─┬▶ app ─▶ view ─▶ screen
//!  TOML   ─▶ tests  ─▶ Reading ─▶  (ledger + detect, pure)     └▶ report (table, json, check)
//!  key    ─▶ app.update ─▶ Effect ─▶ run ─▶ control ─▶ Message ─▶ app
//! ```
//!
//! # Layers: imports only go down
//!
//! | layer | modules | may import | touches the OS? |
//! |---|---|---|---|
//! | 6 shell | `main`, [`cli`], [`run`], [`config`] | all (`config`: 0 2 3) | threads, terminal, clock, signals; `config`: its file |
//! | 5 presentation | [`view`], [`report`] | `view`: 0 2 3 4; `report`: 0 2 3 | no: writes to a buffer or a `Write` |
//! | 4 state | [`app`]: state + message → effects | 0 2 3 | no |
//! | 3 queries | [`listing`], [`explain`] | 0 2 (`listing` also `explain`) | no |
//! | 2 history | [`monitor`], [`filter`] | 0 (`monitor` also `filter`) | no |
//! | 1 I/O | [`source`], [`control`], [`lab`], [`privilege`] | 0 | yes: the only modules that do; their parsers are pure |
//! | 0 domain | [`model`] | std, serde | no |
//!
//! Beside the layers, for tests and with the feature `fuzzing` only, `fuzzing` lists
//! every parser of foreign bytes for the package in `fuzz/`.
//!
//! `tests/architecture.rs` holds this table as data and fails on an import that is not
//! in it, on a crate outside its modules, on a clock above layer 1, and on a file
//! without a `//!` head.
//!
//! # Invariants
//!
//! 1. A poll never fails because a process vanished or a file is unreadable: it
//!    returns what it saw and a counted gap (`source::live`, `tests/live.rs`).
//! 2. One bad line loses one line; unknown states survive as numbers
//!    (`source::proc_net`, `source::diag_message`).
//! 3. Everything above layer 1 is deterministic: the same readings and keys in,
//!    the same screen out (`tests/screens.rs`, `tests/scenarios.rs`).
//! 4. Sorting is total and stable; the cursor follows its socket (`listing`,
//!    `app`).
//! 5. Every state, timer, rule, gap and command has its messages; help and footer
//!    list only keys that work (`explain::catalogue`, `app::keys`).
//! 6. No signal leaves without a confirmed, re-verified target, and none
//!    reaches another process than the one shown, unless the user allows the
//!    risk (`control::pidfd`, `control::tests`, `tests/live.rs`).
//! 7. No connection is closed but by its cookie, in our own namespace, and after
//!    the user confirmed it; the request that would take any socket with these
//!    addresses cannot be made (`model::close`, `tests/live/destroy.rs`).
//! 8. No text from outside reaches the terminal but through
//!    [`model::text::Text`].
//! 9. The terminal is restored on quit, error, panic in any thread, SIGTSTP and
//!    every signal from outside that ends the program and can be caught, and
//!    taken again on SIGCONT in the foreground only (`tests/terminal.rs`). No
//!    bytes, no resize and no silence keep a key from being handled
//!    (`run::input`, `tests/terminal/input.rs`).
//! 10. A default run opens no network connection of its own (NSS for user names
//!     excepted, `-n` turns it off) and executes nothing, which a seccomp filter
//!     enforces outside the lab (`privilege::seccomp`, `tests/terminal/execution.rs`).
//!     Only [`lab`] sends, and only with the proof of being in a namespace of its
//!     own ([`lab::namespace::LabNamespace`]).

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod explain;
pub mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod lab;
pub mod listing;
pub mod model;
pub mod monitor;
pub mod privilege;
pub mod report;
pub mod run;
pub mod source;
pub mod view;
