//! Report on what can be seen and done here, the reasons for what cannot, and
//! the privileges that would help: from what a table really lacked and from the
//! privileges of this program. Nothing is guessed from the uid.

use super::catalogue::Catalogue;
use super::template::{format_thousands, render};
use crate::model::action::AccessMode;
use crate::model::close::CloseRefusal;
use crate::model::event::EventSource;
use crate::model::gap::{GapKind, GapReason};
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::model::privileges::{Capability, ProbedCapabilities, ProcessHandleSupport};
use crate::model::reading::SourceKind;
use crate::model::row::Phase;
use std::collections::BTreeSet;

/// A feature of this program that may be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Read the socket tables.
    Sockets,
    /// Find the owners.
    Owners,
    /// Read other network namespaces.
    Namespaces,
    /// Receive the kernel's events between tables.
    Events,
    /// Run the detection rules.
    Detection,
    /// End processes.
    SignalProcesses,
    /// Close connections.
    CloseConnections,
    /// Privileges that it has given up.
    Hardening,
}

impl Feature {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Sockets,
        Self::Owners,
        Self::Namespaces,
        Self::Events,
        Self::Detection,
        Self::SignalProcesses,
        Self::CloseConnections,
        Self::Hardening,
    ];

    /// The key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Owners => "owners",
            Self::Namespaces => "namespaces",
            Self::Events => "events",
            Self::Detection => "detection",
            Self::SignalProcesses => "end",
            Self::CloseConnections => "close",
            Self::Hardening => "restraint",
        }
    }
}

/// Extent to which a feature works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// Fully.
    Full,
    /// In part.
    Partial,
    /// Not at all.
    Unavailable,
}

impl Support {
    /// The key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Full => "can",
            Self::Partial => "partly",
            Self::Unavailable => "cannot",
        }
    }
}

/// Report on one feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureReport {
    /// The feature.
    pub feature: Feature,
    /// The extent to which it works.
    pub support: Support,
    /// Name of the sentence in the assets.
    pub(super) message: &'static str,
    values: Vec<(&'static str, String)>,
    /// Missing privileges.
    pub lacks: BTreeSet<Capability>,
}

impl FeatureReport {
    fn new(feature: Feature, support: Support, message: &'static str) -> Self {
        Self {
            feature,
            support,
            message,
            values: Vec::new(),
            lacks: BTreeSet::new(),
        }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.values.push((name, value));
        self
    }

    /// Adds those of these privileges that are not held.
    fn with_missing(mut self, wanted: &[Capability], means: &ProbedCapabilities) -> Self {
        let held = &means.privileges.capabilities;
        let missing = wanted.iter().filter(|one| !held.contains(one));
        self.lacks.extend(missing.copied());
        self
    }

    /// Returns the report as a sentence.
    #[must_use]
    pub fn sentence(&self, words: &Catalogue) -> String {
        let text = words.ability(self.feature.key(), self.message);
        let value = |place: &str| {
            if place == "lacks" {
                let lacks: Vec<&str> = self.lacks.iter().map(|one| one.word()).collect();
                return Some(words.join_list(&lacks));
            }
            let found = self.values.iter().find(|(name, _)| *name == place);
            found.map(|(_, value)| value.clone())
        };
        render(text, value).unwrap_or_default()
    }
}

/// Returns one report for each feature. `scope` is that of the table.
#[must_use]
pub fn feature_reports(
    observation: &Observation,
    means: &ProbedCapabilities,
    scope: NamespaceScope,
) -> Vec<FeatureReport> {
    vec![
        sockets(observation),
        owners(observation, means),
        namespaces(observation, means, scope),
        events(observation),
        detection(observation),
        signal_processes(means),
        close_connections(means),
        hardening(means),
    ]
}

fn gap_count(observation: &Observation, kind: GapKind) -> u64 {
    let of_kind = observation.gaps.iter().filter(|gap| gap.kind == kind);
    of_kind.map(|gap| gap.count).sum()
}

