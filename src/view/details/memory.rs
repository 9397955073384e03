//! Buffers and drops of a socket, in a line or two of the details.

use crate::app::App;
use crate::explain::template::{format_thousands, render};
use crate::listing::units::format_bytes as size;
use crate::model::row::{Phase, Row};
use crate::model::state::State;

/// Returns each line with the name of its label; none for unknown values.
pub(super) fn lines(app: &App, row: &Row) -> Vec<(&'static str, String)> {
    let memory = app.observation.socket_memory(row);
    let Some(memory) = memory.filter(|_| row.phase != Phase::Closed) else {
        return Vec::new();
    };
    let say = |name: &str, value: &dyn Fn(&str) -> Option<String>| {
        render(app.messages.screen("details", name), value).unwrap_or_default()
    };
    let listens = row.socket.state == State::Listen;
    let mut lines = Vec::new();
    // A listener has no data of its own.
    if let Some(buffers) = memory.buffers.filter(|_| !listens) {
        let value = |place: &str| {
            let bytes = match place {
                "receive_used" => buffers.receive_used,
                "receive_limit" => buffers.receive_limit,
                "send_used" => buffers.send_used,
                _ => buffers.send_limit,
            };
            Some(size(bytes.into()))
        };
        lines.push(("buffers", say("buffers_line", &value)));
    }
    if let Some(drops) = memory.drops {
        let name = if listens {
            "drops_listen"
        } else {
            "drops_line"
        };
        lines.push((
            "drops",
            say(name, &|_| Some(format_thousands(drops.into()))),
        ));
    }
    lines
}
