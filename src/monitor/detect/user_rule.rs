//! Rules that a person wrote: so many sockets that a filter wants, or so many
//! more within a time.
//!
//! They are judged by the observation, as whoever wrote them sees it: with the
//! filter of the table.

use super::Actor;
use super::growth::Growth;
use super::standing::{Level, Standing};
use crate::filter::{Filter, Matcher};
use crate::model::evidence::{Evidence, Group, Tripped};
use crate::model::finding::{Finding, Severity};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::text::Text;
use crate::model::time::Stamp;
use foldhash::{HashMap, HashSet};
use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// So many findings of one rule are told; of more, those with the most sockets.
const MOST: usize = 50;

/// A rule that a person wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRule {
    /// What it is called; unlike any other.
    pub name: Text,
    /// Which sockets it counts.
    pub filter: Filter,
    /// Which of them together.
    pub per: Per,
    /// How many are too many.
    pub limit: RuleLimit,
    /// For how long they must have been.
    pub hold: Duration,
    /// How much that matters.
    pub severity: Severity,
    /// The person's sentence for it, with `{places}`.
    pub words: Option<Text>,
}

/// Which sockets a rule counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// All of them.
    Total,
    /// Those of each process; of several holders the one with the smallest pid.
    Process,
    /// Those to each address.
    Remote,
    /// Those on each port of ours.
    LocalPort,
}

impl Per {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Total, Self::Process, Self::Remote, Self::LocalPort];

    /// The word in settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Process => "process",
            Self::Remote => "remote",
            Self::LocalPort => "local_port",
        }
    }

    /// Where a row is counted; nowhere where it has no such thing.
    fn key(self, row: &Row, observation: &Observation) -> Option<Key> {
        match self {
            Self::Total => Some(Key::All),
            Self::Process => {
                let owner = observation.first_owner(row)?;
                Some(Key::Process(Actor::of(owner)))
            }
            Self::Remote => Some(Key::Remote(row.socket.peer()?.address())),
            Self::LocalPort => Some(Key::LocalPort(row.socket.local.port)),
        }
    }
}

/// How many are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleLimit {
    /// More than so many.
    Count(u32),
    /// More than so many more than there were.
    Growth {
        /// How many more.
        by: u32,
        /// Within what time.
        within: Duration,
    },
}

/// What a rule counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    All,
    Process(Actor),
    Remote(IpAddr),
    LocalPort(u16),
}

/// A rule and what it remembers.
pub(super) struct Judge {
    rule: UserRule,
    /// The canonical text of its filter.
    filter: Text,
    standing: Standing<Key>,
    /// Since when each has been above the limit.
    above: HashMap<Key, Stamp>,
    growth: Growth<Key>,
}

impl Judge {
    pub(super) fn new(rule: UserRule) -> Self {
        Self {
            filter: Text::from(rule.filter.to_string().as_str()),
            rule,
            standing: Standing::default(),
            above: HashMap::default(),
            growth: Growth::default(),
        }
    }

    /// Whether its filter asks for what connections carry.
    pub(super) fn needs_flows(&self) -> bool {
        self.rule.filter.needs_flows()
    }

    /// Judges a table.
    pub(super) fn judge(
        &mut self,
        observation: &Observation,
        now: Stamp,
        clearing: Duration,
    ) -> Vec<Finding> {
        let matcher = Matcher::new(&self.rule.filter, observation);
        let counted = Counted::of(&matcher, self.rule.per, observation);
        let signs = self.signs(&counted, now);
        self.above
            .retain(|key, _| signs.iter().any(|(known, ..)| known == key));
        for (key, count, present) in signs {
            let level = self.level(key, count, present, now);
            let process = match key {
                Key::Process(actor) => find(actor, observation),
                _ => None,
            };
            self.standing.judge(key, process, level, now);
        }
        self.standing.findings(now, clearing)
    }

