//! Everything in force, in the form of the file, with where it comes from.

use super::{Settings, path_text, thresholds};
use crate::model::mute::{quote_basic, quote_toml};
use crate::monitor::{RuleLimit, UserRule};
use std::fmt::Write as _;
use std::path::Path;

/// Column of the remarks.
const REMARK_COLUMN: usize = 36;

/// Renders the settings as text; `path` is the file they came from.
#[must_use]
pub fn render(settings: &Settings, path: Option<&Path>) -> String {
    let mut text = match path {
        Some(path) => format!("# In force, by {}\n", path_text(path)),
        None => "# In force; there is no file of settings.\n".to_owned(),
    };
    let mut line = |name: &str, value: String, full: &str| {
        let told = format!("{name} = {value}");
        let from = match settings.defined_lines.get(full) {
            Some(line) => format!("line {line}"),
            None => "default".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{told:REMARK_COLUMN$} # {from}");
    };
    line("read_only", settings.read_only.to_string(), "read_only");
    match settings.language {
        Some(language) => line("language", format!("\"{}\"", language.tag()), "language"),
        None => line("# language", "(the locale's)".to_owned(), "language"),
    }
    line("bell", settings.bell.to_string(), "bell");
    line(
        "events",
        format!("\"{}\"", settings.events.word()),
        "events",
    );
    match &settings.baseline {
        Some(path) => {
            let path = quote_toml(&path_text(path));
            line("baseline", path, "baseline");
        }
        None => line("# baseline", "\"FILE\"".to_owned(), "baseline"),
    }
    text.push_str("\n[thresholds]\n");
    for (name, value) in thresholds::to_entries(&settings.thresholds) {
        let full = format!("thresholds.{name}");
        let told = format!("{name} = {value}");
        let from = match settings.defined_lines.get(&full) {
            Some(line) => format!("line {line}"),
            None => "default".to_owned(),
        };
        let _ = writeln!(text, "{told:REMARK_COLUMN$} # {from}");
    }
    for rule in &settings.rules {
        let _ = write!(text, "\n{}", rule_text(rule));
    }
    for mute in &settings.mutes {
        let _ = writeln!(text, "\n{mute}");
    }
    text
}

/// A rule as it is written in the file.
fn rule_text(rule: &UserRule) -> String {
    let mut text = String::from("[[rule]]\n");
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name} = {value}");
    };
    let length = |time| quote_basic(&humantime::format_duration(time).to_string());
    line("name", quote_toml(&rule.name));
    line("filter", quote_basic(&rule.filter.to_string()));
    match rule.limit {
        RuleLimit::Count(count) => line("count", count.to_string()),
        RuleLimit::Growth { by, within } => {
            line("growth", by.to_string());
            line("within", length(within));
        }
    }
    line("per", quote_basic(rule.group_by.word()));
    line("for", length(rule.min_duration));
    line("severity", quote_basic(rule.severity.word()));
    if let Some(words) = &rule.message {
        line("text", quote_toml(words));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{example, parse};
    use super::*;
    use crate::model::text::Text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_and_sentence_reads_back(
            name in "[^\\p{Zs}]\\PC{0,20}",
            before in any::<String>(),
            after in any::<String>(),
        ) {
            // Every character but those that begin a place.
            let literal = |text: &str| text.replace(['{', '}'], "(");
            let sentence = format!("{}{{count}}{}", literal(&before), literal(&after));
            let file = format!(
                "[[rule]]\nname = {}\nfilter = \"tcp\"\ncount = 1\ntext = {}\n[[mute]]\nrule = {}",
                quote_toml(&Text::from(name.as_str())),
                quote_toml(&Text::from(sentence.as_str())),
                quote_toml(&Text::from(name.as_str())),
            );
            if let Ok(parsed) = parse(&file) {
                let settings = parsed.settings;
                let words = settings.rules[0].message.as_ref();
                prop_assert_eq!(words.map(Text::raw), Some(sentence.as_bytes()));
                let mut again = parse(&render(&settings, None)).unwrap().settings;
                again.defined_lines.clone_from(&settings.defined_lines);
                prop_assert_eq!(again, settings);
            }
        }
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        let uncommented = example::uncommented();
        let hidden = "baseline = \"/a\u{202e}b\"\n[[rule]]\nname = \"a\\u001bb\"\nfilter = \"tcp\"\n\
            count = 1\ntext = \"👩\u{200d}💻 \\\\ {count}\"\n[[mute]]\nrule = \"a\\u001bb\"\nprogram = \"/\u{2028}\"";
        for text in ["", "bell = true\nread_only = true", &uncommented, hidden] {
            let settings = parse(text).unwrap().settings;
            let shown = render(&settings, None);
            let mut again = parse(&shown).unwrap().settings;
            again.defined_lines.clone_from(&settings.defined_lines);
            assert_eq!(again, settings, "{shown}");
        }
    }

    #[test]
    fn each_value_says_where_it_comes_from() {
        let settings = parse("bell = true\n[thresholds]\nscan_hosts = 9").unwrap();
        let shown = render(&settings.settings, Some(Path::new("/etc/x.toml")));
        let line = |name: &str| {
            let mut lines = shown.lines();
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            lines
                .find(|line| line.starts_with(name))
                .map(words)
                .unwrap()
        };
        assert!(shown.starts_with("# In force, by /etc/x.toml"));
        assert_eq!(line("bell"), "bell = true # line 1");
        assert_eq!(line("read_only"), "read_only = false # default");
        assert_eq!(line("scan_hosts"), "scan_hosts = 9 # line 3");
        assert_eq!(line("scan_ports"), "scan_ports = 15 # default");
    }
}
