//! The command line as a function of bytes, for [`crate::fuzzing`].

use super::{TerminalEnvironment, plan};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// Parses arguments, one a line, after the program's own name.
///
/// # Errors
///
/// The error message of the parser.
pub(crate) fn parse(bytes: &[u8]) -> Result<(), String> {
    let words = bytes.split(|byte| *byte == b'\n');
    // No argument of exec(2) contains a NUL.
    let words = words.map(|word| word.iter().copied().filter(|byte| *byte != 0).collect());
    let words = words.map(OsString::from_vec);
    let all = std::iter::once("tcplens".into()).chain(words);
    let parsed = plan::parse(all, &TerminalEnvironment::default());
    parsed.map(drop).map_err(|usage| usage.to_string())
}
