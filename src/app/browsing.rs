//! Navigation: the cursor, pages, sorting, filtering, the mouse.

use super::App;
use super::command::Command;
use super::effect::Effect;
use super::message::{Gesture, Spot};
use super::mode::Mode;
use super::stream::Stream;
use crate::explain::catalogue::Catalogue;
use crate::filter::Filter;
use crate::listing::{Column, Quick, Sort, SortBy, StateClass};
use crate::model::protocol::{Family, Protocol};
use crate::model::state::State;

/// Rows per step of the wheel.
const WHEEL: isize = 3;

impl App {
    pub(super) fn browse(&mut self, command: Command) -> Vec<Effect> {
        match command {
            Command::Help => self.enter(Mode::Help { scroll: 0 }),
            Command::Gaps => self.enter(Mode::Gaps { scroll: 0 }),
            Command::Findings => self.enter(Mode::Findings {
                place: 0,
                scroll: 0,
            }),
            Command::Explain if matches!(self.mode, Mode::Machine(_)) => self.learn_marked(),
            Command::Explain => self.page(Mode::Explain { scroll: 0 }),
            Command::Details => {
                self.page(Mode::Details { scroll: 0 });
                return self.watch_usage();
            }
            Command::Filter => self.open_prompt(),
            Command::Machine => self.open_machine(),
            Command::Events => self.enter(Mode::Events(Stream::default())),
            Command::Learn => self.open_learning(),
            Command::ShowState => self.show_marked(),
            Command::BriefOnly => self.toggle_brief(),
            Command::GoToRow => self.go_to_row(),
            Command::Onward => self.onward(),
            Command::Play => return self.play(),
            Command::NextPage => self.turn(true),
            Command::PreviousPage => self.turn(false),
            Command::Left | Command::Right | Command::NextState => self.go_aside(command),
            Command::Back => return self.step_back(),
            Command::Clear => self.clear(),
            Command::ShowFinding => return self.show_finding(),
            Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::Top
            | Command::Bottom => return self.step(command),
            Command::SortChoose => self.open_sort_menu(),
            Command::Accept => self.accept_sort(),
            Command::SortReverse => {
                self.sort.reverse = !self.sort.reverse;
                self.rearrange_from_top();
            }
            Command::SortNext => self.sort_beside(1),
            Command::SortPrevious => self.sort_beside(-1),
            Command::Numeric => self.numeric = !self.numeric,
            other => self.toggle(other),
        }
        Vec::new()
    }

    /// Opens a page about the selected row, if there is one.
    fn page(&mut self, mode: Mode) {
        if self.selected().is_some() {
            self.mode = mode;
        }
    }

    fn clear(&mut self) {
        self.filter = Filter::all();
        self.quick = Quick::default();
        self.rearrange();
    }

    fn toggle(&mut self, command: Command) {
        match command {
            Command::ToggleTcp => flip(&mut self.quick.protocol, Protocol::Tcp),
            Command::ToggleUdp => flip(&mut self.quick.protocol, Protocol::Udp),
            Command::ToggleFamily => {
                self.quick.family = match self.quick.family {
                    None => Some(Family::Inet),
                    Some(Family::Inet) => Some(Family::Inet6),
                    Some(Family::Inet6) => None,
                }
            }
            Command::ToggleListen => flip(&mut self.quick.class, StateClass::Listening),
            Command::ToggleEstablished => flip(&mut self.quick.class, StateClass::Established),
            Command::ToggleOther => flip(&mut self.quick.class, StateClass::Other),
            _ => return,
        }
        self.rearrange();
    }

