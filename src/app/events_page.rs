//! The page of events: the selected event, and the visible ones.

use super::App;
use super::command::Command;
use super::mode::Mode;
use crate::filter::Filter;
use crate::listing::QuickFilter;
use crate::model::endpoint::Endpoint;
use crate::model::event_history::{ConnectionEvent, EventHistory};
use crate::model::protocol::Protocol;
use crate::model::row::Phase;
use crate::model::state::State;

/// Number of events that a page key moves by.
const PAGE: usize = 10;

/// Identity of an event while others come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    at_us: u64,
    local: Endpoint,
    remote: Endpoint,
    from: Option<State>,
}

impl EventId {
    /// Returns the id of an event.
    #[must_use]
    pub fn from_event(line: &ConnectionEvent) -> Self {
        Self {
            at_us: line.at_us,
            local: line.local,
            remote: line.remote,
            from: line.kind.from_state(),
        }
    }
}

/// The page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EventsPage {
    /// The selected event; none while the latest is followed.
    pub selected: Option<EventId>,
    /// True if only connections are shown that no table ever showed.
    pub short_lived_only: bool,
}

impl EventsPage {
    /// The visible events, the latest last.
    #[must_use]
    pub fn visible_events<'a>(&self, chronicle: &'a EventHistory) -> Vec<&'a ConnectionEvent> {
        let all = chronicle.events.iter();
        all.filter(|line| !self.short_lived_only || line.is_short_lived())
            .collect()
    }

    /// Index of the selected event among the visible ones: the last one while
    /// following, the first one if it is no longer kept.
    #[must_use]
    pub fn selected_index(&self, lines: &[&ConnectionEvent]) -> usize {
        let last = lines.len().saturating_sub(1);
        let Some(mark) = self.selected else {
            return last;
        };
        let found = lines
            .iter()
            .position(|line| EventId::from_event(line) == mark);
        found.unwrap_or(0)
    }
}

impl App {
    /// Moves the selection among events; false on any other page.
    pub(super) fn move_in_events(&mut self, command: Command) -> bool {
        let Mode::Events(stream) = &mut self.mode else {
            return false;
        };
        let lines = stream.visible_events(&self.observation.event_history);
        let place = stream.selected_index(&lines);
        let to = match command {
            Command::Up => place.saturating_sub(1),
            Command::Down => place + 1,
            Command::PageUp => place.saturating_sub(PAGE),
            Command::PageDown => place + PAGE,
            Command::Top => 0,
            _ => usize::MAX,
        };
        // At the end the latest line is followed again.
        let within = to.saturating_add(1) < lines.len();
        stream.selected = lines
            .get(to)
            .filter(|_| within)
            .map(|line| EventId::from_event(line));
        true
    }

    pub(super) fn toggle_short_lived(&mut self) {
        if let Mode::Events(stream) = &mut self.mode {
            stream.short_lived_only = !stream.short_lived_only;
            stream.selected = None;
        }
    }

    pub(super) fn select_event(&mut self, mark: EventId) {
        if let Mode::Events(stream) = &mut self.mode {
            stream.selected = Some(mark);
        }
    }

    /// Shows the row of the selected event, if it is still in the table.
    pub(super) fn show_row_of_event(&mut self) {
        let Mode::Events(stream) = &self.mode else {
            return;
        };
        let lines = stream.visible_events(&self.observation.event_history);
        let Some(line) = lines.get(stream.selected_index(&lines)) else {
            return;
        };
        let (local, remote) = (line.local, line.remote);
        let namespace = line.owner.as_ref().and_then(|owner| owner.namespace);
        let numbered = (0_u32..).zip(self.observation.rows.iter());
        let fitting = numbered.filter(|(_, row)| {
            let socket = &row.socket;
            let ends = socket.local == local && socket.remote == remote;
            ends && socket.protocol == Protocol::Tcp
        });
        // The same ends may be in several namespaces, or have existed before.
        let found = fitting.min_by_key(|(_, row)| {
            let is_there = match namespace {
                Some(namespace) => row.socket.namespace == namespace,
                None => self.observation.is_in_current_namespace(row),
            };
            (!is_there, row.phase == Phase::Closed)
        });
        match found {
            Some((number, _)) => self.show_row(number),
            None => self.notify_key("event_row_gone", &[]),
        }
    }

    /// Moves the cursor to a row; a filter that hides it is cleared.
    fn show_row(&mut self, number: u32) {
        if !self.row_order.contains(&number) {
            self.filter = Filter::all();
            self.quick_filter = QuickFilter::default();
            self.reselect_rows();
        }
        self.close_pages();
        if let Some(place) = self.row_order.iter().position(|known| *known == number) {
            self.cursor.move_to(place);
        }
    }
}
