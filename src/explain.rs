//! Text about states, timers, gaps and findings.
//!
//! The messages are data (`assets/explain`), one folder a language. This module
//! loads them, chooses the sentences that fit the evidence of one socket, and
//! fills in its numbers. It draws nothing.

pub mod ability;
pub mod bounds;
pub mod catalogue;
pub mod diagnosis;
pub mod doubt;
pub mod findings;
pub mod language;
pub mod lengths;
pub mod lesson;
pub mod machine;
pub mod moves;
mod patience;
mod phrasebook;
mod pick;
pub mod port;
pub mod program;
pub mod remedy;
pub mod sentence;
mod siblings;
pub mod stands_for;
pub mod urgency;
