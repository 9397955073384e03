//! A number that changes over time: the backlog of a queue, a counter.

use serde::Deserialize;

/// Second and value, in order. Between two points it goes straight, before the
/// first and behind the last it stays; of two at one second the later counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Curve(Vec<(f64, f64)>);

impl Curve {
    /// The value at a second, without its fraction; 0 where no point is given.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "points are small counts"
    )]
    pub(crate) fn at(&self, second: f64) -> u64 {
        let behind = self.0.partition_point(|(at, _)| *at <= second);
        let before = behind.checked_sub(1).map(|place| self.0[place]);
        let value = match (before, self.0.get(behind)) {
            (Some((from, low)), Some((to, high))) => {
                low + (high - low) * (second - from) / (to - from)
            }
            (Some((_, value)), None) | (None, Some(&(_, value))) => value,
            (None, None) => 0.0,
        };
        value as u64
    }

    /// The same for what the kernel counts in 32 bits.
    pub(crate) fn small(&self, second: f64) -> u32 {
        u32::try_from(self.at(second)).unwrap()
    }
}
