//! Rule: a peer does not read. Its window is closed, what this program has
//! written waits here, and the kernel only asks again from time to time
//! (the persist timer, RFC 9293, 3.8.6.1).

use super::standing::{Level, Standing};
use super::still::Still;
use super::{Actor, Case, Detector};
use crate::model::evidence::{Evidence, Stillness};
use crate::model::finding::{Finding, Severity};
use crate::model::row::Row;
use crate::model::timer::TimerKind;

/// A finding per process.
#[derive(Default)]
pub(super) struct PeerNotReading {
    standing: Standing<Actor>,
    still: Still,
}

impl Detector for PeerNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let patience = case.limits.still_after;
        let stuck = self.still.observe(case.scene, patience, waiting);
        for (actor, stuck) in &stuck {
            let evidence = Evidence::PeerNotReading(Stillness {
                sockets: stuck.sockets,
                bytes: stuck.bytes,
                peer: stuck.peer,
                longest: stuck.longest,
            });
            let level = Level::Raise(Severity::Info, evidence);
            self.standing
                .judge(*actor, Some(stuck.process), level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

/// Bytes that wait for a closed window.
fn waiting(row: &Row) -> Option<u32> {
    let probing = row.socket.timer?.kind == TimerKind::ZeroWindowProbe;
    (probing && row.socket.send_queue > 0).then_some(row.socket.send_queue)
}
