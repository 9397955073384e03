//! Result of a check, as text for people and as the one line for monitoring
//! systems.

use super::check_result::{CheckResult, EndedFinding};
use super::coverage::Shortfall;
use crate::explain::catalogue::Catalogue;
use crate::explain::findings::describe;
use crate::explain::program::program_text;
use crate::explain::template::render;
use crate::listing::{Align, pad, wrap};
use crate::model::finding::{Finding, Severity};
use crate::model::gap::GapKind;
use crate::model::observation::Observation;
use std::io::{self, Write};

/// Largest number of findings in the one line.
const MAX_LISTED: usize = 3;
/// Column of the texts beside the labels.
const INDENT: usize = 12;

/// Writes findings as text, with evidence and the next checks.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    checked: &CheckResult<'_>,
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
        write_labelled(label, &line, width, out)?;
    }
    for over in checked.ended {
        writeln!(out)?;
        let label = words.screen("check", "over_label");
        write_labelled(label, &ended_text(over, checked, words), width, out)?;
    }
    write_unjudged(checked, words, width, out)
}

/// Text of an ended finding, in one line.
fn ended_text(over: &EndedFinding, checked: &CheckResult<'_>, words: &Catalogue) -> String {
    let EndedFinding {
        finding,
        ended_at: until,
    } = over;
    let ago = until.age(checked.observation.time.timestamp());
    let told = render(words.screen("check", "over"), |place| {
        Some(match place {
            "severity" => severity_text(finding, words).to_owned(),
            "ago" => words.duration_text(ago),
            "lasted" => words.duration_text(finding.since.age(*until)),
            _ => describe(finding, words).line,
        })
    });
    told.unwrap_or_default()
}

/// Writes the parts without a result: rules without data or with too little
/// time, and tables that could not be read.
fn write_unjudged(
    checked: &CheckResult<'_>,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let blind = checked.observation.inactive_rules.iter();
    let blind = blind.map(|blind| words.with_note(blind.rule.key(), blind.missing.word()));
    let unripe = checked.pending_rules.iter();
    let unripe =
        unripe.map(|each| words.with_note(each.rule.key(), &words.duration_text(each.required)));
    let failed = checked.coverage.failed;
    let unread = (failed > 0).then(|| failed.to_string());
    for (name, all) in [
        ("blind", blind.collect::<Vec<_>>()),
        ("unripe", unripe.collect()),
        ("unread", unread.into_iter().collect()),
    ] {
        if !all.is_empty() {
            let told = render(words.screen("check", name), |_| Some(words.join_list(&all)));
            writeln!(out)?;
            let label = words.screen("check", "unjudged_label");
            write_labelled(label, &told.unwrap_or_default(), width, out)?;
        }
    }
    Ok(())
}

fn summary(checked: &CheckResult<'_>, words: &Catalogue) -> String {
    let findings = &checked.observation.findings;
    let name = match findings.len() {
        0 => "none",
        1 => "one",
        _ => "several",
    };
    let told = render(words.screen("check", name), |place| {
        Some(match place {
            "time" => words.duration_text(checked.watched),
            "info" => checked.count(Severity::Info).to_string(),
            "warn" => checked.count(Severity::Warning).to_string(),
            "alarm" => checked.count(Severity::Critical).to_string(),
            "sockets" => checked.observation.state_counts.total().to_string(),
            _ => findings.len().to_string(),
        })
    });
    let mut told = told.unwrap_or_default();
    let muted = checked.observation.muted.len();
    if muted > 0 {
        let muted = render(words.screen("check", "muted"), |_| Some(muted.to_string()));
        told.push_str(&muted.unwrap_or_default());
    }
    if let Some(shortfall) = checked.shortfall() {
        let reason = shortfall_text(shortfall, shortfall.key(), checked, words);
        let lacking = render(words.screen("check", "lacking"), |_| Some(reason.clone()));
        told.push_str(&lacking.unwrap_or_default());
    }
    told
}

/// Reason for incomplete coverage, by its key.
fn shortfall_text(
    shortfall: Shortfall,
    key: &str,
    checked: &CheckResult<'_>,
    words: &Catalogue,
) -> String {
    let told = render(words.screen("check", key), |place| {
        Some(match (place, shortfall) {
            ("read", Shortfall::FewTables { read, .. }) => read.to_string(),
            ("due", Shortfall::FewTables { due, .. }) => due.to_string(),
            ("longest", Shortfall::Gaps { longest }) => words.duration_text(longest),
            ("processes", Shortfall::OwnersUnread { processes }) => processes.to_string(),
            ("watched", _) => words.duration_text(checked.watched),
            ("wanted", _) => words.duration_text(checked.requested),
            _ => return None,
        })
    });
    told.unwrap_or_default()
}

