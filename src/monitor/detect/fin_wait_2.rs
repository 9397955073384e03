//! Rule: a program has closed its sending half, the peer neither sends nor
//! closes, and the program keeps the socket. No kernel timeout ends that: the
//! limit for `FIN_WAIT_2` (`tcp_fin_timeout`) applies only to sockets without a
//! program.
//!
//! A connection on which data still comes is healthy: it is half-closed (RFC
//! 9293, 3.6). Only `TCP_INFO` reports that, so this rule skips rows without
//! it. Where the peer is on this machine, it is in `CLOSE_WAIT`, and the rule
//! about that state names the program that must close.

use super::active_findings::{ActiveFindings, SocketHolder, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::owner_key::OwnerKey;
use super::table_context::{KernelStats, TableContext};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, FinWait2Evidence};
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::row::Row;
use crate::model::state::State;
use foldhash::HashSet;
use std::collections::BTreeMap;
use std::time::Duration;

/// A finding per process.
#[derive(Default)]
pub(super) struct FinWait2Detector {
    active: ActiveFindings<OwnerKey>,
}

impl Detector for FinWait2Detector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let mut found: BTreeMap<OwnerKey, (SocketHolder<'_>, FinWait2Evidence)> = BTreeMap::new();
        let after = case.limits.fin_wait_2_after;
        let old: Vec<&Row> = held_rows(case.context)
            .filter(|row| row.state_since.age(case.now) >= after)
            .collect();
        let told = peers_in_close_wait(case.context, &old);
        for row in old.into_iter().filter(|row| !told.contains(&peer_key(row))) {
            let idle = idle_time(row, case.context).filter(|(idle, _)| *idle >= after);
            if let Some((idle, shut)) = idle
                && let Some((party, holder)) = case.context.owner_key(row)
            {
                let (_, evidence) = found
                    .entry(party)
                    .or_insert_with(|| (holder, FinWait2Evidence::default()));
                let age = row.state_since.age(case.now);
                add(evidence, row, age, idle, shut);
            }
        }
        for (party, (holder, evidence)) in found {
            let many = evidence.sockets >= case.limits.fin_wait_2_many;
            let severity = if many {
                Severity::Warning
            } else {
                Severity::Info
            };
            let level = TriggerLevel::Raise(severity, Evidence::FinWait2(evidence));
            self.active.update(party, holder, level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        inactive_unless(Rule::FinWait2, MissingInput::TcpInfo, kernel.has_backlogs())
    }
}

/// Rows in `FIN_WAIT_2` that a program holds.
fn held_rows<'a>(scene: &'a TableContext<'_>) -> impl Iterator<Item = &'a Row> {
    let passing = scene.row_groups.transient(scene.rows);
    passing.filter(|row| row.socket.state == State::FinWait2 && row.socket.inode.is_some())
}

/// Network namespace, local and remote end.
type PeerKey = (u32, Endpoint, Endpoint);

/// Addresses of a row as its peer has them.
fn peer_key(row: &Row) -> PeerKey {
    (row.socket.namespace, row.socket.remote, row.socket.local)
}

/// Addresses of the connections that a program on this machine must close.
fn peers_in_close_wait(scene: &TableContext<'_>, old: &[&Row]) -> HashSet<PeerKey> {
    if old.is_empty() {
        // A large table is not indexed without need.
        return HashSet::default();
    }
    let closed = scene.row_groups.close_wait(scene.rows);
    let told = closed.filter(|row| scene.names_holder(row));
    told.map(|row| (row.socket.namespace, row.socket.local, row.socket.remote))
        .collect()
}

/// Time since data last came, and true if the program has shut down its
/// receiving half, too; none where `TCP_INFO` is unknown.
fn idle_time(row: &Row, scene: &TableContext<'_>) -> Option<(Duration, bool)> {
    let info = &scene.details.find(&row.socket.key())?.info;
    let idle = Duration::from_millis(info.last_data_received_ms.into());
    Some((idle, info.receive_shutdown == Some(true)))
}

fn add(evidence: &mut FinWait2Evidence, row: &Row, age: Duration, idle: Duration, shut: bool) {
    if evidence.sockets == 0 || age > evidence.longest {
        evidence.longest = age;
        evidence.is_lower_bound = !row.saw_state_entry;
        evidence.peer = row.socket.remote;
        evidence.idle = idle;
    }
    evidence.sockets += 1;
    evidence.receive_shutdown += u32::from(shut);
}
