//! Identity of a finding across tables.

use super::endpoint::Endpoint;
use super::evidence::{AcceptStallEvidence, Evidence, UserRuleGroup};
use super::finding::Finding;
use super::mute::RuleId;
use super::text::Text;
use super::time::Timestamp;

/// Properties that identify a finding for as long as it is active.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingKey {
    rule: RuleId,
    process: Option<(u32, u64)>,
    unknown_holder: Option<(Option<u32>, Option<u16>)>,
    endpoint: Option<Endpoint>,
    group: Option<UserRuleGroup>,
    /// User, anomaly and folder of suspicious programs.
    suspicious_programs: Option<(Option<u32>, &'static str, Option<Text>)>,
    since: Timestamp,
}

impl FindingKey {
    /// Returns the key of a finding.
    #[must_use]
    pub fn from_finding(finding: &Finding) -> Self {
        // A group of suspicious programs is not identified by its first process.
        let suspicious_programs = match &finding.evidence {
            Evidence::SuspiciousPrograms(programs) => {
                Some((programs.uid, programs.anomaly, programs.folder.clone()))
            }
            _ => None,
        };
        let process = finding
            .process
            .as_ref()
            .filter(|_| suspicious_programs.is_none());
        Self {
            rule: RuleId::from_finding(finding),
            process: process.map(|process| (process.pid, process.start_ticks)),
            unknown_holder: finding
                .holder
                .unknown
                .map(|unseen| (unseen.uid, unseen.port)),
            endpoint: match &finding.evidence {
                Evidence::NotAccepting(AcceptStallEvidence { listener, .. })
                | Evidence::AcceptQueue { listener, .. }
                | Evidence::NewListener { listener, .. }
                | Evidence::UnownedListener { listener, .. } => Some(*listener),
                Evidence::NotInBaseline(listener) | Evidence::MissingListener(listener) => {
                    Some(listener.endpoint())
                }
                Evidence::LocalPorts(ports) => {
                    let source = Endpoint::new(ports.local_address, 0);
                    Some(ports.destination.unwrap_or(source))
                }
                Evidence::UdpDrops(drops) => Some(drops.socket),
                Evidence::SelfConnection(itself) => Some(itself.endpoint),
                Evidence::Deadlock(pairs) => Some(pairs.ends.0),
                _ => None,
            },
            group: match &finding.evidence {
                Evidence::UserRule(tripped) => Some(tripped.group),
                _ => None,
            },
            suspicious_programs,
            since: finding.since,
        }
    }
}
