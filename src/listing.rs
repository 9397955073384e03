//! Columns and order of the table: rows, their order, the text of each cell and
//! the width of each column. The view only draws them.

mod arrange;
mod cell;
mod column;
mod command_lines;
mod fit;
mod layout;
mod order;
pub mod quantity;
mod quick;
mod rank;
mod role;
mod shell;
mod targets;

pub use arrange::{Undecided, arrange, arrange_decided, arrange_with, matcher};
pub use cell::{Cell, cell, mark};
pub use column::{Align, Column, UnknownColumn};
pub use command_lines::command_lines;
pub use fit::{fit, pad, width, wrap};
pub use layout::{Layout, Measure, Placed};
pub use order::{Sort, SortBy};
pub use quick::{Quick, StateClass};
pub use role::{Relation, Role};
pub use shell::shell_words;
pub use targets::{TargetRule, Targets, matches_by_remote_only, targets};
