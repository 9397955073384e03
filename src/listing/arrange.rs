//! From an observation to the rows of the table: filtered, then sorted.

use super::order::{Sort, sort};
use super::quick::Quick;
use crate::explain::urgency::{Urgencies, urgencies};
use crate::filter::{Doubt, Filter, Matcher, Truth};
use crate::model::observation::Observation;
use std::sync::Arc;

/// Rows that are left out because it is unknown if the filter matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Number of rows.
    pub count: usize,
    /// The unknown fact about the first of them.
    pub doubt: Option<Doubt>,
}

/// Returns the numbers of the rows that match both the filter and the toggles, in
/// order.
#[must_use]
pub fn arrange(observation: &Observation, filter: &Filter, by: &Sort, quick: &Quick) -> Vec<u32> {
    arrange_decided(observation, filter, by, quick).0
}

/// Also returns the rows for which the filter is undecided.
#[must_use]
pub fn arrange_decided(
    observation: &Observation,
    filter: &Filter,
    by: &Sort,
    quick: &Quick,
) -> (Vec<u32>, Undecided) {
    let urgencies = Arc::new(urgencies(observation));
    arrange_with(observation, filter, by, quick, &urgencies)
}

/// Does the same with the given urgent rows of the observation.
#[must_use]
pub fn arrange_with(
    observation: &Observation,
    filter: &Filter,
    by: &Sort,
    quick: &Quick,
    urgencies: &Arc<Urgencies>,
) -> (Vec<u32>, Undecided) {
    let matcher = Matcher::with_urgencies(filter, observation, Some(urgencies));
    let mut undecided = Undecided::default();
    let wanted = (0_u32..)
        .zip(observation.rows.iter())
        .filter(|(_, row)| {
            if !quick.matches(row) {
                return false;
            }
            let truth = matcher.truth(row);
            if truth == Truth::Unknown {
                undecided.count += 1;
                undecided.doubt = undecided.doubt.or_else(|| matcher.doubt(row));
            }
            truth == Truth::Yes
        })
        .map(|(number, _)| number);
    let rows = sort(observation, urgencies, *by, wanted);
    (rows, undecided)
}

/// Compiles a filter for an observation, with the urgency of its rows if the
/// filter uses it.
#[must_use]
pub fn matcher<'o>(filter: &Filter, observation: &'o Observation) -> Matcher<'o> {
    let evaluated = filter
        .is_of_urgency()
        .then(|| Arc::new(urgencies(observation)));
    Matcher::with_urgencies(filter, observation, evaluated.as_ref())
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

    #[test]
    fn what_is_left_out_for_want_of_knowledge_is_counted() {
        let world = world();
        let found = |text: &str, quick: &Quick| {
            let filter = Filter::parse(text).unwrap();
            let (rows, undecided) = arrange_decided(&world, &filter, &Sort::default(), quick);
            (rows.len(), undecided.count, undecided.doubt)
        };
        let all = Quick::default();
        assert_eq!(found("process:java", &all), (1, 1, Some(Doubt::Owner)));
        assert_eq!(found("not process:java", &all), (10, 1, Some(Doubt::Owner)));
        assert_eq!(found(":8080", &all), (1, 0, None));
        let udp = Quick {
            protocol: Some(crate::model::protocol::Protocol::Udp),
            ..all
        };
        assert_eq!(found("process:java", &udp), (0, 0, None));
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
