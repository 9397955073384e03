//! Tests: sentences from evidence, from the row to the text: a table, each case
//! rendered in both languages.

mod world;

use super::super::catalogue::Language;
use super::*;
use crate::filter::test_world::with_openers;
use crate::model::limits::Limits;
use crate::model::state::State;
use std::collections::BTreeSet;
use world::DiagnosisFixture;

/// Two lines a case: the evidence, as [`World::of`] parses it, and the expected
/// result: sentences, urgency, next actor, advice.
const CASES: &str = concat!(
    include_str!("tests/cases.txt"),
    include_str!("tests/path.txt")
);

/// The cases: evidence and expected result.
fn cases() -> Vec<(&'static str, &'static str)> {
    let lines: Vec<&str> = CASES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let pairs = lines.chunks(2);
    pairs.map(|pair| (pair[0], pair[1].trim_start())).collect()
}

/// The result, by names.
fn outcome(observation: &Observation) -> String {
    let row = &observation.rows[0];
    let context = DiagnosisContext::new(row, observation, Catalogue::of(Language::English));
    let choice = select(&context.facts());
    let names = |said: Vec<(&'static str, String)>| {
        let names: Vec<_> = said.into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    };
    format!(
        "{} | {} | {} | {}",
        names(sentences(&context, &choice)),
        choice.urgency.key(),
        choice.waits_on.unwrap_or("usual"),
        names(advice(&context, &choice)),
    )
}

