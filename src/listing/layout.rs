//! Selection of the columns that fit on a line, and their widths.
//!
//! A truncated address is another address, so that columns are dropped whole, the
//! least important first. Only the name of a process may be truncated, and only
//! if there is nothing left to drop beside the columns that identify a row.

use super::cell::Cell;
use super::column::Column;
use super::text_width::display_width;
use crate::explain::catalogue::Catalogue;

/// Cells between two columns, on a narrow and on a wide line.
const COLUMN_GAPS: [usize; 2] = [1, 2];

/// Minimum width of the name of a process.
const MIN_PROCESS_WIDTH: usize = 6;

/// Maximum width that the name of a process may request: the fifteen bytes the
/// kernel keeps and the remark around them. Only a name full of escapes is
/// longer.
const MAX_PROCESS_WIDTH: usize = 24;

/// Width of `ESTABLISHED→CLOSE_WAIT`, the longest of the usual changes. If
/// changes are marked it is reserved, so that columns do not move with them.
const STATE_CHANGE_WIDTH: usize = 22;

/// The most important column that is less important than the text of a state
/// change.
const FIRST_COLUMN_AFTER_STATE_CHANGE: Column = Column::RecvQ;

/// True for the columns that identify a row, up to this priority.
fn is_essential(column: Column) -> bool {
    column.priority() <= Column::Proto.priority()
}

/// True if less important columns are placed only after it has its full width.
fn needs_full_width(column: Column) -> bool {
    matches!(column, Column::Process | Column::WaitsFor)
}

/// Widths that the requested columns need for the cells seen so far.
#[derive(Clone, Debug)]
pub struct ColumnWidths {
    needs: Vec<ColumnNeed>,
}

/// Widths one column needs, in cells.
#[derive(Clone, Copy, Debug)]
struct ColumnNeed {
    column: Column,
    /// Width of the short forms of all cells.
    min: usize,
    /// Width of the full text of all cells.
    full: usize,
    /// Width of the heading, with the sign of the direction.
    title: usize,
    /// True if it must be shown, whatever is dropped.
    required: bool,
}

/// A line's division into columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLayout {
    /// The columns shown, in the requested order.
    pub columns: Vec<PlacedColumn>,
    /// Cells between two columns.
    pub gap: usize,
}

/// A column that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedColumn {
    /// The column.
    pub column: Column,
    /// Its index among the requested columns, and so among a row's cells.
    pub cell_index: usize,
    /// Width in cells.
    pub width: usize,
}

impl ColumnWidths {
    /// Starts with the headings of the requested columns, which are shown in this
    /// order. The sort column is never dropped, and its heading has a cell for
    /// the direction.
    #[must_use]
    pub fn new(wanted: &[Column], sorted: Option<Column>, words: &Catalogue) -> Self {
        let need = |column: &Column| {
            let kept = sorted == Some(*column);
            // The mark needs its cell even while there is no mark.
            let title = (display_width(words.column_title(column.key())) + usize::from(kept))
                .max(1)
                .max(column.min_width());
            let marked = *column == Column::State && wanted.contains(&Column::Mark);
            ColumnNeed {
                column: *column,
                min: title,
                full: if marked { STATE_CHANGE_WIDTH } else { title },
                title,
                required: kept,
            }
        };
        Self {
            needs: wanted.iter().map(need).collect(),
        }
    }

    /// Adds a row: its cells in the order of the requested columns.
    pub fn add(&mut self, cells: &[Cell<'_>]) {
        for (need, cell) in self.needs.iter_mut().zip(cells) {
            let whole = display_width(&cell.text);
            let least = cell
                .short
                .as_ref()
                .map_or(whole, |short| display_width(short));
            need.full = need.full.max(whole);
            need.min = need.min.max(least);
            if need.column == Column::Process {
                need.full = need.full.min(MAX_PROCESS_WIDTH);
                let shortest = if need.required { need.title } else { 0 };
                need.min = need.min.min(shortest.max(MIN_PROCESS_WIDTH));
            }
        }
    }

    /// Lays out a line of that many cells. The columns never need more; a line
    /// too short for any column has none.
    #[must_use]
    pub fn layout(&self, cells: usize) -> TableLayout {
        let [narrow, wide] = COLUMN_GAPS;
        let mut line = LayoutBuilder {
            needs: &self.needs,
            widths: vec![None; self.needs.len()],
            cells,
            gap: narrow,
        };
        line.place_required();
        line.place_essential();
        line.place_others();
        line.grow(|column| column == Column::State);
        line.gap = wide;
        if line.used() > cells {
            line.gap = narrow;
        }
        line.finish()
    }
}

/// A layout under construction.
struct LayoutBuilder<'m> {
    needs: &'m [ColumnNeed],
    /// None for columns that are not shown.
    widths: Vec<Option<usize>>,
    cells: usize,
    gap: usize,
}

