//! A finding in words: one line, the evidence, what else it could be, and what
//! to check next.

use super::catalogue::Catalogue;
use super::lengths::length;
use super::sentence::{fill, grouped};
use crate::model::evidence::{Breadth, Evidence, Fact, Oddity};
use crate::model::finding::{Finding, Severity};

/// The words of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingWords {
    /// A few words.
    pub title: String,
    /// One line for the screen.
    pub line: String,
    /// What was seen, in numbers.
    pub evidence: String,
    /// What else it could be.
    pub otherwise: String,
    /// What to check next.
    pub next: String,
}

/// Puts a finding into words.
#[must_use]
pub fn describe(finding: &Finding, words: &Catalogue) -> FindingWords {
    let rule = finding.evidence.rule();
    let title = title(finding);
    let say = |name: &str| {
        let sentence = words.finding(rule, name);
        fill(sentence, |place| value(finding, place)).unwrap_or_default()
    };
    FindingWords {
        title: say(title),
        line: say(line(finding)),
        evidence: say("evidence"),
        otherwise: say("else"),
        next: say("next"),
    }
}

/// Where a rule tells more than one trouble, it says so in its title.
fn title(finding: &Finding) -> &'static str {
    match (&finding.evidence, finding.severity) {
        (Evidence::SynFlood(_), Severity::Alarm) => "title_flood",
        (Evidence::SynFlood(_), Severity::Info) => "title_overload",
        _ => "title",
    }
}

fn line(finding: &Finding) -> &'static str {
    match &finding.evidence {
        Evidence::SynFlood(_) => match finding.severity {
            Severity::Alarm => "line_flood",
            Severity::Info => "line_overload",
            Severity::Warn => "line",
        },
        Evidence::OutboundScan(scan) => match scan.breadth {
            Breadth::Hosts { .. } => "line_hosts",
            Breadth::Ports { .. } => "line_ports",
            Breadth::Throttle { .. } => "line_throttle",
        },
        Evidence::AcceptQueue { full: true, .. } => "line_full",
        Evidence::OddProgram { oddity, .. } => match oddity {
            Oddity::Resembles(_) => "line_resembles",
            Oddity::KernelName => "line_kernel",
            Oddity::InMemory => "line_memory",
            Oddity::AnybodysFolder => "line",
        },
        Evidence::NewListener { .. } | Evidence::LocalPorts(_) if finding.process.is_none() => {
            "line_nobody"
        }
        Evidence::CloseWait(_) if finding.severity > Severity::Info => "line_grows",
        Evidence::DeadDestination { destinations, .. } if *destinations > 1 => "line_more",
        _ => "line",
    }
}

fn value(finding: &Finding, place: &str) -> Option<String> {
    match place {
        "process" => return Some(finding.process.as_ref()?.name.to_string()),
        "pid" => return Some(finding.process.as_ref()?.pid.to_string()),
        _ => {}
    }
    let facts = finding.evidence.facts();
    let (_, fact) = facts.iter().find(|(name, _)| *name == place)?;
    Some(told(fact))
}

/// A fact as it stands in a sentence.
fn told(fact: &Fact) -> String {
    match fact {
        Fact::Count(count) => grouped(*count),
        // No number, in any language.
        Fact::Unknown => "—".to_owned(),
        Fact::Share(part, whole) => percent(*part, *whole),
        Fact::Length(time) => length(*time),
        Fact::Port(port) => port.to_string(),
        Fact::Host(address) => address.to_string(),
        Fact::Endpoint(endpoint) => endpoint.to_string(),
        Fact::Endpoints(endpoints) => {
            let told: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            told.join(", ")
        }
        Fact::Text(text) => text.to_string(),
    }
}

