//! Columns and order of the table.
