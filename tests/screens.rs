//! The screens, as a person sees them: drawn from a made-up server and
//! compared with what was once looked at and found good.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "screens/stage.rs"]
mod stage;
#[path = "screens/typing.rs"]
mod typing;

use insta::{Settings, assert_snapshot};
use std::sync::Arc;
use tcplens::app::App;
use tcplens::app::effect::Effect;
use tcplens::app::message::{Gesture, Message, Spot};
use tcplens::listing::{Column, SortBy};
use tcplens::model::action::{ArmId, ArmedFacts, Grip, MOST_TARGETS, Outcome, Refusal, Target};
use tcplens::model::caution::Caution;
use tcplens::model::observation::Observation;
use tcplens::model::owner::ProcessId;
use tcplens::model::process::Process;
use tcplens::model::signal::Signal;
use tcplens::model::state::State;
use tcplens::model::text::Text;
use tcplens::view::theme::{Palette, Theme};
use typing::{drawn, press, text, text_and_styles, write};

const COLOUR: Theme = Theme {
    palette: Palette::Colour,
    ascii: false,
};

fn compare(name: &str, screen: &str) {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path("screens");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(name, screen));
}

fn look(name: &str, keys: &str, width: u16, height: u16) {
    let mut app = stage::app(stage::scene());
    drawn(&mut app, COLOUR, width, height);
    press(&mut app, keys);
    let (buffer, _) = drawn(&mut app, COLOUR, width, height);
    compare(name, &text(&buffer));
}

#[test]
fn the_table_with_its_colours() {
    for (name, width, height) in [("table_80x24", 80, 24), ("table_120x40", 120, 40)] {
        let mut app = stage::app(stage::scene());
        let (buffer, _) = drawn(&mut app, COLOUR, width, height);
        compare(name, &text_and_styles(&buffer));
    }
}

#[test]
fn the_table_on_other_screens() {
    look("table_200x50", "", 200, 50);
    look("table_40x12", "", 40, 12);
    look("table_20x5", "", 20, 5);
}

#[test]
fn what_connections_carry() {
    let mut app = stage::app(stage::flowing_scene());
    let (buffer, _) = drawn(&mut app, COLOUR, 160, 24);
    compare("flows_160x24", &text(&buffer));
    press(&mut app, "G Enter");
    let (_, _) = drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "G");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("flow_details_80x24", &text(&buffer));
}

/// What a frame of that height asks for.
fn asked_by_frame(app: &mut tcplens::app::App, height: u16) -> Vec<Effect> {
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 80, height));
    let frame = tcplens::view::draw(app, COLOUR, &mut buffer);
    app.update(Message::Drawn(frame.drawn))
}

#[test]
fn what_is_on_screen_is_asked_for_once() {
    let mut app = stage::app(stage::scene());
    let [Effect::Watch(shown)] = &asked_by_frame(&mut app, 24)[..] else {
        panic!("the first frame asks")
    };
    // No listener, no datagrams, nothing in SYN_RECV or TIME_WAIT.
    let mut states: Vec<State> = shown.iter().map(|socket| socket.state).collect();
    states.sort();
    let expected = [
        State::SynSent,
        State::Established,
        State::Established,
        State::Established,
        State::CloseWait,
        State::CloseWait,
    ];
    assert_eq!(states, expected);
    // An idle screen rests: neither the same frame nor the same rows in another
    // observation ask again.
    assert_eq!(asked_by_frame(&mut app, 24), []);
    press_observed(&mut app, 1);
    assert_eq!(asked_by_frame(&mut app, 24), []);
    // A smaller window shows others; only they are asked for.
    let [Effect::Watch(fewer)] = &asked_by_frame(&mut app, 9)[..] else {
        panic!("another window asks")
    };
    assert!(fewer.len() < shown.len());
    press(&mut app, "G");
    let [Effect::Watch(_)] = &asked_by_frame(&mut app, 9)[..] else {
        panic!("scrolling asks")
    };
}

#[test]
fn only_an_order_or_filter_by_flows_reads_them_for_all_rows() {
    let mut app = stage::app(stage::scene());
    app.sort.by = SortBy::Column(Column::Rtt);
    assert_eq!(press(&mut app, "n"), [Effect::IncludeFlows(true)]);
    assert_eq!(press(&mut app, "n"), []);
    app.sort.by = SortBy::Column(Column::State);
    assert_eq!(press(&mut app, "n"), [Effect::IncludeFlows(false)]);
    press(&mut app, "/");
    write(&mut app, "rx > 1kB");
    assert_eq!(press(&mut app, "Enter"), []);
    assert!(app.filter.needs_flows());
    assert_eq!(press(&mut app, "Esc"), [Effect::IncludeFlows(false)]);
}

