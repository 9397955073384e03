//! Every parser of foreign bytes as a function of bytes, for fuzzing.
//!
//! Compiled for tests and with the feature `fuzzing` only. Mutations, seeds and the
//! loop that drives these are in `fuzz/`, a package of its own. Besides the absence of
//! panics, a target asserts properties of any input: bad lines are counted, printed
//! text parses to the same, and displayed text contains nothing deceptive.

use crate::cli;
use crate::config::{self, baseline};
use crate::control;
use crate::filter::Filter;
use crate::lab;
use crate::model::login_session::LoginSession;
use crate::model::observation::Observation;
use crate::model::text::{MAX_TEXT_BYTES, Text, is_deceptive};
use crate::run;
use crate::source::fuzzing as source;

/// A parser that takes any bytes.
#[derive(Clone, Copy, Debug)]
pub struct FuzzTarget {
    /// Name of the target, of its seeds and of its dictionary.
    pub name: &'static str,
    /// Panics where the parser does, and where something asserted does not hold.
    pub run: fn(&[u8]),
    /// Longest input worth trying, in bytes.
    pub max_len: usize,
}

const fn target(name: &'static str, run: fn(&[u8]), max_len: usize) -> FuzzTarget {
    FuzzTarget { name, run, max_len }
}

/// All targets.
pub const TARGETS: &[FuzzTarget] = &[
    target("arguments", arguments, 600),
    target("baseline", baseline, 4096),
    target("config", config, 4096),
    target("conntrack", source::conntrack, 4096),
    target("counters", source::counters, 8192),
    target("filter", filter, 2048),
    target("io_uring", source::io_uring, 2048),
    target("netlink_answer", netlink_answer, 256),
    target("proc_net", source::proc_net, 4096),
    target("process_files", source::process_files, 4096),
    target("rtnetlink", source::rtnetlink, 4096),
    target("segment", segment, 2048),
    target("session", session, 256),
    target("sock_diag", source::sock_diag, 8192),
    target("terminal_input", run::fuzzing::terminal_input, 2048),
    target("text", text, 2 * MAX_TEXT_BYTES),
    target("trace_format", source::trace_format, 4096),
    target("trace_ring", source::trace_ring, 65_536),
];

/// Asserts that a text can be written to a terminal.
pub(crate) fn assert_displayable(text: &str) {
    let found = text.chars().find(|c| *c != '\n' && is_deceptive(*c));
    assert_eq!(found, None, "in {text:?}");
}

/// Arguments of a command line, one a line.
fn arguments(bytes: &[u8]) {
    if let Err(usage) = cli::fuzzing::parse(bytes) {
        assert_displayable(&usage);
    }
}

fn baseline(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match baseline::parse(&text) {
        Ok(parsed) => {
            let empty = Observation::default();
            let printed = baseline::to_json(&parsed, &empty);
            assert_displayable(&printed);
            // Bytes that are no text stay escaped.
            let again = baseline::parse(&printed).map(|again| baseline::to_json(&again, &empty));
            assert_eq!(again, Ok(printed));
        }
        Err(message) => assert_displayable(&message),
    }
}

fn config(bytes: &[u8]) {
    let file = Text::from("config.toml");
    let text = String::from_utf8_lossy(bytes);
    let parsed = match config::parse(&text) {
        Ok(parsed) => parsed,
        Err(mistakes) => {
            for mistake in &mistakes.0 {
                assert_displayable(&mistake.render(&file));
            }
            return;
        }
    };
    for warning in &parsed.warnings {
        assert_displayable(&warning.render(&file));
    }
    let shown = config::show::render(&parsed.settings, None);
    assert_displayable(&shown);
    let mut again = config::parse(&shown).map(|again| again.settings);
    if let Ok(again) = &mut again {
        // Lines are those of what was shown.
        again
            .defined_lines
            .clone_from(&parsed.settings.defined_lines);
    }
    assert_eq!(again, Ok(parsed.settings), "shown as:\n{shown}");
}

fn filter(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Filter::parse(&text) {
        Ok(filter) => {
            let printed = filter.to_string();
            assert_displayable(&printed);
            assert_eq!(Filter::parse(&printed), Ok(filter), "printed: {printed}");
        }
        Err(error) => {
            assert_displayable(&error.to_string());
            assert_displayable(&error.text_with_carets());
        }
    }
}

fn netlink_answer(bytes: &[u8]) {
    control::fuzzing::netlink_answer(bytes);
    lab::fuzzing::netlink_answer(bytes);
}

/// A packet, which must read the same once it is written and read again.
fn segment(bytes: &[u8]) {
    use crate::lab::segment::Segment;
    let Some(segment) = Segment::parse(bytes) else {
        return;
    };
    let _ = segment.end_sequence();
    if let Some(packet) = segment.to_packet() {
        assert_eq!(Segment::parse(&packet), Some(segment));
    }
}

/// `SSH_CONNECTION`.
fn session(bytes: &[u8]) {
    let _ = LoginSession::parse_ssh_connection(&String::from_utf8_lossy(bytes));
}

fn text(bytes: &[u8]) {
    let text = Text::new(bytes);
    assert_displayable(text.as_str());
    let kept = &bytes[..bytes.len().min(MAX_TEXT_BYTES)];
    // The mark of a cut text is part of it, so not all of the rest is raw.
    assert!(text.raw().starts_with(kept));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_target_has_a_name_of_its_own_and_takes_nothing() {
        let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
        assert_eq!(names.len(), TARGETS.len());
        for target in TARGETS {
            (target.run)(b"");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for target in TARGETS {
                (target.run)(&bytes);
            }
        }
    }
}
