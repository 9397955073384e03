//! From an observation to the rows of the table: filtered, then sorted.

use super::order::{Sort, sort};
use super::quick::Quick;
use crate::filter::{Filter, Matcher};
use crate::model::observation::Observation;

/// The numbers of the rows that both the filter and the toggles want, in
/// order.
#[must_use]
pub fn arrange(observation: &Observation, filter: &Filter, by: &Sort, quick: &Quick) -> Vec<u32> {
    let matcher = Matcher::new(filter, observation);
    let wanted = (0_u32..)
        .zip(observation.rows.iter())
        .filter(|(_, row)| quick.matches(row) && matcher.matches(row))
        .map(|(number, _)| number);
    sort(observation, *by, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::{AVAHI, CURL_CONNECTS, JAVA, RESOLVER, crowd, world};
    use crate::listing::{Column, SortBy};
    use crate::model::protocol::Family;
    use std::time::Instant;

    #[test]
    fn filter_toggles_and_order_work_together() {
        let world = world();
        let mut by = Sort::default();
        let mut quick = Quick::default();
        assert_eq!(arrange(&world, &Filter::all(), &by, &quick).len(), 12);
        let filter = Filter::parse("udp or user:alice").unwrap();
        let usual = [AVAHI, CURL_CONNECTS, JAVA, RESOLVER];
        assert_eq!(arrange(&world, &filter, &by, &quick), usual);
        by = Sort {
            by: SortBy::Column(Column::Pid),
            reverse: true,
        };
        let by_pid = [CURL_CONNECTS, JAVA, AVAHI, RESOLVER];
        assert_eq!(arrange(&world, &filter, &by, &quick), by_pid);
        quick.family = Some(Family::Inet6);
        assert_eq!(arrange(&world, &filter, &by, &quick), [JAVA, AVAHI]);
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn how_long_arranging_a_hundred_thousand_rows_takes() {
        let world = crowd(100_000, 200);
        for text in ["", "443", "!nginx"] {
            let filter = Filter::parse(text).unwrap();
            let mut best = f64::MAX;
            for _ in 0..7 {
                let start = Instant::now();
                let rows = arrange(&world, &filter, &Sort::default(), &Quick::default());
                assert!(rows.len() > 90_000);
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("{best:7.2} ms  arranged by default, filter `{text}`");
        }
    }
}
