//! The page of findings: several that stand, one that is known, one that is
//! muted, some that are over; and what its keys do.

use super::stage;
use super::typing::{drawn, press, text};
use super::{COLOUR, compare};
use std::net::IpAddr;
use std::sync::Arc;
use tcplens::app::App;
use tcplens::app::effect::Effect;
use tcplens::app::findings_state::AlertOptions;
use tcplens::app::message::Message;
use tcplens::app::mode::Mode;
use tcplens::filter::Filter;
use tcplens::model::baseline::{Listener, ListenerProgram};
use tcplens::model::evidence::{Evidence, ProgramAnomaly, UserRuleEvidence, UserRuleGroup};
use tcplens::model::finding::{Finding, FindingHolder, Rule, Severity};
use tcplens::model::mute::{Mute, RuleId};
use tcplens::model::observation::Observation;
use tcplens::model::process::{Process, Program};
use tcplens::model::protocol::Protocol;
use tcplens::model::text::Text;
use tcplens::model::time::{Time, Timestamp};

fn process(pid: u32, name: &str, exe: Option<&str>) -> Arc<Process> {
    Arc::new(Process {
        pid,
        name: Text::from(name),
        exe: exe.map(Program::verified),
        ..Process::default()
    })
}

fn finding(severity: Severity, process: Option<Arc<Process>>, evidence: Evidence) -> Finding {
    Finding {
        severity,
        since: Timestamp(100),
        clearing_since: None,
        holder: FindingHolder::default(),
        process,
        evidence,
    }
}

fn own_rule() -> Finding {
    let evidence = Evidence::UserRule(UserRuleEvidence {
        name: Text::from("too many to the database"),
        message: None,
        filter: Text::from("state established and dport = :5432"),
        group: UserRuleGroup::Process,
        current: 212,
        count: 212,
        limit: 200,
        window: None,
    });
    let owner = process(812, "nginx", Some("/usr/sbin/nginx"));
    finding(Severity::Warning, Some(owner), evidence)
}

fn unlisted() -> Finding {
    let evidence = Evidence::NotInBaseline(Listener {
        protocol: Protocol::Tcp,
        address: IpAddr::from([0, 0, 0, 0]),
        port: 4444,
        program: ListenerProgram::Unknown,
        uid: Some(1000),
    });
    finding(Severity::Warning, Some(process(990, "nc", None)), evidence)
}

fn odd() -> Finding {
    let evidence = Evidence::SuspiciousProgram {
        anomaly: ProgramAnomaly::WorldWritableDirectory,
        program: Text::from("/tmp/build/server"),
    };
    let owner = process(991, "server", Some("/tmp/build/server"));
    finding(Severity::Warning, Some(owner), evidence)
}

fn orphans() -> Finding {
    let evidence = Evidence::Orphans {
        orphans: 40_000,
        limit: 65_536,
    };
    finding(Severity::Warning, None, evidence)
}

fn odd_is_muted() -> Mute {
    Mute {
        rule: RuleId::Builtin(Rule::SuspiciousProgram),
        program: Some(Text::from("/tmp/build/server")),
    }
}

/// The scene of a scan with further findings; `second` is when.
fn observed(findings: Vec<Finding>, second: u64) -> Arc<Observation> {
    let mut seen = (*stage::scan_scene()).clone();
    seen.time = Time {
        wall_ms: seen.time.wall_ms + second * 1000,
        monotonic_ms: seen.time.monotonic_ms + second * 1000,
    };
    seen.table_number += second;
    seen.findings.extend(findings);
    seen.muted = vec![odd()];
    Arc::new(seen)
}

/// Three that stand, one muted, one that is over.
fn troubled() -> App {
    let mut choices = stage::choices();
    choices.alerts = AlertOptions {
        mutes: vec![odd_is_muted()],
        bell: true,
    };
    let first = observed(vec![own_rule(), unlisted(), orphans()], 1);
    let mut app = stage::app_of(first, choices);
    let second = observed(vec![own_rule(), unlisted()], 90);
    app.update(Message::Observed(second));
    app
}

fn chosen(app: &App) -> Rule {
    app.selected_finding().unwrap().evidence.rule()
}

#[test]
fn what_stands_is_muted_and_is_over() {
    for (name, width, height) in [("80x24", 80, 24), ("120x40", 120, 40)] {
        let mut app = troubled();
        press(&mut app, "F Down a");
        let (buffer, _) = drawn(&mut app, COLOUR, width, height);
        compare(&format!("troubles_{name}"), &text(&buffer));
        press(&mut app, "G");
        let (buffer, _) = drawn(&mut app, COLOUR, width, height);
        compare(&format!("troubles_muted_{name}"), &text(&buffer));
    }
}

