//! The plan of `tcplens kill` and `tcplens close`.

use super::{Usage, Watching, optional, unknown, watching};
use crate::filter::nearest;
use crate::model::signal::Signal;
use crate::run::Order;
use clap::ArgMatches;

/// Which sockets, and how it is ordered.
#[derive(Debug)]
pub(in crate::cli) struct Acting {
    pub(in crate::cli) watching: Watching,
    pub(in crate::cli) order: Order,
}

/// Everything is not something anybody means: there must be a filter.
pub(super) fn acting(command: &str, matches: &ArgMatches) -> Result<Acting, Usage> {
    let watching = watching(matches)?;
    if watching.filter.is_all() {
        return Err(Usage(format!(
            "{command} needs a filter that says which sockets, such as: tcplens {command} :8080"
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
        watching,
        order: Order {
            yes: matches.get_flag("yes"),
            confirm: matches.get_one::<u32>("confirm").copied(),
            dry_run: matches.get_flag("dry-run"),
            most: most.map_or(usual.most, |most| most as usize),
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
