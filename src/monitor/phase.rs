//! Transition of one row from one table to the next: it appears, stays,
//! changes, closes. Pure rules, without the matching of sockets to rows.

use crate::model::owner::OwnerSpan;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use crate::model::time::Timestamp;
use std::time::Duration;

/// A socket and its owners as the present table has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketSample {
    pub(super) socket: Socket,
    pub(super) owners: OwnerSpan,
}

/// The time, and the duration for which a new or changed row is marked as such.
#[derive(Clone, Copy, Debug)]
pub(super) struct MarkTiming {
    pub(super) now: Timestamp,
    pub(super) highlight_for: Duration,
}

/// Returns the row of a socket that was there when watching began: not new, and
/// in its state for an unknown time.
pub(super) fn initial(sighting: SocketSample, now: Timestamp) -> Row {
    Row {
        socket: sighting.socket,
        owners: sighting.owners,
        no_owner_reason: None,
        last_owner: None,
        first_seen: now,
        state_since: now,
        saw_state_entry: false,
        phase: Phase::Unchanged,
        severity: None,
        metrics: None,
    }
}

/// Returns the row of a socket that was not in the table before.
pub(super) fn appeared(sighting: SocketSample, now: Timestamp) -> Row {
    Row {
        saw_state_entry: true,
        phase: Phase::New,
        ..initial(sighting, now)
    }
}

/// Returns the row of a socket that was there before. `held_by` is its present
/// or last holder as of then.
pub(super) fn updated(
    before: &Row,
    held_by: Option<LastOwner>,
    sighting: SocketSample,
    moment: MarkTiming,
) -> Row {
    let last_owner = if sighting.owners.count == 0 {
        held_by
    } else {
        None
    };
    let same = Row {
        socket: sighting.socket,
        owners: sighting.owners,
        no_owner_reason: None,
        last_owner,
        severity: None,
        metrics: None,
        ..*before
    };
    if sighting.socket.state == before.socket.state {
        unmark(&same, moment)
    } else {
        Row {
            state_since: moment.now,
            saw_state_entry: true,
            phase: Phase::Changed {
                from: before.socket.state,
            },
            ..same
        }
    }
}

/// Returns the row of a missing socket that is open: its owners hold it as
/// before, unless it has lost or gained its inode.
pub(super) fn restored(
    missed: &Row,
    held_by: Option<LastOwner>,
    socket: Socket,
    moment: MarkTiming,
) -> Row {
    let owners = if socket.inode == missed.socket.inode {
        missed.owners
    } else {
        OwnerSpan::default()
    };
    Row {
        metrics: missed.metrics,
        ..updated(missed, held_by, SocketSample { socket, owners }, moment)
    }
}

/// Returns a row without its mark, if the time of the mark is over.
pub(super) fn unmark(row: &Row, moment: MarkTiming) -> Row {
    let marked_since = match row.phase {
        Phase::New => Some(row.first_seen),
        Phase::Changed { .. } => Some(row.state_since),
        Phase::Unchanged | Phase::Closed => None,
    };
    let stays = marked_since.is_some_and(|since| since.age(moment.now) < moment.highlight_for);
    Row {
        phase: if stays { row.phase } else { Phase::Unchanged },
        ..*row
    }
}

/// Returns the row of a socket that is gone from the table.
pub(super) fn closed(before: &Row, held_by: Option<LastOwner>) -> Row {
    Row {
        owners: OwnerSpan::default(),
        no_owner_reason: None,
        last_owner: held_by,
        phase: Phase::Closed,
        severity: None,
        metrics: None,
        ..*before
    }
}

/// True if a socket with the same key as a known row is the same connection.
///
/// A cookie never names two sockets. Addresses may: a new connection can take
/// those of one in `TIME_WAIT` (RFC 6191), and between two tables a connection
/// can end and another one begin. A different inode shows that, and so does a
/// state earlier in the lifecycle.
pub(super) fn is_same_connection(before: &Row, socket: &Socket) -> bool {
    if socket.cookie.is_some() {
        return true;
    }
    let inodes = (before.socket.inode, socket.inode);
    match (before.phase, inodes) {
        (_, (Some(old), Some(new))) if old != new => false,
        (Phase::Closed, (Some(_), Some(_))) => true,
        (Phase::Closed, _) => false,
        _ => lifecycle_stage(socket.state) >= lifecycle_stage(before.socket.state),
    }
}

