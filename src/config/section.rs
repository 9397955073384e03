//! A table of the file: reads its known keys by name and type, and then reports
//! the unknown ones.

use super::diagnostics::DiagnosticCollector;
use crate::explain::language::Language;
use crate::model::text::Text;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table that is being read.
pub(super) struct Section<'t, 'a> {
    table: &'t DeTable<'a>,
    /// Name in messages; empty for the whole file.
    name: &'static str,
    /// Span of its heading.
    span: Range<usize>,
    known_keys: Vec<&'static str>,
    defined_lines: BTreeMap<String, usize>,
}

/// A value with its place.
pub(super) type WithSpan<T> = (T, Range<usize>);

impl<'t, 'a> Section<'t, 'a> {
    pub(super) fn new(table: &'t DeTable<'a>, name: &'static str) -> Self {
        Self {
            table,
            name,
            span: 0..0,
            known_keys: Vec::new(),
            defined_lines: BTreeMap::new(),
        }
    }

    /// Returns the span of its heading.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// True if a key exists.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.keys().any(|key| key.get_ref().as_ref() == name)
    }

    fn value(
        &mut self,
        name: &'static str,
        notes: &DiagnosticCollector<'_>,
    ) -> Option<&'t Spanned<DeValue<'a>>> {
        self.known_keys.push(name);
        let (key, value) = self
            .table
            .iter()
            .find(|(key, _)| key.get_ref().as_ref() == name)?;
        let full = if self.name.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.name)
        };
        self.defined_lines
            .insert(full, notes.line_at(key.span().start));
        Some(value)
    }

    /// A value of one type; any other is an error.
    fn typed_value<T>(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
        kind: &str,
        read: impl Fn(&'t DeValue<'a>) -> Option<T>,
    ) -> Option<WithSpan<T>> {
        let value = self.value(name, notes)?;
        let found = read(value.get_ref());
        if found.is_none() {
            notes.error(value.span(), format!("{name} must be {kind}"));
        }
        Some((found?, value.span()))
    }

    pub(super) fn boolean(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<bool> {
        let found = self.typed_value(name, notes, "true or false", DeValue::as_bool);
        found.map(|(flag, _)| flag)
    }

    pub(super) fn text(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<WithSpan<&'t str>> {
        self.typed_value(name, notes, "a text in quotes", |value| value.as_str())
    }

    pub(super) fn language(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<Language> {
        let tags = Language::ALL.map(Language::tag).join(" or ");
        let found = self.typed_value(name, notes, &tags, |value| {
            let tag = value.as_str()?;
            Language::ALL.into_iter().find(|known| known.tag() == tag)
        });
        found.map(|(language, _)| language)
    }

    pub(super) fn path(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<PathBuf> {
        let (path, at) = self.text(name, notes)?;
        if path.is_empty() || path.contains('\0') {
            notes.error(at, format!("{name} must be the path of a file"));
            return None;
        }
        Some(PathBuf::from(path))
    }

    pub(super) fn integer(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<u32> {
        let (least, most) = (range.start(), range.end());
        let kind = format!("a whole number from {least} to {most}");
        let found = self.typed_value(name, notes, &kind, |value| {
            parse_u32(value).filter(|number| range.contains(number))
        });
        found.map(|(number, _)| number)
    }

    pub(super) fn parse_f64(
        &mut self,
        name: &'static str,
        range: RangeInclusive<f64>,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<f64> {
        let (least, most) = (range.start(), range.end());
        let kind = format!("a number from {least} to {most}");
        let found = self.typed_value(name, notes, &kind, |value| {
            number(value).filter(|number| range.contains(number))
        });
        found.map(|(number, _)| number)
    }

    pub(super) fn duration(
        &mut self,
        name: &'static str,
        range: RangeInclusive<Duration>,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<Duration> {
        let told = |length: &Duration| humantime::format_duration(*length).to_string();
        let (least, most) = (told(range.start()), told(range.end()));
        let kind = format!("a time such as \"90s\" or \"5m\", from {least} to {most}");
        let found = self.typed_value(name, notes, &kind, |value| {
            let length = humantime::parse_duration(value.as_str()?).ok()?;
            Some(length).filter(|length| range.contains(length))
        });
        found.map(|(length, _)| length)
    }

    /// One of several words.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        known: &[(&'static str, T)],
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<T> {
        let (word, at) = self.text(name, notes)?;
        let found = known.iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            let message = format!("{name} must be one of {}", words.join(", "));
            let message = notes.with_suggestion(message, word, words);
            notes.error(at, message);
        }
        found.map(|(_, value)| *value)
    }

    /// A table within.
    pub(super) fn table(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Option<Section<'t, 'a>> {
        let kind = format!("a table: [{name}]");
        let (table, at) = self.typed_value(name, notes, &kind, DeValue::as_table)?;
        Some(Section {
            span: at,
            ..Section::new(table, name)
        })
    }

    /// Tables within, each written as `[[name]]`.
    pub(super) fn tables(
        &mut self,
        name: &'static str,
        notes: &mut DiagnosticCollector<'_>,
    ) -> Vec<Section<'t, 'a>> {
        let kind = format!("written as [[{name}]], once for each");
        let found = self.typed_value(name, notes, &kind, |value| {
            let array = value.as_array()?;
            let tables: Option<Vec<_>> = array
                .iter()
                .map(|value| Some((value.get_ref().as_table()?, value.span())))
                .collect();
            tables
        });
        let (tables, _) = found.unwrap_or_default();
        tables
            .into_iter()
            .map(|(table, at)| Section {
                span: at,
                ..Section::new(table, name)
            })
            .collect()
    }

    /// Adds the settings found in a nested table.
    pub(super) fn merge_defined(&mut self, said: BTreeMap<String, usize>) {
        self.defined_lines.extend(said);
    }

    /// Reports the unknown keys, and returns the known ones with their lines.
    pub(super) fn finish(self, notes: &mut DiagnosticCollector<'_>) -> BTreeMap<String, usize> {
        for key in self.table.keys() {
            let word = key.get_ref().as_ref();
            if self.known_keys.contains(&word) {
                continue;
            }
            let place = if self.name.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.name)
            };
            let message = format!("unknown key '{}'{place}", Text::from(word));
            let message = notes.with_suggestion(message, word, self.known_keys.iter().copied());
            notes.warning(key.span(), message);
        }
        self.defined_lines
    }
}

fn parse_u32(value: &DeValue<'_>) -> Option<u32> {
    let integer = value.as_integer()?;
    u32::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    let read = match value {
        DeValue::Float(float) => float.as_str().parse().ok()?,
        other => f64::from(parse_u32(other)?),
    };
    Some(read).filter(|number: &f64| number.is_finite())
}
