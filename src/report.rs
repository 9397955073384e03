//! Observations as text for other programs and for pipes.
//!
//! One file a format. A report is a pure function of an observation and the
//! rows chosen from it; it writes to the given output and touches nothing else.

pub mod chapter;
pub mod check;
pub mod check_result;
pub mod coverage;
pub mod doctor;
pub mod explained;
pub mod filter_help;
pub mod json;
pub mod table;
