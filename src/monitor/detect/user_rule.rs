//! User rules: a maximum number of sockets that match a filter, or a maximum
//! increase within a time.
//!
//! They are evaluated on the observation, as their author sees it: with the
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

/// Maximum number of findings of one rule, those with the most sockets.
const MOST: usize = 50;

/// A user rule.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRule {
    /// Unique name.
    pub name: Text,
    /// Filter of the sockets it counts.
    pub filter: Filter,
    /// Grouping of the sockets.
    pub per: Per,
    /// Limit of a group.
    pub limit: RuleLimit,
    /// Time for which a group must exceed the limit.
    pub hold: Duration,
    /// Severity of its findings.
    pub severity: Severity,
    /// The user's message for it, with `{places}`.
    pub words: Option<Text>,
}

/// Grouping of the sockets of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// All of them.
    Total,
    /// Those of each process; of several holders the one with the smallest pid.
    Process,
    /// Those to each remote address.
    Remote,
    /// Those on each local port.
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

    /// Returns the group of a row; none if the row has no such value.
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

/// Limit of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleLimit {
    /// More sockets than this number.
    Count(u32),
    /// More additional sockets than this number.
    Growth {
        /// Number of additional sockets.
        by: u32,
        /// Window.
        within: Duration,
    },
}

/// A group of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    All,
    Process(Actor),
    Remote(IpAddr),
    LocalPort(u16),
}

/// A rule and its state.
pub(super) struct Judge {
    rule: UserRule,
    /// The canonical text of its filter.
    filter: Text,
    standing: Standing<Key>,
    /// Time since which each group has been above the limit.
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

    /// True if its filter needs `TCP_INFO` counters.
    pub(super) fn needs_flows(&self) -> bool {
        self.rule.filter.needs_flows()
    }

    /// Evaluates a table.
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

    /// Returns the groups above half the limit, with the count that the limit
    /// applies to and the present number: those with the most first, up to the
    /// maximum of findings.
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

    /// Returns the rows of warnings and alarms.
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

/// Number of matching rows.
struct Counted {
    counts: HashMap<Key, u32>,
    /// True if some could not be counted, since their owner is still being
    /// searched.
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
