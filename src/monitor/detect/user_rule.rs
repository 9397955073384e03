//! User rules: a maximum number of sockets that match a filter, or a maximum
//! increase within a time.
//!
//! They are evaluated on the observation, as their author sees it: with the
//! filter of the table.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::growth::Growth;
use super::table_context::ProcessKey;
use crate::filter::{Filter, Matcher};
use crate::model::evidence::{Evidence, UserRuleEvidence, UserRuleGroup};
use crate::model::finding::{Finding, Severity};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::text::Text;
use crate::model::time::Timestamp;
use foldhash::{HashMap, HashSet};
use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of findings of one rule, those with the most sockets.
const MAX_FINDINGS: usize = 50;

/// A user rule.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRule {
    /// Unique name.
    pub name: Text,
    /// Filter of the sockets it counts.
    pub filter: Filter,
    /// Grouping of the sockets.
    pub group_by: GroupBy,
    /// Limit of a group.
    pub limit: RuleLimit,
    /// Time for which a group must exceed the limit.
    pub min_duration: Duration,
    /// Severity of its findings.
    pub severity: Severity,
    /// The user's message for it, with `{places}`.
    pub message: Option<Text>,
}

/// Grouping of the sockets of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// All of them.
    Total,
    /// Those of each process; of several holders the one with the smallest pid.
    Process,
    /// Those to each remote address.
    Remote,
    /// Those on each local port.
    LocalPort,
}

