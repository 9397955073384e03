//! Rule: more connections are half opened than a listener has room for.
//!
//! Half-open ones alone prove nothing: a small backlog and many honest clients
//! look the same. What tells is how many of the SYN cookies that the kernel
//! then sends come back. Clients that exist return them, forged addresses do
//! not. Where the kernel does not count them, this rule says nothing.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Scene};
use crate::model::counters::Counters;
use crate::model::evidence::{Evidence, HalfOpen};
use crate::model::finding::{Finding, Severity};
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use std::collections::BTreeMap;
use std::time::Duration;

/// Over what time counters are compared.
const WINDOW: Duration = Duration::from_secs(10);

/// At most one finding: the counters do not tell listeners apart, so it names
/// the one with most half-open connections.
#[derive(Default)]
pub(super) struct SynFlood {
    standing: Standing<()>,
}

impl Detector for SynFlood {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let scene = case.scene;
        let worst = fullest(scene);
        let signs = Signs::of(case, worst);
        let level = signs.level(case.limits);
        let process = worst.and_then(|(listener, _)| scene.first_owner(listener));
        self.standing.judge((), process, level, case.now);
        self.standing.findings(case.now, case.limits.clearing)
    }
}

/// The listener with most half-open connections, and how many.
fn fullest<'a>(scene: &Scene<'a>) -> Option<(&'a Row, u32)> {
    let mut by_port: BTreeMap<u16, u32> = BTreeMap::new();
    let half_open = scene.rows.iter().filter(|row| {
        row.socket.state == State::SynReceived
            && row.phase != Phase::Closed
            && scene.kernel.covers(row)
    });
    for row in half_open {
        *by_port.entry(row.socket.local.port).or_default() += 1;
    }
    let (port, count) = by_port.into_iter().max_by_key(|(_, count)| *count)?;
    let mut listeners = scene.listeners.rows(scene.rows);
    let listener = listeners.find(|row| row.socket.local.port == port)?;
    Some((listener, count))
}

/// What speaks for a flood, and against it.
struct Signs {
    half_open: u32,
    /// The listener's backlog, where `sock_diag` told it.
    backlog: Option<u32>,
    evidence: HalfOpen,
    /// Whether a lack of room was counted in most of the last tables.
    pressed: bool,
    /// `tcp_syncookies`.
    cookies: Option<u32>,
}

impl Signs {
    fn of(case: &Case<'_>, worst: Option<(&Row, u32)>) -> Self {
        let rise = |pick: fn(&Counters) -> Option<u64>| case.meter.rise(WINDOW, pick);
        let known = worst.filter(|(listener, _)| listener.socket.cookie.is_some());
        let backlog = known.map(|(listener, _)| listener.socket.send_queue);
        let half_open = worst.map_or(0, |(_, count)| count);
        Self {
            half_open,
            backlog,
            evidence: HalfOpen {
                listener: worst.map(|(listener, _)| listener.socket.local),
                half_open,
                backlog,
                cookies_sent: rise(|counters| counters.cookies_sent),
                cookies_returned: rise(|counters| counters.cookies_returned),
                dropped: rise(|counters| counters.queue_full_drops),
            },
            pressed: case.meter.mostly_rises(WINDOW, |counters| {
                let cookies = counters.queue_full_cookies?;
                Some(cookies + counters.queue_full_drops?)
            }),
            cookies: case.scene.kernel.settings.syncookies,
        }
    }

    /// Whether the rows alone show a queue without room.
    fn rows_crowd(&self, limits: &Thresholds) -> bool {
        let room = self.backlog.map_or(0.0, |backlog| f64::from(backlog) + 1.0);
        self.half_open >= limits.half_open_least
            && f64::from(self.half_open) >= limits.half_open_share * room
    }

    /// The share of cookies that came back; none where too few were sent for it
    /// to mean anything.
    fn returned(&self, limits: &Thresholds) -> Option<f64> {
        let sent = u32::try_from(self.evidence.cookies_sent?).unwrap_or(u32::MAX);
        let back = u32::try_from(self.evidence.cookies_returned?).unwrap_or(u32::MAX);
        (sent >= limits.cookies_least).then(|| f64::from(back) / f64::from(sent))
    }

    fn level(&self, limits: &Thresholds) -> Level {
        let evidence = || Evidence::SynFlood(self.evidence.clone());
        // With cookies always on, one is sent for every SYN: only their return
        // tells. Where the setting is not known, room decides as by default.
        let always = self.cookies == Some(2);
        let pressed = self.pressed || always;
        match self.returned(limits) {
            Some(share) if pressed && share < limits.cookies_flood => {
                Level::Raise(Severity::Alarm, evidence())
            }
            Some(share) if share > limits.cookies_honest => {
                if self.pressed && !always {
                    Level::Raise(Severity::Info, evidence())
                } else {
                    Level::Below
                }
            }
            Some(_) if pressed => Level::Raise(Severity::Warn, evidence()),
            // No cookies: SYNs are dropped, and nothing tells whose.
            None if self.pressed && self.rows_crowd(limits) => {
                Level::Raise(Severity::Warn, evidence())
            }
            _ if self.pressed => Level::Hold(evidence()),
            _ => Level::Below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(sent: u64, returned: u64, pressed: bool) -> Signs {
        Signs {
            half_open: 120,
            backlog: Some(128),
            evidence: HalfOpen {
                listener: None,
                half_open: 120,
                backlog: Some(128),
                cookies_sent: Some(sent),
                cookies_returned: Some(returned),
                dropped: Some(0),
            },
            pressed,
            cookies: Some(1),
        }
    }

    fn severity(signs: &Signs) -> Option<Severity> {
        match signs.level(&Thresholds::default()) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn cookies_that_do_not_return_make_a_flood() {
        assert_eq!(severity(&signs(5000, 10, true)), Some(Severity::Alarm));
        assert_eq!(severity(&signs(5000, 1500, true)), Some(Severity::Warn));
    }

    #[test]
    fn cookies_that_return_are_honest_clients() {
        assert_eq!(severity(&signs(5000, 4500, true)), Some(Severity::Info));
        let mut always = signs(5000, 4500, false);
        always.cookies = Some(2);
        assert_eq!(severity(&always), None);
        always.evidence.cookies_returned = Some(3);
        assert_eq!(severity(&always), Some(Severity::Alarm));
    }

    #[test]
    fn half_open_rows_alone_prove_nothing() {
        assert_eq!(severity(&signs(0, 0, false)), None);
        let mut silent = signs(0, 0, false);
        silent.evidence.dropped = None;
        silent.evidence.cookies_sent = None;
        assert_eq!(severity(&silent), None);
    }

    #[test]
    fn without_cookies_drops_and_rows_together_count() {
        let mut off = signs(0, 0, true);
        off.cookies = Some(0);
        off.evidence.dropped = Some(900);
        assert_eq!(severity(&off), Some(Severity::Warn));
        off.half_open = 16;
        off.backlog = Some(16);
        assert_eq!(severity(&off), None, "a small backlog");
    }
}
