//! Wrapping of a long command into lines that, pasted into a shell, are the same
//! command.

/// Suffix by which a shell continues a line.
const LINE_CONTINUATION: &str = " \\";

/// A blank at which a command may be broken.
#[derive(Clone, Copy)]
struct BreakPoint {
    position: usize,
    /// Within quotes the program accepts a newline for a blank; outside, the
    /// shell needs a backslash.
    quoted: bool,
}

/// Returns the lines of a command, at most that many cells long if they can be
/// broken: at blanks outside of quotes, and within quotes where Python and shells
/// accept a newline for a blank, after `;` and within brackets. No line begins
/// with a blank.
#[must_use]
pub fn wrap_command(command: &str, cells: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut last: Option<BreakPoint> = None;
    let end = BreakPoint {
        position: command.len(),
        quoted: true,
    };
    for blank in break_points(command).into_iter().chain([end]) {
        let length = |at: BreakPoint| {
            let continued = if at.quoted {
                0
            } else {
                LINE_CONTINUATION.len()
            };
            super::text_width::display_width(command.get(start..at.position).unwrap_or_default())
                + continued
        };
        if length(blank) > cells
            && let Some(before) = last
        {
            lines.push(line(command, start, before));
            start = before.position + 1;
        }
        last = Some(blank);
    }
    lines.push(command.get(start..).unwrap_or_default().to_owned());
    lines
}

fn line(command: &str, start: usize, end: BreakPoint) -> String {
    let text = command.get(start..end.position).unwrap_or_default();
    if end.quoted {
        text.to_owned()
    } else {
        format!("{text}{LINE_CONTINUATION}")
    }
}

/// The blanks at which a command may be broken.
fn break_points(command: &str) -> Vec<BreakPoint> {
    let mut found = Vec::new();
    let mut quote = None;
    // Within the quotes of the shell: brackets, and strings of the program.
    let (mut depth, mut in_string) = (0_usize, false);
    let mut before = ' ';
    for (place, character) in command.char_indices() {
        match (quote, character) {
            (None, '\'' | '"') => {
                quote = Some(character);
                (depth, in_string) = (0, false);
            }
            (Some(open), _) if open == character => quote = None,
            (Some('\''), '"') => in_string = !in_string,
            (Some(_), _) if in_string => {}
            (Some(_), '(' | '[' | '{') => depth += 1,
            (Some(_), ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, ' ') => found.push(BreakPoint {
                position: place,
                quoted: false,
            }),
            (Some('\''), ' ') if depth > 0 || before == ';' => found.push(BreakPoint {
                position: place,
                quoted: true,
            }),
            _ => {}
        }
        before = character;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::{Catalogue, Language};
    use crate::model::state::State;

    /// Joins the lines of a command again.
    fn joined(lines: &[String]) -> String {
        lines.join("\n").replace(" \\\n", " ").replace('\n', " ")
    }

    /// Every command that is shown on lines of its own.
    /// `tests/live/shown_commands.rs` verifies with Python that those in Python
    /// are still programs.
    fn shown() -> Vec<String> {
        let words = Catalogue::of(Language::English);
        let states = State::ALL
            .into_iter()
            .filter_map(|state| words.state(state));
        let steps = words.learn().session.step.iter();
        states
            .map(|state| state.command.clone())
            .chain(steps.map(|step| step.command.clone()))
            .filter(|command| !command.is_empty())
            .collect()
    }

    #[test]
    fn lines_fit_and_stay_the_same_command() {
        let commands = shown();
        assert!(commands.len() > 10);
        for command in &commands {
            for cells in [78, 80, 100, 110] {
                let lines = wrap_command(command, cells);
                assert_eq!(joined(&lines), *command);
                for line in &lines {
                    assert!(line.len() <= cells, "{cells}: {line}");
                    assert!(!line.starts_with(' '), "{line}");
                }
            }
        }
    }

    #[test]
    fn quotes_of_a_filter_stay_whole() {
        let command = "ss -tanpeoim 'sport = :8080 and dst = 192.0.2.1'";
        assert_eq!(wrap_command(command, 48), [command]);
        let narrow = ["ss -tanpeoim \\", "'sport = :8080 and dst = 192.0.2.1'"];
        assert_eq!(wrap_command(command, 40), narrow);
        assert_eq!(
            wrap_command(command, 10),
            ["ss \\", "-tanpeoim \\", narrow[1]]
        );
        assert_eq!(wrap_command("", 10), [""]);
    }
}
