//! A finding in words: one line, the evidence, alternative explanations, and
//! advice.

use super::catalogue::Catalogue;
use super::program::program_text;
use super::template::{format_thousands, placeholders, render, render_untrusted};
use crate::model::baseline::ListenerProgram;
use crate::model::evidence::{
    Evidence, Fact, ProgramAnomaly, ScanKind, UserRuleEvidence, UserRuleGroup,
};
use crate::model::finding::{Finding, Rule, Severity, UnknownHolder};
use crate::model::owner::NoOwnerReason;
use crate::model::process::{Process, RunState};
use crate::monitor::GroupBy;

/// Text of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingText {
    /// Title, a few words.
    pub title: String,
    /// One line for the screen.
    pub line: String,
    /// Evidence, in numbers.
    pub evidence: String,
    /// Alternative explanations.
    pub alternatives: String,
    /// Next thing to check.
    pub advice: String,
}

/// Returns the text of a finding.
#[must_use]
pub fn describe(finding: &Finding, words: &Catalogue) -> FindingText {
    let rule = finding.evidence.rule();
    let title = title_key(finding);
    // An unknown value is shown as unknown: a finding without text would be an
    // alarm that names nothing.
    let value = |place: &str| value(finding, words, place).unwrap_or_else(|| UNKNOWN.to_owned());
    let complete = |sentence: &str| {
        let sentence = match finding.process {
            Some(_) => sentence.to_owned(),
            None => begin_with_program(sentence, words),
        };
        render(&sentence, |place| Some(value(place))).unwrap_or_default()
    };
    let say = |name: &str| complete(words.finding(rule, name));
    let line = user_rule_line(finding, words).unwrap_or_else(|| {
        let name = line_key(finding);
        let told = say(name);
        if placeholders(words.finding(rule, name)).contains(&"unit") {
            return told;
        }
        // At the end: it is the first to go where there is no room for all.
        match opened_by(finding, "unit", words) {
            Some(unit) => words.with_note(&told, &unit),
            None => told,
        }
    });
    let plights = process_obstacles(finding).map(|name| complete(words.screen("findings", name)));
    let seen: Vec<String> = std::iter::once(say(evidence_key(finding)))
        .chain(plights)
        .chain(opened_by(finding, "opened_by", words))
        .collect();
    let said = FindingText {
        title: say(title),
        line: match finding.clearing_since {
            Some(_) => words.with_note(&line, words.screen("findings", "no_longer")),
            None => line,
        },
        evidence: words.join_sentences(&seen),
        alternatives: say(alternatives_key(finding)),
        advice: next_for_plight(finding).map_or_else(
            || say(advice_key(finding)),
            |name| complete(words.screen("findings", name)),
        ),
    };
    debug_assert!(said.is_complete(), "{finding:?} {said:?}");
    said
}

impl FindingText {
    /// True if nothing is empty.
    fn is_complete(&self) -> bool {
        let texts = [
            &self.title,
            &self.line,
            &self.evidence,
            &self.alternatives,
            &self.advice,
        ];
        texts.into_iter().all(|text| !text.trim().is_empty())
    }
}

/// Text of an unknown number or name, in any language.
const UNKNOWN: &str = "—";

/// A template with the word for an unknown program in capitals where a sentence begins
/// with it.
fn begin_with_program(template: &str, words: &Catalogue) -> String {
    let unknown = words.screen("findings", "program_unknown");
    let mut letters = unknown.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let capital = first.unwrap_or_default() + letters.as_str();
    let within = template.replace(". {process}", &format!(". {capital}"));
    match within.strip_prefix("{process}") {
        Some(rest) => capital + rest,
        None => within,
    }
}

/// Sentences about obstacles of the finding's process.
fn process_obstacles(finding: &Finding) -> impl Iterator<Item = &'static str> {
    let reads = matches!(finding.evidence, Evidence::ProgramNotReading(_));
    let accepts = matches!(
        finding.evidence,
        Evidence::NotAccepting(_) | Evidence::AcceptQueue { .. }
    );
    let process = finding.process.as_deref().filter(|_| reads || accepts);
    let state = process.and_then(|process| match process.run_state {
        RunState::Normal => None,
        RunState::Stopped => Some("plight_stopped"),
        RunState::Traced => Some("plight_traced"),
        RunState::Uninterruptible => Some("plight_uninterruptible"),
    });
    let short = process.filter(|process| accepts && process.is_at_open_files_limit());
    state.into_iter().chain(short.map(|_| "plight_descriptors"))
}

