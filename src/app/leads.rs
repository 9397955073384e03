//! From a finding to its rows: the filter that shows them.

use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, Group, Tripped};
use crate::model::finding::Finding;
use crate::model::protocol::Family;

/// Returns the filter, as a user would type it.
pub(super) fn filter(finding: &Finding) -> String {
    let lead = finding.lead();
    let mut parts = Vec::new();
    if let Evidence::UserRule(tripped) = &finding.evidence {
        parts.extend(own(tripped));
    }
    if let Some(process) = finding.process.as_ref().filter(|_| !lead.unheld) {
        let workers = finding.holder.workers.iter();
        let pids: Vec<String> = std::iter::once(process)
            .chain(workers)
            .map(|process| format!("pid:{}", process.pid))
            .collect();
        parts.push(match pids.as_slice() {
            [only] => only.clone(),
            several => format!("({})", several.join(" or ")),
        });
    }
    if !lead.states.is_empty() {
        let states: Vec<&str> = lead.states.iter().map(|state| state.key()).collect();
        parts.push(format!("state:{}", states.join(",")));
    }
    parts.extend(lead.local.and_then(|end| part("src", "sport", end)));
    parts.extend(lead.remote.and_then(|end| part("dst", "dport", end)));
    if let Some(fewer) = lead.resent.checked_sub(1) {
        parts.push(format!("retrans > {fewer}"));
    }
    if finding.process.is_none() {
        parts.extend(lead.uid.map(|uid| format!("uid:{uid}")));
    }
    parts.extend(lead.family.map(|family| match family {
        Family::Inet => "inet".to_owned(),
        Family::Inet6 => "inet6".to_owned(),
    }));
    parts.join(" and ")
}

/// Returns the conditions of a user rule: its filter, and that of its group.
fn own(tripped: &Tripped) -> Vec<String> {
    let filter = Some(tripped.filter.as_str()).filter(|filter| !filter.is_empty());
    let group = match tripped.group {
        Group::All | Group::Process => None,
        Group::Remote(address) => part("dst", "dport", Endpoint::new(address, 0)),
        Group::LocalPort(number) => Some(format!("sport = :{number}")),
    };
    let filter = filter.map(|filter| format!("({filter})"));
    filter.into_iter().chain(group).collect()
}

/// Returns the condition on one end: a host, a port or both.
fn part(host: &str, port: &str, end: Endpoint) -> Option<String> {
    match (end.is_unspecified(), end.port) {
        (true, 0) => None,
        (true, number) => Some(format!("{port} = :{number}")),
        (false, 0) => Some(format!("{host} {}", end.address())),
        (false, _) => Some(format!("{host} {end}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::model::evidence::{HalfOpen, PortUse, Unacknowledged};
    use crate::model::finding::FindingHolder;
    use crate::model::finding::Severity;
    use crate::model::process::Process;
    use crate::model::text::Text;
    use crate::model::time::Stamp;
    use std::sync::Arc;
    use std::time::Duration;

    fn finding(evidence: Evidence) -> Finding {
        Finding {
            severity: Severity::Warn,
            since: Stamp(0),
            below_since: None,
            holder: FindingHolder::default(),
            process: Some(Arc::new(Process {
                pid: 812,
                ..Process::default()
            })),
            evidence,
        }
    }

    fn tripped(filter: &str, group: Group) -> Evidence {
        Evidence::UserRule(Tripped {
            name: Text::from("mine"),
            words: None,
            filter: Text::from(filter),
            group,
            now: 9,
            count: 9,
            limit: 5,
            within: None,
        })
    }

    #[test]
    fn a_lead_is_a_filter_that_can_be_typed() {
        let destination = Endpoint::new([192, 0, 2, 1].into(), 443);
        let cases = [
            (
                Evidence::DeadDestination {
                    destination,
                    destinations: 1,
                    waiting: 5,
                },
                "pid:812 and state:syn_sent and dst 192.0.2.1:443",
            ),
            (
                tripped("state established or :80", Group::Process),
                "(state established or :80) and pid:812",
            ),
            (
                tripped("tcp", Group::Remote([192, 0, 2, 9].into())),
                "(tcp) and dst 192.0.2.9 and pid:812",
            ),
            (
                tripped("", Group::LocalPort(443)),
                "sport = :443 and pid:812",
            ),
            (
                Evidence::Ipv6Silent {
                    failed: 1,
                    reached: 1,
                },
                "pid:812 and state:syn_sent and inet6",
            ),
            // A half-open connection, or one in TIME_WAIT, has no holder.
            (
                Evidence::SynFlood(HalfOpen {
                    listener: Some(destination),
                    half_open: 129,
                    stale: 129,
                    backlog: Some(128),
                    cookies_sent: None,
                    cookies_returned: None,
                    dropped: None,
                }),
                "state:syn_received and src 192.0.2.1:443",
            ),
            (
                Evidence::Unacknowledged(Unacknowledged {
                    peer: destination,
                    port: None,
                    destinations: 1,
                    sockets: 2,
                    bytes: 8,
                    longest: Duration::from_secs(40),
                    tries: 7,
                    user: None,
                    unheld: false,
                }),
                "pid:812 and state:established,close_wait,fin_wait_1 and dst 192.0.2.1:443 \
                 and retrans > 2",
            ),
            (
                Evidence::LocalPorts(PortUse {
                    from: [192, 0, 2, 9].into(),
                    to: Some(destination),
                    used: 20_000,
                    room: 28_232,
                }),
                "src 192.0.2.9 and dst 192.0.2.1:443",
            ),
            (
                Evidence::LocalPorts(PortUse {
                    from: [192, 0, 2, 9].into(),
                    to: None,
                    used: 20_000,
                    room: 28_232,
                }),
                "src 192.0.2.9",
            ),
        ];
        for (evidence, expected) in cases {
            let filter = filter(&finding(evidence));
            assert_eq!(filter, expected);
            assert!(Filter::parse(&filter).is_ok(), "{filter}");
        }
        let ends = [
            (Endpoint::default(), None),
            (Endpoint::new([0, 0, 0, 0].into(), 80), Some("sport = :80")),
            (
                Endpoint::new([192, 0, 2, 1].into(), 0),
                Some("src 192.0.2.1"),
            ),
        ];
        for (end, expected) in ends {
            assert_eq!(part("src", "sport", end).as_deref(), expected);
        }
        assert!(Filter::parse("state:close_wait,last_ack and sport = :80").is_ok());
    }
}
