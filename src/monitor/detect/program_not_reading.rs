//! Rule: a program does not read the data received for it. Its peer soon finds
//! the window closed, and waits.
//!
//! Much on one connection counts like a little on many: a server that hangs has
//! a small request unread on each. Less is enough where the other end is on
//! this machine and waits for it: then it is certain to block somebody.
//!
//! Where both ends wait for each other, another rule names both.

use super::detector::{Detector, DetectorInput};
use super::stalled_queues::{StalledGroup, StalledQueues};
use super::thresholds::Thresholds;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::state::State;

/// A finding per process.
#[derive(Default)]
pub(super) struct ProgramNotReadingDetector {
    queues: StalledQueues,
}

impl Detector for ProgramNotReadingDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        self.queues.evaluate(
            case,
            |row| case.context.owner_key(row),
            |row| unread(row).filter(|_| case.blocked_writers.deadlocked_with(row).is_none()),
            |stalled| severity(stalled, case.limits),
            Evidence::ProgramNotReading,
        )
    }
}

/// Unread bytes. In `CLOSE_WAIT` a few are left by programs that keep a
/// connection for later use and find it closed then: a TLS alert, a GOAWAY of
/// HTTP/2; the rule about that state reports them.
fn unread(row: &Row) -> Option<u32> {
    let bytes = row.socket.recv_queue;
    (bytes > 0 && row.socket.state != State::CloseWait || bytes >= MIN_UNREAD_AFTER_CLOSE)
        .then_some(bytes)
}

/// Minimum number of unread bytes of a connection that its peer has closed:
/// fewer may be a final message.
const MIN_UNREAD_AFTER_CLOSE: u32 = 16 * 1024;

fn severity(stalled: &StalledGroup<'_>, limits: &Thresholds) -> Option<Severity> {
    let much = stalled.evidence.bytes >= u64::from(limits.still_bytes);
    let many = stalled.evidence.sockets >= limits.still_sockets;
    let stopped = stalled
        .holder
        .process
        .is_some_and(|process| process.run_state.is_stopped());
    (much || many || stopped || stalled.blocks_writer).then_some(if many {
        Severity::Warning
    } else {
        Severity::Info
    })
}
