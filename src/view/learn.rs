//! The learning pages: their list, and each page.

mod exchange;

use super::page::Page;
use super::screen::titled;
use super::theme::Theme;
use super::{Frame, explain, put, row_of};
use crate::app::App;
use crate::app::learning::Learning;
use crate::app::message::Spot;
use crate::explain::catalogue::{Question, Session};
use crate::explain::lesson::{Exchange, LESSONS, Lesson};
use crate::explain::sentence::fill;
use crate::listing::{Align, fit, pad};
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Width of the names of states in the list.
const NAMES: usize = 11;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(
    learning: &Learning,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) -> u16 {
    let Some(lesson) = learning.lesson else {
        contents(learning.place, app, theme, area, buffer, frame);
        return 0;
    };
    if let Lesson::Exchange(which) = lesson {
        return exchange::draw(which, learning, app, theme, area, buffer);
    }
    let below = titled(&title(lesson, app), theme, area, buffer);
    let writer = Writer {
        app,
        theme,
        page: Page::new(below.width),
    };
    let page = writer.lesson(lesson);
    page.draw(learning.scroll, below, buffer)
}

fn word<'a>(app: &'a App, name: &str) -> &'a str {
    app.words.screen("learn", name)
}

/// Title of a lesson, here and in the list.
fn title(lesson: Lesson, app: &App) -> String {
    let learn = app.words.learn();
    match lesson {
        Lesson::Life => learn.chapter.title.clone(),
        Lesson::Exchange(Exchange::Open) => learn.open.title.clone(),
        Lesson::Exchange(Exchange::Close) => learn.close.title.clone(),
        Lesson::State(state) => state.to_string(),
        Lesson::ThreeAndFour => learn.why_three_and_four.question.clone(),
        Lesson::TimeWait => learn.why_time_wait.question.clone(),
        Lesson::ClosedFirst => learn.who_closed_first.question.clone(),
        Lesson::Session => learn.session.title.clone(),
    }
}

/// Returns a lesson's line in the list: a state with its picture, cut between
/// words.
fn entry(lesson: Lesson, app: &App, cells: usize) -> String {
    let name = title(lesson, app);
    let Lesson::State(state) = lesson else {
        return fit(&name, cells).into_owned();
    };
    let picture = app.words.state(state).map_or("", |words| &words.picture);
    let whole = fill(word(app, "state"), |place| {
        Some(match place {
            "state" => pad(&name, NAMES, Align::Left),
            _ => picture.to_owned(),
        })
    });
    let lines = crate::listing::wrap(whole.as_deref().unwrap_or_default(), cells.max(10))
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect::<Vec<_>>();
    match &lines[..] {
        [] => String::new(),
        [only] => only.clone(),
        [first, ..] => {
            let shorter = fit(first, cells.saturating_sub(2));
            // A truncated text ends with a whole word.
            match shorter
                .strip_suffix('…')
                .and_then(|cut| cut.rsplit_once(' '))
            {
                Some((words, _)) => format!("{words} …"),
                None => format!("{first} …"),
            }
        }
    }
}

/// Draws the list to choose from.
fn contents(
    place: usize,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let below = titled(word(app, "contents"), theme, area, buffer);
    let first = (place + 1).saturating_sub(usize::from(below.height).max(1));
    for ((number, lesson), down) in LESSONS
        .into_iter()
        .enumerate()
        .skip(first)
        .zip(0..below.height)
    {
        let row = row_of(below, down);
        let style = if number == place {
            theme.cursor()
        } else {
            Style::new()
        };
        let text = entry(lesson, app, usize::from(row.width).saturating_sub(4));
        put(&Line::raw(format!("   {text}")), style, row, buffer);
        frame.spots.push((row, Spot::Lesson(number)));
    }
}

struct Writer<'a> {
    app: &'a App,
    theme: Theme,
    page: Page,
}

impl Writer<'_> {
    fn lesson(mut self, lesson: Lesson) -> Page {
        let learn = self.app.words.learn();
        match lesson {
            Lesson::Life => self.paragraph(&learn.chapter.intro),
            Lesson::State(state) => self.state(state),
            Lesson::ThreeAndFour => self.answer(&learn.why_three_and_four),
            Lesson::TimeWait => self.answer(&learn.why_time_wait),
            Lesson::ClosedFirst => self.answer(&learn.who_closed_first),
            Lesson::Session => self.session(&learn.session),
            Lesson::Exchange(_) => {}
        }
        self.page
    }

    fn paragraph(&mut self, text: &str) {
        let text = self.app.with_limits(text);
        self.page.paragraph(&text, Style::new());
    }

    fn answer(&mut self, asked: &Question) {
        self.paragraph(&asked.answer);
    }

    fn state(&mut self, state: State) {
        let Some(words) = self.app.words.state(state) else {
            return;
        };
        let name = if state == State::Unconnected {
            "udp"
        } else {
            "to_diagram"
        };
        self.page.paragraph(&words.picture, self.theme.title());
        self.page.paragraph(word(self.app, name), self.theme.dim());
        self.page.blank();
        self.paragraph(&words.means);
        explain::write(words, self.app, self.theme, &mut self.page);
    }

    fn session(&mut self, session: &Session) {
        self.paragraph(&session.intro);
        for (number, step) in (1..).zip(&session.step) {
            self.page.blank();
            let numbered = fill(word(self.app, "step_of_session"), |place| {
                Some(match place {
                    "number" => format!("{number}"),
                    _ => step.to_do.clone(),
                })
            });
            self.page
                .paragraph(&numbered.unwrap_or_default(), self.theme.title());
            if !step.command.is_empty() {
                self.page.command(&step.command, 1, self.theme.key());
            }
            self.paragraph(&step.see);
        }
    }
}
