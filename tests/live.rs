//! The program and its library against this machine's kernel: real sockets,
//! real processes, and independent witnesses.
//!
//! Tests that send anything do so in a private network namespace, which a copy
//! of this program enters (see `live/namespace.rs`); hence no ordinary harness.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may fail loudly and say what it measured"
)]
#![allow(
    clippy::unnecessary_wraps,
    reason = "tests that never skip have the form of those that may"
)]

#[path = "live/absences.rs"]
mod absences;
#[path = "live/ages.rs"]
mod ages;
#[path = "live/bad_input.rs"]
mod bad_input;
#[path = "live/checks.rs"]
mod checks;
#[path = "live/churn.rs"]
mod churn;
#[path = "live/coverage.rs"]
mod coverage;
#[path = "live/crowd.rs"]
mod crowd;
#[path = "live/deeds.rs"]
mod deeds;
#[path = "live/destroy.rs"]
mod destroy;
#[path = "live/details.rs"]
mod details;
#[path = "live/differential.rs"]
mod differential;
#[path = "live/elsewhere.rs"]
mod elsewhere;
#[path = "live/ending.rs"]
mod ending;
#[path = "live/events.rs"]
mod events;
#[path = "live/evidence.rs"]
mod evidence;
#[path = "live/files.rs"]
mod files;
#[path = "live/flood.rs"]
mod flood;
#[path = "live/foretold.rs"]
mod foretold;
#[path = "live/gone.rs"]
mod gone;
#[path = "live/hidden_units.rs"]
mod hidden_units;
#[path = "live/hunt.rs"]
mod hunt;
#[path = "live/impostor.rs"]
mod impostor;
#[path = "live/keepalive.rs"]
mod keepalive;
#[path = "live/lessons.rs"]
mod lessons;
#[path = "live/namespace.rs"]
mod namespace;
#[path = "live/neighbour.rs"]
mod neighbour;
#[path = "live/no_proc.rs"]
mod no_proc;
#[path = "live/oracle.rs"]
mod oracle;
#[path = "live/orders.rs"]
mod orders;
#[path = "live/other.rs"]
mod other;
#[path = "live/path_mtu.rs"]
mod path_mtu;
#[path = "live/patience.rs"]
mod patience;
#[path = "live/payload.rs"]
mod payload;
#[path = "live/port_use.rs"]
mod port_use;
#[path = "live/proxies.rs"]
mod proxies;
#[path = "live/quiet.rs"]
mod quiet;
#[path = "live/readings.rs"]
mod readings;
#[path = "live/refusal.rs"]
mod refusal;
#[path = "live/reuse.rs"]
mod reuse;
#[path = "live/runs.rs"]
mod runs;
#[path = "live/session.rs"]
mod session;
#[path = "live/shown_commands.rs"]
mod shown_commands;
#[path = "live/stage.rs"]
mod stage;
#[path = "live/steps.rs"]
mod steps;
#[path = "live/storm.rs"]
mod storm;
#[path = "live/stuck.rs"]
mod stuck;
#[path = "live/table.rs"]
mod table;
#[path = "live/troubles.rs"]
mod troubles;
#[path = "live/unheld.rs"]
mod unheld;
#[path = "live/unknown.rs"]
mod unknown;
#[path = "live/unprivileged.rs"]
mod unprivileged;
#[path = "live/watch.rs"]
mod watch;
#[path = "live/way.rs"]
mod way;
#[path = "live/witness.rs"]
mod witness;

use libtest_mimic::{Arguments, Failed, Trial};
use namespace::Body;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A user without any privilege.
const NOBODY: u32 = 65534;

