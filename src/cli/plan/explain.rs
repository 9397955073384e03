//! The plan of `tcplens explain`: a state, the whole chapter, or sockets.

use super::{Plan, Usage, Watching, unknown, watching, words};
use crate::filter::nearest;
use crate::model::state::State;
use crate::run::Topic;
use clap::ArgMatches;

/// What its words mean: a state and `all` are topics, anything else is a
/// filter.
pub(super) fn explain(matches: &ArgMatches) -> Result<Plan, Usage> {
    match words(matches)[..] {
        ["all"] => return Ok(Plan::Explain(Topic::All)),
        [word] => match State::from_word(word) {
            Some(state) => return Ok(Plan::Explain(Topic::State(state))),
            None => no_slip(word)?,
        },
        _ => {}
    }
    let watching = watching(matches)?;
    if everything(&watching) {
        return Ok(Plan::Explain(Topic::Contents));
    }
    if matches.get_flag("json") || matches.get_flag("info") {
        return Err(Usage(
            "explain prints no JSON: find the sockets with list --json first".to_owned(),
        ));
    }
    Ok(Plan::ExplainSockets(watching))
}

fn everything(watching: &Watching) -> bool {
    watching.filter.is_all() && watching.quick.is_all()
}

/// Whoever mistypes a state does not look for a text.
fn no_slip(word: &str) -> Result<(), Usage> {
    let known = State::ALL.map(State::word);
    match nearest(word, known) {
        Some(meant) => Err(Usage(unknown(
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
    use super::super::tests::planned as plan;
    use super::*;

    #[test]
    fn a_topic_stays_a_topic() {
        let cases = [
            ("explain", Topic::Contents),
            ("explain all", Topic::All),
            ("explain listen", Topic::State(State::Listen)),
            ("explain Close-Wait", Topic::State(State::CloseWait)),
            ("explain TIME_WAIT -t", Topic::State(State::TimeWait)),
        ];
        for (words, topic) in cases {
            let planned = plan(words);
            assert!(
                matches!(planned, Ok(Plan::Explain(other)) if other == topic),
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
            let Ok(Plan::ExplainSockets(watching)) = plan(words) else {
                panic!("{words}")
            };
            let expected = crate::filter::Filter::parse(filter).unwrap();
            assert_eq!(watching.filter.to_string(), expected.to_string());
        }
        assert!(matches!(plan("explain -l"), Ok(Plan::ExplainSockets(_))));
    }

    #[test]
    fn mistakes_are_told() {
        for (words, expected) in [
            ("explain listne", "LISTEN"),
            ("explain port:70000", "^"),
            ("explain state syn-snet", "syn_sent"),
            ("explain :80 --json", "list --json"),
        ] {
            let said = plan(words).map(|_| ()).unwrap_err().to_string();
            assert!(said.contains(expected), "{words}: {said}");
        }
    }
}
