//! What a learner can have happen to a socket of the lab: the next step of its
//! program, or of its peer, which the lab plays.

use super::endpoint::Endpoint;
use super::protocol::Protocol;
use super::state::State;
use serde::{Deserialize, Serialize};

/// Something that is done to a socket, or on the far end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// The peer answers the SYN with SYN+ACK.
    PeerAnswers,
    /// The peer acknowledges all it has heard.
    PeerAcknowledges,
    /// The peer sends its FIN and acknowledges all it has heard.
    PeerFinishes,
    /// The peer sends its FIN before it has heard ours.
    PeerFinishesCrossing,
    /// The peer repeats its FIN, as if our last ACK had been lost.
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
    /// The program calls connect; the peer says nothing yet.
    ProgramConnects,
    /// The program accepts what waits in the queue.
    ProgramAccepts,
    /// The program reads all there is.
    ProgramReads,
    /// The program sends some bytes.
    ProgramSends,
    /// The program says that it will send no more, and keeps the socket.
    ProgramShutsDown,
    /// The program closes the socket.
    ProgramCloses,
    /// Whatever state has no socket any more gets one.
    SetUpAgain,
    /// The next chapter of the tour.
    Next,
}

/// Who makes a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The kernel at the far end of a connection.
    Peer,
    /// Somebody who has no connection yet.
    Client,
    /// The program that holds the socket.
    Program,
    /// The lab itself.
    Lab,
}

impl Actor {
    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Client => "client",
            Self::Program => "program",
            Self::Lab => "lab",
        }
    }
}

impl Move {
    /// Who makes it.
    #[must_use]
    pub fn actor(self) -> Actor {
        match self {
            Self::PeerAnswers
            | Self::PeerAcknowledges
            | Self::PeerFinishes
            | Self::PeerFinishesCrossing
            | Self::PeerFinishesAgain
            | Self::PeerSends
            | Self::PeerResets => Actor::Peer,
            Self::ClientKnocks | Self::ClientConnects => Actor::Client,
            Self::ProgramListens
            | Self::ProgramConnects
            | Self::ProgramAccepts
            | Self::ProgramReads
            | Self::ProgramSends
            | Self::ProgramShutsDown
            | Self::ProgramCloses => Actor::Program,
            Self::SetUpAgain | Self::Next => Actor::Lab,
        }
    }

    /// Every move with its key in the assets.
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

/// A move, and the socket it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What.
    pub what: Move,
    /// The socket's protocol.
    pub protocol: Protocol,
    /// Its own end.
    pub local: Endpoint,
    /// Its peer's end, where it has one.
    pub remote: Option<Endpoint>,
}

/// Why a move was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// The lab's processes have ended.
    Gone,
    /// It did not fit what is there, or failed; the reason in words.
    Failed(String),
}

/// What the lab teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// One socket in each state, and every step of it by key.
    States,
    /// A session from beginning to end, a chapter at a time.
    Tour,
}

/// The state that each chapter of the tour is about; the first says what will
/// come.
pub const CHAPTERS: [State; 11] = [
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
