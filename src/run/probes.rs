//! The next keepalive probe of a connection that is explained: it shows how far apart
//! probes are, which no single reading tells.

use crate::model::observation::Observation;
use crate::model::reading::ReadingKind;
use crate::model::socket::Socket;
use crate::source::ReadingSource;
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for a probe. Beyond that the spacing stays unknown.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(3);

/// Time between two looks at the connection, each of some microseconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The connection among some rows whose next unanswered probe is due first, if it is due
/// soon.
pub(super) fn due_soon(observation: &Observation, rows: &[u32]) -> Option<Socket> {
    let sockets = rows
        .iter()
        .filter_map(|number| observation.rows.get(*number as usize))
        .map(|row| row.socket)
        .filter(Socket::has_unanswered_probes);
    let due = |socket: &Socket| socket.timer.map(|timer| timer.expires_ms);
    let first = sockets.min_by_key(due)?;
    let wait = Duration::from_millis(due(&first)?.into());
    (wait < MAX_WAIT).then_some(first)
}

/// Waits until the probe has gone out; returns false if it has not within the time, or
/// the source cannot look at one socket.
pub(super) fn wait_for_probe(socket: &Socket, source: &mut dyn ReadingSource) -> bool {
    let sent = |socket: &Socket| socket.timer.map(|timer| (timer.kind, timer.retransmits));
    let deadline = Instant::now() + MAX_WAIT;
    while Instant::now() < deadline {
        let ReadingKind::Lookups(answers) = source.look_up(&[*socket]).kind else {
            return false;
        };
        match answers.first() {
            None => return false,
            Some((_, Some(now))) if sent(now) == sent(socket) => {}
            // The next probe, an answer, or the end.
            Some(_) => return true,
        }
        thread::sleep(LOOK_INTERVAL);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::row;
    use crate::model::protocol::Protocol;
    use crate::model::state::State;
    use crate::model::timer::{Timer, TimerKind};
    use std::sync::Arc;

    #[test]
    fn only_a_probe_that_is_due_soon_is_waited_for() {
        let with = |timers: &[(TimerKind, u32, u8)]| {
            let rows = timers.iter().map(|(kind, expires_ms, retransmits)| {
                let ends = ("192.0.2.1:22", "192.0.2.2:50000");
                let mut row = row(Protocol::Tcp, State::Established, ends.0, ends.1);
                row.socket.timer = Some(Timer {
                    kind: *kind,
                    expires_ms: *expires_ms,
                    retransmits: *retransmits,
                });
                row
            });
            let observation = Observation {
                rows: Arc::new(rows.collect()),
                ..Observation::default()
            };
            let numbers: Vec<u32> = (0..).take(timers.len()).collect();
            due_soon(&observation, &numbers).and_then(|socket| Some(socket.timer?.expires_ms))
        };
        assert_eq!(with(&[]), None);
        assert_eq!(
            with(&[(TimerKind::Keepalive, 900, 0)]),
            None,
            "nothing is unanswered"
        );
        assert_eq!(with(&[(TimerKind::Retransmit, 900, 2)]), None);
        assert_eq!(with(&[(TimerKind::Keepalive, 60_000, 1)]), None, "too long");
        let two = [
            (TimerKind::Keepalive, 2900, 1),
            (TimerKind::Keepalive, 900, 3),
        ];
        assert_eq!(with(&two), Some(900));
    }
}
