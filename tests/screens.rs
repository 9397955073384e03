//! The screens, as a person sees them: drawn from a made-up server and
//! compared with what was once looked at and found good.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "screens/chinese.rs"]
mod chinese;
#[path = "screens/closing.rs"]
mod closing;
#[path = "screens/consent.rs"]
mod consent;
#[path = "screens/ending.rs"]
mod ending;
#[path = "screens/faces.rs"]
mod faces;
#[path = "screens/filtering.rs"]
mod filtering;
#[path = "screens/findings.rs"]
mod findings;
#[path = "screens/hasty.rs"]
mod hasty;
#[path = "screens/lab.rs"]
mod lab;
#[path = "screens/sorting.rs"]
mod sorting;
#[path = "screens/stage.rs"]
mod stage;
#[path = "screens/typing.rs"]
mod typing;

use insta::{Settings, assert_snapshot};
use std::time::Duration;
use tcplens::app::App;
use tcplens::app::effect::Effect;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::listing::{Column, SortBy};
use tcplens::model::state::State;
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
    app.update(Message::FrameDrawn(frame.info))
}

#[test]
fn what_is_on_screen_is_asked_for_once() {
    let mut app = stage::app(stage::scene());
    let [Effect::ReadDetails(shown)] = &asked_by_frame(&mut app, 24)[..] else {
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
    let [Effect::ReadDetails(fewer)] = &asked_by_frame(&mut app, 9)[..] else {
        panic!("another window asks")
    };
    assert!(fewer.len() < shown.len());
    press(&mut app, "G");
    let [Effect::ReadDetails(_)] = &asked_by_frame(&mut app, 9)[..] else {
        panic!("scrolling asks")
    };
}

#[test]
fn a_slow_pace_has_its_reason() {
    let (interval, cost) = (Duration::from_secs(4), Duration::from_millis(180));
    let header = |app: &mut App, width, height| {
        let (buffer, _) = drawn(app, COLOUR, width, height);
        text(&buffer).lines().next().unwrap().to_owned()
    };
    let mut app = stage::app(stage::scene());
    app.update(Message::IntervalChanged(interval, Some(cost)));
    let wide = header(&mut app, 120, 40);
    assert!(wide.ends_with("every 4 s: a table costs 180 ms"), "{wide}");
    let narrow = header(&mut app, 80, 24);
    assert!(narrow.ends_with(" 4 s: a table costs 180 ms"), "{narrow}");
    assert!(header(&mut app, 50, 24).ends_with(" 4 s"));
    // A person's own choice needs none.
    press(&mut app, "+");
    assert!(header(&mut app, 80, 24).ends_with(" s"));
}

#[test]
fn events_are_read_between_tables_while_their_page_is_open() {
    let mut app = stage::app(stage::scene());
    assert_eq!(press(&mut app, "E"), [Effect::StreamEvents(true)]);
    assert_eq!(press(&mut app, "j"), []);
    assert_eq!(press(&mut app, "Esc"), [Effect::StreamEvents(false)]);
}

#[test]
fn only_an_order_or_filter_by_flows_reads_them_for_all_rows() {
    let mut app = stage::app(stage::scene());
    app.sort.by = SortBy::Column(Column::Rtt);
    assert_eq!(press(&mut app, "n"), [Effect::IncludeTcpMetrics(true)]);
    assert_eq!(press(&mut app, "n"), []);
    app.sort.by = SortBy::Column(Column::State);
    assert_eq!(press(&mut app, "n"), [Effect::IncludeTcpMetrics(false)]);
    press(&mut app, "/");
    write(&mut app, "rx > 1kB");
    assert_eq!(press(&mut app, "Enter"), []);
    assert!(app.filter.uses_tcp_metrics());
    assert_eq!(press(&mut app, "Esc"), [Effect::IncludeTcpMetrics(false)]);
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
    assert!(
        frame
            .hit_targets
            .iter()
            .any(|(_, spot)| *spot == HitTarget::Finding)
    );
    press(&mut app, "F");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("findings_80x24", &text(&buffer));
    press(&mut app, "Esc");
    app.update(Message::Mouse(MouseAction::Click, HitTarget::Finding));
    assert_eq!(app.row_order.len(), 300, "the finding leads to its rows");
    press(&mut app, "Enter");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("details_of_a_suspect_80x24", &text(&buffer));
    let mut app = stage::app(stage::hidden_scene());
    press(&mut app, "!");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("gaps_80x24", &text(&buffer));
    app.update(Message::CapabilitiesProbed(Box::new(
        stage::ordinary_means(),
    )));
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    compare("doctor_120x40", &text(&buffer));
    press(&mut app, "Esc");
    let (buffer, _) = drawn(&mut app, COLOUR, 80, 24);
    compare("hidden_80x24", &text(&buffer));
}

/// The same world in a later table.
fn press_observed(app: &mut tcplens::app::App, later: u64) -> Vec<Effect> {
    let scene = stage::scene();
    let observation = tcplens::model::observation::Observation {
        table_number: scene.table_number + later,
        ..(*scene).clone()
    };
    app.update(Message::Observed(std::sync::Arc::new(observation)))
}

#[test]
fn the_mouse_finds_what_lies_under_it() {
    let mut app = stage::app(stage::scene());
    let (_, frame) = drawn(&mut app, COLOUR, 120, 40);
    let spot_of = |wanted: HitTarget| {
        let found = frame.hit_targets.iter().find(|(_, spot)| *spot == wanted);
        let (area, _) = found.unwrap_or_else(|| panic!("{wanted:?}"));
        frame.hit_target(area.as_position())
    };
    assert_eq!(spot_of(HitTarget::Row(2)), HitTarget::Row(2));
    app.update(Message::Mouse(MouseAction::Click, HitTarget::Row(2)));
    assert_eq!(app.cursor.index(), 2);
    let heading = spot_of(HitTarget::Heading(Column::State));
    app.update(Message::Mouse(MouseAction::Click, heading));
    assert_eq!(app.sort.by, SortBy::Column(Column::State));
    app.update(Message::Mouse(MouseAction::Click, heading));
    assert!(app.sort.reverse);
    let chip = spot_of(HitTarget::StateCount(Some(State::CloseWait)));
    app.update(Message::Mouse(MouseAction::Click, chip));
    assert_eq!(app.row_order.len(), 2);
    app.update(Message::Mouse(MouseAction::DoubleClick, HitTarget::Row(0)));
    let (buffer, _) = drawn(&mut app, COLOUR, 120, 40);
    assert!(
        text(&buffer).contains("identity"),
        "a double click opens the details"
    );
}

#[test]
fn any_size_can_be_drawn() {
    let pages = [
        "",
        "Enter",
        "x",
        "?",
        "F",
        "!",
        "s",
        "/",
        "K",
        "p",
        "X",
        "* X",
        "m",
        "E",
        "w",
        "x w",
        "x w Enter",
    ];
    for keys in pages {
        for width in [0, 1, 2, 3, 7, 19, 79, 80, 99, 100, 101, 110, 113, 114, 300] {
            for height in [0, 1, 2, 3, 4, 5, 9, 24, 100] {
                let mut app = stage::app(stage::scene());
                press(&mut app, keys);
                drawn(&mut app, COLOUR, width, height);
            }
        }
    }
}
