//! Explanations for a pipe or a quick look: of a state, of everything, and of
//! the sockets that match.

use super::ages::Read;
use super::headless::{connections, say, say_none, say_undecided};
use super::{Ending, RunError, port, probes, terminal};
use crate::explain::catalogue::Catalogue;
use crate::explain::sentence::fill;
use crate::filter::Filter;
use crate::listing::{Column, Quick, Sort, SortBy, arrange_decided};
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::reading::Reading;
use crate::model::state::State;
use crate::model::text::Text;
use crate::monitor::{Monitor, MonitorOptions};
use crate::report::json::explained::ExplainedPort;
use crate::report::{chapter, explained, filters, json, table};
use crate::source::ReadingSource;
use std::io::{BufWriter, IsTerminal, Write, stderr, stdout};
use std::sync::Arc;

/// Topic to explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// List of topics.
    Contents,
    /// One state.
    State(State),
    /// The whole chapter.
    All,
    /// The filter language.
    Filters,
}

/// Writes an explanation.
///
/// # Errors
///
/// If it can't be written.
pub fn explain(
    topic: Topic,
    json: bool,
    words: &Catalogue,
    limits: &Limits,
) -> Result<Ending, RunError> {
    let mut out = BufWriter::new(stdout().lock());
    let width = width();
    let written = match topic {
        Topic::State(state) if json => json::explained::states(&[state], words, limits, &mut out),
        _ if json => json::explained::states(&State::ALL, words, limits, &mut out),
        Topic::Contents => chapter::contents(words, width, &mut out),
        Topic::State(state) => chapter::state(state, words, limits, width, &mut out),
        Topic::All => chapter::all(words, limits, width, &mut out),
        Topic::Filters => filters::write(words, width, &mut out),
    };
    written
        .and_then(|()| out.flush())
        .map_err(RunError::io("write the explanation"))?;
    Ok(Ending::Done)
}

/// Input of an explanation of sockets.
pub struct ExplainRequest {
    /// Source of the reading.
    pub source: Box<dyn ReadingSource>,
    /// Filter of the rows.
    pub filter: Filter,
    /// Kinds of sockets.
    pub quick: Quick,
    /// Order of the rows.
    pub sort: Sort,
    /// Numbers instead of names.
    pub numeric: bool,
    /// JSON instead of text.
    pub json: bool,
    /// Message catalogue of the explanations.
    pub words: &'static Catalogue,
}

/// Reads the table once, queries the kernel for all details of the connections
/// to explain, and explains them.
///
/// # Errors
///
/// If nothing can be read or written.
pub fn explain_sockets(mut request: ExplainRequest) -> Result<Ending, RunError> {
    let flows = request.filter.needs_flows() || request.sort.by.needs_flows();
    request.source.include_flows(flows);
    let reading = request.source.read_table()?;
    let mut monitor = Monitor::new(MonitorOptions::default());
    let Some(observation) = monitor.fold(reading) else {
        return Ok(Ending::NothingMatched);
    };
    let by_age = request.sort.by == SortBy::Column(Column::Age);
    let read = Read {
        monitor: &mut monitor,
        source: request.source.as_mut(),
        observation,
    };
    let mut observation = read.with_ages(&request.filter, request.quick, by_age);
    let arranged = |observation: &Observation| {
        arrange_decided(observation, &request.filter, &request.sort, &request.quick)
    };
    let (mut rows, mut undecided) = arranged(&observation);
    let told = &rows[..rows.len().min(explained::MOST)];
    if let Some(socket) = probes::due_soon(&observation, told) {
        say_wait(request.words);
        if probes::wait_for_probe(&socket, request.source.as_mut()) {
            observation = second_table(&mut monitor, request.source.as_mut())?;
            (rows, undecided) = arranged(&observation);
        }
    }
    say_undecided(undecided, request.words);
    let source = request.source.as_mut();
    let port = port::report(&request.filter, &observation, source, request.words);
    if request.json {
        let details = request
            .source
            .read_details(&connections(&observation, &rows));
        observation = with_details(&mut monitor, details).unwrap_or(observation);
        let mut out = BufWriter::new(stdout().lock());
        let port = port
            .as_ref()
            .map(|port| ExplainedPort::of(&port.entry, &port.headline, &port.advice));
        json::explained::sockets(&observation, &rows, port, request.words, &mut out)
            .and_then(|()| out.flush())
            .map_err(RunError::io("write the explanation"))?;
        return Ok(if rows.is_empty() {
            Ending::NothingMatched
        } else {
            Ending::Done
        });
    }
    let mut out = BufWriter::new(stdout().lock());
    for line in port.iter().flat_map(|port| port.lines(request.words)) {
        explained::line(&line, width(), &mut out).map_err(RunError::io("write the explanation"))?;
    }
    if rows.is_empty() {
        if port.is_none() {
            say_none(&request.filter, request.words);
            if let [word] = request.filter.texts()[..] {
                say_topics(word, request.words);
            }
        }
        out.flush().map_err(RunError::io("write the explanation"))?;
        return Ok(Ending::NothingMatched);
    }
    if port.is_some() {
        writeln!(out).map_err(RunError::io("write the explanation"))?;
    }
    let told = &rows[..rows.len().min(explained::MOST)];
    let mut asked = connections(&observation, told);
    asked.extend_from_slice(monitor.probed());
    let details = request.source.read_details(&asked);
    // The rows stay the same sockets, and so do their numbers.
    observation = with_details(&mut monitor, details).unwrap_or(observation);
    explained::write(
        &observation,
        &rows,
        request.numeric,
        request.words,
        width(),
        &mut out,
    )
    .and_then(|()| out.flush())
    .map_err(RunError::io("write the explanation"))?;
    if !observation.gaps.is_empty() {
        // The reader may have closed this; the explanation is written.
        let _ = table::write_gaps(&observation, request.words, &mut stderr().lock());
    }
    Ok(Ending::Done)
}

/// Says what is waited for.
fn say_wait(words: &Catalogue) {
    let sentence = words.screen("unknown", "awaits_probe");
    say(&fill(sentence, |_| Some(words.length(probes::MAX_WAIT))).unwrap_or_default());
}

/// The observation after another reading.
fn second_table(
    monitor: &mut Monitor,
    source: &mut dyn ReadingSource,
) -> Result<Arc<Observation>, RunError> {
    let reading = source.read_table()?;
    if let Some(observation) = monitor.fold(reading) {
        return Ok(observation);
    }
    let answers = source.look_up(monitor.unsettled());
    Ok(monitor.fold(answers).unwrap_or_default())
}

/// The observation with what the kernel tells of connections, and so of their ages.
fn with_details(monitor: &mut Monitor, details: Reading) -> Option<Arc<Observation>> {
    monitor.fold(details.clone());
    monitor.learn_ages(details)
}

/// Names the topics, for a word that is neither one nor found anywhere.
fn say_topics(word: &str, words: &Catalogue) {
    let topics: Vec<&str> = std::iter::once("all")
        .chain(State::ALL.map(State::word))
        .collect();
    let said = fill(words.screen("unknown", "topics"), |place| match place {
        "word" => Some(Text::from(word).to_string()),
        "topics" => Some(topics.join(", ")),
        _ => None,
    });
    say(&said.unwrap_or_default());
}

/// Returns the width of the terminal, within readable bounds.
fn width() -> usize {
    if stdout().is_terminal() {
        terminal::size().map_or(80, |size| usize::from(size.width).clamp(40, 100))
    } else {
        80
    }
}
