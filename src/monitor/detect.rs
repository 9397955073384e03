//! Detection: rules over the connections of processes.
//!
//! Each rule is a file and a [`Detector`]. All evaluate the same profiles, made
//! once per table from the memory of first contacts, and know nothing of each
//! other except that a better explanation suppresses a worse one. A false alarm
//! is worse than a late one. Pure like the whole module.

mod accept_queue;
mod against_baseline;
mod blocked;
mod close_wait;
mod contact;
mod contacts;
mod dead_destination;
mod deadlock;
mod drop_counter;
mod failed_connects;
mod fin_wait_2;
mod growth;
mod hearsay;
mod ipv6_silent;
mod local_ports;
mod marks;
mod meter;
mod network_down;
mod new_listener;
mod not_accepting;
mod odd_program;
mod openers;
mod orphans;
mod outbound_scan;
mod party;
mod peer_not_reading;
mod peer_to_peer;
pub(super) mod personal;
mod profile;
mod program_not_reading;
mod refusers;
mod self_connection;
mod standing;
mod still;
mod syn_flood;
pub(super) mod thresholds;
mod throttle;
mod time_wait_heap;
mod udp_drops;
mod unacknowledged;
mod unheld_listener;
mod unseen;
pub(super) mod user_rule;
mod vanished;
mod walk;
mod weather;
mod workers;

use super::chronicle::attempts::Attempts;
use super::details::Details;
use super::interner::Interner;
use super::listeners::Listeners;
use super::muster::Muster;
use crate::model::accept_wait::AcceptWait;
use crate::model::counters::{Counters, Gauges};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::Evidence;
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::limits::Limits;
use crate::model::owner::{Holder, OwnerSearch};
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::row::Row;
use crate::model::socket_memory::MemoryEntry;
use crate::model::time::Stamp;
use blocked::Blocked;
use contacts::Contacts;
pub(super) use marks::flag;
use meter::Meter;
pub(super) use openers::name_openers;
use party::Party;
use profile::Profile;
use standing::{Level, Standing};
use std::cmp::Reverse;
use std::sync::Arc;
use thresholds::Thresholds;
use weather::{Outlook, Weather};

/// One table as the detectors see it.
pub(super) struct Scene<'a> {
    /// The time of the table.
    pub(super) now: Stamp,
    /// The time of the first table.
    pub(super) began: Stamp,
    pub(super) rows: &'a [Row],
    /// Numbers of the rows that changed.
    pub(super) stirred: &'a [u32],
    pub(super) holders: &'a [Holder],
    /// Target of the process numbers of holders and last owners.
    pub(super) interner: &'a Interner,
    pub(super) listeners: &'a Listeners,
    pub(super) muster: &'a Muster,
    /// `TCP_INFO` of some connections, read after the table before.
    pub(super) details: &'a Details,
    /// Waits at listeners, by row number.
    pub(super) accept_waits: &'a [AcceptWait],
    /// Buffer memory of UDP sockets and listeners, ascending by key.
    pub(super) memory: &'a [MemoryEntry],
    pub(super) kernel: Kernel,
    /// Outcomes of connection attempts since the last table, where traced.
    pub(super) attempts: &'a Attempts,
}

impl<'a> Scene<'a> {
    /// Drops at a UDP socket or listener over its life, where they are known.
    fn drops(&self, row: &Row) -> Option<u32> {
        let key = row.socket.key();
        let place = self.memory.binary_search_by(|entry| entry.key.cmp(&key));
        self.memory.get(place.ok()?)?.memory.drops
    }

    /// Returns the owner of a row with the smallest pid.
    fn first_owner(&self, row: &Row) -> Option<&'a Arc<Process>> {
        let holder = row.owners.of(self.holders).first()?;
        self.interner.get(holder.process)
    }
}

/// Kernel data of one network namespace beside its sockets: counters and limits
/// are per namespace.
#[derive(Clone, Copy)]
pub(super) struct Kernel {
    /// Inode number; 0 if unknown.
    pub(super) namespace: u32,
    /// Interface of the kernel that it was read from.
    pub(super) source: SourceKind,
    pub(super) counters: Counters,
    pub(super) gauges: Gauges,
    pub(super) settings: Limits,
    /// Extent of the search through the processes.
    pub(super) owner_search: OwnerSearch,
}

impl Kernel {
    /// True if the source reports the backlogs of listeners.
    fn tells_backlogs(&self) -> bool {
        self.source.gives_cookies(Protocol::Tcp)
    }

    /// True if a row is in that namespace.
    fn covers(&self, row: &Row) -> bool {
        self.namespace == 0 || row.socket.namespace == self.namespace
    }
}