/// The owner of a finding's sockets, as far as it is known.
fn owner(finding: &Finding, words: &Catalogue) -> String {
    let workers = finding.holder.workers.len();
    let facts = finding.evidence.facts();
    let has_place = facts.iter().any(|(name, _)| *name == "listener");
    let process = finding.process.as_deref();
    name_holder(process, workers, finding.holder.unknown, has_place, words)
}

/// A holder of sockets without their port beside it.
fn holder(process: Option<&Process>, unseen: Option<UnknownHolder>, words: &Catalogue) -> String {
    name_holder(process, 0, unseen, false, words)
}

fn name_holder(
    process: Option<&Process>,
    workers: usize,
    unseen: Option<UnknownHolder>,
    has_place: bool,
    words: &Catalogue,
) -> String {
    let name = match (process, unseen) {
        (Some(_), _) if workers > 0 => "owner_workers",
        (Some(_), _) => "owner",
        (None, Some(unseen)) => match (unseen.reason, unseen.uid) {
            (NoOwnerReason::Orphan, _) if has_place => "owner_closed_place",
            (NoOwnerReason::Orphan, _) => "owner_closed",
            (NoOwnerReason::Hidden, Some(_)) if has_place => "owner_hidden",
            (NoOwnerReason::Hidden, Some(_)) if unseen.port.is_none() => "owner_hidden_user",
            (NoOwnerReason::Hidden, Some(_)) => "owner_hidden_port",
            (NoOwnerReason::Kernel, Some(_)) if has_place || unseen.port.is_none() => {
                "owner_elsewhere"
            }
            (NoOwnerReason::Kernel, Some(_)) => "owner_elsewhere_port",
            _ if has_place => "owner_unknown",
            _ => "owner_unknown_port",
        },
        (None, None) => "owner_unknown",
    };
    let told = render(words.screen("findings", name), |place| {
        Some(match place {
            "process" => process?.name.to_string(),
            "pid" => process?.pid.to_string(),
            "count" => (workers + 1).to_string(),
            "uid" => unseen?.uid?.to_string(),
            "port" => unseen?.port?.to_string(),
            _ => return None,
        })
    });
    told.unwrap_or_else(|| words.screen("findings", "owner_unknown").to_owned())
}

/// The unit that opened the sockets of a process which is not seen, in a sentence of
/// this name.
fn opened_by(finding: &Finding, name: &str, words: &Catalogue) -> Option<String> {
    let unit = finding.holder.opener.as_ref()?;
    render(words.screen("findings", name), |_| {
        Some(unit.as_str().to_owned())
    })
}

/// True for local ports that are counted for all destinations together.
fn is_per_source(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::LocalPorts(ports) if ports.destination.is_none())
}

/// True for a silent destination on this machine itself.
fn is_of_this_machine(evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::DeadDestination { destination, .. } if destination.is_loopback())
}

/// True for a program with a file system of its own.
fn has_private_file_system(evidence: &Evidence) -> bool {
    matches!(
        evidence,
        Evidence::SuspiciousProgram {
            anomaly: ProgramAnomaly::DifferentFile | ProgramAnomaly::PrivateFileSystem,
            ..
        }
    )
}

fn evidence_key(finding: &Finding) -> &'static str {
    match &finding.evidence {
        evidence if is_per_source(evidence) => "evidence_source",
        Evidence::NotInBaseline(listener) => match listener.program {
            ListenerProgram::File(_) => "evidence_unlisted",
            ListenerProgram::NotLocalFile => "evidence_unlisted_none",
            ListenerProgram::Unknown => "evidence_unlisted_unknown",
        },
        Evidence::MissingListener(listener) if listener.program.path().is_none() => {
            "evidence_unknown"
        }
        Evidence::NewListener { program: None, .. } => "evidence_unknown",
        Evidence::SuspiciousPrograms(_) => "evidence_many",
        evidence if has_private_file_system(evidence) => "evidence_own_file_system",
        Evidence::FailedConnects {
            process: Some(_), ..
        } => "evidence_whose",
        Evidence::AcceptQueue {
            dropped: Some(_), ..
        } => "evidence_dropped",
        Evidence::PeerNotReadingOrphans(_) => "evidence_nobody",
        _ if is_closed_locally(finding) => "evidence_nobody",
        _ if is_of_a_hidden_user(finding) => "evidence_hidden",
        _ => "evidence",
    }
}

