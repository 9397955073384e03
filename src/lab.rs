//! Real sockets, parked in every state, in a private network namespace.
//!
//! One of the modules that touch the operating system. A state of TCP is a wait for a
//! segment. The lab plays the peer of each socket itself, on a device of its own, and
//! withholds exactly that segment: so every state lasts as long as it is needed for
//! testing, measuring or learning.
//!
//! Everything happens in a network namespace that the lab makes and from which
//! no route leads out. Its processes are copies of the running program, each
//! with one of the [roles](helper) and bound to end with the one that started
//! it; the kernel takes the namespace back after the last.

pub mod address_kind;
mod device;
mod error;
mod fd_holder;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod helper;
pub mod load;
mod local_sockets;
pub mod namespace;
pub mod peer;
pub mod rig;
pub mod rig_process;
pub mod rig_socket;
mod rtnetlink;
pub mod segment;
pub mod session;
pub mod socket_kind;
mod socket_setup;
mod state_lab;
mod tour;
mod tour_process;

pub use device::DeviceChoice;
pub use error::LabError;
