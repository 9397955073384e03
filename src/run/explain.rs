//! Explanations for a pipe or a quick look: of a state, of everything, and of
//! the sockets that match.

use super::ages::Read;
use super::list::{connection_sockets, print_no_match, print_note, print_undecided};
use super::{ExitReason, RunError, port, probes, terminal};
use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::filter::Filter;
use crate::listing::{Column, QuickFilter, Sort, SortBy, select_rows_and_undecided};
use crate::model::limits::Limits;
use crate::model::observation::Observation;
use crate::model::reading::Reading;
use crate::model::state::State;
use crate::model::text::Text;
use crate::monitor::{Monitor, MonitorOptions};
use crate::report::json::explained::ExplainedPort;
use crate::report::{chapter, explained, filter_help, json, table};
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
) -> Result<ExitReason, RunError> {
    let mut out = BufWriter::new(stdout().lock());
    let width = output_width();
    let written = match topic {
        Topic::State(state) if json => json::explained::states(&[state], words, limits, &mut out),
        _ if json => json::explained::states(&State::ALL, words, limits, &mut out),
        Topic::Contents => chapter::contents(words, width, &mut out),
        Topic::State(state) => chapter::state(state, words, limits, width, &mut out),
        Topic::All => chapter::all(words, limits, width, &mut out),
        Topic::Filters => filter_help::write(words, width, &mut out),
    };
    written
        .and_then(|()| out.flush())
        .map_err(RunError::io("write the explanation"))?;
    Ok(ExitReason::Done)
}

/// Input of an explanation of sockets.
pub struct ExplainRequest {
    /// Source of the reading.
    pub source: Box<dyn ReadingSource>,
    /// Filter of the rows.
    pub filter: Filter,
    /// Kinds of sockets.
    pub quick: QuickFilter,
    /// Order of the rows.
    pub sort: Sort,
    /// Numbers instead of names.
    pub numeric: bool,
    /// JSON instead of text.
    pub json: bool,
    /// Message catalogue of the explanations.
    pub messages: &'static Catalogue,
}

/// Reads the table once, queries the kernel for all details of the connections
/// to explain, and explains them.
///
/// # Errors
///
/// If nothing can be read or written.
pub fn explain_sockets(mut request: ExplainRequest) -> Result<ExitReason, RunError> {
    let flows = request.filter.uses_tcp_metrics() || request.sort.by.needs_tcp_metrics();
    request.source.include_tcp_counters(flows);
    let reading = request.source.read_table()?;
    let mut monitor = Monitor::new(MonitorOptions::default());
    let Some(observation) = monitor.fold(reading) else {
        return Ok(ExitReason::NoMatch);
    };
    let by_age = request.sort.by == SortBy::Column(Column::Age);
    let read = Read {
        monitor: &mut monitor,
        source: request.source.as_mut(),
        observation,
    };
    let mut observation = read.with_ages(&request.filter, request.quick, by_age);
    let arranged = |observation: &Observation| {
        select_rows_and_undecided(observation, &request.filter, &request.sort, &request.quick)
    };
    let (mut rows, mut undecided) = arranged(&observation);
    let told = &rows[..rows.len().min(explained::MAX_EXPLAINED)];
    if let Some(socket) = probes::due_soon(&observation, told) {
        say_wait(request.messages);
        if probes::wait_for_probe(&socket, request.source.as_mut()) {
            observation = second_table(&mut monitor, request.source.as_mut())?;
            (rows, undecided) = arranged(&observation);
        }
    }
    print_undecided(undecided, request.messages);
    let source = request.source.as_mut();
    let port = port::port_report(&request.filter, &observation, source, request.messages);
    if request.json {
        let details = request
            .source
            .read_details(&connection_sockets(&observation, &rows));
        observation = with_details(&mut monitor, details).unwrap_or(observation);
        let mut out = BufWriter::new(stdout().lock());
        let port = port
            .as_ref()
            .map(|port| ExplainedPort::of(&port.entry, &port.headline, &port.advice));
        json::explained::sockets(&observation, &rows, port, request.messages, &mut out)
            .and_then(|()| out.flush())
            .map_err(RunError::io("write the explanation"))?;
        return Ok(if rows.is_empty() {
            ExitReason::NoMatch
        } else {
            ExitReason::Done
        });
    }
    let mut out = BufWriter::new(stdout().lock());
    for line in port.iter().flat_map(|port| port.lines(request.messages)) {
        explained::line(&line, output_width(), &mut out)
            .map_err(RunError::io("write the explanation"))?;
    }
    if rows.is_empty() {
        if port.is_none() {
            print_no_match(&request.filter, request.messages);
            if let [word] = request.filter.text_terms()[..] {
                print_topics(word, request.messages);
            }
        }
        out.flush().map_err(RunError::io("write the explanation"))?;
        return Ok(ExitReason::NoMatch);
    }
    if port.is_some() {
        writeln!(out).map_err(RunError::io("write the explanation"))?;
    }
    let told = &rows[..rows.len().min(explained::MAX_EXPLAINED)];
    let mut asked = connection_sockets(&observation, told);
    asked.extend_from_slice(monitor.probed());
    let details = request.source.read_details(&asked);
    // The rows stay the same sockets, and so do their numbers.
    observation = with_details(&mut monitor, details).unwrap_or(observation);
    explained::write(
        &observation,
        &rows,
        request.numeric,
        request.messages,
        output_width(),
        &mut out,
    )
    .and_then(|()| out.flush())
    .map_err(RunError::io("write the explanation"))?;
    if !observation.gaps.is_empty() {
        // The reader may have closed this; the explanation is written.
        let _ = table::write_gaps(&observation, request.messages, &mut stderr().lock());
    }
    Ok(ExitReason::Done)
}

/// Says what is waited for.
fn say_wait(words: &Catalogue) {
    let sentence = words.screen("unknown", "awaits_probe");
    print_note(
        &render(sentence, |_| Some(words.duration_text(probes::MAX_WAIT))).unwrap_or_default(),
    );
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
    let answers = source.look_up(monitor.pending_lookups());
    Ok(monitor.fold(answers).unwrap_or_default())
}

/// The observation with what the kernel tells of connections, and so of their ages.
fn with_details(monitor: &mut Monitor, details: Reading) -> Option<Arc<Observation>> {
    monitor.fold(details.clone());
    monitor.learn_ages(details)
}

/// Names the topics, for a word that is neither one nor found anywhere.
fn print_topics(word: &str, words: &Catalogue) {
    let topics: Vec<&str> = std::iter::once("all")
        .chain(State::ALL.map(State::word))
        .collect();
    let said = render(words.screen("unknown", "topics"), |place| match place {
        "word" => Some(Text::from(word).to_string()),
        "topics" => Some(topics.join(", ")),
        _ => None,
    });
    print_note(&said.unwrap_or_default());
}

/// Returns the width of the terminal, within readable bounds.
fn output_width() -> usize {
    if stdout().is_terminal() {
        terminal::size().map_or(80, |size| usize::from(size.width).clamp(40, 100))
    } else {
        80
    }
}
