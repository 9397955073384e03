//! Every finding in every output, as written for a user or a program.

use crate::app::keys::Key;
use crate::app::message::Message;
use crate::app::troubles::Attention;
use crate::app::{App, Choices};
use crate::explain::catalogue::{Catalogue, Language};
use crate::explain::findings::tests::all_findings;
use crate::explain::findings::{FindingWords, describe};
use crate::filter::Filter;
use crate::listing::{self, Quick, Sort};
use crate::model::action::Policy;
use crate::model::clipboard::Clipboard;
use crate::model::endpoint::Endpoint;
use crate::model::event::EventsChoice;
use crate::model::evidence::{Evidence, Fact, Group};
use crate::model::finding::{Finding, Severity};
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::pace::Pace;
use crate::model::session::Session;
use crate::model::time::Time;
use crate::report::checked::Checked;
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
    let choices = Choices {
        clipboard: Clipboard::default(),
        policy: Policy::Act,
        session: Session::default(),
        attention: Attention::default(),
        latin_only: false,
        events: EventsChoice::default(),
        course: None,
        outside: None,
        scope: Scope::Own,
        filter: Filter::all(),
        quick: Quick::default(),
        sort: Sort::default(),
        numeric: false,
        pace: Pace::Fixed(Duration::from_secs(1)),
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
                covered = listing::width(cell.symbol()).max(1);
            }
            covered -= 1;
        }
        text.trim_end().to_owned()
    });
    text.collect()
}

fn checked(observation: &Observation) -> Checked<'_> {
    let mut coverage = Coverage::default();
    for at in 0..=15 {
        coverage.add_table(Duration::from_secs(at), 0);
    }
    Checked {
        observation,
        over: &[],
        gravest: observation.findings.first().map(|each| each.severity),
        watched: Duration::from_secs(15),
        wanted: Duration::from_secs(15),
        coverage,
        unripe: Vec::new(),
        level: Severity::Info,
    }
}

fn written(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Without any blanks, so that it does not matter where lines are broken.
fn joined(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Returns the texts that the line of a finding must contain: its process, or the known
/// facts of a hidden one; else its endpoint or rule. Empty if the finding concerns
/// everything, or nothing is known.
fn names(finding: &Finding) -> Vec<String> {
    match &finding.evidence {
        Evidence::Ipv6Silent { .. }
        | Evidence::NetworkDown { .. }
        | Evidence::TimeWaitHeap { .. }
        | Evidence::Orphans { .. }
        | Evidence::FailedConnects { whose: None, .. } => Vec::new(),
        Evidence::OddPrograms(programs) => vec![programs.names[0].to_string()],
        Evidence::UserRule(rule) if rule.group != Group::Process => vec![rule.name.to_string()],
        Evidence::SynFlood(half_open) => half_open.listener.iter().map(place).collect(),
        Evidence::OrphansNotRead(still) => vec![still.peer.to_string()],
        Evidence::Missing(listener) => vec![listener.end().to_string()],
        Evidence::UnheldListener { listener, uid } => vec![format!("uid {uid}"), place(listener)],
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
        Evidence::Unlisted(listener) if finding.process.is_none() => {
            vec![listener.end().to_string()]
        }
        Evidence::LocalPorts(ports) if finding.process.is_none() => match ports.to {
            Some(to) => vec![to.to_string()],
            None => vec![ports.from.to_string()],
        },
        _ => holder(finding).unwrap_or_default(),
    }
}

fn place(end: &Endpoint) -> String {
    end.to_string()
}

/// The process of a finding, or user and port of one that is not seen.
fn holder(finding: &Finding) -> Option<Vec<String>> {
    if let Some(process) = &finding.process {
        return Some(vec![process.name.to_string()]);
    }
    let unseen = finding.holder.unseen?;
    let facts = finding.evidence.facts();
    let listener = facts.iter().find_map(|(name, fact)| match fact {
        Fact::Endpoint(end) if *name == "listener" => Some(place(end)),
        _ => None,
    });
    let uid = unseen
        .uid
        .filter(|_| matches!(unseen.reason, Unowned::Hidden | Unowned::Kernel));
    let uid = uid.map(|uid| format!("uid {uid}"));
    let port = listener.or_else(|| Some(unseen.port?.to_string()));
    Some(uid.into_iter().chain(port).collect())
}

/// Counts the rendered outputs, and asserts that each is complete.
struct Outputs {
    finding: Finding,
    said: FindingWords,
    rendered: usize,
}

impl Outputs {
    /// Asserts that a text has all these parts, and no place that was left open.
    fn check(&mut self, output: &str, text: &str, parts: &[&str]) {
        let about = || format!("{output} of {:?}:\n{text}", self.finding);
        assert!(!text.trim().is_empty(), "{}", about());
        assert!(!text.contains(['{', '}']), "{}", about());
        let whole = joined(text);
        for part in parts {
            assert!(whole.contains(&joined(part)), "{part:?} in {}", about());
        }
        for name in names(&self.finding) {
            assert!(whole.contains(&joined(&name)), "{name:?} in {}", about());
        }
        self.rendered += 1;
    }

    fn all(&mut self, words: &'static Catalogue) {
        let said = self.said.clone();
        assert!(!said.line.contains(UNKNOWN), "{:?} {said:?}", self.finding);
        let every = [
            said.line.as_str(),
            &said.evidence,
            &said.otherwise,
            &said.next,
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
            ("else", &said.otherwise),
            ("next", &said.next),
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
        if let Some(unseen) = self.finding.holder.unseen {
            assert_eq!(found["unseen"]["uid"], serde_json::json!(unseen.uid));
            assert_eq!(found["unseen"]["port"], serde_json::json!(unseen.port));
            let opener = self.finding.holder.opener.as_ref();
            let opener = opener.map(|unit| unit.as_str());
            assert_eq!(found["unseen"]["opened_by_unit"], serde_json::json!(opener));
            let named = opener.is_none_or(|unit| self.said.line.contains(unit));
            let own = matches!(self.finding.evidence, Evidence::UserRule(_));
            assert!(named || own, "{:?}", self.said);
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
                    finding.below_since.is_none() && finding.severity == Severity::Warn
                });
                standing
                    .map(|finding| {
                        let said = describe(&finding, words);
                        let mut outputs = Outputs {
                            finding,
                            said,
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
