//! The keymap: data that maps keys to commands. Help and footer are made from it,
//! so that they cannot list a key without a command.

use super::command::Command;
use serde::Deserialize;
use std::fmt;

/// A key as a terminal reports it, independent of any terminal library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A character; upper and lower case differ.
    Char(char),
    /// A character with Ctrl.
    Ctrl(char),
    /// A function key.
    F(u8),
    /// Enter or Return.
    Enter,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Tabulator.
    Tab,
}

/// The key that leaves the program from wherever it is.
pub const LEAVES: Key = Key::Ctrl('c');

const KEY_NAMES: [(&str, Key); 14] = [
    ("Enter", Key::Enter),
    ("Esc", Key::Esc),
    ("Backspace", Key::Backspace),
    ("Delete", Key::Delete),
    ("Up", Key::Up),
    ("Down", Key::Down),
    ("Left", Key::Left),
    ("Right", Key::Right),
    ("Home", Key::Home),
    ("End", Key::End),
    ("PageUp", Key::PageUp),
    ("PageDown", Key::PageDown),
    ("Tab", Key::Tab),
    ("Space", Key::Char(' ')),
];

impl Key {
    /// The key with a name such as `K`, `F9`, `Ctrl-c`, `Enter`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some((_, key)) = KEY_NAMES.iter().find(|(known, _)| *known == name) {
            return Some(*key);
        }
        let mut characters = name.chars();
        match (characters.next()?, characters.as_str()) {
            (only, "") => Some(Self::Char(only)),
            ('F', number) => number.parse().ok().map(Self::F),
            _ => {
                let mut rest = name.strip_prefix("Ctrl-")?.chars();
                let letter = rest.next()?;
                rest.next().is_none().then_some(Self::Ctrl(letter))
            }
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = KEY_NAMES.iter().find(|(_, key)| key == self) {
            return formatter.write_str(name);
        }
        match self {
            Self::Char(character) => write!(formatter, "{character}"),
            Self::Ctrl(character) => write!(formatter, "Ctrl-{character}"),
            Self::F(number) => write!(formatter, "F{number}"),
            _ => Ok(()),
        }
    }
}

/// Context of the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// The live table.
    Table,
    /// A page of text.
    Page,
    /// The page of findings.
    Findings,
    /// The state machine.
    Machine,
    /// The page of events.
    Events,
    /// The learning pages.
    Learn,
    /// A list to choose from.
    Menu,
    /// The question before a process is ended.
    Confirm,
    /// The question before a connection is closed.
    Close,
    /// The page that explains such a question.
    DialogHelp,
    /// A line being typed, which handles every key itself.
    Prompt,
}

/// Keys with the same command in some contexts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Their command.
    pub command: Command,
    /// The keys.
    pub keys: Vec<Key>,
    /// Contexts.
    pub contexts: Vec<Context>,
    /// Place in the footer, smaller first; none for help only.
    pub footer: Option<u8>,
}

/// All bindings, in the order of the help page.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
struct KeymapFile {
    binding: Vec<BindingEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingEntry {
    command: String,
    keys: Vec<String>,
    #[serde(rename = "in")]
    contexts: Vec<Context>,
    footer: Option<u8>,
}

impl Keymap {
    /// The keymap of the assets.
    #[must_use]
    pub fn standard() -> Self {
        let text = include_str!("../../assets/keys.toml");
        // Compiled in and parsed by a test, so that it is never really empty.
        Self::parse(text).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let file: KeymapFile = toml::from_str(text).ok()?;
        let bindings: Option<Vec<_>> = file
            .binding
            .into_iter()
            .map(|entry| {
                let keys: Option<Vec<_>> =
                    entry.keys.iter().map(|name| Key::from_name(name)).collect();
                Some(Binding {
                    command: Command::from_key(&entry.command)?,
                    keys: keys?,
                    contexts: entry.contexts,
                    footer: entry.footer,
                })
            })
            .collect();
        Some(Self {
            bindings: bindings?,
        })
    }