/// The reason in one line, before the findings.
fn shortfall_prefix(checked: &CheckResult<'_>, words: &Catalogue) -> Option<String> {
    let shortfall = checked.shortfall()?;
    let key = match shortfall {
        Shortfall::EndedEarly => "line_ended_early",
        other => other.key(),
    };
    let reason = shortfall_text(shortfall, key, checked, words);
    render(words.screen("check", "line_lacking"), |_| {
        Some(reason.clone())
    })
}

fn write_finding(
    finding: &Finding,
    checked: &CheckResult<'_>,
    words: &Catalogue,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let said = describe(finding, words);
    let label = |name: &str| words.screen("findings", name);
    let age = finding.since.age(checked.observation.time.timestamp());
    let since = render(label("ago"), |_| Some(words.duration_text(age))).unwrap_or_default();
    writeln!(out)?;
    write_labelled(severity_text(finding, words), &said.line, width, out)?;
    write_labelled(label("since"), &since, width, out)?;
    let owner = finding.process.as_ref();
    if let Some(exe) = owner.and_then(|owner| owner.exe.as_ref()) {
        write_labelled(label("program"), &program_text(exe, words), width, out)?;
    }
    for (name, text) in [
        ("evidence", &said.evidence),
        ("else", &said.alternatives),
        ("next", &said.advice),
    ] {
        write_labelled(label(name), text, width, out)?;
    }
    Ok(())
}

/// Name of the severity.
fn severity_text<'w>(finding: &Finding, words: &'w Catalogue) -> &'w str {
    words.screen("check", finding.severity.word())
}

