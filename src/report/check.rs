//! What a check found, as text for people and as the one line that monitoring
//! systems take.

use crate::explain::catalogue::Catalogue;
use crate::explain::findings::describe;
use crate::explain::lengths::length;
use crate::explain::sentence::fill;
use crate::model::finding::{Finding, Severity};
use crate::model::gap::GapKind;
use crate::model::observation::Observation;
use std::io::{self, Write};
use std::time::Duration;

/// So many findings are told in one line.
const TOLD: usize = 3;
/// Where the texts beside the labels begin.
const INDENT: usize = 12;

/// What was watched, and what would be bad news.
pub struct Checked<'a> {
    /// The last table.
    pub observation: &'a Observation,
    /// How long was watched.
    pub watched: Duration,
    /// From here on a finding is bad news.
    pub level: Severity,
}

impl Checked<'_> {
    /// Whether something was found that is bad news.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        let mut findings = self.observation.findings.iter();
        findings.any(|finding| finding.severity >= self.level)
    }

    /// How many findings there are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.observation.findings.iter();
        findings.filter(|each| each.severity == severity).count()
    }
}

/// Writes findings as text, with evidence and what to check next.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    checked: &Checked<'_>,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}", summary(checked, words))?;
    for finding in &checked.observation.findings {
        write_finding(finding, checked, words, width, out)?;
    }
    for finding in &checked.observation.muted {
        let label = words.screen("check", "muted_label");
        let line = describe(finding, words).line;
        writeln!(out)?;
        wrapped(label, &line, width, out)?;
    }
    Ok(())
}

fn summary(checked: &Checked<'_>, words: &Catalogue) -> String {
    let findings = &checked.observation.findings;
    let name = match findings.len() {
        0 => "none",
        1 => "one",
        _ => "several",
    };
    let told = fill(words.screen("check", name), |place| {
        Some(match place {
            "time" => length(checked.watched),
            "info" => checked.count(Severity::Info).to_string(),
            "warn" => checked.count(Severity::Warn).to_string(),
            "alarm" => checked.count(Severity::Alarm).to_string(),
            "sockets" => checked.observation.tally.total().to_string(),
            _ => findings.len().to_string(),
        })
    });
    let mut told = told.unwrap_or_default();
    let muted = checked.observation.muted.len();
    if muted > 0 {
        let muted = fill(words.screen("check", "muted"), |_| Some(muted.to_string()));
        told.push_str(&muted.unwrap_or_default());
    }
    told
}

fn write_finding(
    finding: &Finding,
    checked: &Checked<'_>,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let said = describe(finding, words);
    let label = |name: &str| words.screen("findings", name);
    let age = finding.since.age(checked.observation.time.stamp());
    let since = fill(label("ago"), |_| Some(length(age))).unwrap_or_default();
    writeln!(out)?;
    wrapped(finding.severity.word(), &said.line, width, out)?;
    wrapped(label("since"), &since, width, out)?;
    let owner = finding.process.as_ref();
    if let Some(exe) = owner.and_then(|owner| owner.exe.as_ref()) {
        wrapped(label("program"), exe.marked().as_str(), width, out)?;
    }
    for (name, text) in [
        ("evidence", &said.evidence),
        ("else", &said.otherwise),
        ("next", &said.next),
    ] {
        wrapped(label(name), text, width, out)?;
    }
    Ok(())
}

fn wrapped(label: &str, text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut head = label;
    for line in textwrap::wrap(text, width.saturating_sub(INDENT).max(20)) {
        writeln!(out, "{head:INDENT$}{line}")?;
        head = "";
    }
    Ok(())
}

/// Writes one line in the form of the monitoring plugins: state, a few findings,
/// and after the bar the numbers.
///
/// # Errors
///
/// Those of the writer.
pub fn write_line(checked: &Checked<'_>, words: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    let state = if checked.is_bad() { "WARNING" } else { "OK" };
    let findings = &checked.observation.findings;
    let told: Vec<String> = findings
        .iter()
        .take(TOLD)
        .map(|finding| describe(finding, words).line)
        .collect();
    let what = match findings.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let colon = if findings.is_empty() { "" } else { ": " };
    let more = if findings.len() > TOLD { "; …" } else { "" };
    // Behind the bar come numbers.
    let told = format!("{what}{colon}{}{more}", told.join("; ")).replace('|', "/");
    writeln!(
        out,
        "TCPLENS {state} - {told} | findings={};; alarm={};; warn={};; info={};; muted={};; sockets={};; hidden={};;",
        findings.len(),
        checked.count(Severity::Alarm),
        checked.count(Severity::Warn),
        checked.count(Severity::Info),
        checked.observation.muted.len(),
        checked.observation.tally.total(),
        hidden(checked.observation),
    )
}

/// How many sockets have an owner that may not be seen: what rules about programs
/// overlook.
fn hidden(observation: &Observation) -> u64 {
    let gaps = observation.gaps.iter();
    gaps.filter(|gap| gap.kind == GapKind::OwnersHidden)
        .map(|gap| gap.count)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::evidence::{Evidence, Group, Tripped};
    use crate::model::text::Text;
    use crate::model::time::Stamp;

    fn finding(severity: Severity, words: &str) -> Finding {
        Finding {
            severity,
            since: Stamp(0),
            process: None,
            evidence: Evidence::UserRule(Tripped {
                name: Text::from("mine"),
                words: Some(Text::from(words)),
                filter: Text::from("tcp"),
                group: Group::All,
                now: 9,
                count: 9,
                limit: 5,
                within: None,
            }),
        }
    }

    fn line(findings: Vec<Finding>, level: Severity) -> String {
        let observation = Observation {
            findings,
            muted: vec![finding(Severity::Alarm, "muted")],
            ..Observation::default()
        };
        let checked = Checked {
            observation: &observation,
            watched: Duration::from_secs(15),
            level,
        };
        let mut out = Vec::new();
        write_line(&checked, Catalogue::of(Language::English), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_line_says_how_it_stands_and_the_numbers() {
        let none = "TCPLENS OK - 0 findings | findings=0;; alarm=0;; warn=0;; info=0;; muted=1;; sockets=0;; hidden=0;;\n";
        assert_eq!(line(Vec::new(), Severity::Info), none);
        let found = || vec![finding(Severity::Warn, "{count} | {limit}")];
        let warned = "TCPLENS WARNING - 1 finding: 9 / 5 | findings=1;; alarm=0;; warn=1;; info=0;; muted=1;; sockets=0;; hidden=0;;\n";
        assert_eq!(line(found(), Severity::Warn), warned);
        assert!(line(found(), Severity::Alarm).starts_with("TCPLENS OK - 1 finding"));
        let many = line(vec![finding(Severity::Info, "x"); 5], Severity::Info);
        assert!(
            many.contains("5 findings: x; x; x; … | findings=5;;"),
            "{many}"
        );
    }
}