#[test]
fn the_marked_finding_leads_to_its_rows_and_stays_marked() {
    let mut app = troubled();
    press(&mut app, "F Down");
    assert_eq!(chosen(&app), Rule::UserRule);
    // A graver one comes before it.
    let graver = Finding {
        severity: Severity::Critical,
        ..orphans()
    };
    let mut later = (*observed(Vec::new(), 91)).clone();
    later.findings.extend([graver, own_rule()]);
    app.update(Message::Observed(Arc::new(later)));
    assert_eq!(chosen(&app), Rule::UserRule);
    press(&mut app, "Enter");
    assert_eq!(app.mode, Mode::Table);
    let expected = Filter::parse("state established dport = :5432 pid:812").unwrap();
    assert_eq!(app.filter, expected);
}

#[test]
fn what_is_known_is_no_news_until_it_grows_graver() {
    let mut app = troubled();
    assert_eq!(app.unacknowledged_findings().count(), 3);
    press(&mut app, "F Down a Esc");
    assert_eq!(app.unacknowledged_findings().count(), 2);
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    assert!(text(&buffer).contains("2 findings (F)"));
    let graver = Finding {
        severity: Severity::Critical,
        ..own_rule()
    };
    app.update(Message::Observed(observed(vec![graver, unlisted()], 95)));
    assert_eq!(app.unacknowledged_findings().count(), 3);
    // Twice takes it back.
    press(&mut app, "F a a");
    assert_eq!(app.unacknowledged_findings().count(), 3);
}

#[test]
fn muting_is_for_rule_and_program_and_can_be_taken_back() {
    let mut app = troubled();
    let effects = press(&mut app, "F Down m");
    let Some(Effect::Mute(mutes)) = effects.last() else {
        panic!("{effects:?}")
    };
    let own = Mute {
        rule: RuleId::User(Text::from("too many to the database")),
        program: Some(Text::from("/usr/sbin/nginx")),
    };
    assert_eq!(*mutes, [odd_is_muted(), own]);
    assert_eq!(app.observation.muted.len(), 2);
    assert_eq!(chosen(&app), Rule::UserRule, "it stays marked");
    let effects = press(&mut app, "m");
    assert_eq!(effects.last(), Some(&Effect::Mute(vec![odd_is_muted()])));
    assert_eq!(app.observation.findings.len(), 3);
    // Whose program file is hidden is not muted: everybody's would be.
    press(&mut app, "g Down");
    assert_eq!(chosen(&app), Rule::NewListener);
    assert_eq!(press(&mut app, "m"), []);
    assert_eq!(app.observation.findings.len(), 3);
}

#[test]
fn keys_of_the_page_do_nothing_where_there_is_no_finding() {
    let mut app = stage::app(stage::scene());
    assert_eq!(press(&mut app, "F a m Enter"), []);
    assert_eq!(app.unacknowledged_findings().count(), 0);
}

#[test]
fn an_alarm_rings_once() {
    let mut choices = stage::choices();
    choices.alerts.bell = true;
    let mut app = stage::app_of(stage::scene(), choices);
    let rings = |effects: &[Effect]| effects.contains(&Effect::Bell);
    let alarmed = observed(Vec::new(), 1);
    assert!(rings(&app.update(Message::Observed(Arc::clone(&alarmed)))));
    assert!(!rings(&app.update(Message::Observed(alarmed))));
}

#[test]
fn unmuting_one_program_leaves_a_mute_of_the_whole_rule() {
    let whole = Mute {
        program: None,
        ..odd_is_muted()
    };
    let cases = [
        (vec![odd_is_muted()], vec![], 0),
        (vec![odd_is_muted(), whole.clone()], vec![whole.clone()], 1),
        (vec![whole.clone()], vec![whole], 1),
    ];
    for (before, after, muted) in cases {
        let mut choices = stage::choices();
        choices.alerts.mutes = before;
        let mut app = stage::app_of(observed(vec![], 1), choices);
        press(&mut app, "F G");
        assert_eq!(chosen(&app), Rule::SuspiciousProgram);
        let effects = press(&mut app, "m");
        assert_eq!(effects, [Effect::Mute(after)]);
        assert_eq!(app.observation.muted.len(), muted);
    }
}
