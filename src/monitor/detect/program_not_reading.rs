//! Rule: a program does not read what has come for it. Its peer soon finds the
//! window closed, and waits.

use super::still::Still;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::Finding;
use crate::model::row::Row;

/// A finding per process.
#[derive(Default)]
pub(super) struct ProgramNotReading {
    still: Still,
}

impl Detector for ProgramNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let least = case.limits.still_bytes;
        let unread = |row: &Row| Some(row.socket.recv_queue).filter(|bytes| *bytes >= least);
        self.still.judge(case, unread, Evidence::ProgramNotReading)
    }
}
