//! The faces of explanation: the state machine, a connection's timeline, what
//! happened between the tables, the lessons.

use crate::stage;
use crate::typing::{drawn, press, text, text_and_styles};
use crate::{COLOUR, compare, look};
use std::sync::Arc;
use tcplens::app::effect::Effect;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::app::mode::Mode;
use tcplens::app::{App, AppOptions};
use tcplens::explain::lessons::LESSONS;
use tcplens::model::endpoint::Endpoint;
use tcplens::model::event::{EventProcess, EventSource, EventsMode, EventsUnavailable};
use tcplens::model::event_history::{
    CloseReason, ConnectionEvent, ConnectionSummary, EventHistory, EventKind, TimePrecision,
    Timeline, TimelineStep,
};
use tcplens::model::namespace::Namespace;
use tcplens::model::observation::Observation;
use tcplens::model::state::State;
use tcplens::model::tcp_info::Payload;
use tcplens::model::text::Text;
use tcplens::view::theme::{Palette, Theme};

const PLAIN: Theme = Theme {
    palette: Palette::Mono,
    ascii: true,
};

fn with(chronicle: EventHistory) -> Arc<Observation> {
    Arc::new(Observation {
        event_history: Arc::new(chronicle),
        ..(*stage::scene()).clone()
    })
}

fn end(text: &str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().unwrap();
    Endpoint::new(address.ip(), address.port())
}

/// A change of the stream; the clock stands at 42 s.
fn change(
    at_ms: u64,
    who: Option<(u32, &str)>,
    remote: &str,
    from: State,
    to: State,
) -> ConnectionEvent {
    ConnectionEvent {
        at_us: at_ms * 1000,
        owner: who.map(|(pid, name)| EventProcess {
            pid,
            name: Text::from(name),
            ..EventProcess::default()
        }),
        namespace: 0,
        local: end("192.0.2.10:41822"),
        remote: end(remote),
        kind: EventKind::StateChanged {
            from,
            to,
            time_in_state_us: None,
        },
        payload: None,
    }
}

fn ended(
    line: ConnectionEvent,
    lasted_us: u64,
    fate: CloseReason,
    unseen: bool,
) -> ConnectionEvent {
    let payload = Payload {
        received: 4_200,
        sent: 118_000,
    };
    ConnectionEvent {
        kind: EventKind::Ended {
            from: line.kind.from_state(),
            time_in_state_us: None,
            summary: ConnectionSummary {
                duration_us: Some(lasted_us),
                never_in_table: unseen,
                reason: fate,
            },
        },
        payload: (fate != CloseReason::Refused).then_some(payload),
        ..line
    }
}

fn chronicle() -> EventHistory {
    let curl = Some((4711, "curl"));
    let mut stream = Vec::new();
    for number in 0..30_u64 {
        let at = 30_000 + number * 300;
        let port = format!("203.0.113.9:{}", 8000 + number);
        let opened = change(at, curl, &port, State::Closed, State::SynSent);
        let refused = change(at, curl, &port, State::SynSent, State::Closed);
        stream.push(opened);
        stream.push(ended(refused, 310 + number, CloseReason::Refused, true));
    }
    let peer = "198.51.100.23:50514";
    stream.push(change(
        41_200,
        None,
        peer,
        State::SynReceived,
        State::Established,
    ));
    let bye = change(
        41_900,
        Some((640, "sshd")),
        peer,
        State::LastAck,
        State::Closed,
    );
    stream.push(ended(bye, 754_000_000, CloseReason::PeerClosed, false));
    EventHistory {
        source: EventSource::StateChanges,
        received: 1_204,
        lost: 17,
        short_lived: 310,
        unplaced: 0,
        cost_permille: Some(8),
        events: stream,
        timelines: Vec::new(),
    }
}

/// The row in `CLOSE_WAIT` whose way was told.
fn followed() -> Arc<Observation> {
    let scene = stage::scene();
    let row = scene
        .rows
        .iter()
        .find(|row| row.socket.remote == end("198.51.100.9:33010"))
        .unwrap();
    let step = |state, since_ms: u64, known| TimelineStep {
        state,
        since_us: since_ms * 1000,
        precision: known,
    };
    let timeline = Timeline {
        steps: vec![
            step(State::SynReceived, 19_120, TimePrecision::Exact),
            step(State::Established, 19_158, TimePrecision::Exact),
            step(State::CloseWait, 40_371, TimePrecision::Exact),
        ],
    };
    with(EventHistory {
        timelines: vec![(row.socket.key(), timeline)],
        ..chronicle()
    })
}

