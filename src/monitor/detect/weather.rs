//! Distinguishes failures of processes from a failure of the whole network.
//!
//! When several programs fail and nothing outside answers any more, blaming one
//! of them would be a false alarm. While that is suspected, no rule raises
//! anything new; once it is over, the failures it covers are forgiven.

use super::profile::{Profile, Stranded, small};
use super::standing::Level;
use super::thresholds::Thresholds;
use crate::model::endpoint::Endpoint;
use crate::model::time::Stamp;

/// State of the network, by the failures of all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Nothing suspicious about the network.
    Fair,
    /// It may be down: too early to decide.
    Doubtful,
    /// Nothing outside has answered for too long.
    Down {
        /// Processes that fail to connect.
        processes: u32,
        /// Contacts that fail.
        failed: u32,
    },
    /// A suspected outage has just ended; its failures are to be forgiven.
    Cleared,
}

impl Outlook {
    /// Dampens the signs of one process: under a suspicion, nothing new is
    /// raised.
    pub(super) fn temper(self, level: Level) -> Level {
        match self {
            Self::Doubtful | Self::Down { .. } => level.held(),
            Self::Fair | Self::Cleared => level,
        }
    }
}

/// Start of the suspicion.
#[derive(Debug, Default)]
pub(super) struct Weather {
    suspected_since: Option<Stamp>,
}

impl Weather {
    /// Evaluates the network by the failures of all processes.
    pub(super) fn judge(
        &mut self,
        profiles: &[Profile],
        now: Stamp,
        limits: &Thresholds,
    ) -> Outlook {
        let stranded = || {
            profiles
                .iter()
                .filter(|profile| program(profile).is_some() && !profile.stranded.is_empty())
        };
        if !is_suspicious(stranded(), limits) {
            let suspected = self.suspected_since.take();
            return match suspected {
                Some(since) if since.age(now) >= limits.down_excuse => Outlook::Cleared,
                _ => Outlook::Fair,
            };
        }
        self.suspected_since.get_or_insert(now);
        let failures = stranded().flat_map(|profile| &profile.stranded);
        let first = failures.clone().map(|each| each.since).min();
        if first.is_some_and(|first| first.age(now) >= limits.down_after) {
            Outlook::Down {
                processes: small(stranded().count()),
                failed: small(failures.count()),
            }
        } else {
            Outlook::Doubtful
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
        hosts.extend(profile.stranded.iter().map(|Stranded { host, .. }| *host));
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
    small(values.len())
}
