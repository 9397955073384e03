//! The forms that words are written in: what there is to say of each thing.

use serde::Deserialize;

/// What is said of a state.
#[derive(Debug, Default, Deserialize)]
pub struct StateWords {
    /// How other tools write it.
    pub spellings: String,
    /// The state as an image.
    pub picture: String,
    /// What it is.
    pub means: String,
    /// What leads in.
    pub entered: String,
    /// What leads out.
    pub left: String,
    /// Who must act next, and with what.
    pub waits_for: String,
    /// The same as a word: program, kernel, peer, nobody.
    pub actor: String,
    /// How long it lasts on this machine.
    pub lasts: String,
    /// What it suggests when it stays or piles up.
    pub lingers: String,
    /// What to do.
    #[serde(rename = "do")]
    pub to_do: String,
    /// How to bring it about on purpose.
    pub see: String,
    /// The command `see` speaks of, or nothing.
    pub command: String,
    /// One short line.
    pub brief: String,
}

/// What is said of a timer.
#[derive(Debug, Default, Deserialize)]
pub struct TimerWords {
    /// One short word.
    pub name: String,
    /// What it is for.
    pub means: String,
}

/// What is said of a row without an owner.
#[derive(Debug, Default, Deserialize)]
pub struct UnownedWords {
    /// In place of a name.
    pub short: String,
    /// The reason.
    pub means: String,
    /// One more sentence, where a listener or a last owner is known.
    pub named: String,
}

/// The learning chapter: pages of text with diagrams.
#[derive(Debug, Default, Deserialize)]
pub struct Learn {
    /// Its beginning.
    pub chapter: Page,
    /// The handshake.
    pub open: Exchange,
    /// The close.
    pub close: Exchange,
    /// Why three segments to open and four to close.
    pub why_three_and_four: Question,
    /// Why TIME_WAIT waits.
    pub why_time_wait: Question,
    /// How to tell who closed first.
    pub who_closed_first: Question,
    /// What to watch in the table.
    pub session: Session,
}

/// A heading and a paragraph.
#[derive(Debug, Default, Deserialize)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
}

/// A question with its answer.
#[derive(Debug, Default, Deserialize)]
pub struct Question {
    /// Asked.
    pub question: String,
    /// Answered.
    pub answer: String,
}

/// Segments that go to and fro.
#[derive(Debug, Default, Deserialize)]
pub struct Exchange {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
    /// Plain ASCII, at most 76 columns.
    pub diagram: String,
    /// One by one.
    pub segment: Vec<Segment>,
    /// The ways through the states.
    #[serde(default)]
    pub walk: Vec<Walk>,
}

/// One segment of an exchange.
#[derive(Debug, Default, Deserialize)]
pub struct Segment {
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
    /// What it says.
    pub text: String,
}

/// One side's way through the states.
#[derive(Debug, Default, Deserialize)]
pub struct Walk {
    /// Whose.
    pub who: String,
    /// Keys of states, in order.
    pub states: Vec<String>,
    /// In words.
    pub text: String,
}

/// Something to try.
#[derive(Debug, Default, Deserialize)]
pub struct Session {
    /// Heading.
    pub title: String,
    /// Paragraph.
    pub intro: String,
    /// One by one.
    pub step: Vec<Step>,
}

/// One step of a session.
#[derive(Debug, Default, Deserialize)]
pub struct Step {
    /// What to do.
    #[serde(rename = "do")]
    pub to_do: String,
    /// The command, or nothing.
    pub command: String,
    /// What is then to be seen.
    pub see: String,
}

/// One transition of the state machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Arrow {
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
pub(super) struct Arrows {
    pub(super) arrow: Vec<Arrow>,
}