#[test]
fn without_colour_nothing_is_lost() {
    let mut app = stage::app(stage::scene());
    let theme = Theme {
        palette: Palette::Mono,
        ascii: true,
    };
    let (buffer, _) = drawn(&mut app, theme, 80, 24);
    let screen = text_and_styles(&buffer);
    assert!(text(&buffer).is_ascii());
    for colour in ["Red", "Green", "Yellow", "Cyan", "Blue", "Magenta"] {
        assert!(!screen.contains(colour), "{colour}");
    }
    compare("table_mono_ascii", &screen);
}

#[test]
fn pages_about_one_socket() {
    look("details_80x24", "j j j j Enter", 80, 24);
    look("details_of_time_wait", "G Enter", 80, 24);
    look("explain_80x24", "x", 80, 24);
    look("help_80x24", "?", 80, 24);
    look("help_80x24_end", "? G", 80, 24);
    look("sort_menu", "s j j", 80, 24);
    look("paused", "p", 80, 24);
}

#[test]
fn a_filter_being_typed() {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, "state:syn-snet");
    let (buffer, frame) = drawn(&mut app, COLOUR, 80, 24);
    compare("prompt_with_error", &text(&buffer));
    assert!(frame.caret.is_some());
    press(&mut app, "Ctrl-u");
    write(&mut app, ":443 and state established");
    press(&mut app, "Enter");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("filtered", &text(&buffer));
    press(&mut app, "Esc");
    assert!(app.filter.is_all());
    press(&mut app, "/ Up");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(
        text(&buffer).contains(":443 and state established"),
        "history"
    );
    press(&mut app, "Esc");
    assert!(app.filter.is_all(), "Esc takes the typed filter back");
}

#[test]
fn findings_and_gaps() {
    let mut app = stage::app(stage::scan_scene());
    let (buffer, frame) = drawn(&mut app, COLOUR, 80, 24);
    compare("scan_80x24", &text_and_styles(&buffer));
    assert!(frame.spots.iter().any(|(_, spot)| *spot == Spot::Finding));
    press(&mut app, "F");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("findings_80x24", &text(&buffer));
    press(&mut app, "Esc");
    app.update(Message::Mouse(Gesture::Click, Spot::Finding));
    assert_eq!(app.order.len(), 300, "the finding leads to its rows");
    let mut app = stage::app(stage::hidden_scene());
    press(&mut app, "!");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("gaps_80x24", &text(&buffer));
    press(&mut app, "Esc");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("hidden_80x24", &text(&buffer));
}

