//! The question before processes are ended, and what is told afterwards.

use super::typing::{drawn, later, press, text, text_and_styles, write};
use super::{COLOUR, compare, press_observed, stage};
use std::sync::Arc;
use tcplens::app::App;
use tcplens::app::command::Command;
use tcplens::app::effect::Effect;
use tcplens::app::keys::Key;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::model::action::{
    AccessMode, HandleKind, MAX_TARGETS, ProcessState, ProcessTarget, SignalOutcome, SignalRefusal,
    TargetFacts, TargetId,
};
use tcplens::model::observation::Observation;
use tcplens::model::owner::ProcessId;
use tcplens::model::process::Process;
use tcplens::model::risk::Risk;
use tcplens::model::signal::Signal;
use tcplens::model::text::Text;
use tcplens::model::unit::Unit;

#[test]
fn ending_a_process_asks_first() {
    let mut app = stage::app(stage::scene());
    write(&mut app, "/pid:812");
    press(&mut app, "Enter");
    press(&mut app, "K");
    assert!(
        press(&mut app, "y Enter").is_empty(),
        "nothing before it is armed"
    );
    press(&mut app, "n");
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(target.pid, 811, "the owner with the smallest pid");
    let facts = TargetFacts {
        target: target.clone(),
        command: Text::from("nginx: master process"),
        uid: Some(0),
        children: vec![(812, Text::from("nginx"))],
        descendants: vec![(812, Text::from("nginx"))],
        parent: Some((1, Text::from("systemd"))),
        ..TargetFacts::default()
    };
    app.update(Message::TargetAcquired(*id, Ok(facts)));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("confirm_80x24", &text_and_styles(&buffer));
    let effects = press(&mut app, "y");
    assert_eq!(effects, [Effect::Signal(*id, Signal::Term)]);
    let after = std::time::Duration::from_millis(300);
    let signal = Signal::Term;
    app.update(Message::SignalOutcome(
        *id,
        SignalOutcome::Exited { after, signal },
    ));
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

#[test]
fn a_question_that_cannot_be_read_cannot_be_answered() {
    let mut app = stage::app(stage::scene());
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let facts = TargetFacts {
        target: target.clone(),
        command: Text::new(&[b'x'; 4096]),
        uid: Some(0),
        children: vec![(812, Text::from("nginx"))],
        descendants: vec![(812, Text::from("nginx"))],
        parent: None,
        ..TargetFacts::default()
    };
    app.update(Message::TargetAcquired(*id, Ok(facts)));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let screen = text(&buffer);
    assert!(screen.contains("holds its sockets too"), "{screen}");
    assert!(screen.contains("1 listening (:443)"), "{screen}");
    let (buffer, _) = drawn(&mut app, COLOUR, 12, 3);
    assert!(!text(&buffer).contains("send TERM"));
    assert!(press(&mut app, "y Enter").is_empty());
    let (buffer, _) = drawn(&mut app, COLOUR, 20, 20);
    assert!(text(&buffer).contains("send TERM"), "{}", text(&buffer));
    assert_eq!(press(&mut app, "y").len(), 1);
}

/// The app with the dialog about one of its processes, armed with these facts.
fn asked(filter: &str, alter: impl Fn(TargetFacts) -> TargetFacts) -> (App, TargetId) {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, filter);
    press(&mut app, "Enter");
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let facts = alter(armed_facts(target));
    app.update(Message::TargetAcquired(*id, Ok(facts)));
    (app, *id)
}

fn armed_facts(target: &ProcessTarget) -> TargetFacts {
    TargetFacts {
        target: target.clone(),
        command: Text::from(format!("/usr/sbin/{} -D", target.name).as_str()),
        uid: Some(0),
        parent: Some((1, Text::from("systemd"))),
        ..TargetFacts::default()
    }
}

