//! The program and its library against this machine's kernel: real sockets,
//! real processes, and independent witnesses.
//!
//! Tests that send anything do so in a private network namespace, which a copy
//! of this program enters (see `live/namespace.rs`); hence no ordinary harness.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may fail loudly and say what it measured"
)]
#![allow(
    clippy::unnecessary_wraps,
    reason = "tests that never skip have the form of those that may"
)]

#[path = "live/absences.rs"]
mod absences;
#[path = "live/bad_input.rs"]
mod bad_input;
#[path = "live/details.rs"]
mod details;
#[path = "live/differential.rs"]
mod differential;
#[path = "live/ending.rs"]
mod ending;
#[path = "live/flood.rs"]
mod flood;
#[path = "live/namespace.rs"]
mod namespace;
#[path = "live/oracle.rs"]
mod oracle;
#[path = "live/parked.rs"]
mod parked;
#[path = "live/patience.rs"]
mod patience;
#[path = "live/rtnetlink.rs"]
mod rtnetlink;
#[path = "live/segment.rs"]
mod segment;
#[path = "live/session.rs"]
mod session;
#[path = "live/table.rs"]
mod table;
#[path = "live/unprivileged.rs"]
mod unprivileged;
#[path = "live/watch.rs"]
mod watch;
#[path = "live/witness.rs"]
mod witness;

use libtest_mimic::{Arguments, Failed, Trial};
use namespace::Body;
use std::process::ExitCode;

/// Each in a namespace of its own.
const INSIDE: [(&str, Body); 12] = [
    ("list_agrees_row_by_row", differential::agrees_row_by_row),
    (
        "list_says_why_nobody_holds_a_row",
        differential::says_why_nobody_holds_it,
    ),
    (
        "absences_are_settled_by_exact_questions",
        absences::are_settled_by_exact_questions,
    ),
    (
        "absences_of_shared_ports_name_the_right_one",
        absences::of_shared_ports_name_the_right_one,
    ),
    ("details_agree_with_ss", details::agree_with_ss),
    (
        "rates_are_those_of_what_was_sent",
        details::rates_are_those_of_what_was_sent,
    ),
    (
        "the_parser_agrees_with_the_procfs_crate",
        oracle::parses_like_the_procfs_crate,
    ),
    (
        "a_session_is_followed_through_its_states",
        session::is_followed_through_its_states,
    ),
    (
        "ending_is_refused_for_who_must_not_be_ended",
        ending::is_refused_for_who_must_not_be_ended,
    ),
    (
        "a_user_without_privilege_sees_every_row",
        unprivileged::sees_every_row_and_why_not_more,
    ),
    ("a_flood_is_found_in_time", flood::is_found_in_time),
    (
        "two_hundred_successes_are_no_flood",
        flood::is_not_seen_in_success,
    ),
];

type Plain = fn() -> Result<(), Failed>;

/// Those that send nothing.
const OUTSIDE: [(&str, Plain); 3] = [
    (
        "bad_input_is_answered_in_a_line",
        bad_input::is_answered_in_a_line,
    ),
    (
        "input_that_matches_nothing_exits_1",
        bad_input::that_matches_nothing_exits_1,
    ),
    (
        "output_into_a_closed_pipe_is_quiet",
        bad_input::of_a_closed_pipe_is_quiet,
    ),
];

fn main() -> ExitCode {
    let arguments = || std::env::args().skip(1);
    // Copies come first: they must not have any thread yet.
    if let Some((name, outside)) = namespace::asked(arguments()) {
        let (_, body) = INSIDE.iter().find(|(known, _)| *known == name).unwrap();
        return namespace::play(*body, outside);
    }
    if let Some(outside) = flood::asked(arguments()) {
        return flood::play(outside);
    }
    let inside = INSIDE
        .iter()
        .map(|(name, _)| Trial::test(*name, move || namespace::run(name)));
    let outside = OUTSIDE.iter().map(|(name, test)| Trial::test(*name, *test));
    libtest_mimic::run(&Arguments::from_args(), inside.chain(outside).collect()).exit_code()
}
