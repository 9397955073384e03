//! Actions of a learner in the lab: the next step of a socket's program, or of
//! its peer, which the lab plays.

use super::endpoint::Endpoint;
use super::protocol::Protocol;
use super::state::State;
use serde::{Deserialize, Serialize};

/// An action on a socket, or at its far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabAction {
    /// The peer answers the SYN with SYN+ACK.
    PeerAnswers,
    /// The peer acknowledges all it has received.
    PeerAcknowledges,
    /// The peer sends its FIN and acknowledges all it has received.
    PeerFinishes,
    /// The peer sends its FIN before it has received this end's FIN.
    PeerFinishesCrossing,
    /// The peer repeats its FIN, as if this end's last ACK had been lost.
    PeerFinishesAgain,
    /// The peer sends some bytes.
    PeerSends,
    /// The peer resets the connection.
    PeerResets,
    /// A new client sends a SYN to this listener, and no more.
    ClientKnocks,
    /// A new client completes the handshake with this listener.
    ClientConnects,
    /// The program calls listen on a port it has reserved.
    ProgramListens,
    /// The program calls connect; the peer does not answer yet.
    ProgramConnects,
    /// The program accepts a waiting connection.
    ProgramAccepts,
    /// The program reads all available data.
    ProgramReads,
    /// The program sends some bytes.
    ProgramSends,
    /// The program shuts down its sending half and keeps the socket.
    ProgramShutsDown,
    /// The program closes the socket.
    ProgramCloses,
    /// Every state without a socket gets one.
    SetUpAgain,
    /// The next chapter of the tour.
    Next,
}

/// Role of the party that performs an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabActor {
    /// The kernel at the far end of a connection.
    FarEnd,
    /// A host without a connection yet.
    Client,
    /// The program that holds the socket.
    Program,
    /// The lab itself.
    Lab,
}

impl LabActor {
    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::FarEnd => "peer",
            Self::Client => "client",
            Self::Program => "program",
            Self::Lab => "lab",
        }
    }
}

impl LabAction {
    /// Returns the role that performs it.
    #[must_use]
    pub fn actor(self) -> LabActor {
        match self {
            Self::PeerAnswers
            | Self::PeerAcknowledges
            | Self::PeerFinishes
            | Self::PeerFinishesCrossing
            | Self::PeerFinishesAgain
            | Self::PeerSends
            | Self::PeerResets => LabActor::FarEnd,
            Self::ClientKnocks | Self::ClientConnects => LabActor::Client,
            Self::ProgramListens
            | Self::ProgramConnects
            | Self::ProgramAccepts
            | Self::ProgramReads
            | Self::ProgramSends
            | Self::ProgramShutsDown
            | Self::ProgramCloses => LabActor::Program,
            Self::SetUpAgain | Self::Next => LabActor::Lab,
        }
    }

    /// Every action with its key in the assets.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::PeerAnswers, "peer_answers"),
        (Self::PeerAcknowledges, "peer_acknowledges"),
        (Self::PeerFinishes, "peer_finishes"),
        (Self::PeerFinishesCrossing, "peer_finishes_crossing"),
        (Self::PeerFinishesAgain, "peer_finishes_again"),
        (Self::PeerSends, "peer_sends"),
        (Self::PeerResets, "peer_resets"),
        (Self::ClientKnocks, "client_knocks"),
        (Self::ClientConnects, "client_connects"),
        (Self::ProgramListens, "program_listens"),
        (Self::ProgramConnects, "program_connects"),
        (Self::ProgramAccepts, "program_accepts"),
        (Self::ProgramReads, "program_reads"),
        (Self::ProgramSends, "program_sends"),
        (Self::ProgramShutsDown, "program_shuts_down"),
        (Self::ProgramCloses, "program_closes"),
        (Self::SetUpAgain, "set_up_again"),
        (Self::Next, "next"),
    ];

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == self)
            .map_or("", |(_, key)| key)
    }
}

/// A requested action and the socket it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabRequest {
    /// The action.
    pub action: LabAction,
    /// The socket's protocol.
    pub protocol: Protocol,
    /// The socket's own end.
    pub local: Endpoint,
    /// The peer's end, if there is one.
    pub remote: Option<Endpoint>,
}

/// Reason why an action was not performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabFailure {
    /// The lab's processes have ended.
    Exited,
    /// It did not fit the present state, or failed; the reason in words.
    Failed(String),
}

/// Mode of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabMode {
    /// One socket in each state, and each of its transitions by key.
    States,
    /// A session from beginning to end, a chapter at a time.
    Tour,
}

/// The state that each chapter of the tour is about; the first gives an overview.
pub const CHAPTER_STATES: [State; 11] = [
    State::Listen,
    State::Listen,
    State::Established,
    State::Established,
    State::Established,
    State::Established,
    State::CloseWait,
    State::TimeWait,
    State::SynReceived,
    State::CloseWait,
    State::Listen,
];
