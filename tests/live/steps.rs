//! The far end is told the next step of a connection, and the table shows
//! where that leads: the state machine of RFC 9293, walked on purpose.

use super::namespace::{LabNamespace, NotHere};
use super::watch::Watch;
use tcplens::lab::DeviceChoice;
use tcplens::lab::address_kind::AddressKind;
use tcplens::lab::peer::PeerStep;
use tcplens::lab::rig::Rig;
use tcplens::lab::rig_socket::RigSocket;
use tcplens::lab::socket_kind::RigSocketKind;
use tcplens::model::observation::Observation;
use tcplens::model::row::Phase;
use tcplens::model::state::State;
use tcplens::source::SourceChoice;

/// What is parked, what its peer does, and the state after it; none where the
/// socket is gone.
const STEPS: [(RigSocketKind, PeerStep, Option<State>); 14] = [
    (
        RigSocketKind::SynSent,
        PeerStep::SynAck,
        Some(State::Established),
    ),
    (RigSocketKind::SynSent, PeerStep::Rst, None),
    (
        RigSocketKind::SynReceived,
        PeerStep::Ack,
        Some(State::Established),
    ),
    (
        RigSocketKind::Established,
        PeerStep::FinAck,
        Some(State::CloseWait),
    ),
    (RigSocketKind::Established, PeerStep::Rst, None),
    (
        RigSocketKind::FinWait1,
        PeerStep::Ack,
        Some(State::FinWait2),
    ),
    (
        RigSocketKind::FinWait1,
        PeerStep::CrossingFin,
        Some(State::Closing),
    ),
    (
        RigSocketKind::FinWait1,
        PeerStep::FinAck,
        Some(State::TimeWait),
    ),
    (
        RigSocketKind::FinWait2,
        PeerStep::FinAck,
        Some(State::TimeWait),
    ),
    (
        RigSocketKind::FinWait2Orphan,
        PeerStep::FinAck,
        Some(State::TimeWait),
    ),
    // What it has not heard of an orphan any more, it resets.
    (RigSocketKind::FinWait2Orphan, PeerStep::Data(1), None),
    (RigSocketKind::Closing, PeerStep::Ack, Some(State::TimeWait)),
    (RigSocketKind::LastAckOrphan, PeerStep::Ack, None),
    (
        RigSocketKind::TimeWait,
        PeerStep::RetransmitFin,
        Some(State::TimeWait),
    ),
];

pub(crate) fn lead_where_the_rfc_says(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    for path in AddressKind::ALL {
        for (kind, step, after) in STEPS {
            rig.create(kind, path).unwrap();
            let number = rig.sockets().len() - 1;
            let parked = rig.sockets()[number].clone();
            watch.until("the state that was parked", |seen| {
                (state(seen, &parked) == Some(kind.state())).then_some(())
            });
            assert!(rig.send_step(number, step), "{parked:?}");
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
pub(crate) fn end_with_the_rig(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    rig.create_all().unwrap();
    let parked = rig.sockets().len();
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
fn state(seen: &Observation, parked: &RigSocket) -> Option<State> {
    let (local, remote) = parked.endpoints();
    let mut rows = seen.rows.iter();
    let row = rows.find(|row| row.socket.local == local && row.socket.peer() == remote)?;
    (row.phase != Phase::Closed).then_some(row.socket.state)
}
