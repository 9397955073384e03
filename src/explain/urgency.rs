//! Whether somebody should do something about a socket.

/// How much attention a socket deserves, by its own evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Urgency {
    /// As it should be.
    #[default]
    Normal,
    /// Worth a look: it may mend itself, or be meant.
    Look,
    /// Somebody must do something: it does not mend itself.
    Act,
}

impl Urgency {
    /// Every degree.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Look, Self::Act];

    /// The key in assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Look => "look",
            Self::Act => "act",
        }
    }
}
