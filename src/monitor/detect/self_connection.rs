//! Rule: a socket is connected to itself. A client that keeps trying a local
//! port without a listener gets there once the kernel picks that very port for
//! it: its SYN then opens a connection with itself (simultaneous open, RFC
//! 9293, 3.5). The program talks to itself, and the server can no longer bind
//! its port.

use super::standing::{Level, Standing};
use super::{Case, Detector};
use crate::model::evidence::{Evidence, SelfConnection as Itself};
use crate::model::finding::{Finding, Severity};
use crate::model::socket::SocketKey;

/// A finding per socket.
#[derive(Default)]
pub(super) struct SelfConnection {
    standing: Standing<SocketKey>,
}

impl Detector for SelfConnection {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let scene = case.scene;
        for row in scene.muster.self_connected(scene.rows) {
            let age = row.state_since.age(case.now);
            // A client that notices closes it at once.
            if age < case.limits.self_connection_after {
                continue;
            }
            let evidence = Evidence::SelfConnection(Itself {
                end: row.socket.local,
                lasts: age,
                at_least: !row.entry_seen,
            });
            let level = Level::Raise(Severity::Warn, evidence);
            self.standing
                .judge(row.socket.key(), scene.holder(row), level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}
