//! The lab's lessons with real sockets: every key leads where its label says,
//! and every chapter of the tour shows what its text says.

use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use super::watch::Watch;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use tcplens::explain::lab_actions::{lab_actions, resulting_state};
use tcplens::lab::session::LabSession;
use tcplens::lab::{DeviceChoice, LabError};
use tcplens::model::lab::{CHAPTER_STATES, LabAction, LabMode, LabRequest};
use tcplens::model::observation::Observation;
use tcplens::model::owner::NoOwnerReason;
use tcplens::model::row::{Phase, Row};
use tcplens::model::socket::SocketKey;
use tcplens::model::state::State;
use tcplens::source::SourceChoice;

fn wish(what: LabAction, row: &Row) -> LabRequest {
    LabRequest {
        action: what,
        protocol: row.socket.protocol,
        local: row.socket.local,
        remote: row.socket.peer(),
    }
}

fn present(seen: &Observation) -> impl Iterator<Item = &Row> {
    seen.rows.iter().filter(|row| row.phase != Phase::Closed)
}

fn state(seen: &Observation, key: SocketKey) -> Option<State> {
    let mut rows = present(seen).filter(|row| row.socket.key() == key);
    rows.next().map(|row| row.socket.state)
}

pub(crate) fn lead_where_their_labels_say(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut lesson = LabSession::start(namespace, DeviceChoice::Auto, LabMode::States).unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let all = states(&watch.look());
    assert_eq!(all.len(), 12, "one of each: {all:?}");
    let mut tried = BTreeSet::new();
    let untried = |seen: &Observation, tried: &BTreeSet<(String, &str)>| {
        let rows = present(seen)
            .flat_map(|row| lab_actions(row).into_iter().map(move |what| (*row, what)));
        // What waits at a listener goes with it: so that comes last.
        let last = |(row, what): &(Row, LabAction)| {
            row.socket.state == State::Listen && *what == LabAction::ProgramCloses
        };
        rows.filter(|(row, what)| !tried.contains(&name(row, *what)))
            .min_by_key(last)
    };
    while let Some((row, what)) = untried(&watch.look(), &tried) {
        tried.insert(name(&row, what));
        let to = resulting_state(what, &row);
        lesson
            .perform(&wish(what, &row))
            .unwrap_or_else(|error| panic!("{what:?} in {}: {error}", row.socket.state));
        if let Some(to) = to {
            let told = format!("{} after {what:?}: {to}", row.socket.state);
            watch.until(&told, |seen| {
                let now = state(seen, row.socket.key());
                (now.unwrap_or(State::Closed) == to).then_some(())
            });
        }
        watch.until(&format!("what {what:?} does"), |seen| {
            has_happened(what, &row, seen).then_some(())
        });
        lesson.perform(&wish(LabAction::SetUpAgain, &row)).unwrap();
        watch.until("every state again", |seen| {
            states(seen).is_superset(&all).then_some(())
        });
    }
    println!("{} moves lead where they should", tried.len());
    assert!(tried.len() >= 40, "{tried:?}");
    Ok(())
}

fn states(seen: &Observation) -> BTreeSet<&'static str> {
    present(seen).map(|row| row.socket.state.word()).collect()
}

