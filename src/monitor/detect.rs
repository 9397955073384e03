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
mod detector;
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
mod table_context;
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

use crate::model::endpoint::Endpoint;
use crate::model::evidence::Evidence;
use crate::model::finding::{Finding, InactiveRule, Rule, Severity};
use crate::model::time::Timestamp;
use blocked_writers::BlockedWriters;
use contacts::Contacts;
use counter_window::CounterWindow;
use detector::{Detector, DetectorInput};
pub(super) use marks::set_row_severities;
use network_health::{NetworkHealth, NetworkStatus};
pub(super) use openers::name_openers;
use std::cmp::Reverse;
use table_context::ProcessKey;
pub(super) use table_context::{KernelStats, TableContext};
use thresholds::Thresholds;

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
