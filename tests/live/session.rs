//! The classic session, watched: a server appears, a client connects, both
//! close, and the kernel keeps what is left.

use super::namespace::{LabNamespace, NotHere};
use super::watch::{Watch, row};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use tcplens::model::observation::Observation;
use tcplens::model::owner::NoOwnerReason;
use tcplens::model::row::{Phase, Row};
use tcplens::model::state::State;
use tcplens::source::SourceChoice;

pub(crate) fn is_followed_through_its_states(_: &LabNamespace) -> Result<(), NotHere> {
    for source in [SourceChoice::SockDiag, SourceChoice::Proc] {
        follow(source);
    }
    Ok(())
}

fn follow(source: SourceChoice) {
    let mut watch = Watch::begin(source);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let seen = watch.look();
    let listening = row(&seen, at, None).unwrap();
    assert_eq!(listening.socket.state, State::Listen);
    assert_eq!(listening.phase, Phase::New);
    assert_ours(&seen, &listening);

    let client = TcpStream::connect(at).unwrap();
    let from = client.local_addr().unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let seen = watch.look();
    for (local, remote) in [(from, at), (at, from)] {
        let open = row(&seen, local, Some(remote)).unwrap();
        assert_eq!(open.socket.state, State::Established);
        assert_eq!((open.phase, open.no_owner_reason), (Phase::New, None));
        assert_ours(&seen, &open);
    }

    // The client closes: its side waits for the peer, which no program of ours
    // holds any more.
    drop(client);
    let half = changed(&mut watch, from, at, State::FinWait2);
    // A table may fall between the FIN and its acknowledgement.
    let before = [State::Established, State::FinWait1];
    assert!(before.map(from_state).contains(&half.0.phase), "{half:?}");
    assert_eq!(half.0.no_owner_reason, Some(NoOwnerReason::Orphan));
    assert_last_ours(&half.1, &half.0);
    let waiting = changed(&mut watch, at, from, State::CloseWait);
    assert_eq!(waiting.0.phase, from_state(State::Established));
    assert_eq!(waiting.0.socket.recv_queue, 1, "the FIN");
    assert_ours(&waiting.1, &waiting.0);

    // The server closes, too: its side is gone, the client's waits in the
    // kernel.
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    drop(server);
    let left = changed(&mut watch, from, at, State::TimeWait);
    assert_eq!(left.0.phase, from_state(State::FinWait2));
    assert_eq!(left.0.no_owner_reason, Some(NoOwnerReason::TimeWait));
    assert_eq!(left.0.socket.inode, None);
    assert_eq!(
        left.0.socket.known_uid(),
        None,
        "the kernel's 0 is not root"
    );
    assert_last_ours(&left.1, &left.0);
    let closed = watch.until("the server's side closed", |seen| {
        let row = row(seen, at, Some(from))?;
        (row.phase == Phase::Closed).then(|| (row, seen.clone()))
    });
    assert_eq!(closed.0.no_owner_reason, None);
    assert_last_ours(&closed.1, &closed.0);

    drop(listener);
    watch.until("the listener closed", |seen| {
        let row = row(seen, at, None)?;
        (row.phase == Phase::Closed).then_some(())
    });
    watch.until("closed rows gone", |seen| {
        let none = row(seen, at, None).is_none() && row(seen, at, Some(from)).is_none();
        none.then_some(())
    });
    let seen = watch.look();
    let left = row(&seen, from, Some(at)).unwrap();
    assert_eq!(left.socket.state, State::TimeWait, "it stays for a minute");
    println!("{source:?}: seen new, changed, closed and gone");
}

fn from_state(from: State) -> Phase {
    Phase::Changed { from }
}

/// Watches until a connection is in a state.
fn changed(
    watch: &mut Watch,
    local: SocketAddr,
    remote: SocketAddr,
    state: State,
) -> (Row, Observation) {
    watch.until(state.word(), |seen| {
        let row = row(seen, local, Some(remote))?;
        (row.socket.state == state).then(|| (row, seen.clone()))
    })
}

fn assert_ours(seen: &Observation, row: &Row) {
    let owners: Vec<u32> = seen.owners(row).map(|(owner, _)| owner.pid).collect();
    assert_eq!(owners, [std::process::id()]);
}

fn assert_last_ours(seen: &Observation, row: &Row) {
    assert_eq!(seen.owners(row).count(), 0);
    let last = seen.last_owner(row).map(|owner| owner.pid);
    assert_eq!(last, Some(std::process::id()));
}