/// Returns the rule as inactive if part of its input is missing.
fn blind(rule: Rule, lacks: Lack, has_all: bool) -> Option<Blind> {
    (!has_all).then_some(Blind { rule, lacks })
}

/// Key of a process, unique even if its pid is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Actor {
    pid: u32,
    start_ticks: u64,
}

impl Actor {
    fn of(process: &Process) -> Self {
        Self {
            pid: process.pid,
            start_ticks: process.start_ticks,
        }
    }
}

/// Input of a rule.
struct Case<'a> {
    now: Stamp,
    profiles: &'a [Profile],
    outlook: Outlook,
    limits: &'a Thresholds,
    /// The table itself, for rules that are not about first contacts.
    scene: &'a Scene<'a>,
    /// Increases of the kernel's counters.
    meter: &'a Meter,
    /// Writers that wait for a reader on this machine.
    blocked: Blocked<'a>,
}

impl Case<'_> {
    /// Evaluates each running process by the same rule. Unseen processes of a
    /// user are left out: together they may look like what none of them is,
    /// such as a scan where each mailer has a few dead hosts.
    fn judge_each_process(
        &self,
        standing: &mut Standing<Party>,
        level: impl Fn(&Profile) -> Level,
    ) -> Vec<Finding> {
        let is_seen = |profile: &&Profile| profile.client.process().is_some();
        self.judge_those(self.profiles.iter().filter(is_seen), standing, level)
    }

    /// Evaluates each client: also the unseen processes of a user, as if they
    /// were one.
    fn judge_each_client(
        &self,
        standing: &mut Standing<Party>,
        level: impl Fn(&Profile) -> Level,
    ) -> Vec<Finding> {
        self.judge_those(self.profiles.iter(), standing, level)
    }

    fn judge_those<'p>(
        &self,
        profiles: impl Iterator<Item = &'p Profile>,
        standing: &mut Standing<Party>,
        level: impl Fn(&Profile) -> Level,
    ) -> Vec<Finding> {
        for profile in profiles.filter(|profile| profile.alive) {
            let level = self.outlook.temper(level(profile));
            let client = &profile.client;
            standing.judge(client.party(), client.holder(), level, self.now);
        }
        standing.findings(self.now, self.limits.clearing)
    }
}

/// A rule. It keeps its own findings, so that it recognises a relapse.
trait Detector: Send {
    /// Evaluates a table and returns the active findings of this kind.
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding>;

    /// Returns the missing input that makes the rule inactive. Most rules need
    /// no more than the table.
    fn blind(&self, _kernel: &Kernel) -> Option<Blind> {
        None
    }
}

/// All rules and their memory.
pub(super) struct Detection {
    limits: Thresholds,
    contacts: Contacts,
    weather: Weather,
    meter: Meter,
    rules: Vec<Box<dyn Detector>>,
}

impl Detection {
    /// All rules, without memory.
    pub(super) fn new(limits: Thresholds) -> Self {
        Self {
            limits,
            contacts: Contacts::default(),
            weather: Weather::default(),
            meter: Meter::default(),
            rules: vec![
                Box::new(network_down::NetworkDown::default()),
                Box::new(ipv6_silent::Ipv6Silent::default()),
                Box::new(peer_to_peer::PeerToPeer::default()),
                Box::new(outbound_scan::OutboundScan::default()),
                Box::new(dead_destination::DeadDestination::default()),
                Box::new(syn_flood::SynFlood::default()),
                Box::new(close_wait::CloseWait::default()),
                Box::new(fin_wait_2::FinWait2::default()),
                Box::new(not_accepting::NotAccepting::default()),
                Box::new(accept_queue::AcceptQueue::default()),
                Box::new(unacknowledged::NotAcknowledged::default()),
                Box::new(deadlock::Deadlock::default()),
                Box::new(self_connection::SelfConnection::default()),
                Box::new(peer_not_reading::PeerNotReading::default()),
                Box::new(program_not_reading::ProgramNotReading::default()),
                Box::new(udp_drops::UdpDrops::default()),
                Box::new(failed_connects::FailedConnects::default()),
                Box::new(local_ports::LocalPorts::default()),
                Box::new(odd_program::OddProgram::default()),
                Box::new(new_listener::NewListener::default()),
                Box::new(unheld_listener::UnheldListener::default()),
                Box::new(time_wait_heap::TimeWaitHeap::default()),
                Box::new(orphans::Orphans::default()),
            ],
        }
    }

