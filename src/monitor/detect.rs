//! Detection: rules over the connections of processes.
//!
//! Each rule is a file and a [`Detector`]. All evaluate the same profiles, made
//! once per table from the memory of first contacts, and know nothing of each
//! other except that a better explanation suppresses a worse one. A false alarm
//! is worse than a late one. Pure like the whole module.

mod accept_queue;
mod active_findings;
mod against_baseline;
mod blocked_writers;
mod close_wait;
mod contact;
mod contacts;
mod counter_window;
mod dead_destination;
mod deadlock;
mod drop_counter;
mod event_attempts;
mod failed_connects;
mod failing_processes;
mod fin_wait_2;
mod growth;
mod ipv6_silent;
mod local_ports;
mod marks;
mod network_down;
mod network_health;
mod new_listener;
mod not_accepting;
mod openers;
mod orphans;
mod outbound_scan;
mod owner_key;
mod peer_not_reading;
mod peer_to_peer;
mod profile;
mod program_not_reading;
mod self_connection;
mod stalled_queues;
mod suspicious_program;
mod syn_flood;
pub(super) mod thresholds;
mod throttle;
mod time_wait_limit;
mod trw;
mod udp_drops;
mod unacknowledged;
mod unowned_listener;
mod untracked_attempts;
pub(super) mod user_rule;
pub(super) mod user_rule_engine;
mod vanished;
mod workers;

use super::details::Details;
use super::events::attempts::ConnectAttempts;
use super::interner::Interner;
use super::listeners::Listeners;
use super::row_groups::RowGroups;
use crate::model::accept_wait::AcceptWait;
use crate::model::counters::{Counters, Gauges};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::limits::Limits;
use crate::model::owner::{Holder, OwnerSearch};
use crate::model::process::Process;
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::row::Row;
use crate::model::socket_memory::MemoryEntry;
use crate::model::time::Timestamp;
use active_findings::{ActiveFindings, TriggerLevel};
use blocked_writers::BlockedWriters;
use contacts::Contacts;
use counter_window::CounterWindow;
pub(super) use marks::set_row_severities;
use network_health::{NetworkHealth, NetworkStatus};
pub(super) use openers::name_openers;
use owner_key::OwnerKey;
use profile::Profile;
use std::cmp::Reverse;
use std::sync::Arc;
use thresholds::Thresholds;

/// One table as the detectors see it.
pub(super) struct TableContext<'a> {
    /// The time of the table.
    pub(super) now: Timestamp,
    /// The time of the first table.
    pub(super) first_table: Timestamp,
    pub(super) rows: &'a [Row],
    /// Numbers of the rows that changed.
    pub(super) changed: &'a [u32],
    pub(super) holders: &'a [Holder],
    /// Target of the process numbers of holders and last owners.
    pub(super) interner: &'a Interner,
    pub(super) listeners: &'a Listeners,
    pub(super) row_groups: &'a RowGroups,
    /// `TCP_INFO` of some connections, read after the table before.
    pub(super) details: &'a Details,
    /// Waits at listeners, by row number.
    pub(super) accept_waits: &'a [AcceptWait],
    /// Buffer memory of UDP sockets and listeners, ascending by key.
    pub(super) memory: &'a [MemoryEntry],
    pub(super) kernel: KernelStats,
    /// Outcomes of connection attempts since the last table, where traced.
    pub(super) attempts: &'a ConnectAttempts,
}

impl<'a> TableContext<'a> {
    /// Drops at a UDP socket or listener over its life, where they are known.
    fn drops(&self, row: &Row) -> Option<u32> {
        let key = row.socket.key();
        let place = self.memory.binary_search_by(|entry| entry.key.cmp(&key));
        self.memory.get(place.ok()?)?.memory.drops
    }

    /// Returns the owner of a row with the smallest pid.
    fn first_owner(&self, row: &Row) -> Option<&'a Arc<Process>> {
        let holder = row.owners.resolve(self.holders).first()?;
        self.interner.get(holder.process)
    }
}

