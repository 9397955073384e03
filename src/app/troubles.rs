//! State of findings on the user's side: mutes, acknowledgements, the bell and
//! recently resolved findings.

use super::App;
use super::effect::Effect;
use super::leads;
use super::mode::Mode;
use crate::filter::Filter;
use crate::model::finding::{Finding, Severity};
use crate::model::identity::Identity;
use crate::model::mute::Mute;
use crate::model::observation::Observation;
use crate::model::time::Time;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Maximum number of resolved findings that are kept.
const REMEMBERED: usize = 20;

/// Options for reporting findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// Mutes.
    pub mutes: Vec<Mute>,
    /// True if the bell rings once when an alarm begins.
    pub bell: bool,
}

/// A resolved finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Its last version.
    pub finding: Finding,
    /// Time at which it was first missing.
    pub at: Time,
    /// Time for which it was active.
    pub lasted: Duration,
}

/// State of findings beyond one observation.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    attention: Attention,
    /// Acknowledged findings, with their severity at that time.
    acknowledged: Vec<(Identity, Severity)>,
    /// Reported findings of the latest observation.
    last: Vec<Finding>,
    /// Alarms for which the bell has rung.
    rung: Vec<Identity>,
    /// The latest first.
    ended: VecDeque<Ended>,
}

impl Troubles {
    pub(super) fn new(attention: Attention) -> Self {
        Self {
            attention,
            ..Self::default()
        }
    }

    /// Compares an observation with the one before it.
    fn compare(&mut self, observation: &Observation) -> Option<Effect> {
        let told = observation.findings.iter().chain(&observation.muted);
        let standing: Vec<Identity> = told.map(Identity::of).collect();
        let stands = |finding: &Finding| standing.contains(&Identity::of(finding));
        for finding in std::mem::take(&mut self.last) {
            if !stands(&finding) {
                let lasted = finding.since.age(observation.time.stamp());
                self.ended.push_front(Ended {
                    finding,
                    at: observation.time,
                    lasted,
                });
            }
        }
        self.ended.truncate(REMEMBERED);
        self.last.clone_from(&observation.findings);
        self.acknowledged
            .retain(|(known, _)| standing.contains(known));
        let alarms = observation.findings.iter();
        let alarms: Vec<Identity> = alarms
            .filter(|finding| finding.severity == Severity::Alarm)
            .map(Identity::of)
            .collect();
        let fresh = alarms.iter().any(|alarm| !self.rung.contains(alarm));
        self.rung = alarms;
        (fresh && self.attention.bell).then_some(Effect::Ring)
    }
}

impl App {
    /// Records findings that begin and end, also while the screen is paused.
    pub(super) fn note_troubles(&mut self, observation: &Observation) -> Option<Effect> {
        self.troubles.compare(observation)
    }

    /// True if a finding is acknowledged, and its severity has not risen.
    #[must_use]
    pub fn is_acknowledged(&self, finding: &Finding) -> bool {
        let acknowledged = &self.troubles.acknowledged;
        if acknowledged.is_empty() {
            return false;
        }
        let identity = Identity::of(finding);
        let mut known = acknowledged.iter();
        known.any(|(one, severity)| *one == identity && finding.severity <= *severity)
    }

    /// Findings that are neither muted nor acknowledged, the most severe first.
    pub fn news(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.observation.findings.iter();
        findings.filter(|finding| !self.is_acknowledged(finding))
    }

    /// Resolved findings, the latest first; at most the last 20.
    pub fn ended_findings(&self) -> impl Iterator<Item = &Ended> {
        self.troubles.ended.iter()
    }

    /// The finding that is marked on the page of findings.
    #[must_use]
    pub fn chosen_finding(&self) -> Option<&Finding> {
        let Mode::Findings { place, .. } = self.mode else {
            return None;
        };
        let all = self.observation.findings.iter();
        all.chain(&self.observation.muted).nth(place)
    }

    /// Marks the same finding after the observation has changed.
    pub(super) fn follow_finding(&mut self, before: Option<&Identity>) {
        let Mode::Findings { place, .. } = &mut self.mode else {
            return;
        };
        let mut all = self
            .observation
            .findings
            .iter()
            .chain(&self.observation.muted);
        let found =
            before.and_then(|before| all.position(|finding| Identity::of(finding) == *before));
        let count = self.observation.findings.len() + self.observation.muted.len();
        *place = found.unwrap_or(*place).min(count.saturating_sub(1));
    }

    /// Shows the rows of the marked finding, or of the most severe.
    pub(super) fn show_finding(&mut self) -> Vec<Effect> {
        let gravest = || self.news().next().or(self.observation.findings.first());
        let own = || self.finding_of_row();
        let Some(finding) = self.chosen_finding().or_else(own).or_else(gravest) else {
            self.say("no_finding", &[]);
            return Vec::new();
        };
        let wanted = leads::filter(finding);
        self.leave_all();
        self.show_only(&wanted);
        Vec::new()
    }

    /// Returns the most severe finding that the selected row is part of.
    fn finding_of_row(&self) -> Option<&Finding> {
        let row = self.selected().filter(|row| row.flagged.is_some())?;
        let mut findings = self.news().chain(&self.observation.findings);
        findings.find(|finding| {
            let lead = Filter::parse(&leads::filter(finding));
            lead.is_ok_and(|lead| lead.matches(row, &self.observation))
        })
    }