#[test]
fn ending_a_process_asks_first() {
    let mut app = stage::app(stage::scene());
    write(&mut app, "/pid:812");
    press(&mut app, "Enter");
    let effects = press(&mut app, "K");
    let [Effect::Arm(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(target.pid, 811, "the owner with the smallest pid");
    assert!(
        press(&mut app, "y f").is_empty(),
        "nothing before it is armed"
    );
    let facts = ArmedFacts {
        target: target.clone(),
        command: Text::from("nginx: master process"),
        uid: Some(0),
        children: vec![(812, Text::from("nginx"))],
        descendants: vec![(812, Text::from("nginx"))],
        parent: Some((1, Text::from("systemd"))),
        ..ArmedFacts::default()
    };
    app.update(Message::Armed(*id, Ok(facts)));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("confirm_80x24", &text_and_styles(&buffer));
    let effects = press(&mut app, "y");
    assert_eq!(effects, [Effect::Signal(*id, Signal::Term)]);
    let after = std::time::Duration::from_millis(300);
    let signal = Signal::Term;
    app.update(Message::Acted(*id, Outcome::Ended { after, signal }));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("nginx (pid 811) ended 0.3 s after TERM."));
    // The next table may have been under way already: only the one after it
    // tells what became of the sockets.
    let again = press_observed(&mut app, 1);
    assert!(again.contains(&Effect::Refresh));
    press_observed(&mut app, 2);
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let screen: Vec<_> = text(&buffer)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let screen = screen.join(" ");
    assert!(
        screen.contains("Still held by other processes: 1."),
        "{screen}"
    );
    assert!(
        screen.contains("Port 443 is still held by nginx (pid 811) and 1 more."),
        "{screen}"
    );
}

/// The same world in a later table.
fn press_observed(app: &mut tcplens::app::App, later: u64) -> Vec<Effect> {
    let scene = stage::scene();
    let observation = tcplens::model::observation::Observation {
        number: scene.number + later,
        ..(*scene).clone()
    };
    app.update(Message::Observed(std::sync::Arc::new(observation)))
}

#[test]
fn a_question_that_cannot_be_read_cannot_be_answered() {
    let mut app = stage::app(stage::scene());
    let effects = press(&mut app, "K");
    let [Effect::Arm(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let facts = ArmedFacts {
        target: target.clone(),
        command: Text::new(&[b'x'; 4096]),
        uid: Some(0),
        children: vec![(812, Text::from("nginx"))],
        descendants: vec![(812, Text::from("nginx"))],
        parent: None,
        ..ArmedFacts::default()
    };
    app.update(Message::Armed(*id, Ok(facts)));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let screen = text(&buffer);
    assert!(screen.contains("holds its sockets too"), "{screen}");
    assert!(screen.contains("1 listening (:443)"), "{screen}");
    let (buffer, _) = drawn(&mut app, COLOUR, 12, 3);
    assert!(!text(&buffer).contains("TERM"));
    assert!(press(&mut app, "y f").is_empty());
    let (buffer, _) = drawn(&mut app, COLOUR, 20, 8);
    assert!(text(&buffer).contains("y TERM"), "{}", text(&buffer));
    assert_eq!(press(&mut app, "y").len(), 1);
}

/// The app with the dialog about one of its processes, armed with these facts.
fn asked(filter: &str, alter: impl Fn(ArmedFacts) -> ArmedFacts) -> (App, ArmId) {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, filter);
    press(&mut app, "Enter");
    let effects = press(&mut app, "K");
    let [Effect::Arm(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let facts = alter(armed_facts(target));
    app.update(Message::Armed(*id, Ok(facts)));
    (app, *id)
}

fn armed_facts(target: &Target) -> ArmedFacts {
    ArmedFacts {
        target: target.clone(),
        command: Text::from(format!("/usr/sbin/{} -D", target.name).as_str()),
        uid: Some(0),
        parent: Some((1, Text::from("systemd"))),
        ..ArmedFacts::default()
    }
}

fn with_workers(facts: ArmedFacts) -> ArmedFacts {
    let nginx = |pid| (pid, Text::from("nginx"));
    ArmedFacts {
        children: (812..815).map(nginx).collect(),
        descendants: (812..818).map(nginx).collect(),
        ..facts
    }
}

fn look_at_both(app: &mut App, name: &str) {
    for (size, width, height) in [("80x24", 80, 24), ("120x40", 120, 40)] {
        let (buffer, _) = drawn(app, COLOUR, width, height);
        compare(&format!("end_{name}_{size}"), &text(&buffer));
    }
}

#[test]
fn the_question_is_whole_on_a_small_screen() {
    let (mut app, _) = asked("process:sshd", |facts| facts);
    look_at_both(&mut app, "plain");
    let (mut app, _) = asked("process:sshd", |facts| ArmedFacts {
        zombie: true,
        parent: Some((640, Text::from("forgetful"))),
        ..facts
    });
    look_at_both(&mut app, "zombie");
    assert!(press(&mut app, "y f i h s c u U").is_empty());
    let (mut app, _) = asked("process:sshd", |facts| ArmedFacts {
        grip: Grip::Number,
        ..facts
    });
    look_at_both(&mut app, "racy");
    let (mut app, _) = asked("process:sshd", |facts| ArmedFacts {
        activated: true,
        ..facts
    });
    look_at_both(&mut app, "socket_unit");
    let (mut app, _) = asked("pid:811", with_workers);
    look_at_both(&mut app, "shared");
}

#[test]
fn every_signal_has_its_key() {
    let keys = ["y", "f", "i", "h", "s", "c", "u", "U"];
    for (key, signal) in keys.into_iter().zip(Signal::ALL) {
        let (mut app, id) = asked("process:sshd", |facts| facts);
        drawn(&mut app, COLOUR, 80, 24);
        assert_eq!(press(&mut app, key), [Effect::Signal(id, signal)]);
    }
}

#[test]
fn a_tree_is_asked_about_with_its_number() {
    let (mut app, id) = asked("pid:811", with_workers);
    drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "t");
    look_at_both(&mut app, "tree");
    drawn(&mut app, COLOUR, 80, 24);
    assert!(press(&mut app, "y").is_empty(), "not before it is typed");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("First type 7"));
    assert!(press(&mut app, "8 y").is_empty(), "not the wrong number");
    press(&mut app, "Backspace 7");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("end_tree_typed_80x24", &text(&buffer));
    // What was typed for the tree is not typed for the process, nor back.
    press(&mut app, "t t");
    assert!(press(&mut app, "y").is_empty());
    let effects = press(&mut app, "7 y");
    assert_eq!(effects, [Effect::SignalTree(id, Signal::Term)]);
    app.update(Message::Reached(id, 7));
    let signal = Signal::Term;
    app.update(Message::Acted(id, Outcome::Sent { signal }));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let said = "TERM is sent to nginx (pid 811) and 6 below it; not ended yet.";
    assert!(text(&buffer).contains(said), "{}", text(&buffer));
}

#[test]
fn the_tree_of_tcplens_itself_cannot_be_chosen() {
    let (mut app, id) = asked("pid:811", |facts| ArmedFacts {
        cautions: vec![Caution::OwnAncestor, Caution::ContainerInit],
        ..with_workers(facts)
    });
    look_at_both(&mut app, "typed");
    press(&mut app, "t");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("tcplens itself is in that tree"));
    assert!(press(&mut app, "y f").is_empty());
    assert_eq!(
        press(&mut app, "8 1 1 y"),
        [Effect::Signal(id, Signal::Term)]
    );
}

#[test]
fn several_tagged_rows_are_one_question() {
    let mut app = stage::app(stage::scene());
    // Every row, among them many of one process and some of nobody.
    press(&mut app, &"Space ".repeat(11));
    let effects = press(&mut app, "K");
    let pids: Vec<u32> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Arm(_, target) => target.pid,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pids.len(), 5, "each owner once: {pids:?}");
    let mut ids = Vec::new();
    for effect in effects {
        let Effect::Arm(id, target) = effect else {
            continue;
        };
        let result = match target.name.as_str() {
            "chronyd" => Err(Refusal::NotPermitted { uid: Some(104) }),
            _ => Ok(armed_facts(&target)),
        };
        let left_out = result.is_err();
        let effects = app.update(Message::Armed(id, result));
        if left_out {
            assert_eq!(effects, [Effect::Disarm(id)]);
        } else {
            ids.push(id);
        }
    }
    look_at_both(&mut app, "several");
    assert!(press(&mut app, "t y").is_empty());
    let effects = press(&mut app, "4 y");
    let expected: Vec<Effect> = ids
        .iter()
        .map(|id| Effect::Signal(*id, Signal::Term))
        .collect();
    assert_eq!(effects, expected);
    let signal = Signal::Term;
    let after = std::time::Duration::from_millis(1200);
    app.update(Message::Acted(ids[0], Outcome::Ended { after, signal }));
    app.update(Message::Acted(ids[1], Outcome::Refused(Refusal::Gone)));
    app.update(Message::Acted(ids[2], Outcome::Ended { after, signal }));
    app.update(Message::Acted(
        ids[3],
        Outcome::StillRunning { after, signal },
    ));
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    compare("ended_several_120x40", &text(&buffer));
}

