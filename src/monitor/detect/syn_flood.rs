//! Rule: more connections are half-open than a listener has room for.
//!
//! Half-open ones alone prove nothing: a small backlog and many honest clients
//! look the same. The sign is the share of the SYN cookies then sent that come
//! back: clients that exist return them, forged addresses do not. Without
//! cookies it is the time that they stay: an honest one is half-open for one
//! round trip, and the SYN+ACK to a forged one is retransmitted. Where the
//! kernel does not count, this rule is inactive.

use super::standing::{Level, Standing};
use super::thresholds::Thresholds;
use super::{Case, Detector, Kernel, Scene, blind};
use crate::model::counters::Counters;
use crate::model::evidence::{Evidence, HalfOpen};
use crate::model::finding::{Blind, Finding, Lack, Rule, Severity};
use crate::model::limits::Limits;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use std::cmp::Ordering::Equal;
use std::collections::BTreeMap;
use std::time::Duration;

/// Window of the counters.
const WINDOW: Duration = Duration::from_secs(10);
/// Window in which a full queue must be counted repeatedly.
const PRESSURE: Duration = Duration::from_secs(5);

/// At most one finding: the counters are not per listener, so it names the one
/// whose queue is fullest of half-open connections.
#[derive(Default)]
pub(super) struct SynFlood {
    standing: Standing<()>,
    /// The listener named last: a table may have met a moment without half-open
    /// connections.
    named: Option<SocketKey>,
}

impl Detector for SynFlood {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let scene = case.scene;
        let worst = fullest(scene, case.limits).or_else(|| self.empty(scene));
        self.named = worst.as_ref().map(|crowd| crowd.listener.socket.key());
        let signs = Signs::of(case, worst.as_ref());
        let level = signs.level(case.limits);
        let process = worst.and_then(|crowd| scene.first_owner(crowd.listener));
        self.standing.judge((), process, level, case.now);
        self.standing.findings(case.now, case.limits.clearing)
    }

    fn blind(&self, kernel: &Kernel) -> Option<Blind> {
        let Counters {
            cookies_sent,
            cookies_returned,
            ..
        } = kernel.counters;
        let cookies = cookies_sent.and(cookies_returned);
        let told = cookies.and(full(&kernel.counters)).is_some();
        blind(Rule::SynFlood, Lack::Counters, told)
    }
}

impl SynFlood {
    /// Returns the listener named last, without half-open connections.
    fn empty<'a>(&self, scene: &Scene<'a>) -> Option<Crowd<'a>> {
        let named = self.named?;
        let mut listeners = scene.listeners.rows(scene.rows);
        let listener = listeners.find(|row| row.socket.key() == named)?;
        Some(Crowd::at(listener))
    }
}

/// A listener and its half-open connections.
struct Crowd<'a> {
    listener: &'a Row,
    half_open: u32,
    /// Number of those older than a round trip.
    stale: u32,
}

impl<'a> Crowd<'a> {
    fn at(listener: &'a Row) -> Self {
        Self {
            listener,
            half_open: 0,
            stale: 0,
        }
    }

    /// Sort key: relative to its own capacity, since a hundred are many for one
    /// listener and nothing for another, but a few are many nowhere.
    fn weight(&self, settings: &Limits, limits: &Thresholds) -> (bool, bool, f64, f64) {
        let backlog = self.listener.socket.backlog();
        let room = backlog.map_or(limits.half_open_unmeasured, |most| room(most, settings));
        let share = |count: u32| f64::from(count) / f64::from(room.max(1));
        let enough = |count: u32| count >= limits.half_open_least;
        (
            enough(self.stale),
            enough(self.half_open),
            share(self.stale),
            share(self.half_open),
        )
    }
}

/// Returns the listener with the fullest queue of half-open connections, of
/// those that the counters are about.
fn fullest<'a>(scene: &Scene<'a>, limits: &Thresholds) -> Option<Crowd<'a>> {
    let mut crowds: BTreeMap<SocketKey, Crowd<'a>> = BTreeMap::new();
    let half_open = scene.muster.half_open(scene.rows);
    for row in half_open.filter(|row| scene.kernel.covers(row)) {
        let Some(listener) = scene.listeners.taker(scene.rows, &row.socket) else {
            continue;
        };
        let resent = row.socket.timer.is_some_and(|timer| timer.retransmits > 0);
        let is_stale = resent || row.state_since.age(scene.now) >= limits.patience;
        let crowd = crowds
            .entry(listener.socket.key())
            .or_insert_with(|| Crowd::at(listener));
        crowd.half_open += 1;
        crowd.stale += u32::from(is_stale);
    }
    let weight = |crowd: &Crowd<'_>| crowd.weight(&scene.kernel.settings, limits);
    crowds
        .into_values()
        .max_by(|left, right| weight(left).partial_cmp(&weight(right)).unwrap_or(Equal))
}

/// Signs for and against a flood.
struct Signs {
    /// Maximum number of half-open connections, if known.
    room: Option<u32>,
    evidence: HalfOpen,
    /// True if a full queue was counted in most of the last tables.
    pressed: bool,
    /// `tcp_syncookies`.
    cookies: Option<u32>,
}

