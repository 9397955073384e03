//! One reading as text, for pipes, scripts and other programs.

use super::ages::Read;
use super::port::{self, PortReport};
use super::{ExitReason, RunError};
use crate::explain::catalogue::Catalogue;
use crate::explain::filter_notes;
use crate::explain::port::PortVerdict;
use crate::filter::{Filter, UnknownReason};
use crate::listing::{Column, QuickFilter, Sort, SortBy, Undecided, select_rows_and_undecided};
use crate::model::observation::Observation;
use crate::model::socket::Socket;
use crate::monitor::{Monitor, MonitorOptions};
use crate::report::{json, table};
use crate::source::ReadingSource;
use std::io::{BufWriter, Write, stderr, stdout};

/// Output format of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ListFormat {
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
    pub quick: QuickFilter,
    /// Order of the rows.
    pub sort: Sort,
    /// Numbers instead of names.
    pub numeric: bool,
    /// Columns of the table.
    pub columns: Vec<Column>,
    /// Output format.
    pub format: ListFormat,
    /// With the line of headings.
    pub heading: bool,
    /// True if JSON includes `tcp_info`.
    pub with_tcp_info: bool,
    /// Message catalogue of headings and notes.
    pub messages: &'static Catalogue,
}

/// Reads the table once and writes the rows that match.
///
/// # Errors
///
/// If nothing can be read or written.
pub fn list(mut request: ListRequest) -> Result<ExitReason, RunError> {
    request
        .source
        .include_tcp_counters(needs_tcp_counters(&request));
    let reading = request.source.read_table()?;
    let mut monitor = Monitor::new(MonitorOptions::default());
    let Some(observation) = monitor.fold(reading) else {
        return Ok(ExitReason::NoMatch);
    };
    let of_matching = needs_ages(&request);
    let read = Read {
        monitor: &mut monitor,
        source: request.source.as_mut(),
        observation,
    };
    let mut observation = read.with_ages(&request.filter, request.quick, of_matching);
    let (rows, undecided) =
        select_rows_and_undecided(&observation, &request.filter, &request.sort, &request.quick);
    if request.with_tcp_info && request.format == ListFormat::Json {
        let details = request
            .source
            .read_details(&connection_sockets(&observation, &rows));
        // The rows stay the same, and so do their numbers.
        observation = monitor.fold(details).unwrap_or(observation);
    }
    let source = request.source.as_mut();
    let port = port::port_report(&request.filter, &observation, source, request.messages);
    if request.format == ListFormat::Table {
        print_port(port.as_ref(), request.messages);
    }
    let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
    let written = match request.format {
        ListFormat::Json => {
            let entry = port.as_ref().map(|port| &port.entry);
            json::write(&observation, &rows, entry, &mut out)
        }
        ListFormat::Table => table::write(
            &observation,
            &rows,
            &request.columns,
            request.numeric,
            request.heading,
            request.messages,
            &mut out,
        ),
    };
    written
        .and_then(|()| out.flush())
        .map_err(RunError::io("write the list"))?;
    if request.format == ListFormat::Table && !observation.gaps.is_empty() {
        // The reader of the list may have closed this; the list is written.
        let _ = table::write_gaps(&observation, request.messages, &mut stderr().lock());
    }
    print_undecided(undecided, request.messages);
    let narrowed = !request.filter.is_all() || !request.quick.is_all();
    Ok(if rows.is_empty() && narrowed {
        if request.format == ListFormat::Table && port.is_none() {
            print_no_match(&request.filter, request.messages);
        }
        ExitReason::NoMatch
    } else {
        ExitReason::Done
    })
}

/// Prints the holder of the requested port, and advice only if nothing listens.
fn print_port(port: Option<&PortReport>, words: &Catalogue) {
    let Some(port) = port else {
        return;
    };
    let lines = port.lines(words);
    let count = match port.verdict {
        PortVerdict::Listened => 1,
        _ => lines.len(),
    };
    for line in lines.iter().take(count) {
        // A closed terminal cannot show it.
        let _ = writeln!(stderr(), "{line}");
    }
}

/// Reports that nothing matches, and which terms were searched as text.
pub(super) fn print_no_match(filter: &Filter, words: &Catalogue) {
    print_note(&words.translate_message("no socket matches"));
    for text in filter_notes::text_terms(filter, words) {
        print_note(&text);
    }
}

/// Reports how many rows are left out because it is unknown whether they match.
pub(super) fn print_undecided(undecided: Undecided, words: &Catalogue) {
    let Some(said) = filter_notes::excluded(undecided.count, undecided.reason, words) else {
        return;
    };
    print_note(&said);
    if undecided
        .reason
        .is_some_and(UnknownReason::resolves_with_time)
    {
        print_note(words.screen("unknown", "one_reading"));
    }
}

/// Writes a line to stderr. An error is ignored: the terminal may be closed.
pub(super) fn print_note(text: &str) {
    let _ = writeln!(stderr(), "tcplens: {text}");
}

/// True if the table must include TCP counters.
fn needs_tcp_counters(request: &ListRequest) -> bool {
    let shown = request.format == ListFormat::Table
        && request
            .columns
            .iter()
            .any(|column| column.shows_tcp_metrics());
    shown || request.filter.uses_tcp_metrics() || request.sort.by.needs_tcp_metrics()
}

/// True if the ages of the rows that match are shown or order them.
fn needs_ages(request: &ListRequest) -> bool {
    let shown = match request.format {
        ListFormat::Table => request.columns.contains(&Column::Age),
        // Then all is read of each row anyway.
        ListFormat::Json => request.with_tcp_info,
    };
    shown || request.sort.by == SortBy::Column(Column::Age)
}

/// Those of some rows that have more to tell.
pub(super) fn connection_sockets(observation: &Observation, rows: &[u32]) -> Vec<Socket> {
    rows.iter()
        .filter_map(|number| observation.rows.get(*number as usize))
        .map(|row| row.socket)
        .filter(Socket::is_connection)
        .collect()
}
