//! Explanations as plain text: one state, or the whole chapter with handshake,
//! close and the two classic questions.

use crate::explain::catalogue::{Catalogue, ExchangeText, QuestionText, StateText};
use crate::listing::{display_width as cells, wrap};
use crate::model::limits::Limits;
use crate::model::state::State;
use std::io::{self, Write};

/// Writes the states there are, a line each.
///
/// # Errors
///
/// Those of the writer.
pub fn contents(words: &Catalogue, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for state in State::ALL {
        let brief = words.state(state).map_or("", |state| state.brief.as_str());
        let line = format!("{:<12} {brief}", state.word());
        paragraph(&line, width, out)?;
    }
    writeln!(out)?;
    for line in [
        "tcplens explain STATE   all about one of them",
        "tcplens explain all     the whole chapter",
        "tcplens explain FILTER  these sockets, one by one, such as :8080 or pid:812",
    ] {
        writeln!(out, "{}", words.translate_message(line))?;
    }
    Ok(())
}

/// Writes all about one state.
///
/// # Errors
///
/// Those of the writer.
pub fn state(
    state: State,
    words: &Catalogue,
    limits: &Limits,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(said) = words.state(state) else {
        return Ok(());
    };
    writeln!(out, "{state}")?;
    writeln!(out, "{}", "=".repeat(state.word().len()))?;
    let heading = |name: &str| words.screen("explain", name);
    paragraph(&said.picture, width, out)?;
    paragraph(&words.with_limits(&said.means, limits), width, out)?;
    for (name, text) in sections(said) {
        writeln!(out)?;
        writeln!(out, "{}", heading(name))?;
        let text = words.with_limits(text, limits);
        indented(&text, width, out)?;
    }
    if !said.command.is_empty() {
        writeln!(out, "\n      {}", said.command)?;
    }
    writeln!(out)?;
    writeln!(out, "{}", heading("spellings"))?;
    indented(&said.spellings, width, out)
}

fn sections(said: &StateText) -> [(&'static str, &str); 7] {
    [
        ("waits_for", &said.waits_for),
        ("entered", &said.entered),
        ("left", &said.left),
        ("lasts", &said.lasts),
        ("lingers", &said.lingers),
        ("to_do", &said.to_do),
        ("see", &said.see),
    ]
}

/// Writes the chapter.
///
/// # Errors
///
/// Those of the writer.
pub fn all(
    words: &Catalogue,
    limits: &Limits,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let learn = words.learn();
    title(&learn.chapter.title, out)?;
    paragraph(&words.with_limits(&learn.chapter.intro, limits), width, out)?;
    exchange(&learn.open, words, limits, width, out)?;
    exchange(&learn.close, words, limits, width, out)?;
    for asked in [
        &learn.why_three_and_four,
        &learn.why_time_wait,
        &learn.who_closed_first,
    ] {
        question(asked, words, limits, width, out)?;
    }
    writeln!(out)?;
    title(&learn.session.title, out)?;
    paragraph(&words.with_limits(&learn.session.intro, limits), width, out)?;
    for (number, step) in learn.session.step.iter().enumerate() {
        writeln!(out)?;
        let text = format!("{}. {}", number + 1, words.with_limits(&step.to_do, limits));
        paragraph(&text, width, out)?;
        if !step.command.is_empty() {
            writeln!(out, "\n      {}\n", step.command)?;
        }
        indented(&words.with_limits(&step.see, limits), width, out)?;
    }
    for one in State::ALL {
        writeln!(out)?;
        writeln!(out)?;
        state(one, words, limits, width, out)?;
    }
    Ok(())
}

fn exchange(
    exchange: &ExchangeText,
    words: &Catalogue,
    limits: &Limits,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out)?;
    title(&exchange.title, out)?;
    paragraph(&words.with_limits(&exchange.intro, limits), width, out)?;
    writeln!(out, "\n{}", exchange.diagram.trim_matches('\n'))?;
    for segment in &exchange.segment {
        writeln!(out)?;
        writeln!(
            out,
            "({}) {}: {} -> {} {}, {} {}",
            segment.number,
            words.screen("learn", &segment.from),
            segment.segment,
            words.screen("learn", "client"),
            spelled(&segment.client),
            words.screen("learn", "server"),
            spelled(&segment.server)
        )?;
        indented(&words.with_limits(&segment.text, limits), width, out)?;
    }
    for walk in &exchange.walk {
        let way: Vec<_> = walk.states.iter().map(|key| spelled(key)).collect();
        writeln!(out)?;
        writeln!(out, "{}: {}", walk.who, way.join(" -> "))?;
        indented(&words.with_limits(&walk.text, limits), width, out)?;
    }
    Ok(())
}

/// A state's key as people write the state.
fn spelled(key: &str) -> String {
    State::from_word(key).map_or_else(|| key.to_owned(), |state| state.to_string())
}

fn question(
    asked: &QuestionText,
    words: &Catalogue,
    limits: &Limits,
    width: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out)?;
    title(&asked.question, out)?;
    paragraph(&words.with_limits(&asked.answer, limits), width, out)
}

fn title(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{text}")?;
    writeln!(out, "{}", "-".repeat(cells(text)))
}

fn paragraph(text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(text, width) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn indented(text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(text, width.saturating_sub(2)) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;

    #[test]
    fn the_chapter_answers_both_questions_and_leaves_nothing_unfilled() {
        let words = Catalogue::of(Language::English);
        let mut bytes = Vec::new();
        all(words, &Limits::default(), 80, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(&words.learn().why_three_and_four.question));
        assert!(text.contains(&words.learn().why_time_wait.question));
        assert!(text.contains("SYN+ACK"));
        for state in State::ALL {
            assert!(text.contains(&format!("\n{state}\n==")), "{state}");
        }
        assert!(!text.contains("_limit}") && !text.contains("_length}"));
    }
}
