//! Treatment of copied text by the terminal.

/// Path from this program to a clipboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Clipboard {
    /// A terminal that may support OSC 52 or ignore it: it does not answer.
    #[default]
    Terminal,
    /// tmux in front of it, which passes OSC 52 on only with `set-clipboard on`.
    Tmux,
    /// GNU screen in front of it, which passes on wrapped sequences.
    Screen,
    /// The Linux console, which has none.
    Unavailable,
}

impl Clipboard {
    /// Chooses by the environment: values of `TERM`, `TMUX` and `STY`.
    #[must_use]
    pub fn from_env(term: Option<&str>, tmux: Option<&str>, screen: Option<&str>) -> Self {
        let set = |value: Option<&str>| value.is_some_and(|value| !value.is_empty());
        match term {
            _ if set(tmux) => Self::Tmux,
            _ if set(screen) => Self::Screen,
            Some("linux") => Self::Unavailable,
            _ => Self::Terminal,
        }
    }

    /// The sentence after copying, by its name in the assets.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Terminal => "copied",
            Self::Tmux => "copied_tmux",
            Self::Screen => "copied_screen",
            Self::Unavailable => "copied_nowhere",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplexer_in_front_of_the_terminal_is_recognised() {
        let cases = [
            (Some("xterm-256color"), None, None, Clipboard::Terminal),
            (None, None, None, Clipboard::Terminal),
            (Some("linux"), None, None, Clipboard::Unavailable),
            (
                Some("tmux-256color"),
                Some("/tmp/tmux-0/default,1,0"),
                None,
                Clipboard::Tmux,
            ),
            (
                Some("screen"),
                Some("/tmp/tmux-0/default,1,0"),
                Some("1.pts"),
                Clipboard::Tmux,
            ),
            (
                Some("screen"),
                None,
                Some("1.pts-0.host"),
                Clipboard::Screen,
            ),
            (Some("linux"), Some(""), Some(""), Clipboard::Unavailable),
        ];
        for (term, tmux, screen, expected) in cases {
            assert_eq!(
                Clipboard::from_env(term, tmux, screen),
                expected,
                "{term:?}"
            );
        }
    }
}
