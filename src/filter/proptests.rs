//! Properties of every filter: printing and parsing are inverse, and no text
//! makes the parser panic.

use super::Filter;
use super::ast::{
    AddressPrefix, Comparison, EndSelector, Expr, NumericField, PortMatch, Predicate, ProcessField,
};
use super::state_set::StateSet;
use super::test_world::{row, world};
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::state::State;
use crate::model::urgency::Urgency;
use proptest::prelude::*;
use std::sync::Arc;

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9:.,-]{1,8}", any::<String>()]
        .prop_filter("a needle is not empty", |text| !text.is_empty())
}

fn any_predicate() -> impl Strategy<Value = Predicate> {
    // `host` has no word for "any".
    let end = prop_oneof![
        Just(EndSelector::Local),
        Just(EndSelector::Remote),
        Just(EndSelector::Unspecified)
    ];
    let port_end = prop_oneof![
        Just(EndSelector::Local),
        Just(EndSelector::Remote),
        Just(EndSelector::Unspecified),
        Just(EndSelector::ExplicitEither)
    ];
    let compare = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ];
    let number = prop_oneof![
        Just(NumericField::RecvQueue),
        Just(NumericField::SendQueue),
        Just(NumericField::Retransmits),
        Just(NumericField::RxRate),
        Just(NumericField::TxRate),
        Just(NumericField::Drops),
    ];
    let states = proptest::collection::vec(any::<u8>(), 0..5).prop_map(|picks| {
        picks.into_iter().fold(StateSet::NONE, |set, pick| {
            let state = State::ALL.get(usize::from(pick) % 15).copied();
            match state {
                Some(state) => set.union(StateSet::single(state)),
                None if pick % 15 == 13 => set.union(StateSet::single(State::Unknown(99))),
                None => StateSet::ALL.difference(set),
            }
        })
    });
    let fact = prop_oneof![
        Just(ProcessField::Name),
        Just(ProcessField::Unit),
        Just(ProcessField::CommandLine),
        Just(ProcessField::Exe),
        Just(ProcessField::WorkingDirectory),
        Just(ProcessField::Cgroup),
    ];
    let prefix = (any::<std::net::IpAddr>(), any::<u8>()).prop_map(|(address, length)| {
        AddressPrefix::new(address, length).unwrap_or_else(|| AddressPrefix::host(address))
    });
    let ports = prop_oneof![
        (compare.clone(), any::<u16>()).prop_map(|(how, port)| PortMatch::Compare(how, port)),
        (any::<u16>(), any::<u16>()).prop_map(|(a, b)| PortMatch::Range(a.min(b), a.max(b))),
    ];
    prop_oneof![
        states.prop_map(Predicate::States),
        (port_end, ports).prop_map(|(end, ports)| Predicate::Port(end, ports)),
        (end, prefix, any::<Option<u16>>())
            .prop_map(|(end, prefix, port)| Predicate::Host(end, prefix, port)),
        (fact, any_name()).prop_map(|(fact, text)| Predicate::Process(fact, text)),
        any_name().prop_map(Predicate::Device),
        Just(Predicate::Autobound),
        any_name().prop_map(Predicate::Namespace),
        any_name().prop_map(Predicate::User),
        any_name().prop_map(Predicate::Text),
        prop_oneof![
            Just(Urgency::Normal),
            Just(Urgency::Look),
            Just(Urgency::Act)
        ]
        .prop_map(Predicate::Urgency),
        any::<u32>().prop_map(Predicate::Pid),
        any::<u32>().prop_map(Predicate::Uid),
        any::<u32>().prop_map(Predicate::Inode),
        prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)].prop_map(Predicate::Protocol),
        prop_oneof![Just(IpFamily::Inet), Just(IpFamily::Inet6)].prop_map(Predicate::Family),
        (number, compare.clone(), any::<u64>())
            .prop_map(|(number, how, value)| Predicate::Number(number, how, value)),
        (compare.clone(), prop_oneof![any::<u64>(), 0..200_000_u64])
            .prop_map(|(how, seconds)| Predicate::Age(how, seconds)),
        (compare, prop_oneof![any::<u64>(), 0..20_000_000_u64])
            .prop_map(|(how, micros)| Predicate::RoundTrip(how, micros)),
    ]
}