/// Each in a namespace of its own.
const INSIDE: &[(&str, Body)] = &[
    ("port_use_is_in_json", port_use::is_in_json),
    ("no_proc_is_said", no_proc::is_said),
    ("gone_address_is_told", gone::address_is_told),
    ("gone_interface_is_told", gone::interface_is_told),
    (
        "keepalive_spacing_is_observed",
        keepalive::spacing_is_observed,
    ),
    (
        "unknown_is_neither_yes_nor_no",
        unknown::is_neither_yes_nor_no,
    ),
    (
        "path_mtu_black_hole_is_named",
        path_mtu::black_hole_is_named,
    ),
    (
        "ages_of_idle_connections_are_known",
        ages::of_idle_connections_are_known,
    ),
    (
        "unknown_dual_stack_is_told_apart",
        unknown::dual_stack_is_told_apart,
    ),
    (
        "lessons_lead_where_their_labels_say",
        lessons::lead_where_their_labels_say,
    ),
    (
        "ends_come_as_they_were_foretold",
        foretold::ends_come_as_they_were_foretold,
    ),
    (
        "events_tell_what_was_carried",
        payload::is_told_with_the_end,
    ),
    (
        "lessons_tour_shows_what_it_says",
        lessons::tour_shows_what_it_says,
    ),
    (
        "lessons_begin_anew_once_their_program_is_ended",
        lessons::begin_anew_once_their_program_is_ended,
    ),
    ("lessons_tour_begins_anew", lessons::tour_begins_anew),
    (ROW_BY_ROW, differential::agrees_row_by_row),
    (ON_A_PAIR, differential::agrees_on_a_pair_of_devices),
    (
        "list_says_why_nobody_holds_a_row",
        differential::says_why_nobody_holds_it,
    ),
    (
        "absences_are_settled_by_exact_questions",
        absences::are_settled_by_exact_questions,
    ),
    (
        "absences_of_shared_ports_name_the_right_one",
        absences::of_shared_ports_name_the_right_one,
    ),
    (
        "absences_of_ipv6_listeners_hide_no_connection",
        absences::of_ipv6_listeners_hide_no_connection,
    ),
    ("details_agree_with_ss", details::agree_with_ss),
    (
        "evidence_tells_which_halves_are_shut",
        evidence::tells_which_halves_are_shut,
    ),
    (
        "evidence_tells_who_takes_ipv6_alone",
        evidence::tells_who_takes_ipv6_alone,
    ),
    ("evidence_tells_who_dialled", evidence::tells_who_dialled),
    ("readings_tell_what_ss_tells", readings::tell_what_ss_tells),
    (
        "rates_are_those_of_what_was_sent",
        details::rates_are_those_of_what_was_sent,
    ),
    (
        "the_steps_of_a_peer_lead_where_the_rfc_says",
        steps::lead_where_the_rfc_says,
    ),
    ("all_sockets_end_with_the_rig", steps::end_with_the_rig),
    (
        "the_parser_agrees_with_the_procfs_crate",
        oracle::parses_like_the_procfs_crate,
    ),
    (
        "a_session_is_followed_through_its_states",
        session::is_followed_through_its_states,
    ),
    (
        "churn_loses_no_long_lived_row",
        churn::loses_no_long_lived_row,
    ),
    (
        "ending_is_refused_for_who_must_not_be_ended",
        ending::is_refused_for_who_must_not_be_ended,
    ),
    (
        "closing_does_in_each_state_what_is_promised",
        destroy::does_in_each_state_what_is_promised,
    ),
    (
        "closing_never_hits_who_came_to_the_same_addresses",
        destroy::never_hits_who_came_to_the_same_addresses,
    ),
    (
        "closing_leaves_alone_what_has_changed",
        destroy::leaves_alone_what_has_changed,
    ),
    (
        "closing_finds_one_listener_among_many",
        destroy::finds_one_listener_among_many,
    ),
    ("orders_kill_who_is_meant", orders::kill_who_is_meant),
    (
        "orders_kill_nobody_by_foreign_numbers",
        orders::kill_nobody_by_foreign_numbers,
    ),
    ("orders_close_what_is_meant", orders::close_what_is_meant),
    (
        "closing_is_refused_to_an_ordinary_user",
        destroy::is_refused_to_an_ordinary_user,
    ),
    (
        "closing_is_seen_by_both_ends",
        destroy::is_seen_by_both_ends,
    ),
    (
        "closing_of_mptcp_does_what_is_said",
        destroy::of_mptcp_does_what_is_said,
    ),
    (
        "deeds_on_a_prefork_server_tell_who_still_holds_its_port",
        deeds::on_a_prefork_server_tell_who_still_holds_its_port,
    ),
    (
        "deeds_name_who_takes_the_port_again",
        deeds::name_who_takes_the_port_again,
    ),
    (
        "deeds_on_a_zombie_tell_who_must_take_note_of_it",
        deeds::on_a_zombie_tell_who_must_take_note_of_it,
    ),
    (
        "deeds_on_a_stubborn_process_offer_kill_and_wait",
        deeds::on_a_stubborn_process_offer_kill_and_wait,
    ),
    (
        "deeds_on_the_first_of_a_container_ask_for_its_number",
        deeds::on_the_first_of_a_container_ask_for_its_number,
    ),
    (
        "deeds_on_a_forking_tree_leave_nobody",
        deeds::on_a_forking_tree_leave_nobody,
    ),
    (
        "a_number_that_is_used_again_reaches_nobody_else",
        reuse::reaches_nobody_else,
    ),
    (
        "the_unit_of_a_hidden_owner_is_told_without_privilege",
        hidden_units::are_told_without_privilege,
    ),
    (
        "a_user_without_privilege_sees_every_row",
        unprivileged::sees_every_row_and_why_not_more,
    ),
    (
        "a_neighbouring_namespace_stands_in_the_same_table",
        neighbour::stands_in_the_same_table,
    ),
    (
        "events_tell_of_refused_connects",
        events::tell_of_refused_connects,
    ),
    (
        "events_tell_of_brief_connections",
        events::tell_of_brief_connections,
    ),
    (
        "events_that_are_lost_are_counted",
        events::that_are_lost_are_counted,
    ),
    (
        "events_of_elsewhere_are_told_only_if_asked_for",
        elsewhere::is_told_only_if_asked_for,
    ),
    (
        "events_follow_a_way_to_time_wait",
        way::is_followed_to_time_wait,
    ),
    ("events_keep_up_with_a_storm", events::keep_up_with_a_storm),
    ("events_are_missed_aloud", events::are_missed_aloud),
    ("events_leave_nothing_behind", events::leave_nothing_behind),
    (
        "events_of_a_dead_pid_namespace_are_removed",
        events::of_a_dead_pid_namespace_are_removed,
    ),
    ("a_flood_is_found_in_time", flood::is_found_in_time),
    (
        "two_hundred_successes_are_no_flood",
        flood::is_not_seen_in_success,
    ),
    ("a_lab_refused_is_a_line", refusal::is_a_line_that_helps),
    (
        "a_lab_refused_a_device_is_a_line",
        refusal::of_a_device_is_a_line,
    ),
    (
        "shown_commands_are_still_python",
        shown_commands::are_still_python,
    ),
    (
        "checks_find_what_a_rule_says",
        checks::find_what_a_rule_says,
    ),
    (
        "checks_tell_of_growth_and_end_early",
        checks::tell_of_growth_and_end_early,
    ),
    ("checks_find_what_is_over", checks::find_what_is_over),
    ("checks_refuse_what_is_wrong", checks::refuse_what_is_wrong),
    (
        "coverage_is_told_where_a_check_was_stopped",
        coverage::is_told_where_it_was_stopped,
    ),
    (
        "coverage_is_told_where_a_check_was_frozen",
        coverage::is_told_where_it_was_frozen,
    ),
    (
        "a_storming_tree_is_ended_to_the_last_process",
        storm::is_ended_to_the_last_process,
    ),
    (
        "a_named_namespace_is_read_alone",
        neighbour::is_read_alone_by_a_process_in_it,
    ),
    (
        "coverage_of_a_full_pipe_is_no_reason_to_stay",
        coverage::is_no_reason_to_stay,
    ),
    (
        "checks_hold_listeners_against_a_baseline",
        checks::hold_listeners_against_a_baseline,
    ),
    (
        "a_listener_that_nobody_holds_is_told_of",
        unheld::listener_is_told_of,
    ),
    (
        "an_impostor_fits_no_baseline_and_is_told",
        impostor::fits_no_baseline_and_is_told,
    ),
    (
        "files_are_of_who_called_sudo",
        files::are_of_who_called_sudo,
    ),
    (
        "files_say_nothing_of_what_is_hidden",
        files::say_nothing_of_what_is_hidden,
    ),
    (
        "files_of_root_are_not_quoted_to_others",
        files::of_root_are_not_quoted_to_others,
    ),
    (
        "files_are_whole_or_not_there",
        files::are_whole_or_not_there,
    ),
    (
        "files_are_not_read_where_others_could_exchange_them",
        files::are_not_read_where_others_could_exchange_them,
    ),
    (
        "settings_that_are_somewhere_are_missed",
        checks::miss_settings_that_are_somewhere,
    ),
    (
        "settings_out_of_reach_are_missed",
        checks::miss_settings_out_of_reach,
    ),
    ("stuck_on_itself", stuck::on_itself),
    ("stuck_behind_a_cork", stuck::behind_a_cork),
    ("stuck_at_its_own_pace", stuck::at_its_own_pace),
    ("stuck_without_a_device", stuck::without_a_device),
    ("stuck_for_a_silent_peer", stuck::for_a_silent_peer),
    (
        "settings_are_begun_and_shown",
        checks::begin_and_show_settings,
    ),
];

