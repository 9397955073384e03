//! Every finding in every output, as written for a user or a program.

use crate::app::findings_state::AlertOptions;
use crate::app::keys::Key;
use crate::app::message::Message;
use crate::app::{App, AppOptions};
use crate::explain::catalogue::{Catalogue, Language};
use crate::explain::findings::tests::all_findings;
use crate::explain::findings::{FindingText, describe};
use crate::filter::Filter;
use crate::listing::{self, QuickFilter, Sort};
use crate::model::action::AccessMode;
use crate::model::clipboard::Clipboard;
use crate::model::endpoint::Endpoint;
use crate::model::event::EventsMode;
use crate::model::evidence::{Evidence, Fact, UserRuleGroup};
use crate::model::finding::{Finding, Severity};
use crate::model::login_session::LoginSession;
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::refresh_mode::RefreshMode;
use crate::model::time::Time;
use crate::report::check_result::CheckResult;
use crate::report::coverage::Coverage;
use crate::report::{check, json};
use crate::view::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

/// Cells of a line of the screens on which each is drawn.
const WIDTHS: [u16; 2] = [80, 120];

/// Placeholder for an unknown number or name.
const UNKNOWN: char = '—';

fn observed(finding: &Finding) -> Observation {
    Observation {
        time: Time {
            wall_ms: 1_700_000_000_000,
            monotonic_ms: 100_000,
        },
        findings: vec![finding.clone()],
        ..Observation::default()
    }
}

fn app(finding: &Finding, words: &'static Catalogue) -> App {
    let choices = AppOptions {
        clipboard: Clipboard::default(),
        access_mode: AccessMode::Full,
        login_session: LoginSession::default(),
        alerts: AlertOptions::default(),
        ascii_only: false,
        events: EventsMode::default(),
        lab_mode: None,
        host_limits: None,
        scope: NamespaceScope::Current,
        filter: Filter::all(),
        quick_filter: QuickFilter::default(),
        sort: Sort::default(),
        numeric: false,
        refresh_mode: RefreshMode::Fixed(Duration::from_secs(1)),
    };
    let mut app = App::new(words, choices);
    app.update(Message::Observed(Arc::new(observed(finding))));
    app
}

/// The lines of a screen.
fn screen(app: &App, width: u16, height: u16) -> Vec<String> {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    crate::view::draw(app, Theme::default(), &mut buffer);
    let lines = buffer.content.chunks(width.into());
    let text = lines.map(|line| {
        // A wide character covers the next cell.
        let mut text = String::new();
        let mut covered = 0;
        for cell in line {
            if covered == 0 {
                text.push_str(cell.symbol());
                covered = listing::display_width(cell.symbol()).max(1);
            }
            covered -= 1;
        }
        text.trim_end().to_owned()
    });
    text.collect()
}

fn checked(observation: &Observation) -> CheckResult<'_> {
    let mut coverage = Coverage::default();
    for at in 0..=15 {
        coverage.add_table(Duration::from_secs(at), 0);
    }
    CheckResult {
        observation,
        ended: &[],
        highest_severity: observation.findings.first().map(|each| each.severity),
        watched: Duration::from_secs(15),
        requested: Duration::from_secs(15),
        coverage,
        pending_rules: Vec::new(),
        fail_on: Severity::Info,
    }
}

