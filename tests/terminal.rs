//! The program on a real pseudo-terminal: what a person sees and does, and
//! that the terminal is given back on every way out.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly and say what it measured"
)]

#[path = "terminal/closing.rs"]
mod closing;
#[path = "terminal/consent.rs"]
mod consent;
#[path = "terminal/execution.rs"]
mod execution;
#[path = "terminal/findings.rs"]
mod findings;
#[path = "terminal/inhabitants.rs"]
mod inhabitants;
#[path = "terminal/input.rs"]
mod input;
#[path = "terminal/jobs.rs"]
mod jobs;
#[path = "terminal/lab.rs"]
mod lab;
#[path = "terminal/lessons.rs"]
mod lessons;
#[path = "terminal/needs.rs"]
mod needs;
#[path = "terminal/privileges.rs"]
mod privileges;
#[path = "terminal/pty.rs"]
mod pty;
#[path = "terminal/random.rs"]
mod random;
#[path = "terminal/tree.rs"]
mod tree;

use inhabitants::{inhabitants, namespace, namespace_of_helpers, wait_until_deserted};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use needs::Need;
use pty::{Ended, Session, wait_for_state, words};
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use vt100::{MouseProtocolMode, Screen};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tcplens");

type Named = (&'static str, fn());

/// Those that need nothing but a terminal.
const ANYWHERE: &[Named] = &[
    (
        "shows_the_table_and_obeys_keys",
        shows_the_table_and_obeys_keys,
    ),
    (
        "pauses_sorts_and_leaves_with_ctrl_c",
        pauses_sorts_and_leaves_with_ctrl_c,
    ),
    (
        "gives_the_ordinary_screen_back_as_it_was",
        gives_the_ordinary_screen_back_as_it_was,
    ),
    (
        "leaves_the_terminal_to_signals_in_order",
        leaves_the_terminal_to_signals_in_order,
    ),
    (
        "a_frozen_terminal_does_not_keep_the_program",
        a_frozen_terminal_does_not_keep_the_program,
    ),
    #[cfg(debug_assertions)]
    (
        "a_panic_in_any_thread_gives_the_terminal_back_and_says_why",
        a_panic_in_any_thread_gives_the_terminal_back_and_says_why,
    ),
    ("stops_and_comes_back", stops_and_comes_back),
    (
        "a_terminal_that_vanishes_ends_the_program",
        a_terminal_that_vanishes_ends_the_program,
    ),
    (
        "any_size_is_survived_and_drawn",
        any_size_is_survived_and_drawn,
    ),
    ("colours_only_where_wanted", colours_only_where_wanted),
    (
        "a_process_is_ended_from_the_table",
        a_process_is_ended_from_the_table,
    ),
    ("who_only_looks_ends_nothing", who_only_looks_ends_nothing),
    (
        "closing::the_command_line_asks_as_the_screen_does",
        closing::the_command_line_asks_as_the_screen_does,
    ),
    (
        "consent::pasted_prose_ends_nothing_at_any_speed_of_a_line",
        consent::pasted_prose_ends_nothing_at_any_speed_of_a_line,
    ),
    (
        "consent::what_was_typed_before_the_question_on_the_command_line_answers_nothing",
        consent::what_was_typed_before_the_question_on_the_command_line_answers_nothing,
    ),
    (
        "findings::a_rule_of_ones_own_rings_is_shown_and_leads_to_its_rows",
        findings::a_rule_of_ones_own_rings_is_shown_and_leads_to_its_rows,
    ),
    (
        "input::a_key_together_with_a_resize_is_obeyed_at_once",
        input::a_key_together_with_a_resize_is_obeyed_at_once,
    ),
    (
        "input::bursts_with_resizes_leave_the_keyboard_alive",
        input::bursts_with_resizes_leave_the_keyboard_alive,
    ),
    (
        "input::the_key_that_leaves_does_so_whatever_stands_before_it",
        input::the_key_that_leaves_does_so_whatever_stands_before_it,
    ),
    (
        "input::a_paste_without_an_end_is_over_after_a_while",
        input::a_paste_without_an_end_is_over_after_a_while,
    ),
    (
        "input::a_filter_typed_raw_does_not_freeze_the_screen",
        input::a_filter_typed_raw_does_not_freeze_the_screen,
    ),
    (
        "input::without_descriptors_it_says_so_or_works",
        input::without_descriptors_it_says_so_or_works,
    ),
    (
        "input::a_size_that_the_kernel_does_not_tell_is_the_usual_one",
        input::a_size_that_the_kernel_does_not_tell_is_the_usual_one,
    ),
    (
        "jobs::any_stop_gives_way_to_the_shell_and_fg_takes_the_terminal_again",
        jobs::any_stop_gives_way_to_the_shell_and_fg_takes_the_terminal_again,
    ),
    (
        "jobs::continued_in_the_background_it_leaves_the_terminal_alone",
        jobs::continued_in_the_background_it_leaves_the_terminal_alone,
    ),
    (
        "lessons::segments_fly_by_themselves_to_the_end",
        lessons::segments_fly_by_themselves_to_the_end,
    ),
    (
        "execution::a_hang_up_runs_nothing_from_path",
        execution::a_hang_up_runs_nothing_from_path,
    ),
    (
        "privileges::every_thread_keeps_only_the_privileges_in_use",
        privileges::every_thread_keeps_only_the_privileges_in_use,
    ),
    (
        "random::random_keys_and_resizes_leave_it_alive",
        random::random_keys_and_resizes_leave_it_alive,
    ),
    (
        "tree::a_tree_is_ended_once_its_number_is_typed",
        tree::a_tree_is_ended_once_its_number_is_typed,
    ),
];

/// Those that open the lab.
const IN_THE_LAB: &[Named] = &[
    (
        "nothing_of_the_lab_outlives_the_program",
        nothing_of_the_lab_outlives_the_program,
    ),
    (
        "closing::a_connection_is_closed_after_a_yes",
        closing::a_connection_is_closed_after_a_yes,
    ),
    (
        "closing::a_listener_and_several_at_once_take_a_number",
        closing::a_listener_and_several_at_once_take_a_number,
    ),
    (
        "lab::the_lab_ends_its_own_processes_only",
        lab::the_lab_ends_its_own_processes_only,
    ),
    (
        "privileges::nor_in_a_lab_whose_programs_run",
        privileges::nor_in_a_lab_whose_programs_run,
    ),
    (
        "lab::a_learner_leads_a_socket_on",
        lab::a_learner_leads_a_socket_on,
    ),
    (
        "lab::a_lab_whose_program_was_ended_is_set_up_again",
        lab::a_lab_whose_program_was_ended_is_set_up_again,
    ),
];

/// Those that look at the filter of system calls.
const FILTERED: &[Named] = &[(
    "privileges::no_thread_may_start_a_program",
    privileges::no_thread_may_start_a_program,
)];

/// Those that watch the program's system calls.
const WATCHED: &[Named] = &[(
    "execution::a_hang_up_asks_the_kernel_to_execute_nothing",
    execution::a_hang_up_asks_the_kernel_to_execute_nothing,
)];

/// Those that look at the kernel's trace from outside.
const TRACED: &[Named] = &[(
    "the_trace_of_the_live_table_ends_with_it",
    the_trace_of_the_live_table_ends_with_it,
)];

/// Each says how long it took. One that cannot run here is ignored, with its reason: it
/// has not passed.
fn main() -> ExitCode {
    let trial = |need: Need| {
        move |(name, test): &Named| {
            let (name, test) = (*name, *test);
            Trial::ignorable_test(name, move || run(name, need, test))
        }
    };
    let anywhere = ANYWHERE.iter().map(trial(Need::Nothing));
    let in_the_lab = IN_THE_LAB.iter().map(trial(Need::LabContext));
    let traced = TRACED.iter().map(trial(Need::Trace));
    let filtered = FILTERED.iter().map(trial(Need::Seccomp));
    let watched = WATCHED.iter().map(trial(Need::Strace));
    let all = anywhere.chain(in_the_lab).chain(traced);
    let all = all.chain(filtered).chain(watched).collect();
    libtest_mimic::run(&Arguments::from_args(), all).exit_code()
}

fn run(name: &str, need: Need, test: fn()) -> Result<Completion, Failed> {
    if let Err(lack) = need.is_met(PROGRAM) {
        return lack.complete();
    }
    let began = Instant::now();
    test();
    println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(Completion::Completed)
}

/// A terminal that vanished must end the program within this time…
const HANG_UP: Duration = Duration::from_secs(1);
/// …and this much processor time. Spinning would use all of it and more.
const HANG_UP_CPU: Duration = Duration::from_millis(500);

/// How often a race is tried: a few times with every change, many now and then.
fn tries(few: u16, many: u16) -> u16 {
    let deep = std::env::var_os("TCPLENS_DEEP").is_some_and(|deep| deep == "1");
    if deep { many } else { few }
}

fn start(arguments: &[&str]) -> Session {
    Session::start(PROGRAM, arguments, &[])
}

/// Waits until the live table stands.
fn wait_for_table(session: &Session) {
    session.wait_for("the live table", is_table);
}

fn is_table(screen: &Screen) -> bool {
    let words = words(screen);
    screen.alternate_screen() && words.contains(" socket") && words.contains("q quit")
}

fn assert_restored(ended: &Ended) {
    assert!(ended.modes_restored, "the terminal is not cooked again");
    assert_ordinary(&ended.screen);
}

fn assert_ordinary(screen: &Screen) {
    assert!(!screen.alternate_screen(), "still on the alternate screen");
    assert!(!screen.hide_cursor(), "the cursor is hidden");
    assert!(!screen.bracketed_paste(), "pastes are still bracketed");
    assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None);
    assert_eq!(screen.fgcolor(), vt100::Color::Default);
    assert_eq!(screen.bgcolor(), vt100::Color::Default);
    assert!(!screen.bold() && !screen.inverse() && !screen.underline());
}

