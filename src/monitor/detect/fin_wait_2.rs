//! Rule: a program has closed its sending half, the peer neither sends nor
//! closes, and the program keeps the socket. No kernel timeout ends that: the
//! limit for `FIN_WAIT_2` (`tcp_fin_timeout`) applies only to sockets without a
//! program.
//!
//! A connection on which data still comes is healthy: it is half-closed (RFC
//! 9293, 3.6). Only `TCP_INFO` reports that, so this rule skips rows without
//! it. Where the peer is on this machine, it is in `CLOSE_WAIT`, and the rule
//! about that state names the program that must close.

use super::party::Party;
use super::standing::{Holder, Level, Standing};
use super::{Case, Detector, Kernel, Scene, blind};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, HalfClosed};
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::row::Row;
use crate::model::state::State;
use foldhash::HashSet;
use std::collections::BTreeMap;
use std::time::Duration;

/// A finding per process.
#[derive(Default)]
pub(super) struct FinWait2 {
    standing: Standing<Party>,
}

impl Detector for FinWait2 {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let mut found: BTreeMap<Party, (Holder<'_>, HalfClosed)> = BTreeMap::new();
        let after = case.limits.fin_wait_2_after;
        let old: Vec<&Row> = held(case.scene)
            .filter(|row| row.state_since.age(case.now) >= after)
            .collect();
        let told = told_of_peers(case.scene, &old);
        for row in old.into_iter().filter(|row| !told.contains(&peer_of(row))) {
            let idle = idle(row, case.scene).filter(|(idle, _)| *idle >= after);
            if let Some((idle, shut)) = idle
                && let Some((party, holder)) = case.scene.party(row)
            {
                let (_, evidence) = found
                    .entry(party)
                    .or_insert_with(|| (holder, HalfClosed::default()));
                let age = row.state_since.age(case.now);
                add(evidence, row, age, idle, shut);
            }
        }
        for (party, (holder, evidence)) in found {
            let many = evidence.sockets >= case.limits.fin_wait_2_many;
            let severity = if many { Severity::Warn } else { Severity::Info };
            let level = Level::Raise(severity, Evidence::FinWait2(evidence));
            self.standing.judge(party, holder, level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        blind(Rule::FinWait2, Lack::TcpInfo, kernel.tells_backlogs())
    }
}

/// Rows in `FIN_WAIT_2` that a program holds.
fn held<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a Row> {
    let passing = scene.muster.passing(scene.rows);
    passing.filter(|row| row.socket.state == State::FinWait2 && row.socket.inode.is_some())
}

/// Network namespace, local and remote end.
type Ends = (u32, Endpoint, Endpoint);

/// Addresses of a row as its peer has them.
fn peer_of(row: &Row) -> Ends {
    (row.socket.namespace, row.socket.remote, row.socket.local)
}

/// Addresses of the connections that a program on this machine must close.
fn told_of_peers(scene: &Scene<'_>, old: &[&Row]) -> HashSet<Ends> {
    if old.is_empty() {
        // A large table is not indexed without need.
        return HashSet::default();
    }
    let closed = scene.muster.close_wait(scene.rows);
    let told = closed.filter(|row| scene.names_holder(row));
    told.map(|row| (row.socket.namespace, row.socket.local, row.socket.remote))
        .collect()
}

/// Time since data last came, and true if the program has shut down its
/// receiving half, too; none where `TCP_INFO` is unknown.
fn idle(row: &Row, scene: &Scene<'_>) -> Option<(Duration, bool)> {
    let info = &scene.details.find(&row.socket.key())?.info;
    let idle = Duration::from_millis(info.last_data_received_ms.into());
    Some((idle, info.receiving_shut == Some(true)))
}

fn add(evidence: &mut HalfClosed, row: &Row, age: Duration, idle: Duration, shut: bool) {
    if evidence.sockets == 0 || age > evidence.longest {
        evidence.longest = age;
        evidence.at_least = !row.entry_seen;
        evidence.peer = row.socket.remote;
        evidence.idle = idle;
    }
    evidence.sockets += 1;
    evidence.shut += u32::from(shut);
}