/// Loads in which each trouble must be found, and no other.
const HUNTED: [(&str, Body); 17] = [
    ("troubles_a_scan", troubles::a_scan),
    ("troubles_refusals", troubles::refusals),
    (
        "troubles_a_flood_answered_with_cookies",
        troubles::a_flood_answered_with_cookies,
    ),
    (
        "troubles_a_flood_without_cookies",
        troubles::a_flood_without_cookies,
    ),
    ("troubles_honest_clients", troubles::honest_clients),
    (
        "troubles_a_full_accept_queue",
        troubles::a_full_accept_queue,
    ),
    ("troubles_a_leak", troubles::a_leak),
    ("troubles_local_ports", troubles::local_ports),
    ("troubles_a_closed_window", troubles::a_closed_window),
    ("troubles_two_writers", troubles::two_writers),
    ("troubles_a_silent_peer", troubles::a_silent_peer),
    ("troubles_dropped_datagrams", troubles::dropped_datagrams),
    (
        "proxies_haproxy_at_its_limit",
        proxies::haproxy_at_its_limit,
    ),
    ("quiet_a_browser", quiet::a_browser),
    ("quiet_a_balancer", quiet::a_balancer),
    ("quiet_a_crawler", quiet::a_crawler),
    ("quiet_a_health_checker", quiet::a_health_checker),
];

