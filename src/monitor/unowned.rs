//! Reason why a socket has no owner: never just "unknown".

use super::census::Census;
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::owner::{OwnerSearch, Unowned};
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;

/// Extent of the search for the owner of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Searched {
    /// Readable processes are left.
    NotYet,
    /// All readable processes; some are not readable.
    InPart,
    /// All processes.
    Everywhere,
}

/// Sets the reason of each row without an owner; returns the number of those
/// hidden for want of permission.
pub(super) fn give_reasons(rows: &mut [Row], census: &Census, search: OwnerSearch) -> u64 {
    let mut hidden = 0;
    for number in &census.ownerless {
        let place = *number as usize;
        let Some(row) = rows.get(place).filter(|row| row.phase != Phase::Closed) else {
            continue;
        };
        let has_listener = || census.listeners.take(rows, &row.socket);
        let searched = match (row.owners.is_pending(), search.covers(row.socket.uid)) {
            (true, _) => Searched::NotYet,
            (false, true) => Searched::Everywhere,
            (false, false) => Searched::InPart,
        };
        let why = reason(&row.socket, has_listener, searched);
        hidden += u64::from(why == Unowned::Hidden);
        rows[place].unowned = Some(why);
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
    searched: Searched,
) -> Unowned {
    match (socket.state, socket.inode) {
        (State::TimeWait, _) => Unowned::TimeWait,
        (_, Some(_)) => match searched {
            Searched::NotYet => Unowned::Pending,
            Searched::InPart => Unowned::Hidden,
            Searched::Everywhere => Unowned::Kernel,
        },
        (State::SynReceived, None) => Unowned::ListenerRequest,
        (State::Established | State::CloseWait, None) if has_listener() => Unowned::AcceptQueue,
        (_, None) => Unowned::Orphan,
    }
}

/// Returns the gap of `hidden` rows whose owner could not be searched, unless
/// the source has counted them itself.
pub(super) fn gap(hidden: u64, known: &[Gap]) -> Option<Gap> {
    let counted = known.iter().any(|gap| gap.kind == GapKind::OwnersHidden);
    if hidden == 0 || counted {
        return None;
    }
    let of_processes = known.iter().filter(|gap| gap.kind.is_of_processes());
    let reasons: Vec<GapReason> = of_processes.map(|gap| gap.reason).collect();
    let telling = [
        GapReason::NoProc,
        GapReason::DescriptorLimit,
        GapReason::TooMuch,
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
            (S::TimeWait, false, false, true, Unowned::TimeWait),
            (S::TimeWait, false, true, false, Unowned::TimeWait),
            (S::SynReceived, false, true, true, Unowned::ListenerRequest),
            (S::SynReceived, false, false, true, Unowned::ListenerRequest),
            (S::SynReceived, true, false, true, Unowned::Kernel),
            (S::Established, false, true, true, Unowned::AcceptQueue),
            (S::CloseWait, false, true, false, Unowned::AcceptQueue),
            (S::Established, false, false, true, Unowned::Orphan),
            (S::CloseWait, false, false, true, Unowned::Orphan),
            (S::FinWait1, false, true, true, Unowned::Orphan),
            (S::FinWait2, false, false, true, Unowned::Orphan),
            (S::Closing, false, false, false, Unowned::Orphan),
            (S::LastAck, false, true, true, Unowned::Orphan),
            (S::Established, true, true, false, Unowned::Hidden),
            (S::Listen, true, true, false, Unowned::Hidden),
            (S::Unconnected, true, false, false, Unowned::Hidden),
            (S::Established, true, true, true, Unowned::Kernel),
            (S::Unconnected, true, false, true, Unowned::Kernel),
        ];
        for (state, has_inode, listener, complete, expected) in cases {
            let mut bare = socket(1, state);
            if !has_inode {
                bare.inode = None;
            }
            let searched = if complete {
                Searched::Everywhere
            } else {
                Searched::InPart
            };
            let found = reason(&bare, || listener, searched);
            assert_eq!(found, expected, "{state} inode {has_inode} {listener}");
        }
    }

    #[test]
    fn nobody_is_called_missing_before_the_search_is_over() {
        let held = socket(1, State::Established);
        let found = reason(&held, || true, Searched::NotYet);
        assert_eq!(found, Unowned::Pending);
    }

    #[test]
    fn hidden_owners_are_counted_once_and_with_their_reason() {
        let unreadable = |reason| Gap {
            kind: GapKind::ProcessesUnreadable,
            count: 3,
            reason,
        };
        assert_eq!(gap(0, &[]), None);
        let plain = gap(5, &[unreadable(GapReason::Permission)]).unwrap();
        assert_eq!((plain.count, plain.reason), (5, GapReason::Permission));
        let limited = gap(5, &[unreadable(GapReason::DescriptorLimit)]).unwrap();
        assert_eq!(limited.reason, GapReason::DescriptorLimit);
        let waiting = [
            unreadable(GapReason::Permission),
            unreadable(GapReason::TooMuch),
        ];
        assert_eq!(gap(5, &waiting).unwrap().reason, GapReason::TooMuch);
        assert_eq!(gap(5, &[plain]), None);
        let hidepid = Gap {
            kind: GapKind::ProcessesHidden,
            count: 1,
            reason: GapReason::Hidepid,
        };
        assert_eq!(gap(5, &[hidepid]).unwrap().reason, GapReason::Hidepid);
        let missing = Gap {
            kind: GapKind::ProcMissing,
            count: 1,
            reason: GapReason::NoProc,
        };
        assert_eq!(gap(5, &[missing]).unwrap().reason, GapReason::NoProc);
    }
}