/// True for destinations that hidden processes of a user wait for.
fn is_of_a_hidden_user(finding: &Finding) -> bool {
    let unseen = finding.holder.unknown.filter(|_| finding.process.is_none());
    matches!(finding.evidence, Evidence::DeadDestination { .. })
        && unseen.is_some_and(|unseen| unseen.reason == NoOwnerReason::Hidden)
}

/// True for connections without an acknowledgement that no program holds any
/// more.
fn is_closed_locally(finding: &Finding) -> bool {
    match &finding.evidence {
        Evidence::Unacknowledged(silent) => finding.process.is_none() && silent.uid.is_none(),
        _ => false,
    }
}

fn alternatives_key(finding: &Finding) -> &'static str {
    match &finding.evidence {
        evidence if is_per_source(evidence) => "else_source",
        evidence if is_of_this_machine(evidence) => "else_here",
        Evidence::PeerNotReadingOrphans(_) => "else_nobody",
        evidence if has_private_file_system(evidence) => "else_own_file_system",
        _ => "else",
    }
}

/// Key of the advice that fits an obstacle of the finding's process better than that of
/// its rule.
fn next_for_plight(finding: &Finding) -> Option<&'static str> {
    process_obstacles(finding)
        .next()
        .map(|plight| match plight {
            "plight_stopped" => "next_stopped",
            "plight_traced" => "next_traced",
            "plight_uninterruptible" => "next_uninterruptible",
            _ => "next_descriptors",
        })
}

fn advice_key(finding: &Finding) -> &'static str {
    match &finding.evidence {
        evidence if is_per_source(evidence) => "next_source",
        evidence if is_of_this_machine(evidence) => "next_here",
        Evidence::PeerNotReadingOrphans(_) => "next_nobody",
        evidence if has_private_file_system(evidence) => "next_own_file_system",
        _ if is_closed_locally(finding) => "next_nobody",
        _ if is_of_a_hidden_user(finding) => "next_hidden",
        _ => "next",
    }
}

/// Key of the title. A rule about several problems has a title for each.
fn title_key(finding: &Finding) -> &'static str {
    match (&finding.evidence, finding.severity) {
        (evidence, _) if is_per_source(evidence) => "title_source",
        (Evidence::PeerNotReadingOrphans(_), _) => "title_nobody",
        _ if is_closed_locally(finding) => "title_nobody",
        (Evidence::SynFlood(_), Severity::Critical) => "title_flood",
        (Evidence::SynFlood(_), Severity::Info) => "title_overload",
        _ => "title",
    }
}

/// The user's message of a user rule.
fn user_rule_line(finding: &Finding, words: &Catalogue) -> Option<String> {
    let Evidence::UserRule(tripped) = &finding.evidence else {
        return None;
    };
    render_untrusted(tripped.message.as_ref()?, |place| {
        value(finding, words, place)
    })
}

/// Returns the placeholders that the message of a user rule may have, by its
/// grouping.
#[must_use]
pub fn user_rule_placeholders(group: GroupBy, grows: bool) -> Vec<&'static str> {
    let mut places = vec!["name", "count", "limit", "now", "filter"];
    match group {
        GroupBy::Total => {}
        GroupBy::Process => places.extend(["process", "pid"]),
        GroupBy::Remote => places.push("remote"),
        GroupBy::LocalPort => places.push("port"),
    }
    if grows {
        places.push("within");
    }
    places
}

