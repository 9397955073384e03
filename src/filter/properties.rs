//! Properties of every filter: printing and parsing are inverse, and no text
//! makes the parser panic.

use super::Filter;
use super::ast::{Compare, End, Expr, Fact, Number, Ports, Prefix, Test};
use super::sample::{row, world};
use super::states::States;
use crate::model::protocol::{Family, Protocol};
use crate::model::state::State;
use crate::model::urgency::Urgency;
use proptest::prelude::*;
use std::sync::Arc;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9:.,-]{1,8}", any::<String>()]
        .prop_filter("a needle is not empty", |text| !text.is_empty())
}

fn test() -> impl Strategy<Value = Test> {
    // `host` has no word for "any".
    let end = prop_oneof![Just(End::Local), Just(End::Remote), Just(End::Either)];
    let port_end = prop_oneof![
        Just(End::Local),
        Just(End::Remote),
        Just(End::Either),
        Just(End::Any)
    ];
    let compare = prop_oneof![
        Just(Compare::Equal),
        Just(Compare::Less),
        Just(Compare::LessOrEqual),
        Just(Compare::Greater),
        Just(Compare::GreaterOrEqual),
    ];
    let number = prop_oneof![
        Just(Number::RecvQueue),
        Just(Number::SendQueue),
        Just(Number::Retransmits),
        Just(Number::RxRate),
        Just(Number::TxRate),
        Just(Number::Drops),
    ];
    let states = proptest::collection::vec(any::<u8>(), 0..5).prop_map(|picks| {
        picks.into_iter().fold(States::NONE, |set, pick| {
            let state = State::ALL.get(usize::from(pick) % 15).copied();
            match state {
                Some(state) => set.with(States::one(state)),
                None if pick % 15 == 13 => set.with(States::one(State::Unknown(99))),
                None => States::ALL.without(set),
            }
        })
    });
    let fact = prop_oneof![
        Just(Fact::Process),
        Just(Fact::Unit),
        Just(Fact::Command),
        Just(Fact::Exe),
        Just(Fact::Directory),
        Just(Fact::ControlGroup),
    ];
    let prefix = (any::<std::net::IpAddr>(), any::<u8>()).prop_map(|(address, length)| {
        Prefix::new(address, length).unwrap_or_else(|| Prefix::whole(address))
    });
    let ports = prop_oneof![
        (compare.clone(), any::<u16>()).prop_map(|(how, port)| Ports::Compare(how, port)),
        (any::<u16>(), any::<u16>()).prop_map(|(a, b)| Ports::Range(a.min(b), a.max(b))),
    ];
    prop_oneof![
        states.prop_map(Test::States),
        (port_end, ports).prop_map(|(end, ports)| Test::Port(end, ports)),
        (end, prefix, any::<Option<u16>>())
            .prop_map(|(end, prefix, port)| Test::Host(end, prefix, port)),
        (fact, name()).prop_map(|(fact, text)| Test::Owner(fact, text)),
        name().prop_map(Test::Device),
        Just(Test::Autobound),
        name().prop_map(Test::Namespace),
        name().prop_map(Test::User),
        name().prop_map(Test::Text),
        prop_oneof![
            Just(Urgency::Normal),
            Just(Urgency::Look),
            Just(Urgency::Act)
        ]
        .prop_map(Test::Urgency),
        any::<u32>().prop_map(Test::Pid),
        any::<u32>().prop_map(Test::Uid),
        any::<u32>().prop_map(Test::Inode),
        prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)].prop_map(Test::Protocol),
        prop_oneof![Just(Family::Inet), Just(Family::Inet6)].prop_map(Test::Family),
        (number, compare.clone(), any::<u64>())
            .prop_map(|(number, how, value)| Test::Number(number, how, value)),
        (compare.clone(), prop_oneof![any::<u64>(), 0..200_000_u64])
            .prop_map(|(how, seconds)| Test::Age(how, seconds)),
        (compare, prop_oneof![any::<u64>(), 0..20_000_000_u64])
            .prop_map(|(how, micros)| Test::RoundTrip(how, micros)),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    test().prop_map(Expr::Is).prop_recursive(5, 40, 4, |inner| {
        let some = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Expr::and),
            some.prop_map(Expr::or),
            inner.prop_map(Expr::not),
        ]
    })
}

/// Tokens of the grammar, in any order.
fn soup() -> impl Strategy<Value = String> {
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
    let piece = (0..PIECES.len(), any::<bool>())
        .prop_map(|(place, spaced)| format!("{}{}", PIECES[place], if spaced { " " } else { "" }));
    proptest::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

/// Parses any text: an accepted one must print and parse back, a rejected one
/// must have an error that can be drawn.
fn survives(text: &str) -> Result<(), TestCaseError> {
    match Filter::parse(text) {
        Ok(filter) => {
            let printed = filter.to_string();
            prop_assert_eq!(Filter::parse(&printed), Ok(filter), "{}", printed);
        }
        Err(error) => {
            prop_assert!(text.get(error.span.clone()).is_some());
            prop_assert!(error.span.is_empty() || !text[error.span.clone()].is_empty());
            prop_assert_eq!(error.picture().lines().count(), 2);
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
    fn printing_is_undone_by_parsing(expr in expr()) {
        let filter = Filter { expr: Some(expr) };
        let printed = filter.to_string();
        prop_assert!(!printed.chars().any(crate::model::text::is_deceptive));
        prop_assert_eq!(Filter::parse(&printed), Ok(filter), "{}", printed);
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text)?;
    }

    #[test]
    fn any_soup_is_survived(text in soup()) {
        survives(&text)?;
    }

    #[test]
    fn a_free_text_matches_as_a_slow_search_would(needle in "[0-9.:a-f]{1,5}", local in any::<u32>(), port in any::<u16>()) {
        let mut world = world();
        let end = format!("{}:{port}", std::net::Ipv4Addr::from(local));
        let row = row(Protocol::Udp, State::Unknown(9), &end, "-");
        world.rows = Arc::new(vec![row]);
        let found = Filter { expr: Some(Expr::Is(Test::Text(needle.clone()))) }.matches(&row, &world);
        let service = super::services::of(&row.socket).unwrap_or_default();
        let slow = [end.as_str(), "udp", "unknown_9", "*", service].iter().any(|shown| shown.contains(&needle));
        prop_assert_eq!(found, slow);
    }
}
