//! Sorting and marks on screen: the sorted column is always there with its
//! direction, the view begins at the top, and urgent rows are seen at a glance.

use crate::stage;
use crate::typing::{drawn, press, text};
use crate::{COLOUR, compare};
use std::sync::Arc;
use tcplens::app::message::{HitTarget, Message, MouseAction};
use tcplens::app::navigation::SORTABLE_COLUMNS;
use tcplens::explain::urgency::Urgency;
use tcplens::listing::{Column, SortBy};
use tcplens::model::observation::Observation;
use tcplens::model::protocol::Protocol;
use tcplens::model::socket_memory::{Buffers, MemoryEntry, SocketMemory};
use tcplens::view::theme::{Palette, Theme};

const ASCII: Theme = Theme {
    palette: Palette::Mono,
    ascii: true,
};

/// The line with the headings.
fn heading(screen: &str) -> &str {
    let mut lines = screen.lines();
    lines
        .find(|line| line.contains(['▲', '▼']))
        .unwrap_or_default()
}

#[test]
fn the_sorted_column_is_shown_with_its_direction_at_every_width() {
    for (width, height) in [(40, 16), (80, 24), (120, 40), (200, 50)] {
        let mut app = stage::app(stage::flowing_scene());
        for column in SORTABLE_COLUMNS {
            press(&mut app, ">");
            assert_eq!(app.sort.by, SortBy::Column(column));
            let (buffer, _) = drawn(&mut app, COLOUR, width, height);
            let screen = text(&buffer);
            let sign = if app.sort.is_descending() {
                "▼"
            } else {
                "▲"
            };
            let title = app.messages.column_title(column.key());
            let wanted = format!("{title}{sign}");
            assert!(heading(&screen).contains(&wanted), "{column:?}: {screen}");
        }
        press(&mut app, ">");
        assert_eq!(app.sort.by, SortBy::Default, "it comes round");
    }
}

#[test]
fn every_column_but_that_of_learners_can_be_chosen() {
    for column in Column::ALL {
        assert_eq!(
            SORTABLE_COLUMNS.contains(&column),
            column != Column::WaitsFor
        );
    }
}

#[test]
fn reversing_turns_the_sign_also_in_ascii() {
    let mut app = stage::app(stage::scene());
    press(&mut app, "> > >");
    assert_eq!(app.sort.by, SortBy::Column(Column::Pid));
    let shown = |app: &mut _, theme| text(&drawn(app, theme, 80, 24).0);
    assert!(shown(&mut app, COLOUR).contains("PID▲"));
    assert!(shown(&mut app, ASCII).contains("PID^"));
    press(&mut app, "S");
    assert!(shown(&mut app, COLOUR).contains("PID▼"));
    assert!(shown(&mut app, ASCII).contains("PIDv"));
}

#[test]
fn a_new_order_is_shown_from_its_top() {
    let mut app = stage::app(stage::scene());
    for keys in [">", "S", "<"] {
        press(&mut app, "G");
        assert_ne!(app.cursor.index(), 0);
        press(&mut app, keys);
        assert_eq!(app.cursor.index(), 0, "{keys}");
    }
    press(&mut app, "G");
    let (_, frame) = drawn(&mut app, COLOUR, 80, 24);
    let heading = |(_, spot): &&(_, HitTarget)| matches!(spot, HitTarget::Heading(Column::State));
    let spot = frame
        .hit_targets
        .iter()
        .find(heading)
        .map(|(_, spot)| *spot);
    app.update(Message::Mouse(MouseAction::Click, spot.unwrap()));
    assert_eq!(app.cursor.index(), 0);
}

#[test]
fn urgent_rows_are_marked_counted_and_brought_to_the_top() {
    let mut app = stage::app(stage::scene());
    press(&mut app, ">");
    assert_eq!(app.sort.by, SortBy::Column(Column::Mark));
    let (buffer, frame) = drawn(&mut app, COLOUR, 80, 24);
    let screen = text(&buffer);
    assert!(screen.lines().next().unwrap().contains("? 1"), "{screen}");
    assert!(screen.lines().any(|line| line.starts_with("? nginx")));
    let first = app.selected().unwrap();
    assert_eq!(app.urgencies.of_row(first), Urgency::Look);
    compare("sorted_by_urgency_80x24", &screen);
    let urgent = HitTarget::UrgencyCount(Urgency::Look);
    assert!(frame.hit_targets.iter().any(|(_, spot)| *spot == urgent));
    app.update(Message::Mouse(MouseAction::Click, urgent));
    assert_eq!(app.filter.to_string(), "urgency:look");
    assert_eq!(app.row_order.len(), 1);
}

#[test]
fn drops_of_a_socket_are_shown_sorted_and_filtered() {
    let scene = stage::scene();
    let mut rows = scene.rows.iter();
    let socket = rows
        .find(|row| row.socket.protocol == Protocol::Udp)
        .unwrap()
        .socket;
    let memory = SocketMemory {
        buffers: Some(Buffers {
            receive_used: 196_608,
            receive_limit: 212_992,
            send_used: 0,
            send_limit: 212_992,
        }),
        drops: Some(66_584),
    };
    let key = socket.key();
    let mut app = stage::app(Arc::new(Observation {
        memory: Arc::new(vec![MemoryEntry { key, memory }]),
        ..(*scene).clone()
    }));
    let shown = text(&drawn(&mut app, COLOUR, 200, 50).0);
    assert!(shown.contains("DROPS"), "{shown}");
    while app.sort.by != SortBy::Column(Column::Drops) {
        press(&mut app, ">");
    }
    assert_eq!(app.selected().unwrap().socket.key(), key);
    let shown = text(&drawn(&mut app, COLOUR, 80, 24).0);
    assert!(
        shown.contains("DROPS▼") && shown.contains("66584"),
        "{shown}"
    );
    press(&mut app, "Enter");
    compare(
        "details_of_drops_80x24",
        &text(&drawn(&mut app, COLOUR, 80, 24).0),
    );
}
