//! How well each rule does over all scenarios: what it found of what it had to
//! find, how soon, and what it found that was not there.

use std::collections::BTreeMap;
use std::fmt;
use tcplens::model::finding::Rule;

/// The figures of all rules, by their keys.
pub(crate) struct Figures(BTreeMap<&'static str, Figure>);

#[derive(Clone, Default)]
struct Figure {
    /// How many findings there had to be.
    wanted: u32,
    /// Seconds from the beginning of the trouble to the finding, for those that
    /// came in time.
    found: Vec<f64>,
    /// Plays in which it must say nothing …
    silent: u32,
    /// … and in how many of them it did say something.
    false_alarms: u32,
}

impl Default for Figures {
    fn default() -> Self {
        let rules = Rule::ALL.iter();
        Self(rules.map(|rule| (rule.key(), Figure::default())).collect())
    }
}

impl Figures {
    fn of(&mut self, rule: &str) -> &mut Figure {
        self.0
            .get_mut(rule)
            .unwrap_or_else(|| panic!("no rule {rule}"))
    }

    /// A finding that had to be there, and after how many seconds it came.
    pub(crate) fn wanted(&mut self, rule: &str, after: Option<f64>) {
        let figure = self.of(rule);
        figure.wanted += 1;
        figure.found.extend(after);
    }

    /// A play in which a rule must say nothing, and whether it did.
    pub(crate) fn silent(&mut self, rule: &str, said_something: bool) {
        let figure = self.of(rule);
        figure.silent += 1;
        figure.false_alarms += u32::from(said_something);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            into,
            "{:<20} {:>7} {:>9} {:>9} {:>10} {:>13}",
            "rule", "found", "median s", "worst s", "silent in", "false alarms"
        )?;
        for (rule, figure) in &self.0 {
            let mut times = figure.found.clone();
            times.sort_by(f64::total_cmp);
            let told =
                |time: Option<&f64>| time.map_or("-".to_owned(), |time| format!("{time:.1}"));
            writeln!(
                into,
                "{rule:<20} {:>7} {:>9} {:>9} {:>10} {:>13}",
                format!("{}/{}", times.len(), figure.wanted),
                told(times.get(times.len() / 2)),
                told(times.last()),
                figure.silent,
                figure.false_alarms
            )?;
        }
        Ok(())
    }
}
