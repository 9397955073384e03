//! Choice of the language: the command line takes precedence over the settings,
//! and these over the locale.

use crate::explain::language::Language;
use std::ffi::OsString;

/// The languages that were chosen, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LanguageChoice {
    /// On the command line.
    requested: Option<Language>,
    /// In the settings.
    configured: Option<Language>,
    /// By the locale.
    locale: Language,
}

impl LanguageChoice {
    /// Determines the language from the arguments and the locale. The arguments
    /// are searched before they are parsed: parse errors need a language, too.
    pub(super) fn detect(arguments: &[OsString]) -> Self {
        let told = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = told("LC_ALL")
            .or_else(|| told("LC_MESSAGES"))
            .or_else(|| told("LANG"));
        Self {
            requested: lang_argument(arguments),
            configured: None,
            locale: locale
                .filter(|locale| can_show_chinese(locale, told("TERM").as_deref()))
                .and_then(|locale| Language::from_tag(&locale))
                .unwrap_or_default(),
        }
    }

    /// With the choice of the settings, if they make one.
    pub(super) fn with_configured(self, set: Option<Language>) -> Self {
        Self {
            configured: set,
            ..self
        }
    }

    /// The language for people.
    pub(super) fn language(self) -> Language {
        self.requested.or(self.configured).unwrap_or(self.locale)
    }

    /// True if this language was requested on the command line.
    pub(super) fn is_requested(self, language: Language) -> bool {
        self.requested == Some(language)
    }

    /// The language of output for other programs: it must not depend on the
    /// user.
    pub(super) fn requested_or_english(self) -> Language {
        self.requested.unwrap_or_default()
    }
}

/// True if Chinese can be shown: in UTF-8, and not on the kernel's own console,
/// whose font has no such characters (console(4)).
fn can_show_chinese(locale: &str, terminal: Option<&str>) -> bool {
    let locale = locale.to_ascii_lowercase();
    let utf8 = locale.contains("utf-8") || locale.contains("utf8");
    utf8 && terminal != Some("linux")
}

/// Returns the value of the last `--lang` before a `--`.
fn lang_argument(arguments: &[OsString]) -> Option<Language> {
    let words: Vec<&str> = arguments
        .iter()
        .map(|word| word.to_str().unwrap_or_default())
        .take_while(|word| *word != "--")
        .collect();
    let mut known = words.iter().enumerate().filter_map(|(place, word)| {
        let value = match word.strip_prefix("--lang")? {
            "" => words.get(place + 1)?,
            rest => rest.strip_prefix('=')?,
        };
        Language::from_tag(value)
    });
    known.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_goes_before_the_settings_and_these_before_the_locale() {
        let arguments = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let cases: [(&[&str], _); 7] = [
            (&["tcplens"], None),
            (&["tcplens", "--lang", "zh"], Some(Language::Chinese)),
            (&["tcplens", "list", "--lang=zh"], Some(Language::Chinese)),
            (&["tcplens", "--lang=en", "x"], Some(Language::English)),
            (&["tcplens", "--lang"], None),
            (
                &["tcplens", "--lang=zh", "list", "--lang=en"],
                Some(Language::English),
            ),
            (&["tcplens", "--", "--lang=zh"], None),
        ];
        for (words, expected) in cases {
            assert_eq!(lang_argument(&arguments(words)), expected, "{words:?}");
        }
        assert!(
            can_show_chinese("zh_CN.UTF-8", Some("xterm")) && can_show_chinese("zh_CN.utf8", None)
        );
        assert!(
            !can_show_chinese("zh_CN.GBK", None) && !can_show_chinese("zh_CN.UTF-8", Some("linux"))
        );
        let locale = LanguageChoice {
            locale: Language::Chinese,
            ..LanguageChoice::default()
        };
        assert_eq!(locale.language(), Language::Chinese);
        assert_eq!(locale.requested_or_english(), Language::English);
        let set = locale.with_configured(Some(Language::English));
        assert_eq!(set.language(), Language::English);
        let named = LanguageChoice {
            requested: Some(Language::Chinese),
            ..set
        };
        assert_eq!(named.language(), Language::Chinese);
        assert_eq!(named.requested_or_english(), Language::Chinese);
    }
}
