//! The plan of `tcplens explain`: a state, the whole chapter, or sockets.

use super::unused_flags;
use super::{Plan, SocketSelection, UsageError, filter_words, socket_selection, unknown_message};
use crate::filter::nearest;
use crate::model::state::State;
use crate::run::Topic;
use clap::ArgMatches;

/// Parses the arguments: a state and `all` are topics, any other is a filter.
pub(super) fn explain(matches: &ArgMatches) -> Result<Plan, UsageError> {
    match filter_words(matches)[..] {
        ["all"] => return topic(Topic::All, matches),
        [word] => match State::from_word(word) {
            Some(state) => return topic(Topic::State(state), matches),
            None => check_misspelled_state(word)?,
        },
        _ => {}
    }
    let watching = socket_selection(matches)?;
    if selects_all(&watching) {
        return topic(Topic::Contents, matches);
    }
    Ok(Plan::ExplainSockets(watching, matches.get_flag("json")))
}

/// Refuses flags that select or sort sockets: there are none.
fn topic(topic: Topic, matches: &ArgMatches) -> Result<Plan, UsageError> {
    unused_flags::check_topic(matches)?;
    Ok(Plan::Explain(topic, matches.get_flag("json")))
}

fn selects_all(watching: &SocketSelection) -> bool {
    watching.filter.is_all() && watching.quick.is_all()
}

/// A misspelled state is not a search for text.
fn check_misspelled_state(word: &str) -> Result<(), UsageError> {
    let known = State::ALL.map(State::word);
    match nearest(word, known) {
        Some(meant) => Err(UsageError(unknown_message(
            "state",
            word,
            Some(meant),
            "tcplens explain",
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plan_without_terminal as plan;
    use super::*;

    #[test]
    fn a_topic_stays_a_topic() {
        let cases = [
            ("explain", Topic::Contents),
            ("explain all", Topic::All),
            ("explain listen", Topic::State(State::Listen)),
            ("explain Close-Wait", Topic::State(State::CloseWait)),
        ];
        for (words, topic) in cases {
            let planned = plan(words);
            assert!(
                matches!(planned, Ok(Plan::Explain(other, false)) if other == topic),
                "{words}: {planned:?}"
            );
        }
    }

    #[test]
    fn anything_else_is_a_filter() {
        for (words, filter) in [
            ("explain :8080", ":8080"),
            ("explain pid:812", "pid:812"),
            ("explain state close-wait", "state close-wait"),
            ("explain nginx", "nginx"),
            ("explain -u dst 10.0.0.0/8", "dst 10.0.0.0/8"),
        ] {
            let Ok(Plan::ExplainSockets(watching, false)) = plan(words) else {
                panic!("{words}")
            };
            let expected = crate::filter::Filter::parse(filter).unwrap();
            assert_eq!(watching.filter.to_string(), expected.to_string());
        }
        assert!(matches!(plan("explain -l"), Ok(Plan::ExplainSockets(..))));
        let json = plan("explain :80 --json");
        assert!(matches!(json, Ok(Plan::ExplainSockets(_, true))));
        let json = plan("explain LISTEN --json");
        assert!(matches!(json, Ok(Plan::Explain(_, true))));
    }

    #[test]
    fn mistakes_are_reported() {
        for (words, expected) in [
            ("explain listne", "LISTEN"),
            ("explain port:70000", "^"),
            ("explain state syn-snet", "syn_sent"),
            ("explain TIME_WAIT -t", "does not use --tcp"),
            ("explain --sort pid", "does not use --sort"),
        ] {
            let said = plan(words).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains(expected), "{words}: {said}");
        }
    }
}