fn sockets(observation: &Observation) -> FeatureReport {
    let rows = observation.rows.iter();
    let count = rows.filter(|row| row.phase != Phase::Closed).count();
    let unread = gap_count(observation, GapKind::TablesUnreadable);
    let verdict = if unread > 0 {
        FeatureReport::new(Feature::Sockets, Support::Partial, "missing")
            .with("missing", format_thousands(unread))
    } else {
        match observation.source {
            SourceKind::SockDiag => FeatureReport::new(Feature::Sockets, Support::Full, "can"),
            SourceKind::Proc => FeatureReport::new(Feature::Sockets, Support::Partial, "proc"),
            SourceKind::Mixed => FeatureReport::new(Feature::Sockets, Support::Partial, "mixed"),
        }
    };
    verdict.with("count", format_thousands(count as u64))
}

fn owners(observation: &Observation, means: &ProbedCapabilities) -> FeatureReport {
    const NEEDED: [Capability; 2] = [Capability::DacReadSearch, Capability::SysPtrace];
    let init = gap_count(observation, GapKind::InitUnreadable);
    let unreadable = gap_count(observation, GapKind::ProcessesUnreadable) + init;
    let hidden = gap_count(observation, GapKind::OwnersHidden);
    if gap_count(observation, GapKind::ProcMissing) > 0 {
        return FeatureReport::new(Feature::Owners, Support::Unavailable, "no_proc");
    }
    let by_hidepid = gap_count(observation, GapKind::ProcessesHidden) > 0;
    if unreadable == init && hidden == 0 && !by_hidepid {
        let says = if init > 0 { "init" } else { "can" };
        return FeatureReport::new(Feature::Owners, Support::Full, says);
    }
    if by_hidepid {
        return FeatureReport::new(Feature::Owners, Support::Partial, "hidepid")
            .with("hidden", format_thousands(hidden))
            .with_missing(&NEEDED, means);
    }
    let starved = observation.gaps.iter().any(|gap| {
        gap.kind == GapKind::ProcessesUnreadable && gap.reason == GapReason::DescriptorLimit
    });
    let privileged = NEEDED
        .iter()
        .all(|one| means.privileges.capabilities.contains(one));
    let says = match (starved, privileged && means.privileges.is_machine_wide) {
        (true, _) => "starved",
        (_, true) => "refused",
        _ => "partly",
    };
    let verdict = FeatureReport::new(Feature::Owners, Support::Partial, says)
        .with("unreadable", format_thousands(unreadable))
        .with("hidden", format_thousands(hidden));
    if starved {
        return verdict;
    }
    verdict.with_missing(&NEEDED, means)
}

fn namespaces(
    observation: &Observation,
    means: &ProbedCapabilities,
    scope: NamespaceScope,
) -> FeatureReport {
    const NEEDED: [Capability; 2] = [Capability::SysAdmin, Capability::SysPtrace];
    let may = means
        .privileges
        .capabilities
        .contains(&Capability::SysAdmin);
    if gap_count(observation, GapKind::ProcMissing) > 0 {
        return FeatureReport::new(Feature::Namespaces, Support::Unavailable, "no_proc");
    }
    let verdict = if scope == NamespaceScope::All {
        let unread = gap_count(observation, GapKind::NamespacesUnreadable);
        let unknown = gap_count(observation, GapKind::NamespacesUnknown);
        let by_hidepid = gap_count(observation, GapKind::ProcessesHidden) > 0;
        if unread == 0 && unknown == 0 && !by_hidepid {
            let count = format_thousands(observation.namespaces.len() as u64);
            let init = gap_count(observation, GapKind::InitUnreadable) > 0;
            let says = if init { "all_but_init" } else { "all" };
            return FeatureReport::new(Feature::Namespaces, Support::Full, says)
                .with("count", count);
        }
        let says = if by_hidepid { "hidepid" } else { "partly" };
        FeatureReport::new(Feature::Namespaces, Support::Partial, says)
            .with("unread", format_thousands(unread))
            .with("unknown", format_thousands(unknown))
    } else if may {
        return FeatureReport::new(Feature::Namespaces, Support::Full, "can");
    } else {
        FeatureReport::new(Feature::Namespaces, Support::Partial, "cannot")
    };
    verdict.with_missing(&NEEDED, means)
}

