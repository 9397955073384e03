//! The signals that can be sent, by their usual names.

use std::fmt;

/// A signal that can be sent to a process (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Request to terminate.
    Term,
    /// Ends it through the kernel, without cleaning up.
    Kill,
    /// Interrupt, as by Ctrl-C.
    Int,
    /// The terminal is gone; many servers reload their settings.
    Hup,
    /// Stops it until CONT; cannot be ignored.
    Stop,
    /// Continues it.
    Cont,
    /// The program defines its meaning.
    Usr1,
    /// The program defines its meaning.
    Usr2,
}

impl Signal {
    /// All of them, those that end a process first.
    pub const ALL: [Self; 8] = [
        Self::Term,
        Self::Kill,
        Self::Int,
        Self::Hup,
        Self::Stop,
        Self::Cont,
        Self::Usr1,
        Self::Usr2,
    ];

    /// The usual name: `TERM`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
            Self::Int => "INT",
            Self::Hup => "HUP",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
        }
    }

    /// The one after it in [`Self::ALL`]; the last stays.
    #[must_use]
    pub fn next(self) -> Self {
        let mut after = Self::ALL.into_iter().skip_while(|one| *one != self);
        after.nth(1).unwrap_or(self)
    }

    /// The one before it in [`Self::ALL`]; the first stays.
    #[must_use]
    pub fn previous(self) -> Self {
        let before = Self::ALL.into_iter().take_while(|one| *one != self);
        before.last().unwrap_or(self)
    }

    /// Returns the signal with this name, in any usual form: `TERM`, `sigterm`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let upper = word.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        Self::ALL.into_iter().find(|signal| signal.word() == name)
    }

    /// True if a process that receives it is expected to end. The effect of HUP,
    /// USR1 and USR2 depends on the program.
    #[must_use]
    pub fn is_terminating(self) -> bool {
        matches!(self, Self::Term | Self::Kill | Self::Int)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_and_previous_walk_through_all_signals() {
        let forth: Vec<Signal> =
            std::iter::successors(Some(Signal::Term), |signal| Some(signal.next()))
                .take(9)
                .collect();
        assert_eq!(forth[..8], Signal::ALL);
        assert_eq!(forth[8], Signal::Usr2, "the last stays");
        for pair in Signal::ALL.windows(2) {
            assert_eq!(pair[1].previous(), pair[0]);
        }
        assert_eq!(Signal::Term.previous(), Signal::Term);
    }

    #[test]
    fn signal_names_parse_with_and_without_prefix() {
        for signal in Signal::ALL {
            let word = signal.word();
            let ways = [word.to_owned(), word.to_lowercase(), format!("SIG{word}")];
            for way in ways {
                assert_eq!(Signal::from_word(&way), Some(signal), "{way}");
            }
        }
        for wrong in ["", "SIG", "9", "SEGV", "TERM "] {
            assert_eq!(Signal::from_word(wrong), None, "{wrong}");
        }
    }
}
