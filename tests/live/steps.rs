//! The far end is told the next step of a connection, and the table shows
//! where that leads: the state machine of RFC 9293, walked on purpose.

use super::namespace::{Namespace, NotHere};
use super::watch::Watch;
use tcplens::lab::DeviceChoice;
use tcplens::lab::far_end::Step;
use tcplens::lab::kind::Kind;
use tcplens::lab::parked::Parked;
use tcplens::lab::path::Path;
use tcplens::lab::rig::Rig;
use tcplens::model::observation::Observation;
use tcplens::model::row::Phase;
use tcplens::model::state::State;
use tcplens::source::SourceChoice;

/// What is parked, what its peer does, and the state after it; none where the
/// socket is gone.
const STEPS: [(Kind, Step, Option<State>); 14] = [
    (Kind::SynSent, Step::AnswerSyn, Some(State::Established)),
    (Kind::SynSent, Step::Reset, None),
    (
        Kind::SynReceived,
        Step::Acknowledge,
        Some(State::Established),
    ),
    (Kind::Established, Step::Finish, Some(State::CloseWait)),
    (Kind::Established, Step::Reset, None),
    (Kind::FinWait1, Step::Acknowledge, Some(State::FinWait2)),
    (Kind::FinWait1, Step::FinishCrossing, Some(State::Closing)),
    (Kind::FinWait1, Step::Finish, Some(State::TimeWait)),
    (Kind::FinWait2, Step::Finish, Some(State::TimeWait)),
    (Kind::FinWait2Orphan, Step::Finish, Some(State::TimeWait)),
    // What it has not heard of an orphan any more, it resets.
    (Kind::FinWait2Orphan, Step::Send(1), None),
    (Kind::Closing, Step::Acknowledge, Some(State::TimeWait)),
    (Kind::LastAckOrphan, Step::Acknowledge, None),
    (Kind::TimeWait, Step::FinishAgain, Some(State::TimeWait)),
];

pub(crate) fn lead_where_the_rfc_says(namespace: &Namespace) -> Result<(), NotHere> {
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    for path in Path::ALL {
        for (kind, step, after) in STEPS {
            rig.park(kind, path).unwrap();
            let number = rig.parked().len() - 1;
            let parked = rig.parked()[number].clone();
            watch.until("the state that was parked", |seen| {
                (state(seen, &parked) == Some(kind.state())).then_some(())
            });
            assert!(rig.tell(number, step), "{parked:?}");
            watch.until(&format!("{kind:?} after {step:?}: {after:?}"), |seen| {
                (state(seen, &parked) == after).then_some(())
            });
        }
        println!("{}: {} steps", path.word(), STEPS.len());
    }
    Ok(())
}

/// What nobody holds would keep the namespace alive after the lab: so a rig that
/// is put away leaves nothing but what the kernel forgets with the namespace.
pub(crate) fn end_with_the_rig(namespace: &Namespace) -> Result<(), NotHere> {
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    rig.park_everything().unwrap();
    let parked = rig.parked().len();
    drop(rig);
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    watch.until("a table without orphans", |seen| {
        let mut rows = seen.rows.iter().filter(|row| row.phase != Phase::Closed);
        rows.all(|row| row.socket.state == State::TimeWait)
            .then_some(())
    });
    println!("of {parked} sockets none is left but records");
    Ok(())
}

/// The state of a parked socket now.
fn state(seen: &Observation, parked: &Parked) -> Option<State> {
    let (local, remote) = parked.ends();
    let mut rows = seen.rows.iter();
    let row = rows.find(|row| row.socket.local == local && row.socket.peer() == remote)?;
    (row.phase != Phase::Closed).then_some(row.socket.state)
}