/// Those that are repeated where tests take their time, and run by an ordinary
/// user as well.
const ROW_BY_ROW: &str = "list_agrees_row_by_row";
const ON_A_PAIR: &str = "list_agrees_row_by_row_on_a_pair_of_devices";
const BY_NOBODY: &str = "list_agrees_row_by_row_for_an_ordinary_user";

/// Those that take longest come first, so that none of them is left over at the end.
const LONG: [&str; 10] = [
    "ends_come_as_they_were_foretold",
    "churn_loses_no_long_lived_row",
    "closing_does_in_each_state_what_is_promised",
    "checks_hold_listeners_against_a_baseline",
    "troubles_local_ports",
    "two_hundred_successes_are_no_flood",
    "checks_find_what_is_over",
    "a_flood_is_found_in_time",
    "a_session_is_followed_through_its_states",
    "orders_kill_who_is_meant",
];

/// Those that need a processor for themselves run one at a time, beside those that wait:
/// they measure what is done under load, or who was running just then.
const HEAVY: [&str; 4] = [
    "churn_loses_no_long_lived_row",
    "closing_never_hits_who_came_to_the_same_addresses",
    "events_keep_up_with_a_storm",
    "events_tell_of_brief_connections",
];

/// Taken by the one of them that runs.
static PROCESSOR: Mutex<()> = Mutex::new(());

