//! Text about states, timers, gaps and findings.
//!
//! The messages are data (`assets/explain`), one folder a language. This module
//! loads them, chooses the sentences that fit the evidence of one socket, and
//! fills in its numbers. It draws nothing.

pub mod catalogue;
mod cli_translation;
pub mod diagnosis;
pub mod durations;
pub mod features;
pub mod filter_notes;
pub mod findings;
pub mod fixes;
mod kernel_timeouts;
pub mod lab_actions;
pub mod language;
pub mod lessons;
pub mod limit_context;
pub mod port;
pub mod program;
mod selection;
mod similar;
pub mod socket_proxy;
pub mod state_path;
pub mod template;
pub mod urgency;
