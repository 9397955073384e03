//! Rule: a peer does not read. Its window is closed, what this program has
//! written waits here, and the kernel only asks again from time to time
//! (the persist timer, RFC 9293, 3.8.6.1).
//!
//! Where the other end is on this machine and has unread bytes, its program is at
//! fault: the rules about programs that do not read, do not accept, or wait for each
//! other name it, and this one is silent.
//!
//! Of connections that their program has closed the kernel goes on by itself:
//! these are counted by local port.

use super::blocked::is_window_closed;
use super::party::Party;
use super::still::Still;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::owner::Unowned;
use crate::model::row::Row;

/// A finding per process, or per port for what programs have closed.
#[derive(Default)]
pub(super) struct PeerNotReading {
    still: Still,
}

impl Detector for PeerNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let party = |row: &Row| {
            case.scene.party(row).or_else(|| {
                let holder = case.scene.holder(row);
                let unseen = holder.unseen?;
                (unseen.reason == Unowned::Orphan).then_some((Party::Unseen(unseen), holder))
            })
        };
        let waiting = |row: &Row| {
            let reader = case.blocked.reader_of(row);
            let is_told = reader.is_some_and(|reader| case.scene.names_holder(reader));
            (is_window_closed(row) && !is_told).then_some(row.socket.send_queue)
        };
        self.still.judge(
            case,
            party,
            waiting,
            |_| Some(Severity::Info),
            Evidence::PeerNotReading,
        )
    }
}