type Plain = fn() -> Result<(), Failed>;

/// Those that send nothing.
const OUTSIDE: [(&str, Plain); 4] = [
    (
        "bad_input_is_answered_in_a_line",
        bad_input::is_answered_in_a_line,
    ),
    (
        "bad_input_of_a_check_is_unknown_and_not_critical",
        bad_input::of_a_check_is_unknown_and_not_critical,
    ),
    (
        "input_that_matches_nothing_exits_1",
        bad_input::that_matches_nothing_exits_1,
    ),
    (
        "output_into_a_closed_pipe_is_quiet",
        bad_input::of_a_closed_pipe_is_quiet,
    ),
];

fn main() -> ExitCode {
    let arguments = || std::env::args().skip(1);
    // Copies come first: they must not have any thread yet.
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some(ended) = tcplens::lab::helper::run_if_helper(&words) {
        return ended;
    }
    if let Some((name, outside)) = namespace::asked(arguments()) {
        let mut bodies = INSIDE.iter().chain(&HUNTED);
        let (_, body) = bodies.find(|(known, _)| *known == name).unwrap();
        return namespace::play(*body, outside);
    }
    if reuse::asked(arguments()) {
        return reuse::play();
    }
    if let Some(outside) = neighbour::asked(arguments()) {
        return neighbour::play(outside);
    }
    if let Some(outside) = elsewhere::asked(arguments()) {
        return elsewhere::play(outside);
    }
    if let Some(outside) = flood::asked(arguments()) {
        return flood::play(outside);
    }
    if let Some(churner) = churn::asked(arguments()) {
        return churn::play(churner);
    }
    let inside = INSIDE.iter().map(|(name, _)| {
        Trial::ignorable_test(*name, move || {
            let heavy = HEAVY.contains(name);
            let _alone = heavy.then(|| PROCESSOR.lock().unwrap_or_else(PoisonError::into_inner));
            let began = Instant::now();
            let ran = match *name {
                ROW_BY_ROW | ON_A_PAIR => namespace::run_repeatedly(name, namespace::run),
                _ => namespace::run(name),
            };
            Ok(namespace::complete(name, ran?, began))
        })
    });
    let hunted = HUNTED.iter().map(|(name, _)| {
        Trial::ignorable_test(*name, move || {
            let began = Instant::now();
            Ok(namespace::complete(name, runs::run(name)?, began))
        })
    });
    let by_nobody = Trial::ignorable_test(BY_NOBODY, || {
        let began = Instant::now();
        let ran = namespace::run_repeatedly(ROW_BY_ROW, namespace::run_as_nobody)?;
        Ok(namespace::complete(BY_NOBODY, ran, began))
    });
    let outside = OUTSIDE.iter().map(|(name, test)| Trial::test(*name, *test));
    let mut all: Vec<Trial> = inside
        .chain(hunted)
        .chain([by_nobody])
        .chain(outside)
        .collect();
    all.sort_by_key(|trial| !LONG.contains(&trial.name()));
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(threads);
    libtest_mimic::run(&arguments, all).exit_code()
}

/// They wait for kernel timers and for time to pass far more than they compute.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(3, |cores| 3 * cores.get())
}
