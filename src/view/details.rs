//! Details of the selected socket: as a page, and as the pane of a tall screen.

mod findings;
mod memory;
mod traffic;

use super::page::Page;
use super::screen::draw_title;
use super::theme::Theme;
use super::timeline;
use crate::app::App;
use crate::explain::diagnosis::Diagnosis;
use crate::explain::program::program_text;
use crate::explain::state_path::{PathNode, StatePath};
use crate::explain::template::{format_thousands, render};
use crate::listing::units::format_bytes as size;
use crate::listing::{Column, cell};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::state::State;
use crate::model::text::Text;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::time::Duration;

/// Height of the pane below the table on a tall screen.
pub(super) const SUMMARY_HEIGHT: u16 = 11;
/// Column of the texts beside the labels.
const INDENT: usize = 12;

/// Draws the page; returns the maximum scroll position.
pub(super) fn draw(app: &App, theme: Theme, scroll: u16, area: Rect, buffer: &mut Buffer) -> u16 {
    let Some(row) = app.selected() else {
        return 0;
    };
    let below = draw_title(&title(app, row), theme, area, buffer);
    let mut page = Page::new(below.width);
    let writer = DetailsWriter { app, row, theme };
    let diagnosis = app.diagnosis(row);
    writer.explanation(&diagnosis, usize::MAX, &mut page);
    findings::write(&writer, true, &mut page);
    page.blank();
    writer.process(&mut page, usize::MAX);
    page.blank();
    writer.socket(&mut page);
    page.blank();
    writer.traffic(&mut page);
    if !diagnosis.ss_command.is_empty() {
        let label = writer.word("same");
        page.labelled_command(label, theme.dim(), INDENT, &diagnosis.ss_command);
    }
    page.draw(scroll, below, buffer)
}

/// Draws the shorter form, below the table.
pub(super) fn draw_summary(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let Some(row) = app.selected() else {
        return;
    };
    let below = draw_title(&title(app, row), theme, area, buffer);
    let mut page = Page::new(below.width);
    let writer = DetailsWriter { app, row, theme };
    let diagnosis = app.diagnosis(row);
    writer.explanation(&diagnosis, 1, &mut page);
    findings::write(&writer, false, &mut page);
    writer.process(&mut page, 1);
    writer.socket(&mut page);
    page.draw(0, below, buffer);
}

pub(super) fn title(app: &App, row: &Row) -> String {
    let text = |column| cell(column, row, &app.observation, app.numeric, app.messages).text;
    let who = format!("{} {}", text(Column::Process), text(Column::Pid));
    let (local, remote) = (text(Column::Local), text(Column::Remote));
    match row.socket.peer() {
        Some(_) => format!("{} · {local} → {remote}", who.trim()),
        None => format!("{} · {local}", who.trim()),
    }
}

/// Writes the parts of the page.
struct DetailsWriter<'a> {
    app: &'a App,
    row: &'a Row,
    theme: Theme,
}

