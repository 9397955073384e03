//! A finding in words: one line, the evidence, what else it could be, and what
//! to check next.

use super::catalogue::Catalogue;
use super::sentence::{fill, grouped};
use crate::model::evidence::{Breadth, Evidence, Fact, Group, Oddity, Tripped};
use crate::model::finding::{Finding, Severity};
use crate::monitor::Per;

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
        fill(sentence, |place| value(finding, words, place)).unwrap_or_default()
    };
    let line = own_line(finding, words).unwrap_or_else(|| say(line(finding)));
    FindingWords {
        title: say(title),
        line: match finding.below_since {
            Some(_) => words.aside(&line, words.screen("findings", "no_longer")),
            None => line,
        },
        evidence: say(evidence(finding)),
        otherwise: say("else"),
        next: say("next"),
    }
}

fn evidence(finding: &Finding) -> &'static str {
    match &finding.evidence {
        Evidence::Unlisted(_) => "evidence_unlisted",
        Evidence::FailedConnects { whose: Some(_), .. } => "evidence_whose",
        _ => "evidence",
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

/// What a person wrote for a rule of their own.
fn own_line(finding: &Finding, words: &Catalogue) -> Option<String> {
    let Evidence::UserRule(tripped) = &finding.evidence else {
        return None;
    };
    fill(tripped.words.as_ref()?.as_str(), |place| {
        value(finding, words, place)
    })
}

/// The places that the sentence of a person's own rule may have, by what it
/// counts together.
#[must_use]
pub fn own_places(group: Per, grows: bool) -> Vec<&'static str> {
    let mut places = vec!["name", "count", "limit", "now", "filter"];
    match group {
        Per::Total => {}
        Per::Process => places.extend(["process", "pid"]),
        Per::Remote => places.push("remote"),
        Per::LocalPort => places.push("port"),
    }
    if grows {
        places.push("within");
    }
    places
}

fn line_of_own(tripped: &Tripped) -> &'static str {
    match (tripped.group, tripped.within) {
        (Group::All, None) => "line",
        (Group::Process, None) => "line_process",
        (Group::Remote(_), None) => "line_remote",
        (Group::LocalPort(_), None) => "line_port",
        (Group::All, Some(_)) => "line_growth",
        (Group::Process, Some(_)) => "line_growth_process",
        (Group::Remote(_), Some(_)) => "line_growth_remote",
        (Group::LocalPort(_), Some(_)) => "line_growth_port",
    }
}

fn line(finding: &Finding) -> &'static str {
    match &finding.evidence {
        Evidence::UserRule(tripped) => line_of_own(tripped),
        Evidence::Unacknowledged(silent) => match finding.process {
            None if silent.user.is_some() => "line_hidden",
            None => "line_nobody",
            Some(_) if silent.port.is_some() => "line_clients",
            Some(_) if silent.destinations > 1 => "line_more",
            Some(_) => "line",
        },
        Evidence::Unlisted(_) if finding.process.is_none() => "line_unlisted_nobody",
        Evidence::Unlisted(_) => "line_unlisted",
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
        Evidence::FailedConnects { whose: Some(_), .. } => "line_whose",
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

fn value(finding: &Finding, words: &Catalogue, place: &str) -> Option<String> {
    match place {
        "process" => return Some(finding.process.as_ref()?.name.to_string()),
        "pid" => return Some(finding.process.as_ref()?.pid.to_string()),
        _ => {}
    }
    let facts = finding.evidence.facts();
    let (_, fact) = facts.iter().find(|(name, _)| *name == place)?;
    Some(told(fact, words))
}

/// A fact as it stands in a sentence.
fn told(fact: &Fact, words: &Catalogue) -> String {
    match fact {
        Fact::Count(count) => grouped(*count),
        // No number, in any language.
        Fact::Unknown => "—".to_owned(),
        Fact::Share(part, whole) => percent(*part, *whole),
        Fact::Length(time) => words.length(*time),
        Fact::Port(port) => port.to_string(),
        Fact::Host(address) => address.to_string(),
        Fact::Endpoint(endpoint) => endpoint.to_string(),
        Fact::Endpoints(endpoints) => {
            let told: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            words.list(&told)
        }
        Fact::Text(text) => text.to_string(),
    }
}

/// Whole percent; 100 only where all failed.
fn percent(part: u64, whole: u64) -> String {
    (part.saturating_mul(100) / whole.max(1)).to_string()
}

#[cfg(test)]
mod tests;
