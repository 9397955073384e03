//! Evaluation of a filter for rows: a hundred thousand of them in a few
//! milliseconds.
//!
//! Results for a process or a user are computed when the matcher is made, so that
//! a row needs only look-ups.

use super::Filter;
use super::ast::{Expr, Fact, Test};
use super::check::{Check, Name};
use super::doubt::Doubt;
use super::freetext::Needle;
use super::owners::{OpenerSet, ProcessSet, fact_of};
use super::truth::Truth;
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::urgency::Urgencies;
use std::sync::Arc;

/// A filter compiled for the rows of one observation.
#[derive(Debug)]
pub struct Matcher<'o> {
    observation: &'o Observation,
    node: Option<Node>,
}

/// The compiled tree. Its depth is that of the parsed one.
#[derive(Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Is(Check),
}

impl<'o> Matcher<'o> {
    /// Compiles a filter.
    #[must_use]
    pub fn new(filter: &Filter, observation: &'o Observation) -> Self {
        Self::with_urgencies(filter, observation, None)
    }

    /// Compiles a filter that may use the urgency of rows: without `urgencies`
    /// that is unknown.
    #[must_use]
    pub fn with_urgencies(
        filter: &Filter,
        observation: &'o Observation,
        urgencies: Option<&Arc<Urgencies>>,
    ) -> Self {
        let ready = |expr| node(expr, observation, urgencies);
        Self {
            observation,
            node: filter.expr.as_ref().map(ready),
        }
    }

    /// True if the filter certainly matches a row of its observation.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.truth(row) == Truth::Yes
    }

    /// Returns the result for a row of its observation.
    #[must_use]
    pub fn truth(&self, row: &Row) -> Truth {
        self.node
            .as_ref()
            .map_or(Truth::Yes, |node| node.truth(row, self.observation))
    }

    /// Returns the reason why the result for a row is unknown, if it is.
    #[must_use]
    pub fn doubt(&self, row: &Row) -> Option<Doubt> {
        self.node.as_ref()?.doubt(row, self.observation)
    }
}

impl Node {
    fn truth(&self, row: &Row, observation: &Observation) -> Truth {
        match self {
            Self::And(parts) => Truth::all(parts.iter().map(|part| part.truth(row, observation))),
            Self::Or(parts) => Truth::any(parts.iter().map(|part| part.truth(row, observation))),
            Self::Not(inner) => inner.truth(row, observation).negated(),
            Self::Is(check) => check.truth(row, observation),
        }
    }

    fn doubt(&self, row: &Row, observation: &Observation) -> Option<Doubt> {
        if self.truth(row, observation) != Truth::Unknown {
            return None;
        }
        match self {
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().find_map(|part| part.doubt(row, observation))
            }
            Self::Not(inner) => inner.doubt(row, observation),
            Self::Is(check) => check.doubt(row, observation),
        }
    }
}

fn node(expr: &Expr, observation: &Observation, urgencies: Option<&Arc<Urgencies>>) -> Node {
    let ready = |part: &Expr| node(part, observation, urgencies);
    let all = |parts: &[Expr]| parts.iter().map(ready).collect();
    match expr {
        Expr::And(parts) => Node::And(all(parts)),
        Expr::Or(parts) => Node::Or(all(parts)),
        Expr::Not(inner) => Node::Not(Box::new(ready(inner))),
        Expr::Is(Test::Urgency(urgency)) => Node::Is(Check::Urgency(*urgency, urgencies.cloned())),
        Expr::Is(question) => Node::Is(check(question, observation)),
    }
}

fn check(question: &Test, observation: &Observation) -> Check {
    match question {
        Test::States(states) => Check::States(*states),
        Test::Port(end, ports) => Check::port(*end, *ports),
        Test::Host(end, prefix, port) => Check::Host(*end, *prefix, *port),
        Test::Owner(fact, text) => {
            let needle = text.to_lowercase();
            Check::Owner {
                wanted: ProcessSet::new(observation, |process| fact_of(process, *fact, &needle)),
                openers: match fact {
                    Fact::Unit => OpenerSet::new(observation, &needle),
                    _ => OpenerSet::default(),
                },
                or_last: true,
            }
        }
        Test::Namespace(text) => Check::Namespaces(Name::new(text), namespaces(observation, text)),
        Test::Pid(pid) => Check::Owner {
            wanted: ProcessSet::new(observation, |process| (process.pid == *pid).into()),
            openers: OpenerSet::default(),
            or_last: false,
        },
        Test::User(name) => {
            let wanted = name.to_lowercase();
            Check::UserNames(users(observation, |known| known.to_lowercase() == wanted))
        }
        Test::Uid(uid) => Check::Uid(*uid),
        Test::Device(name) => Check::Device(Name::new(name)),
        Test::Autobound => Check::Autobound(observation.limits.local_ports),
        Test::Protocol(protocol) => Check::Protocol(*protocol),
        Test::Family(family) => Check::Family(*family),
        Test::Inode(inode) => Check::Inode(*inode),
        Test::Number(number, compare, value) => Check::Number(*number, *compare, *value),
        Test::Age(compare, seconds) => Check::Age(*compare, *seconds),
        Test::RoundTrip(compare, microseconds) => Check::RoundTrip(*compare, *microseconds),
        Test::Urgency(urgency) => Check::Urgency(*urgency, None),
        Test::Text(text) => Check::Text(Box::new(Needle::new(text, observation, true))),
        Test::Shown(text) => Check::Text(Box::new(Needle::new(text, observation, false))),
    }
}

/// Returns the namespaces with a name that contains the text, or with that
/// number. The one of this program is called `this`.
fn namespaces(observation: &Observation, text: &str) -> Vec<u32> {
    let needle = text.to_lowercase();
    observation
        .namespaces
        .iter()
        .filter(|known| {
            let name = known.name.as_ref();
            known.id.to_string() == needle
                || known.own && needle == "this"
                || name.is_some_and(|name| name.as_str().to_lowercase().contains(&needle))
        })
        .map(|known| known.id)
        .collect()
}

/// Returns the users whose names satisfy a condition, ascending.
pub(super) fn users(observation: &Observation, wanted: impl Fn(&str) -> bool) -> Vec<u32> {
    observation
        .users
        .iter()
        .filter(|user| user.name.as_ref().is_some_and(|name| wanted(name.as_str())))
        .map(|user| user.uid)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::crowd;
    use std::time::Instant;

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn how_long_a_hundred_thousand_rows_take() {
        let world = crowd(100_000, 200);
        for text in [
            "state established dport = :443 and not dst 10.0.0.0/8",
            "process:program-17",
            "user:alice age > 60s",
            "nginx",
            "198.51.100.7",
            "10.1.2",
            "443",
            "curl or 1.2.3.4 or (v6 and not :22)",
        ] {
            let filter = Filter::parse(text).unwrap();
            let mut best = f64::MAX;
            let mut found = 0;
            for _ in 0..7 {
                let start = Instant::now();
                let matcher = Matcher::new(&filter, &world);
                found = world.rows.iter().filter(|row| matcher.matches(row)).count();
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("{best:7.2} ms  {found:6} of {}  {text}", world.rows.len());
        }
    }
}