/// An app with the cursor on the row that has that peer.
fn at(observation: Arc<Observation>, remote: &str) -> App {
    let mut app = stage::app(observation);
    drawn(&mut app, COLOUR, 80, 24);
    for _ in 0..30 {
        if app.selected().unwrap().socket.remote == end(remote) {
            return app;
        }
        press(&mut app, "j");
    }
    panic!("no row with {remote}");
}

const WAITING: &str = "198.51.100.9:33010";

#[test]
fn the_state_machine_at_several_sizes() {
    for (name, width, height) in [
        ("machine_80x24", 80, 24),
        ("machine_120x40", 120, 40),
        ("machine_60x18", 60, 18),
        ("machine_40x16", 40, 16),
    ] {
        let mut app = at(followed(), WAITING);
        press(&mut app, "m");
        let (buffer, _) = drawn(&mut app, COLOUR, width, height);
        compare(name, &text_and_styles(&buffer));
    }
    let mut app = at(followed(), WAITING);
    press(&mut app, "m");
    let (buffer, _) = drawn(&mut app, PLAIN, 80, 24);
    assert!(text(&buffer).is_ascii());
    // In the footer it is a key.
    let (body, _) = text(&buffer)
        .rsplit_once('\n')
        .map(|(body, foot)| (body.to_owned(), foot.to_owned()))
        .unwrap();
    // In the header it counts what is worth a look.
    let body = body.replacen("? 1", "", 1);
    assert!(!body.contains('?'), "{body}");
    compare("machine_mono_ascii", &text_and_styles(&buffer));
}

#[test]
fn every_state_can_be_marked_and_says_who_is_next() {
    let mut app = at(followed(), WAITING);
    press(&mut app, "m");
    let mut seen = Vec::new();
    for _ in 0..12 {
        press(&mut app, "Tab");
        let Mode::Machine(walk) = &app.mode else {
            panic!("the machine stays")
        };
        let mark = walk.mark;
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        let screen = text(&buffer);
        assert!(screen.contains(&format!("[{mark}]")), "{screen}");
        let mut lines = screen.lines();
        let line = lines.find(|line| line.starts_with(" how long"));
        let line = line.unwrap_or_else(|| panic!("{mark}: {screen}"));
        assert!(line.len() > 20 && !line.contains('{'), "{line}");
        // On one line: nothing below it but the footer.
        assert_eq!(lines.next(), Some(""), "{screen}");
        seen.push(mark);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 12);
}

#[test]
fn enter_shows_the_rows_in_the_marked_state() {
    let mut app = at(followed(), WAITING);
    press(&mut app, "m Enter");
    assert_eq!(app.mode, Mode::Table);
    let states: Vec<State> = app
        .row_order
        .iter()
        .map(|number| app.observation.rows[*number as usize].socket.state)
        .collect();
    assert_eq!(states, [State::CloseWait, State::CloseWait]);
    // Where there are none, the drawing stays and that is said.
    press(&mut app, "Esc m Left Enter");
    assert!(matches!(app.mode, Mode::Machine(_)));
    let notice = app.notice.as_ref().map(|notice| notice.text.clone());
    assert_eq!(notice.as_deref(), Some("No socket is in CLOSING now."));
    press(&mut app, "Esc");
    // With the mouse: one click marks, a second one shows the rows.
    press(&mut app, "Esc m");
    let (_, frame) = drawn(&mut app, COLOUR, 120, 40);
    let spot = HitTarget::DiagramState(State::Listen);
    assert!(
        frame
            .hit_targets
            .iter()
            .filter(|(_, known)| *known == spot)
            .count()
            == 2
    );
    app.update(Message::Mouse(MouseAction::Click, spot));
    assert!(matches!(&app.mode, Mode::Machine(walk) if walk.mark == State::Listen));
    app.update(Message::Mouse(MouseAction::DoubleClick, spot));
    assert_eq!((app.mode.clone(), app.row_order.len()), (Mode::Table, 2));
}

