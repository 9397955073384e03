//! Navigation: the cursor, pages, sorting, filtering, the mouse.

use super::App;
use super::command::Command;
use super::effect::Effect;
use super::events_page::EventsPage;
use super::message::{HitTarget, MouseAction};
use super::mode::Mode;
use crate::explain::catalogue::Catalogue;
use crate::filter::Filter;
use crate::listing::{Column, QuickFilter, Sort, SortBy, StateClass};
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::state::State;

/// Rows per step of the wheel.
const WHEEL_ROWS: isize = 3;

impl App {
    pub(super) fn navigate(&mut self, command: Command) -> Vec<Effect> {
        match command {
            Command::Help => self.push_page(Mode::Help { scroll: 0 }),
            Command::Capabilities => self.push_page(Mode::Capabilities { scroll: 0 }),
            Command::Findings => self.push_page(Mode::Findings {
                index: 0,
                scroll: 0,
            }),
            Command::Explain if matches!(self.mode, Mode::Machine(_)) => {
                self.open_lesson_of_marked_state();
            }
            Command::Explain => self.open_row_page(Mode::Explain { scroll: 0 }),
            Command::Details => {
                self.open_row_page(Mode::Details { scroll: 0 });
                return self.request_usage();
            }
            Command::Filter => self.open_prompt(),
            Command::Machine => self.open_machine(),
            Command::Events => self.push_page(Mode::Events(EventsPage::default())),
            Command::Learn => self.open_lessons(),
            Command::ShowState => self.show_marked_state(),
            Command::ShortLivedOnly => self.toggle_short_lived(),
            Command::GoToRow => self.show_row_of_event(),
            Command::Advance => self.advance(),
            Command::Play => return self.toggle_playback(),
            Command::NextPage => self.turn_page(true),
            Command::PreviousPage => self.turn_page(false),
            Command::Left | Command::Right | Command::NextState => self.move_sideways(command),
            Command::Back => return self.pop_page(),
            Command::Clear => self.clear_filters(),
            Command::ShowFinding => return self.show_finding(),
            Command::Up
            | Command::Down
            | Command::PageUp
            | Command::PageDown
            | Command::Top
            | Command::Bottom => return self.move_by(command),
            Command::SortChoose => self.open_sort_menu(),
            Command::Accept => self.accept_sort(),
            Command::SortReverse => {
                self.sort.reverse = !self.sort.reverse;
                self.reselect_rows_from_top();
            }
            Command::SortNext => self.sort_by_neighbour(1),
            Command::SortPrevious => self.sort_by_neighbour(-1),
            Command::Numeric => self.numeric = !self.numeric,
            other => self.toggle_quick_filter(other),
        }
        Vec::new()
    }

    /// Opens a page about the selected row, if there is one.
    fn open_row_page(&mut self, mode: Mode) {
        if self.selected().is_some() {
            self.mode = mode;
        }
    }

    fn clear_filters(&mut self) {
        self.filter = Filter::all();
        self.quick_filter = QuickFilter::default();
        self.reselect_rows();
    }

    fn toggle_quick_filter(&mut self, command: Command) {
        match command {
            Command::ToggleTcp => toggle_only(&mut self.quick_filter.protocol, Protocol::Tcp),
            Command::ToggleUdp => toggle_only(&mut self.quick_filter.protocol, Protocol::Udp),
            Command::ToggleFamily => {
                self.quick_filter.family = match self.quick_filter.family {
                    None => Some(IpFamily::Inet),
                    Some(IpFamily::Inet) => Some(IpFamily::Inet6),
                    Some(IpFamily::Inet6) => None,
                }
            }
            Command::ToggleListen => {
                toggle_only(&mut self.quick_filter.class, StateClass::Listening);
            }
            Command::ToggleEstablished => {
                toggle_only(&mut self.quick_filter.class, StateClass::Established);
            }
            Command::ToggleOther => toggle_only(&mut self.quick_filter.class, StateClass::Other),
            _ => return,
        }
        self.reselect_rows();
    }