fn user_rule_line_key(tripped: &UserRuleEvidence) -> &'static str {
    match (tripped.group, tripped.window) {
        (UserRuleGroup::All, None) => "line",
        (UserRuleGroup::Process, None) => "line_process",
        (UserRuleGroup::Remote(_), None) => "line_remote",
        (UserRuleGroup::LocalPort(_), None) => "line_port",
        (UserRuleGroup::All, Some(_)) => "line_growth",
        (UserRuleGroup::Process, Some(_)) => "line_growth_process",
        (UserRuleGroup::Remote(_), Some(_)) => "line_growth_remote",
        (UserRuleGroup::LocalPort(_), Some(_)) => "line_growth_port",
    }
}

/// Known facts about the holder of a listener.
enum Listening {
    /// The process, or the user of a hidden one.
    Named,
    /// The user alone: no process seen here has the socket.
    Unheld,
    Unknown,
}

fn listening(finding: &Finding) -> Listening {
    let unseen = finding.holder.unknown.filter(|unseen| unseen.uid.is_some());
    match (&finding.process, unseen.map(|unseen| unseen.reason)) {
        (Some(_), _) | (None, Some(NoOwnerReason::Hidden)) => Listening::Named,
        (None, Some(NoOwnerReason::Kernel)) => Listening::Unheld,
        (None, _) => Listening::Unknown,
    }
}

fn line_key(finding: &Finding) -> &'static str {
    match &finding.evidence {
        Evidence::PeerNotReadingOrphans(_) => "line_nobody",
        _ if is_closed_locally(finding) => "line_nobody",
        evidence if is_per_source(evidence) => match finding.process {
            Some(_) => "line_source",
            None => "line_source_nobody",
        },
        Evidence::UserRule(tripped) => user_rule_line_key(tripped),
        Evidence::Deadlock(pairs) if pairs.is_within_one_process(finding.process.as_deref()) => {
            "line_itself"
        }
        Evidence::Unacknowledged(silent) => match finding.process {
            None if finding.holder.opener.is_some() => "line_hidden_unit",
            None => "line_hidden",
            Some(_) if silent.port.is_some() => "line_clients",
            Some(_) if silent.destinations > 1 => "line_more",
            Some(_) => "line",
        },
        Evidence::NotInBaseline(_) => match listening(finding) {
            Listening::Named => "line_unlisted",
            Listening::Unheld => "line_unlisted_unheld",
            Listening::Unknown => "line_unlisted_nobody",
        },
        Evidence::SynFlood(_) => match finding.severity {
            Severity::Critical => "line_flood",
            Severity::Info => "line_overload",
            Severity::Warning => "line",
        },
        Evidence::OutboundScan(scan) => match scan.kind {
            ScanKind::Hosts { .. } => "line_hosts",
            ScanKind::Ports { .. } => "line_ports",
            ScanKind::Throttle { .. } => "line_throttle",
        },
        Evidence::FailedConnects {
            process: Some(_), ..
        } => "line_whose",
        Evidence::AcceptQueue { full: true, .. } => "line_full",
        Evidence::AcceptQueue {
            dropped: Some(1..), ..
        } => "line_dropped",
        Evidence::SuspiciousPrograms(programs) if programs.folder.is_some() => "line_many",
        Evidence::SuspiciousPrograms(_) => "line_many_names",
        Evidence::SuspiciousProgram {
            anomaly: oddity, ..
        } => match oddity {
            ProgramAnomaly::SimilarName(_) => "line_resembles",
            ProgramAnomaly::KernelThreadName => "line_kernel",
            ProgramAnomaly::InMemory => "line_memory",
            ProgramAnomaly::WorldWritableDirectory => "line",
            ProgramAnomaly::DifferentFile => "line_other_file",
            ProgramAnomaly::PrivateFileSystem => "line_own_file_system",
        },
        Evidence::NewListener { .. } => match listening(finding) {
            Listening::Named => "line",
            Listening::Unheld => "line_unheld",
            Listening::Unknown => "line_nobody",
        },
        Evidence::LocalPorts(_) if finding.process.is_none() => "line_nobody",
        Evidence::CloseWait(leak) if finding.severity > Severity::Info => match leak.growth {
            0 => "line_many",
            _ => "line_grows",
        },
        Evidence::NotAccepting(stall) if !stall.accepts_nothing() && stall.accepting => "line_slow",
        Evidence::NotAccepting(stall) if !stall.accepts_nothing() => "line_waiting",
        Evidence::DeadDestination { destinations, .. } => {
            let is_unseen = finding.process.is_none() && finding.holder.unknown.is_some();
            match (is_unseen, *destinations > 1) {
                (false, false) => "line",
                (false, true) => "line_more",
                (true, false) => "line_unseen",
                (true, true) => "line_unseen_more",
            }
        }
        _ => "line",
    }
}

