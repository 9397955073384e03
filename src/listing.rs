//! Columns and order of the table: which rows, in which order, what each cell
//! says and how wide its column is. Faces only draw what this room decides.

mod cell;
mod column;
mod fit;
pub mod quantity;

pub use cell::{Cell, cell};
pub use column::{Align, Column, UnknownColumn};
pub use fit::{fit, pad, width};
