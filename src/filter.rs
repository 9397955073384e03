//! Which rows a person wants to see.
