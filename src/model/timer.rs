//! The timer the kernel runs for a socket.

/// Event at the expiry of a socket's timer (`tr` in `/proc/net/tcp`,
/// `idiag_timer` in `sock_diag`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimerKind {
    /// Unacknowledged data, SYN or FIN is retransmitted.
    Retransmit,
    /// A keepalive probe goes out; also the FIN_WAIT_2 timer of an orphan.
    Keepalive,
    /// The kernel forgets the connection.
    TimeWait,
    /// The peer's closed window is probed.
    ZeroWindowProbe,
    /// A number this program does not know.
    Unknown(u8),
}

impl TimerKind {
    /// Every known kind.
    pub const ALL: [Self; 4] = [
        Self::Retransmit,
        Self::Keepalive,
        Self::TimeWait,
        Self::ZeroWindowProbe,
    ];

    /// The kind behind the kernel's number; `None` for 0, no timer.
    #[must_use]
    pub fn from_kernel(number: u8) -> Option<Self> {
        match number {
            0 => None,
            1 => Some(Self::Retransmit),
            2 => Some(Self::Keepalive),
            3 => Some(Self::TimeWait),
            4 => Some(Self::ZeroWindowProbe),
            other => Some(Self::Unknown(other)),
        }
    }

    /// The key in reports and assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Retransmit => "retransmit",
            Self::Keepalive => "keepalive",
            Self::TimeWait => "time_wait",
            Self::ZeroWindowProbe => "zero_window_probe",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// A running timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Its kind.
    pub kind: TimerKind,
    /// Milliseconds left; 0 when it is due.
    pub expires_ms: u32,
    /// Number of retransmissions so far: segments for [`TimerKind::Retransmit`],
    /// unanswered probes for the two probing kinds.
    pub retransmits: u8,
}
