//! Catalogue of the sockets that can be parked.

use super::address_kind::AddressKind;
use crate::model::protocol::Protocol;
use crate::model::state::State;
use serde::{Deserialize, Serialize};

/// A situation that a socket can be left in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RigSocketKind {
    /// Bound to a port, and nothing more.
    Bound,
    /// Waits for connections on one address.
    Listens,
    /// Waits on every address.
    ListenerAnywhere,
    /// Two listeners on one port (`SO_REUSEPORT`).
    PortShared,
    /// A listener that two processes hold.
    ListenerShared,
    /// A listener with more finished connections than may wait.
    QueueFull,
    /// The peer does not answer.
    SynSent,
    /// The peer's third segment never comes.
    SynReceived,
    /// Open and idle.
    Established,
    /// Open, held by two processes.
    EstablishedShared,
    /// Open, but no program has accepted it.
    EstablishedUnaccepted,
    /// The peer has sent data that no program reads.
    EstablishedUnread,
    /// The peer does not acknowledge data.
    EstablishedUnacknowledged,
    /// The peer's window is closed: bytes wait to be sent.
    EstablishedBlocked,
    /// Shut down; the FIN is not acknowledged.
    FinWait1,
    /// `FIN_WAIT_1`, closed: no program holds it.
    FinWait1Orphan,
    /// Shut down and acknowledged; the peer does not close.
    FinWait2,
    /// `FIN_WAIT_2`, closed: an orphan of the kernel.
    FinWait2Orphan,
    /// `FIN_WAIT_2` as the kernel keeps it by default: shrunk to the size of
    /// `TIME_WAIT`. It lasts a minute.
    FinWait2Shrunk,
    /// Both have shut down at once; the ACK of our FIN is missing.
    Closing,
    /// `CLOSING`, closed.
    ClosingOrphan,
    /// All is done; the kernel waits for late segments. It lasts a minute,
    /// again and again as long as the [rig](super::rig::Rig) is kept up.
    TimeWait,
    /// The peer has closed, the program here has not.
    CloseWait,
    /// `CLOSE_WAIT` with unread bytes.
    CloseWaitUnread,
    /// `CLOSE_WAIT` of a connection that no program has accepted.
    CloseWaitUnaccepted,
    /// Shut down after the peer; the FIN is not acknowledged.
    LastAck,
    /// `LAST_ACK`, closed.
    LastAckOrphan,
    /// UDP, for datagrams from anyone, with some unread.
    Datagrams,
    /// UDP with one peer, with datagrams unread.
    DatagramsConnected,
}

impl RigSocketKind {
    /// All kinds, in the order of a connection's life.
    pub const ALL: [Self; 29] = [
        Self::Bound,
        Self::Listens,
        Self::ListenerAnywhere,
        Self::PortShared,
        Self::ListenerShared,
        Self::QueueFull,
        Self::SynSent,
        Self::SynReceived,
        Self::Established,
        Self::EstablishedShared,
        Self::EstablishedUnaccepted,
        Self::EstablishedUnread,
        Self::EstablishedUnacknowledged,
        Self::EstablishedBlocked,
        Self::FinWait1,
        Self::FinWait1Orphan,
        Self::FinWait2,
        Self::FinWait2Orphan,
        Self::FinWait2Shrunk,
        Self::Closing,
        Self::ClosingOrphan,
        Self::TimeWait,
        Self::CloseWait,
        Self::CloseWaitUnread,
        Self::CloseWaitUnaccepted,
        Self::LastAck,
        Self::LastAckOrphan,
        Self::Datagrams,
        Self::DatagramsConnected,
    ];

    /// The state a socket of this kind is in.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Self::Bound => State::BoundInactive,
            Self::Listens
            | Self::ListenerAnywhere
            | Self::PortShared
            | Self::ListenerShared
            | Self::QueueFull => State::Listen,
            Self::SynSent => State::SynSent,
            Self::SynReceived => State::SynReceived,
            Self::Established
            | Self::EstablishedShared
            | Self::EstablishedUnaccepted
            | Self::EstablishedUnread
            | Self::EstablishedUnacknowledged
            | Self::EstablishedBlocked
            | Self::DatagramsConnected => State::Established,
            Self::FinWait1 | Self::FinWait1Orphan => State::FinWait1,
            Self::FinWait2 | Self::FinWait2Orphan | Self::FinWait2Shrunk => State::FinWait2,
            Self::Closing | Self::ClosingOrphan => State::Closing,
            Self::TimeWait => State::TimeWait,
            Self::CloseWait | Self::CloseWaitUnread | Self::CloseWaitUnaccepted => State::CloseWait,
            Self::LastAck | Self::LastAckOrphan => State::LastAck,
            Self::Datagrams => State::Unconnected,
        }
    }

    /// Its transport.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Datagrams | Self::DatagramsConnected => Protocol::Udp,
            _ => Protocol::Tcp,
        }
    }

    /// True if it is possible on this path: the unspecified address is not
    /// link-local.
    #[must_use]
    pub fn supports(self, path: AddressKind) -> bool {
        !(self == Self::ListenerAnywhere && path == AddressKind::LinkLocal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_closed_is_in_the_catalogue() {
        for state in State::ALL {
            let there = RigSocketKind::ALL.iter().any(|kind| kind.state() == state);
            assert_eq!(there, state != State::Closed, "{state}");
        }
    }

    #[test]
    fn nothing_is_in_the_catalogue_twice() {
        let mut all = RigSocketKind::ALL.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), RigSocketKind::ALL.len());
    }
}
