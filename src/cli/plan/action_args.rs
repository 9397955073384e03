//! The plan of `tcplens kill` and `tcplens close`.

use super::{SocketSelection, UsageError, optional_value, socket_selection, unknown_message};
use crate::filter::nearest;
use crate::model::signal::Signal;
use crate::run::ActionOptions;
use clap::ArgMatches;

/// Selection of sockets, and options of the action.
#[derive(Debug)]
pub(in crate::cli) struct ActionArgs {
    pub(in crate::cli) selection: SocketSelection,
    pub(in crate::cli) options: ActionOptions,
}

/// Parses the arguments of an action. A filter is required: acting on
/// everything is never intended.
pub(super) fn parse_action_args(
    command: &str,
    matches: &ArgMatches,
) -> Result<ActionArgs, UsageError> {
    let watching = socket_selection(matches)?;
    if watching.filter.is_all() {
        return Err(UsageError(format!(
            "{command} needs a filter that says which sockets, such as: tcplens {command} :8080"
        )));
    }
    let texts = watching.filter.text_terms();
    let is_number = |text: &&&str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = texts.iter().find(is_number) {
        return Err(UsageError(format!(
            "{number} would be searched as text; for the port: tcplens {command} :{number}, for the process: pid:{number}"
        )));
    }
    if matches.get_flag("read-only") {
        return Err(UsageError(format!(
            "{command} would act, and --read-only forbids it; --dry-run without it tells what would be done"
        )));
    }
    if matches.get_flag("json") || matches.get_flag("info") {
        return Err(UsageError(format!(
            "{command} prints no JSON: find the sockets with list --json first"
        )));
    }
    let usual = ActionOptions::default();
    let most = matches.get_one::<u32>("max").copied();
    Ok(ActionArgs {
        selection: SocketSelection {
            filter: watching.filter.without_command_lines(),
            ..watching
        },
        options: ActionOptions {
            yes: matches.get_flag("yes"),
            confirm: matches.get_one::<u32>("confirm").copied(),
            dry_run: matches.get_flag("dry-run"),
            max_targets: most.map_or(usual.max_targets, |most| most as usize),
            clients: false,
        },
    })
}

/// TERM unless another is named.
pub(super) fn parse_signal(matches: &ArgMatches) -> Result<Signal, UsageError> {
    let Some(word) = optional_value(matches, "signal") else {
        return Ok(Signal::Term);
    };
    Signal::from_word(word).ok_or_else(|| {
        let known = Signal::ALL.map(Signal::word);
        let upper = word.to_ascii_uppercase();
        let suggestion = nearest(upper.trim_start_matches("SIG"), known);
        UsageError(unknown_message(
            "signal",
            word,
            suggestion,
            "tcplens kill --help",
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::super::tests::plan_without_terminal as plan;
    use super::*;

    #[test]
    fn action_args_are_parsed() {
        let Ok(Plan::Kill(acting, signal, _)) = plan("kill -t :8080 --signal sigHup -y --max 200")
        else {
            panic!("an order to kill")
        };
        assert_eq!(signal, Signal::Hup);
        let expected = ActionOptions {
            yes: true,
            max_targets: 200,
            ..ActionOptions::default()
        };
        assert_eq!(acting.options, expected);
        assert!(acting.selection.quick.protocol.is_some());
        let Ok(Plan::Close(acting)) = plan("close dst 192.0.2.7 --confirm 3 --dry-run") else {
            panic!("an order to close")
        };
        let expected = ActionOptions {
            confirm: Some(3),
            dry_run: true,
            ..ActionOptions::default()
        };
        assert_eq!(acting.options, expected);
    }

    #[test]
    fn invalid_action_args_are_refused() {
        let cases = [
            ("kill", "needs a filter"),
            ("close -t -l", "needs a filter"),
            ("kill 8080", "tcplens kill :8080"),
            ("close tcp or 8080", "tcplens close :8080"),
            ("kill :80 --signal 9", "unknown signal"),
            ("kill :80 --signal KIL", "did you mean KILL?"),
            ("close :80 --json", "no JSON"),
            ("--read-only kill :80 -y", "--read-only forbids"),
            ("close :80 --confirm 80 --read-only", "--read-only forbids"),
            ("close :80 --max 0", "--max"),
            ("close :80 --confirm yes", "--confirm"),
            ("close state lissen", "listen"),
        ];
        for (words, expected) in cases {
            let usage = plan(words).map(|_| ()).unwrap_err().to_string();
            assert!(usage.contains(expected), "{words}: {usage}");
        }
    }
}
