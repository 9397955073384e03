//! Distinguishes failures of processes from a failure of the whole network.
//!
//! When several programs fail and nothing outside answers any more, blaming one
//! of them would be a false alarm. While that is suspected, no rule raises
//! anything new; once it is over, the failures it covers are forgiven.

use super::active_findings::TriggerLevel;
use super::profile::{Profile, UnreachableHost, saturating_u32};
use super::thresholds::Thresholds;
use crate::model::endpoint::Endpoint;
use crate::model::time::Timestamp;

/// State of the network, by the failures of all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NetworkStatus {
    /// Nothing suspicious about the network.
    Up,
    /// It may be down: too early to decide.
    Suspect,
    /// Nothing outside has answered for too long.
    Down {
        /// Processes that fail to connect.
        processes: u32,
        /// Contacts that fail.
        failed: u32,
    },
    /// A suspected outage has just ended; its failures are to be forgiven.
    Recovered,
}

impl NetworkStatus {
    /// Dampens the signs of one process: under a suspicion, nothing new is
    /// raised.
    pub(super) fn dampen(self, level: TriggerLevel) -> TriggerLevel {
        match self {
            Self::Suspect | Self::Down { .. } => level.sustain_only(),
            Self::Up | Self::Recovered => level,
        }
    }
}

/// Start of the suspicion.
#[derive(Debug, Default)]
pub(super) struct NetworkHealth {
    suspected_since: Option<Timestamp>,
}

impl NetworkHealth {
    /// Evaluates the network by the failures of all processes.
    pub(super) fn evaluate(
        &mut self,
        profiles: &[Profile],
        now: Timestamp,
        limits: &Thresholds,
    ) -> NetworkStatus {
        let stranded = || {
            profiles
                .iter()
                .filter(|profile| program(profile).is_some() && !profile.unreachable.is_empty())
        };
        if !is_suspicious(stranded(), limits) {
            let suspected = self.suspected_since.take();
            return match suspected {
                Some(since) if since.age(now) >= limits.down_excuse => NetworkStatus::Recovered,
                _ => NetworkStatus::Up,
            };
        }
        self.suspected_since.get_or_insert(now);
        let failures = stranded().flat_map(|profile| &profile.unreachable);
        let first = failures.clone().map(|each| each.since).min();
        if first.is_some_and(|first| first.age(now) >= limits.down_after) {
            NetworkStatus::Down {
                processes: saturating_u32(stranded().count()),
                failed: saturating_u32(failures.count()),
            }
        } else {
            NetworkStatus::Suspect
        }
    }
}

/// True if several programs fail towards several hosts. Workers of one program
/// that wait for one backend are no sign, nor are the children of a scanner.
fn is_suspicious<'a>(stranded: impl Iterator<Item = &'a Profile>, limits: &Thresholds) -> bool {
    let mut programs: Vec<&[u8]> = Vec::new();
    let mut hosts: Vec<Endpoint> = Vec::new();
    for profile in stranded {
        programs.extend(program(profile));
        hosts.extend(
            profile
                .unreachable
                .iter()
                .map(|UnreachableHost { host, .. }| *host),
        );
    }
    distinct(programs) >= limits.down_programs && distinct(hosts) >= limits.down_hosts
}

/// The program of a process: its file, or its name where that is hidden. None
/// for unknown processes: theirs may be that of a known one, and one failing
/// program is no sign.
fn program(profile: &Profile) -> Option<&[u8]> {
    let process = profile.client.process()?;
    Some(match &process.exe {
        Some(exe) => exe.path.raw(),
        None => process.name.raw(),
    })
}

fn distinct<T: Ord>(mut values: Vec<T>) -> u32 {
    values.sort_unstable();
    values.dedup();
    saturating_u32(values.len())
}
