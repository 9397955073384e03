//! Structure of the message files.

use serde::Deserialize;

/// Text about a state.
#[derive(Debug, Default, Deserialize)]
pub struct StateText {
    /// Spelling in other tools.
    pub spellings: String,
    /// Illustration of the state.
    pub picture: String,
    /// Meaning.
    pub means: String,
    /// Ways into the state.
    pub entered: String,
    /// Ways out of the state.
    pub left: String,
    /// Next actor, and the expected action.
    pub waits_for: String,
    /// The actor as a key: program, kernel, peer, nobody.
    pub actor: String,
    /// Duration on this machine.
    pub lasts: String,
    /// Likely cause when it stays or many are in it.
    pub lingers: String,
    /// Advice.
    #[serde(rename = "do")]
    pub to_do: String,
    /// Steps to reproduce it.
    pub see: String,
    /// The command in `see`, or nothing.
    pub command: String,
    /// One short line.
    pub brief: String,
}

/// Text about a timer.
#[derive(Debug, Default, Deserialize)]
pub struct TimerText {
    /// One short word.
    pub name: String,
    /// Purpose.
    pub means: String,
}

/// Text about a row without an owner.
#[derive(Debug, Default, Deserialize)]
pub struct NoOwnerText {
    /// In place of a name.
    pub short: String,
    /// Reason.
    pub means: String,
    /// One more sentence, where a listener or a last owner is known.
    pub named: String,
}

/// The learning chapter: pages of text with diagrams.
#[derive(Debug, Default, Deserialize)]
pub struct LearningChapter {
    /// Introduction.
    pub chapter: IntroText,
    /// The handshake.
    pub open: ExchangeText,
    /// The close.
    pub close: ExchangeText,
    /// Reason for three segments to open and four to close.
    pub why_three_and_four: QuestionText,
    /// Reason for TIME_WAIT.
    pub why_time_wait: QuestionText,
    /// Signs of the side that closed first.
    pub who_closed_first: QuestionText,
    /// Exercise with the table.
    pub session: ExerciseText,
}

/// A heading and a paragraph.
#[derive(Debug, Default, Deserialize)]
pub struct IntroText {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
}

/// A question with its answer.
#[derive(Debug, Default, Deserialize)]
pub struct QuestionText {
    /// Question.
    pub question: String,
    /// Answer.
    pub answer: String,
}

/// Exchange of segments.
#[derive(Debug, Default, Deserialize)]
pub struct ExchangeText {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
    /// Plain ASCII, at most 76 columns.
    pub diagram: String,
    /// Its segments.
    pub segment: Vec<SegmentText>,
    /// Paths through the states.
    #[serde(default)]
    pub walk: Vec<StatePathText>,
}

/// One segment of an exchange.
#[derive(Debug, Default, Deserialize)]
pub struct SegmentText {
    /// Its number in the diagram.
    pub number: u8,
    /// `client` or `server`.
    pub from: String,
    /// SYN, ACK, FIN.
    pub segment: String,
    /// The client's state once it has arrived.
    pub client: String,
    /// The server's state once it has arrived.
    pub server: String,
    /// Explanation.
    pub text: String,
}

/// Path of one side through the states.
#[derive(Debug, Default, Deserialize)]
pub struct StatePathText {
    /// The side.
    pub who: String,
    /// Keys of states, in order.
    pub states: Vec<String>,
    /// Explanation.
    pub text: String,
}

/// An exercise.
#[derive(Debug, Default, Deserialize)]
pub struct ExerciseText {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
    /// Its steps.
    pub step: Vec<ExerciseStep>,
}

/// One step of an exercise.
#[derive(Debug, Default, Deserialize)]
pub struct ExerciseStep {
    /// Instruction.
    #[serde(rename = "do")]
    pub to_do: String,
    /// The command, or nothing.
    pub command: String,
    /// Expected result.
    pub see: String,
}

/// One transition of the state machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Transition {
    /// Key of the state it leaves.
    pub from: String,
    /// Key of the state it leads to.
    pub to: String,
    /// The segment or call that causes it.
    pub by: String,
    /// `usual`, `rare` or `abort`.
    pub kind: String,
}

/// The file of the state machine.
#[derive(Debug, Default, Deserialize)]
pub(super) struct TransitionFile {
    pub(super) arrow: Vec<Transition>,
}
