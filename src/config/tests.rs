//! Texts of settings, good and bad.

use super::*;
use crate::model::finding::{Rule, Severity};
use crate::model::mute::RuleId;
use crate::model::text::Text;
use crate::monitor::{GroupBy, RuleLimit};
use proptest::prelude::*;
use std::time::Duration;

fn rendered_diagnostics(text: &str) -> String {
    let file = Text::from("config.toml");
    let mistakes = parse(text).unwrap_err();
    let told: Vec<String> = mistakes.0.iter().map(|each| each.render(&file)).collect();
    told.join("\n")
}

#[test]
fn everything_that_can_be_set_is_read() {
    let parsed = parse(
        r#"
read_only = true
bell = true
baseline = "listeners.json"
[thresholds]
window = "10m"
scan_share = 0.75
scan_hosts = 1_000
settled_retransmits = 5
walk_failure = 5
contacts_each = 100
[[mute]]
rule = "outbound_scan"
program = "/usr/bin/nmap"
[[mute]]
rule = "many"
[[rule]]
name = "many"
filter = 'state established and dport = :443'
count = 5
per = "remote"
for = "10s"
severity = "alarm"
text = "{count} to {remote}"
[[rule]]
name = "leak"
filter = "state close-wait"
growth = 7
"#,
    )
    .unwrap();
    assert!(parsed.warnings.is_empty());
    let settings = parsed.settings;
    assert!(settings.read_only && settings.bell);
    assert_eq!(settings.baseline, Some(PathBuf::from("listeners.json")));
    let limits = &settings.thresholds;
    assert_eq!(limits.window, Duration::from_mins(10));
    assert_eq!((limits.scan_share, limits.walk_failure), (0.75, 5.0));
    assert_eq!((limits.scan_hosts, limits.settled_retransmits), (1000, 5));
    assert_eq!(limits.contacts_each, 100);
    let [scan, many] = &settings.mutes[..] else {
        panic!("two mutes")
    };
    assert_eq!(scan.rule, RuleId::Builtin(Rule::OutboundScan));
    assert_eq!(scan.program, Some(Text::from("/usr/bin/nmap")));
    assert_eq!(many.rule, RuleId::User(Text::from("many")));
    let [many, leak] = &settings.rules[..] else {
        panic!("two rules")
    };
    assert_eq!(
        (many.group_by, many.limit),
        (GroupBy::Remote, RuleLimit::Count(5))
    );
    assert_eq!(many.min_duration, Duration::from_secs(10));
    assert_eq!(many.severity, Severity::Critical);
    let usual = RuleLimit::Growth {
        by: 7,
        within: Duration::from_mins(5),
    };
    assert_eq!((leak.limit, leak.group_by), (usual, GroupBy::Total));
    assert_eq!(leak.severity, Severity::Warning);
    assert_eq!(settings.defined_lines.get("thresholds.window"), Some(&6));
}

#[test]
fn a_diagnostic_has_its_place_and_a_caret() {
    let text = "bell = true\n[[rule]]\nname = \"many\"\nfilter = \"state syn_snet\"\ncount = 5\n";
    insta::with_settings!({snapshot_path => "tests", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("a_broken_rule", rendered_diagnostics(text));
    });
}

#[test]
fn no_mistake_hides_another() {
    let text = r#"
read_only = "yes"
[thresholds]
scan_share = 1.5
window = "5 parsecs"
scan_hosts = -1
ports_amber = 0.95
[[rule]]
name = "one"
filter = "port:70000"
count = 5
[[rule]]
name = "two"
filter = "state lissen"
growth = 5
count = 1
severity = "warning"
text = "{contents} of {limit"
[[rule]]
filter = ":443"
within = "1s"
[[rule]]
name = "orphans"
filter = ":443"
count = 1
per = "prozess"
[[mute]]
rule = "outbund_scan"
[[mute]]
program = "nmap"
"#;
    insta::with_settings!({snapshot_path => "tests", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("every_mistake", rendered_diagnostics(text));
    });
}

#[test]
fn a_text_that_is_no_toml_is_told_with_its_place() {
    insta::with_settings!({snapshot_path => "tests", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!("no_toml", rendered_diagnostics("bell = true\nread_only = yes\n[[rule\n"));
    });
}

/// The cost of each search for a suggestion grows with the number of
/// candidates.
#[test]
fn only_the_first_mistakes_of_a_text_are_given_a_suggestion() {
    let mute = "[[mute]]\nrule = \"outbound_scam\"\n";
    let told = rendered_diagnostics(&mute.repeat(300));
    assert_eq!(told.matches("no rule is called").count(), 300);
    assert_eq!(told.matches("did you mean outbound_scan?").count(), 100);
}