/// A process that listens on a port of loopback until it is ended, or until
/// its input closes with the test: it never writes to its output.
fn victim() -> (Child, u16) {
    listening(&mut Command::new("cat"))
}

/// The same with another command that ends with its input.
fn listening(command: &mut Command) -> (Child, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::from(OwnedFd::from(listener)))
        .spawn()
        .unwrap();
    (child, port)
}

fn shows_the_table_and_obeys_keys() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut session = start(&[]);
    wait_for_table(&session);
    session.wait_for("our modes", |screen| {
        screen.hide_cursor()
            && screen.bracketed_paste()
            && screen.mouse_protocol_mode() != MouseProtocolMode::None
    });
    assert!(!session.modes_restored(), "the terminal is raw");

    session.keys(&format!("/:{port}\r"));
    session.wait_for_text("1 of 1");
    let words = session.words();
    assert!(words.contains(&format!("127.0.0.1:{port}")), "{words}");
    assert!(words.contains("LISTEN"), "{words}");
    // A first table may come before its owners.
    session.wait_for_text(&std::process::id().to_string());

    session.keys("?");
    session.wait_for_text("/ F4 show only the rows");
    // On a page q goes back; from the table it leaves.
    session.keys("q");
    session.wait_for_text("1 of 1");
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

fn pauses_sorts_and_leaves_with_ctrl_c() {
    let mut session = start(&[]);
    wait_for_table(&session);
    session.keys("p");
    session.wait_for_text("PAUSED");
    session.keys("p");
    session.wait_for("no PAUSED", |screen| !words(screen).contains("PAUSED"));
    session.keys("s");
    session.wait_for_text("Sort by");
    session.keys("j\r");
    session.wait_for_text("Sorted by");
    session.keys("/state syn-snet");
    session.wait_for_text("did you mean `syn_sent`?");
    session.keys("\x03");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

fn gives_the_ordinary_screen_back_as_it_was() {
    let script = "echo written before; exec \"$0\"";
    let mut session = Session::start("sh", &["-c", script, PROGRAM], &[]);
    wait_for_table(&session);
    assert!(!session.words().contains("written before"));
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
    assert_eq!(words(&ended.screen), "written before");
}

/// How many traces of the kernel's events a program has.
fn traces(pid: impl std::fmt::Display) -> usize {
    let names = fs::read_dir("/sys/kernel/tracing/instances");
    let names = names.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mark = format!("-{pid}-");
    names
        .filter(|name| name.starts_with("tcplens-") && name.contains(&mark))
        .count()
}

fn the_trace_of_the_live_table_ends_with_it() {
    let mut session = start(&["--events", "on"]);
    wait_for_table(&session);
    let pid = session.pid();
    // A first table may come before it.
    let until = Instant::now() + Duration::from_mins(1);
    while traces(pid) == 0 {
        assert!(Instant::now() < until, "no trace");
        std::thread::sleep(Duration::from_millis(20));
    }
    session.keys("q");
    assert_eq!(session.ended().code, 0);
    assert_eq!(traces(pid), 0);
    let mut session = start(&["--events", "off"]);
    wait_for_table(&session);
    assert_eq!(traces(session.pid()), 0);
    session.keys("q");
    assert_eq!(session.ended().code, 0);
}

fn leaves_the_terminal_to_signals_in_order() {
    let signals = [
        (Signal::TERM, 143),
        (Signal::INT, 130),
        (Signal::HUP, 129),
        (Signal::QUIT, 131),
        (Signal::ABORT, 134),
        (Signal::USR1, 138),
        (Signal::USR2, 140),
        (Signal::ALARM, 142),
        (Signal::VTALARM, 154),
        (Signal::PROF, 155),
        (Signal::XCPU, 152),
        (Signal::IO, 157),
    ];
    for (signal, code) in signals {
        let session = start(&[]);
        wait_for_table(&session);
        let pid = session.pid();
        session.signal(signal);
        let ended = session.ended();
        assert_eq!(ended.code, code, "{signal:?}");
        assert_restored(&ended);
        assert_eq!(traces(pid), 0, "{signal:?}");
    }
}

fn a_frozen_terminal_does_not_keep_the_program() {
    let mut session = start(&[]);
    wait_for_table(&session);
    session.freeze();
    // It draws, and waits to be allowed to.
    session.keys("?");
    session.signal(Signal::TERM);
    let ended = session.ended();
    assert_eq!(ended.code, 143);
    // What it would have to write it cannot; the modes it can set.
    assert!(ended.modes_restored, "the terminal is not cooked again");
}

#[cfg(debug_assertions)]
fn a_panic_in_any_thread_gives_the_terminal_back_and_says_why() {
    // Threads race, so each is tried more than once.
    for thread in ["main", "poller"].repeat(4) {
        let session = Session::start(PROGRAM, &[], &[("TCPLENS_TEST_PANIC", thread)]);
        let pid = session.pid();
        let ended = session.ended();
        assert_eq!(traces(pid), 0, "{thread}");
        assert_eq!(ended.code, 101, "{thread}");
        assert_restored(&ended);
        let said = words(&ended.screen);
        let expected = format!("asked to panic in {thread}");
        assert!(said.contains(&expected), "{thread}: {said}");
    }
}

fn stops_and_comes_back() {
    let mut session = start(&[]);
    // By the key, and by the signal that a shell's `kill -TSTP` sends.
    for by_key in [true, false] {
        wait_for_table(&session);
        if by_key {
            session.keys("\x1a");
        } else {
            session.signal(Signal::TSTP);
        }
        wait_for_state(session.pid(), &['T']);
        session.wait_for("the ordinary screen", |screen| !screen.alternate_screen());
        session.wait_for("the cursor", |screen| !screen.hide_cursor());
        assert!(session.modes_restored(), "the terminal is cooked");
        session.signal(Signal::CONT);
    }
    wait_for_table(&session);
    session.wait_for("our modes", |screen| {
        screen.hide_cursor() && screen.mouse_protocol_mode() != MouseProtocolMode::None
    });
    assert!(!session.modes_restored(), "the terminal is raw again");
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

fn a_terminal_that_vanishes_ends_the_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let filter = format!(":{}", listener.local_addr().unwrap().port());
    // Alone; where the hang-up signal is ignored; and behind a shell that
    // leads the session, where no signal comes at all (sudo, tmux).
    let scripts = [
        "exec \"$0\" \"$@\"",
        "trap '' HUP; exec \"$0\" \"$@\"",
        "trap '' HUP; \"$0\" \"$@\"; exit $?",
    ];
    for script in scripts {
        // Nothing to draw for an hour: a failing write must not be what tells
        // it.
        let arguments = ["-c", script, PROGRAM, "--interval", "1h", &filter];
        let session = Session::start("sh", &arguments, &[]);
        session.wait_for_text("1 of 1");
        let vanished = session.vanish();
        println!(
            "terminal gone, {script}: ended after {:?} with {:?} of processor time, code {}",
            vanished.after, vanished.cpu, vanished.code
        );
        assert!(vanished.after < HANG_UP, "{:?}", vanished.after);
        assert!(vanished.cpu < HANG_UP_CPU, "{:?}", vanished.cpu);
        // An error, or the hang-up signal, whichever comes first.
        assert!([2, 129].contains(&vanished.code), "{}", vanished.code);
    }
}

fn any_size_is_survived_and_drawn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut session = start(&[&format!(":{port}")]);
    session.wait_for_text("1 of 1");
    for (rows, columns) in [(5, 20), (1, 1), (50, 200), (2, 2), (1, 300), (24, 80)] {
        session.resize(rows, columns);
        // With every page and menu, too, each left by q. Escape followed at
        // once by another key would be one key, not two.
        for page in ["?", "\r", "x", "s", "!"] {
            session.keys(page);
            session.keys("q");
        }
        if rows >= 24 {
            session.wait_for_text("1 of 1");
        }
    }
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

/// The parameters of every SGR sequence (`ESC [ … m`) that sets a colour.
fn colours(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    text.split("\x1b[")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|letter: char| !matches!(letter, '0'..='9' | ';' | ':'))?;
            rest[end..].starts_with('m').then(|| rest[..end].to_owned())
        })
        .filter(|parameters| {
            parameters.split([';', ':']).any(|parameter| {
                matches!(
                    parameter.parse::<u8>(),
                    Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)
                )
            })
        })
        .collect()
}

