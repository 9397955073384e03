//! Targets of `tcplens kill`, and processes that it spares: the owners of the
//! rows that match, each with its role.

use super::{Console, user_text};
use crate::filter::Filter;
use crate::listing::{SocketRelation, SocketRole, matcher_with_urgencies, matches_by_remote_only};
use crate::model::action::{ProcessTarget, TargetId};
use crate::model::gap::{GapKind, GapReason};
use crate::model::observation::Observation;
use crate::model::owner::{NoOwnerReason, OwnerSpan};
use crate::model::process::Process;
use crate::model::risk::Risk;
use crate::model::row::Row;
use std::collections::{BTreeMap, BTreeSet};

/// Number of processes or sockets of a kind that are named before the rest is counted.
const MAX_NAMED: usize = 8;

/// A process with sockets that match.
pub(super) struct MatchingProcess<'o> {
    pub(super) id: TargetId,
    pub(super) target: ProcessTarget,
    pub(super) sockets: u32,
    /// The weightiest role of it, and the row that it has it in.
    pub(super) role: SocketRole,
    pub(super) row: &'o Row,
    pub(super) process: &'o Process,
    /// True if only remote ends made it match.
    remote_only: bool,
}

impl MatchingProcess<'_> {
    /// The risk that comes with its role, if any.
    pub(super) fn risk(&self) -> Option<Risk> {
        self.remote_only.then_some(Risk::MatchedByRemoteEnd)
    }
}

/// Returns the owners of some rows, in the order of the rows. Of several
/// holders of a row only those are returned for whom it would match if they
/// held it alone: `pid:812` means that one, `:443` all.
pub(super) fn matching_processes<'o>(
    rows: &[&'o Row],
    filter: &Filter,
    observation: &'o Observation,
) -> Vec<MatchingProcess<'o>> {
    let matcher = matcher_with_urgencies(filter, observation);
    let mut places: BTreeMap<(u32, u64), usize> = BTreeMap::new();
    let mut owners: Vec<MatchingProcess> = Vec::new();
    for row in rows {
        let role = SocketRole::from_row(row, observation);
        for (process, alone) in rows_by_owner(row, observation) {
            if !matcher.matches(&alone) {
                continue;
            }
            let remote_only = matches_by_remote_only(&alone, &matcher);
            let place = *places
                .entry((process.pid, process.start_ticks))
                .or_insert(owners.len());
            if let Some(known) = owners.get_mut(place) {
                known.sockets += 1;
                known.remote_only &= remote_only;
                if role < known.role {
                    (known.role, known.row) = (role, row);
                }
                continue;
            }
            owners.push(MatchingProcess {
                id: TargetId(owners.len() as u64),
                target: ProcessTarget::from_process(process, row.socket.inode),
                sockets: 1,
                role,
                row,
                process,
                remote_only,
            });
        }
    }
    owners
}

/// A row as if each of its owners held it alone.
pub(super) fn rows_by_owner<'o>(
    row: &Row,
    observation: &'o Observation,
) -> impl Iterator<Item = (&'o Process, Row)> {
    let mut start = row.owners.start;
    let row = *row;
    observation
        .owners(&row)
        .map(move |(process, descriptors)| {
            let count = u32::try_from(descriptors.len()).unwrap_or(u32::MAX);
            let owners = OwnerSpan { start, count };
            start = start.saturating_add(count);
            (&**process, Row { owners, ..row })
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Prints the matching processes that are spared. Returns true if there are
/// any.
pub(super) fn print_spared(
    spared: &[MatchingProcess<'_>],
    meant: &[MatchingProcess<'_>],
    observation: &Observation,
    teller: &Console,
) -> bool {
    let pids: BTreeSet<u32> = meant.iter().map(|owner| owner.target.pid).collect();
    let others = || {
        let all = spared.iter();
        all.filter(|owner| !pids.contains(&owner.target.pid))
    };
    for owner in others().take(MAX_NAMED) {
        let role = SocketRelation::from_row(owner.row, observation).render(teller.messages);
        let mut values = super::kill::process_values(&owner.target).to_vec();
        values.push(("role", role));
        teller.notice("left_alone", &values);
    }
    if let Some(more) = others()
        .count()
        .checked_sub(MAX_NAMED)
        .filter(|more| *more > 0)
    {
        teller.notice("left_alone_more", &[("count", more.to_string())]);
    }
    others().next().is_some()
}

/// Prints the rows without a process to signal. Sockets hidden from this user
/// are printed by port; returns true if there are any.
pub(super) fn print_unowned(
    rows: &[&Row],
    filter: &str,
    observation: &Observation,
    teller: &Console,
) -> bool {
    let mut hidden: BTreeSet<(u16, Option<u32>, Option<&str>)> = BTreeSet::new();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    let mut gaps = observation.gaps.iter();
    let no_proc = gaps.any(|gap| gap.kind == GapKind::ProcMissing);
    for row in rows {
        if observation.first_owner(row).is_some() {
            continue;
        }
        if row.no_owner_reason == Some(NoOwnerReason::Hidden) && no_proc {
            teller.print_excluded(
                &socket_text(row),
                teller.messages.gap_reason(GapReason::NoProc).to_owned(),
            );
            continue;
        }
        if row.no_owner_reason == Some(NoOwnerReason::Hidden) {
            let opener = observation.opener(row).map(|unit| unit.as_str());
            hidden.insert((row.socket.local.port, row.socket.known_uid(), opener));
            continue;
        }
        let count = others
            .entry(row.no_owner_reason.map_or("", NoOwnerReason::key))
            .or_default();
        *count += 1;
        if *count <= MAX_NAMED {
            print_unowned_row(row, teller);
        }
    }
    for count in others.into_values() {
        if let Some(more) = count.checked_sub(MAX_NAMED).filter(|more| *more > 0) {
            teller.notice("left_out_more", &[("count", more.to_string())]);
        }
    }
    for (port, uid, opener) in hidden.iter().take(MAX_NAMED) {
        let name = match uid {
            Some(uid) => {
                let name = user_text(Some(*uid), observation).to_string();
                if name == uid.to_string() {
                    format!("uid {uid}")
                } else {
                    format!("{name} (uid {uid})")
                }
            }
            None => teller.messages.screen("notice", "another_user").to_owned(),
        };
        let values = [
            ("port", port.to_string()),
            ("user", name),
            ("filter", filter.to_owned()),
            ("unit", opener.unwrap_or_default().to_owned()),
        ];
        let sentence = match opener {
            _ if !observation.owner_search.may_gain_from_root() => "held_by_hidden_as_root",
            Some(_) => "held_by_hidden_unit",
            None => "held_by_hidden",
        };
        teller.notice(sentence, &values);
    }
    if let Some(more) = hidden.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        teller.notice("left_out_more", &[("count", more.to_string())]);
    }
    !hidden.is_empty()
}

fn print_unowned_row(row: &Row, teller: &Console) {
    let why = row
        .no_owner_reason
        .and_then(|reason| teller.messages.no_owner(reason))
        .map_or(String::new(), |words| words.short.clone());
    teller.print_excluded(
        &socket_text(row),
        teller.message("no_owner", &[("reason", why)]),
    );
}

/// A socket by its ends.
fn socket_text(row: &Row) -> String {
    let socket = &row.socket;
    match socket.peer() {
        Some(peer) => format!("{} → {peer}", socket.local),
        None => socket.local.to_string(),
    }
}
