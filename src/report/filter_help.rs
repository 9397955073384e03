//! The filter language on one page: fields, conditions, words and examples. The fields
//! are those of the parser, so that a new one cannot be missing.

use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::filter::{FieldHelp, fields};
use crate::listing::{display_width as cells, wrap};
use std::io::{self, Write};

/// Indentation of lines.
const INDENT: &str = "  ";
/// Cells between columns.
const GAP: usize = 2;

/// Ways to write a condition, and the names of their explanations.
const FORMS: &[(&str, &str)] = &[
    ("state listen, state:listen, state = listen", "equal"),
    ("dport != :443", "unequal"),
    ("sport >= :1024, age > 5m", "ordered"),
    ("pid:812,813", "several"),
    ("port:8000-8100", "range"),
    ("tcp and dst 10/8, tcp dst 10/8", "and"),
    ("tcp or dport :53", "or"),
    ("not process:sshd", "not"),
    ("udp and (sport :53 or dport :53)", "group"),
    ("&& & || | ! == eq ne lt le gt ge", "signs"),
];

/// Filter words without a field, and the names of their explanations.
const WORDS: &[(&str, &str)] = &[
    (":443, :https", "port"),
    ("tcp, udp6, v4, ipv6", "protocol"),
    ("listen, SYN_SENT, time-wait", "state"),
    ("192.0.2.1:443, fe80::1%eth0", "address"),
    ("10.0.0.0/8", "network"),
    ("*:80", "dual"),
    ("autobound", "autobound"),
    ("nginx", "text"),
    ("\"listen\"", "quoted"),
];

/// Whole filters, and the names of their explanations.
const EXAMPLES: &[(&str, &str)] = &[
    ("dport :443 and not dst 10.0.0.0/8", "clients"),
    ("state close-wait and age > 5m", "leak"),
    ("sendq > 0 and retrans > 2", "stuck"),
    ("urgency:act,look and not host 127.0.0.0/8", "attention"),
    ("unit:nginx.service and not src 127.0.0.0/8", "service"),
    (
        "state listen and not src 127.0.0.0/8 and not src ::1",
        "listeners",
    ),
];

/// Writes the page in lines of at most `width` cells, unless an example is
/// wider.
///
/// # Errors
///
/// Those of the writer.
pub fn write(words: &Catalogue, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let page = |name: &str| words.filter("page", name);
    let fields = fields();
    heading(page("title"), out)?;
    paragraph(page("intro"), width, out)?;

    let rows: Vec<[&str; 3]> = fields
        .iter()
        .map(|field| [field.word, field.example, words.filter("field", field.word)])
        .collect();
    section(page("fields"), out)?;
    table(&rows, width, out)?;
    for (name, value) in field_notes(&fields, words) {
        let text = render(page(name), |_| Some(value.clone())).unwrap_or_default();
        paragraph(&text, width, out)?;
    }
    for (title, group, entries) in [
        ("forms", "form", FORMS),
        ("words", "word", WORDS),
        ("examples", "example", EXAMPLES),
    ] {
        let rows: Vec<[&str; 2]> = entries
            .iter()
            .map(|(code, name)| [*code, words.filter(group, name)])
            .collect();
        section(page(title), out)?;
        table(&rows, width, out)?;
    }
    for name in ["unknown", "kill", "shell"] {
        paragraph(page(name), width, out)?;
    }
    Ok(())
}