/// Whole percent; 100 only where all failed.
fn percent(part: u64, whole: u64) -> String {
    (part.saturating_mul(100) / whole.max(1)).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Language;
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::evidence::{HalfOpen, Leak, PortUse, ScanEvidence, Stillness};
    use crate::model::process::Process;
    use crate::model::protocol::Family;
    use crate::model::text::Text;
    use crate::model::time::Stamp;
    use std::sync::Arc;
    use std::time::Duration;

    fn scan(breadth: Breadth) -> Evidence {
        Evidence::OutboundScan(ScanEvidence {
            breadth,
            contacts: 2000,
            failed: 1999,
            unseen: 10,
            window_s: 300,
            likelihood: 1e6,
            waiting: 1999,
            examples: vec![Endpoint::default()],
            family: Family::Inet,
        })
    }

    /// One of each, or more where their words differ.
    fn samples() -> Vec<Evidence> {
        let host = Endpoint::default();
        vec![
            scan(Breadth::Hosts {
                count: 1999,
                port: 445,
            }),
            scan(Breadth::Ports { count: 30, host }),
            scan(Breadth::Throttle { queue: 120 }),
            Evidence::DeadDestination {
                destination: host,
                destinations: 1,
                waiting: 5,
            },
            Evidence::DeadDestination {
                destination: host,
                destinations: 3,
                waiting: 500,
            },
            Evidence::Ipv6Silent {
                failed: 30,
                reached: 30,
            },
            Evidence::PeerToPeer {
                failed: 70,
                contacts: 100,
                ports: 60,
            },
            Evidence::NetworkDown {
                processes: 3,
                failed: 40,
            },
        ]
    }

    /// The same for the rules that are not about first contacts.
    fn more_samples() -> Vec<Evidence> {
        let host = Endpoint::default();
        vec![
            Evidence::AcceptQueue {
                listener: host,
                waiting: 100,
                backlog: 128,
                overflows: None,
                full: false,
            },
            Evidence::AcceptQueue {
                listener: host,
                waiting: 129,
                backlog: 128,
                overflows: Some(7),
                full: true,
            },
            Evidence::TimeWaitHeap {
                count: 250_000,
                most: 262_144,
                overflows: 0,
            },
            Evidence::Orphans {
                orphans: 40_000,
                most: 65_536,
            },
            Evidence::PeerNotReading(Stillness {
                sockets: 3,
                bytes: 2_000_000,
                peer: host,
                longest: Duration::from_secs(90),
            }),
            Evidence::ProgramNotReading(Stillness {
                sockets: 1,
                bytes: 65_536,
                peer: host,
                longest: Duration::from_secs(90),
            }),
            Evidence::FailedConnects {
                failed: 500,
                tried: 520,
                window: Duration::from_secs(10),
            },
            Evidence::LocalPorts(PortUse {
                from: host.address(),
                to: host,
                used: 26_000,
                room: 28_232,
            }),
            Evidence::OddProgram {
                oddity: Oddity::KernelName,
                program: Text::from("/usr/bin/x"),
            },
            Evidence::OddProgram {
                oddity: Oddity::Resembles(Text::from("nginx")),
                program: Text::from("/home/u/nginxx"),
            },
            Evidence::OddProgram {
                oddity: Oddity::InMemory,
                program: Text::from("/memfd:x (deleted)"),
            },
            Evidence::OddProgram {
                oddity: Oddity::AnybodysFolder,
                program: Text::from("/dev/shm/x"),
            },
            Evidence::NewListener {
                listener: host,
                program: None,
                open_to_all: true,
            },
            Evidence::SynFlood(HalfOpen {
                listener: Some(host),
                half_open: 129,
                stale: 129,
                backlog: Some(128),
                cookies_sent: Some(5000),
                cookies_returned: Some(3),
                dropped: None,
            }),
            Evidence::CloseWait(Leak {
                count: 213,
                growth: 12,
                window: Duration::from_mins(5),
                open: Some(900),
                most: Some(1024),
            }),
            Evidence::CloseWait(Leak {
                count: 1,
                growth: 0,
                window: Duration::from_mins(5),
                open: None,
                most: None,
            }),
        ]
    }

    #[test]
    fn every_finding_has_every_sentence() {
        let words = Catalogue::of(Language::English);
        let severities = [Severity::Info, Severity::Warn, Severity::Alarm];
        for (evidence, severity) in samples()
            .into_iter()
            .chain(more_samples())
            .flat_map(|evidence| severities.map(|severity| (evidence.clone(), severity)))
        {
            let finding = Finding {
                severity,
                since: Stamp(0),
                process: Some(Arc::new(Process {
                    pid: 812,
                    name: Text::from("wormlike"),
                    ..Process::default()
                })),
                evidence,
            };
            let said = describe(&finding, words);
            for text in [
                &said.title,
                &said.line,
                &said.evidence,
                &said.otherwise,
                &said.next,
            ] {
                assert!(!text.is_empty(), "{finding:?} {said:?}");
            }
            assert!(said.line.chars().count() <= 90, "{}", said.line);
        }
    }

    #[test]
    fn not_all_failed_is_not_a_hundred_percent() {
        assert_eq!(percent(1999, 2000), "99");
        assert_eq!(percent(2000, 2000), "100");
        assert_eq!(percent(0, 0), "0");
    }
}
