//! What a state, a timer, a gap or a finding means, in words.
//!
//! The words are data (`assets/explain`), one folder a language. This room
//! loads them, chooses the sentences that fit one socket's own evidence, and
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
