//! Report on what can be seen and done here, the reasons for what cannot, and
//! the privileges that would help: from what a table really lacked and from the
//! privileges of this program. Nothing is guessed from the uid.

use super::catalogue::Catalogue;
use super::sentence::{fill, grouped};
use crate::model::action::Policy;
use crate::model::closing::CloseRefusal;
use crate::model::event::Feed;
use crate::model::gap::{GapKind, GapReason};
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::model::powers::{Capability, Means, Naming};
use crate::model::reading::SourceKind;
use crate::model::row::Phase;
use std::collections::BTreeSet;

/// A feature of this program that may be limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
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
    End,
    /// Close connections.
    Close,
    /// Privileges that it has given up.
    Restraint,
}

impl Ability {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Sockets,
        Self::Owners,
        Self::Namespaces,
        Self::Events,
        Self::Detection,
        Self::End,
        Self::Close,
        Self::Restraint,
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
            Self::End => "end",
            Self::Close => "close",
            Self::Restraint => "restraint",
        }
    }
}

/// Extent to which a feature works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Fully.
    Can,
    /// In part.
    Partly,
    /// Not at all.
    Cannot,
}

impl Standing {
    /// The key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Can => "can",
            Self::Partly => "partly",
            Self::Cannot => "cannot",
        }
    }
}

/// Report on one feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The feature.
    pub ability: Ability,
    /// The extent to which it works.
    pub standing: Standing,
    /// Name of the sentence in the assets.
    pub(super) says: &'static str,
    values: Vec<(&'static str, String)>,
    /// Missing privileges.
    pub lacks: BTreeSet<Capability>,
}

impl Verdict {
    fn new(ability: Ability, standing: Standing, says: &'static str) -> Self {
        Self {
            ability,
            standing,
            says,
            values: Vec::new(),
            lacks: BTreeSet::new(),
        }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.values.push((name, value));
        self
    }

    /// Adds those of these privileges that are not held.
    fn lacking(mut self, wanted: &[Capability], means: &Means) -> Self {
        let held = &means.powers.capabilities;
        let missing = wanted.iter().filter(|one| !held.contains(one));
        self.lacks.extend(missing.copied());
        self
    }

    /// Returns the report as a sentence.
    #[must_use]
    pub fn sentence(&self, words: &Catalogue) -> String {
        let text = words.ability(self.ability.key(), self.says);
        let value = |place: &str| {
            if place == "lacks" {
                let lacks: Vec<&str> = self.lacks.iter().map(|one| one.word()).collect();
                return Some(words.list(&lacks));
            }
            let found = self.values.iter().find(|(name, _)| *name == place);
            found.map(|(_, value)| value.clone())
        };
        fill(text, value).unwrap_or_default()
    }
}

/// Returns one report for each feature. `scope` is that of the table.
#[must_use]
pub fn verdicts(observation: &Observation, means: &Means, scope: Scope) -> Vec<Verdict> {
    vec![
        sockets(observation),
        owners(observation, means),
        namespaces(observation, means, scope),
        events(observation),
        detection(observation),
        end(means),
        close(means),
        restraint(means),
    ]
}

fn missing(observation: &Observation, kind: GapKind) -> u64 {
    let of_kind = observation.gaps.iter().filter(|gap| gap.kind == kind);
    of_kind.map(|gap| gap.count).sum()
}

fn sockets(observation: &Observation) -> Verdict {
    let rows = observation.rows.iter();
    let count = rows.filter(|row| row.phase != Phase::Closed).count();
    let unread = missing(observation, GapKind::TablesUnreadable);
    let verdict = if unread > 0 {
        Verdict::new(Ability::Sockets, Standing::Partly, "missing").with("missing", grouped(unread))
    } else {
        match observation.source {
            SourceKind::SockDiag => Verdict::new(Ability::Sockets, Standing::Can, "can"),
            SourceKind::Proc => Verdict::new(Ability::Sockets, Standing::Partly, "proc"),
            SourceKind::Mixed => Verdict::new(Ability::Sockets, Standing::Partly, "mixed"),
        }
    };
    verdict.with("count", grouped(count as u64))
}

fn owners(observation: &Observation, means: &Means) -> Verdict {
    const NEEDED: [Capability; 2] = [Capability::DacReadSearch, Capability::SysPtrace];
    let init = missing(observation, GapKind::InitUnreadable);
    let unreadable = missing(observation, GapKind::ProcessesUnreadable) + init;
    let hidden = missing(observation, GapKind::OwnersHidden);
    if missing(observation, GapKind::ProcMissing) > 0 {
        return Verdict::new(Ability::Owners, Standing::Cannot, "no_proc");
    }
    let by_hidepid = missing(observation, GapKind::ProcessesHidden) > 0;
    if unreadable == init && hidden == 0 && !by_hidepid {
        let says = if init > 0 { "init" } else { "can" };
        return Verdict::new(Ability::Owners, Standing::Can, says);
    }
    if by_hidepid {
        return Verdict::new(Ability::Owners, Standing::Partly, "hidepid")
            .with("hidden", grouped(hidden))
            .lacking(&NEEDED, means);
    }
    let starved = observation.gaps.iter().any(|gap| {
        gap.kind == GapKind::ProcessesUnreadable && gap.reason == GapReason::DescriptorLimit
    });
    let privileged = NEEDED
        .iter()
        .all(|one| means.powers.capabilities.contains(one));
    let says = match (starved, privileged && means.powers.whole_machine) {
        (true, _) => "starved",
        (_, true) => "refused",
        _ => "partly",
    };
    let verdict = Verdict::new(Ability::Owners, Standing::Partly, says)
        .with("unreadable", grouped(unreadable))
        .with("hidden", grouped(hidden));
    if starved {
        return verdict;
    }
    verdict.lacking(&NEEDED, means)
}