fn written(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Without any blanks, so that it does not matter where lines are broken.
fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Returns the texts that the line of a finding must contain: its process, or the known
/// facts of a hidden one; else its endpoint or rule. Empty if the finding concerns
/// everything, or nothing is known.
fn expected_names(finding: &Finding) -> Vec<String> {
    match &finding.evidence {
        Evidence::Ipv6Silent { .. }
        | Evidence::NetworkDown { .. }
        | Evidence::TimeWaitLimit { .. }
        | Evidence::Orphans { .. }
        | Evidence::FailedConnects { process: None, .. } => Vec::new(),
        Evidence::SuspiciousPrograms(programs) => vec![programs.names[0].to_string()],
        Evidence::UserRule(rule) if rule.group != UserRuleGroup::Process => {
            vec![rule.name.to_string()]
        }
        Evidence::SynFlood(half_open) => half_open.listener.iter().map(endpoint_text).collect(),
        Evidence::PeerNotReadingOrphans(still) => vec![still.peer.to_string()],
        Evidence::MissingListener(listener) => vec![listener.endpoint().to_string()],
        Evidence::UnownedListener { listener, uid } => {
            vec![format!("uid {uid}"), endpoint_text(listener)]
        }
        // The kernel's events report connects with their process.
        Evidence::FailedConnects { .. } if finding.process.is_none() => Vec::new(),
        // A hidden process is shown after the destination.
        Evidence::DeadDestination { destination, .. } if finding.process.is_none() => {
            vec![destination.to_string()]
        }
        // These findings name only a process.
        Evidence::Unacknowledged(silent) if finding.process.is_none() => {
            vec![silent.peer.to_string()]
        }
        Evidence::NewListener { listener, .. } if finding.process.is_none() => {
            vec![listener.to_string()]
        }
        Evidence::NotInBaseline(listener) if finding.process.is_none() => {
            vec![listener.endpoint().to_string()]
        }
        Evidence::LocalPorts(ports) if finding.process.is_none() => match ports.destination {
            Some(to) => vec![to.to_string()],
            None => vec![ports.local_address.to_string()],
        },
        _ => holder_names(finding).unwrap_or_default(),
    }
}

fn endpoint_text(end: &Endpoint) -> String {
    end.to_string()
}

/// The process of a finding, or user and port of one that is not seen.
fn holder_names(finding: &Finding) -> Option<Vec<String>> {
    if let Some(process) = &finding.process {
        return Some(vec![process.name.to_string()]);
    }
    let unseen = finding.holder.unknown?;
    let facts = finding.evidence.facts();
    let listener = facts.iter().find_map(|(name, fact)| match fact {
        Fact::Endpoint(end) if *name == "listener" => Some(endpoint_text(end)),
        _ => None,
    });
    let uid = unseen
        .uid
        .filter(|_| matches!(unseen.reason, NoOwnerReason::Hidden | NoOwnerReason::Kernel));
    let uid = uid.map(|uid| format!("uid {uid}"));
    let port = listener.or_else(|| Some(unseen.port?.to_string()));
    Some(uid.into_iter().chain(port).collect())
}

/// Counts the rendered outputs, and asserts that each is complete.
struct FindingOutputs {
    finding: Finding,
    texts: FindingText,
    rendered: usize,
}

impl FindingOutputs {
    /// Asserts that a text has all these parts, and no place that was left open.
    fn check(&mut self, output: &str, text: &str, parts: &[&str]) {
        let about = || format!("{output} of {:?}:\n{text}", self.finding);
        assert!(!text.trim().is_empty(), "{}", about());
        assert!(!text.contains(['{', '}']), "{}", about());
        let whole = without_blanks(text);
        for part in parts {
            assert!(
                whole.contains(&without_blanks(part)),
                "{part:?} in {}",
                about()
            );
        }
        for name in expected_names(&self.finding) {
            assert!(
                whole.contains(&without_blanks(&name)),
                "{name:?} in {}",
                about()
            );
        }
        self.rendered += 1;
    }

    fn all(&mut self, words: &'static Catalogue) {
        let said = self.texts.clone();
        assert!(!said.line.contains(UNKNOWN), "{:?} {said:?}", self.finding);
        let every = [
            said.line.as_str(),
            &said.evidence,
            &said.alternatives,
            &said.advice,
        ];
        let mut app = app(&self.finding, words);
        for width in WIDTHS {
            let lines = screen(&app, width, 12);
            let alert = lines.iter().find_map(|line| line.strip_prefix(" ▲ "));
            let alert = alert.unwrap_or_default().to_owned();
            let shown = alert.trim_end_matches('…').to_owned();
            assert!(said.line.starts_with(&shown), "{said:?} {alert}");
            self.check("alert line", &alert, &[]);
        }
        app.update(Message::Key(Key::Char('F')));
        for width in WIDTHS {
            let page = screen(&app, width, 80).join("\n");
            let mut parts = vec![said.title.as_str()];
            parts.extend(every);
            self.check("page", &page, &parts);
        }
        let observation = observed(&self.finding);
        let checked = checked(&observation);
        for width in WIDTHS {
            let text = written(|out| check::write(&checked, words, width.into(), out));
            self.check("check", &text, &every);
        }
        let line = written(|out| check::write_line(&checked, words, out));
        assert_eq!(line.lines().count(), 1, "{line}");
        self.check("check --oneline", &line, &every[..1]);
        let text = written(|out| json::findings::write(&checked, words, out));
        let value: Value = serde_json::from_str(&text).unwrap();
        let found = &value["findings"][0];
        assert_eq!(found["rule"], self.finding.evidence.rule().key());
        for (name, part) in [
            ("title", &said.title),
            ("line", &said.line),
            ("evidence", &said.evidence),
            ("else", &said.alternatives),
            ("next", &said.advice),
        ] {
            assert_eq!(found["words"][name], **part, "{text}");
        }
        self.check(
            "check --json",
            found["words"]["line"].as_str().unwrap(),
            &[],
        );
        if let Some(process) = &self.finding.process {
            assert_eq!(found["process"]["name"], process.name.to_string());
            assert_eq!(found["process"]["pid"], process.pid);
        }
        if let Some(unseen) = self.finding.holder.unknown {
            assert_eq!(found["unseen"]["uid"], serde_json::json!(unseen.uid));
            assert_eq!(found["unseen"]["port"], serde_json::json!(unseen.port));
            let opener = self.finding.holder.opener.as_ref();
            let opener = opener.map(|unit| unit.as_str());
            assert_eq!(found["unseen"]["opened_by_unit"], serde_json::json!(opener));
            let named = opener.is_none_or(|unit| self.texts.line.contains(unit));
            let own = matches!(self.finding.evidence, Evidence::UserRule(_));
            assert!(named || own, "{:?}", self.texts);
        }
    }
}

#[test]
fn every_output_of_every_finding_is_whole_and_names_what_it_is_about() {
    let rendered = thread::scope(|scope| {
        let both = LANGUAGES.map(|language| {
            scope.spawn(move || {
                let words = Catalogue::of(language);
                let standing = all_findings().into_iter();
                let standing = standing.filter(|finding| {
                    finding.clearing_since.is_none() && finding.severity == Severity::Warning
                });
                standing
                    .map(|finding| {
                        let said = describe(&finding, words);
                        let mut outputs = FindingOutputs {
                            finding,
                            texts: said,
                            rendered: 0,
                        };
                        outputs.all(words);
                        outputs.rendered
                    })
                    .sum::<usize>()
            })
        });
        both.map(|thread| thread.join().unwrap())
    });
    let [english, chinese] = rendered;
    assert_eq!(english, chinese);
    assert!(english > 5000, "{english}");
    println!("{english} texts in each of two languages");
}
