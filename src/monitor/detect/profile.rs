//! Summary of the contacts of one client, as the rules evaluate it.

use super::contact::{Contact, ContactOutcome};
use super::owner_key::Client;
use super::thresholds::Thresholds;
use crate::model::endpoint::Endpoint;
use crate::model::protocol::IpFamily;
use crate::model::time::Timestamp;

/// One client and its first contacts within the window.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) client: Client,
    /// True if the process still runs, or is unknown.
    pub(super) alive: bool,
    pub(super) rate: AttemptRate,
    /// Destinations that failed, in order.
    pub(super) failed: Vec<Endpoint>,
    /// Number of them that refused, where reported.
    pub(super) refused: usize,
    /// True if no destination has answered, so that cancelled attempts count as
    /// failed.
    pub(super) gave_up_early: bool,
    /// Destinations that answered, in no order: there may be very many.
    pub(super) reached: Vec<Endpoint>,
    /// Destinations for which sockets wait in vain just now, in order.
    pub(super) silent: Vec<SilentDestination>,
    /// Destinations outside this machine that fail since anything outside last
    /// answered, in order.
    pub(super) unreachable: Vec<UnreachableHost>,
    /// Number of its own attempts that may not have been seen.
    pub(super) untracked: u64,
}

/// Rate of its attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttemptRate {
    /// Likelihood ratio of the random walk.
    pub(super) trw_ratio: f64,
    /// Length of the longest throttle queue.
    pub(super) throttle_queue: u32,
    /// Sockets in `SYN_SENT`.
    pub(super) syn_sent: u32,
}

/// Reference values for the contacts in one table.
#[derive(Clone, Copy)]
pub(super) struct ProfileContext<'a> {
    pub(super) now: Timestamp,
    /// Number of the table.
    pub(super) table_number: u32,
    /// Time at which anything outside this machine last answered.
    pub(super) last_answer: Option<Timestamp>,
    pub(super) limits: &'a Thresholds,
}

/// A destination that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SilentDestination {
    pub(super) destination: Endpoint,
    /// Time of the first failure.
    pub(super) since: Timestamp,
    /// Sockets that wait for it in vain.
    pub(super) waiting: u32,
}

/// A destination that fails while nothing else answers either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnreachableHost {
    pub(super) host: Endpoint,
    /// Time of the first failure.
    pub(super) since: Timestamp,
}

impl Profile {
    pub(super) fn new(client: Client, rate: AttemptRate) -> Self {
        Self {
            client,
            alive: true,
            rate,
            failed: Vec::new(),
            refused: 0,
            gave_up_early: false,
            reached: Vec::new(),
            silent: Vec::new(),
            unreachable: Vec::new(),
            untracked: 0,
        }
    }

    /// Adds a contact.
    pub(super) fn add(
        &mut self,
        destination: Endpoint,
        contact: &Contact,
        measure: ProfileContext<'_>,
    ) {
        self.add_outcome(destination, contact, measure);
        self.add_silence(destination, contact, measure);
        self.add_unreachable(destination, contact, measure);
    }

    fn add_outcome(
        &mut self,
        destination: Endpoint,
        contact: &Contact,
        measure: ProfileContext<'_>,
    ) {
        if contact.since.age(measure.now) > measure.limits.window {
            return;
        }
        match contact.outcome {
            ContactOutcome::Failed => {
                self.failed.push(destination);
                self.refused += usize::from(contact.refused);
            }
            ContactOutcome::Abandoned if self.gave_up_early => self.failed.push(destination),
            ContactOutcome::Reached => self.reached.push(destination),
            ContactOutcome::Pending
            | ContactOutcome::Abandoned
            | ContactOutcome::Failing
            | ContactOutcome::Forgiven => {}
        }
    }

    fn add_silence(
        &mut self,
        destination: Endpoint,
        contact: &Contact,
        measure: ProfileContext<'_>,
    ) {
        let waiting = contact.waiting(measure.table_number);
        if let Some(since) = contact.unanswered_since.filter(|_| waiting > 0) {
            self.silent.push(SilentDestination {
                destination,
                since,
                waiting,
            });
        }
    }

    fn add_unreachable(
        &mut self,
        destination: Endpoint,
        contact: &Contact,
        measure: ProfileContext<'_>,
    ) {
        let is_recent = contact.last_seen.age(measure.now) <= measure.limits.down_after;
        // A refusal came over the network.
        let is_silent = contact.is_failing() && !contact.refused;
        let is_since_then = measure
            .last_answer
            .is_none_or(|answer| contact.since > answer);
        if is_silent && is_recent && is_since_then && !destination.is_loopback() {
            self.unreachable.push(UnreachableHost {
                host: host(destination),
                since: contact.since,
            });
        }
    }

    /// Sorts the lists that come from a hash table.
    pub(super) fn sort(&mut self) {
        self.failed.sort_unstable();
        self.silent.sort_unstable();
        self.unreachable.sort_unstable();
    }

    /// Number of first contacts that were seen and have an outcome.
    pub(super) fn contacts(&self) -> usize {
        self.failed.len() + self.reached.len()
    }