    /// Returns the inactive rules.
    pub(super) fn blind(&self, kernel: &Kernel) -> Vec<Blind> {
        let rules = self.rules.iter();
        rules.filter_map(|rule| rule.blind(kernel)).collect()
    }

    /// Evaluates a table and returns the active findings, the most severe
    /// first.
    pub(super) fn judge(&mut self, scene: &Scene<'_>) -> Vec<Finding> {
        let limits = &self.limits;
        self.meter.note(scene.now, scene.kernel.counters);
        self.contacts.observe(scene, limits);
        let mut profiles = self.contacts.profiles(scene, limits);
        let outlook = self.weather.judge(&profiles, scene.now, limits);
        if outlook == Outlook::Cleared {
            self.contacts.excuse(scene.now);
            profiles = self.contacts.profiles(scene, limits);
        }
        let case = Case {
            now: scene.now,
            profiles: &profiles,
            outlook,
            limits,
            scene,
            meter: &self.meter,
            blocked: Blocked::of(scene),
        };
        let mut findings: Vec<Finding> = self
            .rules
            .iter_mut()
            .flat_map(|rule| rule.judge(&case))
            .collect();
        silence(&mut findings);
        let mut findings = workers::merge(findings, limits);
        findings.sort_by_key(rank);
        findings
    }
}

/// Drops findings that another one explains better: everything about outgoing
/// connections and unacknowledged data while the network is down, silent or
/// refusing destinations of a process while it scans, a queue that fills
/// where nothing is accepted, and a silent destination on this machine whose
/// listener is known not to accept.
fn silence(findings: &mut Vec<Finding>) {
    let is_down = findings
        .iter()
        .any(|each| each.evidence.rule() == Rule::NetworkDown);
    let scanning: Vec<Actor> = findings
        .iter()
        .filter(|each| each.evidence.rule() == Rule::OutboundScan)
        .filter_map(|each| each.process.as_deref().map(Actor::of))
        .collect();
    let of_rule = |rule| -> Vec<Finding> {
        let such = findings.iter().filter(|each| each.evidence.rule() == rule);
        such.cloned().collect()
    };
    let stalled = of_rule(Rule::NotAccepting);
    let full = of_rule(Rule::AcceptQueue);
    let stuck: Vec<Endpoint> = stalled
        .iter()
        .chain(&full)
        .filter_map(|each| match &each.evidence {
            Evidence::NotAccepting(stall) => Some(stall.listener),
            Evidence::AcceptQueue { listener, .. } => Some(*listener),
            _ => None,
        })
        .collect();
    findings.retain(|each| match (&each.evidence, each.process.as_deref()) {
        // Of two about one queue the more severe stays.
        (Evidence::AcceptQueue { .. }, _) => !stalled
            .iter()
            .any(|other| other.severity >= each.severity && other.outdoes(each)),
        (Evidence::NotAccepting(_), _) => !full
            .iter()
            .any(|other| other.severity > each.severity && each.outdoes(other)),
        (Evidence::NetworkDown { .. }, _) => true,
        _ if is_down && is_of_connects(each) => false,
        (Evidence::DeadDestination { destination, .. }, _)
            if destination.is_loopback() && stuck.iter().any(|to| serves(to, destination)) =>
        {
            false
        }
        (Evidence::DeadDestination { .. } | Evidence::FailedConnects { .. }, Some(process)) => {
            !scanning.contains(&Actor::of(process))
        }
        _ => true,
    });
}

/// True if a listener takes what is sent to a destination on this machine.
fn serves(listener: &Endpoint, destination: &Endpoint) -> bool {
    listener.port == destination.port
        && (listener.is_unspecified() || listener.address() == destination.address())
}

/// True if a finding is about outgoing connections: a network that is down
/// explains it.
fn is_of_connects(finding: &Finding) -> bool {
    matches!(
        finding.evidence.rule(),
        Rule::OutboundScan
            | Rule::DeadDestination
            | Rule::Ipv6Silent
            | Rule::PeerToPeer
            | Rule::FailedConnects
            | Rule::Unacknowledged
    )
}

/// Order of findings: the most severe first, then the largest, then the oldest,
/// then by rule and process so that it is total. Sizes count by powers of two:
/// findings of about the same size do not change places with every table.
fn rank(finding: &Finding) -> (Reverse<Severity>, Reverse<u32>, Stamp, Rule, Option<Actor>) {
    let size = finding.evidence.size().saturating_add(1).ilog2();
    (
        Reverse(finding.severity),
        Reverse(size),
        finding.since,
        finding.evidence.rule(),
        finding.process.as_deref().map(Actor::of),
    )
}

#[cfg(test)]
mod wished;
