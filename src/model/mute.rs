//! Muted findings.

use super::evidence::Evidence;
use super::finding::{Finding, Rule};
use super::process::Program;
use super::text::{Text, is_deceptive};
use std::fmt::{self, Write as _};

/// Id of a rule, as users name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleId {
    /// A built-in rule.
    Builtin(Rule),
    /// A user rule, by its name.
    User(Text),
}

impl RuleId {
    /// Returns the id of a finding's rule.
    #[must_use]
    pub fn from_finding(finding: &Finding) -> Self {
        match &finding.evidence {
            Evidence::UserRule(tripped) => Self::User(tripped.name.clone()),
            other => Self::Builtin(other.rule()),
        }
    }

    fn to_text(&self) -> Text {
        match self {
            Self::Builtin(rule) => Text::from(rule.key()),
            Self::User(name) => name.clone(),
        }
    }

    /// The id as written in settings and reports.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Builtin(rule) => rule.key(),
            Self::User(name) => name.as_str(),
        }
    }
}

/// Findings that are not reported as new: they are listed apart, and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mute {
    /// The muted rule.
    pub rule: RuleId,
    /// The muted program file; none for the whole rule.
    pub program: Option<Text>,
}

impl Mute {
    /// Returns the mute that covers a finding and no other program's. None if it
    /// would cover every program: the finding is about some program, and its file
    /// is unknown.
    #[must_use]
    pub fn for_finding(finding: &Finding) -> Option<Self> {
        let program = match &finding.process {
            // There are several programs.
            _ if matches!(finding.evidence, Evidence::SuspiciousPrograms(_)) => return None,
            None if concerns_a_program(&finding.evidence) => return None,
            None => None,
            Some(process) => Some(process.exe.as_ref()?.verified_path()?.clone()),
        };
        Some(Self {
            rule: RuleId::from_finding(finding),
            program,
        })
    }

    /// True if it covers a finding.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        let rule = match (&self.rule, &finding.evidence) {
            (RuleId::User(name), Evidence::UserRule(tripped)) => *name == tripped.name,
            (RuleId::Builtin(rule), evidence) => *rule == evidence.rule(),
            (RuleId::User(_), _) => false,
        };
        let is_of_many = matches!(finding.evidence, Evidence::SuspiciousPrograms(_));
        rule && self.program.as_ref().is_none_or(|muted| {
            if is_of_many {
                return false;
            }
            let process = finding.process.as_ref();
            let program = process.and_then(|process| process.exe.as_ref());
            let path = program.and_then(Program::verified_path);
            path.is_some_and(|path| path.matches_written(muted))
        })
    }
}

/// True if findings of this kind have a program, visible or not.
fn concerns_a_program(evidence: &Evidence) -> bool {
    matches!(
        evidence,
        Evidence::NewListener { .. }
            | Evidence::UnownedListener { .. }
            | Evidence::NotInBaseline(_)
            | Evidence::MissingListener(_)
            | Evidence::NotAccepting(_)
            | Evidence::AcceptQueue { .. }
            | Evidence::CloseWait(_)
            | Evidence::UdpDrops(_)
            | Evidence::Deadlock(_)
            | Evidence::SelfConnection(_)
            | Evidence::FinWait2(_)
            | Evidence::PeerNotReading(_)
            | Evidence::PeerNotReadingOrphans(_)
            | Evidence::ProgramNotReading(_)
    )
}

impl fmt::Display for Mute {
    /// Writes it in the form of the settings.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "[[mute]]\nrule = {}",
            quote_toml(&self.rule.to_text())
        )?;
        match &self.program {
            Some(program) => write!(formatter, "\nprogram = {}", quote_toml(program)),
            None => Ok(()),
        }
    }
}

/// Returns a text as a TOML string that reads back as the same and is safe to
/// show: characters that must not reach a terminal are escaped.
#[must_use]
pub fn quote_toml(text: &Text) -> String {
    let Ok(raw) = std::str::from_utf8(text.raw()) else {
        return quote_basic(text.as_str());
    };
    let mut written = String::from("\"");
    for character in raw.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            // Writing to a String cannot fail.
            _ if is_deceptive(character) => {
                let _ = write!(written, "\\U{:08X}", u32::from(character));
            }
            _ => written.push(character),
        }
    }
    written.push('"');
    written
}

/// Returns a text without control characters as a TOML or JSON string.
#[must_use]
pub fn quote_basic(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::finding::FindingHolder;
    use crate::model::finding::Severity;
    use crate::model::process::{Process, Program};
    use crate::model::time::Timestamp;
    use std::net::IpAddr;
    use std::sync::Arc;

    fn finding(program: Option<&str>) -> Finding {
        Finding {
            severity: Severity::Warning,
            since: Timestamp(0),
            clearing_since: None,
            holder: FindingHolder::default(),
            process: Some(Arc::new(Process {
                exe: program.map(Program::verified),
                ..Process::default()
            })),
            evidence: Evidence::Ipv6Silent {
                failed: 9,
                reached: 9,
            },
        }
    }

    #[test]
    fn a_mute_covers_its_rule_and_program_only() {
        let mute = Mute::for_finding(&finding(Some("/usr/bin/curl"))).unwrap();
        assert!(mute.covers(&finding(Some("/usr/bin/curl"))));
        assert!(!mute.covers(&finding(Some("/tmp/curl"))));
        assert!(!mute.covers(&finding(None)));
        let whole = Mute {
            program: None,
            ..mute.clone()
        };
        assert!(whole.covers(&finding(None)));
        let other = Mute {
            rule: RuleId::Builtin(Rule::Orphans),
            program: None,
        };
        assert!(!other.covers(&finding(None)));
    }

    #[test]
    fn finding_with_unknown_program_file_is_not_muted() {
        assert_eq!(Mute::for_finding(&finding(None)), None);
        let nobody = Finding {
            process: None,
            ..finding(None)
        };
        let mute = Mute::for_finding(&nobody).unwrap();
        assert!(mute.covers(&nobody) && mute.program.is_none());
        let hidden = Finding {
            evidence: Evidence::AcceptQueue {
                listener: Endpoint::new(IpAddr::from([0, 0, 0, 0]), 80),
                waiting: 9,
                backlog: 9,
                dropped: None,
                overflows: None,
                full: false,
            },
            ..nobody
        };
        assert_eq!(Mute::for_finding(&hidden), None);
    }
}