impl DetailsWriter<'_> {
    fn word(&self, name: &str) -> &str {
        self.app.messages.screen("details", name)
    }

    fn entry(&self, label: &str, text: &str, page: &mut Page) {
        if !text.is_empty() {
            let label = self.word(label);
            page.labelled(label, self.theme.dim(), INDENT, text, Style::new());
        }
    }

    /// Writes the reason of its state, the next party to act, and advice.
    fn explanation(&self, diagnosis: &Diagnosis, most_to_do: usize, page: &mut Page) {
        let words = self.app.messages;
        super::explanation_pane::write_explanation(diagnosis, words, self.theme, most_to_do, page);
        self.entry("waits", &diagnosis.waits_for, page);
        self.entry("path", &self.state_path(), page);
        self.entry(
            "timeline",
            &timeline::timeline_line(self.app, self.row),
            page,
        );
        if let Some(unowned) = &diagnosis.no_owner_reason
            && !diagnosis.reason_in_sentences
        {
            self.entry("unowned", unowned, page);
        }
    }

    /// Returns the path through the states, the present one in brackets.
    fn state_path(&self) -> String {
        let StatePath {
            past: walked,
            upcoming: ahead,
        } = StatePath::without_closed(self.row, &self.app.observation);
        let (Some((present, before)), true) = (walked.split_last(), walked.len() + ahead.len() > 1)
        else {
            return String::new();
        };
        let mut shown: Vec<String> = before.iter().map(|known| self.state_text(*known)).collect();
        shown.push(format!("[{}]", self.state_text(*present)));
        shown.extend(ahead.iter().map(ToString::to_string));
        shown.join(" → ")
    }

    fn state_text(&self, station: PathNode) -> String {
        match station {
            PathNode::State(state) => state.to_string(),
            PathNode::OneOf(first, second) => render(self.word("either"), |place| {
                Some(if place == "first" { first } else { second }.to_string())
            })
            .unwrap_or_default(),
        }
    }

    /// Writes the owners: the first in full, a line for each further one.
    fn process(&self, page: &mut Page, further: usize) {
        let observation = &self.app.observation;
        let owners: Vec<_> = observation.owners(self.row).collect();
        let Some((process, fds)) = owners.first() else {
            let opener = observation.opener(self.row);
            let opened_by = opener.and_then(|unit| {
                render(self.word("opened_by"), |_| Some(unit.as_str().to_owned()))
            });
            self.entry("unit", &opened_by.unwrap_or_default(), page);
            return;
        };
        self.entry("process", &self.holder(process, fds), page);
        self.entry("program", &self.program(process), page);
        self.entry("command", &command(process), page);
        self.entry("user", &user(process, observation), page);
        let unit = process.unit.as_ref().map_or("", |unit| unit.as_str());
        self.entry("unit", unit, page);
        self.entry("started", &self.started(process), page);
        self.entry("parents", &parents(process), page);
        self.entry("files", &self.files(process), page);
        self.entry("usage", &self.usage(process), page);
        for (other, fds) in owners.iter().skip(1).take(further) {
            self.entry("owners", &self.holder(other, fds), page);
        }
        let hidden = owners.len().saturating_sub(1).saturating_sub(further);
        if hidden > 0 {
            let more = render(self.word("more"), |_| Some(hidden.to_string()));
            self.entry("owners", &more.unwrap_or_default(), page);
        }
    }

    /// Formats a process and the descriptors through which it holds the socket.
    fn holder(&self, process: &Process, fds: &[u32]) -> String {
        let name = match fds.len() {
            1 => "holder",
            _ => "holder_of_several",
        };
        let numbers: Vec<String> = fds.iter().map(ToString::to_string).collect();
        render(self.word(name), |place| {
            Some(match place {
                "process" => process.name.to_string(),
                "pid" => process.pid.to_string(),
                _ => self.app.messages.join_list(&numbers),
            })
        })
        .unwrap_or_default()
    }

    fn program(&self, process: &Process) -> String {
        let program = process.exe.as_ref();
        program.map_or(String::new(), |exe| program_text(exe, self.app.messages))
    }

    fn started(&self, process: &Process) -> String {
        let now = self.app.observation.time.wall_ms;
        let Some(started) = process.started_ms.filter(|_| now > 0) else {
            return String::new();
        };
        let age = Duration::from_millis(now.saturating_sub(started));
        render(self.word("ago"), |_| {
            Some(self.app.messages.duration_text(age))
        })
        .unwrap_or_default()
    }

    /// Formats open files and their limit, with the state of a process that does
    /// not run.
    fn files(&self, process: &Process) -> String {
        let files = process.open_files.and_then(|files| {
            render(self.word("files_of"), |place| {
                Some(match place {
                    "open" => format_thousands(files.open.into()),
                    _ => format_thousands(files.limit.into()),
                })
            })
        });
        let state = process.run_state.key().map(|key| self.word(key).to_owned());
        let told: Vec<String> = files.into_iter().chain(state).collect();
        told.join(" · ")
    }

    fn usage(&self, process: &Process) -> String {
        let all = &self.app.observation.usage;
        let Some(usage) = all.iter().find(|usage| usage.pid == process.pid) else {
            return String::new();
        };
        let Some(cpu) = usage.cpu_percent else {
            return self.word("usage_waiting").to_owned();
        };
        let values = |place: &str| {
            Some(match place {
                "cpu" => format!("{cpu:.1} %"),
                _ => size(usage.memory),
            })
        };
        render(self.word("usage_line"), values).unwrap_or_default()
    }

    fn socket(&self, page: &mut Page) {
        let socket = &self.row.socket;
        self.entry("queues", &self.queues(), page);
        for (label, line) in &memory::lines(self.app, self.row) {
            self.entry(label, line, page);
        }
        let timer = cell(
            Column::Timer,
            self.row,
            &self.app.observation,
            false,
            self.app.messages,
        )
        .text;
        let timer = match socket
            .timer
            .and_then(|timer| self.app.messages.timer(timer.kind))
        {
            Some(words) => self.app.messages.labelled(&timer, &words.means),
            None => self.word("timer_none").to_owned(),
        };
        self.entry("timer", &timer, page);
        if self.app.observation.has_several_namespaces() {
            let namespace = cell(
                Column::Netns,
                self.row,
                &self.app.observation,
                false,
                self.app.messages,
            );
            self.entry("namespace", &namespace.text, page);
        }
        self.entry("identity", &self.identity(), page);
    }

    fn traffic(&self, page: &mut Page) {
        let lines = traffic::lines(self.app, self.row);
        for (label, line) in &lines {
            self.entry(label, line, page);
        }
        if !lines.is_empty() {
            page.blank();
        }
    }

    fn queues(&self) -> String {
        let socket = &self.row.socket;
        let (name, recv, send) = match (socket.state, socket.accept_queue_capacity()) {
            (State::Listen, Some(room)) => (
                "queues_listen",
                socket.recv_queue.to_string(),
                room.to_string(),
            ),
            (State::Listen, None) => (
                "queues_listen_unknown",
                socket.recv_queue.to_string(),
                String::new(),
            ),
            _ => (
                "queues_line",
                size(socket.recv_queue.into()),
                size(socket.send_queue.into()),
            ),
        };
        let values = |place: &str| match place {
            "recv" => Some(recv.clone()),
            "backlog" => Some(socket.backlog()?.to_string()),
            _ => Some(send.clone()),
        };
        let mut said = render(self.word(name), values).unwrap_or_default();
        let counted = matches!(
            socket.state,
            State::SynSent | State::CloseWait | State::FinWait1 | State::Closing | State::LastAck
        );
        if counted && socket.recv_queue + socket.send_queue > 0 {
            said.push(' ');
            said.push_str(self.word("queues_count"));
        }
        said
    }

    fn identity(&self) -> String {
        let socket = &self.row.socket;
        let mut parts = Vec::new();
        if let Some(inode) = socket.inode {
            parts.push(format!("inode {inode}"));
        }
        if let SocketKey::Cookie { cookie, .. } = socket.key() {
            parts.push(format!("cookie {cookie:x}"));
        }
        if let Some(uid) = socket.known_uid() {
            parts.push(format!("uid {uid}"));
        }
        if let Some(name) = self.app.observation.interface(socket) {
            parts.push(format!("interface {name}"));
        }
        if socket.namespace != 0 {
            parts.push(format!("netns {}", socket.namespace));
        }
        parts.join("  ")
    }
}

fn command(process: &Process) -> String {
    let words: Vec<&str> = process.command_line.iter().map(Text::as_str).collect();
    words.join(" ")
}

fn user(process: &Process, observation: &Observation) -> String {
    process.uid.map_or(String::new(), |uid| {
        let name = observation.user(uid);
        name.map_or_else(|| uid.to_string(), |name| format!("{name} ({uid})"))
    })
}

fn parents(process: &Process) -> String {
    let chain: Vec<String> = process
        .ancestors
        .iter()
        .map(|(pid, name)| format!("{name} ({pid})"))
        .collect();
    chain.join(" ← ")
}
