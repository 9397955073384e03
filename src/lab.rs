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

mod classroom;
mod device;
mod error;
pub mod far_end;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod helper;
mod holder;
pub mod kind;
pub mod lesson;
pub mod load;
pub mod namespace;
pub mod parked;
pub mod parking;
pub mod path;
mod program;
mod recipes;
pub mod rig;
mod rtnetlink;
pub mod segment;
mod talker;
mod tour;

pub use device::DeviceChoice;
pub use error::LabError;