impl LayoutBuilder<'_> {
    fn used(&self) -> usize {
        let shown = self.widths.iter().flatten();
        let gaps = self.gap * shown.clone().count().saturating_sub(1);
        shown.sum::<usize>() + gaps
    }

    /// Indexes of requested columns, the most important first.
    fn by_priority(&self, essential: bool) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.needs.len())
            .filter(|place| is_essential(self.needs[*place].column) == essential)
            .collect();
        places.sort_by_key(|place| self.needs[*place].column.priority());
        places
    }

    /// Places a column if it fits: in its minimum width, but the awaited party in
    /// full if that fits.
    fn try_place(&mut self, place: usize) -> bool {
        let need = self.needs[place];
        if need.column == Column::WaitsFor {
            self.widths[place] = Some(need.full);
            if self.used() <= self.cells {
                return true;
            }
        }
        self.widths[place] = Some(need.min);
        let fits = self.used() <= self.cells;
        if !fits {
            self.widths[place] = None;
        }
        fits
    }

    /// Places the sort column: without it the order of the rows would be unclear.
    fn place_required(&mut self) {
        if let Some(place) = self.needs.iter().position(|need| need.required) {
            self.try_place(place);
        }
    }

    /// Places essential columns one by one; if one does not fit, a less important
    /// but narrower one still may.
    fn place_essential(&mut self) {
        for place in self.by_priority(true) {
            self.try_place(place);
        }
        self.grow(needs_full_width);
    }

    /// Places the others until one does not fit, if nothing essential is missing
    /// or shortened. State changes get their full width before the least
    /// important columns are placed.
    fn place_others(&mut self) {
        for place in self.by_priority(true) {
            let need = self.needs[place];
            let wanted = if needs_full_width(need.column) {
                need.full
            } else {
                need.min
            };
            if self.widths[place] != Some(wanted) {
                return;
            }
        }
        for place in self.by_priority(false) {
            if self.needs[place].column == FIRST_COLUMN_AFTER_STATE_CHANGE {
                self.widen_state();
            }
            if !self.try_place(place) {
                return;
            }
        }
    }

    /// Gives the state its full width if that fits.
    fn widen_state(&mut self) {
        let state = |need: &ColumnNeed| need.column == Column::State;
        let Some(place) = self.needs.iter().position(state) else {
            return;
        };
        let before = self.widths[place].replace(self.needs[place].full);
        if self.used() > self.cells {
            self.widths[place] = before;
        }
    }

    /// Distributes spare width to some columns, up to their full width.
    fn grow(&mut self, which: impl Fn(Column) -> bool) {
        for (place, need) in self.needs.iter().enumerate() {
            let spare = self.cells.saturating_sub(self.used());
            if let Some(width) = self.widths[place].as_mut().filter(|_| which(need.column)) {
                *width = need.full.min(*width + spare);
            }
        }
    }

    fn finish(self) -> TableLayout {
        let placed = |(place, width): (usize, &Option<usize>)| {
            Some(PlacedColumn {
                column: self.needs[place].column,
                cell_index: place,
                width: (*width)?,
            })
        };
        TableLayout {
            columns: self.widths.iter().enumerate().filter_map(placed).collect(),
            gap: self.gap,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::test_world::{self, JAVA_CLOSE_WAIT, LINK_LOCAL, world};
    use crate::listing::cell::cell;
    use crate::model::observation::Observation;
    use crate::model::protocol::Protocol;
    use crate::model::row::{Phase, Row};
    use crate::model::state::State;
    use proptest::prelude::*;

    fn english() -> &'static Catalogue {
        Catalogue::of(Language::English)
    }

    fn measured(rows: &[Row], observation: &Observation) -> ColumnWidths {
        let wanted = Column::applicable(observation, false);
        let mut measure = ColumnWidths::new(&wanted, None, english());
        for row in rows {
            let cells: Vec<Cell> = wanted
                .iter()
                .map(|column| cell(*column, row, observation, false, english()))
                .collect();
            measure.add(&cells);
        }
        measure
    }

    /// Columns shown at a width: keys, with the width if it is less than the full
    /// one.
    fn shown(measure: &ColumnWidths, cells: usize) -> String {
        let layout = measure.layout(cells);
        let words = layout.columns.iter().map(|placed| {
            let need = measure.needs[placed.cell_index];
            if placed.width < need.full {
                format!("{}:{}", placed.column.key(), placed.width)
            } else {
                placed.column.key().to_owned()
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn columns_shown_at_each_width() {
        let world = world();
        let mut rows: Vec<Row> = world.rows.to_vec();
        // Without the two rows with long IPv6 addresses, which are rare.
        rows.remove(LINK_LOCAL as usize);
        rows.remove(JAVA_CLOSE_WAIT as usize);
        let measure = measured(&rows, &world);
        let cases = [
            (0, ""),
            (1, "mark"),
            (20, "mark process:6 state:11"),
            (40, "mark process:7 remote state:11"),
            (60, "mark process:10 local remote state:11"),
            (80, "mark process pid proto local remote state:11 age"),
            (
                120,
                "mark process pid user proto local remote state age recvq sendq",
            ),
            (
                200,
                "mark process pid user proto local remote state age timer recvq sendq rtt retrans \
                 rx tx service unit inode interface",
            ),
        ];
        for (cells, columns) in cases {
            assert_eq!(shown(&measure, cells), columns, "at {cells}");
        }
    }

    #[test]
    fn the_longest_ipv4_rows_show_the_essentials_on_eighty() {
        let world = world();
        let mut row = world.rows[1];
        let longest = test_world::row(
            Protocol::Tcp,
            State::Established,
            "192.168.100.100:50122",
            "255.255.255.255:65535",
        );
        row.socket.local = longest.socket.local;
        row.socket.remote = longest.socket.remote;
        row.phase = Phase::Changed {
            from: State::CloseWait,
        };
        let measure = measured(&[row, world.rows[3], world.rows[10]], &world);
        assert_eq!(
            shown(&measure, 80),
            "mark process:12 pid proto local remote state:11"
        );
    }

    #[test]
    fn long_process_name_does_not_drop_columns() {
        let mut measure = ColumnWidths::new(&[Column::Process, Column::Local], None, english());
        let name = "\\x1b".repeat(15);
        measure.add(&[Cell::from(name.as_str()), Cell::from("192.0.2.1:80")]);
        let widths: Vec<usize> = measure
            .layout(200)
            .columns
            .iter()
            .map(|placed| placed.width)
            .collect();
        assert_eq!(widths, [MAX_PROCESS_WIDTH, 12]);
    }

    #[test]
    fn the_sorted_column_is_never_dropped() {
        let world = world();
        for column in Column::ALL {
            let wanted = Column::ALL;
            let mut measure = ColumnWidths::new(&wanted, Some(column), english());
            for row in world.rows.iter() {
                let cells = wanted.map(|wanted| cell(wanted, row, &world, false, english()));
                measure.add(&cells);
            }
            for width in 40..200 {
                let layout = measure.layout(width);
                let placed = layout.columns.iter().find(|placed| placed.column == column);
                let title = super::display_width(english().column_title(column.key()));
                assert!(
                    placed.is_some_and(|placed| placed.width > title),
                    "{column:?} at {width}: {layout:?}"
                );
            }
        }
    }

    #[test]
    fn widths_are_measured_in_cells() {
        let mut measure = ColumnWidths::new(&[Column::Process, Column::User], None, english());
        measure.add(&[Cell::from("浏览器浏览器"), Cell::from("文")]);
        let layout = measure.layout(18);
        assert_eq!(layout.gap, 2);
        let widths: Vec<usize> = layout.columns.iter().map(|placed| placed.width).collect();
        assert_eq!(widths, [12, 4]);
    }

    proptest! {
        #[test]
        fn nothing_overflows_and_no_address_is_cut(
            picks in proptest::collection::vec(0_usize..12, 0..12),
            cells in 0_usize..250,
        ) {
            let world = world();
            let rows: Vec<Row> = picks.iter().map(|place| world.rows[*place]).collect();
            let measure = measured(&rows, &world);
            let layout = measure.layout(cells);
            let gaps = layout.gap * layout.columns.len().saturating_sub(1);
            let used: usize = layout.columns.iter().map(|placed| placed.width).sum::<usize>() + gaps;
            prop_assert!(used <= cells);
            for placed in &layout.columns {
                for row in &rows {
                    let cell = cell(placed.column, row, &world, false, english());
                    if placed.column != Column::Process {
                        let said = cell.fitted(placed.width);
                        prop_assert!(said == cell.text || Some(said.as_ref()) == cell.short.as_deref());
                    }
                }
            }
            // A wider line never shows fewer columns.
            prop_assert!(measure.layout(cells + 30).columns.len() >= layout.columns.len());
        }
    }
}
