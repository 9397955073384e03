//! Rule: a user's socket listens and no process holds it, although every
//! process could be searched. Its descriptor is in flight (SCM_RIGHTS) most of
//! the time, or in a table that nobody can read: a listener that hides its
//! program.
//!
//! The kernel has listeners of its own (NFS, SMB, iSCSI). It opens them as
//! root, and nothing distinguishes them from a socket of root's, so root's are
//! left alone.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::table_context::KernelStats;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::owner::NoOwnerReason;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use std::collections::BTreeMap;

/// Number of tables in a row in which it must have no holder: a process that
/// passes it on, or ends, does not hold it for a moment.
const MIN_TABLES: u32 = 2;

/// A finding per listener.
#[derive(Default)]
pub(super) struct UnownedListenerDetector {
    active: ActiveFindings<SocketKey>,
    /// Number of tables in a row without a holder.
    tables: BTreeMap<SocketKey, u32>,
}

impl Detector for UnownedListenerDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let before = std::mem::take(&mut self.tables);
        let listeners = case.context.listeners.rows(case.context.rows);
        let searched = case.context.kernel.owner_search.covers_machine();
        for row in listeners.filter(|row| searched && is_unowned(row)) {
            let key = row.socket.key();
            let tables = before.get(&key).map_or(1, |tables| tables + 1);
            self.tables.insert(key, tables);
            if tables >= MIN_TABLES {
                let evidence = Evidence::UnownedListener {
                    listener: row.socket.local,
                    uid: row.socket.uid,
                };
                let level = TriggerLevel::Raise(Severity::Warning, evidence);
                let holder = case.context.holder(row);
                self.active.update(key, holder, level, case.now);
            }
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        let searched = kernel.owner_search.covers_machine();
        inactive_unless(Rule::UnownedListener, MissingInput::Owners, searched)
    }
}

fn is_unowned(row: &Row) -> bool {
    let socket = &row.socket;
    row.no_owner_reason == Some(NoOwnerReason::Kernel) && socket.inode.is_some() && socket.uid != 0
}