#[test]
fn evidence_leads_to_its_words() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .map(|(words, expected)| (words, *expected, outcome(&DiagnosisFixture::of(words))))
        .filter(|(_, expected, found)| expected != found)
        .map(|(words, _, found)| format!("{words}\n  {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every state is among them, with and without an owner where both are
/// possible, and so is every sentence that an owner, a queue or a timer can
/// select.
#[test]
fn cases_cover_every_state_and_sentence() {
    let cases = cases();
    for state in State::ALL {
        let of_state: Vec<&str> = cases
            .iter()
            .map(|(words, _)| words.trim_start_matches("udp "))
            .filter(|words| words.split(' ').next() == Some(state.key()))
            .collect();
        let held = of_state.iter().any(|words| !words.contains("nobody="));
        let unheld = of_state.iter().any(|words| words.contains("nobody="));
        let record = matches!(state, State::TimeWait | State::SynReceived);
        assert!(unheld, "{state} without an owner");
        assert!(record || held, "{state} with an owner");
    }
    let said: BTreeSet<&str> = cases
        .iter()
        .flat_map(|(_, expected)| expected.split_whitespace())
        .collect();
    for name in "gives_up grows shrinks stays shared_owner last_owner last_data last_sent \
                 last_received no_data unread unread_fin recv_pending send_pending zero_window \
                 keepalive keepalive_failing no_keepalive full queue queue_full limit_zero \
                 owned orphan simultaneous first_or_both accept_queue leak many ports \
                 window_given_up window_silent stuck_here keepalive_failed fast_open unsent \
                 unsent_here mtu_later mtu_none paced held_back itself itself_blocks \
                 other_end_unread other_end_queued deadlock half_open target_full target_room \
                 target_nobody loopback keepalive_own keepalive_own_interval keepalive_every \
                 keepalive_by_count last_data_tried last_tried data_in_syn \
                 early_data"
        .split_whitespace()
    {
        assert!(said.contains(name), "no case of {name}");
    }
}

#[test]
fn every_rendered_sentence_is_complete_in_both_languages() {
    for (words, _) in cases() {
        let observation = DiagnosisFixture::of(words);
        for language in [Language::English, Language::Chinese] {
            let catalogue = Catalogue::of(language);
            let told = diagnose(&observation.rows[0], &observation, catalogue);
            assert!(!told.sentences.is_empty(), "{words}");
            let closed = observation.rows[0].phase == Phase::Closed;
            assert_eq!((1..=3).contains(&told.advice.len()), !closed, "{words}");
            assert_eq!(told.waits_for.is_empty(), closed, "{words}");
            let texts = told.sentences.iter().chain(&told.advice);
            let command = (!words.contains("sealed")).then_some(&told.ss_command);
            let texts = texts.chain([&told.headline]).chain(command);
            for text in texts.chain(&told.no_owner_reason) {
                assert!(!text.trim().is_empty(), "{words}");
                assert!(!text.contains("{}") && !has_place(text), "{words}: {text}");
            }
        }
    }
}

/// Rows without an owner have commands, too, and each is one for their namespace.
#[test]
fn commands_are_for_the_namespace_of_the_socket() {
    for evidence in [
        "time_wait @ nobody=time_wait like=120",
        "fin_wait_1 @ nobody=orphan timer=resend:3:2",
        "established @ nobody=accept_queue listener=full",
        "syn_received @ nobody=listener_request listener=full",
        "syn_sent @ timer=resend:3:1",
        "syn_sent @ remote=192.0.2.10:443 timer=resend:2:1",
        "established @ send=700 timer=window:4:3 room=65160",
        "close_wait @",
        "close_wait @ elsewhere=120 change=100",
        "syn_received @ elsewhere=120 change=100",
        "listen @ send=4 recv=5",
        "udp unconnected @ recv=200000",
    ] {
        for language in [Language::English, Language::Chinese] {
            let words = Catalogue::of(language);
            let told = |place: &str| {
                let observation = DiagnosisFixture::of(&evidence.replace('@', place));
                diagnose(&observation.rows[0], &observation, words)
            };
            let commands = |told: &Diagnosis| -> Vec<String> {
                let texts = told.advice.iter().chain([&told.ss_command]);
                let bound = [
                    "ss -",
                    "nstat ",
                    "tcpdump ",
                    "nft ",
                    "iptables ",
                    "sysctl ",
                    "traceroute ",
                    "ip route ",
                    "tcplens close ",
                ];
                texts
                    .flat_map(|text| bound.iter().filter_map(|name| text.split_once(name)))
                    .map(|(before, _)| before.to_owned())
                    .collect()
            };
            let here = commands(&told(""));
            let abroad = commands(&told("abroad"));
            assert_eq!(here.len(), abroad.len(), "{evidence}");
            assert!(!here.iter().any(|before| before.contains("nsenter")));
            for before in &abroad {
                assert!(
                    before.ends_with("nsenter -t 812 -n "),
                    "{evidence}: {before}"
                );
            }
            let sealed = told("sealed");
            assert_eq!(commands(&sealed), Vec::<String>::new(), "{evidence}");
            assert!(!sealed.advice.is_empty(), "{evidence}");
        }
    }
}

/// A full stop behind a command would be copied with it.
#[test]
fn no_full_stop_follows_a_command() {
    for language in [Language::English, Language::Chinese] {
        for (words, _) in cases() {
            let observation = DiagnosisFixture::of(words);
            let catalogue = Catalogue::of(language);
            let told = diagnose(&observation.rows[0], &observation, catalogue);
            for text in told.advice.iter().skip(1).chain([&told.ss_command]) {
                let last = text.chars().next_back();
                let stop = last.is_none_or(|last| ".,;:。，；".contains(last));
                let command = [": ", "："].iter().any(|colon| text.contains(colon));
                assert!(!stop || !command, "{words}: {text}");
            }
        }
    }
}

/// Numbers in the sentences.
#[test]
fn numbers_are_told_as_the_kernel_counts() {
    for (evidence, expected) in [
        // One more fits than the backlog.
        (
            "listen send=4 recv=4",
            "room for 5, so the queue is 80 % full",
        ),
        ("udp unconnected recv=768", "nstat -az UdpRcvbufErrors"),
        (
            "udp unconnected local=[::]:53 recv=768",
            "nstat -az UdpRcvbufErrors Udp6RcvbufErrors",
        ),
        (
            "udp unconnected local=[2001:db8::1]:53 recv=768",
            "nstat -az Udp6RcvbufErrors",
        ),
    ] {
        let observation = DiagnosisFixture::of(evidence);
        let words = Catalogue::of(Language::English);
        let told = diagnose(&observation.rows[0], &observation, words);
        let texts = told.sentences.iter().chain(&told.advice);
        let texts: Vec<&String> = texts.collect();
        let found = texts
            .iter()
            .any(|text| text.trim_end_matches('.').ends_with(expected));
        assert!(found, "{evidence}: {texts:?}");
    }
}

/// A time whose beginning was not seen is a lower bound.
#[test]
fn only_what_was_seen_to_begin_has_its_length() {
    for (words, expected) in [
        ("close_wait age=90", "CLOSE_WAIT for 1 min 30 s"),
        (
            "close_wait age=90 unseen",
            "CLOSE_WAIT for at least 1 min 30 s",
        ),
        (
            "close_wait age=3 was=established",
            "CLOSE_WAIT for 3 s, was ESTABLISHED",
        ),
        ("close_wait unseen once", "CLOSE_WAIT"),
        ("close_wait unseen age=0", "CLOSE_WAIT"),
        ("close_wait age=0", "CLOSE_WAIT for <1 s"),
        ("established closed", "ESTABLISHED"),
    ] {
        let observation = DiagnosisFixture::of(words);
        let words = Catalogue::of(Language::English);
        let told = diagnose(&observation.rows[0], &observation, words);
        assert_eq!(told.headline, expected);
    }
}

/// In the lab an extended time stands beside the one of the host, but only
/// where the two differ.
#[test]
fn what_the_lab_holds_longer_is_told_with_the_usual_time() {
    let outside = Limits {
        syn_retries: Some(6),
        syn_linear_timeouts: Some(4),
        synack_retries: Some(5),
        retries2: Some(15),
        orphan_retries: Some(0),
        ..Limits::default()
    };
    let raised = Limits {
        syn_retries: Some(127),
        synack_retries: Some(255),
        retries2: Some(255),
        ..outside
    };
    let cases = [
        (
            "syn_sent timer=resend:2:1",
            "(outside the lab about 2 min 11 s in all)",
        ),
        ("last_ack timer=resend:2:3", "(outside the lab about 15 min"),
        (
            "syn_received nobody=listener_request listener=ok timer=resend:2:3",
            "(outside the lab about 1 min 3 s)",
        ),
        (
            "fin_wait_1 timer=resend:2:3",
            "(outside the lab about 15 min",
        ),
        ("fin_wait_1 nobody=orphan timer=resend:2:3", ""),
        ("established", ""),
        (
            "time_wait nobody=time_wait timer=wait:0:59 age=9",
            "the minute begins anew",
        ),
        ("time_wait nobody=time_wait timer=wait:0:51 age=9", ""),
    ];
    for (words, expected) in cases {
        let mut observation = DiagnosisFixture::of(words);
        observation.limits = raised;
        let words_of = |language| {
            let words = Catalogue::of(language);
            let row = &observation.rows[0];
            let told = diagnose_in_lab(row, &observation, &outside, words);
            let same = diagnose(row, &observation, words);
            (told.sentences.concat(), same.sentences.concat())
        };
        let (told, same) = words_of(Language::English);
        assert!(told.contains(expected), "{words}: {told}");
        assert_eq!(told == same, expected.is_empty(), "{words}: {told}");
        let (told, same) = words_of(Language::Chinese);
        assert_eq!(told == same, expected.is_empty(), "{words}: {told}");
        let english = Catalogue::of(Language::English);
        let held =
            diagnose_in_lab(&observation.rows[0], &observation, &outside, english).host_duration;
        assert_eq!(held.is_none(), expected.is_empty(), "{words}: {held:?}");
        observation.limits = outside;
        let here = diagnose(&observation.rows[0], &observation, english);
        assert!(!here.sentences.concat().contains("the lab"), "{words}");
    }
}

/// True if a placeholder was left unfilled.
fn has_place(text: &str) -> bool {
    text.split('{').skip(1).any(|rest| {
        let name = rest.split('}').next().unwrap_or_default();
        name.chars()
            .all(|sign| sign.is_ascii_lowercase() || sign == '_')
    })
}

#[test]
fn the_unit_that_opened_it_is_told_where_nobody_is_known_to_hold_it() {
    for (words, expected) in [
        (
            "listen nobody=hidden",
            "opened by web.service: a process of that unit created it.",
        ),
        (
            "syn_sent nobody=hidden",
            "opened by web.service: a process of that unit created it.",
        ),
        (
            "established nobody=hidden",
            "created it, or the listener that it came in at.",
        ),
        (
            "last_ack nobody=orphan",
            "created it, or the listener that it came in at.",
        ),
        (
            "established nobody=accept_queue listener",
            "or the listener that it came in at.",
        ),
    ] {
        let world = with_openers(DiagnosisFixture::of(words), &[(0, "web.service")]);
        let said = diagnose(&world.rows[0], &world, Catalogue::of(Language::English));
        let told = said.sentences.join(" ");
        assert!(told.contains(expected), "{words}: {told}");
        let unknown = DiagnosisFixture::of(words);
        let said = diagnose(&unknown.rows[0], &unknown, Catalogue::of(Language::English));
        assert!(!said.sentences.join(" ").contains("opened by"), "{words}");
    }
    let held = with_openers(DiagnosisFixture::of("listen"), &[(0, "web.service")]);
    let said = diagnose(&held.rows[0], &held, Catalogue::of(Language::English));
    assert!(!said.sentences.join(" ").contains("web.service"));
}