#[test]
fn of_too_many_rules_the_first_is_told_once() {
    let rule = |number| format!("[[rule]]\nname = \"r{number}\"\nfilter = 'tcp'\ncount = 5\n");
    let rules = |count| (0..count).map(rule).collect::<String>();
    assert_eq!(parse(&rules(64)).unwrap().settings.rules.len(), 64);
    for count in [65, 200] {
        let told = rendered_diagnostics(&rules(count));
        assert_eq!(told.matches("no more than 64 rules").count(), 1, "{told}");
        let place = format!("config.toml:{}", 64 * 4 + 1);
        assert!(told.contains(&place), "{told}");
    }
}

#[test]
fn very_many_mistakes_are_read_in_linear_time() {
    let rule =
        |number| format!("[[rule]]\nnmae = \"r{number}\"\nfilter = 'stat lissen'\ncuont = 5\n");
    let time = |count: u32| {
        let text: String = (0..count).map(rule).collect();
        let begun = std::time::Instant::now();
        assert!(parse(&text).is_err());
        begun.elapsed()
    };
    let (few, many) = (time(4_000), time(16_000));
    println!("4,000 misspelt rules: {few:?}; 16,000: {many:?}");
    // Four times as many; sixteen times as long would be quadratic.
    assert!(
        many < few * 10 + Duration::from_millis(200),
        "{few:?} {many:?}"
    );
}

#[test]
fn unknown_keys_are_warnings_with_a_suggestion() {
    let parsed = parse("bel = true\n[thresholds]\nscan_host = 3\n[extra]\nx = 1\n").unwrap();
    let told: Vec<&str> = parsed
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    let expected = [
        "unknown key 'bel'; did you mean bell?",
        "unknown key 'scan_host' in [thresholds]; did you mean scan_hosts?",
        "unknown key 'extra'",
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_settings_of_the_readme_are_settings() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let parsed = parse(example).unwrap();
    assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    assert_eq!(parsed.settings.rules.len(), 2);
}

#[test]
fn a_mistyped_key_is_told_beside_what_is_missing_for_it() {
    let wrong = rendered_diagnostics("[[rule]]\nname = \"x\"\nfiltr = \":443\"\ncount = 1\n");
    assert!(wrong.contains("this rule has no filter"), "{wrong}");
    assert!(wrong.contains("unknown key 'filtr' in [rule]; did you mean filter?"));
}

#[test]
fn names_and_sentences_cannot_deceive_a_terminal() {
    let rule = "[[rule]]\nname = \"a\\u001b[31m\\u202eb\"\nfilter = \"\"\ncount = 0\n";
    let settings = parse(rule).unwrap().settings;
    assert_eq!(settings.rules[0].name.as_str(), "a\\x1b[31m\\u{202e}b");
    let wrong = rendered_diagnostics("\u{1b}[31m = 3\n\u{202e}");
    assert!(
        !wrong
            .replace('\n', "")
            .chars()
            .any(crate::model::text::is_deceptive)
    );
}

/// Pieces of a file, in any order.
fn fragments() -> impl Strategy<Value = String> {
    let pieces = [
        "[[rule]]\n",
        "[[mute]]\n",
        "[thresholds]\n",
        "name = ",
        "filter = ",
        "\"x\"\n",
        "\"state established\"\n",
        "count = 5\n",
        "growth = 5\n",
        "within = \"5m\"\n",
        "for = 3\n",
        "text = \"{count\"\n",
        "rule = \"many\"\n",
        "bell = true\n",
        "window = \"1s\"\n",
        "= ",
        "\n",
        "'",
        "\"\"\"",
        "é浏\u{202e}",
        "per = \"total\"\n",
        "scan_share = nan\n",
        "scan_hosts = 0x10\n",
        "\t",
        "#",
        "\r\n",
        "[",
        "]",
        "{",
        "}",
        ",",
        "rule = 3\n",
        "mute = [1, {}]\n",
    ];
    let piece = proptest::sample::select(pieces.to_vec());
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn reads_or_reports(text: &str) -> Result<(), TestCaseError> {
    let file = Text::from("config.toml");
    let told = match parse(text) {
        Ok(parsed) => parsed.warnings,
        Err(mistakes) => {
            prop_assert!(!mistakes.0.is_empty());
            mistakes.0
        }
    };
    for mistake in told {
        let told = mistake.render(&file);
        prop_assert_eq!(told.lines().count(), 3, "{}", told);
        let safe = !told
            .replace('\n', "")
            .chars()
            .any(crate::model::text::is_deceptive);
        prop_assert!(safe, "{told}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_or_told_of(text: String) {
        reads_or_reports(&text)?;
    }

    #[test]
    fn any_pieces_are_read_or_told_of(text in fragments()) {
        reads_or_reports(&text)?;
    }
}