/// Stage of a connection's lifecycle; it never goes back.
fn lifecycle_stage(state: State) -> u8 {
    match state {
        State::SynSent | State::SynReceived => 1,
        State::Established => 2,
        State::FinWait1
        | State::FinWait2
        | State::Closing
        | State::TimeWait
        | State::CloseWait
        | State::LastAck => 3,
        State::Listen
        | State::Closed
        | State::BoundInactive
        | State::Unconnected
        | State::Unknown(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{process_id, socket};
    use super::*;
    use std::num::NonZeroU32;

    fn sample(state: State, held: bool) -> SocketSample {
        SocketSample {
            socket: socket(1, state),
            owners: OwnerSpan {
                start: 0,
                count: u32::from(held),
            },
        }
    }

    fn at(hundredths: u32) -> MarkTiming {
        MarkTiming {
            now: Timestamp(hundredths),
            highlight_for: Duration::from_secs(3),
        }
    }

    #[test]
    fn nothing_is_new_when_watching_begins() {
        let row = initial(sample(State::Established, true), Timestamp(5));
        assert_eq!(row.phase, Phase::Unchanged);
        assert!(!row.saw_state_entry);
    }

    #[test]
    fn a_new_row_is_marked_for_three_seconds() {
        let seen = sample(State::Established, true);
        let row = appeared(seen, Timestamp(100));
        assert!(row.saw_state_entry);
        let soon = updated(&row, None, seen, at(399));
        assert_eq!(soon.phase, Phase::New);
        let later = updated(&soon, None, seen, at(400));
        assert_eq!(later.phase, Phase::Unchanged);
        assert_eq!(later.first_seen, Timestamp(100));
    }

    #[test]
    fn a_new_row_that_changes_is_a_changed_one() {
        let row = appeared(sample(State::SynSent, true), Timestamp(100));
        let row = updated(&row, None, sample(State::Established, true), at(150));
        let from = State::SynSent;
        assert_eq!(row.phase, Phase::Changed { from });
        assert_eq!(row.state_since, Timestamp(150));
        let row = updated(&row, None, sample(State::Established, true), at(450));
        assert_eq!(row.phase, Phase::Unchanged);
        assert_eq!(row.state_since, Timestamp(150));
    }

    #[test]
    fn the_last_owner_is_kept_once_nobody_holds_it() {
        let owner = Some(LastOwner::new(process_id(7)));
        let row = initial(sample(State::Established, true), Timestamp(0));
        let row = updated(&row, owner, sample(State::TimeWait, false), at(100));
        assert_eq!(row.last_owner, owner);
        let row = closed(&row, owner);
        assert_eq!(row.last_owner, owner);
        assert_eq!(row.phase, Phase::Closed);
        assert_eq!(row.no_owner_reason, None);
    }

    #[test]
    fn an_owner_found_again_is_no_last_owner() {
        let owner = Some(LastOwner::new(process_id(7)));
        let row = initial(sample(State::Established, false), Timestamp(0));
        let row = updated(&row, owner, sample(State::Established, true), at(100));
        assert_eq!(row.last_owner, None);
    }

    #[test]
    fn addresses_used_again_are_another_connection() {
        let cases = [
            (State::TimeWait, State::SynSent, false),
            (State::TimeWait, State::Established, false),
            (State::Established, State::SynReceived, false),
            (State::Established, State::Established, true),
            (State::SynSent, State::Established, true),
            (State::Established, State::TimeWait, true),
            (State::FinWait2, State::TimeWait, true),
        ];
        for (before, after, same) in cases {
            let row = initial(sample(before, false), Timestamp(0));
            let mut next = socket(1, after);
            next.inode = None;
            assert_eq!(is_same_connection(&row, &next), same, "{before} {after}");
            next.cookie = std::num::NonZeroU64::new(9);
            assert!(is_same_connection(&row, &next), "{before} {after}");
        }
    }

    #[test]
    fn another_inode_is_another_connection() {
        let row = initial(sample(State::Established, true), Timestamp(0));
        let mut next = row.socket;
        assert!(is_same_connection(&row, &next));
        assert!(is_same_connection(&closed(&row, None), &next));
        next.inode = NonZeroU32::new(99);
        assert!(!is_same_connection(&row, &next));
        next.inode = None;
        assert!(is_same_connection(&row, &next));
        assert!(!is_same_connection(&closed(&row, None), &next));
    }
}
