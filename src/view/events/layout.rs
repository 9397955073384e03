//! The columns of the events page: what each takes, and what gives way where
//! there is little room.

use crate::view::words::cells;

/// Texts of a line, column by column.
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

/// Parts that give way when there is little room, in this order.
const GIVES_WAY: [Yield; 7] = [
    Yield::Column(Column::Carried),
    Yield::LocalAddress,
    Yield::LongNames,
    Yield::Milliseconds,
    Yield::Column(Column::Time),
    Yield::Column(Column::Process),
    Yield::Column(Column::Local),
];

/// A column, or a part of one, that makes room for what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Yield {
    Column(Column),
    /// Leaves the port of the local end.
    LocalAddress,
    /// Cuts process names.
    LongNames,
    /// Leaves the seconds of the time.
    Milliseconds,
}

/// Width of each column, and the columns that are in their short form.
#[derive(Default)]
pub(super) struct Layout {
    /// None for those that gave way or have nothing to say.
    pub(super) widths: [Option<usize>; 6],
    pub(super) port_only: bool,
    pub(super) seconds_only: bool,
}

/// Cells an address takes at least, so that columns stay while lines come and
/// go: those of an IPv4 address with its port.
const ADDRESS: usize = 21;
/// The same on a narrow screen, where most of them are enough.
const NARROW_ADDRESS: usize = 19;
/// Cells of a port with its colon.
const PORT: usize = 6;
/// Cells of a time without milliseconds.
const SECONDS: usize = 8;
/// The widest process.
const PROCESS: usize = 22;
/// Below this width a process is told by its name alone.
pub(super) const NAMES_ONLY: u16 = 100;
/// Cells for what happened in a few words, and in full.
const BRIEF: usize = 24;
pub(super) const FULL: usize = 40;

/// Cells before the first column, with the mark of a brief connection.
const MARGIN: usize = 4;

impl Layout {
    /// Gives each column its cells, by what its lines and its heading take. What
    /// happened takes all that the others leave.
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
            // Beside bytes and the own address there is room for all words.
            let wanted = match part {
                Yield::Column(Column::Carried) | Yield::LocalAddress => FULL,
                _ => BRIEF,
            };
            let missing = wanted.saturating_sub(layout.free(room));
            if missing > 0 {
                layout.give_way(part, missing, &least);
            }
        }
        // Names that were cut take what a whole column that went has left over.
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

    /// Makes room for so many cells, or as many as this part has.
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

    /// Cells that the other columns leave to what happened.
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

/// The place of a column among all.
pub(super) fn place_of(wanted: Column) -> usize {
    let found = COLUMNS.iter().position(|(column, _)| *column == wanted);
    found.unwrap_or(0)
}
