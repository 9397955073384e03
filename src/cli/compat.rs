//! Compatibility with habits: flags of netstat and ss, and misspelled commands.

use crate::filter::{Filter, nearest};
use std::ffi::OsString;

/// The commands there are.
pub(super) const COMMANDS: [&str; 11] = [
    "list", "explain", "kill", "close", "doctor", "check", "config", "baseline", "lab", "help",
    "version",
];

/// Subcommands of other tools, and their equivalents here.
const SYNONYMS: &[(&str, &str)] = &[
    ("ps", "list"),
    ("ls", "list"),
    ("ss", "list"),
    ("netstat", "list"),
    ("show", "list"),
    ("pkill", "kill"),
    ("fuser", "kill"),
    ("man", "help"),
    ("usage", "help"),
];

/// The short flags without a value, `-i` of ss among them.
const SHORT_FLAGS: &[u8] = b"tulnap46eoWOHi";

/// Replaces ss's `-i` by `--info`, unless it is the interval, which is followed
/// by a time.
pub(super) fn expand_info_flag(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut known = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter().peekable();
    let mut flags_end = false;
    while let Some(argument) = arguments.next() {
        flags_end |= argument == "--";
        let cluster = argument.to_str().and_then(|text| text.strip_prefix('-'));
        let is_cluster = |cluster: &str| {
            !cluster.is_empty() && cluster.bytes().all(|flag| SHORT_FLAGS.contains(&flag))
        };
        let Some(cluster) = cluster.filter(|cluster| !flags_end && is_cluster(cluster)) else {
            known.push(argument);
            continue;
        };
        let begins_time = |next: &OsString| {
            let text = next.to_str().unwrap_or_default();
            text.starts_with(|first: char| first.is_ascii_digit())
        };
        let time_follows = cluster.ends_with('i') && arguments.peek().is_some_and(begins_time);
        let is_attached = cluster
            .split_once('i')
            .is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()));
        if !cluster.contains('i') || time_follows || is_attached {
            known.push(argument);
            continue;
        }
        let rest = cluster.replace('i', "");
        if !rest.is_empty() {
            known.push(format!("-{rest}").into());
        }
        known.push("--info".into());
    }
    known
}

/// The likely intended command for the first word of a filter, if that word is only
/// text.
pub(super) fn suggest_command(word: &str, filter: &Filter) -> Option<&'static str> {
    if filter.text_terms().first() != Some(&word) {
        return None;
    }
    let synonym = SYNONYMS.iter().find(|(other, _)| *other == word);
    synonym
        .map(|(_, command)| *command)
        .or_else(|| nearest(word, COMMANDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_i_is_an_interval_only_before_a_time() {
        for (typed, read) in [
            ("-tanpoie", "-tanpoe --info"),
            ("-ti", "-t --info"),
            ("-i", "--info"),
            ("-ti :443", "-t --info :443"),
            ("-i 2", "-i 2"),
            ("-ti 500ms", "-ti 500ms"),
            ("-i2s", "-i2s"),
            ("-i2", "-i2"),
            ("-tulpen", "-tulpen"),
            ("--interval 2", "--interval 2"),
            ("kill -s INT", "kill -s INT"),
            ("-- -ti", "-- -ti"),
        ] {
            let words = typed.split(' ').map(OsString::from).collect();
            let words: Vec<_> = expand_info_flag(words)
                .into_iter()
                .map(|word| word.into_string().unwrap())
                .collect();
            assert_eq!(words.join(" "), read, "{typed}");
        }
    }

    #[test]
    fn misspelled_commands_are_suggested_and_filters_are_not() {
        for (words, meant) in [
            ("lits", Some("list")),
            ("kil :80", Some("kill")),
            ("ps", Some("list")),
            ("exlpain :80", Some("explain")),
            ("docter", Some("doctor")),
            ("listen", None),
            ("closed", None),
            ("nginx", None),
            ("curl kil", None),
            ("port 80", None),
            (":80", None),
            ("tcp", None),
            ("", None),
        ] {
            let filter = Filter::parse(words).unwrap();
            let word = words.split(' ').next().unwrap();
            assert_eq!(suggest_command(word, &filter), meant, "{words}");
        }
    }
}
