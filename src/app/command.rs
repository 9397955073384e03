//! The commands that keys can run, by their name in the keymap.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Leave the program.
    Quit,
    /// Show all keys.
    Help,
    /// Type a filter.
    Filter,
    /// Clear filter and toggles.
    Clear,
    /// Choose the column to sort by.
    SortChoose,
    /// Reverse the sort order.
    SortReverse,
    /// Sort by the next column.
    SortNext,
    /// Sort by the previous column.
    SortPrevious,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first row.
    Top,
    /// To the last row.
    Bottom,
    /// Details of the selected socket.
    Details,
    /// Explanation of its state.
    Explain,
    /// End the process that owns it.
    EndProcess,
    /// Close its connection.
    CloseConnection,
    /// Tag the row, or remove its tag.
    Tag,
    /// Tag all visible rows, or remove all tags.
    TagAll,
    /// Pause the screen.
    Pause,
    /// Read now.
    Refresh,
    /// Read more often.
    Faster,
    /// Read less often.
    Slower,
    /// TCP on or off.
    ToggleTcp,
    /// UDP on or off.
    ToggleUdp,
    /// IPv4, IPv6, both.
    ToggleFamily,
    /// Listeners on or off.
    ToggleListen,
    /// Open connections on or off.
    ToggleEstablished,
    /// All other states on or off.
    ToggleOther,
    /// Read as often as is cheap.
    AdaptiveRefresh,
    /// This network namespace, or all.
    AllNamespaces,
    /// Names or numbers.
    Numeric,
    /// The next language.
    Language,
    /// Copy the row as text.
    CopyRow,
    /// Copy the row as JSON.
    CopyJson,
    /// Filter to the rows of the most severe finding.
    ShowFinding,
    /// All findings with their evidence.
    Findings,
    /// Acknowledge the marked finding.
    Acknowledge,
    /// Mute the marked finding's rule for its program.
    Mute,
    /// Abilities of this program, and gaps in what it can read.
    Capabilities,
    /// Suspend to the shell.
    Suspend,
    /// Send the chosen signal.
    ConfirmSend,
    /// Choose the next signal.
    NextSignal,
    /// Choose the previous signal.
    PreviousSignal,
    /// Explain the question: its keys, and what each answer does.
    DialogHelp,
    /// The process alone, or its whole tree.
    ToggleTree,
    /// Close the connections in question.
    ConfirmClose,
    /// Send nothing.
    Cancel,
    /// First action offered by the lab.
    LabAction1,
    /// Second action offered by the lab.
    LabAction2,
    /// Third action offered by the lab.
    LabAction3,
    /// Fourth action offered by the lab.
    LabAction4,
    /// Fifth action offered by the lab.
    LabAction5,
    /// Sixth action offered by the lab.
    LabAction6,
    /// Action of the lab under the digit 9.
    LabAction9,
    /// The state machine with this socket in it.
    Machine,
    /// Events between the tables.
    Events,
    /// The learning pages.
    Learn,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// To the next state.
    NextState,
    /// Filter to the rows in the marked state.
    ShowState,
    /// Only connections that no table showed.
    ShortLivedOnly,
    /// To the row of the marked event.
    GoToRow,
    /// Open the marked entry, or go on.
    Advance,
    /// Play or stop the animation of segments.
    Play,
    /// To the next learning page.
    NextPage,
    /// To the previous learning page.
    PreviousPage,
    /// Accept the chosen entry.
    Accept,
    /// One step back.
    Back,
}

impl Command {
    /// Every command with its key in the assets.
    pub const ALL: [(Self, &'static str); 71] = [
        (Self::Quit, "quit"),
        (Self::Help, "help"),
        (Self::Filter, "filter"),
        (Self::Clear, "clear"),
        (Self::SortChoose, "sort_choose"),
        (Self::SortReverse, "sort_reverse"),
        (Self::SortNext, "sort_next"),
        (Self::SortPrevious, "sort_previous"),
        (Self::Up, "up"),
        (Self::Down, "down"),
        (Self::PageUp, "page_up"),
        (Self::PageDown, "page_down"),
        (Self::Top, "top"),
        (Self::Bottom, "bottom"),
        (Self::Details, "details"),
        (Self::Explain, "explain"),
        (Self::EndProcess, "end_process"),
        (Self::CloseConnection, "close_connection"),
        (Self::Tag, "tag"),
        (Self::TagAll, "tag_all"),
        (Self::Pause, "pause"),
        (Self::Refresh, "refresh"),
        (Self::Faster, "faster"),
        (Self::Slower, "slower"),
        (Self::ToggleTcp, "toggle_tcp"),
        (Self::ToggleUdp, "toggle_udp"),
        (Self::ToggleFamily, "toggle_family"),
        (Self::ToggleListen, "toggle_listen"),
        (Self::ToggleEstablished, "toggle_established"),
        (Self::ToggleOther, "toggle_other"),
        (Self::AdaptiveRefresh, "adapt"),
        (Self::AllNamespaces, "all_namespaces"),
        (Self::Numeric, "numeric"),
        (Self::Language, "language"),
        (Self::CopyRow, "copy_row"),
        (Self::CopyJson, "copy_json"),
        (Self::ShowFinding, "show_finding"),
        (Self::Findings, "findings"),
        (Self::Acknowledge, "acknowledge"),
        (Self::Mute, "mute"),
        (Self::Capabilities, "gaps"),
        (Self::Suspend, "suspend"),
        (Self::ConfirmSend, "confirm_send"),
        (Self::NextSignal, "next_signal"),
        (Self::PreviousSignal, "previous_signal"),
        (Self::DialogHelp, "dialog_help"),
        (Self::ToggleTree, "turn_reach"),
        (Self::ConfirmClose, "confirm_close"),
        (Self::Cancel, "cancel"),
        (Self::LabAction1, "choose_1"),
        (Self::LabAction2, "choose_2"),
        (Self::LabAction3, "choose_3"),
        (Self::LabAction4, "choose_4"),
        (Self::LabAction5, "choose_5"),
        (Self::LabAction6, "choose_6"),
        (Self::LabAction9, "choose_9"),
        (Self::Machine, "machine"),
        (Self::Events, "events"),
        (Self::Learn, "learn"),
        (Self::Left, "left"),
        (Self::Right, "right"),
        (Self::NextState, "next_state"),
        (Self::ShowState, "show_state"),
        (Self::ShortLivedOnly, "brief_only"),
        (Self::GoToRow, "go_to_row"),
        (Self::Advance, "onward"),
        (Self::Play, "play"),
        (Self::NextPage, "next_page"),
        (Self::PreviousPage, "previous_page"),
        (Self::Accept, "accept"),
        (Self::Back, "back"),
    ];

    /// Returns the command of the lab's action under a digit, if there is one.
    #[must_use]
    pub fn from_digit(digit: u8) -> Option<Self> {
        let mut all = Self::ALL.iter().map(|(command, _)| *command);
        all.find(|command| command.digit() == Some(digit))
    }

    /// Returns the digit, for a command of the lab's actions.
    #[must_use]
    pub fn digit(self) -> Option<u8> {
        Some(match self {
            Self::LabAction1 => 1,
            Self::LabAction2 => 2,
            Self::LabAction3 => 3,
            Self::LabAction4 => 4,
            Self::LabAction5 => 5,
            Self::LabAction6 => 6,
            Self::LabAction9 => 9,
            _ => return None,
        })
    }

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(command, _)| *command == self)
            .map_or("", |(_, key)| key)
    }

    /// Returns the command with this key of the assets.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == key)
            .map(|(command, _)| *command)
    }
}
