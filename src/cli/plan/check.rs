//! Plan of `tcplens check` and of the commands for settings and baselines.

use super::{UsageError, events, optional_value, source};
use crate::model::event::EventsMode;
use crate::model::finding::Severity;
use crate::model::namespace::NamespaceScope;
use crate::model::text::Text;
use crate::run::CheckFormat;
use crate::source::SourceChoice;
use clap::ArgMatches;
use std::path::PathBuf;
use std::time::Duration;

/// The shortest and the longest time of watching.
const DURATION_RANGE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(24));
/// Default time of watching: enough for findings that must last ten seconds.
const DEFAULT_DURATION: Duration = Duration::from_secs(15);

/// Plan of a check.
#[derive(Debug)]
pub(in crate::cli) struct CheckPlan {
    pub(in crate::cli) source: SourceChoice,
    pub(in crate::cli) scope: NamespaceScope,
    pub(in crate::cli) duration: Duration,
    pub(in crate::cli) fail_on: Severity,
    pub(in crate::cli) format: CheckFormat,
    /// None leaves it to the settings.
    pub(in crate::cli) events: Option<EventsMode>,
}

/// Action on the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum ConfigAction {
    Path,
    Show,
    Init,
}

/// Plan of saving a baseline.
#[derive(Debug)]
pub(in crate::cli) struct SaveBaselinePlan {
    pub(in crate::cli) source: SourceChoice,
    pub(in crate::cli) path: PathBuf,
    pub(in crate::cli) replace: bool,
}

pub(super) fn check(matches: &ArgMatches) -> Result<CheckPlan, UsageError> {
    let narrowing = ["tcp", "udp", "listening", "ipv4", "ipv6"];
    if matches.contains_id("filter") || narrowing.iter().any(|flag| matches.get_flag(flag)) {
        return Err(UsageError(
            "check looks at every socket, or a trouble would be overlooked; what is not news is \
             muted in the settings ([[mute]]), and a [[rule]] has a filter"
                .to_owned(),
        ));
    }
    let (json, line) = (matches.get_flag("json"), matches.get_flag("oneline"));
    let format = match (json, line) {
        (true, true) => {
            return Err(UsageError(
                "--json and --oneline exclude each other".to_owned(),
            ));
        }
        (true, false) => CheckFormat::Json,
        (false, true) => CheckFormat::OneLine,
        (false, false) => CheckFormat::Text,
    };
    let level = optional_value(matches, "fail-on").and_then(Severity::from_word);
    Ok(CheckPlan {
        source: source(matches),
        scope: if matches.get_flag("all-netns") {
            NamespaceScope::All
        } else {
            NamespaceScope::Current
        },
        duration: optional_value(matches, "for").map_or(Ok(DEFAULT_DURATION), parse_duration)?,
        fail_on: level.unwrap_or(Severity::Warning),
        format,
        events: events(matches),
    })
}

fn parse_duration(word: &str) -> Result<Duration, UsageError> {
    let (shortest, longest) = DURATION_RANGE;
    let seconds = word.parse::<u64>().ok().map(Duration::from_secs);
    seconds
        .or_else(|| humantime::parse_duration(word).ok())
        .filter(|length| (shortest..=longest).contains(length))
        .ok_or_else(|| {
            let shown = Text::from(word);
            UsageError(format!(
                "--for {shown}: a time between 1s and 24h is needed, such as 30s or 5m"
            ))
        })
}

pub(super) fn config(matches: &ArgMatches) -> ConfigAction {
    match matches.subcommand_name() {
        Some("init") => ConfigAction::Init,
        Some("show") => ConfigAction::Show,
        _ => ConfigAction::Path,
    }
}

pub(super) fn save(matches: &ArgMatches) -> Result<SaveBaselinePlan, UsageError> {
    let save = matches.subcommand_matches("save");
    let path = save.and_then(|save| save.get_one::<PathBuf>("file"));
    let (Some(save), Some(path)) = (save, path) else {
        return Err(UsageError(
            "baseline save FILE: the file is missing".to_owned(),
        ));
    };
    Ok(SaveBaselinePlan {
        source: source(save),
        path: path.clone(),
        replace: save.get_flag("force"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::super::tests::{parse_words, plan_without_terminal as plan};
    use super::*;
    use std::path::Path;

    #[test]
    fn check_args_are_parsed() {
        let Ok(Plan::Check(check)) = plan("check") else {
            panic!("a check")
        };
        assert_eq!(
            (check.duration, check.fail_on),
            (DEFAULT_DURATION, Severity::Warning)
        );
        assert_eq!(check.format, CheckFormat::Text);
        let words = "check --for 2m --fail-on alarm --oneline --baseline b.json --config c.toml";
        let Ok(Plan::Check(check)) = plan(words) else {
            panic!("a check")
        };
        assert_eq!(check.duration, Duration::from_mins(2));
        assert_eq!(check.fail_on, Severity::Critical);
        assert_eq!(check.format, CheckFormat::OneLine);
        let own = parse_words(words, false).unwrap().files;
        assert_eq!(own.baseline.as_deref(), Some(Path::new("b.json")));
        assert_eq!(own.config.as_deref(), Some(Path::new("c.toml")));
        let config = plan("config show --config x.toml");
        assert!(matches!(config, Ok(Plan::Config(ConfigAction::Show, _))));
        let Ok(Plan::SaveBaseline(save)) = plan("baseline save b.json --force") else {
            panic!("to save")
        };
        assert!(save.replace && save.path == Path::new("b.json"));
    }

    #[test]
    fn mistakes_are_one_line() {
        let cases = [
            ("check :443", "every socket"),
            ("check -t", "every socket"),
            ("check --for 0", "between 1s and 24h"),
            ("check --for soon", "between 1s and 24h"),
            ("check --fail-on warning", "warn"),
            ("check --json --oneline", "exclude each other"),
            ("check --onelin", "--oneline"),
            ("config", "config"),
            ("config shwo", "show"),
            ("baseline save", "missing"),
            ("baseline sav x", "save"),
        ];
        for (words, expected) in cases {
            let usage = plan(words).map(|_| ()).unwrap_err().to_string();
            assert!(usage.contains(expected), "{words}: {usage}");
            assert_eq!(usage.lines().count(), 1, "{words}: {usage}");
        }
    }
}
