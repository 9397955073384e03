//! Rule: a peer does not read. Its window is closed, the data of this program
//! waits here, and the kernel only probes the window from time to time (the
//! persist timer, RFC 9293, 3.8.6.1).
//!
//! Where the other end is on this machine and has unread bytes, its program is
//! at fault: the rules about programs that do not read, do not accept, or wait
//! for each other name it, and this one is silent.
//!
//! Connections that their programs have closed (`FIN_WAIT_1`, `LAST_ACK`,
//! `CLOSING`) are continued by the kernel for some minutes
//! (`tcp_orphan_retries`): no program can do anything about these, and all of a
//! network namespace are one finding.

use super::active_findings::SocketHolder;
use super::blocked_writers::is_window_closed;
use super::detector::{Detector, DetectorInput};
use super::owner_key::OwnerKey;
use super::stalled_queues::StalledQueues;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity, UnknownHolder};
use crate::model::owner::NoOwnerReason;
use crate::model::row::Row;
use crate::model::state::State;

/// A finding per process, and one for closed connections.
#[derive(Default)]
pub(super) struct PeerNotReadingDetector {
    held: StalledQueues,
    orphaned: StalledQueues,
}

impl Detector for PeerNotReadingDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let waiting = |row: &Row| {
            let reader = case.blocked_writers.reader_of(row);
            let is_told = reader.is_some_and(|reader| case.context.names_holder(reader));
            (is_window_closed(row) && !is_told).then(|| unsent(row))
        };
        let mut findings = self.held.evaluate(
            case,
            |row| case.context.owner_key(row),
            waiting,
            |_| Some(Severity::Info),
            Evidence::PeerNotReading,
        );
        findings.extend(self.orphaned.evaluate(
            case,
            |row| Some((orphan_key(row)?, SocketHolder::default())),
            waiting,
            |_| Some(Severity::Info),
            Evidence::PeerNotReadingOrphans,
        ));
        findings
    }
}

/// Waiting bytes, without the FIN behind them.
fn unsent(row: &Row) -> u32 {
    let closing = matches!(
        row.socket.state,
        State::FinWait1 | State::Closing | State::LastAck
    );
    row.socket.send_queue - u32::from(closing)
}

/// Key of the closed connections, if a row is one.
fn orphan_key(row: &Row) -> Option<OwnerKey> {
    let unseen = UnknownHolder::from_row(row)?;
    (unseen.reason == NoOwnerReason::Orphan).then_some(OwnerKey::Unknown(UnknownHolder {
        uid: None,
        port: None,
        ..unseen
    }))
}