#[test]
fn the_machine_never_lights_a_neighbours_way() {
    let mut app = at(followed(), WAITING);
    press(&mut app, "m");
    assert!(app.diagram_row().is_some());
    let scene = followed();
    let rows = scene
        .rows
        .iter()
        .filter(|row| row.socket.remote != end(WAITING))
        .copied()
        .collect();
    app.update(Message::Observed(Arc::new(Observation {
        table_number: scene.table_number + 1,
        rows: Arc::new(rows),
        ..(*scene).clone()
    })));
    assert!(matches!(app.mode, Mode::Machine(_)), "the page stays");
    assert!(app.diagram_row().is_none());
}

#[test]
fn the_timeline_in_the_details() {
    let mut app = at(followed(), WAITING);
    press(&mut app, "Enter");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("timeline_80x24", &text(&buffer));
    press(&mut app, "Esc");
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    compare("timeline_pane_120x40", &text(&buffer));
}

#[test]
fn events_are_told_and_followed() {
    for (name, width, height) in [("events_80x24", 80, 24), ("events_120x40", 120, 40)] {
        let mut app = stage::app(with(chronicle()));
        press(&mut app, "E");
        let (buffer, _) = drawn(&mut app, COLOUR, width, height);
        compare(name, &text(&buffer));
    }
    for (name, feed) in [
        (
            "events_refused_80x24",
            EventSource::Unavailable(EventsUnavailable::NotPermitted),
        ),
        (
            "events_endings_80x24",
            EventSource::DestroyedOnly(EventsUnavailable::Unsupported),
        ),
    ] {
        let mut app = stage::app(with(EventHistory {
            source: feed,
            ..EventHistory::default()
        }));
        press(&mut app, "E");
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        compare(name, &text(&buffer));
    }
}

/// While paused nothing appears, within no time.
#[test]
fn a_paused_page_of_events_promises_nothing() {
    for stream in [chronicle().events, Vec::new()] {
        let mut app = stage::app(with(EventHistory {
            events: stream,
            ..chronicle()
        }));
        press(&mut app, "E");
        let (live, _) = drawn(&mut app, COLOUR, 100, 24);
        assert!(text(&live).contains("250 ms"), "{}", text(&live));
        press(&mut app, "p");
        let (paused, _) = drawn(&mut app, COLOUR, 100, 24);
        let paused = text(&paused);
        assert!(!paused.contains("250 ms"), "{paused}");
        assert!(paused.contains("pause"), "{paused}");
    }
}

#[test]
fn an_event_names_its_port_and_another_network_namespace() {
    let line = |namespace| ConnectionEvent {
        namespace,
        local: end("[2001:db8::10]:8443"),
        ..change(
            41_000,
            Some((41_234_567, "a-rather-long-name")),
            "[2001:db8:0:1::23]:50514",
            State::Established,
            State::CloseWait,
        )
    };
    let scene = with(EventHistory {
        events: vec![line(0), line(4_026_531_840), line(4_026_532_999), line(7)],
        ..chronicle()
    });
    let namespace = |id, name: Option<&str>| Namespace {
        id,
        name: name.map(Text::from),
        is_current: id == 4_026_531_840,
        entry: None,
    };
    let scene = Arc::new(Observation {
        namespaces: vec![
            namespace(4_026_531_840, None),
            namespace(4_026_532_999, Some("shop")),
        ],
        ..(*scene).clone()
    });
    for (width, shown) in [
        (80, ["@netns", "a-", "@shop", "@netns 7"]),
        (
            160,
            [
                "@netns unknown",
                "a-rather",
                "@shop a-rather",
                "@netns 7 a-rather",
            ],
        ),
    ] {
        let mut app = stage::app(scene.clone());
        press(&mut app, "E");
        let (buffer, _) = drawn(&mut app, COLOUR, width, 24);
        let text = text(&buffer);
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("8443")).collect();
        assert_eq!(lines.len(), 4, "{text}");
        for (line, shown) in lines.iter().zip(shown) {
            assert!(line.contains(&format!(" {shown}")), "{shown}: {text}");
            assert!(line.contains("50514"), "{text}");
        }
        assert!(!lines[1].contains('@'), "{text}");
    }
}

