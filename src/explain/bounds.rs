//! Limits on the duration of states: here, and in the lab, which raises some of
//! them so that states last, also those of the host.

use crate::model::limits::Limits;

/// The limits that apply here, and outside the lab those of the host.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// Limits where the sockets are.
    pub here: &'a Limits,
    /// Limits of the host; none outside the lab.
    pub outside: Option<&'a Limits>,
}

impl<'a> From<&'a Limits> for Bounds<'a> {
    /// Returns the context outside the lab.
    fn from(here: &'a Limits) -> Self {
        Self {
            here,
            outside: None,
        }
    }
}
