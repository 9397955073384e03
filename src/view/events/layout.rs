//! The columns of the events page: their widths, and the order in which they are
//! reduced on a narrow screen.

use crate::view::words::cells;

/// Columns of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    Process,
    Local,
    Remote,
    What,
    Carried,
}

/// From left to right, each with the name of its heading.
pub(super) const COLUMNS: [(Column, &str); 6] = [
    (Column::Time, "time"),
    (Column::Process, "process"),
    (Column::Local, "local"),
    (Column::Remote, "remote"),
    (Column::What, "what"),
    (Column::Carried, "carried"),
];

/// Reductions on a narrow screen, in this order.
const GIVES_WAY: [Yield; 7] = [
    Yield::Column(Column::Carried),
    Yield::LocalAddress,
    Yield::LongNames,
    Yield::Milliseconds,
    Yield::Column(Column::Time),
    Yield::Column(Column::Process),
    Yield::Column(Column::Local),
];

/// Reduction of a column that makes room for the event text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Yield {
    Column(Column),
    /// Shows only the port of the local end.
    LocalAddress,
    /// Truncates process names.
    LongNames,
    /// Shows the time without milliseconds.
    Milliseconds,
}

/// Width of each column, and the columns that are in their short form.
#[derive(Default)]
pub(super) struct Layout {
    /// None for columns that are hidden or empty.
    pub(super) widths: [Option<usize>; 6],
    pub(super) port_only: bool,
    pub(super) seconds_only: bool,
}

/// Minimum width of an address, so that columns do not move while lines come and
/// go: that of an IPv4 address with its port.
const ADDRESS: usize = 21;
/// The same on a narrow screen, sufficient for most addresses.
const NARROW_ADDRESS: usize = 19;
/// Width of a port with its colon.
const PORT: usize = 6;
/// Width of a time without milliseconds.
const SECONDS: usize = 8;
/// Maximum width of a process.
const PROCESS: usize = 22;
/// Below this screen width a process is shown by its name alone.
pub(super) const NAMES_ONLY: u16 = 100;
/// Width of the event text in its short form, and in full.
const BRIEF: usize = 24;
pub(super) const FULL: usize = 40;

/// Width before the first column, with the mark of a short-lived connection.
const MARGIN: usize = 4;

impl Layout {
    /// Assigns each column its width, by the texts of its lines and its heading.
    /// The event text gets the rest.
    pub(super) fn new(texts: &[[String; 6]], headings: &[String; 6], room: u16) -> Self {
        let address = if room < NAMES_ONLY {
            NARROW_ADDRESS
        } else {
            ADDRESS
        };
        let least = headings.each_ref().map(|heading| cells(heading));
        let widths = COLUMNS.map(|(column, _)| {
            let at = place_of(column);
            let widest = texts.iter().map(|line| cells(&line[at])).max();
            let widest = widest.filter(|widest| *widest > 0)?;
            Some(match column {
                Column::Local | Column::Remote => widest.max(address),
                Column::Process => widest.clamp(least[at], PROCESS.max(least[at])),
                Column::What => BRIEF,
                _ => widest.max(least[at]),
            })
        });
        let mut layout = Self {
            widths,
            ..Self::default()
        };
        for part in GIVES_WAY {
            // After hiding bytes and the local address there is room for the full
            // text.
            let wanted = match part {
                Yield::Column(Column::Carried) | Yield::LocalAddress => FULL,
                _ => BRIEF,
            };
            let missing = wanted.saturating_sub(layout.free(room));
            if missing > 0 {
                layout.give_way(part, missing, &least);
            }
        }
        // Truncated names get the cells that a hidden column leaves over.
        let process = place_of(Column::Process);
        let left = layout.free(room).saturating_sub(BRIEF);
        if let (Some(wanted), Some(cut)) = (widths[process], layout.widths[process])
            && cut < wanted
        {
            layout.widths[process] = Some(wanted.min(cut + left));
        }
        layout.widths[place_of(Column::What)] = Some(layout.free(room));
        layout
    }

    /// Frees that many cells, or as many as this part has.
    fn give_way(&mut self, part: Yield, missing: usize, least: &[usize; 6]) {
        let (column, width) = match part {
            Yield::Column(column) => {
                self.widths[place_of(column)] = None;
                return;
            }
            Yield::LocalAddress => {
                self.port_only = true;
                (Column::Local, PORT)
            }
            Yield::LongNames => {
                let width = self.widths[place_of(Column::Process)];
                (Column::Process, width.unwrap_or(0).saturating_sub(missing))
            }
            Yield::Milliseconds => {
                self.seconds_only = true;
                (Column::Time, SECONDS)
            }
        };
        let at = place_of(column);
        self.widths[at] = self.widths[at].map(|now| now.min(width.max(least[at])));
    }

    /// Width that the other columns leave to the event text.
    fn free(&self, room: u16) -> usize {
        let what = place_of(Column::What);
        let others = self.widths.iter().enumerate().filter(|(at, _)| *at != what);
        let taken: usize = others
            .filter_map(|(_, width)| *width)
            .map(|width| width + 2)
            .sum();
        usize::from(room).saturating_sub(MARGIN + taken)
    }
}

/// Index of a column.
pub(super) fn place_of(wanted: Column) -> usize {
    let found = COLUMNS.iter().position(|(column, _)| *column == wanted);
    found.unwrap_or(0)
}
