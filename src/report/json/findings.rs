//! Findings in the JSON contract: the output of `check --json`.

use super::entry::{GapEntry, is_utf8, lossy_string, non_utf8_hex, timestamp};
use super::{SCHEMA, write_escaped};
use crate::explain::catalogue::Catalogue;
use crate::explain::findings::describe;
use crate::model::evidence::Fact;
use crate::model::finding::{Finding, Severity};
use crate::model::mute::RuleId;
use crate::model::process::{Process, Program};
use crate::model::time::{Time, Timestamp};
use crate::report::check_result::{CheckResult, CheckStatus, EndedFinding};
use crate::report::coverage::Shortfall;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::time::Duration;

#[derive(Serialize)]
struct FindingsDocument<'a> {
    schema: u32,
    tool: &'a str,
    host: String,
    taken_at: String,
    source: &'a str,
    watched_s: f64,
    fail_on: &'a str,
    failed: bool,
    /// `ok`, `warning`, `critical`, or `unknown` where too little was seen.
    state: &'a str,
    /// Time that was requested.
    wanted_s: f64,
    /// Reason why too little was seen to report that all is well: `ended_early`,
    /// `few_tables`, `gaps`, `no_proc` or `owners_unread`; null if enough was.
    shortfall: Option<&'static str>,
    tables: u32,
    unread_tables: u32,
    longest_gap_s: f64,
    counts: FindingCounts,
    gaps: Vec<GapEntry>,
    /// Rules that had nothing to judge by, or no time.
    blind: Vec<BlindEntry>,
    findings: Vec<FindingEntry>,
    muted: Vec<FindingEntry>,
    /// Findings that have ended.
    over: Vec<EndedFindingEntry>,
}

#[derive(Serialize)]
struct BlindEntry {
    rule: &'static str,
    /// A [`crate::model::finding::MissingInput`], or `time`.
    lacks: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_s: Option<f64>,
}

#[derive(Serialize)]
struct EndedFindingEntry {
    #[serde(flatten)]
    entry: FindingEntry,
    until: String,
}

#[derive(Serialize)]
struct FindingCounts {
    sockets: u32,
    alarm: usize,
    warn: usize,
    info: usize,
    muted: usize,
    over: usize,
}

#[derive(Serialize)]
struct FindingEntry {
    rule: &'static str,
    /// Name of a user's own rule.
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    severity: &'static str,
    since: String,
    process: Option<ProcessEntry>,
    /// Further processes of the same program that share the trouble.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    workers: Vec<ProcessEntry>,
    /// Facts about a hidden holder.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<HiddenHolderEntry>,
    evidence: Map<String, Value>,
    words: FindingTexts,
}

#[derive(Serialize)]
struct ProcessEntry {
    pid: u32,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    exe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exe_bytes: Option<String>,
    /// `stopped`, `traced` or `uninterruptible`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    descriptors: Option<OpenFilesEntry>,
}

/// Open files of a process.
#[derive(Serialize)]
struct OpenFilesEntry {
    open: u32,
    limit: u32,
}

#[derive(Serialize)]
struct HiddenHolderEntry {
    /// An [`crate::model::owner::NoOwnerReason`].
    reason: &'static str,
    uid: Option<u32>,
    port: Option<u16>,
    /// The unit or container whose processes created all of the sockets.
    opened_by_unit: Option<String>,
}

#[derive(Serialize)]
struct FindingTexts {
    title: String,
    line: String,
    evidence: String,
    #[serde(rename = "else")]
    otherwise: String,
    next: String,
}

/// Writes the findings of a check.
///
/// # Errors
///
/// Those of the writer.
pub fn write(checked: &CheckResult<'_>, words: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    let observation = checked.observation;
    let entries = |findings: &[Finding]| {
        let each = findings.iter();
        each.map(|finding| FindingEntry::of(finding, observation.time, words))
            .collect()
    };
    let document = FindingsDocument {
        schema: SCHEMA,
        tool: concat!("tcplens ", env!("CARGO_PKG_VERSION")),
        host: lossy_string(&observation.host),
        taken_at: timestamp(observation.time.wall_ms),
        source: observation.source.word(),
        watched_s: round_to_tenths(checked.watched),
        fail_on: checked.fail_on.word(),
        failed: matches!(
            checked.status(),
            CheckStatus::Warning | CheckStatus::Critical
        ),
        state: checked.status().word(),
        wanted_s: round_to_tenths(checked.requested),
        shortfall: checked.shortfall().map(Shortfall::key),
        tables: checked.coverage.tables,
        unread_tables: checked.coverage.failed,
        longest_gap_s: round_to_tenths(checked.coverage.longest_gap),
        counts: FindingCounts {
            sockets: observation.state_counts.total(),
            alarm: checked.count(Severity::Critical),
            warn: checked.count(Severity::Warning),
            info: checked.count(Severity::Info),
            muted: observation.muted.len(),
            over: checked.ended.len(),
        },
        gaps: observation.gaps.iter().map(GapEntry::of).collect(),
        blind: blind_entries(checked),
        findings: entries(&observation.findings),
        muted: entries(&observation.muted),
        over: checked
            .ended
            .iter()
            .map(|over| EndedFindingEntry::of(over, observation.time, words))
            .collect(),
    };
    write_escaped(&document, out)?;
    writeln!(out)
}

