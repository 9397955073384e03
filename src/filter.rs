//! Which rows a person wants to see.

mod nearest;
pub mod services;
mod shown;

pub use nearest::nearest;
pub use shown::{Side, protocol_word, write_address};
