//! Rule: a peer does not read. Its window is closed, what this program has
//! written waits here, and the kernel only asks again from time to time
//! (the persist timer, RFC 9293, 3.8.6.1).

use super::still::Still;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::Finding;
use crate::model::row::Row;
use crate::model::timer::TimerKind;

/// A finding per process.
#[derive(Default)]
pub(super) struct PeerNotReading {
    still: Still,
}

impl Detector for PeerNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        self.still.judge(case, waiting, Evidence::PeerNotReading)
    }
}

/// Bytes that wait for a closed window of a peer that answers. One question may
/// be under way; of more that are not answered, the path or the peer may be the
/// cause.
fn waiting(row: &Row) -> Option<u32> {
    let timer = row.socket.timer?;
    let answered = timer.kind == TimerKind::ZeroWindowProbe && timer.retransmits <= 1;
    (answered && row.socket.send_queue > 0).then_some(row.socket.send_queue)
}