fn round_to_tenths(length: Duration) -> f64 {
    (length.as_secs_f64() * 10.0).round() / 10.0
}

/// Returns a past time by the wall clock.
fn past_timestamp(then: Timestamp, now: Time) -> String {
    let age = u64::try_from(then.age(now.timestamp()).as_millis()).unwrap_or(0);
    timestamp(now.wall_ms.saturating_sub(age))
}

fn blind_entries(checked: &CheckResult<'_>) -> Vec<BlindEntry> {
    let blind = checked
        .observation
        .inactive_rules
        .iter()
        .map(|blind| BlindEntry {
            rule: blind.rule.key(),
            lacks: blind.missing.word(),
            needs_s: None,
        });
    let unripe = checked.pending_rules.iter().map(|each| BlindEntry {
        rule: each.rule.key(),
        lacks: "time",
        needs_s: Some(each.required.as_secs_f64()),
    });
    blind.chain(unripe).collect()
}

impl EndedFindingEntry {
    fn of(over: &EndedFinding, now: Time, words: &Catalogue) -> Self {
        Self {
            entry: FindingEntry::of(&over.finding, now, words),
            until: past_timestamp(over.ended_at, now),
        }
    }
}

impl FindingEntry {
    fn of(finding: &Finding, now: Time, words: &Catalogue) -> Self {
        let said = describe(finding, words);
        let facts = finding.evidence.facts();
        let theirs = match RuleId::from_finding(finding) {
            RuleId::Builtin(_) => None,
            RuleId::User(name) => Some(name),
        };
        Self {
            rule: finding.evidence.rule().key(),
            name: theirs.as_ref().map(lossy_string),
            name_bytes: theirs.as_ref().and_then(non_utf8_hex),
            severity: finding.severity.word(),
            since: past_timestamp(finding.since, now),
            process: finding.process.as_deref().map(ProcessEntry::of),
            workers: finding
                .holder
                .workers
                .iter()
                .map(|each| ProcessEntry::of(each))
                .collect(),
            unseen: finding.holder.unknown.map(|unseen| HiddenHolderEntry {
                reason: unseen.reason.key(),
                uid: unseen.uid,
                port: unseen.port,
                opened_by_unit: finding
                    .holder
                    .opener
                    .as_ref()
                    .map(|unit| lossy_string(unit.text())),
            }),
            evidence: facts
                .iter()
                .map(|(name, fact)| ((*name).to_owned(), fact_value(fact)))
                .collect(),
            words: FindingTexts {
                title: said.title,
                line: said.line,
                evidence: said.evidence,
                otherwise: said.alternatives,
                next: said.advice,
            },
        }
    }
}

impl ProcessEntry {
    fn of(process: &Process) -> Self {
        let exe = process.exe.as_ref().map(Program::display_path);
        Self {
            pid: process.pid,
            name: lossy_string(&process.name),
            name_bytes: non_utf8_hex(&process.name),
            exe: exe.as_ref().map(lossy_string),
            exe_bytes: exe
                .filter(|exe| !is_utf8(exe))
                .as_ref()
                .and_then(non_utf8_hex),
            state: process.run_state.key(),
            descriptors: process.open_files.map(|files| OpenFilesEntry {
                open: files.open,
                limit: files.limit,
            }),
        }
    }
}