impl Signs {
    fn of(case: &Case<'_>, worst: Option<&Crowd<'_>>) -> Self {
        let settings = &case.scene.kernel.settings;
        let rise = |pick: fn(&Counters) -> Option<u64>| case.meter.rise(WINDOW, pick);
        let backlog = worst.and_then(|crowd| crowd.listener.socket.backlog());
        let without_cookies = settings.syncookies == Some(0);
        let full = case.meter.mostly_rises(PRESSURE, full);
        let dropped = if without_cookies {
            rise(dropped)
        } else {
            rise(|counters| counters.queue_full_drops)
        };
        Self {
            room: backlog.map(|backlog| room(backlog, settings)),
            evidence: HalfOpen {
                listener: worst.map(|crowd| crowd.listener.socket.local),
                half_open: worst.map_or(0, |crowd| crowd.half_open),
                stale: worst.map_or(0, |crowd| crowd.stale),
                backlog,
                cookies_sent: rise(|counters| counters.cookies_sent),
                cookies_returned: rise(|counters| counters.cookies_returned),
                dropped,
            },
            pressed: full || without_cookies && case.meter.mostly_rises(PRESSURE, self::dropped),
            cookies: settings.syncookies,
        }
    }

    /// True if the rows alone show a queue full of connections that do not
    /// complete.
    fn rows_crowd(&self, limits: &Thresholds) -> bool {
        self.room
            .map_or(self.evidence.stale >= limits.half_open_unmeasured, |room| {
                let enough =
                    f64::from(self.evidence.stale) >= limits.half_open_share * f64::from(room);
                enough && self.evidence.stale >= limits.half_open_least
            })
    }

    /// Share of cookies that came back; none where too few were sent for it to
    /// mean anything.
    fn returned(&self, limits: &Thresholds) -> Option<f64> {
        let sent = u32::try_from(self.evidence.cookies_sent?).unwrap_or(u32::MAX);
        let back = u32::try_from(self.evidence.cookies_returned?).unwrap_or(u32::MAX);
        let least = match self.cookies {
            // Then nothing reports whether there was room: any scan from
            // outside leaves cookies that do not return.
            Some(2) => limits.cookies_always,
            _ => limits.cookies_least,
        };
        (sent >= least).then(|| f64::from(back) / f64::from(sent))
    }

    fn level(&self, limits: &Thresholds) -> Level {
        let evidence = || Evidence::SynFlood(self.evidence.clone());
        // With cookies always on, one is sent for every SYN: only their return
        // counts. If the setting is unknown, the queue decides as by default.
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
            // No cookies: SYNs are dropped, and only the rows show whose.
            None if self.pressed && self.rows_crowd(limits) => {
                Level::Raise(Severity::Warn, evidence())
            }
            _ if self.pressed => Level::Hold(evidence()),
            _ => Level::Below,
        }
    }
}

/// Maximum number of half-open connections of a listener: its backlog and,
/// without cookies, no more than three quarters of `tcp_max_syn_backlog`
/// (`tcp_conn_request` in `net/ipv4/tcp_input.c`).
fn room(backlog: u32, settings: &Limits) -> u32 {
    let most = settings
        .max_syn_backlog
        .filter(|_| settings.syncookies == Some(0));
    most.map_or(backlog, |most| backlog.min(most - most / 4))
        .max(1)
}

/// SYNs that found the queue full.
fn full(counters: &Counters) -> Option<u64> {
    Some(counters.queue_full_cookies? + counters.queue_full_drops?)
}

/// Connections dropped by listeners for another reason than a full accept
/// queue: beyond `tcp_max_syn_backlog` no other counter moves.
fn dropped(counters: &Counters) -> Option<u64> {
    Some(
        counters
            .listen_drops?
            .saturating_sub(counters.listen_overflows?),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(sent: u64, returned: u64, pressed: bool) -> Signs {
        Signs {
            room: Some(128),
            evidence: HalfOpen {
                listener: None,
                half_open: 120,
                stale: 120,
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
        always.evidence.cookies_sent = Some(60);
        assert_eq!(severity(&always), None, "somebody scans");
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
    fn without_cookies_drops_and_rows_that_stay_count_together() {
        let mut off = signs(0, 0, true);
        off.cookies = Some(0);
        off.evidence.dropped = Some(900);
        assert_eq!(severity(&off), Some(Severity::Warn));
        (off.evidence.stale, off.room) = (20, Some(128));
        assert_eq!(severity(&off), None, "most come and go");
        (off.evidence.stale, off.room) = (16, Some(16));
        assert_eq!(severity(&off), Some(Severity::Warn));
        (off.evidence.stale, off.room) = (3, Some(3));
        assert_eq!(severity(&off), None, "too few to say");
        off.room = None;
        assert_eq!(severity(&off), None);
        off.evidence.stale = 32;
        assert_eq!(severity(&off), Some(Severity::Warn));
    }

    #[test]
    fn without_cookies_another_setting_bounds_the_backlog() {
        let settings = |syncookies| Limits {
            syncookies: Some(syncookies),
            max_syn_backlog: Some(128),
            ..Limits::default()
        };
        assert_eq!(room(4096, &settings(0)), 96);
        assert_eq!(room(4096, &settings(1)), 4096);
        assert_eq!(room(64, &settings(0)), 64);
        assert_eq!(room(0, &settings(0)), 1);
    }
}