/// The last line of the list.
fn bottom(app: &mut App) -> String {
    let (buffer, _) = drawn(app, COLOUR, 80, 24);
    text(&buffer).lines().nth(22).unwrap().to_owned()
}

#[test]
fn scrolling_up_stops_following_and_the_end_follows_again() {
    let mut app = stage::app(with(chronicle()));
    press(&mut app, "E");
    assert!(bottom(&mut app).contains("peer closed, 12 min 34 s"));
    let arrives = |app: &mut App, port: u16| {
        let mut more = (*app.observation.event_history).clone();
        let remote = format!("203.0.113.77:{port}");
        let line = change(
            42_000 + u64::from(port),
            None,
            &remote,
            State::Closed,
            State::SynSent,
        );
        more.events.push(line);
        let mut next = (*app.observation).clone();
        next.event_history = Arc::new(more);
        app.update(Message::Observed(Arc::new(next)));
    };
    arrives(&mut app, 1);
    assert!(bottom(&mut app).contains("203.0.113.77:1"));
    press(&mut app, "PageUp PageUp");
    let before = bottom(&mut app);
    arrives(&mut app, 2);
    assert_eq!(bottom(&mut app), before, "what is read stays in its place");
    press(&mut app, "G");
    assert!(bottom(&mut app).contains("203.0.113.77:2"));
    press(&mut app, "b");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(
        !text(&buffer).contains("203.0.113.77"),
        "no table missed that"
    );
    assert!(bottom(&mut app).contains("+-"));
}

#[test]
fn an_event_leads_to_its_row() {
    let mut told = chronicle();
    let mut line = change(42_000, None, WAITING, State::Established, State::CloseWait);
    line.local = end("192.0.2.10:443");
    told.events.push(line);
    let mut app = stage::app(with(told));
    press(&mut app, "t u E Enter");
    assert_eq!(app.mode, Mode::Table);
    assert_eq!(app.selected().unwrap().socket.remote, end(WAITING));
    // One that is gone leads nowhere, and that is said.
    press(&mut app, "E k Enter");
    assert!(matches!(app.mode, Mode::Events(_)));
    assert!(app.notice.is_some());
}

#[test]
fn the_lessons() {
    look("learn_contents_80x24", "G w", 80, 24);
    look("learn_open_80x24", "w g j Enter Enter Enter", 80, 24);
    look("learn_session_80x24", "w G Enter", 80, 24);
    look("learn_state_80x24", "w g j j j j Enter", 80, 24);
    let mut app = at(followed(), WAITING);
    // The explanation of a row, its state's page, the segments that led here.
    press(&mut app, "x w Enter");
    for (name, width, height) in [
        ("learn_close_80x24", 80, 24),
        ("learn_close_120x40", 120, 40),
    ] {
        let (buffer, _) = drawn(&mut app, COLOUR, width, height);
        compare(name, &text_and_styles(&buffer));
    }
    let (buffer, _) = drawn(&mut app, PLAIN, 80, 24);
    assert!(text(&buffer).is_ascii());
    assert!(text(&buffer).contains("(5) ACK"));
    // And the way back by the same pages.
    for left in ["Learn", "Explain", "Table"] {
        press(&mut app, "Esc");
        assert!(format!("{:?}", app.mode).starts_with(left), "{left}");
    }
}

#[test]
fn segments_fly_only_while_they_are_asked_to() {
    let mut app = stage::app(stage::scene());
    assert_eq!(press(&mut app, "w g j Enter"), []);
    assert_eq!(app.update(Message::Tick), [], "nobody asked for it");
    let [Effect::TickAfter(_)] = press(&mut app, "Space")[..] else {
        panic!("playing asks for one tick")
    };
    let mut ticks = 1;
    let mut pictures = Vec::new();
    while let [Effect::TickAfter(_)] = app.update(Message::Tick)[..] {
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        pictures.push(text(&buffer));
        ticks += 1;
        assert!(ticks < 100, "it ends");
    }
    pictures.dedup();
    assert_eq!(
        pictures.len(),
        14,
        "three segments of five pictures, but the last"
    );
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("segment 3 of 3"));
    // Played again from the start, held, and left while it plays.
    assert_eq!(press(&mut app, "Space").len(), 1);
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    assert!(text(&buffer).contains("before the first segment"));
    assert_eq!(press(&mut app, "Space"), []);
    assert_eq!(press(&mut app, "Space").len(), 1);
    press(&mut app, "Esc");
    assert_eq!(app.update(Message::Tick), []);
}