    fn step(&mut self, command: Command) -> Vec<Effect> {
        if self.step_findings(command)
            || self.step_machine(command)
            || self.step_stream(command)
            || self.step_contents(command)
        {
            return Vec::new();
        }
        if let Some(scroll) = self.mode.scroll() {
            *scroll = match command {
                Command::Up => scroll.saturating_sub(1),
                Command::Down => scroll.saturating_add(1),
                Command::PageUp => scroll.saturating_sub(10),
                Command::PageDown => scroll.saturating_add(10),
                Command::Top => 0,
                _ => u16::MAX,
            };
            return Vec::new();
        }
        if let Mode::SortMenu { place } = &mut self.mode {
            let last = SORTABLE.len();
            *place = match command {
                Command::Up => place.saturating_sub(1),
                _ => (*place + 1).min(last),
            };
            return Vec::new();
        }
        match command {
            Command::Up => self.cursor.step(-1),
            Command::Down => self.cursor.step(1),
            Command::PageUp => self.cursor.pages(-1),
            Command::PageDown => self.cursor.pages(1),
            Command::Top => self.cursor.to(0),
            _ => self.cursor.to(usize::MAX),
        }
        Vec::new()
    }

    fn go_aside(&mut self, command: Command) {
        if !self.step_machine(command) {
            self.sideways(command == Command::Right);
        }
    }

    /// Marks another finding on the findings page; scrolling is handled
    /// elsewhere.
    fn step_findings(&mut self, command: Command) -> bool {
        let last = self.observation.findings.len() + self.observation.muted.len();
        let Mode::Findings { place, scroll } = &mut self.mode else {
            return false;
        };
        *place = match command {
            Command::Up => place.saturating_sub(1),
            Command::Down => *place + 1,
            Command::Top => 0,
            Command::Bottom => last,
            _ => return false,
        };
        *place = (*place).min(last.saturating_sub(1));
        *scroll = 0;
        true
    }

    fn open_sort_menu(&mut self) {
        let place = match self.sort.by {
            SortBy::Default => 0,
            SortBy::Column(column) => SORTABLE
                .iter()
                .position(|known| *known == column)
                .map_or(0, |place| place + 1),
        };
        self.mode = Mode::SortMenu { place };
    }

    fn accept_sort(&mut self) {
        let Mode::SortMenu { place } = self.mode else {
            return;
        };
        self.leave_all();
        self.sort_at(place);
    }

    fn sort_beside(&mut self, step: isize) {
        self.open_sort_menu();
        if let Mode::SortMenu { place } = self.mode {
            let count = SORTABLE.len() + 1;
            let next = (place + count).saturating_add_signed(step) % count;
            self.leave_all();
            self.sort_at(next);
        }
    }

    /// Sorts by an entry of the menu: 0 is the usual order.
    fn sort_at(&mut self, place: usize) {
        let by = place
            .checked_sub(1)
            .and_then(|place| SORTABLE.get(place))
            .map_or(SortBy::Default, |column| SortBy::Column(*column));
        self.sort = Sort { by, reverse: false };
        self.rearrange_from_top();
        let name = match by {
            SortBy::Default => self.words.screen("sort", "usual"),
            SortBy::Column(column) => sort_title(column, self.words),
        };
        self.say("sorted", &[("column", name.to_owned())]);
    }

    /// Updates the order of the rows and shows its beginning.
    fn rearrange_from_top(&mut self) {
        self.rearrange();
        self.cursor.to(0);
    }

    /// Shows the rows of a filter written by this program, and nothing else.
    pub(super) fn show_only(&mut self, filter: &str) {
        if let Ok(filter) = Filter::parse(filter) {
            self.filter = filter;
            self.quick = Quick::default();
            self.rearrange();
            self.cursor.to(0);
        }
    }

    pub(super) fn mouse(&mut self, gesture: Gesture, spot: Spot) -> Vec<Effect> {
        let in_table = matches!(self.mode, Mode::Table);
        match (gesture, spot) {
            (Gesture::WheelUp | Gesture::WheelDown, _) => self.wheel(gesture),
            // A second press may hit whatever has moved under the mouse
            // meanwhile.
            (Gesture::Click, Spot::Command(command)) => return self.press(command),
            (_, Spot::Row(place)) if in_table => {
                self.cursor.to(place);
                if gesture == Gesture::DoubleClick {
                    return self.command(Command::Details);
                }
            }
            (Gesture::Click, Spot::Heading(column)) if in_table => self.sort_by_heading(column),
            (Gesture::Click, Spot::Chip(state)) if in_table => self.filter_by_chip(state),
            (Gesture::Click, Spot::Urgent(urgency)) if in_table => {
                self.filter_or_clear(&format!("urgency:{}", urgency.key()));
            }
            (Gesture::Click, Spot::Finding) if in_table => return self.show_finding(),
            (_, Spot::Station(state)) => {
                self.mark_state(state);
                if gesture == Gesture::DoubleClick {
                    return self.press(Command::ShowState);
                }
            }
            (_, Spot::Happening(mark)) => {
                self.mark_line(mark);
                if gesture == Gesture::DoubleClick {
                    return self.press(Command::GoToRow);
                }
            }
            (_, Spot::Signal(signal)) => return self.choose_signal(|_| signal),
            (Gesture::Click, Spot::Lesson(place)) if self.in_contents() => self.open_lesson(place),
            _ => {}
        }
        Vec::new()
    }

