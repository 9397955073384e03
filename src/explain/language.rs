//! Languages of the messages, and the choice of one by tag or locale.

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its tag, as on the command line: `en`, `zh`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// Returns the language with a tag, or of a locale such as `zh_CN.UTF-8` or
    /// `zh-Hans` (locale(7)). None for a language without messages.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['_', '-', '.', '@']).next()?;
        if ["C", "POSIX"].contains(&language) {
            return Some(Self::English);
        }
        let matches = |known: &Self| known.tag().eq_ignore_ascii_case(language);
        Self::ALL.into_iter().find(matches)
    }

    /// Returns the other one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::English => Self::Chinese,
            Self::Chinese => Self::English,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_name_languages() {
        let cases = [
            ("en", Some(Language::English)),
            ("en_GB.UTF-8", Some(Language::English)),
            ("C", Some(Language::English)),
            ("C.UTF-8", Some(Language::English)),
            ("zh", Some(Language::Chinese)),
            ("zh_CN.UTF-8", Some(Language::Chinese)),
            ("zh-Hans", Some(Language::Chinese)),
            ("ZH_SG@pinyin", Some(Language::Chinese)),
            ("de_DE.UTF-8", None),
            ("zhuang", None),
            ("", None),
        ];
        for (locale, expected) in cases {
            assert_eq!(Language::from_tag(locale), expected, "{locale}");
        }
        for language in Language::ALL {
            assert_eq!(Language::from_tag(language.tag()), Some(language));
            assert_ne!(language.next(), language);
        }
    }
}