fn with_workers(facts: TargetFacts) -> TargetFacts {
    let nginx = |pid| (pid, Text::from("nginx"));
    TargetFacts {
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
    let (mut app, _) = asked("process:sshd", |facts| TargetFacts {
        state: ProcessState::Zombie,
        parent: Some((640, Text::from("forgetful"))),
        ..facts
    });
    look_at_both(&mut app, "zombie");
    assert!(press(&mut app, "y Enter Down y Tab Enter").is_empty());
    let (mut app, _) = asked("process:sshd", |facts| TargetFacts {
        handle: HandleKind::PidOnly,
        ..facts
    });
    look_at_both(&mut app, "racy");
    let (mut app, _) = asked("process:sshd", |facts| TargetFacts {
        socket_activated: true,
        ..facts
    });
    look_at_both(&mut app, "socket_unit");
    let (mut app, _) = asked("process:sshd", |facts| TargetFacts {
        state: ProcessState::Stopped,
        ..facts
    });
    look_at_both(&mut app, "stopped");
    let (mut app, _) = asked("process:sshd", |facts| TargetFacts {
        current_name: Some(Text::from("kworker/0:1")),
        current_program: Some(Text::from("/tmp/.x/miner")),
        ..facts
    });
    look_at_both(&mut app, "changed");
    let (mut app, _) = asked("pid:811", with_workers);
    look_at_both(&mut app, "shared");
}

#[test]
fn every_signal_is_chosen_from_the_list() {
    for (steps, signal) in Signal::ALL.into_iter().enumerate() {
        for (forth, answer) in [("Down", "Enter"), ("Tab", "y"), ("Right", "Enter")] {
            let (mut app, id) = asked("process:sshd", |facts| facts);
            drawn(&mut app, COLOUR, 80, 24);
            press(&mut app, &format!("{forth} ").repeat(steps));
            let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
            let screen = text(&buffer);
            assert!(screen.contains(&format!("> {signal}")), "{screen}");
            assert!(screen.contains(&format!("send {signal}")), "{screen}");
            assert_eq!(press(&mut app, answer), [Effect::Signal(id, signal)]);
        }
    }
    // Back again, and by the mouse.
    let (mut app, id) = asked("process:sshd", |facts| facts);
    drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "Down Down Up Left Up");
    let (_, frame) = drawn(&mut app, COLOUR, 80, 24);
    let is_hup = |(_, spot): &&(_, HitTarget)| *spot == HitTarget::Signal(Signal::Hup);
    let (_, spot) = frame.hit_targets.iter().find(is_hup).unwrap();
    let click = Message::Mouse(MouseAction::Click, *spot);
    assert!(
        app.update(click).is_empty(),
        "a click chooses, and sends nothing"
    );
    assert!(
        press(&mut app, "Enter").is_empty(),
        "not before it is drawn"
    );
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(press(&mut app, "Enter"), [Effect::Signal(id, Signal::Hup)]);
}

#[test]
fn no_letter_but_y_sends_anything() {
    for letter in '!'..='~' {
        let (mut app, id) = asked("process:sshd", |facts| facts);
        drawn(&mut app, COLOUR, 80, 24);
        let key = Key::Char(letter);
        let effects = later(&mut app, Message::Key(key));
        let sends = effects.contains(&Effect::Signal(id, Signal::Term));
        assert_eq!(sends, letter == 'y', "{letter}");
        let signals = |effect: &Effect| matches!(effect, Effect::Signal(..));
        assert_eq!(effects.iter().any(signals), letter == 'y', "{letter}");
    }
}

