//! Loads that are run several times, and what came of all runs together.

use super::hunt::{FALSE_ALARM, FOUND};
use super::namespace::{self, Ran, Told};
use libtest_mimic::Failed;
use std::collections::BTreeMap;

/// Runs of each load where tests take their time.
const DEEP: usize = 20;

/// Runs a load, each time in a namespace of its own, and says how often and how
/// soon each trouble was found.
pub(crate) fn run(name: &str) -> Result<Ran, Failed> {
    let runs = if namespace::is_deep() { DEEP } else { 1 };
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut told = Told::new();
    let mut failures = Vec::new();
    for _ in 0..runs {
        match namespace::run(name) {
            Ok(not_here @ Ran::NotHere(_)) => return Ok(not_here),
            Ok(Ran::Through(said)) => {
                for line in said {
                    match sighting(&line) {
                        Some((rule, after)) => found.entry(rule).or_default().push(after),
                        None if !told.contains(&line) => told.push(line),
                        None => {}
                    }
                }
            }
            Err(failed) => failures.push(failed.message().unwrap_or_default().to_owned()),
        }
    }
    for (rule, mut after) in found {
        after.sort_by(f64::total_cmp);
        let (median, worst) = (after[after.len() / 2], after[after.len() - 1]);
        told.push(format!(
            "{rule} found in {} of {runs}, after {median:.1} s (median), {worst:.1} s (worst)",
            after.len()
        ));
    }
    let alarms = failures.iter().filter(|said| said.contains(FALSE_ALARM));
    told.push(format!("runs: {runs}, false alarms: {}", alarms.count()));
    match failures.pop() {
        None => Ok(Ran::Through(told)),
        Some(last) => Err(format!("{}\n{last}", told.join("\n")).into()),
    }
}

/// The rule and the time in a line about a finding.
fn sighting(line: &str) -> Option<(String, f64)> {
    let mut words = line.strip_prefix(FOUND)?.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}