/// A fact with its unit; null if the kernel does not report it.
fn fact_value(fact: &Fact) -> Value {
    match fact {
        Fact::Unknown => Value::Null,
        Fact::Count(count) => json!({"value": count, "unit": "count"}),
        Fact::Ratio(part, whole) => {
            json!({"value": part.saturating_mul(100) / (*whole).max(1), "unit": "percent"})
        }
        Fact::Duration(time) => json!({"value": time.as_secs_f64(), "unit": "s"}),
        Fact::MinDuration(time) => {
            json!({"value": time.as_secs_f64(), "unit": "s", "at_least": true})
        }
        Fact::Uid(uid) => json!({"value": uid, "unit": "uid"}),
        Fact::Port(port) => json!({"value": port, "unit": "port"}),
        Fact::Host(address) => json!({"value": address.to_string(), "unit": "address"}),
        Fact::Endpoint(end) => json!({"value": end.to_string(), "unit": "endpoint"}),
        Fact::Endpoints(ends) => {
            let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
            json!({"value": ends, "unit": "endpoint"})
        }
        Fact::Texts(texts) => {
            let texts: Vec<String> = texts.iter().map(lossy_string).collect();
            json!({"value": texts, "unit": "text"})
        }
        Fact::Text(text) => match non_utf8_hex(text) {
            None => json!({"value": lossy_string(text), "unit": "text"}),
            Some(bytes) => {
                json!({"value": lossy_string(text), "value_bytes": bytes, "unit": "text"})
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::evidence::Evidence;
    use crate::model::finding::FindingHolder;
    use crate::model::finding::{InactiveRule, MissingInput, Rule};
    use crate::model::observation::Observation;
    use crate::model::text::Text;
    use crate::report::check_result::PendingRule;
    use crate::report::coverage::Coverage;
    use std::sync::Arc;

    #[test]
    fn non_utf8_names_are_added_in_hexadecimal() {
        let odd = Text::new(b"a\xff");
        let owner = ProcessEntry::of(&Process {
            name: odd.clone(),
            ..Process::default()
        });
        assert_eq!(owner.name_bytes.as_deref(), Some("61ff"));
        let fact = fact_value(&Fact::Text(odd));
        assert_eq!(fact["value_bytes"], json!("61ff"));
        let plain = fact_value(&Fact::Text(Text::from("a")));
        assert_eq!(plain, json!({"value": "a", "unit": "text"}));
    }

    #[test]
    fn a_finding_has_its_facts_with_units_and_its_words() {
        let finding = Finding {
            severity: Severity::Warning,
            since: Timestamp(500),
            clearing_since: None,
            holder: FindingHolder::default(),
            process: Some(Arc::new(Process {
                pid: 812,
                name: Text::from("app"),
                ..Process::default()
            })),
            evidence: Evidence::FailedConnects {
                process: None,
                failed: 30,
                attempted: 40,
                window: Duration::from_secs(10),
            },
        };
        let observation = Observation {
            time: Time {
                wall_ms: 1_795_341_600_000,
                monotonic_ms: 8000,
            },
            findings: vec![finding.clone()],
            inactive_rules: vec![InactiveRule {
                rule: Rule::AcceptQueue,
                missing: MissingInput::Backlog,
            }],
            ..Observation::default()
        };
        let mut coverage = Coverage::default();
        for at in 0..=15 {
            coverage.add_table(Duration::from_secs(at), 0);
        }
        coverage.add_failure();
        let checked = CheckResult {
            observation: &observation,
            ended: &[EndedFinding {
                finding,
                ended_at: Timestamp(600),
            }],
            highest_severity: Some(Severity::Warning),
            watched: Duration::from_secs(15),
            requested: Duration::from_secs(15),
            coverage,
            pending_rules: vec![PendingRule {
                rule: Rule::CloseWait,
                required: Duration::from_mins(1),
            }],
            fail_on: Severity::Warning,
        };
        let mut out = Vec::new();
        write(&checked, Catalogue::of(Language::English), &mut out).unwrap();
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["schema"], json!(1));
        assert_eq!(
            (&value["failed"], &value["watched_s"]),
            (&json!(true), &json!(15.0))
        );
        let found = &value["findings"][0];
        assert_eq!(found["rule"], json!("failed_connects"));
        assert_eq!(found["since"], json!("2026-11-22T09:59:57Z"));
        let process = json!({"pid": 812, "name": "app", "exe": null});
        assert_eq!(found["process"], process);
        let evidence = json!({
            "failed": {"value": 30, "unit": "count"},
            "tried": {"value": 40, "unit": "count"},
            "percent": {"value": 75, "unit": "percent"},
            "window": {"value": 10.0, "unit": "s"},
        });
        assert_eq!(found["evidence"], evidence);
        assert!(found["words"]["line"].as_str().unwrap().contains("30"));
        assert_eq!(value["muted"], json!([]));
        let blind = json!([
            {"rule": "accept_queue", "lacks": "backlog"},
            {"rule": "close_wait", "lacks": "time", "needs_s": 60.0},
        ]);
        assert_eq!(value["blind"], blind);
        assert_eq!(value["state"], json!("warning"));
        assert_eq!(value["shortfall"], json!(null));
        assert_eq!(
            (&value["tables"], &value["unread_tables"]),
            (&json!(16), &json!(1))
        );
        assert_eq!(value["over"][0]["rule"], json!("failed_connects"));
        assert_eq!(value["over"][0]["until"], json!("2026-11-22T09:59:58Z"));
    }
}
