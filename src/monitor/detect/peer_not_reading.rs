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

use super::blocked::is_window_closed;
use super::party::Party;
use super::standing::Holder;
use super::still::Still;
use super::{Case, Detector};
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, Severity, UnseenHolder};
use crate::model::owner::Unowned;
use crate::model::row::Row;
use crate::model::state::State;

/// A finding per process, and one for closed connections.
#[derive(Default)]
pub(super) struct PeerNotReading {
    held: Still,
    orphaned: Still,
}

impl Detector for PeerNotReading {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let waiting = |row: &Row| {
            let reader = case.blocked.reader_of(row);
            let is_told = reader.is_some_and(|reader| case.scene.names_holder(reader));
            (is_window_closed(row) && !is_told).then(|| unsent(row))
        };
        let mut findings = self.held.judge(
            case,
            |row| case.scene.party(row),
            waiting,
            |_| Some(Severity::Info),
            Evidence::PeerNotReading,
        );
        findings.extend(self.orphaned.judge(
            case,
            |row| Some((orphans(row)?, Holder::default())),
            waiting,
            |_| Some(Severity::Info),
            Evidence::OrphansNotRead,
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
fn orphans(row: &Row) -> Option<Party> {
    let unseen = UnseenHolder::of(row)?;
    (unseen.reason == Unowned::Orphan).then_some(Party::Unseen(UnseenHolder {
        uid: None,
        port: None,
        ..unseen
    }))
}
