//! The way of one connection from its SYN to TIME_WAIT, as the kernel told it.

use super::events::Watch;
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use std::net::{TcpListener, TcpStream};
use tcplens::model::event_history::{TimePrecision, TimelineStep};
use tcplens::model::socket::Socket;
use tcplens::model::state::State;

/// The client's row once it is in a state, with its way.
fn in_state(watch: &mut Watch, ports: (u16, u16), state: State) -> (Socket, Vec<TimelineStep>) {
    wait_for("the state in a table", || {
        let seen = watch.look();
        let row = seen.rows.iter().find(|row| {
            (row.socket.local.port, row.socket.remote.port) == ports && row.socket.state == state
        })?;
        watch.follow(&[row.socket]);
        let seen = watch.look();
        let way = seen.event_history.timeline(&row.socket.key())?;
        Some((row.socket, way.steps.clone()))
    })
}

pub(crate) fn is_followed_to_time_wait(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut watch = Watch::begin(address.port())?;
    let client = TcpStream::connect(address).unwrap();
    let (served, _) = listener.accept().unwrap();
    let ports = (client.local_addr().unwrap().port(), address.port());
    let (_, opened) = in_state(&mut watch, ports, State::Established);
    drop(client);
    // The kernel lets go of the full socket here, and waits for the peer.
    let (_, waiting) = in_state(&mut watch, ports, State::FinWait2);
    drop(served);
    let (_, closed) = in_state(&mut watch, ports, State::TimeWait);
    let states =
        |steps: &[TimelineStep]| -> Vec<State> { steps.iter().map(|step| step.state).collect() };
    let whole = [
        State::SynSent,
        State::Established,
        State::FinWait1,
        State::FinWait2,
        State::TimeWait,
    ];
    println!("{closed:?}");
    assert_eq!(states(&opened), whole[..2]);
    assert_eq!(states(&waiting), whole[..4]);
    assert_eq!(states(&closed), whole);
    assert!(
        closed[..4]
            .iter()
            .all(|step| step.precision == TimePrecision::Exact)
    );
    assert_eq!(closed[4].precision, TimePrecision::FirstSeen);
    assert!(closed.is_sorted_by_key(|step| step.since_us));
    Ok(())
}
