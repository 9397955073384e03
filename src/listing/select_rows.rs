//! From an observation to the rows of the table: filtered, then sorted.

use super::order::{Sort, sort_rows};
use super::quick_filter::QuickFilter;
use crate::explain::urgency::{RowUrgencies, urgencies};
use crate::filter::{Filter, Matcher, Truth, UnknownReason};
use crate::model::observation::Observation;
use std::sync::Arc;

/// Rows that are left out because it is unknown if the filter matches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// Number of rows.
    pub count: usize,
    /// The unknown fact about the first of them.
    pub reason: Option<UnknownReason>,
}

/// Returns the numbers of the rows that match both the filter and the toggles, in
/// order.
#[must_use]
pub fn select_rows(
    observation: &Observation,
    filter: &Filter,
    by: &Sort,
    quick: &QuickFilter,
) -> Vec<u32> {
    select_rows_and_undecided(observation, filter, by, quick).0
}

/// Also returns the rows for which the filter is undecided.
#[must_use]
pub fn select_rows_and_undecided(
    observation: &Observation,
    filter: &Filter,
    by: &Sort,
    quick: &QuickFilter,
) -> (Vec<u32>, Undecided) {
    let urgencies = Arc::new(urgencies(observation));
    select_rows_with_urgencies(observation, filter, by, quick, &urgencies)
}

/// Does the same with the given urgent rows of the observation.
#[must_use]
pub fn select_rows_with_urgencies(
    observation: &Observation,
    filter: &Filter,
    by: &Sort,
    quick: &QuickFilter,
    urgencies: &Arc<RowUrgencies>,
) -> (Vec<u32>, Undecided) {
    let matcher = Matcher::with_urgencies(filter, observation, Some(urgencies));
    let mut undecided = Undecided::default();
    let wanted = (0_u32..)
        .zip(observation.rows.iter())
        .filter(|(_, row)| {
            if !quick.matches(row) {
                return false;
            }
            let truth = matcher.evaluate(row);
            if truth == Truth::Unknown {
                undecided.count += 1;
                undecided.reason = undecided.reason.or_else(|| matcher.unknown_reason(row));
            }
            truth == Truth::Yes
        })
        .map(|(number, _)| number);
    let rows = sort_rows(observation, urgencies, *by, wanted);
    (rows, undecided)
}

/// Compiles a filter for an observation, with the urgency of its rows if the
/// filter uses it.
#[must_use]
pub fn matcher_with_urgencies<'o>(filter: &Filter, observation: &'o Observation) -> Matcher<'o> {
    let evaluated = filter
        .uses_urgency()
        .then(|| Arc::new(urgencies(observation)));
    Matcher::with_urgencies(filter, observation, evaluated.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::{
        AVAHI_UDP, CURL_SYN_SENT, JAVA_CLOSE_WAIT, RESOLVER_UDP, large_world, world,
    };
    use crate::listing::{Column, SortBy};
    use crate::model::protocol::IpFamily;
    use std::time::Instant;

    #[test]
    fn filter_toggles_and_order_work_together() {
        let world = world();
        let mut by = Sort::default();
        let mut quick = QuickFilter::default();
        assert_eq!(select_rows(&world, &Filter::all(), &by, &quick).len(), 12);
        let filter = Filter::parse("udp or user:alice").unwrap();
        let usual = [AVAHI_UDP, CURL_SYN_SENT, JAVA_CLOSE_WAIT, RESOLVER_UDP];
        assert_eq!(select_rows(&world, &filter, &by, &quick), usual);
        by = Sort {
            by: SortBy::Column(Column::Pid),
            reverse: true,
        };
        let by_pid = [CURL_SYN_SENT, JAVA_CLOSE_WAIT, AVAHI_UDP, RESOLVER_UDP];
        assert_eq!(select_rows(&world, &filter, &by, &quick), by_pid);
        quick.family = Some(IpFamily::Inet6);
        assert_eq!(
            select_rows(&world, &filter, &by, &quick),
            [JAVA_CLOSE_WAIT, AVAHI_UDP]
        );
    }

    #[test]
    fn undecided_rows_are_counted() {
        let world = world();
        let found = |text: &str, quick: &QuickFilter| {
            let filter = Filter::parse(text).unwrap();
            let (rows, undecided) =
                select_rows_and_undecided(&world, &filter, &Sort::default(), quick);
            (rows.len(), undecided.count, undecided.reason)
        };
        let all = QuickFilter::default();
        assert_eq!(
            found("process:java", &all),
            (1, 1, Some(UnknownReason::Owner))
        );
        assert_eq!(
            found("not process:java", &all),
            (10, 1, Some(UnknownReason::Owner))
        );
        assert_eq!(found(":8080", &all), (1, 0, None));
        let udp = QuickFilter {
            protocol: Some(crate::model::protocol::Protocol::Udp),
            ..all
        };
        assert_eq!(found("process:java", &udp), (0, 0, None));
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn measure_selecting_a_hundred_thousand_rows() {
        let world = large_world(100_000, 200);
        for text in ["", "443", "!nginx"] {
            let filter = Filter::parse(text).unwrap();
            let mut best = f64::MAX;
            for _ in 0..7 {
                let start = Instant::now();
                let rows = select_rows(&world, &filter, &Sort::default(), &QuickFilter::default());
                assert!(rows.len() > 90_000);
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("{best:7.2} ms  arranged by default, filter `{text}`");
        }
    }
}