/// Notes on groups of fields, by the name of the sentence.
fn field_notes(fields: &[FieldHelp], words: &Catalogue) -> [(&'static str, String); 3] {
    let those = |such: fn(&FieldHelp) -> bool| {
        let found = fields.iter().filter(|field| such(field));
        let found: Vec<&str> = found.map(|field| field.word).collect();
        words.join_list(&found)
    };
    let spellings: Vec<String> = fields
        .iter()
        .flat_map(|field| {
            let spellings = field.spellings.iter();
            spellings.map(|other| format!("{other} = {}", field.word))
        })
        .collect();
    [
        ("ordered", those(|field| field.is_ordered)),
        ("single", those(|field| !field.takes_lists)),
        ("others", words.join_list(&spellings)),
    ]
}

fn heading(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{text}\n{}", "=".repeat(cells(text)))
}

fn section(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{text}")
}

/// A paragraph with an empty line before it.
fn paragraph(text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for line in wrap(text, width) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes columns as wide as their widest cell; the last is wrapped, at a minimum width
/// where too little is left for it.
fn table<const N: usize>(rows: &[[&str; N]], width: usize, out: &mut dyn Write) -> io::Result<()> {
    let widest = |column: usize| rows.iter().map(|row| cells(row[column])).max();
    let widths: [usize; N] = std::array::from_fn(|column| widest(column).unwrap_or(0));
    let start: usize = INDENT.len() + widths[..N - 1].iter().map(|cell| cell + GAP).sum::<usize>();
    for row in rows {
        let mut line = INDENT.to_owned();
        for (cell, wide) in row[..N - 1].iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(wide - cells(cell) + GAP));
        }
        for (number, piece) in wrap(row[N - 1], width.saturating_sub(start).max(20))
            .iter()
            .enumerate()
        {
            let before = if number == 0 {
                line.as_str()
            } else {
                &" ".repeat(start)
            };
            writeln!(out, "{before}{piece}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::Filter;

    fn page(language: Language, width: usize) -> String {
        let mut bytes = Vec::new();
        write(Catalogue::of(language), width, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The fields of the error message are those of the page, each with a valid
    /// example.
    #[test]
    fn every_field_of_the_parser_is_on_the_page() {
        let error = Filter::parse("no-such-field:x").unwrap_err();
        let listed = error.fields.unwrap();
        for language in Language::ALL {
            let (words, page) = (Catalogue::of(language), page(language, 80));
            for field in listed.split(", ") {
                let row = format!("\n  {field} ");
                assert!(page.contains(&row), "{field}:\n{page}");
                assert!(!words.filter("field", field).is_empty(), "{field}");
            }
            assert_eq!(listed.split(", ").count(), fields().len());
            assert!(!page.contains('{'), "{page}");
        }
        for field in fields() {
            let example = Filter::parse(field.example).unwrap();
            assert!(example.text_terms().is_empty(), "{}", field.example);
            for word in std::iter::once(&field.word).chain(&field.spellings) {
                assert_eq!(
                    Filter::parse(&field.example.replacen(field.word, word, 1)).unwrap(),
                    example,
                    "{word}"
                );
            }
            let compared = format!("{} > 5s", field.word);
            let is_ordered = match Filter::parse(&compared) {
                Ok(_) => true,
                Err(error) => !error.message.contains("only be compared with"),
            };
            assert_eq!(is_ordered, field.is_ordered, "{compared}");
        }
    }

    #[test]
    fn every_form_word_and_example_can_be_typed() {
        for (code, name) in FORMS.iter().filter(|(_, name)| *name != "signs") {
            let mut meanings = code.split(", ").map(Filter::parse);
            let first = meanings.next().unwrap().unwrap();
            assert!(first.text_terms().is_empty(), "{code}");
            let is_same = matches!(*name, "equal" | "and");
            for other in meanings {
                let other = other.unwrap_or_else(|error| panic!("{code}: {error}"));
                assert!(!is_same || other == first, "{code}");
            }
        }
        for sign in FORMS
            .iter()
            .find(|(_, name)| *name == "signs")
            .unwrap()
            .0
            .split(' ')
        {
            let typed = match sign {
                "&&" | "&" | "||" | "|" => format!("tcp {sign} udp"),
                "!" => "! tcp".to_owned(),
                compare => format!("sport {compare} 80"),
            };
            assert!(
                Filter::parse(&typed).unwrap().text_terms().is_empty(),
                "{typed}"
            );
        }
        for (code, name) in WORDS {
            for word in code.split(", ") {
                let filter = Filter::parse(word).unwrap();
                let is_text = matches!(*name, "text" | "quoted");
                assert_eq!(!filter.text_terms().is_empty(), is_text, "{word}");
            }
        }
        for (code, _) in EXAMPLES {
            assert!(
                Filter::parse(code).unwrap().text_terms().is_empty(),
                "{code}"
            );
        }
    }

    #[test]
    fn the_page_fits_its_width() {
        for language in Language::ALL {
            for width in [80, 100] {
                let page = page(language, width);
                let widest = page.lines().max_by_key(|line| cells(line)).unwrap();
                assert!(cells(widest) <= width, "{width}: {widest}");
            }
        }
    }
}