fn write_labelled(label: &str, text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut head = label;
    for line in wrap(text, width.saturating_sub(INDENT).max(20)) {
        writeln!(out, "{}{line}", pad(head, INDENT, Align::Left))?;
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
pub fn write_line(
    checked: &CheckResult<'_>,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdict = checked.status();
    let state = verdict.word().to_ascii_uppercase();
    let findings = &checked.observation.findings;
    let told: Vec<String> = findings
        .iter()
        .take(MAX_LISTED)
        .map(|finding| describe(finding, words).line)
        .collect();
    let what = match findings.len() {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let colon = if findings.is_empty() { "" } else { ": " };
    let more = if findings.len() > MAX_LISTED {
        "; …"
    } else {
        ""
    };
    let over = match checked.ended.len() {
        0 => String::new(),
        count => format!(", {count} over"),
    };
    let lacking = shortfall_prefix(checked, words).unwrap_or_default();
    // Numbers follow the bar.
    let told = format!("{lacking}{what}{over}{colon}{}{more}", told.join("; ")).replace('|', "/");
    writeln!(
        out,
        "TCPLENS {state} - {told} | findings={};; alarm={};; warn={};; info={};; muted={};; sockets={};; hidden={};; over={};; blind={};; watched={:.0}s;; tables={};;",
        findings.len(),
        checked.count(Severity::Critical),
        checked.count(Severity::Warning),
        checked.count(Severity::Info),
        checked.observation.muted.len(),
        checked.observation.state_counts.total(),
        hidden_owners(checked.observation),
        checked.ended.len(),
        checked.observation.inactive_rules.len() + checked.pending_rules.len(),
        checked.watched.as_secs_f64(),
        checked.coverage.tables,
    )
}

/// Number of sockets with a hidden owner, which rules about programs miss.
fn hidden_owners(observation: &Observation) -> u64 {
    let gaps = observation.gaps.iter();
    gaps.filter(|gap| gap.kind == GapKind::OwnersHidden)
        .map(|gap| gap.count)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::check_result::PendingRule;
    use super::super::coverage::Coverage;
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::evidence::{Evidence, UserRuleEvidence, UserRuleGroup};
    use crate::model::finding::FindingHolder;
    use crate::model::finding::{InactiveRule, MissingInput, Rule};
    use crate::model::text::Text;
    use crate::model::time::{Time, Timestamp};
    use crate::monitor::Thresholds;
    use std::time::Duration;

    fn finding(severity: Severity, words: &str) -> Finding {
        Finding {
            severity,
            since: Timestamp(0),
            clearing_since: None,
            holder: FindingHolder::default(),
            process: None,
            evidence: Evidence::UserRule(UserRuleEvidence {
                name: Text::from("mine"),
                message: Some(Text::from(words)),
                filter: Text::from("tcp"),
                group: UserRuleGroup::All,
                current: 9,
                count: 9,
                limit: 5,
                window: None,
            }),
        }
    }

    fn line(findings: Vec<Finding>, level: Severity) -> String {
        let observation = Observation {
            findings,
            muted: vec![finding(Severity::Critical, "muted")],
            ..Observation::default()
        };
        one_line(&checked(&observation, &[], level))
    }

    fn checked<'a>(
        observation: &'a Observation,
        over: &'a [EndedFinding],
        level: Severity,
    ) -> CheckResult<'a> {
        let standing = observation.findings.iter();
        let all = standing.chain(over.iter().map(|over| &over.finding));
        CheckResult {
            observation,
            ended: over,
            highest_severity: all.map(|finding| finding.severity).max(),
            watched: Duration::from_secs(15),
            requested: Duration::from_secs(15),
            coverage: full_coverage(),
            pending_rules: Vec::new(),
            fail_on: level,
        }
    }

    /// A table each second.
    fn full_coverage() -> Coverage {
        let mut coverage = Coverage::default();
        for at in 0..=15 {
            coverage.add_table(Duration::from_secs(at), 0);
        }
        coverage
    }

    fn one_line(checked: &CheckResult<'_>) -> String {
        let mut out = Vec::new();
        write_line(checked, Catalogue::of(Language::English), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text(checked: &CheckResult<'_>) -> String {
        let mut out = Vec::new();
        write(checked, Catalogue::of(Language::English), 200, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn unjudged_rules_are_reported() {
        let observation = Observation {
            inactive_rules: vec![InactiveRule {
                rule: Rule::AcceptQueue,
                missing: MissingInput::Backlog,
            }],
            ..Observation::default()
        };
        let mut checked = checked(&observation, &[], Severity::Warning);
        checked.pending_rules = PendingRule::pending_after(checked.watched, &Thresholds::default());
        checked.coverage.failed = 3;
        checked.requested = Duration::from_mins(1);
        let said = one_line(&checked);
        let begin = "TCPLENS UNKNOWN - watched 15 s of 1 min, 0 findings |";
        assert!(said.starts_with(begin), "{said}");
        assert!(
            said.ends_with("over=0;; blind=6;; watched=15s;; tables=16;;\n"),
            "{said}"
        );
        let said = text(&checked);
        for part in [
            "in 15 s, ended early: 1 min were to be watched\n",
            "accept_queue (backlog)",
            "close_wait (1 min), fin_wait_2 (1 min), deadlock (30 s), peer_not_reading (30 s)",
            "could not be read: 3",
        ] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
    }

    #[test]
    fn the_first_line_says_why_nothing_is_known() {
        let observation = Observation::default();
        let mut checked = checked(&observation, &[], Severity::Warning);
        let second = Duration::from_secs;
        let mut few = Coverage::default();
        few.add_table(second(0), 0);
        few.add_table(second(17), 0);
        let mut stopped = full_coverage();
        stopped.end(second(26));
        let mut owners = Coverage::default();
        for at in 0..=15 {
            owners.add_table(second(at), 150);
        }
        for (coverage, reason) in [
            (few, "only 2 of 16 tables were read"),
            (stopped, "no table was read for 11 s"),
            (owners, "processes not searched for owners in time: 150"),
        ] {
            checked.coverage = coverage;
            let line = one_line(&checked);
            let begin = format!("TCPLENS UNKNOWN - {reason}, 0 findings | findings=0;;");
            assert!(line.starts_with(&begin), "{line}");
            let said = text(&checked);
            let first = said.lines().next().unwrap();
            assert!(first.ends_with(&format!(" in 15 s, {reason}")), "{first}");
        }
        // Findings keep their severity.
        checked.highest_severity = Some(Severity::Critical);
        let line = one_line(&checked);
        assert!(
            line.starts_with("TCPLENS CRITICAL - processes not"),
            "{line}"
        );
    }

    #[test]
    fn ended_findings_are_reported_and_count() {
        let over = [EndedFinding {
            finding: finding(Severity::Critical, "x"),
            ended_at: Timestamp(400),
        }];
        let observation = Observation {
            time: Time {
                wall_ms: 0,
                monotonic_ms: 9000,
            },
            ..Observation::default()
        };
        let checked = checked(&observation, &over, Severity::Critical);
        let said = one_line(&checked);
        assert!(
            said.starts_with("TCPLENS CRITICAL - 0 findings, 1 over |"),
            "{said}"
        );
        let said = text(&checked);
        assert!(said.contains("alarm, 5 s ago, after 4 s: x"), "{said}");
    }

    #[test]
    fn one_line_says_how_it_stands_and_the_numbers() {
        let none = "TCPLENS OK - 0 findings | findings=0;; alarm=0;; warn=0;; info=0;; muted=1;; sockets=0;; hidden=0;; over=0;; blind=0;; watched=15s;; tables=16;;\n";
        assert_eq!(line(Vec::new(), Severity::Info), none);
        let found = || vec![finding(Severity::Warning, "{count} | {limit}")];
        let warned = "TCPLENS WARNING - 1 finding: 9 / 5 | findings=1;; alarm=0;; warn=1;; info=0;; muted=1;; sockets=0;; hidden=0;; over=0;; blind=0;; watched=15s;; tables=16;;\n";
        assert_eq!(line(found(), Severity::Warning), warned);
        assert!(line(found(), Severity::Critical).starts_with("TCPLENS OK - 1 finding"));
        let many = line(vec![finding(Severity::Info, "x"); 5], Severity::Info);
        assert!(
            many.contains("5 findings: x; x; x; … | findings=5;;"),
            "{many}"
        );
    }
}
