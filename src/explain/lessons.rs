//! Lessons in their order, and the position of each state among the segments.

use super::catalogue::{ExchangeText as FindingTexts, LearningChapter};
use crate::model::state::State;

/// A lesson with a page of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// Lifecycle of a connection.
    Lifecycle,
    /// Exchange of segments.
    Exchange(ExchangeKind),
    /// A state.
    State(State),
    /// Reason for three segments to open and four to close.
    WhyThreeAndFour,
    /// Reason for TIME_WAIT.
    WhyTimeWait,
    /// Signs of the side that closed first.
    WhoClosedFirst,
    /// Exercise.
    Exercise,
}

/// Kind of exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// The handshake.
    Open,
    /// The close.
    Close,
}

impl ExchangeKind {
    /// The state of a side before the first segment.
    #[must_use]
    pub fn initial_state(self, side: ConnectionSide) -> State {
        match (self, side) {
            (Self::Open, ConnectionSide::Client) => State::Closed,
            (Self::Open, ConnectionSide::Serve) => State::Listen,
            (Self::Close, _) => State::Established,
        }
    }
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionSide {
    /// The side that connects, and in the lesson the one that closes first.
    Client,
    /// The other side.
    Serve,
}

impl ConnectionSide {
    /// Both, from left to right.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Serve];

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Serve => "server",
        }
    }
}

/// All lessons in their order.
pub const LESSONS: [Lesson; 20] = [
    Lesson::Lifecycle,
    Lesson::Exchange(ExchangeKind::Open),
    Lesson::Exchange(ExchangeKind::Close),
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
    Lesson::WhyThreeAndFour,
    Lesson::WhyTimeWait,
    Lesson::WhoClosedFirst,
    Lesson::Exercise,
];

impl LearningChapter {
    /// Returns the text of an exchange.
    #[must_use]
    pub fn exchange(&self, exchange: ExchangeKind) -> &FindingTexts {
        match exchange {
            ExchangeKind::Open => &self.open,
            ExchangeKind::Close => &self.close,
        }
    }

    /// Returns the position of a state: the exchange, the number of segments
    /// that have arrived when a side is in it for the last time, and that side,
    /// if not both. The states of the opening are searched there, all others in
    /// the close.
    #[must_use]
    pub fn position_of(&self, state: State) -> (ExchangeKind, u16, Option<ConnectionSide>) {
        let exchange = match state {
            State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::Closed
            | State::BoundInactive => ExchangeKind::Open,
            _ => ExchangeKind::Close,
        };
        let segments = &self.exchange(exchange).segment;
        let arrived: Vec<_> = (1..).zip(segments).collect();
        for (step, segment) in arrived.into_iter().rev() {
            let inside = ConnectionSide::BOTH.map(|side| segment.state(side) == Some(state));
            match inside {
                [false, false] => {}
                [true, false] => return (exchange, step, Some(ConnectionSide::Client)),
                [false, true] => return (exchange, step, Some(ConnectionSide::Serve)),
                [true, true] => return (exchange, step, None),
            }
        }
        let side = ConnectionSide::BOTH
            .into_iter()
            .find(|side| exchange.initial_state(*side) == state);
        (exchange, 0, side)
    }
}

impl super::catalogue::SegmentText {
    /// Returns the state of a side once the segment has arrived.
    #[must_use]
    pub fn state(&self, side: ConnectionSide) -> Option<State> {
        State::from_word(match side {
            ConnectionSide::Client => &self.client,
            ConnectionSide::Serve => &self.server,
        })
    }

    /// Returns the side that sends it.
    #[must_use]
    pub fn sender(&self) -> ConnectionSide {
        if self.from == ConnectionSide::Serve.key() {
            ConnectionSide::Serve
        } else {
            ConnectionSide::Client
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::{Catalogue, Language};

    #[test]
    fn every_state_has_a_lesson_and_a_position() {
        let learn = Catalogue::of(Language::English).learn();
        let (open, close) = (ExchangeKind::Open, ExchangeKind::Close);
        let (client, server) = (Some(ConnectionSide::Client), Some(ConnectionSide::Serve));
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
            assert_eq!(learn.position_of(state), moment, "{state}");
        }
        assert_eq!(cases.len(), State::ALL.len());
    }

    #[test]
    fn every_segment_names_its_sender_and_both_states() {
        let learn = Catalogue::of(Language::English).learn();
        for exchange in [ExchangeKind::Open, ExchangeKind::Close] {
            for segment in &learn.exchange(exchange).segment {
                assert_eq!(segment.sender().key(), segment.from);
                assert!(
                    ConnectionSide::BOTH
                        .iter()
                        .all(|side| segment.state(*side).is_some())
                );
            }
        }
    }
}