/// Kernel data of one network namespace beside its sockets: counters and limits
/// are per namespace.
#[derive(Clone, Copy)]
pub(super) struct KernelStats {
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

impl KernelStats {
    /// True if the source reports the backlogs of listeners.
    fn has_backlogs(&self) -> bool {
        self.source.has_cookies(Protocol::Tcp)
    }

    /// True if a row is in that namespace.
    fn covers(&self, row: &Row) -> bool {
        self.namespace == 0 || row.socket.namespace == self.namespace
    }
}

/// Returns the rule as inactive if part of its input is missing.
fn inactive_unless(rule: Rule, lacks: MissingInput, has_all: bool) -> Option<InactiveRule> {
    (!has_all).then_some(InactiveRule {
        rule,
        missing: lacks,
    })
}

/// Key of a process, unique even if its pid is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ProcessKey {
    pid: u32,
    start_ticks: u64,
}

impl ProcessKey {
    fn of(process: &Process) -> Self {
        Self {
            pid: process.pid,
            start_ticks: process.start_ticks,
        }
    }
}

/// Input of a rule.
struct DetectorInput<'a> {
    now: Timestamp,
    profiles: &'a [Profile],
    network: NetworkStatus,
    limits: &'a Thresholds,
    /// The table itself, for rules that are not about first contacts.
    context: &'a TableContext<'a>,
    /// Increases of the kernel's counters.
    counters: &'a CounterWindow,
    /// Writers that wait for a reader on this machine.
    blocked_writers: BlockedWriters<'a>,
}

impl DetectorInput<'_> {
    /// Evaluates each running process by the same rule. Unseen processes of a
    /// user are left out: together they may look like what none of them is,
    /// such as a scan where each mailer has a few dead hosts.
    fn evaluate_each_process(
        &self,
        standing: &mut ActiveFindings<OwnerKey>,
        level: impl Fn(&Profile) -> TriggerLevel,
    ) -> Vec<Finding> {
        let is_seen = |profile: &&Profile| profile.client.process().is_some();
        self.evaluate_profiles(self.profiles.iter().filter(is_seen), standing, level)
    }

    /// Evaluates each client: also the unseen processes of a user, as if they
    /// were one.
    fn evaluate_each_client(
        &self,
        standing: &mut ActiveFindings<OwnerKey>,
        level: impl Fn(&Profile) -> TriggerLevel,
    ) -> Vec<Finding> {
        self.evaluate_profiles(self.profiles.iter(), standing, level)
    }

    fn evaluate_profiles<'p>(
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
trait Detector: Send {
    /// Evaluates a table and returns the active findings of this kind.
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding>;

    /// Returns the missing input that makes the rule inactive. Most rules need
    /// no more than the table.
    fn missing_input(&self, _kernel: &KernelStats) -> Option<InactiveRule> {
        None
    }
}

/// All rules and their memory.
pub(super) struct Detection {
    limits: Thresholds,
    contacts: Contacts,
    network_health: NetworkHealth,
    counters: CounterWindow,
    rules: Vec<Box<dyn Detector>>,
}

impl Detection {
    /// All rules, without memory.
    pub(super) fn new(limits: Thresholds) -> Self {
        Self {
            limits,
            contacts: Contacts::default(),
            network_health: NetworkHealth::default(),
            counters: CounterWindow::default(),
            rules: vec![
                Box::new(network_down::NetworkDownDetector::default()),
                Box::new(ipv6_silent::Ipv6SilentDetector::default()),
                Box::new(peer_to_peer::PeerToPeerDetector::default()),
                Box::new(outbound_scan::OutboundScanDetector::default()),
                Box::new(dead_destination::DeadDestinationDetector::default()),
                Box::new(syn_flood::SynFloodDetector::default()),
                Box::new(close_wait::CloseWaitDetector::default()),
                Box::new(fin_wait_2::FinWait2Detector::default()),
                Box::new(not_accepting::NotAcceptingDetector::default()),
                Box::new(accept_queue::AcceptQueueDetector::default()),
                Box::new(unacknowledged::UnacknowledgedDetector::default()),
                Box::new(deadlock::DeadlockDetector::default()),
                Box::new(self_connection::SelfConnectionDetector::default()),
                Box::new(peer_not_reading::PeerNotReadingDetector::default()),
                Box::new(program_not_reading::ProgramNotReadingDetector::default()),
                Box::new(udp_drops::UdpDropsDetector::default()),
                Box::new(failed_connects::FailedConnectsDetector::default()),
                Box::new(local_ports::LocalPortsDetector::default()),
                Box::new(suspicious_program::SuspiciousProgramDetector::default()),
                Box::new(new_listener::NewListenerDetector::default()),
                Box::new(unowned_listener::UnownedListenerDetector::default()),
                Box::new(time_wait_limit::TimeWaitLimitDetector::default()),
                Box::new(orphans::OrphansDetector::default()),
            ],
        }
    }