fn any_expr() -> impl Strategy<Value = Expr> {
    any_predicate()
        .prop_map(Expr::Leaf)
        .prop_recursive(5, 40, 4, |inner| {
            let some = proptest::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                some.clone().prop_map(Expr::and),
                some.prop_map(Expr::or),
                inner.prop_map(Expr::not),
            ]
        })
}

/// Tokens of the grammar, in any order.
fn arbitrary_grammar_text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "(",
        ")",
        "and",
        "or",
        "not",
        "!",
        "&&",
        "||",
        "&",
        "|",
        "=",
        "!=",
        "<=",
        ">",
        "eq",
        "ne",
        "state",
        "exclude",
        "state:",
        "listen",
        "bucket",
        "sport",
        "dport",
        "port:",
        "src",
        "dst",
        "host",
        "process:",
        "process",
        "cmd",
        "dev",
        "autobound",
        "family",
        "user:",
        "pid",
        "proto:tcp6",
        "age",
        "recvq",
        "rtt",
        "urgency:",
        "look,act",
        "drops",
        "100ms",
        "tx",
        "5kB",
        ":443",
        ":",
        "443",
        "10/8",
        "::1",
        "[::1]:443",
        "[fe80::1%eth0]:22",
        "*:80",
        "::",
        "*",
        "60s",
        "80-90",
        "a,b",
        ",",
        "\"",
        "\"x y\"",
        "\\",
        "tcp",
        "v6",
        "nginx",
        "浏览器",
        "\u{1b}",
        "%",
        "/",
        "-",
        " ",
    ];
    let piece = (0..PIECES.len(), any::<bool>()).prop_map(|(place, parse_after_space)| {
        format!(
            "{}{}",
            PIECES[place],
            if parse_after_space { " " } else { "" }
        )
    });
    proptest::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

/// Parses any text: an accepted one must print and parse back, a rejected one
/// must have an error that can be drawn.
fn check_any_text(text: &str) -> Result<(), TestCaseError> {
    match Filter::parse(text) {
        Ok(filter) => {
            let printed = filter.to_string();
            prop_assert_eq!(Filter::parse(&printed), Ok(filter), "{}", printed);
        }
        Err(error) => {
            prop_assert!(text.get(error.span.clone()).is_some());
            prop_assert!(error.span.is_empty() || !text[error.span.clone()].is_empty());
            prop_assert_eq!(error.text_with_carets().lines().count(), 2);
            let line = error.to_string();
            prop_assert!(
                !line.chars().any(crate::model::text::is_deceptive),
                "{}",
                line
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn printed_filter_parses_to_the_same(expr in any_expr()) {
        let filter = Filter { expr: Some(expr) };
        let printed = filter.to_string();
        prop_assert!(!printed.chars().any(crate::model::text::is_deceptive));
        prop_assert_eq!(Filter::parse(&printed), Ok(filter), "{}", printed);
    }

    #[test]
    fn any_text_parses_without_panic(text in any::<String>()) {
        check_any_text(&text)?;
    }

    #[test]
    fn any_grammar_text_parses_without_panic(text in arbitrary_grammar_text()) {
        check_any_text(&text)?;
    }

    #[test]
    fn text_term_matches_like_a_naive_search(needle in "[0-9.:a-f]{1,5}", local in any::<u32>(), port in any::<u16>()) {
        let mut world = world();
        let end = format!("{}:{port}", std::net::Ipv4Addr::from(local));
        let row = row(Protocol::Udp, State::Unknown(9), &end, "-");
        world.rows = Arc::new(vec![row]);
        let found = Filter { expr: Some(Expr::Leaf(Predicate::Text(needle.clone()))) }.matches(&row, &world);
        let service = super::services::service_of(&row.socket).unwrap_or_default();
        let slow = [end.as_str(), "udp", "unknown_9", "*", service].iter().any(|shown| shown.contains(&needle));
        prop_assert_eq!(found, slow);
    }
}
