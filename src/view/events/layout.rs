//! The columns of the events page: their widths, and the order in which they are
//! reduced on a narrow screen.

use crate::view::explanation_pane::cells;

/// Columns of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventColumn {
    Time,
    Process,
    Local,
    Remote,
    Event,
    Payload,
}

/// From left to right, each with the name of its heading.
pub(super) const COLUMNS: [(EventColumn, &str); 6] = [
    (EventColumn::Time, "time"),
    (EventColumn::Process, "process"),
    (EventColumn::Local, "local"),
    (EventColumn::Remote, "remote"),
    (EventColumn::Event, "what"),
    (EventColumn::Payload, "carried"),
];

/// Reductions on a narrow screen, in this order.
const REDUCTIONS: [Reduction; 7] = [
    Reduction::HideColumn(EventColumn::Payload),
    Reduction::LocalPortOnly,
    Reduction::TruncateNames,
    Reduction::SecondsOnly,
    Reduction::HideColumn(EventColumn::Time),
    Reduction::HideColumn(EventColumn::Process),
    Reduction::HideColumn(EventColumn::Local),
];

/// Reduction of a column that makes room for the event text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduction {
    HideColumn(EventColumn),
    /// Shows only the port of the local end.
    LocalPortOnly,
    /// Truncates process names.
    TruncateNames,
    /// Shows the time without milliseconds.
    SecondsOnly,
}

/// Width of each column, and the columns that are in their short form.
#[derive(Default)]
pub(super) struct EventsLayout {
    /// None for columns that are hidden or empty.
    pub(super) widths: [Option<usize>; 6],
    pub(super) port_only: bool,
    pub(super) seconds_only: bool,
}

/// Minimum width of an address, so that columns do not move while lines come and
/// go: that of an IPv4 address with its port.
const ADDRESS_WIDTH: usize = 21;
/// The same on a narrow screen, sufficient for most addresses.
const NARROW_ADDRESS_WIDTH: usize = 19;
/// Width of a port with its colon.
const PORT_WIDTH: usize = 6;
/// Width of a time without milliseconds.
const SECONDS_WIDTH: usize = 8;
/// Maximum width of a process.
const MAX_PROCESS_WIDTH: usize = 22;
/// Below this screen width a process is shown by its name alone.
pub(super) const MIN_WIDTH_FOR_PIDS: u16 = 100;
/// Width of the event text in its short form, and in full.
const SHORT_EVENT_WIDTH: usize = 24;
pub(super) const FULL_EVENT_WIDTH: usize = 40;

/// Width before the first column, with the mark of a short-lived connection.
const MARGIN_WIDTH: usize = 4;

impl EventsLayout {
    /// Assigns each column its width, by the texts of its lines and its heading.
    /// The event text gets the rest.
    pub(super) fn new(texts: &[[String; 6]], headings: &[String; 6], room: u16) -> Self {
        let address = if room < MIN_WIDTH_FOR_PIDS {
            NARROW_ADDRESS_WIDTH
        } else {
            ADDRESS_WIDTH
        };
        let least = headings.each_ref().map(|heading| cells(heading));
        let widths = COLUMNS.map(|(column, _)| {
            let at = column_index(column);
            let widest = texts.iter().map(|line| cells(&line[at])).max();
            let widest = widest.filter(|widest| *widest > 0)?;
            Some(match column {
                EventColumn::Local | EventColumn::Remote => widest.max(address),
                EventColumn::Process => widest.clamp(least[at], MAX_PROCESS_WIDTH.max(least[at])),
                EventColumn::Event => SHORT_EVENT_WIDTH,
                _ => widest.max(least[at]),
            })
        });
        let mut layout = Self {
            widths,
            ..Self::default()
        };
        for part in REDUCTIONS {
            // After hiding bytes and the local address there is room for the full
            // text.
            let wanted = match part {
                Reduction::HideColumn(EventColumn::Payload) | Reduction::LocalPortOnly => {
                    FULL_EVENT_WIDTH
                }
                _ => SHORT_EVENT_WIDTH,
            };
            let missing = wanted.saturating_sub(layout.free_width(room));
            if missing > 0 {
                layout.reduce(part, missing, &least);
            }
        }
        // Truncated names get the cells that a hidden column leaves over.
        let process = column_index(EventColumn::Process);
        let left = layout.free_width(room).saturating_sub(SHORT_EVENT_WIDTH);
        if let (Some(wanted), Some(cut)) = (widths[process], layout.widths[process])
            && cut < wanted
        {
            layout.widths[process] = Some(wanted.min(cut + left));
        }
        layout.widths[column_index(EventColumn::Event)] = Some(layout.free_width(room));
        layout
    }

    /// Frees that many cells, or as many as this part has.
    fn reduce(&mut self, part: Reduction, missing: usize, least: &[usize; 6]) {
        let (column, width) = match part {
            Reduction::HideColumn(column) => {
                self.widths[column_index(column)] = None;
                return;
            }
            Reduction::LocalPortOnly => {
                self.port_only = true;
                (EventColumn::Local, PORT_WIDTH)
            }
            Reduction::TruncateNames => {
                let width = self.widths[column_index(EventColumn::Process)];
                (
                    EventColumn::Process,
                    width.unwrap_or(0).saturating_sub(missing),
                )
            }
            Reduction::SecondsOnly => {
                self.seconds_only = true;
                (EventColumn::Time, SECONDS_WIDTH)
            }
        };
        let at = column_index(column);
        self.widths[at] = self.widths[at].map(|now| now.min(width.max(least[at])));
    }

    /// Width that the other columns leave to the event text.
    fn free_width(&self, room: u16) -> usize {
        let what = column_index(EventColumn::Event);
        let others = self.widths.iter().enumerate().filter(|(at, _)| *at != what);
        let taken: usize = others
            .filter_map(|(_, width)| *width)
            .map(|width| width + 2)
            .sum();
        usize::from(room).saturating_sub(MARGIN_WIDTH + taken)
    }
}

/// Index of a column.
pub(super) fn column_index(wanted: EventColumn) -> usize {
    let found = COLUMNS.iter().position(|(column, _)| *column == wanted);
    found.unwrap_or(0)
}
