//! Explanations in the JSON contract: `explain --json`.

use super::entry::{GapEntry, SocketEntry, lossy_string, timestamp};
use super::owner::OwnerFactsCache;
use super::port::PortEntry;
use super::{SCHEMA, write_escaped};
use crate::explain::catalogue::Catalogue;
use crate::explain::diagnosis::diagnose;
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::state::State;
use serde::Serialize;
use std::io::{self, Write};

const TOOL: &str = concat!("tcplens ", env!("CARGO_PKG_VERSION"));

#[derive(Serialize)]
struct SocketsDocument<'a> {
    schema: u32,
    tool: &'a str,
    host: String,
    taken_at: String,
    source: &'a str,
    gaps: Vec<GapEntry>,
    /// Use of the port that the filter names, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<ExplainedPort<'a>>,
    explanations: Vec<Explanation<'a>>,
}

/// Use of a port with its verdict as text and the advice.
#[derive(Serialize)]
pub struct ExplainedPort<'a> {
    headline: &'a str,
    /// Advice.
    next: &'a [String],
    #[serde(flatten)]
    entry: &'a PortEntry,
}

impl<'a> ExplainedPort<'a> {
    /// Use of a port, its verdict as a sentence, and the advice.
    #[must_use]
    pub fn of(entry: &'a PortEntry, headline: &'a str, next: &'a [String]) -> Self {
        Self {
            headline,
            next,
            entry,
        }
    }
}

#[derive(Serialize)]
struct Explanation<'a> {
    /// `normal`, `look` or `act`.
    urgency: &'static str,
    headline: String,
    sentences: Vec<String>,
    waits_for: Option<String>,
    next: Vec<String>,
    unowned: Option<String>,
    /// A command that shows the same socket.
    command: Option<String>,
    socket: SocketEntry<'a>,
}

#[derive(Serialize)]
struct StatesDocument<'a> {
    schema: u32,
    tool: &'a str,
    states: Vec<StateEntry>,
}

#[derive(Serialize)]
struct StateEntry {
    state: &'static str,
    brief: String,
    means: String,
    entered: String,
    left: String,
    waits_for: String,
    lasts: String,
    lingers: String,
    next: String,
}

/// Writes the rows with these numbers, each with its explanation, and the use of the
/// named port with its verdict and the advice.
///
/// # Errors
///
/// Those of the writer.
pub fn sockets(
    observation: &Observation,
    rows: &[u32],
    port: Option<ExplainedPort<'_>>,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    let portraits = OwnerFactsCache::default();
    let rows = rows
        .iter()
        .filter_map(|number| observation.rows.get(*number as usize));
    let document = SocketsDocument {
        schema: SCHEMA,
        tool: TOOL,
        host: lossy_string(&observation.host),
        taken_at: timestamp(observation.time.wall_ms),
        source: observation.source.word(),
        gaps: observation.gaps.iter().map(GapEntry::of).collect(),
        port,
        explanations: rows
            .map(|row| explanation(row, observation, &portraits, words))
            .collect(),
    };
    write_escaped(&document, out)?;
    out.write_all(b"\n")
}

fn explanation<'a>(
    row: &Row,
    observation: &'a Observation,
    portraits: &OwnerFactsCache,
    words: &Catalogue,
) -> Explanation<'a> {
    let known = |text: String| (!text.is_empty()).then_some(text);
    let found = diagnose(row, observation, words);
    Explanation {
        urgency: found.urgency.key(),
        headline: found.headline,
        sentences: found.sentences,
        waits_for: known(found.waits_for),
        next: found.advice,
        unowned: found.no_owner_reason,
        command: known(found.ss_command),
        socket: SocketEntry::of(row, found.urgency, observation, portraits),
    }
}

/// Writes the explanations of these states, with the limits of the machine.
///
/// # Errors
///
/// Those of the writer.
pub fn states(
    states: &[State],
    words: &Catalogue,
    limits: &Limits,
    out: &mut dyn Write,
) -> io::Result<()> {
    let text = |text: &str| words.with_limits(text, limits);
    let entries = states.iter().filter_map(|state| {
        let said = words.state(*state)?;
        Some(StateEntry {
            state: state.key(),
            brief: text(&said.brief),
            means: text(&said.means),
            entered: text(&said.entered),
            left: text(&said.left),
            waits_for: text(&said.waits_for),
            lasts: text(&said.lasts),
            lingers: text(&said.lingers),
            next: text(&said.to_do),
        })
    });
    let document = StatesDocument {
        schema: SCHEMA,
        tool: TOOL,
        states: entries.collect(),
    };
    write_escaped(&document, out)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::test_world::{CURL_SYN_SENT, SSH_LISTENER, world};
    use serde_json::Value;

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn each_socket_comes_with_its_explanation() {
        let words = Catalogue::of(Language::English);
        let mut bytes = Vec::new();
        sockets(
            &world(),
            &[SSH_LISTENER, CURL_SYN_SENT],
            None,
            words,
            &mut bytes,
        )
        .unwrap();
        let document = read(&bytes);
        assert_eq!(document["schema"], 1);
        let found = document["explanations"].as_array().unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0]["socket"]["state"], "listen");
        assert_eq!(found[1]["socket"]["state"], "syn_sent");
        for one in found {
            assert!(["normal", "look", "act"].contains(&one["urgency"].as_str().unwrap()));
            assert!(!one["headline"].as_str().unwrap().is_empty());
            assert!(!one["sentences"].as_array().unwrap().is_empty());
        }
    }

    #[test]
    fn every_state_has_its_texts() {
        let words = Catalogue::of(Language::English);
        let mut bytes = Vec::new();
        states(&State::ALL, words, &Limits::default(), &mut bytes).unwrap();
        let document = read(&bytes);
        let found = document["states"].as_array().unwrap();
        assert_eq!(found.len(), State::ALL.len());
        for (one, state) in found.iter().zip(State::ALL) {
            assert_eq!(one["state"], state.key());
            assert!(!one["means"].as_str().unwrap().is_empty());
        }
    }
}