    /// True if some key has this command in a context.
    #[must_use]
    pub fn has(&self, context: Context, command: Command) -> bool {
        self.in_context(context)
            .any(|binding| binding.command == command)
    }

    /// Returns the command of a key in a context.
    #[must_use]
    pub fn command(&self, context: Context, key: Key) -> Option<Command> {
        self.in_context(context)
            .find(|binding| binding.keys.contains(&key))
            .map(|binding| binding.command)
    }

    /// The bindings of a context.
    pub fn in_context(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings
            .iter()
            .filter(move |binding| binding.contexts.contains(&context))
    }

    /// Returns the bindings of the footer, in its order.
    #[must_use]
    pub fn footer(&self, context: Context) -> Vec<&Binding> {
        let mut chosen: Vec<_> = self
            .in_context(context)
            .filter(|binding| binding.footer.is_some())
            .collect();
        chosen.sort_by_key(|binding| binding.footer);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::{Catalogue, Language};

    const CONTEXTS: [Context; 10] = [
        Context::Table,
        Context::Page,
        Context::Findings,
        Context::Machine,
        Context::Events,
        Context::Learn,
        Context::Menu,
        Context::Confirm,
        Context::Close,
        Context::DialogHelp,
    ];

    #[test]
    fn every_command_has_a_key_and_no_key_two_commands() {
        let keymap = Keymap::standard();
        for (command, key) in Command::ALL {
            let bound = keymap.bindings.iter().any(|bound| bound.command == command);
            assert!(bound, "{key} has no key");
        }
        for context in CONTEXTS {
            let mut seen = Vec::new();
            for binding in keymap.in_context(context) {
                for key in &binding.keys {
                    assert!(!seen.contains(key), "{key} twice in {context:?}");
                    seen.push(*key);
                }
            }
        }
    }

    #[test]
    fn every_command_has_label_and_description() {
        let words = Catalogue::of(Language::English);
        for (command, key) in Command::ALL {
            let label = words.command(key, "label");
            assert!((1..=12).contains(&label.len()), "{command:?} {label}");
            assert!(!words.command(key, "means").is_empty(), "{command:?}");
        }
    }

    #[test]
    fn lowercase_k_never_ends_a_process() {
        let keymap = Keymap::standard();
        for context in CONTEXTS {
            let command = keymap.command(context, Key::Char('k'));
            assert_ne!(command, Some(Command::EndProcess));
        }
    }

    #[test]
    fn no_letter_but_y_answers_a_question() {
        let keymap = Keymap::standard();
        let acts = [Command::ConfirmSend, Command::ConfirmClose];
        for context in CONTEXTS {
            for letter in ('!'..='~').filter(|letter| *letter != 'y') {
                let command = keymap.command(context, Key::Char(letter));
                let answers = command.is_some_and(|command| acts.contains(&command));
                assert!(!answers, "{letter} in {context:?}");
            }
        }
        for context in [Context::Confirm, Context::Close] {
            for key in [Key::Char('h'), Key::Char('?'), Key::F(1)] {
                assert_eq!(keymap.command(context, key), Some(Command::DialogHelp));
            }
        }
        for key in [Key::Enter, Key::Esc, Key::Char('y')] {
            let command = keymap.command(Context::DialogHelp, key);
            assert!(matches!(command, None | Some(Command::Back)), "{key}");
        }
    }

    #[test]
    fn one_key_leaves_from_everywhere() {
        let keymap = Keymap::standard();
        // A line that is typed takes it itself.
        for context in CONTEXTS {
            let command = keymap.command(context, LEAVES);
            assert_eq!(command, Some(Command::Quit), "{context:?}");
        }
    }

    #[test]
    fn key_names_parse_and_print() {
        for name in ["K", "F9", "Ctrl-c", "Enter", "Space", "/", "PageDown", "F"] {
            assert_eq!(Key::from_name(name).unwrap().to_string(), name);
        }
        assert_eq!(Key::from_name("Ctrl-"), None);
        assert_eq!(Key::from_name("Hyper"), None);
    }
}
