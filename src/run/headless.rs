//! One reading as text, for pipes, scripts and other programs.

use super::ages::Read;
use super::port::{self, PortReport};
use super::{Ending, RunError};
use crate::explain::catalogue::Catalogue;
use crate::explain::doubt;
use crate::explain::port::Verdict;
use crate::filter::{Doubt, Filter};
use crate::listing::{Column, Quick, Sort, SortBy, Undecided, arrange_decided};
use crate::model::observation::Observation;
use crate::model::socket::Socket;
use crate::monitor::{Monitor, MonitorOptions};
use crate::report::{json, table};
use crate::source::ReadingSource;
use std::io::{BufWriter, Write, stderr, stdout};

/// Output format of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// Aligned columns.
    #[default]
    Table,
    /// The JSON contract.
    Json,
}

/// Input of a list.
pub struct ListRequest {
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
    /// Columns of the table.
    pub columns: Vec<Column>,
    /// Output format.
    pub format: Format,
    /// With the line of headings.
    pub heading: bool,
    /// True if JSON includes `tcp_info`.
    pub info: bool,
    /// Message catalogue of headings and notes.
    pub words: &'static Catalogue,
}

/// Reads the table once and writes the rows that match.
///
/// # Errors
///
/// If nothing can be read or written.
pub fn list(mut request: ListRequest) -> Result<Ending, RunError> {
    request.source.include_flows(needs_flows(&request));
    let reading = request.source.read_table()?;
    let mut monitor = Monitor::new(MonitorOptions::default());
    let Some(observation) = monitor.fold(reading) else {
        return Ok(Ending::NothingMatched);
    };
    let of_matching = needs_ages(&request);
    let read = Read {
        monitor: &mut monitor,
        source: request.source.as_mut(),
        observation,
    };
    let mut observation = read.with_ages(&request.filter, request.quick, of_matching);
    let (rows, undecided) =
        arrange_decided(&observation, &request.filter, &request.sort, &request.quick);
    if request.info && request.format == Format::Json {
        let details = request
            .source
            .read_details(&connections(&observation, &rows));
        // The rows stay the same, and so do their numbers.
        observation = monitor.fold(details).unwrap_or(observation);
    }
    let source = request.source.as_mut();
    let port = port::report(&request.filter, &observation, source, request.words);
    if request.format == Format::Table {
        say_port(port.as_ref(), request.words);
    }
    let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
    let written = match request.format {
        Format::Json => {
            let entry = port.as_ref().map(|port| &port.entry);
            json::write(&observation, &rows, entry, &mut out)
        }
        Format::Table => table::write(
            &observation,
            &rows,
            &request.columns,
            request.numeric,
            request.heading,
            request.words,
            &mut out,
        ),
    };
    written
        .and_then(|()| out.flush())
        .map_err(RunError::io("write the list"))?;
    if request.format == Format::Table && !observation.gaps.is_empty() {
        // The reader of the list may have closed this; the list is written.
        let _ = table::write_gaps(&observation, request.words, &mut stderr().lock());
    }
    say_undecided(undecided, request.words);
    let narrowed = !request.filter.is_all() || !request.quick.is_all();
    Ok(if rows.is_empty() && narrowed {
        if request.format == Format::Table && port.is_none() {
            say_none(&request.filter, request.words);
        }
        Ending::NothingMatched
    } else {
        Ending::Done
    })
}

/// Prints the holder of the requested port, and advice only if nothing listens.
fn say_port(port: Option<&PortReport>, words: &Catalogue) {
    let Some(port) = port else {
        return;
    };
    let lines = port.lines(words);
    let count = match port.verdict {
        Verdict::Listened => 1,
        _ => lines.len(),
    };
    for line in lines.iter().take(count) {
        // A closed terminal cannot show it.
        let _ = writeln!(stderr(), "{line}");
    }
}

/// Reports that nothing matches, and which terms were searched as text.
pub(super) fn say_none(filter: &Filter, words: &Catalogue) {
    say(&words.message("no socket matches"));
    for text in doubt::texts(filter, words) {
        say(&text);
    }
}

/// Reports how many rows are left out because it is unknown whether they match.
pub(super) fn say_undecided(undecided: Undecided, words: &Catalogue) {
    let Some(said) = doubt::left_out(undecided.count, undecided.doubt, words) else {
        return;
    };
    say(&said);
    if undecided.doubt.is_some_and(Doubt::is_answered_by_watching) {
        say(words.screen("unknown", "one_reading"));
    }
}

/// Writes a line to stderr. An error is ignored: the terminal may be closed.
pub(super) fn say(text: &str) {
    let _ = writeln!(stderr(), "tcplens: {text}");
}

/// True if the table must include TCP counters.
fn needs_flows(request: &ListRequest) -> bool {
    let shown =
        request.format == Format::Table && request.columns.iter().any(|column| column.is_of_flow());
    shown || request.filter.needs_flows() || request.sort.by.needs_flows()
}

/// True if the ages of the rows that match are shown or order them.
fn needs_ages(request: &ListRequest) -> bool {
    let shown = match request.format {
        Format::Table => request.columns.contains(&Column::Age),
        // Then all is read of each row anyway.
        Format::Json => request.info,
    };
    shown || request.sort.by == SortBy::Column(Column::Age)
}

/// Those of some rows that have more to tell.
pub(super) fn connections(observation: &Observation, rows: &[u32]) -> Vec<Socket> {
    rows.iter()
        .filter_map(|number| observation.rows.get(*number as usize))
        .map(|row| row.socket)
        .filter(Socket::is_connection)
        .collect()
}