    /// Share of its contacts that failed, the unseen counted as successes.
    pub(super) fn failed_share(&self) -> f64 {
        share(
            self.failed.len(),
            self.contacts() + saturating_usize(self.untracked),
        )
    }

    /// The port on which most hosts failed, and their number.
    pub(super) fn worst_port(&self) -> Option<(u16, usize)> {
        let mut ports: Vec<u16> = self.failed.iter().map(|each| each.port).collect();
        ports.sort_unstable();
        longest_run(&ports)
    }

    /// The host on which most ports failed, and their number.
    pub(super) fn worst_host(&self) -> Option<(Endpoint, usize)> {
        // In order, so the ports of one host are neighbours.
        let hosts: Vec<Endpoint> = self.failed.iter().copied().map(host).collect();
        longest_run(&hosts)
    }

    /// Number of distinct ports among the failed.
    pub(super) fn failed_ports(&self) -> usize {
        let mut ports: Vec<u16> = self.failed.iter().map(|each| each.port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports.len()
    }

    /// The family of most of the failed.
    pub(super) fn family(&self) -> IpFamily {
        let v4 = self.failed.iter().filter(|each| each.is_v4()).count();
        if v4 * 2 >= self.failed.len() {
            IpFamily::Inet
        } else {
            IpFamily::Inet6
        }
    }
}

/// An endpoint without its port.
pub(super) fn host(endpoint: Endpoint) -> Endpoint {
    Endpoint::new(endpoint.address(), 0)
}

/// True if an endpoint is reached through a network's IPv6, unlike the local
/// link and this machine itself.
pub(super) fn is_outside_v6(endpoint: Endpoint) -> bool {
    !endpoint.is_v4() && !endpoint.is_loopback() && !endpoint.is_link_local_v6()
}

/// True if an endpoint is reached through a network's IPv4.
pub(super) fn is_outside_v4(endpoint: Endpoint) -> bool {
    endpoint.is_v4() && !endpoint.is_loopback()
}

/// A share of a whole, 0 of 0.
pub(super) fn share(part: usize, whole: usize) -> f64 {
    let as_float = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 {
        0.0
    } else {
        as_float(part) / as_float(whole)
    }
}

/// A number in the type of the evidence.
pub(super) fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn saturating_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX / 2)
}

/// The value that occurs most in a sorted list, the smallest of several.
fn longest_run<T: Copy + PartialEq>(sorted: &[T]) -> Option<(T, usize)> {
    let mut longest: Option<(T, usize)> = None;
    for run in sorted.chunk_by(PartialEq::eq) {
        if let Some(first) = run.first()
            && longest.is_none_or(|(_, length)| run.len() > length)
        {
            longest = Some((*first, run.len()));
        }
    }
    longest
}

#[cfg(test)]
pub(super) mod fixture {
    //! Profiles made by hand, for the tests of the rules.

    use super::*;
    use crate::model::process::Process;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::sync::Arc;

    /// The IPv4 host with that number.
    pub(in super::super) fn v4(host: u32, port: u16) -> Endpoint {
        let address = Ipv4Addr::from(0xc612_0000 + host);
        Endpoint::new(IpAddr::V4(address), port)
    }

    /// The IPv6 host with that number.
    pub(in super::super) fn v6(host: u16, port: u16) -> Endpoint {
        let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host);
        Endpoint::new(IpAddr::V6(address), port)
    }

    /// A process that failed to reach some destinations and reached others,
    /// with a certain random walk.
    pub(in super::super) fn profile(
        failed: impl IntoIterator<Item = Endpoint>,
        reached: impl IntoIterator<Item = Endpoint>,
    ) -> Profile {
        let pace = AttemptRate {
            trw_ratio: 1e9,
            throttle_queue: 0,
            syn_sent: 0,
        };
        let client = Client::Process(Arc::new(Process::default()));
        let mut profile = Profile::new(client, pace);
        profile.failed.extend(failed);
        profile.reached.extend(reached);
        profile.sort();
        profile
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{profile, v4, v6};
    use super::*;

    #[test]
    fn the_worst_port_and_host_are_found() {
        let failed = [v4(1, 80), v4(2, 80), v4(3, 80), v4(3, 81), v6(1, 80)];
        let profile = profile(failed, []);
        assert_eq!(profile.worst_port(), Some((80, 4)));
        assert_eq!(profile.worst_host(), Some((v4(3, 0), 2)));
        assert_eq!(profile.failed_ports(), 2);
        assert_eq!(profile.family(), IpFamily::Inet);
    }

    #[test]
    fn the_unseen_count_as_good() {
        let mut profile = profile([v4(1, 80)], [v4(2, 80)]);
        assert!((profile.failed_share() - 0.5).abs() < 1e-9);
        profile.untracked = 2;
        assert!((profile.failed_share() - 0.25).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_worst_where_nothing_failed() {
        let profile = profile([], []);
        assert_eq!(profile.worst_port(), None);
        assert_eq!(profile.worst_host(), None);
        assert!(profile.failed_share() < 1e-9);
    }
}
