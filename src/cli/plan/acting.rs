//! The plan of `tcplens kill` and `tcplens close`.

use super::{Usage, Watching, optional, unknown, watching};
use crate::filter::nearest;
use crate::model::signal::Signal;
use crate::run::Order;
use clap::ArgMatches;

/// Selection of sockets, and options of the action.
#[derive(Debug)]
pub(in crate::cli) struct Acting {
    pub(in crate::cli) watching: Watching,
    pub(in crate::cli) order: Order,
}

/// Parses the arguments of an action. A filter is required: acting on
/// everything is never intended.
pub(super) fn acting(command: &str, matches: &ArgMatches) -> Result<Acting, Usage> {
    let watching = watching(matches)?;
    if watching.filter.is_all() {
        return Err(Usage(format!(
            "{command} needs a filter that says which sockets, such as: tcplens {command} :8080"
        )));
    }
    let texts = watching.filter.texts();
    let is_number = |text: &&&str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = texts.iter().find(is_number) {
        return Err(Usage(format!(
            "{number} would be searched as text; for the port: tcplens {command} :{number}, for the process: pid:{number}"
        )));
    }
    if matches.get_flag("read-only") {
        return Err(Usage(format!(
            "{command} would act, and --read-only forbids it; --dry-run without it tells what would be done"
        )));
    }
    if matches.get_flag("json") || matches.get_flag("info") {
        return Err(Usage(format!(
            "{command} prints no JSON: find the sockets with list --json first"
        )));
    }
    let usual = Order::default();
    let most = matches.get_one::<u32>("max").copied();
    Ok(Acting {
        watching: Watching {
            filter: watching.filter.without_command_lines(),
            ..watching
        },
        order: Order {
            yes: matches.get_flag("yes"),
            confirm: matches.get_one::<u32>("confirm").copied(),
            dry_run: matches.get_flag("dry-run"),
            most: most.map_or(usual.most, |most| most as usize),
            clients: false,
        },
    })
}

/// TERM unless another is named.
pub(super) fn signal(matches: &ArgMatches) -> Result<Signal, Usage> {
    let Some(word) = optional(matches, "signal") else {
        return Ok(Signal::Term);
    };
    Signal::from_word(word).ok_or_else(|| {
        let known = Signal::ALL.map(Signal::word);
        let upper = word.to_ascii_uppercase();
        let suggestion = nearest(upper.trim_start_matches("SIG"), known);
        Usage(unknown("signal", word, suggestion, "tcplens kill --help"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::super::tests::planned as plan;
    use super::*;

    #[test]
    fn orders_are_what_was_said() {
        let Ok(Plan::Kill(acting, signal, _)) = plan("kill -t :8080 --signal sigHup -y --max 200")
        else {
            panic!("an order to kill")
        };
        assert_eq!(signal, Signal::Hup);
        let expected = Order {
            yes: true,
            most: 200,
            ..Order::default()
        };
        assert_eq!(acting.order, expected);
        assert!(acting.watching.quick.protocol.is_some());
        let Ok(Plan::Close(acting)) = plan("close dst 192.0.2.7 --confirm 3 --dry-run") else {
            panic!("an order to close")
        };
        let expected = Order {
            confirm: Some(3),
            dry_run: true,
            ..Order::default()
        };
        assert_eq!(acting.order, expected);
    }

    #[test]
    fn orders_about_everything_or_nothing_are_mistakes() {
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
