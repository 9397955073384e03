//! Columns and order of the table: rows, their order, the text of each cell and
//! the width of each column. The view only draws them.

mod cell;
mod column;
mod command_wrap;
mod layout;
mod order;
mod quick_filter;
mod rank;
mod role;
mod select_rows;
mod shell;
mod targets;
mod text_width;
pub mod units;

pub use cell::{Cell, cell, mark};
pub use column::{Align, Column, UnknownColumn};
pub use command_wrap::wrap_command;
pub use layout::{ColumnWidths, PlacedColumn, TableLayout};
pub use order::{Sort, SortBy};
pub use quick_filter::{QuickFilter, StateClass};
pub use role::{SocketRelation, SocketRole};
pub use select_rows::{
    Undecided, matcher_with_urgencies, select_rows, select_rows_and_undecided,
    select_rows_with_urgencies,
};
pub use shell::shell_arguments;
pub use targets::{TargetRule, Targets, matches_by_remote_only, select_targets};
pub use text_width::{display_width, pad, truncate, wrap};
