//! The limits that bound how long a state lasts: here, and in the lab, which
//! raises some of them so that states stay, also those of the machine around it.

use crate::model::limits::Limits;

/// The limits that hold here, and those outside the lab.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// Where the sockets are.
    pub here: &'a Limits,
    /// Of the machine around the lab; none outside it.
    pub outside: Option<&'a Limits>,
}

impl<'a> From<&'a Limits> for Bounds<'a> {
    /// Outside the lab.
    fn from(here: &'a Limits) -> Self {
        Self {
            here,
            outside: None,
        }
    }
}
