//! Domain types shared by all modules: plain data, no I/O.
//!
//! Every other module may import this one and it imports none, so that two
//! modules that never import each other can exchange its types. Nothing here
//! reads a clock, a file or the environment; times and texts come in as values.

pub mod accept_wait;
pub mod action;
pub mod baseline;
pub mod caution;
pub mod chronicle;
pub mod clipboard;
pub mod closing;
pub mod counters;
pub mod endpoint;
pub mod event;
pub mod evidence;
pub mod finding;
pub mod flow;
pub mod gap;
pub mod identity;
pub mod inet_diag;
pub mod io_uring;
pub mod lesson;
pub mod limits;
pub mod mute;
pub mod namespace;
pub mod network;
pub mod observation;
pub mod opener;
pub mod owner;
pub mod pace;
pub mod powers;
pub mod probe_spacing;
pub mod process;
pub mod protocol;
pub mod reading;
pub mod row;
pub mod session;
pub mod signal;
pub mod socket;
pub mod socket_memory;
pub mod socket_unit;
pub mod stat;
pub mod state;
pub mod tcp_info;
pub mod text;
pub mod time;
pub mod timer;
pub mod trend;
pub mod unit;
pub mod unwatched;
pub mod urgency;