#[test]
fn every_lesson_can_be_read_and_leads_to_the_next() {
    let mut app = stage::app(stage::scene());
    press(&mut app, "w g Enter");
    let mut seen = Vec::new();
    for _ in LESSONS {
        let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
        let screen = text(&buffer);
        assert!(!screen.contains('{'), "{screen}");
        seen.push(screen);
        press(&mut app, "n");
    }
    seen.dedup();
    assert_eq!(seen.len(), LESSONS.len());
    press(&mut app, "p Left");
    assert!(matches!(&app.mode, Mode::Learn(learning) if learning.index == LESSONS.len() - 3));
}

/// A name over a line must not take on the line's look: each is in one style.
#[test]
fn names_look_the_same_from_end_to_end() {
    let mut app = at(followed(), WAITING);
    press(&mut app, "m");
    let (machine, frame) = drawn(&mut app, COLOUR, 80, 24);
    let mut checked = 0;
    for (area, spot) in &frame.hit_targets {
        let HitTarget::DiagramState(state) = spot else {
            continue;
        };
        let name = |column: u16| machine[(area.x + 1 + column, area.y)].style();
        let length = u16::try_from(state.word().len()).unwrap();
        assert!((1..length).all(|column| name(column) == name(0)), "{state}");
        checked += 1;
    }
    assert_eq!(checked, 12);
}

#[test]
fn the_end_of_a_way_is_lit_at_its_end() {
    let scene = followed();
    let rows = scene
        .rows
        .iter()
        .map(|row| {
            let mut row = *row;
            if row.socket.remote == end(WAITING) {
                row.socket.state = State::LastAck;
                row.phase = tcplens::model::row::Phase::Closed;
            }
            row
        })
        .collect();
    let mut app = at(
        Arc::new(Observation {
            rows: Arc::new(rows),
            ..(*scene).clone()
        }),
        WAITING,
    );
    press(&mut app, "m");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    let reversed = |column, row: u16| {
        let style = buffer[(column, row)].style();
        style
            .add_modifier
            .contains(ratatui::style::Modifier::REVERSED)
    };
    // The upper CLOSED, and the lower one, with the drawing's left edge at 1.
    assert!(!reversed(34, 2), "the beginning");
    assert!(reversed(53, 17), "the end");
}

#[test]
fn a_timeline_says_how_well_it_is_known() {
    let scene = stage::scene();
    let row = scene
        .rows
        .iter()
        .find(|row| row.socket.remote == end(WAITING))
        .unwrap();
    let step = |state, since_ms: u64, known| TimelineStep {
        state,
        since_us: since_ms * 1000,
        precision: known,
    };
    let cases = [
        (
            vec![
                step(State::Established, 0, TimePrecision::LowerBound),
                step(State::CloseWait, 41_000, TimePrecision::FirstSeen),
            ],
            "before 10:00:00.000 ESTABLISHED at least 41 s · by 10:00:41.000 CLOSE_WAIT for about 1 s (UTC)",
        ),
        (
            vec![step(State::CloseWait, 41_999, TimePrecision::Exact)],
            "10:00:41.999 CLOSE_WAIT for 1.0 ms (UTC)",
        ),
        (
            vec![
                step(State::LastAck, 41_000, TimePrecision::Exact),
                step(State::Closed, 41_004, TimePrecision::Exact),
            ],
            "10:00:41.000 LAST_ACK 4.0 ms · 10:00:41.004 CLOSED (UTC)",
        ),
    ];
    for (steps, expected) in cases {
        let observation = with(EventHistory {
            timelines: vec![(row.socket.key(), Timeline { steps })],
            ..chronicle()
        });
        let mut app = at(observation, WAITING);
        press(&mut app, "Enter");
        let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
        let screen = text(&buffer).replace('\u{a0}', " ");
        assert!(screen.contains(expected), "{expected}\n{screen}");
    }
}

