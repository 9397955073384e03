//! The learning pages: their list, and each page.

mod exchange;

use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use super::{Frame, draw_line, explain, nth_row};
use crate::app::App;
use crate::app::lessons::LessonsPage;
use crate::app::message::HitTarget;
use crate::explain::catalogue::{ExerciseText, QuestionText};
use crate::explain::lessons::{ExchangeKind, LESSONS, Lesson};
use crate::explain::template::render;
use crate::listing::{Align, pad, truncate};
use crate::model::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Width of the names of states in the list.
const STATE_NAME_WIDTH: usize = 11;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(
    learning: &LessonsPage,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) -> u16 {
    let Some(lesson) = learning.lesson else {
        draw_lesson_list(learning.index, app, theme, area, buffer, frame);
        return 0;
    };
    if let Lesson::Exchange(which) = lesson {
        return exchange::draw(which, learning, app, theme, area, buffer);
    }
    let below = draw_title(&lesson_title(lesson, app), theme, area, buffer);
    let writer = LessonWriter {
        app,
        theme,
        page: Page::new(below.width),
    };
    let page = writer.lesson(lesson);
    page.draw(learning.scroll, below, buffer)
}

fn word<'a>(app: &'a App, name: &str) -> &'a str {
    app.messages.screen("learn", name)
}

/// Title of a lesson, here and in the list.
fn lesson_title(lesson: Lesson, app: &App) -> String {
    let learn = app.messages.learn();
    match lesson {
        Lesson::Lifecycle => learn.chapter.title.clone(),
        Lesson::Exchange(ExchangeKind::Open) => learn.open.title.clone(),
        Lesson::Exchange(ExchangeKind::Close) => learn.close.title.clone(),
        Lesson::State(state) => state.to_string(),
        Lesson::WhyThreeAndFour => learn.why_three_and_four.question.clone(),
        Lesson::WhyTimeWait => learn.why_time_wait.question.clone(),
        Lesson::WhoClosedFirst => learn.who_closed_first.question.clone(),
        Lesson::Exercise => learn.session.title.clone(),
    }
}

/// Returns a lesson's line in the list: a state with its picture, cut between
/// words.
fn list_entry(lesson: Lesson, app: &App, cells: usize) -> String {
    let name = lesson_title(lesson, app);
    let Lesson::State(state) = lesson else {
        return truncate(&name, cells).into_owned();
    };
    let picture = app.messages.state(state).map_or("", |words| &words.picture);
    let whole = render(word(app, "state"), |place| {
        Some(match place {
            "state" => pad(&name, STATE_NAME_WIDTH, Align::Left),
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
            let shorter = truncate(first, cells.saturating_sub(2));
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
fn draw_lesson_list(
    place: usize,
    app: &App,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
    frame: &mut Frame,
) {
    let below = draw_title(word(app, "contents"), theme, area, buffer);
    let first = (place + 1).saturating_sub(usize::from(below.height).max(1));
    for ((number, lesson), down) in LESSONS
        .into_iter()
        .enumerate()
        .skip(first)
        .zip(0..below.height)
    {
        let row = nth_row(below, down);
        let style = if number == place {
            theme.cursor()
        } else {
            Style::new()
        };
        let text = list_entry(lesson, app, usize::from(row.width).saturating_sub(4));
        draw_line(&Line::raw(format!("   {text}")), style, row, buffer);
        frame.hit_targets.push((row, HitTarget::Lesson(number)));
    }
}

struct LessonWriter<'a> {
    app: &'a App,
    theme: Theme,
    page: Page,
}

impl LessonWriter<'_> {
    fn lesson(mut self, lesson: Lesson) -> Page {
        let learn = self.app.messages.learn();
        match lesson {
            Lesson::Lifecycle => self.paragraph(&learn.chapter.intro),
            Lesson::State(state) => self.state(state),
            Lesson::WhyThreeAndFour => self.answer(&learn.why_three_and_four),
            Lesson::WhyTimeWait => self.answer(&learn.why_time_wait),
            Lesson::WhoClosedFirst => self.answer(&learn.who_closed_first),
            Lesson::Exercise => self.session(&learn.session),
            Lesson::Exchange(_) => {}
        }
        self.page
    }

    fn paragraph(&mut self, text: &str) {
        let text = self.app.with_limits(text);
        self.page.paragraph(&text, Style::new());
    }

    fn answer(&mut self, asked: &QuestionText) {
        self.paragraph(&asked.answer);
    }

    fn state(&mut self, state: State) {
        let Some(words) = self.app.messages.state(state) else {
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

    fn session(&mut self, session: &ExerciseText) {
        self.paragraph(&session.intro);
        for (number, step) in (1..).zip(&session.step) {
            self.page.blank();
            let numbered = render(word(self.app, "step_of_session"), |place| {
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
