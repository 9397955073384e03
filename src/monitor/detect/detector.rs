//! A detection rule and its input, for each table.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::blocked_writers::BlockedWriters;
use super::counter_window::CounterWindow;
use super::network_health::NetworkStatus;
use super::owner_key::OwnerKey;
use super::profile::Profile;
use super::table_context::{KernelStats, TableContext};
use super::thresholds::Thresholds;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule};
use crate::model::time::Timestamp;

/// Input of a rule.
pub(super) struct DetectorInput<'a> {
    pub(super) now: Timestamp,
    pub(super) profiles: &'a [Profile],
    pub(super) network: NetworkStatus,
    pub(super) limits: &'a Thresholds,
    /// The table itself, for rules that are not about first contacts.
    pub(super) context: &'a TableContext<'a>,
    /// Increases of the kernel's counters.
    pub(super) counters: &'a CounterWindow,
    /// Writers that wait for a reader on this machine.
    pub(super) blocked_writers: BlockedWriters<'a>,
}

impl DetectorInput<'_> {
    /// Evaluates each running process by the same rule. Unseen processes of a
    /// user are left out: together they may look like what none of them is,
    /// such as a scan where each mailer has a few dead hosts.
    pub(super) fn evaluate_each_process(
        &self,
        standing: &mut ActiveFindings<OwnerKey>,
        level: impl Fn(&Profile) -> TriggerLevel,
    ) -> Vec<Finding> {
        let is_seen = |profile: &&Profile| profile.client.process().is_some();
        self.evaluate_profiles(self.profiles.iter().filter(is_seen), standing, level)
    }

    /// Evaluates each client: also the unseen processes of a user, as if they
    /// were one.
    pub(super) fn evaluate_each_client(
        &self,
        standing: &mut ActiveFindings<OwnerKey>,
        level: impl Fn(&Profile) -> TriggerLevel,
    ) -> Vec<Finding> {
        self.evaluate_profiles(self.profiles.iter(), standing, level)
    }

    pub(super) fn evaluate_profiles<'p>(
        &self,
        profiles: impl Iterator<Item = &'p Profile>,
        standing: &mut ActiveFindings<OwnerKey>,
        level: impl Fn(&Profile) -> TriggerLevel,
    ) -> Vec<Finding> {
        for profile in profiles.filter(|profile| profile.alive) {
            let level = self.network.dampen(level(profile));
            let client = &profile.client;
            standing.update(client.owner_key(), client.holder(), level, self.now);
        }
        standing.finish_round(self.now, self.limits.clearing)
    }
}

/// A rule. It keeps its own findings, so that it recognises a relapse.
pub(super) trait Detector: Send {
    /// Evaluates a table and returns the active findings of this kind.
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding>;

    /// Returns the missing input that makes the rule inactive. Most rules need
    /// no more than the table.
    fn missing_input(&self, _kernel: &KernelStats) -> Option<InactiveRule> {
        None
    }
}

/// Returns the rule as inactive if part of its input is missing.
pub(super) fn inactive_unless(
    rule: Rule,
    lacks: MissingInput,
    has_all: bool,
) -> Option<InactiveRule> {
    (!has_all).then_some(InactiveRule {
        rule,
        missing: lacks,
    })
}