    /// Runs the command of a key whose name was clicked, as that key would. The
    /// frame may still show the keys of the page before.
    fn press(&mut self, command: Command) -> Vec<Effect> {
        if self.keymap.has(self.mode.context(), command) {
            self.command(command)
        } else {
            Vec::new()
        }
    }

    fn wheel(&mut self, gesture: Gesture) {
        let rows = if gesture == Gesture::WheelUp {
            -WHEEL
        } else {
            WHEEL
        };
        let command = if rows < 0 { Command::Up } else { Command::Down };
        if matches!(self.mode, Mode::Table) {
            self.cursor.step(rows);
        } else if matches!(self.mode, Mode::Events(_)) || self.in_contents() {
            for _ in 0..WHEEL {
                let _ = self.step(command);
            }
        } else if let Some(scroll) = self.mode.scroll() {
            let moved = isize::try_from(*scroll).unwrap_or(0) + rows;
            *scroll = u16::try_from(moved.max(0)).unwrap_or(u16::MAX);
        }
    }

    pub(super) fn in_contents(&self) -> bool {
        matches!(&self.mode, Mode::Learn(learning) if learning.lesson.is_none())
    }

    fn sort_by_heading(&mut self, column: Column) {
        if self.sort.by == SortBy::Column(column) {
            self.sort.reverse = !self.sort.reverse;
        } else {
            self.sort = Sort {
                by: SortBy::Column(column),
                reverse: false,
            };
        }
        self.rearrange_from_top();
    }

    fn filter_by_chip(&mut self, state: Option<State>) {
        let wanted = match state {
            None => String::new(),
            Some(State::Unconnected) => "udp".to_owned(),
            Some(state) => format!("tcp and state:{}", state.key()),
        };
        self.filter_or_clear(&wanted);
    }

    /// Shows the rows of a filter, or all if it is active already.
    fn filter_or_clear(&mut self, wanted: &str) {
        if let Ok(filter) = Filter::parse(wanted) {
            self.quick = Quick::default();
            self.filter = if self.filter == filter {
                Filter::all()
            } else {
                filter
            };
            self.rearrange();
        }
    }
}

/// Sets a toggle to this value, or clears it if that is its value already.
fn flip<T: PartialEq>(toggle: &mut Option<T>, only: T) {
    *toggle = if toggle.as_ref() == Some(&only) {
        None
    } else {
        Some(only)
    };
}

/// The columns of the sort menu, in its order.
pub const SORTABLE: [Column; 22] = [
    Column::Mark,
    Column::Process,
    Column::Pid,
    Column::User,
    Column::Proto,
    Column::Local,
    Column::Remote,
    Column::State,
    Column::Age,
    Column::Timer,
    Column::RecvQ,
    Column::SendQ,
    Column::Rtt,
    Column::Retrans,
    Column::Rx,
    Column::Tx,
    Column::Drops,
    Column::Service,
    Column::Unit,
    Column::Netns,
    Column::Inode,
    Column::Interface,
];

/// The name of a column in the sort menu: the one of marks has no heading.
#[must_use]
pub fn sort_title(column: Column, words: &Catalogue) -> &str {
    match column {
        Column::Mark => words.screen("sort", "urgency"),
        other => words.column_title(other.key()),
    }
}
