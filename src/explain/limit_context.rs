//! Limits on the duration of states: here, and in the lab, which raises some of
//! them so that states last, also those of the host.

use crate::model::limits::Limits;

/// The limits that apply here, and outside the lab those of the host.
#[derive(Clone, Copy, Debug)]
pub struct LimitContext<'a> {
    /// Limits where the sockets are.
    pub local: &'a Limits,
    /// Limits of the host; none outside the lab.
    pub host: Option<&'a Limits>,
}

impl<'a> From<&'a Limits> for LimitContext<'a> {
    /// Returns the context outside the lab.
    fn from(here: &'a Limits) -> Self {
        Self {
            local: here,
            host: None,
        }
    }
}
