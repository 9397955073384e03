//! Lessons in their order, and the position of each state among the segments.

use super::catalogue::{Exchange as Words, Learn};
use crate::model::state::State;

/// A lesson with a page of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// Lifecycle of a connection.
    Life,
    /// Exchange of segments.
    Exchange(Exchange),
    /// A state.
    State(State),
    /// Reason for three segments to open and four to close.
    ThreeAndFour,
    /// Reason for TIME_WAIT.
    TimeWait,
    /// Signs of the side that closed first.
    ClosedFirst,
    /// Exercise.
    Session,
}

/// Kind of exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// The handshake.
    Open,
    /// The close.
    Close,
}

impl Exchange {
    /// The state of a side before the first segment.
    #[must_use]
    pub fn before(self, side: Side) -> State {
        match (self, side) {
            (Self::Open, Side::Client) => State::Closed,
            (Self::Open, Side::Server) => State::Listen,
            (Self::Close, _) => State::Established,
        }
    }
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connects, and in the lesson the one that closes first.
    Client,
    /// The other side.
    Server,
}

impl Side {
    /// Both, from left to right.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// All lessons in their order.
pub const LESSONS: [Lesson; 20] = [
    Lesson::Life,
    Lesson::Exchange(Exchange::Open),
    Lesson::Exchange(Exchange::Close),
    Lesson::State(State::Listen),
    Lesson::State(State::SynSent),
    Lesson::State(State::SynReceived),
    Lesson::State(State::Established),
    Lesson::State(State::FinWait1),
    Lesson::State(State::FinWait2),
    Lesson::State(State::Closing),
    Lesson::State(State::TimeWait),
    Lesson::State(State::CloseWait),
    Lesson::State(State::LastAck),
    Lesson::State(State::Closed),
    Lesson::State(State::BoundInactive),
    Lesson::State(State::Unconnected),
    Lesson::ThreeAndFour,
    Lesson::TimeWait,
    Lesson::ClosedFirst,
    Lesson::Session,
];

impl Learn {
    /// Returns the text of an exchange.
    #[must_use]
    pub fn exchange(&self, exchange: Exchange) -> &Words {
        match exchange {
            Exchange::Open => &self.open,
            Exchange::Close => &self.close,
        }
    }

    /// Returns the position of a state: the exchange, the number of segments
    /// that have arrived when a side is in it for the last time, and that side,
    /// if not both. The states of the opening are searched there, all others in
    /// the close.
    #[must_use]
    pub fn moment(&self, state: State) -> (Exchange, u16, Option<Side>) {
        let exchange = match state {
            State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::Closed
            | State::BoundInactive => Exchange::Open,
            _ => Exchange::Close,
        };
        let segments = &self.exchange(exchange).segment;
        let arrived: Vec<_> = (1..).zip(segments).collect();
        for (step, segment) in arrived.into_iter().rev() {
            let inside = Side::BOTH.map(|side| segment.state(side) == Some(state));
            match inside {
                [false, false] => {}
                [true, false] => return (exchange, step, Some(Side::Client)),
                [false, true] => return (exchange, step, Some(Side::Server)),
                [true, true] => return (exchange, step, None),
            }
        }
        let side = Side::BOTH
            .into_iter()
            .find(|side| exchange.before(*side) == state);
        (exchange, 0, side)
    }
}

impl super::catalogue::Segment {
    /// Returns the state of a side once the segment has arrived.
    #[must_use]
    pub fn state(&self, side: Side) -> Option<State> {
        State::from_word(match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        })
    }

    /// Returns the side that sends it.
    #[must_use]
    pub fn sender(&self) -> Side {
        if self.from == Side::Server.key() {
            Side::Server
        } else {
            Side::Client
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::{Catalogue, Language};

    #[test]
    fn every_state_has_its_lesson_and_its_moment() {
        let learn = Catalogue::of(Language::English).learn();
        let (open, close) = (Exchange::Open, Exchange::Close);
        let (client, server) = (Some(Side::Client), Some(Side::Server));
        let cases = [
            (State::Closed, (open, 0, client)),
            (State::BoundInactive, (open, 0, None)),
            (State::Listen, (open, 0, server)),
            (State::SynSent, (open, 1, client)),
            (State::SynReceived, (open, 2, server)),
            (State::Established, (open, 3, None)),
            (State::FinWait1, (close, 1, client)),
            (State::FinWait2, (close, 2, client)),
            (State::CloseWait, (close, 2, server)),
            (State::LastAck, (close, 3, server)),
            (State::TimeWait, (close, 4, client)),
            // Both closed at once: that is another exchange.
            (State::Closing, (close, 0, None)),
            (State::Unconnected, (close, 0, None)),
        ];
        for (state, moment) in cases {
            assert!(LESSONS.contains(&Lesson::State(state)), "{state}");
            assert_eq!(learn.moment(state), moment, "{state}");
        }
        assert_eq!(cases.len(), State::ALL.len());
    }

    #[test]
    fn every_segment_names_its_sender_and_both_states() {
        let learn = Catalogue::of(Language::English).learn();
        for exchange in [Exchange::Open, Exchange::Close] {
            for segment in &learn.exchange(exchange).segment {
                assert_eq!(segment.sender().key(), segment.from);
                assert!(Side::BOTH.iter().all(|side| segment.state(*side).is_some()));
            }
        }
    }
}