#[test]
fn the_question_is_explained_and_nothing_is_sent_from_there() {
    for help in ["h", "?", "F1"] {
        let (mut app, id) = asked("pid:811", with_workers);
        drawn(&mut app, COLOUR, 80, 24);
        press(&mut app, help);
        for (size, width, height) in [("80x24", 80, 24), ("120x40", 120, 40)] {
            let (buffer, _) = drawn(&mut app, COLOUR, width, height);
            compare(&format!("end_explained_{size}"), &text(&buffer));
        }
        assert!(press(&mut app, "y Down y").is_empty());
        // Enter leaves it, and answers nothing until the question is seen again.
        assert!(press(&mut app, "Enter Enter y").is_empty());
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        assert!(text(&buffer).contains("> TERM"));
        assert_eq!(press(&mut app, "Enter"), [Effect::Signal(id, Signal::Term)]);
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
    assert!(press(&mut app, "7 y").is_empty(), "not before it was drawn");
    drawn(&mut app, COLOUR, 80, 24);
    let effects = press(&mut app, "y");
    assert_eq!(effects, [Effect::SignalTree(id, Signal::Term)]);
    app.update(Message::TreeSignalled(id, 7));
    let signal = Signal::Term;
    app.update(Message::SignalOutcome(id, SignalOutcome::Sent { signal }));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let said = "TERM is sent to nginx (pid 811) and 6 below it; not ended yet.";
    assert!(text(&buffer).contains(said), "{}", text(&buffer));
}

#[test]
fn the_tree_of_tcplens_itself_cannot_be_chosen() {
    let (mut app, id) = asked("pid:811", |facts| TargetFacts {
        risks: vec![Risk::OwnAncestor, Risk::ContainerInit],
        ..with_workers(facts)
    });
    look_at_both(&mut app, "typed");
    press(&mut app, "t");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("tcplens itself is in that tree"));
    assert!(press(&mut app, "y Enter").is_empty());
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
            Effect::AcquireTarget(_, target) => target.pid,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(pids.len(), 5, "each owner once: {pids:?}");
    let mut ids = Vec::new();
    for effect in effects {
        let Effect::AcquireTarget(id, target) = effect else {
            continue;
        };
        let result = match target.name.as_str() {
            "chronyd" => Err(SignalRefusal::NotPermitted { uid: Some(104) }),
            "sshd" => Ok(TargetFacts {
                risks: vec![Risk::OwnAncestor],
                ..armed_facts(&target)
            }),
            _ => Ok(armed_facts(&target)),
        };
        let left_out = result.is_err();
        let effects = app.update(Message::TargetAcquired(id, result));
        if left_out {
            assert_eq!(effects, [Effect::ReleaseTarget(id)]);
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
    app.update(Message::SignalOutcome(
        ids[0],
        SignalOutcome::Exited { after, signal },
    ));
    app.update(Message::SignalOutcome(
        ids[1],
        SignalOutcome::Refused(SignalRefusal::Gone),
    ));
    app.update(Message::SignalOutcome(
        ids[2],
        SignalOutcome::Exited { after, signal },
    ));
    app.update(Message::SignalOutcome(
        ids[3],
        SignalOutcome::StillRunning { after, signal },
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
    app.update(Message::SignalOutcome(id, SignalOutcome::Sent { signal }));
    let after = std::time::Duration::from_secs(5);
    let effects = app.update(Message::SignalOutcome(
        id,
        SignalOutcome::StillRunning { after, signal },
    ));
    assert_eq!(effects, [], "it never escalates");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("still_running_80x24", &text(&buffer));
    // The same asking, so the same pidfd; its socket may be closed by now.
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(again, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((*again, target.inode), (id, None));
    // To think better of it keeps the watch.
    assert_eq!(press(&mut app, "n"), []);
    press(&mut app, "K");
    app.update(Message::TargetAcquired(id, Ok(armed_facts(target))));
    drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "Down");
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(press(&mut app, "y"), [Effect::Signal(id, Signal::Kill)]);
    let signal = Signal::Kill;
    app.update(Message::SignalOutcome(
        id,
        SignalOutcome::Exited { after, signal },
    ));
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
        app.update(Message::SignalOutcome(
            id,
            SignalOutcome::Exited { after, signal },
        ));
        let scene = stage::scene();
        let again = |process: &Arc<Process>| match process.pid {
            640 => Arc::new(Process {
                pid: 5000,
                start_ticks: process.start_ticks + 1,
                started_ms: Some(scene.time.wall_ms + 400),
                unit: Some(Unit::system(unit)),
                ..(**process).clone()
            }),
            _ => Arc::clone(process),
        };
        let observation = Observation {
            table_number: scene.table_number + 2,
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
    let count = u32::try_from(MAX_TARGETS).unwrap() + 1;
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
    let command = format!("tcplens kill 'state all' --max {count}");
    assert!(text(&buffer).contains(&command), "{}", text(&buffer));
}

#[test]
fn cancelling_lets_go_and_refusals_say_why() {
    let mut app = stage::app(stage::scene());
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(id, _)] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(press(&mut app, "Esc"), [Effect::ReleaseTarget(id)]);
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(id, _)] = effects[..] else {
        panic!("{effects:?}")
    };
    let refusal = SignalRefusal::NotPermitted { uid: Some(0) };
    app.update(Message::TargetAcquired(id, Err(refusal)));
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("refused_80x24", &text(&buffer));
}

#[test]
fn who_only_looks_is_offered_no_signal() {
    let mut app = stage::app(stage::scene());
    app.access_mode = AccessMode::ReadOnly;
    let acts = [
        Command::EndProcess,
        Command::ToggleTree,
        Command::ConfirmSend,
        Command::NextSignal,
        Command::PreviousSignal,
    ];
    for command in acts {
        assert!(!app.is_permitted(command), "{command:?}");
    }
    assert!(press(&mut app, "K").is_empty());
}

/// Both ends of a connection on this machine, tagged by `*`: the port that was
/// looked for is the local one.
#[test]
fn clients_of_the_port_that_was_looked_for_are_left_alone() {
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, ":443 or :8443");
    press(&mut app, "Enter *");
    let mut pids = Vec::new();
    for effect in press(&mut app, "K") {
        let Effect::AcquireTarget(id, target) = effect else {
            panic!("{effect:?}")
        };
        app.update(Message::TargetAcquired(id, Ok(armed_facts(&target))));
        pids.push(target.pid);
    }
    assert_eq!(pids, [811, 812], "both hold the listener, curl does not");
    look_at_both(&mut app, "spared");

    // The row of a client alone: pointed at, it is asked about, with its number.
    let mut app = stage::app(stage::scene());
    press(&mut app, "/");
    write(&mut app, ":8443");
    press(&mut app, "Enter");
    let effects = press(&mut app, "K");
    let [Effect::AcquireTarget(id, target)] = &effects[..] else {
        panic!("{effects:?}")
    };
    app.update(Message::TargetAcquired(*id, Ok(armed_facts(target))));
    look_at_both(&mut app, "client");
    drawn(&mut app, COLOUR, 80, 24);
    assert!(press(&mut app, "y").is_empty(), "not by one key");
    let digits: Vec<String> = target.pid.to_string().chars().map(String::from).collect();
    press(&mut app, &digits.join(" "));
    drawn(&mut app, COLOUR, 80, 24);
    assert_eq!(press(&mut app, "y"), [Effect::Signal(*id, Signal::Term)]);
}

/// A worker of a server that forks: the master starts another.
#[test]
fn who_starts_it_again_is_named() {
    let (mut app, _) = asked("pid:811", |facts| TargetFacts {
        parent: Some((812, Text::from("nginx"))),
        ..facts
    });
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    let screen = text(&buffer);
    let screen = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        screen.contains("nginx (812) started it, runs the same program"),
        "{screen}"
    );
    assert!(screen.contains("nginx (812, connections: "), "{screen}");
}
