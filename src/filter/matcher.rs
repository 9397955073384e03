//! Evaluation of a filter for rows: a hundred thousand of them in a few
//! milliseconds.
//!
//! Results for a process or a user are computed when the matcher is made, so that
//! a row needs only look-ups.

use super::Filter;
use super::ast::{Expr, Predicate, ProcessField};
use super::compiled::{CompiledPredicate, NameOrNumber};
use super::free_text::Needle;
use super::process_matches::{OpenerSet, ProcessMatches, evaluate_process_field};
use super::truth::Truth;
use super::unknown_reason::UnknownReason;
use crate::model::observation::Observation;
use crate::model::row::Row;
use crate::model::urgency::RowUrgencies;
use std::sync::Arc;

/// A filter compiled for the rows of one observation.
#[derive(Debug)]
pub struct Matcher<'o> {
    observation: &'o Observation,
    node: Option<CompiledExpr>,
}

/// The compiled tree. Its depth is that of the parsed one.
#[derive(Debug)]
enum CompiledExpr {
    And(Vec<CompiledExpr>),
    Or(Vec<CompiledExpr>),
    Not(Box<CompiledExpr>),
    Leaf(CompiledPredicate),
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
        urgencies: Option<&Arc<RowUrgencies>>,
    ) -> Self {
        let ready = |expr| compile(expr, observation, urgencies);
        Self {
            observation,
            node: filter.expr.as_ref().map(ready),
        }
    }

    /// True if the filter certainly matches a row of its observation.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.evaluate(row) == Truth::Yes
    }

    /// Returns the result for a row of its observation.
    #[must_use]
    pub fn evaluate(&self, row: &Row) -> Truth {
        self.node
            .as_ref()
            .map_or(Truth::Yes, |node| node.evaluate(row, self.observation))
    }

    /// Returns the reason why the result for a row is unknown, if it is.
    #[must_use]
    pub fn unknown_reason(&self, row: &Row) -> Option<UnknownReason> {
        self.node.as_ref()?.unknown_reason(row, self.observation)
    }
}

impl CompiledExpr {
    fn evaluate(&self, row: &Row, observation: &Observation) -> Truth {
        match self {
            Self::And(parts) => {
                Truth::all(parts.iter().map(|part| part.evaluate(row, observation)))
            }
            Self::Or(parts) => Truth::any(parts.iter().map(|part| part.evaluate(row, observation))),
            Self::Not(inner) => inner.evaluate(row, observation).negated(),
            Self::Leaf(check) => check.evaluate(row, observation),
        }
    }

    fn unknown_reason(&self, row: &Row, observation: &Observation) -> Option<UnknownReason> {
        if self.evaluate(row, observation) != Truth::Unknown {
            return None;
        }
        match self {
            Self::And(parts) | Self::Or(parts) => parts
                .iter()
                .find_map(|part| part.unknown_reason(row, observation)),
            Self::Not(inner) => inner.unknown_reason(row, observation),
            Self::Leaf(check) => check.unknown_reason(row, observation),
        }
    }
}

fn compile(
    expr: &Expr,
    observation: &Observation,
    urgencies: Option<&Arc<RowUrgencies>>,
) -> CompiledExpr {
    let ready = |part: &Expr| compile(part, observation, urgencies);
    let all = |parts: &[Expr]| parts.iter().map(ready).collect();
    match expr {
        Expr::And(parts) => CompiledExpr::And(all(parts)),
        Expr::Or(parts) => CompiledExpr::Or(all(parts)),
        Expr::Not(inner) => CompiledExpr::Not(Box::new(ready(inner))),
        Expr::Leaf(Predicate::Urgency(urgency)) => {
            CompiledExpr::Leaf(CompiledPredicate::Urgency(*urgency, urgencies.cloned()))
        }
        Expr::Leaf(question) => CompiledExpr::Leaf(compile_predicate(question, observation)),
    }
}

fn compile_predicate(question: &Predicate, observation: &Observation) -> CompiledPredicate {
    match question {
        Predicate::States(states) => CompiledPredicate::States(*states),
        Predicate::Port(end, ports) => CompiledPredicate::port(*end, *ports),
        Predicate::Host(end, prefix, port) => CompiledPredicate::Host(*end, *prefix, *port),
        Predicate::Process(fact, text) => {
            let needle = text.to_lowercase();
            CompiledPredicate::Process {
                wanted: ProcessMatches::new(observation, |process| {
                    evaluate_process_field(process, *fact, &needle)
                }),
                openers: match fact {
                    ProcessField::Unit => OpenerSet::new(observation, &needle),
                    _ => OpenerSet::default(),
                },
                or_last: true,
            }
        }
        Predicate::Namespace(text) => CompiledPredicate::Namespaces(
            NameOrNumber::new(text),
            namespaces_named(observation, text),
        ),
        Predicate::Pid(pid) => CompiledPredicate::Process {
            wanted: ProcessMatches::new(observation, |process| (process.pid == *pid).into()),
            openers: OpenerSet::default(),
            or_last: false,
        },
        Predicate::User(name) => {
            let wanted = name.to_lowercase();
            CompiledPredicate::UserNames(users_named(observation, |known| {
                known.to_lowercase() == wanted
            }))
        }
        Predicate::Uid(uid) => CompiledPredicate::Uid(*uid),
        Predicate::Device(name) => CompiledPredicate::Device(NameOrNumber::new(name)),
        Predicate::Autobound => CompiledPredicate::Autobound(observation.limits.local_ports),
        Predicate::Protocol(protocol) => CompiledPredicate::Protocol(*protocol),
        Predicate::Family(family) => CompiledPredicate::Family(*family),
        Predicate::Inode(inode) => CompiledPredicate::Inode(*inode),
        Predicate::Number(number, compare, value) => {
            CompiledPredicate::Number(*number, *compare, *value)
        }
        Predicate::Age(compare, seconds) => CompiledPredicate::Age(*compare, *seconds),
        Predicate::RoundTrip(compare, microseconds) => {
            CompiledPredicate::RoundTrip(*compare, *microseconds)
        }
        Predicate::Urgency(urgency) => CompiledPredicate::Urgency(*urgency, None),
        Predicate::Text(text) => {
            CompiledPredicate::Text(Box::new(Needle::new(text, observation, true)))
        }
        Predicate::VisibleText(text) => {
            CompiledPredicate::Text(Box::new(Needle::new(text, observation, false)))
        }
    }
}

/// Returns the namespaces with a name that contains the text, or with that
/// number. The one of this program is called `this`.
fn namespaces_named(observation: &Observation, text: &str) -> Vec<u32> {
    let needle = text.to_lowercase();
    observation
        .namespaces
        .iter()
        .filter(|known| {
            let name = known.name.as_ref();
            known.id.to_string() == needle
                || known.is_current && needle == "this"
                || name.is_some_and(|name| name.as_str().to_lowercase().contains(&needle))
        })
        .map(|known| known.id)
        .collect()
}

/// Returns the users whose names satisfy a condition, ascending.
pub(super) fn users_named(observation: &Observation, wanted: impl Fn(&str) -> bool) -> Vec<u32> {
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
    use crate::filter::test_world::large_world;
    use std::time::Instant;

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn how_long_a_hundred_thousand_rows_take() {
        let world = large_world(100_000, 200);
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
