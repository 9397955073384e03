//! From a finding to its rows: the filter that shows them.

use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, UserRuleEvidence, UserRuleGroup};
use crate::model::finding::Finding;
use crate::model::protocol::IpFamily;

/// Returns the filter, as a user would type it.
pub(super) fn filter_text(finding: &Finding) -> String {
    let lead = finding.row_selector();
    let mut parts = Vec::new();
    if let Evidence::UserRule(tripped) = &finding.evidence {
        parts.extend(user_rule_conditions(tripped));
    }
    if let Some(process) = finding.process.as_ref().filter(|_| !lead.include_unowned) {
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
    parts.extend(
        lead.local
            .and_then(|end| endpoint_condition("src", "sport", end)),
    );
    parts.extend(
        lead.remote
            .and_then(|end| endpoint_condition("dst", "dport", end)),
    );
    if let Some(fewer) = lead.min_retransmits.checked_sub(1) {
        parts.push(format!("retrans > {fewer}"));
    }
    if finding.process.is_none() {
        parts.extend(lead.uid.map(|uid| format!("uid:{uid}")));
    }
    parts.extend(lead.family.map(|family| match family {
        IpFamily::Inet => "inet".to_owned(),
        IpFamily::Inet6 => "inet6".to_owned(),
    }));
    parts.join(" and ")
}

/// Returns the conditions of a user rule: its filter, and that of its group.
fn user_rule_conditions(tripped: &UserRuleEvidence) -> Vec<String> {
    let filter = Some(tripped.filter.as_str()).filter(|filter| !filter.is_empty());
    let group = match tripped.group {
        UserRuleGroup::All | UserRuleGroup::Process => None,
        UserRuleGroup::Remote(address) => {
            endpoint_condition("dst", "dport", Endpoint::new(address, 0))
        }
        UserRuleGroup::LocalPort(number) => Some(format!("sport = :{number}")),
    };
    let filter = filter.map(|filter| format!("({filter})"));
    filter.into_iter().chain(group).collect()
}

/// Returns the condition on one end: a host, a port or both.
fn endpoint_condition(host: &str, port: &str, end: Endpoint) -> Option<String> {
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
    use crate::model::evidence::{LocalPortsEvidence, SynFloodEvidence, UnacknowledgedEvidence};
    use crate::model::finding::FindingHolder;
    use crate::model::finding::Severity;
    use crate::model::process::Process;
    use crate::model::text::Text;
    use crate::model::time::Timestamp;
    use std::sync::Arc;
    use std::time::Duration;

    fn finding(evidence: Evidence) -> Finding {
        Finding {
            severity: Severity::Warning,
            since: Timestamp(0),
            clearing_since: None,
            holder: FindingHolder::default(),
            process: Some(Arc::new(Process {
                pid: 812,
                ..Process::default()
            })),
            evidence,
        }
    }

    fn tripped(filter: &str, group: UserRuleGroup) -> Evidence {
        Evidence::UserRule(UserRuleEvidence {
            name: Text::from("mine"),
            message: None,
            filter: Text::from(filter),
            group,
            current: 9,
            count: 9,
            limit: 5,
            window: None,
        })
    }

    #[test]
    fn filter_of_a_finding_parses() {
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
                tripped("state established or :80", UserRuleGroup::Process),
                "(state established or :80) and pid:812",
            ),
            (
                tripped("tcp", UserRuleGroup::Remote([192, 0, 2, 9].into())),
                "(tcp) and dst 192.0.2.9 and pid:812",
            ),
            (
                tripped("", UserRuleGroup::LocalPort(443)),
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
                Evidence::SynFlood(SynFloodEvidence {
                    listener: Some(destination),
                    half_open: 129,
                    unanswered: 129,
                    backlog: Some(128),
                    cookies_sent: None,
                    cookies_returned: None,
                    dropped: None,
                }),
                "state:syn_received and src 192.0.2.1:443",
            ),
            (
                Evidence::Unacknowledged(UnacknowledgedEvidence {
                    peer: destination,
                    port: None,
                    destinations: 1,
                    sockets: 2,
                    bytes: 8,
                    longest: Duration::from_secs(40),
                    retransmits: 7,
                    uid: None,
                    include_unowned: false,
                }),
                "pid:812 and state:established,close_wait,fin_wait_1 and dst 192.0.2.1:443 \
                 and retrans > 2",
            ),
            (
                Evidence::LocalPorts(LocalPortsEvidence {
                    local_address: [192, 0, 2, 9].into(),
                    destination: Some(destination),
                    used: 20_000,
                    available: 28_232,
                }),
                "src 192.0.2.9 and dst 192.0.2.1:443",
            ),
            (
                Evidence::LocalPorts(LocalPortsEvidence {
                    local_address: [192, 0, 2, 9].into(),
                    destination: None,
                    used: 20_000,
                    available: 28_232,
                }),
                "src 192.0.2.9",
            ),
        ];
        for (evidence, expected) in cases {
            let filter = filter_text(&finding(evidence));
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
            assert_eq!(endpoint_condition("src", "sport", end).as_deref(), expected);
        }
        assert!(Filter::parse("state:close_wait,last_ack and sport = :80").is_ok());
    }
}