#[test]
fn who_does_not_end_is_asked_about_again_and_never_killed_by_itself() {
    let (mut app, id) = asked("process:sshd", |facts| facts);
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(press(&mut app, "y"), [Effect::Signal(id, Signal::Term)]);
    let signal = Signal::Term;
    app.update(Message::Acted(id, Outcome::Sent { signal }));
    let after = std::time::Duration::from_secs(5);
    let effects = app.update(Message::Acted(id, Outcome::StillRunning { after, signal }));
    assert_eq!(effects, [], "it never escalates");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("still_running_80x24", &text(&buffer));
    // The same asking, so the same pidfd; its socket may be closed by now.
    let effects = press(&mut app, "K");
    let [Effect::Arm(again, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((*again, target.inode), (id, None));
    // To think better of it keeps the watch.
    assert_eq!(press(&mut app, "n"), []);
    press(&mut app, "K");
    app.update(Message::Armed(id, Ok(armed_facts(target))));
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(press(&mut app, "f"), [Effect::Signal(id, Signal::Kill)]);
    let signal = Signal::Kill;
    app.update(Message::Acted(id, Outcome::Ended { after, signal }));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("ended 5 s after KILL."));
}

#[test]
fn a_port_that_is_taken_again_names_the_new_process_and_its_unit() {
    for (unit, told) in [
        (
            "sshd.service",
            "systemctl stop sshd.service would end that.",
        ),
        ("a;b.service", "Its parent is systemd (pid 1)"),
    ] {
        let (mut app, id) = asked("process:sshd", |facts| facts);
        drawn(&mut app, COLOUR, 80, 24);
        press(&mut app, "y");
        let after = std::time::Duration::from_millis(300);
        let signal = Signal::Term;
        app.update(Message::Acted(id, Outcome::Ended { after, signal }));
        let scene = stage::scene();
        let again = |process: &Arc<Process>| match process.pid {
            640 => Arc::new(Process {
                pid: 5000,
                start_ticks: process.start_ticks + 1,
                started_ms: Some(scene.time.wall_ms + 400),
                unit: Some(Text::from(unit)),
                ..(**process).clone()
            }),
            _ => Arc::clone(process),
        };
        let observation = Observation {
            number: scene.number + 2,
            processes: scene.processes.iter().map(again).collect(),
            ..(*scene).clone()
        };
        app.update(Message::Observed(Arc::new(observation)));
        let (buffer, _) = drawn(&mut app, COLOUR, 160, 24);
        let screen = text(&buffer);
        let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        let taken = "Port 22 is taken again by sshd (pid 5000), a new process.";
        assert!(screen.contains(taken) && screen.contains(told), "{screen}");
    }
}

#[test]
fn more_processes_than_anybody_means_are_refused() {
    let scene = stage::scan_scene();
    let count = u32::try_from(MOST_TARGETS).unwrap() + 1;
    let mut observation = (*scene).clone();
    let process = |number: u32| {
        Arc::new(Process {
            pid: 1000 + number,
            ..Process::default()
        })
    };
    observation.processes = (0..count).map(process).collect();
    for (holder, number) in observation.holders.iter_mut().zip(0..) {
        holder.process = ProcessId(number % count);
    }
    let mut app = stage::app(Arc::new(observation));
    press(&mut app, &"Space ".repeat(400));
    assert!(
        press(&mut app, "K").is_empty(),
        "nobody is even taken hold of"
    );
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 24);
    let told = format!("No signal was sent: {count} processes at once are more");
    assert!(text(&buffer).contains(&told), "{}", text(&buffer));
}

