//! Output of `tcplens kill` besides its targets: other holders of the sockets
//! before, and the state of the ports after.

use super::{Console, SocketQuery, print_line};
use crate::app::signal_confirmation::AffectedSockets;
use crate::explain::port::{PortStatus, PortVerdict};
use crate::explain::template::render;
use crate::model::action::{ProcessState, TargetFacts};
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use crate::model::socket::Socket;
use crate::model::state::State;
use std::thread;
use std::time::{Duration, Instant};

/// Time for the kernel to release the sockets of a process that has ended.
const MAX_RELEASE_TIME: Duration = Duration::from_secs(1);
/// Time between two looks at them.
const RELEASE_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Largest number of processes that are named.
const MAX_NAMED: usize = 4;

/// Warns of causes that keep ports from becoming free, and signals from
/// working.
pub(super) fn warn(goes: &AffectedSockets, known: &[TargetFacts], teller: &Console) {
    let word = |name: &str| teller.messages.screen("confirm", name).to_owned();
    let mut warnings: Vec<String> = shared_warning(goes, teller).into_iter().collect();
    let restarts = known.iter().find_map(|facts| goes.likely_restarter(facts));
    if let Some((pid, name)) = restarts {
        warnings.extend(render(&word("restarts"), |place| {
            Some(match place {
                "process" => name.to_string(),
                _ => pid.to_string(),
            })
        }));
    }
    if known
        .iter()
        .any(|facts| facts.state == ProcessState::Stopped)
    {
        warnings.push(word("stopped"));
    }
    let listens = !goes.listening.is_empty();
    if listens && !goes.listener_shared && known.iter().any(|facts| facts.socket_activated) {
        warnings.push(word("activated"));
    }
    for warning in warnings {
        teller.print("caution", &[("caution", warning)]);
    }
}

fn shared_warning(goes: &AffectedSockets, teller: &Console) -> Option<String> {
    let count = goes.shared_with.len();
    if count == 0 || !goes.listener_shared {
        return None;
    }
    let init = goes.shared_with.iter().any(|(pid, _)| *pid == 1);
    let name = match count {
        _ if init => "shared_with_init",
        1 => "shared_one",
        _ => "shared",
    };
    let mut names: Vec<String> = goes
        .shared_with
        .iter()
        .take(MAX_NAMED)
        .map(|(pid, name)| format!("{name} ({pid})"))
        .collect();
    if count > MAX_NAMED {
        names.push("…".to_owned());
    }
    render(
        teller.messages.screen("confirm", name),
        |place| match place {
            "count" => Some(count.to_string()),
            _ => Some(names.join(", ")),
        },
    )
}

/// Reads the table once more, and prints the state of each port that was
/// listened on.
pub(super) fn print_port_outcome(
    about: &mut SocketQuery,
    goes: &AffectedSockets,
    teller: &Console,
) {
    if goes.listening.is_empty() {
        return;
    }
    // The result is printed already; a table that fails now does not change it.
    let Some(seen) = observe_when_released(about, goes) else {
        return;
    };
    for port in goes.ports() {
        let port_said = ("port", port.to_string());
        let Some(row) = current_listener(port, goes, &seen) else {
            match remaining_use(port, goes, &seen, teller) {
                Some(sentence) => print_line(&sentence),
                None => teller.print("port_free", &[port_said]),
            }
            continue;
        };
        match seen.first_owner(row) {
            None => teller.print("port_held_by_nobody_known", &[port_said]),
            Some(owner) => {
                let who = ("process", owner.name.to_string());
                let pid = ("pid", owner.pid.to_string());
                teller.print("port_held", &[port_said, who, pid]);
            }
        }
    }
}

/// Reads tables until the kernel has released the listeners that no process holds any
/// more: what an instance of `io_uring` held outlives its process for a moment.
fn observe_when_released(about: &mut SocketQuery, goes: &AffectedSockets) -> Option<Observation> {
    let deadline = Instant::now() + MAX_RELEASE_TIME;
    loop {
        let seen = about.observe().ok()?;
        let is_left = |row: &Row| {
            let mut ended = goes.listening.iter();
            row.phase != Phase::Closed
                && row.owners.count == 0
                && ended.any(|socket| socket.key() == row.socket.key())
        };
        if Instant::now() >= deadline || !seen.rows.iter().any(is_left) {
            return Some(seen);
        }
        thread::sleep(RELEASE_POLL_INTERVAL);
    }
}

/// What still takes a port in this network namespace although nobody listens: bind()
/// may fail. None if nothing does.
fn remaining_use(
    port: u16,
    goes: &AffectedSockets,
    seen: &Observation,
    teller: &Console,
) -> Option<String> {
    let own = seen.namespaces.iter().find(|known| known.is_current);
    let was_here = goes.listening.iter().any(|socket| {
        let is_own = own.is_none_or(|own| [0, own.id].contains(&socket.namespace));
        is_own && socket.local.port == port
    });
    let status = PortStatus::of(port, seen);
    (was_here && status.verdict() != PortVerdict::Free)
        .then(|| status.headline(seen, teller.messages))
}

/// A listener where one of those listened.
fn current_listener<'o>(
    port: u16,
    goes: &AffectedSockets,
    seen: &'o Observation,
) -> Option<&'o Row> {
    let before = || goes.listening.iter().filter(|one| one.local.port == port);
    seen.rows.iter().find(|row| {
        let other = &row.socket;
        let meets = |one: &Socket| {
            let host = other.local.is_unspecified()
                || one.local.is_unspecified()
                || other.local.address() == one.local.address();
            host && other.local.port == port && other.namespace == one.namespace
        };
        let there = row.phase != Phase::Closed && other.state == State::Listen;
        there && before().any(meets)
    })
}
