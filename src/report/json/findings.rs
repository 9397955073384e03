//! Findings in the JSON contract: what `check --json` writes.

use super::entry::{GapEntry, is_utf8, lossy, timestamp, twin};
use super::{SCHEMA, write_guarded};
use crate::explain::catalogue::Catalogue;
use crate::explain::findings::describe;
use crate::model::evidence::Fact;
use crate::model::finding::{Finding, Severity};
use crate::model::mute::RuleName;
use crate::model::process::{Process, Program};
use crate::model::time::Time;
use crate::report::check::Checked;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    tool: &'a str,
    host: String,
    taken_at: String,
    source: &'a str,
    watched_s: f64,
    fail_on: &'a str,
    failed: bool,
    counts: Counts,
    gaps: Vec<GapEntry>,
    findings: Vec<Entry>,
    muted: Vec<Entry>,
}

#[derive(Serialize)]
struct Counts {
    sockets: u32,
    alarm: usize,
    warn: usize,
    info: usize,
    muted: usize,
}

#[derive(Serialize)]
struct Entry {
    rule: &'static str,
    /// The name of a person's own rule.
    name: Option<String>,
    severity: &'static str,
    since: String,
    process: Option<Owner>,
    evidence: Map<String, Value>,
    words: Words,
}

#[derive(Serialize)]
struct Owner {
    pid: u32,
    name: String,
    exe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exe_bytes: Option<String>,
}

#[derive(Serialize)]
struct Words {
    title: String,
    line: String,
    evidence: String,
    #[serde(rename = "else")]
    otherwise: String,
    next: String,
}

/// Writes what a check found.
///
/// # Errors
///
/// Those of the writer.
pub fn write(checked: &Checked<'_>, words: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    let observation = checked.observation;
    let entries = |findings: &[Finding]| {
        let each = findings.iter();
        each.map(|finding| Entry::of(finding, observation.time, words))
            .collect()
    };
    let document = Document {
        schema: SCHEMA,
        tool: concat!("tcplens ", env!("CARGO_PKG_VERSION")),
        host: lossy(&observation.host),
        taken_at: timestamp(observation.time.wall_ms),
        source: observation.source.word(),
        watched_s: (checked.watched.as_secs_f64() * 10.0).round() / 10.0,
        fail_on: checked.level.word(),
        failed: checked.is_bad(),
        counts: Counts {
            sockets: observation.tally.total(),
            alarm: checked.count(Severity::Alarm),
            warn: checked.count(Severity::Warn),
            info: checked.count(Severity::Info),
            muted: observation.muted.len(),
        },
        gaps: observation.gaps.iter().map(GapEntry::of).collect(),
        findings: entries(&observation.findings),
        muted: entries(&observation.muted),
    };
    write_guarded(&document, out)?;
    writeln!(out)
}

impl Entry {
    fn of(finding: &Finding, now: Time, words: &Catalogue) -> Self {
        let said = describe(finding, words);
        let age = finding.since.age(now.stamp()).as_millis();
        let since = now.wall_ms.saturating_sub(u64::try_from(age).unwrap_or(0));
        let facts = finding.evidence.facts();
        Self {
            rule: finding.evidence.rule().key(),
            name: match RuleName::of(finding) {
                RuleName::Own(_) => None,
                RuleName::Theirs(name) => Some(lossy(&name)),
            },
            severity: finding.severity.word(),
            since: timestamp(since),
            process: finding.process.as_deref().map(Owner::of),
            evidence: facts
                .iter()
                .map(|(name, fact)| ((*name).to_owned(), value(fact)))
                .collect(),
            words: Words {
                title: said.title,
                line: said.line,
                evidence: said.evidence,
                otherwise: said.otherwise,
                next: said.next,
            },
        }
    }
}

impl Owner {
    fn of(process: &Process) -> Self {
        let exe = process.exe.as_ref().map(Program::marked);
        Self {
            pid: process.pid,
            name: lossy(&process.name),
            exe: exe.as_ref().map(lossy),
            exe_bytes: exe.filter(|exe| !is_utf8(exe)).as_ref().and_then(twin),
        }
    }
}

/// A fact with its unit; what the kernel does not tell is null.
fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Unknown => Value::Null,
        Fact::Count(count) => json!({"value": count, "unit": "count"}),
        Fact::Share(part, whole) => {
            json!({"value": part.saturating_mul(100) / (*whole).max(1), "unit": "percent"})
        }
        Fact::Length(time) => json!({"value": time.as_secs_f64(), "unit": "s"}),
        Fact::Port(port) => json!({"value": port, "unit": "port"}),
        Fact::Host(address) => json!({"value": address.to_string(), "unit": "address"}),
        Fact::Endpoint(end) => json!({"value": end.to_string(), "unit": "endpoint"}),
        Fact::Endpoints(ends) => {
            let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
            json!({"value": ends, "unit": "endpoint"})
        }
        Fact::Text(text) => json!({"value": lossy(text), "unit": "text"}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::evidence::Evidence;
    use crate::model::observation::Observation;
    use crate::model::text::Text;
    use crate::model::time::Stamp;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_finding_has_its_facts_with_units_and_its_words() {
        let finding = Finding {
            severity: Severity::Warn,
            since: Stamp(500),
            process: Some(Arc::new(Process {
                pid: 812,
                name: Text::from("app"),
                ..Process::default()
            })),
            evidence: Evidence::FailedConnects {
                failed: 30,
                tried: 40,
                window: Duration::from_secs(10),
            },
        };
        let observation = Observation {
            time: Time {
                wall_ms: 1_795_341_600_000,
                monotonic_ms: 8000,
            },
            findings: vec![finding],
            ..Observation::default()
        };
        let checked = Checked {
            observation: &observation,
            watched: Duration::from_secs(15),
            level: Severity::Warn,
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
    }
}
