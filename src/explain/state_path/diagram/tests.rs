//! Tests: nothing in the diagram is missing, outside, or overwritten.

use super::*;
use crate::explain::catalogue::{Catalogue, Language};
use unicode_width::UnicodeWidthStr;

/// The cells a straight piece covers, both ends included.
fn segment_cells(from: (u16, u16), to: (u16, u16)) -> Vec<(u16, u16)> {
    assert!(
        from.0 == to.0 || from.1 == to.1,
        "{from:?} {to:?} is crooked"
    );
    let columns = from.0.min(to.0)..=from.0.max(to.0);
    columns
        .flat_map(|column| (from.1.min(to.1)..=from.1.max(to.1)).map(move |row| (column, row)))
        .collect()
}

fn span(at: (u16, u16), length: u16) -> Vec<(u16, u16)> {
    (0..length).map(|cell| (at.0 + cell, at.1)).collect()
}

fn name_of(track: &DiagramEdge, words: &Catalogue) -> String {
    let arrow = words.transitions().iter().find(|arrow| {
        arrow.from == track.from.key() && arrow.to == track.to.key() && arrow.kind != "abort"
    });
    arrow.map_or_else(|| panic!("{track:?}"), |arrow| arrow.by.clone())
}

/// All labels, each with the cells it takes.
fn labels() -> Vec<(String, Vec<(u16, u16)>)> {
    let mut all = Vec::new();
    for place in STATE_NODES {
        // A mark stands before and behind the label.
        let length = 2 + u16::try_from(place.state.word().len()).unwrap() + COUNT_WIDTH;
        all.push((
            place.state.to_string(),
            span((place.position.0 - 1, place.position.1), length),
        ));
    }
    all.push((
        "the end".to_owned(),
        span((FINAL_CLOSED.0 - 1, FINAL_CLOSED.1), 8),
    ));
    for track in &EDGES {
        all.push((
            format!("{track:?}"),
            span(track.label_position, track.label_width),
        ));
    }
    for heading in HEADINGS {
        all.push((
            heading.name.to_owned(),
            span(heading.position, heading.width),
        ));
    }
    all
}

#[test]
fn every_state_of_the_standard_is_there() {
    for state in State::ALL {
        let drawn = STATE_NODES
            .iter()
            .filter(|place| place.state == state)
            .count();
        assert_eq!(drawn, usize::from(state != State::Unconnected), "{state}");
    }
}

#[test]
fn labels_lie_inside_and_do_not_overlap() {
    let all = labels();
    for (what, cells) in &all {
        for cell in cells {
            assert!(
                cell.0 < WIDTH && cell.1 < HEIGHT,
                "{what} leaves at {cell:?}"
            );
        }
    }
    for (number, (what, cells)) in all.iter().enumerate() {
        for (other, others) in &all[number + 1..] {
            let both: Vec<_> = cells.iter().filter(|cell| others.contains(cell)).collect();
            assert!(both.is_empty(), "{what} and {other} meet at {both:?}");
        }
    }
}

/// A label may lie on its own transition, where that is level; no other line
/// may run through it.
#[test]
fn no_edge_crosses_a_label() {
    for track in &EDGES {
        let mut level = Vec::new();
        for pair in track.corners.windows(2) {
            let cells = segment_cells(pair[0], pair[1]);
            if pair[0].1 == pair[1].1 {
                level.extend(cells.clone());
            }
            let ends = [track.from, track.to, State::Closed];
            for (what, written) in labels() {
                let own = what == format!("{track:?}");
                if ends.iter().any(|end| end.to_string() == what) {
                    continue;
                }
                for cell in &cells {
                    let allowed = own && level.contains(cell);
                    assert!(
                        allowed || !written.contains(cell),
                        "{track:?} {what} {cell:?}"
                    );
                }
            }
        }
        // The head must stay visible.
        let head = track.corners.last().unwrap();
        for (what, written) in labels() {
            assert!(
                !written.contains(head),
                "{what} hides the head of {track:?}"
            );
        }
    }
}

#[test]
fn every_arrow_has_a_name_that_fits() {
    for track in &EDGES {
        for language in Language::ALL {
            let name = name_of(track, Catalogue::of(language));
            assert!(name.width() <= usize::from(track.label_width), "{name}");
        }
    }
}

/// Every ordinary transition is drawn but those named at the top.
#[test]
fn no_ordinary_transition_is_missing() {
    let words = Catalogue::of(Language::English);
    let left_out = [("listen", "closed"), ("syn_received", "fin_wait_1")];
    for arrow in words.transitions() {
        let pair = (arrow.from.as_str(), arrow.to.as_str());
        let drawn = EDGES
            .iter()
            .any(|track| (track.from.key(), track.to.key()) == pair);
        let expected =
            arrow.kind != "abort" && pair.0 != "bound_inactive" && !left_out.contains(&pair);
        assert!(drawn || !expected, "{pair:?}");
    }
}

#[test]
fn the_mark_can_go_everywhere_and_stays_at_the_edge() {
    for start in STATE_NODES {
        let mut seen = vec![start.state];
        let mut place = 0;
        while let Some(state) = seen.get(place).copied() {
            place += 1;
            for towards in [
                Direction::Up,
                Direction::Down,
                Direction::Left,
                Direction::Right,
            ] {
                let next = neighbour(state, towards);
                if !seen.contains(&next) {
                    seen.push(next);
                }
            }
        }
        assert_eq!(seen.len(), STATE_NODES.len(), "from {}", start.state);
    }
    assert_eq!(neighbour(State::Closed, Direction::Up), State::Closed);
    assert_eq!(
        neighbour(State::SynSent, Direction::Down),
        State::Established
    );
    assert_eq!(
        neighbour(State::Established, Direction::Down),
        State::Closing
    );
    assert_eq!(next_state(State::LastAck), State::Closed);
}