/// Its way is told to its end, though nothing else can be read of it by then.
#[test]
fn the_selected_row_is_followed_also_in_time_wait() {
    let mut app = stage::app(stage::scene());
    drawn(&mut app, COLOUR, 80, 24);
    press(&mut app, "G");
    assert_eq!(app.selected().unwrap().socket.state, State::TimeWait);
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, 80, 24));
    let frame = tcplens::view::draw(&app, COLOUR, &mut buffer);
    let effects = app.update(Message::FrameDrawn(frame.info));
    let [Effect::ReadDetails(watched)] = &effects[..] else {
        panic!("the selected row is asked for: {effects:?}")
    };
    let states: Vec<State> = watched.iter().map(|socket| socket.state).collect();
    assert!(states.contains(&State::TimeWait), "{states:?}");
}

#[test]
fn every_fate_reason_and_state_has_its_words() {
    let words = stage::app(stage::scene()).messages;
    for (fate, key) in CloseReason::ALL {
        let said = words.screen("fates", key);
        let cells = tcplens::listing::display_width(said);
        assert!((1..=15).contains(&cells), "{fate:?}: {said}");
    }
    for (reason, key) in EventsUnavailable::ALL {
        let said = [
            words.screen("feed", &format!("{key}_long")),
            words.screen("events", key),
        ];
        assert!(said.iter().any(|said| !said.is_empty()), "{reason:?}");
    }
    for place in tcplens::explain::state_path::diagram::STATE_NODES {
        let said = words.screen("lasts", place.state.key());
        assert!(!said.is_empty(), "{}", place.state);
    }
}

/// Whatever pages were opened, and whatever was asked from them: at the table
/// nothing lies below, so that the next page leads back to it.
#[test]
fn the_table_has_no_page_below_it() {
    for keys in [
        "m ? Esc Esc",
        "m w ? Esc Esc Esc",
        "m w ? F Esc Esc Esc Esc",
        "x w Enter ? Esc Esc Esc Esc",
        "Enter m K n",
        "x w K n",
        "E w m Esc Esc Esc",
        "! ? Esc Esc",
    ] {
        let mut app = stage::app(stage::scene());
        for key in keys.split_whitespace() {
            drawn(&mut app, COLOUR, 80, 24);
            press(&mut app, key);
        }
        // However many of them there were.
        for _ in 0..8 {
            if app.mode != Mode::Table {
                press(&mut app, "Esc");
            }
        }
        assert_eq!(app.mode, Mode::Table, "{keys}");
        press(&mut app, "x Esc");
        assert_eq!(app.mode, Mode::Table, "{keys}: x and back");
    }
    // Help leads back to what it was opened over.
    let mut app = stage::app(stage::scene());
    press(&mut app, "m ? Esc");
    assert!(matches!(app.mode, Mode::Machine(_)));
}

/// Whoever insists on events is told at the start that they are not to be had;
/// whoever does not can look it up.
#[test]
fn refused_events_are_told_to_those_who_insist() {
    let refused = || {
        with(EventHistory {
            source: EventSource::DestroyedOnly(EventsUnavailable::NotPermitted),
            ..EventHistory::default()
        })
    };
    let notice = |events, observation| {
        let choices = AppOptions {
            events,
            ..stage::choices()
        };
        let words = stage::app(stage::scene()).messages;
        let mut app = App::new(words, choices);
        app.update(Message::Observed(observation));
        app.notice.map(|notice| notice.text)
    };
    let said = notice(EventsMode::On, refused()).unwrap();
    assert!(
        said.contains("--events on") && said.contains("root only"),
        "{said}"
    );
    assert_eq!(notice(EventsMode::Auto, refused()), None);
    assert_eq!(notice(EventsMode::On, with(chronicle())), None);
}

#[test]
fn the_header_says_that_events_are_told_where_there_is_room() {
    for (width, feed, expected) in [
        (120, EventSource::StateChanges, true),
        (80, EventSource::StateChanges, false),
        (120, EventSource::Off, false),
    ] {
        let observation = with(EventHistory {
            source: feed,
            ..chronicle()
        });
        let mut app = stage::app(observation);
        let (buffer, _) = drawn(&mut app, COLOUR, width, 40);
        let told = text(&buffer).contains("sock_diag + events");
        assert_eq!(told, expected, "{width} {feed:?}");
    }
}