fn namespaces(observation: &Observation, means: &Means, scope: Scope) -> Verdict {
    const NEEDED: [Capability; 2] = [Capability::SysAdmin, Capability::SysPtrace];
    let may = means.powers.capabilities.contains(&Capability::SysAdmin);
    if missing(observation, GapKind::ProcMissing) > 0 {
        return Verdict::new(Ability::Namespaces, Standing::Cannot, "no_proc");
    }
    let verdict = if scope == Scope::All {
        let unread = missing(observation, GapKind::NamespacesUnreadable);
        let unknown = missing(observation, GapKind::NamespacesUnknown);
        let by_hidepid = missing(observation, GapKind::ProcessesHidden) > 0;
        if unread == 0 && unknown == 0 && !by_hidepid {
            let count = grouped(observation.namespaces.len() as u64);
            let init = missing(observation, GapKind::InitUnreadable) > 0;
            let says = if init { "all_but_init" } else { "all" };
            return Verdict::new(Ability::Namespaces, Standing::Can, says).with("count", count);
        }
        let says = if by_hidepid { "hidepid" } else { "partly" };
        Verdict::new(Ability::Namespaces, Standing::Partly, says)
            .with("unread", grouped(unread))
            .with("unknown", grouped(unknown))
    } else if may {
        return Verdict::new(Ability::Namespaces, Standing::Can, "can");
    } else {
        Verdict::new(Ability::Namespaces, Standing::Partly, "cannot")
    };
    verdict.lacking(&NEEDED, means)
}

fn events(observation: &Observation) -> Verdict {
    let verdict = |standing, says| Verdict::new(Ability::Events, standing, says);
    match observation.chronicle.feed {
        Feed::Changes => verdict(Standing::Can, "can"),
        Feed::Off => verdict(Standing::Cannot, "off"),
        Feed::Endings(reason) => verdict(Standing::Partly, reason.key()),
        Feed::Nothing(reason) => verdict(Standing::Cannot, reason.key()),
    }
}

fn detection(observation: &Observation) -> Verdict {
    if observation.blind.is_empty() {
        return Verdict::new(Ability::Detection, Standing::Can, "can");
    }
    let blind = observation.blind.iter();
    let rules: Vec<String> = blind
        .map(|blind| format!("{} ({})", blind.rule.key(), blind.lacks.word()))
        .collect();
    Verdict::new(Ability::Detection, Standing::Partly, "partly").with("rules", rules.join(", "))
}

fn end(means: &Means) -> Verdict {
    let may = means.powers.capabilities.contains(&Capability::Kill);
    if means.policy == Policy::Look {
        Verdict::new(Ability::End, Standing::Cannot, "look")
    } else if means.naming == Naming::NotAtAll {
        Verdict::new(Ability::End, Standing::Cannot, "foreign")
    } else if means.naming == Naming::ByNumber {
        Verdict::new(Ability::End, Standing::Cannot, "racy")
    } else if may && means.powers.whole_machine {
        Verdict::new(Ability::End, Standing::Can, "can")
    } else if may {
        Verdict::new(Ability::End, Standing::Partly, "inside")
    } else {
        let verdict = Verdict::new(Ability::End, Standing::Partly, "partly");
        verdict.lacking(&[Capability::Kill], means)
    }
}

fn close(means: &Means) -> Verdict {
    if means.policy == Policy::Look {
        return Verdict::new(Ability::Close, Standing::Cannot, "look");
    }
    match &means.closing {
        Ok(()) => Verdict::new(Ability::Close, Standing::Can, "can"),
        Err(CloseRefusal::NotPermitted)
            if means.powers.capabilities.contains(&Capability::NetAdmin) =>
        {
            Verdict::new(Ability::Close, Standing::Cannot, "foreign")
        }
        Err(CloseRefusal::NotPermitted) => {
            let verdict = Verdict::new(Ability::Close, Standing::Cannot, "not_permitted");
            verdict.lacking(&[Capability::NetAdmin], means)
        }
        Err(CloseRefusal::NotOffered) => {
            Verdict::new(Ability::Close, Standing::Cannot, "not_offered")
        }
        Err(other) => {
            let message = match other {
                CloseRefusal::Failed(message) => message.to_string(),
                other => other.key().to_owned(),
            };
            Verdict::new(Ability::Close, Standing::Cannot, "failed").with("message", message)
        }
    }
}

fn restraint(means: &Means) -> Verdict {
    let restraint = means.powers.restraint;
    let whole =
        restraint.least_capabilities && restraint.no_new_privileges && restraint.no_core_dumps;
    // A second line of defence: without it nothing is missing that a user could
    // use.
    let (standing, some, none) = match (whole, restraint.no_execution) {
        (true, true) => (Standing::Can, "can", "none"),
        (true, false) => (Standing::Can, "can_unfiltered", "none_unfiltered"),
        (false, _) => (Standing::Partly, "partly", "loose"),
    };
    let held = &means.powers.capabilities;
    if held.is_empty() {
        return Verdict::new(Ability::Restraint, standing, none);
    }
    let held: Vec<&str> = held.iter().map(|one| one.word()).collect();
    Verdict::new(Ability::Restraint, standing, some).with("held", held.join(", "))
}

#[cfg(test)]
mod tests;