fn colours_of(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut session = Session::start(PROGRAM, arguments, environment);
    wait_for_table(&session);
    session.keys("?");
    session.wait_for_text("/ F4 show only the rows");
    session.keys("q");
    session.wait_for("the table again", |screen| {
        !words(screen).contains("/ F4 show")
    });
    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    drop(listener);
    colours(&ended.bytes)
}

fn colours_only_where_wanted() {
    assert!(!colours_of(&[], &[]).is_empty(), "this test can fail");
    let none: Vec<String> = Vec::new();
    assert_eq!(colours_of(&[], &[("NO_COLOR", "1")]), none);
    assert_eq!(colours_of(&["--color", "never"], &[]), none);
    let asked = colours_of(&["--color", "always"], &[("NO_COLOR", "1")]);
    assert!(!asked.is_empty(), "a flag outweighs the environment");
}

fn a_process_is_ended_from_the_table() {
    let (mut victim, port) = victim();
    let pid = victim.id();
    let mut session = start(&[]);
    wait_for_table(&session);
    session.keys(&format!("/pid:{pid}\r"));
    session.wait_for_text("1 of 1");
    assert!(session.words().contains(&format!("127.0.0.1:{port}")));

    session.keys("K");
    session.wait_for_text(&format!("End cat (pid {pid})?"));
    session.wait_for_text(&format!("1 listening (:{port})"));
    session.keys("n");
    session.wait_for("no question", |screen| !words(screen).contains("End cat"));
    assert_eq!(victim.try_wait().unwrap(), None, "nothing was sent");

    session.keys("K");
    session.wait_for_text(&format!("End cat (pid {pid})?"));
    session.wait_for_text("started");
    session.answer("y");
    session.wait_for_text(&format!("cat (pid {pid}) ended"));
    session.wait_for_text("Its socket is gone from the table.");
    session.wait_for_text(&format!("Port {port} is free."));
    let status = victim.wait().unwrap();
    assert_eq!(status.signal(), Some(15), "by SIGTERM, and really gone");

    session.keys("q");
    let ended = session.ended();
    assert_eq!(ended.code, 0);
    assert_restored(&ended);
}

