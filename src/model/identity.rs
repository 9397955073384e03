//! Identity of a finding across tables.

use super::endpoint::Endpoint;
use super::evidence::{AcceptStall, Evidence, Group};
use super::finding::Finding;
use super::mute::RuleName;
use super::text::Text;
use super::time::Stamp;

/// Properties that identify a finding for as long as it is active.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    rule: RuleName,
    process: Option<(u32, u64)>,
    unseen: Option<(Option<u32>, Option<u16>)>,
    about: Option<Endpoint>,
    group: Option<Group>,
    /// User, anomaly and folder of suspicious programs.
    odd: Option<(Option<u32>, &'static str, Option<Text>)>,
    since: Stamp,
}

impl Identity {
    /// Returns the key of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        // A group of suspicious programs is not identified by its first process.
        let odd = match &finding.evidence {
            Evidence::OddPrograms(programs) => {
                Some((programs.uid, programs.oddity, programs.folder.clone()))
            }
            _ => None,
        };
        let process = finding.process.as_ref().filter(|_| odd.is_none());
        Self {
            rule: RuleName::of(finding),
            process: process.map(|process| (process.pid, process.start_ticks)),
            unseen: finding
                .holder
                .unseen
                .map(|unseen| (unseen.uid, unseen.port)),
            about: match &finding.evidence {
                Evidence::NotAccepting(AcceptStall { listener, .. })
                | Evidence::AcceptQueue { listener, .. }
                | Evidence::NewListener { listener, .. }
                | Evidence::UnheldListener { listener, .. } => Some(*listener),
                Evidence::Unlisted(listener) | Evidence::Missing(listener) => Some(listener.end()),
                Evidence::LocalPorts(ports) => {
                    let source = Endpoint::new(ports.from, 0);
                    Some(ports.to.unwrap_or(source))
                }
                Evidence::UdpDrops(drops) => Some(drops.socket),
                Evidence::SelfConnection(itself) => Some(itself.end),
                Evidence::Deadlock(pairs) => Some(pairs.ends.0),
                _ => None,
            },
            group: match &finding.evidence {
                Evidence::UserRule(tripped) => Some(tripped.group),
                _ => None,
            },
            odd,
            since: finding.since,
        }
    }
}
