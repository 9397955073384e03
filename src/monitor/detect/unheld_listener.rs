//! Rule: a user's socket listens and no process holds it, although every
//! process could be searched. Its descriptor is in flight (SCM_RIGHTS) most of
//! the time, or in a table that nobody can read: a listener that hides its
//! program.
//!
//! The kernel has listeners of its own (NFS, SMB, iSCSI). It opens them as
//! root, and nothing distinguishes them from a socket of root's, so root's are
//! left alone.

use super::standing::{Level, Standing};
use super::{Case, Detector, Kernel, blind};
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::owner::Unowned;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use std::collections::BTreeMap;

/// Number of tables in a row in which it must have no holder: a process that
/// passes it on, or ends, does not hold it for a moment.
const TABLES: u32 = 2;

/// A finding per listener.
#[derive(Default)]
pub(super) struct UnheldListener {
    standing: Standing<SocketKey>,
    /// Number of tables in a row without a holder.
    tables: BTreeMap<SocketKey, u32>,
}

impl Detector for UnheldListener {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let before = std::mem::take(&mut self.tables);
        let listeners = case.scene.listeners.rows(case.scene.rows);
        let searched = case.scene.kernel.owner_search.is_of_the_machine();
        for row in listeners.filter(|row| searched && is_unheld(row)) {
            let key = row.socket.key();
            let tables = before.get(&key).map_or(1, |tables| tables + 1);
            self.tables.insert(key, tables);
            if tables >= TABLES {
                let evidence = Evidence::UnheldListener {
                    listener: row.socket.local,
                    uid: row.socket.uid,
                };
                let level = Level::Raise(Severity::Warn, evidence);
                let holder = case.scene.holder(row);
                self.standing.judge(key, holder, level, case.now);
            }
        }
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        let searched = kernel.owner_search.is_of_the_machine();
        blind(Rule::UnheldListener, Lack::Owners, searched)
    }
}

fn is_unheld(row: &Row) -> bool {
    let socket = &row.socket;
    row.unowned == Some(Unowned::Kernel) && socket.inode.is_some() && socket.uid != 0
}
