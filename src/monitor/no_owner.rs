//! Reason why a socket has no owner: never just "unknown".

use super::table_stats::TableStats;
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::owner::{NoOwnerReason, OwnerSearch};
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;

/// Extent of the search for the owner of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerSearchState {
    /// Readable processes are left.
    Pending,
    /// All readable processes; some are not readable.
    Partial,
    /// All processes.
    Complete,
}

/// Sets the reason of each row without an owner; returns the number of those
/// hidden for want of permission.
pub(super) fn assign_no_owner_reasons(
    rows: &mut [Row],
    stats: &TableStats,
    search: OwnerSearch,
) -> u64 {
    let mut hidden = 0;
    for number in &stats.ownerless {
        let place = *number as usize;
        let Some(row) = rows.get(place).filter(|row| row.phase != Phase::Closed) else {
            continue;
        };
        let has_listener = || stats.listeners.any_match(rows, &row.socket);
        let searched = match (row.owners.is_pending(), search.covers_user(row.socket.uid)) {
            (true, _) => OwnerSearchState::Pending,
            (false, true) => OwnerSearchState::Complete,
            (false, false) => OwnerSearchState::Partial,
        };
        let why = reason(&row.socket, has_listener, searched);
        hidden += u64::from(why == NoOwnerReason::Hidden);
        rows[place].no_owner_reason = Some(why);
    }
    hidden
}

/// Returns the reason why a socket has no owner.
///
/// `has_listener` returns true if a listener accepts connections to its local
/// address, and is called only if it matters. Treatment of ownerless sockets by
/// the kernel: `net/ipv4/inet_connection_sock.c` (requests, accept queue) and
/// `tcp_close` in `net/ipv4/tcp.c` (orphans).
pub(super) fn reason(
    socket: &Socket,
    has_listener: impl Fn() -> bool,
    searched: OwnerSearchState,
) -> NoOwnerReason {
    match (socket.state, socket.inode) {
        (State::TimeWait, _) => NoOwnerReason::TimeWait,
        (_, Some(_)) => match searched {
            OwnerSearchState::Pending => NoOwnerReason::Pending,
            OwnerSearchState::Partial => NoOwnerReason::Hidden,
            OwnerSearchState::Complete => NoOwnerReason::Kernel,
        },
        (State::SynReceived, None) => NoOwnerReason::ListenerRequest,
        (State::Established | State::CloseWait, None) if has_listener() => {
            NoOwnerReason::AcceptQueue
        }
        (_, None) => NoOwnerReason::Orphan,
    }
}

/// Returns the gap of `hidden` rows whose owner could not be searched, unless
/// the source has counted them itself.
pub(super) fn hidden_owners_gap(hidden: u64, known: &[Gap]) -> Option<Gap> {
    let counted = known.iter().any(|gap| gap.kind == GapKind::OwnersHidden);
    if hidden == 0 || counted {
        return None;
    }
    let of_processes = known.iter().filter(|gap| gap.kind.concerns_processes());
    let reasons: Vec<GapReason> = of_processes.map(|gap| gap.reason).collect();
    let telling = [
        GapReason::NoProc,
        GapReason::DescriptorLimit,
        GapReason::BudgetExceeded,
        GapReason::Hidepid,
    ];
    let reason = telling.into_iter().find(|one| reasons.contains(one));
    Some(Gap {
        kind: GapKind::OwnersHidden,
        count: hidden,
        reason: reason.unwrap_or(GapReason::Permission),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::socket;
    use super::*;

    #[test]
    fn every_row_without_an_owner_has_its_reason() {
        use State as S;
        // State, has an inode, has a listener, all processes could be read.
        let cases = [
            (S::TimeWait, false, false, true, NoOwnerReason::TimeWait),
            (S::TimeWait, false, true, false, NoOwnerReason::TimeWait),
            (
                S::SynReceived,
                false,
                true,
                true,
                NoOwnerReason::ListenerRequest,
            ),
            (
                S::SynReceived,
                false,
                false,
                true,
                NoOwnerReason::ListenerRequest,
            ),
            (S::SynReceived, true, false, true, NoOwnerReason::Kernel),
            (
                S::Established,
                false,
                true,
                true,
                NoOwnerReason::AcceptQueue,
            ),
            (S::CloseWait, false, true, false, NoOwnerReason::AcceptQueue),
            (S::Established, false, false, true, NoOwnerReason::Orphan),
            (S::CloseWait, false, false, true, NoOwnerReason::Orphan),
            (S::FinWait1, false, true, true, NoOwnerReason::Orphan),
            (S::FinWait2, false, false, true, NoOwnerReason::Orphan),
            (S::Closing, false, false, false, NoOwnerReason::Orphan),
            (S::LastAck, false, true, true, NoOwnerReason::Orphan),
            (S::Established, true, true, false, NoOwnerReason::Hidden),
            (S::Listen, true, true, false, NoOwnerReason::Hidden),
            (S::Unconnected, true, false, false, NoOwnerReason::Hidden),
            (S::Established, true, true, true, NoOwnerReason::Kernel),
            (S::Unconnected, true, false, true, NoOwnerReason::Kernel),
        ];
        for (state, has_inode, listener, complete, expected) in cases {
            let mut bare = socket(1, state);
            if !has_inode {
                bare.inode = None;
            }
            let searched = if complete {
                OwnerSearchState::Complete
            } else {
                OwnerSearchState::Partial
            };
            let found = reason(&bare, || listener, searched);
            assert_eq!(found, expected, "{state} inode {has_inode} {listener}");
        }
    }

    #[test]
    fn nobody_is_called_missing_before_the_search_is_over() {
        let held = socket(1, State::Established);
        let found = reason(&held, || true, OwnerSearchState::Pending);
        assert_eq!(found, NoOwnerReason::Pending);
    }

    #[test]
    fn hidden_owners_are_counted_once_and_with_their_reason() {
        let unreadable = |reason| Gap {
            kind: GapKind::ProcessesUnreadable,
            count: 3,
            reason,
        };
        assert_eq!(hidden_owners_gap(0, &[]), None);
        let plain = hidden_owners_gap(5, &[unreadable(GapReason::Permission)]).unwrap();
        assert_eq!((plain.count, plain.reason), (5, GapReason::Permission));
        let limited = hidden_owners_gap(5, &[unreadable(GapReason::DescriptorLimit)]).unwrap();
        assert_eq!(limited.reason, GapReason::DescriptorLimit);
        let waiting = [
            unreadable(GapReason::Permission),
            unreadable(GapReason::BudgetExceeded),
        ];
        assert_eq!(
            hidden_owners_gap(5, &waiting).unwrap().reason,
            GapReason::BudgetExceeded
        );
        assert_eq!(hidden_owners_gap(5, &[plain]), None);
        let hidepid = Gap {
            kind: GapKind::ProcessesHidden,
            count: 1,
            reason: GapReason::Hidepid,
        };
        assert_eq!(
            hidden_owners_gap(5, &[hidepid]).unwrap().reason,
            GapReason::Hidepid
        );
        let missing = Gap {
            kind: GapKind::ProcMissing,
            count: 1,
            reason: GapReason::NoProc,
        };
        assert_eq!(
            hidden_owners_gap(5, &[missing]).unwrap().reason,
            GapReason::NoProc
        );
    }
}