    fn move_by(&mut self, command: Command) -> Vec<Effect> {
        if self.move_in_findings(command)
            || self.move_in_diagram(command)
            || self.move_in_events(command)
            || self.move_in_lesson_list(command)
        {
            return Vec::new();
        }
        if let Some(scroll) = self.mode.scroll_mut() {
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
        if let Mode::SortMenu { index: place } = &mut self.mode {
            let last = SORTABLE_COLUMNS.len();
            *place = match command {
                Command::Up => place.saturating_sub(1),
                _ => (*place + 1).min(last),
            };
            return Vec::new();
        }
        match command {
            Command::Up => self.cursor.move_by(-1),
            Command::Down => self.cursor.move_by(1),
            Command::PageUp => self.cursor.move_by_pages(-1),
            Command::PageDown => self.cursor.move_by_pages(1),
            Command::Top => self.cursor.move_to(0),
            _ => self.cursor.move_to(usize::MAX),
        }
        Vec::new()
    }

    fn move_sideways(&mut self, command: Command) {
        if !self.move_in_diagram(command) {
            self.step_or_turn(command == Command::Right);
        }
    }

    /// Marks another finding on the findings page; scrolling is handled
    /// elsewhere.
    fn move_in_findings(&mut self, command: Command) -> bool {
        let last = self.observation.findings.len() + self.observation.muted.len();
        let Mode::Findings {
            index: place,
            scroll,
        } = &mut self.mode
        else {
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
            SortBy::Column(column) => SORTABLE_COLUMNS
                .iter()
                .position(|known| *known == column)
                .map_or(0, |place| place + 1),
        };
        self.mode = Mode::SortMenu { index: place };
    }

    fn accept_sort(&mut self) {
        let Mode::SortMenu { index: place } = self.mode else {
            return;
        };
        self.close_pages();
        self.sort_at(place);
    }

    fn sort_by_neighbour(&mut self, step: isize) {
        self.open_sort_menu();
        if let Mode::SortMenu { index: place } = self.mode {
            let count = SORTABLE_COLUMNS.len() + 1;
            let next = (place + count).saturating_add_signed(step) % count;
            self.close_pages();
            self.sort_at(next);
        }
    }

    /// Sorts by an entry of the menu: 0 is the usual order.
    fn sort_at(&mut self, place: usize) {
        let by = place
            .checked_sub(1)
            .and_then(|place| SORTABLE_COLUMNS.get(place))
            .map_or(SortBy::Default, |column| SortBy::Column(*column));
        self.sort = Sort { by, reverse: false };
        self.reselect_rows_from_top();
        let name = match by {
            SortBy::Default => self.messages.screen("sort", "usual"),
            SortBy::Column(column) => sort_title(column, self.messages),
        };
        self.notify_key("sorted", &[("column", name.to_owned())]);
    }

    /// Updates the order of the rows and shows its beginning.
    fn reselect_rows_from_top(&mut self) {
        self.reselect_rows();
        self.cursor.move_to(0);
    }

    /// Shows the rows of a filter written by this program, and nothing else.
    pub(super) fn apply_filter(&mut self, filter: &str) {
        if let Ok(filter) = Filter::parse(filter) {
            self.filter = filter;
            self.quick_filter = QuickFilter::default();
            self.reselect_rows();
            self.cursor.move_to(0);
        }
    }

    pub(super) fn handle_mouse(&mut self, gesture: MouseAction, spot: HitTarget) -> Vec<Effect> {
        let in_table = matches!(self.mode, Mode::Table);
        match (gesture, spot) {
            (MouseAction::WheelUp | MouseAction::WheelDown, _) => self.handle_wheel(gesture),
            // A second press may hit whatever has moved under the mouse
            // meanwhile.
            (MouseAction::Click, HitTarget::Command(command)) => {
                return self.run_command_of_key(command);
            }
            (_, HitTarget::Row(place)) if in_table => {
                self.cursor.move_to(place);
                if gesture == MouseAction::DoubleClick {
                    return self.run_command(Command::Details);
                }
            }
            (MouseAction::Click, HitTarget::Heading(column)) if in_table => {
                self.sort_by_heading(column);
            }
            (MouseAction::Click, HitTarget::StateCount(state)) if in_table => {
                self.filter_by_state(state);
            }
            (MouseAction::Click, HitTarget::UrgencyCount(urgency)) if in_table => {
                self.toggle_filter(&format!("urgency:{}", urgency.key()));
            }
            (MouseAction::Click, HitTarget::Finding) if in_table => return self.show_finding(),
            (_, HitTarget::DiagramState(state)) => {
                self.mark_state(state);
                if gesture == MouseAction::DoubleClick {
                    return self.run_command_of_key(Command::ShowState);
                }
            }
            (_, HitTarget::Event(mark)) => {
                self.select_event(mark);
                if gesture == MouseAction::DoubleClick {
                    return self.run_command_of_key(Command::GoToRow);
                }
            }
            (_, HitTarget::Signal(signal)) => return self.choose_signal(|_| signal),
            (MouseAction::Click, HitTarget::Lesson(place)) if self.is_in_lesson_list() => {
                self.open_lesson(place);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Runs the command of a key whose name was clicked, as that key would. The
    /// frame may still show the keys of the page before.
    fn run_command_of_key(&mut self, command: Command) -> Vec<Effect> {
        if self.keymap.has(self.mode.context(), command) {
            self.run_command(command)
        } else {
            Vec::new()
        }
    }

    fn handle_wheel(&mut self, gesture: MouseAction) {
        let rows = if gesture == MouseAction::WheelUp {
            -WHEEL_ROWS
        } else {
            WHEEL_ROWS
        };
        let command = if rows < 0 { Command::Up } else { Command::Down };
        if matches!(self.mode, Mode::Table) {
            self.cursor.move_by(rows);
        } else if matches!(self.mode, Mode::Events(_)) || self.is_in_lesson_list() {
            for _ in 0..WHEEL_ROWS {
                let _ = self.move_by(command);
            }
        } else if let Some(scroll) = self.mode.scroll_mut() {
            let moved = isize::try_from(*scroll).unwrap_or(0) + rows;
            *scroll = u16::try_from(moved.max(0)).unwrap_or(u16::MAX);
        }
    }

    pub(super) fn is_in_lesson_list(&self) -> bool {
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
        self.reselect_rows_from_top();
    }

    fn filter_by_state(&mut self, state: Option<State>) {
        let wanted = match state {
            None => String::new(),
            Some(State::Unconnected) => "udp".to_owned(),
            Some(state) => format!("tcp and state:{}", state.key()),
        };
        self.toggle_filter(&wanted);
    }

    /// Shows the rows of a filter, or all if it is active already.
    fn toggle_filter(&mut self, wanted: &str) {
        if let Ok(filter) = Filter::parse(wanted) {
            self.quick_filter = QuickFilter::default();
            self.filter = if self.filter == filter {
                Filter::all()
            } else {
                filter
            };
            self.reselect_rows();
        }
    }
}

/// Sets a toggle to this value, or clears it if that is its value already.
fn toggle_only<T: PartialEq>(toggle: &mut Option<T>, only: T) {
    *toggle = if toggle.as_ref() == Some(&only) {
        None
    } else {
        Some(only)
    };
}

/// The columns of the sort menu, in its order.
pub const SORTABLE_COLUMNS: [Column; 22] = [
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