fn events(observation: &Observation) -> FeatureReport {
    let verdict = |standing, says| FeatureReport::new(Feature::Events, standing, says);
    match observation.event_history.source {
        EventSource::StateChanges => verdict(Support::Full, "can"),
        EventSource::Off => verdict(Support::Unavailable, "off"),
        EventSource::DestroyedOnly(reason) => verdict(Support::Partial, reason.key()),
        EventSource::Unavailable(reason) => verdict(Support::Unavailable, reason.key()),
    }
}

fn detection(observation: &Observation) -> FeatureReport {
    if observation.inactive_rules.is_empty() {
        return FeatureReport::new(Feature::Detection, Support::Full, "can");
    }
    let blind = observation.inactive_rules.iter();
    let rules: Vec<String> = blind
        .map(|blind| format!("{} ({})", blind.rule.key(), blind.missing.word()))
        .collect();
    FeatureReport::new(Feature::Detection, Support::Partial, "partly")
        .with("rules", rules.join(", "))
}

fn signal_processes(means: &ProbedCapabilities) -> FeatureReport {
    let may = means.privileges.capabilities.contains(&Capability::Kill);
    if means.access_mode == AccessMode::ReadOnly {
        FeatureReport::new(Feature::SignalProcesses, Support::Unavailable, "look")
    } else if means.process_handles == ProcessHandleSupport::Unavailable {
        FeatureReport::new(Feature::SignalProcesses, Support::Unavailable, "foreign")
    } else if means.process_handles == ProcessHandleSupport::PidOnly {
        FeatureReport::new(Feature::SignalProcesses, Support::Unavailable, "racy")
    } else if may && means.privileges.is_machine_wide {
        FeatureReport::new(Feature::SignalProcesses, Support::Full, "can")
    } else if may {
        FeatureReport::new(Feature::SignalProcesses, Support::Partial, "inside")
    } else {
        let verdict = FeatureReport::new(Feature::SignalProcesses, Support::Partial, "partly");
        verdict.with_missing(&[Capability::Kill], means)
    }
}

fn close_connections(means: &ProbedCapabilities) -> FeatureReport {
    if means.access_mode == AccessMode::ReadOnly {
        return FeatureReport::new(Feature::CloseConnections, Support::Unavailable, "look");
    }
    match &means.close_support {
        Ok(()) => FeatureReport::new(Feature::CloseConnections, Support::Full, "can"),
        Err(CloseRefusal::NotPermitted)
            if means
                .privileges
                .capabilities
                .contains(&Capability::NetAdmin) =>
        {
            FeatureReport::new(Feature::CloseConnections, Support::Unavailable, "foreign")
        }
        Err(CloseRefusal::NotPermitted) => {
            let verdict = FeatureReport::new(
                Feature::CloseConnections,
                Support::Unavailable,
                "not_permitted",
            );
            verdict.with_missing(&[Capability::NetAdmin], means)
        }
        Err(CloseRefusal::Unsupported) => FeatureReport::new(
            Feature::CloseConnections,
            Support::Unavailable,
            "not_offered",
        ),
        Err(other) => {
            let message = match other {
                CloseRefusal::Failed(message) => message.to_string(),
                other => other.key().to_owned(),
            };
            FeatureReport::new(Feature::CloseConnections, Support::Unavailable, "failed")
                .with("message", message)
        }
    }
}

fn hardening(means: &ProbedCapabilities) -> FeatureReport {
    let restraint = means.privileges.hardening;
    let whole =
        restraint.least_capabilities && restraint.no_new_privileges && restraint.no_core_dumps;
    // A second line of defence: without it nothing is missing that a user could
    // use.
    let (standing, some, none) = match (whole, restraint.no_execution) {
        (true, true) => (Support::Full, "can", "none"),
        (true, false) => (Support::Full, "can_unfiltered", "none_unfiltered"),
        (false, _) => (Support::Partial, "partly", "loose"),
    };
    let held = &means.privileges.capabilities;
    if held.is_empty() {
        return FeatureReport::new(Feature::Hardening, standing, none);
    }
    let held: Vec<&str> = held.iter().map(|one| one.word()).collect();
    FeatureReport::new(Feature::Hardening, standing, some).with("held", held.join(", "))
}

#[cfg(test)]
mod tests;