    /// Acknowledges the marked finding, or undoes that.
    pub(super) fn acknowledge(&mut self) -> Vec<Effect> {
        let Some(finding) = self.chosen_finding() else {
            return Vec::new();
        };
        let (identity, severity) = (Identity::of(finding), finding.severity);
        let known = self.is_acknowledged(finding);
        self.troubles
            .acknowledged
            .retain(|(one, _)| *one != identity);
        if known {
            self.say("unacknowledged", &[]);
        } else {
            self.troubles.acknowledged.push((identity, severity));
            self.say("acknowledged", &[]);
        }
        Vec::new()
    }

    /// Mutes the marked finding's rule for its program file, or undoes that.
    pub(super) fn mute(&mut self) -> Vec<Effect> {
        let Some(finding) = self.chosen_finding() else {
            return Vec::new();
        };
        let (identity, covering) = (Identity::of(finding), finding.clone());
        let wanted = Mute::of(finding);
        let mutes = &mut self.troubles.attention.mutes;
        if mutes.iter().any(|mute| mute.covers(&covering)) {
            // A mute that covers more than this finding is not removed by this
            // key.
            let whole = wanted.is_some_and(|wanted| wanted.program.is_none());
            mutes.retain(|mute| !mute.covers(&covering) || (mute.program.is_none() && !whole));
            if mutes.iter().any(|mute| mute.covers(&covering)) {
                self.say("muted_whole", &[]);
            } else {
                self.say("unmuted", &[]);
            }
        } else if let Some(mute) = wanted {
            let rule = mute.rule.as_str().to_owned();
            let (name, values) = match &mute.program {
                Some(program) => (
                    "muted",
                    vec![("rule", rule), ("program", program.to_string())],
                ),
                None => ("muted_rule", vec![("rule", rule)]),
            };
            mutes.push(mute);
            self.say(name, &values);
        } else {
            self.say("not_muted", &[]);
            return Vec::new();
        }
        self.part_findings();
        self.follow_finding(Some(&identity));
        vec![Effect::Mute(self.troubles.attention.mutes.clone())]
    }

    /// Splits the findings on screen into active and muted ones again; the next
    /// table comes split.
    fn part_findings(&mut self) {
        let mutes = &self.troubles.attention.mutes;
        let observation = Arc::make_mut(&mut self.observation);
        let mut all = std::mem::take(&mut observation.findings);
        all.append(&mut observation.muted);
        all.sort_by_key(|finding| {
            let rule = finding.evidence.rule();
            (Reverse(finding.severity), finding.since, rule)
        });
        (observation.muted, observation.findings) = all
            .into_iter()
            .partition(|finding| mutes.iter().any(|mute| mute.covers(finding)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::Evidence;
    use crate::model::finding::FindingHolder;
    use crate::model::process::{Process, Program};
    use crate::model::time::Stamp;

    fn finding(pid: u32, severity: Severity) -> Finding {
        Finding {
            severity,
            since: Stamp(100),
            below_since: None,
            holder: FindingHolder::default(),
            process: Some(Arc::new(Process {
                pid,
                exe: Some(Program::here("/usr/bin/x")),
                ..Process::default()
            })),
            evidence: Evidence::Ipv6Silent {
                failed: 9,
                reached: 9,
            },
        }
    }

    fn observed(findings: Vec<Finding>, second: u64) -> Observation {
        Observation {
            time: Time {
                wall_ms: 0,
                monotonic_ms: second * 1000,
            },
            findings,
            ..Observation::default()
        }
    }

    #[test]
    fn the_bell_rings_once_when_an_alarm_begins() {
        let mut troubles = Troubles::new(Attention {
            bell: true,
            ..Attention::default()
        });
        let (warn, alarm) = (
            || vec![finding(1, Severity::Warn)],
            || vec![finding(1, Severity::Alarm)],
        );
        assert_eq!(troubles.compare(&observed(warn(), 1)), None);
        assert_eq!(troubles.compare(&observed(alarm(), 2)), Some(Effect::Ring));
        assert_eq!(troubles.compare(&observed(alarm(), 3)), None);
        let both = vec![finding(1, Severity::Alarm), finding(2, Severity::Alarm)];
        assert_eq!(troubles.compare(&observed(both, 4)), Some(Effect::Ring));
        let mut muted = observed(Vec::new(), 5);
        muted.muted = vec![finding(3, Severity::Alarm)];
        assert_eq!(troubles.compare(&muted), None);
        let mut silent = Troubles::default();
        assert_eq!(silent.compare(&observed(alarm(), 1)), None);
    }

    #[test]
    fn what_ends_is_remembered_and_what_is_muted_has_not_ended() {
        let mut troubles = Troubles::default();
        troubles.compare(&observed(vec![finding(1, Severity::Warn)], 2));
        let mut muted = observed(Vec::new(), 3);
        muted.muted = vec![finding(1, Severity::Warn)];
        troubles.compare(&muted);
        assert!(troubles.ended.is_empty());
        for pid in 0..30 {
            troubles.compare(&observed(vec![finding(pid, Severity::Warn)], 5));
            troubles.compare(&observed(Vec::new(), 11));
        }
        assert_eq!(troubles.ended.len(), REMEMBERED);
        let latest = &troubles.ended[0];
        assert_eq!(latest.finding.process.as_ref().unwrap().pid, 29);
        assert_eq!(latest.lasted, Duration::from_secs(10));
    }
}
