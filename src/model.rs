//! Domain types shared by all modules: plain data, no I/O.
//!
//! Every other module may import this one and it imports none, so that two
//! modules that never import each other can exchange its types. Nothing here
//! reads a clock, a file or the environment; times and texts come in as values.

pub mod accept_wait;
pub mod action;
pub mod baseline;
pub mod clipboard;
pub mod close;
pub mod counters;
pub mod endpoint;
pub mod event;
pub mod event_history;
pub mod evidence;
pub mod finding;
pub mod finding_key;
pub mod gap;
pub mod inet_diag;
pub mod io_uring;
pub mod lab;
pub mod limits;
pub mod login_session;
pub mod mute;
pub mod namespace;
pub mod namespace_addresses;
pub mod observation;
pub mod opener;
pub mod owner;
pub mod privileges;
pub mod probe_spacing;
pub mod proc_stat;
pub mod process;
pub mod protocol;
pub mod reading;
pub mod refresh_mode;
pub mod risk;
pub mod row;
pub mod signal;
pub mod socket;
pub mod socket_memory;
pub mod socket_unit;
pub mod state;
pub mod tcp_info;
pub mod tcp_metrics;
pub mod text;
pub mod time;
pub mod timer;
pub mod trend;
pub mod unit;
pub mod unwatched;
pub mod urgency;