#[test]
fn cancelling_lets_go_and_refusals_say_why() {
    let mut app = stage::app(stage::scene());
    let effects = press(&mut app, "K");
    let [Effect::Arm(id, _)] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(press(&mut app, "Esc"), [Effect::Disarm(id)]);
    let effects = press(&mut app, "K");
    let [Effect::Arm(id, _)] = effects[..] else {
        panic!("{effects:?}")
    };
    let refusal = Refusal::NotPermitted { uid: Some(0) };
    app.update(Message::Armed(id, Err(refusal)));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("refused_80x24", &text(&buffer));
}

#[test]
fn the_mouse_finds_what_lies_under_it() {
    let mut app = stage::app(stage::scene());
    let (_, frame) = drawn(&mut app, COLOUR, 120, 40);
    let spot_of = |wanted: Spot| {
        let found = frame.spots.iter().find(|(_, spot)| *spot == wanted);
        let (area, _) = found.unwrap_or_else(|| panic!("{wanted:?}"));
        frame.spot(area.as_position())
    };
    assert_eq!(spot_of(Spot::Row(2)), Spot::Row(2));
    app.update(Message::Mouse(Gesture::Click, Spot::Row(2)));
    assert_eq!(app.cursor.place(), 2);
    let heading = spot_of(Spot::Heading(Column::State));
    app.update(Message::Mouse(Gesture::Click, heading));
    assert_eq!(app.sort.by, SortBy::Column(Column::State));
    app.update(Message::Mouse(Gesture::Click, heading));
    assert!(app.sort.reverse);
    let chip = spot_of(Spot::Chip(Some(State::CloseWait)));
    app.update(Message::Mouse(Gesture::Click, chip));
    assert_eq!(app.order.len(), 2);
    app.update(Message::Mouse(Gesture::DoubleClick, Spot::Row(0)));
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    assert!(
        text(&buffer).contains("identity"),
        "a double click opens the details"
    );
}

#[test]
fn any_size_can_be_drawn() {
    let pages = ["", "Enter", "x", "?", "F", "!", "s", "/", "K", "p"];
    for keys in pages {
        for width in [0, 1, 2, 3, 7, 19, 80, 300] {
            for height in [0, 1, 2, 3, 4, 5, 9, 24, 100] {
                let mut app = stage::app(stage::scene());
                press(&mut app, keys);
                drawn(&mut app, COLOUR, width, height);
            }
        }
    }
}