/// Kills whoever holds the socket of a row, and nobody else.
fn kill_owner(seen: &Observation, row: &Row) {
    let pid = seen.first_owner(row).unwrap().pid;
    assert_ne!(pid, std::process::id());
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

fn listener(seen: &Observation) -> Option<Row> {
    let mut rows = present(seen).filter(|row| row.socket.state == State::Listen);
    rows.find(|row| seen.first_owner(row).is_some()).copied()
}

/// Killed again and again, the stage is set each time beside what the kernel keeps
/// of the former ones; and what is set up then can be led on.
pub(crate) fn begin_anew_once_their_program_is_ended(
    namespace: &LabNamespace,
) -> Result<(), NotHere> {
    for choice in [DeviceChoice::Auto, DeviceChoice::Pair] {
        is_set_up_again(namespace, choice);
    }
    Ok(())
}

fn is_set_up_again(namespace: &LabNamespace, choice: DeviceChoice) {
    let mut lesson = LabSession::start(namespace, choice, LabMode::States).unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let all = states(&watch.look());
    let mut left = 0;
    for _ in 0..2 {
        assert!(lesson.is_running());
        let door = watch.until("a listener with its owner", listener);
        kill_owner(&watch.look(), &door);
        wait_for("the end of the program", || {
            (!lesson.is_running()).then_some(())
        });
        let gone = lesson
            .perform(&wish(LabAction::ClientKnocks, &door))
            .unwrap_err();
        assert!(matches!(gone, LabError::HelperGone), "{gone}");
        left += watch.until("what the kernel keeps", |seen| {
            let kept = present(seen).count();
            listener(seen).is_none().then_some(kept)
        });
        lesson.perform(&wish(LabAction::SetUpAgain, &door)).unwrap();
        watch.until("every state again", |seen| {
            states(seen).is_superset(&all).then_some(())
        });
        let opening = watch.until("a held SYN_SENT", |seen| {
            let mut rows = present(seen).filter(|row| row.socket.state == State::SynSent);
            rows.find(|row| row.socket.inode.is_some()).copied()
        });
        lesson
            .perform(&wish(LabAction::PeerAnswers, &opening))
            .unwrap();
        watch.until("the handshake", |seen| {
            let now = state(seen, opening.socket.key());
            (now == Some(State::Established)).then_some(())
        });
    }
    println!("{choice:?}: {left} rows were left behind in two times");
}

pub(crate) fn tour_begins_anew(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut lesson = LabSession::start(namespace, DeviceChoice::Auto, LabMode::Tour).unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let door = |watch: &mut Watch| watch.until("a listener with its owner", listener);
    let nobody = LabRequest {
        action: LabAction::Next,
        protocol: tcplens::model::protocol::Protocol::Tcp,
        local: tcplens::model::endpoint::Endpoint::default(),
        remote: None,
    };
    let anew = LabRequest {
        action: LabAction::SetUpAgain,
        ..nobody
    };
    for _ in 0..2 {
        for _ in 0..2 {
            lesson.perform(&nobody).unwrap();
        }
        let server = door(&mut watch);
        kill_owner(&watch.look(), &server);
        wait_for("the end of the server", || {
            (!lesson.is_running()).then_some(())
        });
        let gone = lesson.perform(&nobody).unwrap_err();
        assert!(matches!(gone, LabError::HelperGone), "{gone}");
        lesson.perform(&anew).unwrap();
    }
    // Also while all its programs run.
    lesson.perform(&nobody).unwrap();
    let first = door(&mut watch);
    lesson.perform(&anew).unwrap();
    lesson.perform(&nobody).unwrap();
    watch.until("another server on the same port", |seen| {
        let now = listener(seen)?;
        let same = now.socket.local == first.socket.local;
        (same && now.socket.key() != first.socket.key()).then_some(())
    });
    Ok(())
}

/// Whether a move shows that leads to no other state.
fn has_happened(what: LabAction, before: &Row, seen: &Observation) -> bool {
    let now = present(seen).find(|row| row.socket.key() == before.socket.key());
    let callers = present(seen).filter(|row| {
        let came_later = row.first_seen > before.first_seen;
        row.socket.local == before.socket.local && row.socket.peer().is_some() && came_later
    });
    let mut callers = callers.map(|row| row.socket.state);
    let queue = |row: &Row| row.socket.recv_queue;
    match (what, now) {
        (LabAction::ClientKnocks, _) => callers.any(|state| state == State::SynReceived),
        (LabAction::ClientConnects, _) => callers.any(|state| state == State::Established),
        (LabAction::ProgramAccepts, Some(now)) if before.socket.peer().is_none() => {
            queue(now) < queue(before)
        }
        (LabAction::ProgramAccepts, Some(now)) => now.socket.inode.is_some(),
        // An orphan that has shrunk answers them with a reset.
        (LabAction::PeerSends, now) => now.is_none_or(|now| queue(now) > queue(before)),
        (LabAction::ProgramReads, Some(now)) => queue(now) < queue(before),
        (LabAction::ProgramSends, Some(now)) => now.socket.send_queue > before.socket.send_queue,
        _ => true,
    }
}

/// What a move is tried from.
fn name(row: &Row, what: LabAction) -> (String, &'static str) {
    let waits = row.no_owner_reason == Some(NoOwnerReason::AcceptQueue);
    let held = row.socket.inode.is_some();
    // One listener is not as another.
    let door = match row.socket.state {
        State::Listen => row.socket.local.port,
        _ => 0,
    };
    (
        format!("{} {waits} {held} {door}", row.socket.state),
        what.key(),
    )
}

/// A chapter, a state, and how many rows there are in it then.
type Shown = (usize, State, fn(usize) -> bool);

pub(crate) fn tour_shows_what_it_says(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut lesson = LabSession::start(namespace, DeviceChoice::Auto, LabMode::Tour).unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let next = LabRequest {
        action: LabAction::Next,
        protocol: tcplens::model::protocol::Protocol::Tcp,
        local: tcplens::model::endpoint::Endpoint::default(),
        remote: None,
    };
    let count = |seen: &Observation, state| {
        present(seen)
            .filter(|row| row.socket.state == state)
            .count()
    };
    let unread = |seen: &Observation| {
        present(seen)
            .map(|row| row.socket.recv_queue)
            .max()
            .unwrap_or(0)
    };
    let expected: [Shown; 10] = [
        (1, State::Listen, |rows| rows == 1),
        (2, State::Established, |rows| rows == 2),
        (3, State::Established, |rows| rows == 2),
        (4, State::Established, |rows| rows == 2),
        (5, State::Established, |rows| rows == 2),
        (6, State::CloseWait, |rows| rows == 1),
        (7, State::TimeWait, |rows| rows == 1),
        (8, State::SynReceived, |rows| rows > 60),
        (9, State::CloseWait, |rows| rows == 40),
        (10, State::CloseWait, |rows| rows == 0),
    ];
    assert_eq!(expected.len(), CHAPTER_STATES.len() - 1);
    for (chapter, state, fits) in expected {
        lesson.perform(&next).unwrap();
        if chapter == 6 {
            // No table may show what the text calls past.
            assert_eq!(count(&watch.look(), State::FinWait1), 0);
        }
        watch.until(&format!("chapter {chapter}"), |seen| {
            let bytes = match chapter {
                4 => unread(seen) == 100,
                3 | 5 => unread(seen) == 0,
                _ => true,
            };
            (fits(count(seen, state)) && bytes).then_some(())
        });
    }
    lesson.perform(&next).unwrap_err();
    Ok(())
}
