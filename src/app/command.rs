//! Everything a key can ask for, by the name it has in the keymap.

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Leave the program.
    Quit,
    /// Show all keys.
    Help,
    /// Type a filter.
    Filter,
    /// Take filter and toggles away.
    Clear,
    /// Choose the column to sort by.
    SortChoose,
    /// Turn the order round.
    SortReverse,
    /// Sort by the next column.
    SortNext,
    /// Sort by the column before.
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
    /// All about the selected socket.
    Details,
    /// All about its state.
    Explain,
    /// End the process that owns it.
    EndProcess,
    /// Close its connection.
    CloseConnection,
    /// Tag the row, or take its tag away.
    Tag,
    /// Tag all that is shown, or take all tags away.
    TagAll,
    /// Hold the screen still.
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
    /// Read as often as costs little.
    Adapt,
    /// This network namespace, or all.
    AllNamespaces,
    /// Names or numbers.
    Numeric,
    /// Copy the row as text.
    CopyRow,
    /// Copy the row as JSON.
    CopyJson,
    /// Filter to the rows of the gravest finding.
    ShowFinding,
    /// All findings with their evidence.
    Findings,
    /// What could not be seen.
    Gaps,
    /// To the shell and back.
    Suspend,
    /// Send TERM.
    ConfirmTerm,
    /// Send KILL.
    ConfirmKill,
    /// Close what was asked about.
    ConfirmClose,
    /// Send nothing.
    Cancel,
    /// Take what is chosen.
    Accept,
    /// One step back.
    Back,
}

impl Command {
    /// Every command with its key in the assets.
    pub const ALL: [(Self, &'static str); 45] = [
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
        (Self::Adapt, "adapt"),
        (Self::AllNamespaces, "all_namespaces"),
        (Self::Numeric, "numeric"),
        (Self::CopyRow, "copy_row"),
        (Self::CopyJson, "copy_json"),
        (Self::ShowFinding, "show_finding"),
        (Self::Findings, "findings"),
        (Self::Gaps, "gaps"),
        (Self::Suspend, "suspend"),
        (Self::ConfirmTerm, "confirm_term"),
        (Self::ConfirmKill, "confirm_kill"),
        (Self::ConfirmClose, "confirm_close"),
        (Self::Cancel, "cancel"),
        (Self::Accept, "accept"),
        (Self::Back, "back"),
    ];

    /// Its key in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(command, _)| *command == self)
            .map_or("", |(_, key)| key)
    }

    /// The command behind a key of the assets.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known)| *known == key)
            .map(|(command, _)| *command)
    }
}