    /// Returns the inactive rules.
    pub(super) fn inactive_rules(&self, kernel: &KernelStats) -> Vec<InactiveRule> {
        let rules = self.rules.iter();
        rules
            .filter_map(|rule| rule.missing_input(kernel))
            .collect()
    }

    /// Evaluates a table and returns the active findings, the most severe
    /// first.
    pub(super) fn evaluate(&mut self, scene: &TableContext<'_>) -> Vec<Finding> {
        let limits = &self.limits;
        self.counters.push(scene.now, scene.kernel.counters);
        self.contacts.observe(scene, limits);
        let mut profiles = self.contacts.profiles(scene, limits);
        let outlook = self.network_health.evaluate(&profiles, scene.now, limits);
        if outlook == NetworkStatus::Recovered {
            self.contacts.forgive(scene.now);
            profiles = self.contacts.profiles(scene, limits);
        }
        let case = DetectorInput {
            now: scene.now,
            profiles: &profiles,
            network: outlook,
            limits,
            context: scene,
            counters: &self.counters,
            blocked_writers: BlockedWriters::of(scene),
        };
        let mut findings: Vec<Finding> = self
            .rules
            .iter_mut()
            .flat_map(|rule| rule.evaluate(&case))
            .collect();
        suppress_redundant(&mut findings);
        let mut findings = workers::merge(findings, limits);
        findings.sort_by_key(sort_key);
        findings
    }
}

/// Drops findings that another one explains better: everything about outgoing
/// connections and unacknowledged data while the network is down, silent or
/// refusing destinations of a process while it scans, a queue that fills
/// where nothing is accepted, and a silent destination on this machine whose
/// listener is known not to accept.
fn suppress_redundant(findings: &mut Vec<Finding>) {
    let is_down = findings
        .iter()
        .any(|each| each.evidence.rule() == Rule::NetworkDown);
    let scanning: Vec<ProcessKey> = findings
        .iter()
        .filter(|each| each.evidence.rule() == Rule::OutboundScan)
        .filter_map(|each| each.process.as_deref().map(ProcessKey::of))
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
            .any(|other| other.severity >= each.severity && other.supersedes(each)),
        (Evidence::NotAccepting(_), _) => !full
            .iter()
            .any(|other| other.severity > each.severity && each.supersedes(other)),
        (Evidence::NetworkDown { .. }, _) => true,
        _ if is_down && is_about_outgoing_connections(each) => false,
        (Evidence::DeadDestination { destination, .. }, _)
            if destination.is_loopback() && stuck.iter().any(|to| serves(to, destination)) =>
        {
            false
        }
        (Evidence::DeadDestination { .. } | Evidence::FailedConnects { .. }, Some(process)) => {
            !scanning.contains(&ProcessKey::of(process))
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
fn is_about_outgoing_connections(finding: &Finding) -> bool {
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
fn sort_key(
    finding: &Finding,
) -> (
    Reverse<Severity>,
    Reverse<u32>,
    Timestamp,
    Rule,
    Option<ProcessKey>,
) {
    let size = finding.evidence.size().saturating_add(1).ilog2();
    (
        Reverse(finding.severity),
        Reverse(size),
        finding.since,
        finding.evidence.rule(),
        finding.process.as_deref().map(ProcessKey::of),
    )
}

#[cfg(test)]
mod user_rule_tests;
