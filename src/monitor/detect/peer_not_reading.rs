//! Rule: a peer does not read. Its window is closed, what this program has
//! written waits here, and the kernel only asks again from time to time
//! (the persist timer, RFC 9293, 3.8.6.1).
//!
//! Where the other end is on this machine and has much unread, the rule about
//! programs that do not read names it, and this one is silent: of two programs that
//! wait for each other, neither is to be called the other's victim.
//!
//! Of connections that their program has closed the kernel goes on by itself:
//! these are counted by local port.

use super::party::Party;
use super::still::Still;
use super::{Case, Detector};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity};
use crate::model::owner::Unowned;
use crate::model::row::Row;
use crate::model::timer::TimerKind;
use foldhash::HashSet;

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
        let told = unread_here(case);
        let waiting = |row: &Row| {
            let ends = (row.socket.namespace, row.socket.local, row.socket.remote);
            waiting(row).filter(|_| !told.contains(&ends))
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

/// The ends, seen from the writer, of connections within this machine whose other
/// end has much unread and a holder to be named.
fn unread_here(case: &Case<'_>) -> HashSet<(u32, Endpoint, Endpoint)> {
    let scene = case.scene;
    scene
        .muster
        .queued(scene.rows)
        .filter(|row| row.socket.recv_queue >= case.limits.still_bytes)
        .filter(|row| scene.party(row).is_some())
        .map(|row| (row.socket.namespace, row.socket.remote, row.socket.local))
        .collect()
}

/// Bytes that wait for a closed window of a peer that answers. One question may
/// be under way; of more that are not answered, the path or the peer may be the
/// cause.
fn waiting(row: &Row) -> Option<u32> {
    let timer = row.socket.timer?;
    let answered = timer.kind == TimerKind::ZeroWindowProbe && timer.retransmits <= 1;
    (answered && row.socket.send_queue > 0).then_some(row.socket.send_queue)
}