impl GroupBy {
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
    fn key(self, row: &Row, observation: &Observation) -> Option<GroupKey> {
        match self {
            Self::Total => Some(GroupKey::All),
            Self::Process => {
                let owner = observation.first_owner(row)?;
                Some(GroupKey::Process(ProcessKey::of(owner)))
            }
            Self::Remote => Some(GroupKey::Remote(row.socket.peer()?.address())),
            Self::LocalPort => Some(GroupKey::LocalPort(row.socket.local.port)),
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
pub(super) enum GroupKey {
    All,
    Process(ProcessKey),
    Remote(IpAddr),
    LocalPort(u16),
}

/// A rule and its state.
pub(super) struct UserRuleState {
    rule: UserRule,
    /// The canonical text of its filter.
    filter_text: Text,
    active: ActiveFindings<GroupKey>,
    /// Time since which each group has been above the limit.
    above_since: HashMap<GroupKey, Timestamp>,
    growth: Growth<GroupKey>,
}

impl UserRuleState {
    pub(super) fn new(rule: UserRule) -> Self {
        Self {
            filter_text: Text::from(rule.filter.to_string().as_str()),
            rule,
            active: ActiveFindings::default(),
            above_since: HashMap::default(),
            growth: Growth::default(),
        }
    }

    /// True if its filter needs `TCP_INFO` counters.
    pub(super) fn uses_tcp_metrics(&self) -> bool {
        self.rule.filter.uses_tcp_metrics()
    }

    /// Evaluates a table.
    pub(super) fn evaluate(
        &mut self,
        observation: &Observation,
        now: Timestamp,
        clearing: Duration,
    ) -> Vec<Finding> {
        let matcher = Matcher::new(&self.rule.filter, observation);
        let counted = MatchCounts::of(&matcher, self.rule.group_by, observation);
        let signs = self.above_half(&counted, now);
        self.above_since
            .retain(|key, _| signs.iter().any(|(known, ..)| known == key));
        for (key, count, present) in signs {
            let level = self.trigger_level(key, count, present, now);
            let process = match key {
                GroupKey::Process(actor) => find_process(actor, observation),
                _ => None,
            };
            self.active.update(key, process, level, now);
        }
        self.active.finish_round(now, clearing)
    }

    /// Returns the groups above half the limit, with the count that the limit
    /// applies to and the present number: those with the most first, up to the
    /// maximum of findings.
    fn above_half(&mut self, counted: &MatchCounts, now: Timestamp) -> Vec<(GroupKey, u32, u32)> {
        let limit = self.limit();
        let mut signs: Vec<(GroupKey, u32, u32)> = match self.rule.limit {
            RuleLimit::Count(_) => {
                let counts = counted.counts.iter();
                counts.map(|(key, count)| (*key, *count, *count)).collect()
            }
            RuleLimit::Growth { within, .. } => {
                self.growth
                    .update(&counted.counts, !counted.owners_pending, now, within)
            }
        };
        signs.retain(|(_, count, _)| count.saturating_mul(2) > limit);
        signs.sort_unstable_by_key(|(key, count, _)| (Reverse(*count), *key));
        signs.truncate(MAX_FINDINGS);
        signs
    }

    fn limit(&self) -> u32 {
        match self.rule.limit {
            RuleLimit::Count(limit) => limit,
            RuleLimit::Growth { by, .. } => by,
        }
    }

    fn trigger_level(
        &mut self,
        key: GroupKey,
        count: u32,
        present: u32,
        now: Timestamp,
    ) -> TriggerLevel {
        let evidence = self.evidence(key, count, present);
        if count <= self.limit() {
            self.above_since.remove(&key);
            return TriggerLevel::Sustain(evidence);
        }
        let since = *self.above_since.entry(key).or_insert(now);
        if since.age(now) >= self.rule.min_duration {
            TriggerLevel::Raise(self.rule.severity, evidence)
        } else {
            TriggerLevel::Sustain(evidence)
        }
    }

    fn evidence(&self, key: GroupKey, count: u32, present: u32) -> Evidence {
        Evidence::UserRule(UserRuleEvidence {
            name: self.rule.name.clone(),
            message: self.rule.message.clone(),
            filter: self.filter_text.clone(),
            group: match key {
                GroupKey::All => UserRuleGroup::All,
                GroupKey::Process(_) => UserRuleGroup::Process,
                GroupKey::Remote(address) => UserRuleGroup::Remote(address),
                GroupKey::LocalPort(port) => UserRuleGroup::LocalPort(port),
            },
            current: present,
            count,
            limit: self.limit(),
            window: match self.rule.limit {
                RuleLimit::Count(_) => None,
                RuleLimit::Growth { within, .. } => Some(within),
            },
        })
    }

    /// Returns the rows of warnings and alarms.
    pub(super) fn rows_of_findings(
        &self,
        findings: &[Finding],
        observation: &Observation,
    ) -> Vec<usize> {
        if self.rule.severity < Severity::Warning || findings.is_empty() {
            return Vec::new();
        }
        let matcher = Matcher::new(&self.rule.filter, observation);
        let keys: HashSet<GroupKey> = findings.iter().filter_map(group_key_of).collect();
        let rows = observation.rows.iter().enumerate();
        rows.filter(|(_, row)| row.phase != Phase::Closed && matcher.matches(row))
            .filter(|(_, row)| {
                let key = self.rule.group_by.key(row, observation);
                key.is_some_and(|key| keys.contains(&key))
            })
            .map(|(place, _)| place)
            .collect()
    }
}

fn group_key_of(finding: &Finding) -> Option<GroupKey> {
    let Evidence::UserRule(tripped) = &finding.evidence else {
        return None;
    };
    Some(match tripped.group {
        UserRuleGroup::All => GroupKey::All,
        UserRuleGroup::Process => GroupKey::Process(ProcessKey::of(finding.process.as_ref()?)),
        UserRuleGroup::Remote(address) => GroupKey::Remote(address),
        UserRuleGroup::LocalPort(port) => GroupKey::LocalPort(port),
    })
}

fn find_process(actor: ProcessKey, observation: &Observation) -> Option<&Arc<Process>> {
    let mut processes = observation.processes.iter();
    processes.find(|process| ProcessKey::of(process) == actor)
}

/// Number of matching rows.
struct MatchCounts {
    counts: HashMap<GroupKey, u32>,
    /// True if some could not be counted, since their owner is still being
    /// searched.
    owners_pending: bool,
}

impl MatchCounts {
    fn of(matcher: &Matcher<'_>, per: GroupBy, observation: &Observation) -> Self {
        let mut counted = Self {
            counts: HashMap::default(),
            owners_pending: false,
        };
        for row in observation.rows.iter() {
            if row.phase == Phase::Closed || !matcher.matches(row) {
                continue;
            }
            match per.key(row, observation) {
                Some(key) => *counted.counts.entry(key).or_default() += 1,
                None => counted.owners_pending |= row.owners.is_pending(),
            }
        }
        counted
    }
}