    /// Who has signs beyond half the limit, how many, and how many there are now:
    /// those with the most first, and no more than can be told.
    fn signs(&mut self, counted: &Counted, now: Stamp) -> Vec<(Key, u32, u32)> {
        let limit = self.limit();
        let mut signs: Vec<(Key, u32, u32)> = match self.rule.limit {
            RuleLimit::Count(_) => {
                let counts = counted.counts.iter();
                counts.map(|(key, count)| (*key, *count, *count)).collect()
            }
            RuleLimit::Growth { within, .. } => {
                self.growth
                    .note(&counted.counts, !counted.unowned_yet, now, within)
            }
        };
        signs.retain(|(_, count, _)| count.saturating_mul(2) > limit);
        signs.sort_unstable_by_key(|(key, count, _)| (Reverse(*count), *key));
        signs.truncate(MOST);
        signs
    }

    fn limit(&self) -> u32 {
        match self.rule.limit {
            RuleLimit::Count(limit) => limit,
            RuleLimit::Growth { by, .. } => by,
        }
    }

    fn level(&mut self, key: Key, count: u32, present: u32, now: Stamp) -> Level {
        let evidence = self.evidence(key, count, present);
        if count <= self.limit() {
            self.above.remove(&key);
            return Level::Hold(evidence);
        }
        let since = *self.above.entry(key).or_insert(now);
        if since.age(now) >= self.rule.hold {
            Level::Raise(self.rule.severity, evidence)
        } else {
            Level::Hold(evidence)
        }
    }

    fn evidence(&self, key: Key, count: u32, present: u32) -> Evidence {
        Evidence::UserRule(Tripped {
            name: self.rule.name.clone(),
            words: self.rule.words.clone(),
            filter: self.filter.clone(),
            group: match key {
                Key::All => Group::All,
                Key::Process(_) => Group::Process,
                Key::Remote(address) => Group::Remote(address),
                Key::LocalPort(port) => Group::LocalPort(port),
            },
            now: present,
            count,
            limit: self.limit(),
            within: match self.rule.limit {
                RuleLimit::Count(_) => None,
                RuleLimit::Growth { within, .. } => Some(within),
            },
        })
    }

    /// The rows that findings worth a look are about.
    pub(super) fn rows(&self, findings: &[Finding], observation: &Observation) -> Vec<usize> {
        if self.rule.severity < Severity::Warn || findings.is_empty() {
            return Vec::new();
        }
        let matcher = Matcher::new(&self.rule.filter, observation);
        let keys: HashSet<Key> = findings.iter().filter_map(key_of).collect();
        let rows = observation.rows.iter().enumerate();
        rows.filter(|(_, row)| row.phase != Phase::Closed && matcher.matches(row))
            .filter(|(_, row)| {
                let key = self.rule.per.key(row, observation);
                key.is_some_and(|key| keys.contains(&key))
            })
            .map(|(place, _)| place)
            .collect()
    }
}

fn key_of(finding: &Finding) -> Option<Key> {
    let Evidence::UserRule(tripped) = &finding.evidence else {
        return None;
    };
    Some(match tripped.group {
        Group::All => Key::All,
        Group::Process => Key::Process(Actor::of(finding.process.as_ref()?)),
        Group::Remote(address) => Key::Remote(address),
        Group::LocalPort(port) => Key::LocalPort(port),
    })
}

fn find(actor: Actor, observation: &Observation) -> Option<&Arc<Process>> {
    let mut processes = observation.processes.iter();
    processes.find(|process| Actor::of(process) == actor)
}

/// How many rows match.
struct Counted {
    counts: HashMap<Key, u32>,
    /// Whether some could not be counted yet, since their owner is still being
    /// looked for.
    unowned_yet: bool,
}

impl Counted {
    fn of(matcher: &Matcher<'_>, per: Per, observation: &Observation) -> Self {
        let mut counted = Self {
            counts: HashMap::default(),
            unowned_yet: false,
        };
        for row in observation.rows.iter() {
            if row.phase == Phase::Closed || !matcher.matches(row) {
                continue;
            }
            match per.key(row, observation) {
                Some(key) => *counted.counts.entry(key).or_default() += 1,
                None => counted.unowned_yet |= row.owners.is_pending(),
            }
        }
        counted
    }
}
