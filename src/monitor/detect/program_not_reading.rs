//! Rule: a program does not read the data received for it. Its peer soon finds
//! the window closed, and waits.
//!
//! Much on one connection counts like a little on many: a server that hangs has
//! a small request unread on each. Less is enough where the other end is on
//! this machine and waits for it: then it is certain to block somebody.
//!
//! Where both ends wait for each other, another rule names both.

use super::still::{Still, Stuck};
use super::thresholds::Thresholds;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::state::State;

/// A finding per process.
#[derive(Default)]
pub(super) struct ProgramNotReading {
    still: Still,
}

impl Detector for ProgramNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        self.still.judge(
            case,
            |row| case.scene.party(row),
            |row| unread(row).filter(|_| case.blocked.deadlocked_with(row).is_none()),
            |stuck| severity(stuck, case.limits),
            Evidence::ProgramNotReading,
        )
    }
}

/// Unread bytes. In `CLOSE_WAIT` a few are left by programs that keep a
/// connection for later use and find it closed then: a TLS alert, a GOAWAY of
/// HTTP/2; the rule about that state reports them.
fn unread(row: &Row) -> Option<u32> {
    let bytes = row.socket.recv_queue;
    (bytes > 0 && row.socket.state != State::CloseWait || bytes >= CLOSED_LEAST).then_some(bytes)
}

/// Minimum number of unread bytes of a connection that its peer has closed:
/// fewer may be a final message.
const CLOSED_LEAST: u32 = 16 * 1024;

fn severity(stuck: &Stuck<'_>, limits: &Thresholds) -> Option<Severity> {
    let much = stuck.stillness.bytes >= u64::from(limits.still_bytes);
    let many = stuck.stillness.sockets >= limits.still_sockets;
    let stopped = stuck
        .holder
        .process
        .is_some_and(|process| process.run_state.is_stopped());
    (much || many || stopped || stuck.blocks_writer).then_some(if many {
        Severity::Warn
    } else {
        Severity::Info
    })
}
