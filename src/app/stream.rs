//! The page of events: the selected event, and the visible ones.

use super::App;
use super::command::Command;
use super::mode::Mode;
use crate::filter::Filter;
use crate::listing::Quick;
use crate::model::chronicle::{Chronicle, Happening};
use crate::model::endpoint::Endpoint;
use crate::model::protocol::Protocol;
use crate::model::row::Phase;
use crate::model::state::State;

/// Number of events that a page key moves by.
const PAGE: usize = 10;

/// Identity of an event while others come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineMark {
    at_us: u64,
    local: Endpoint,
    remote: Endpoint,
    from: Option<State>,
}

impl LineMark {
    /// Returns the id of an event.
    #[must_use]
    pub fn of(line: &Happening) -> Self {
        Self {
            at_us: line.at_us,
            local: line.local,
            remote: line.remote,
            from: line.what.from(),
        }
    }
}

/// The page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stream {
    /// The selected event; none while the latest is followed.
    pub mark: Option<LineMark>,
    /// True if only connections are shown that no table ever showed.
    pub brief_only: bool,
}

impl Stream {
    /// The visible events, the latest last.
    #[must_use]
    pub fn lines<'a>(&self, chronicle: &'a Chronicle) -> Vec<&'a Happening> {
        let all = chronicle.stream.iter();
        all.filter(|line| !self.brief_only || line.is_unseen())
            .collect()
    }

    /// Index of the selected event among the visible ones: the last one while
    /// following, the first one if it is no longer kept.
    #[must_use]
    pub fn place(&self, lines: &[&Happening]) -> usize {
        let last = lines.len().saturating_sub(1);
        let Some(mark) = self.mark else {
            return last;
        };
        let found = lines.iter().position(|line| LineMark::of(line) == mark);
        found.unwrap_or(0)
    }
}

impl App {
    /// Moves the selection among events; false on any other page.
    pub(super) fn step_stream(&mut self, command: Command) -> bool {
        let Mode::Events(stream) = &mut self.mode else {
            return false;
        };
        let lines = stream.lines(&self.observation.chronicle);
        let place = stream.place(&lines);
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
        stream.mark = lines
            .get(to)
            .filter(|_| within)
            .map(|line| LineMark::of(line));
        true
    }

    pub(super) fn toggle_brief(&mut self) {
        if let Mode::Events(stream) = &mut self.mode {
            stream.brief_only = !stream.brief_only;
            stream.mark = None;
        }
    }

    pub(super) fn mark_line(&mut self, mark: LineMark) {
        if let Mode::Events(stream) = &mut self.mode {
            stream.mark = Some(mark);
        }
    }

    /// Shows the row of the selected event, if it is still in the table.
    pub(super) fn go_to_row(&mut self) {
        let Mode::Events(stream) = &self.mode else {
            return;
        };
        let lines = stream.lines(&self.observation.chronicle);
        let Some(line) = lines.get(stream.place(&lines)) else {
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
                None => self.observation.is_own(row),
            };
            (!is_there, row.phase == Phase::Closed)
        });
        match found {
            Some((number, _)) => self.show_row(number),
            None => self.say("event_row_gone", &[]),
        }
    }

    /// Moves the cursor to a row; a filter that hides it is cleared.
    fn show_row(&mut self, number: u32) {
        if !self.order.contains(&number) {
            self.filter = Filter::all();
            self.quick = Quick::default();
            self.rearrange();
        }
        self.leave_all();
        if let Some(place) = self.order.iter().position(|known| *known == number) {
            self.cursor.to(place);
        }
    }
}