fn value(finding: &Finding, words: &Catalogue, place: &str) -> Option<String> {
    match place {
        "owner" => return Some(owner(finding, words)),
        "other" => {
            if let Evidence::Deadlock(pairs) = &finding.evidence {
                return Some(holder(
                    pairs.other_process.as_deref(),
                    pairs.other_holder,
                    words,
                ));
            }
        }
        "process" => {
            let unknown = || words.screen("findings", "program_unknown").to_owned();
            let process = finding.process.as_ref();
            return Some(process.map_or_else(unknown, |process| process.name.to_string()));
        }
        "pid" => return Some(finding.process.as_ref()?.pid.to_string()),
        // The user that the evidence itself names comes first.
        "uid"
            if !finding
                .evidence
                .facts()
                .iter()
                .any(|(name, _)| *name == "uid") =>
        {
            let unseen = finding.holder.unknown.filter(|_| finding.process.is_none());
            if let Some(uid) = unseen.and_then(|unseen| unseen.uid) {
                return Some(uid.to_string());
            }
        }
        "unit" => return Some(finding.holder.opener.as_ref()?.as_str().to_owned()),
        "exe" => return Some(format!("/proc/{}/exe", finding.process.as_ref()?.pid)),
        "path" => {
            let exe = finding
                .process
                .as_ref()
                .and_then(|process| process.exe.as_ref());
            return match (exe, &finding.evidence) {
                (Some(exe), _) => Some(exe.path.to_string()),
                (None, Evidence::SuspiciousProgram { program, .. }) => Some(program.to_string()),
                (None, _) => None,
            };
        }
        "program" => {
            let process = finding.process.as_ref();
            if let Some(program) = process.and_then(|process| process.exe.as_ref()) {
                return Some(program_text(program, words));
            }
        }
        "open" | "most"
            if matches!(
                finding.evidence.rule(),
                Rule::NotAccepting | Rule::AcceptQueue
            ) =>
        {
            let files = finding.process.as_ref()?.open_files?;
            let number = if place == "open" {
                files.open
            } else {
                files.limit
            };
            return Some(format_thousands(number.into()));
        }
        _ => {}
    }
    let facts = finding.evidence.facts();
    let (_, fact) = facts.iter().find(|(name, _)| *name == place)?;
    Some(fact_text(fact, words))
}

/// A fact as text in a sentence.
fn fact_text(fact: &Fact, words: &Catalogue) -> String {
    match fact {
        Fact::Count(count) => format_thousands(*count),
        Fact::Unknown => UNKNOWN.to_owned(),
        Fact::Ratio(part, whole) => percent(*part, *whole),
        Fact::Duration(time) => words.duration_text(*time),
        Fact::MinDuration(time) => {
            let length = words.duration_text(*time);
            let sentence = words.screen("findings", "at_least");
            render(sentence, |_| Some(length.clone())).unwrap_or(length)
        }
        Fact::Port(port) => port.to_string(),
        Fact::Uid(uid) => uid.to_string(),
        Fact::Host(address) => address.to_string(),
        Fact::Endpoint(endpoint) => endpoint.to_string(),
        Fact::Endpoints(endpoints) => {
            let told: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            words.join_list(&told)
        }
        Fact::Text(text) => text.to_string(),
        Fact::Texts(texts) => {
            let told: Vec<String> = texts.iter().map(ToString::to_string).collect();
            words.join_list(&told)
        }
    }
}

/// Whole percent; 100 only where all failed.
fn percent(part: u64, whole: u64) -> String {
    (part.saturating_mul(100) / whole.max(1)).to_string()
}

#[cfg(test)]
pub(crate) mod tests;