fn who_only_looks_ends_nothing() {
    let (mut victim, _) = victim();
    let pid = victim.id();
    let mut session = start(&["--read-only", &format!("pid:{pid}")]);
    session.wait_for_text("1 of 1");
    assert!(!session.words().contains("K end process"), "no such key");
    session.keys("K");
    session.wait_for_text("Nothing can be ended here");
    session.keys("y");
    session.keys("?");
    session.wait_for_text("all about this socket");
    assert!(!session.words().contains("K F9"), "help does not list it");
    assert_eq!(victim.try_wait().unwrap(), None, "nothing was sent");
    session.keys("qq");
    assert_eq!(session.ended().code, 0);
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// The lab, how many processes live in it at least, and what its table shows.
const LABS: [(&[&str], usize, &str); 4] = [
    (&["lab", "--everything", "state:closing"], 2, "CLOSING"),
    (&["lab", "--tour"], 3, "lab 0/10"),
    (&["lab", "state:closing"], 2, "CLOSING"),
    (
        &[
            "lab",
            "--sockets",
            "1000",
            "--processes",
            "5",
            "state:syn-sent",
        ],
        5,
        "SYN_SENT",
    ),
];

fn nothing_of_the_lab_outlives_the_program() {
    for (arguments, least, shown) in LABS {
        for killed in [true, false] {
            let mut session = start(arguments);
            wait_for_table(&session);
            session.wait_for_text(shown);
            let lab = namespace_of_helpers(session.pid()).unwrap();
            assert_ne!(Some(lab), namespace(std::process::id()), "a lab of its own");
            let mut there = inhabitants(lab);
            there.retain(|pid| *pid != session.pid());
            let there = there.len();
            assert!(there >= least, "{there} helpers");
            if killed {
                session.signal(Signal::KILL);
            } else {
                session.keys("q");
                let ended = session.ended();
                assert_eq!(ended.code, 0);
                assert_restored(&ended);
            }
            let after = wait_until_deserted(lab);
            let how = if killed { "killed" } else { "left" };
            println!("{arguments:?} {how}: {there} helpers and the program gone after {after:?}");
        }
    }
}
