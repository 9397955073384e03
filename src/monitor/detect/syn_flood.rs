//! Rule: more connections are half-open than a listener has room for.
//!
//! Half-open ones alone prove nothing: a small backlog and many honest clients
//! look the same. The sign is the share of the SYN cookies then sent that come
//! back: clients that exist return them, forged addresses do not. Without
//! cookies it is the time that they stay: an honest one is half-open for one
//! round trip, and the SYN+ACK to a forged one is retransmitted. Where the
//! kernel does not count, this rule is inactive.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput, inactive_unless};
use super::table_context::{KernelStats, TableContext};
use super::thresholds::Thresholds;
use crate::model::counters::Counters;
use crate::model::evidence::{Evidence, SynFloodEvidence};
use crate::model::finding::{Finding, InactiveRule, MissingInput, Rule, Severity};
use crate::model::limits::Limits;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use std::cmp::Ordering::Equal;
use std::collections::BTreeMap;
use std::time::Duration;

/// Window of the counters.
const WINDOW: Duration = Duration::from_secs(10);
/// Window in which a full queue must be counted repeatedly.
const PRESSURE_WINDOW: Duration = Duration::from_secs(5);

/// At most one finding: the counters are not per listener, so it names the one
/// whose queue is fullest of half-open connections.
#[derive(Default)]
pub(super) struct SynFloodDetector {
    active: ActiveFindings<()>,
    /// The listener named last: a table may have met a moment without half-open
    /// connections.
    last_listener: Option<SocketKey>,
}

impl Detector for SynFloodDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let scene = case.context;
        let worst = fullest_queue(scene, case.limits).or_else(|| self.last_listener_empty(scene));
        self.last_listener = worst.as_ref().map(|queue| queue.listener.socket.key());
        let signs = FloodIndicators::of(case, worst.as_ref());
        let level = signs.level(case.limits);
        let process = worst.and_then(|queue| scene.first_owner(queue.listener));
        self.active.update((), process, level, case.now);
        self.active.finish_round(case.now, case.limits.clearing)
    }

    fn missing_input(&self, kernel: &KernelStats) -> Option<InactiveRule> {
        let Counters {
            cookies_sent,
            cookies_returned,
            ..
        } = kernel.counters;
        let cookies = cookies_sent.and(cookies_returned);
        let told = cookies
            .and(syn_queue_full_events(&kernel.counters))
            .is_some();
        inactive_unless(Rule::SynFlood, MissingInput::Counters, told)
    }
}

impl SynFloodDetector {
    /// Returns the listener named last, without half-open connections.
    fn last_listener_empty<'a>(&self, scene: &TableContext<'a>) -> Option<SynQueue<'a>> {
        let named = self.last_listener?;
        let mut listeners = scene.listeners.rows(scene.rows);
        let listener = listeners.find(|row| row.socket.key() == named)?;
        Some(SynQueue::at(listener))
    }
}

/// A listener and its half-open connections.
struct SynQueue<'a> {
    listener: &'a Row,
    half_open: u32,
    /// Number of those older than a round trip.
    stale: u32,
}

impl<'a> SynQueue<'a> {
    fn at(listener: &'a Row) -> Self {
        Self {
            listener,
            half_open: 0,
            stale: 0,
        }
    }

    /// Sort key: relative to its own capacity, since a hundred are many for one
    /// listener and nothing for another, but a few are many nowhere.
    fn sort_key(&self, settings: &Limits, limits: &Thresholds) -> (bool, bool, f64, f64) {
        let backlog = self.listener.socket.backlog();
        let room = backlog.map_or(limits.half_open_unmeasured, |most| capacity(most, settings));
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
fn fullest_queue<'a>(scene: &TableContext<'a>, limits: &Thresholds) -> Option<SynQueue<'a>> {
    let mut queues: BTreeMap<SocketKey, SynQueue<'a>> = BTreeMap::new();
    let half_open = scene.row_groups.half_open(scene.rows);
    for row in half_open.filter(|row| scene.kernel.covers(row)) {
        let Some(listener) = scene.listeners.best_match(scene.rows, &row.socket) else {
            continue;
        };
        let resent = row.socket.timer.is_some_and(|timer| timer.retransmits > 0);
        let is_stale = resent || row.state_since.age(scene.now) >= limits.patience;
        let queue = queues
            .entry(listener.socket.key())
            .or_insert_with(|| SynQueue::at(listener));
        queue.half_open += 1;
        queue.stale += u32::from(is_stale);
    }
    let weight = |queue: &SynQueue<'_>| queue.sort_key(&scene.kernel.settings, limits);
    queues
        .into_values()
        .max_by(|left, right| weight(left).partial_cmp(&weight(right)).unwrap_or(Equal))
}

/// Signs for and against a flood.
struct FloodIndicators {
    /// Maximum number of half-open connections, if known.
    capacity: Option<u32>,
    evidence: SynFloodEvidence,
    /// True if a full queue was counted in most of the last tables.
    under_pressure: bool,
    /// `tcp_syncookies`.
    syncookies_setting: Option<u32>,
}

impl FloodIndicators {
    fn of(case: &DetectorInput<'_>, worst: Option<&SynQueue<'_>>) -> Self {
        let settings = &case.context.kernel.settings;
        let rise = |pick: fn(&Counters) -> Option<u64>| case.counters.increase(WINDOW, pick);
        let backlog = worst.and_then(|queue| queue.listener.socket.backlog());
        let without_cookies = settings.syncookies == Some(0);
        let full = case
            .counters
            .is_mostly_rising(PRESSURE_WINDOW, syn_queue_full_events);
        let dropped = if without_cookies {
            rise(syn_drops)
        } else {
            rise(|counters| counters.queue_full_drops)
        };
        Self {
            capacity: backlog.map(|backlog| capacity(backlog, settings)),
            evidence: SynFloodEvidence {
                listener: worst.map(|queue| queue.listener.socket.local),
                half_open: worst.map_or(0, |queue| queue.half_open),
                unanswered: worst.map_or(0, |queue| queue.stale),
                backlog,
                cookies_sent: rise(|counters| counters.cookies_sent),
                cookies_returned: rise(|counters| counters.cookies_returned),
                dropped,
            },
            under_pressure: full
                || without_cookies
                    && case
                        .counters
                        .is_mostly_rising(PRESSURE_WINDOW, self::syn_drops),
            syncookies_setting: settings.syncookies,
        }
    }

    /// True if the rows alone show a queue full of connections that do not
    /// complete.
    fn syn_queue_full(&self, limits: &Thresholds) -> bool {
        self.capacity.map_or(
            self.evidence.unanswered >= limits.half_open_unmeasured,
            |room| {
                let enough =
                    f64::from(self.evidence.unanswered) >= limits.half_open_share * f64::from(room);
                enough && self.evidence.unanswered >= limits.half_open_least
            },
        )
    }

    /// Share of cookies that came back; none where too few were sent for it to
    /// mean anything.
    fn cookie_return_share(&self, limits: &Thresholds) -> Option<f64> {
        let sent = u32::try_from(self.evidence.cookies_sent?).unwrap_or(u32::MAX);
        let back = u32::try_from(self.evidence.cookies_returned?).unwrap_or(u32::MAX);
        let least = match self.syncookies_setting {
            // Then nothing reports whether there was room: any scan from
            // outside leaves cookies that do not return.
            Some(2) => limits.cookies_always,
            _ => limits.cookies_least,
        };
        (sent >= least).then(|| f64::from(back) / f64::from(sent))
    }

    fn level(&self, limits: &Thresholds) -> TriggerLevel {
        let evidence = || Evidence::SynFlood(self.evidence.clone());
        // With cookies always on, one is sent for every SYN: only their return
        // counts. If the setting is unknown, the queue decides as by default.
        let always = self.syncookies_setting == Some(2);
        let pressed = self.under_pressure || always;
        match self.cookie_return_share(limits) {
            Some(share) if pressed && share < limits.cookies_flood => {
                TriggerLevel::Raise(Severity::Critical, evidence())
            }
            Some(share) if share > limits.cookies_honest => {
                if self.under_pressure && !always {
                    TriggerLevel::Raise(Severity::Info, evidence())
                } else {
                    TriggerLevel::Clear
                }
            }
            Some(_) if pressed => TriggerLevel::Raise(Severity::Warning, evidence()),
            // No cookies: SYNs are dropped, and only the rows show whose.
            None if self.under_pressure && self.syn_queue_full(limits) => {
                TriggerLevel::Raise(Severity::Warning, evidence())
            }
            _ if self.under_pressure => TriggerLevel::Sustain(evidence()),
            _ => TriggerLevel::Clear,
        }
    }
}

/// Maximum number of half-open connections of a listener: its backlog and,
/// without cookies, no more than three quarters of `tcp_max_syn_backlog`
/// (`tcp_conn_request` in `net/ipv4/tcp_input.c`).
fn capacity(backlog: u32, settings: &Limits) -> u32 {
    let most = settings
        .max_syn_backlog
        .filter(|_| settings.syncookies == Some(0));
    most.map_or(backlog, |most| backlog.min(most - most / 4))
        .max(1)
}

/// SYNs that found the queue full.
fn syn_queue_full_events(counters: &Counters) -> Option<u64> {
    Some(counters.queue_full_cookies? + counters.queue_full_drops?)
}

/// Connections dropped by listeners for another reason than a full accept
/// queue: beyond `tcp_max_syn_backlog` no other counter moves.
fn syn_drops(counters: &Counters) -> Option<u64> {
    Some(
        counters
            .listen_drops?
            .saturating_sub(counters.listen_overflows?),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(sent: u64, returned: u64, pressed: bool) -> FloodIndicators {
        FloodIndicators {
            capacity: Some(128),
            evidence: SynFloodEvidence {
                listener: None,
                half_open: 120,
                unanswered: 120,
                backlog: Some(128),
                cookies_sent: Some(sent),
                cookies_returned: Some(returned),
                dropped: Some(0),
            },
            under_pressure: pressed,
            syncookies_setting: Some(1),
        }
    }

    fn severity(signs: &FloodIndicators) -> Option<Severity> {
        match signs.level(&Thresholds::default()) {
            TriggerLevel::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn cookies_that_do_not_return_make_a_flood() {
        assert_eq!(severity(&signs(5000, 10, true)), Some(Severity::Critical));
        assert_eq!(severity(&signs(5000, 1500, true)), Some(Severity::Warning));
    }

    #[test]
    fn cookies_that_return_are_honest_clients() {
        assert_eq!(severity(&signs(5000, 4500, true)), Some(Severity::Info));
        let mut always = signs(5000, 4500, false);
        always.syncookies_setting = Some(2);
        assert_eq!(severity(&always), None);
        always.evidence.cookies_returned = Some(3);
        assert_eq!(severity(&always), Some(Severity::Critical));
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
        off.syncookies_setting = Some(0);
        off.evidence.dropped = Some(900);
        assert_eq!(severity(&off), Some(Severity::Warning));
        (off.evidence.unanswered, off.capacity) = (20, Some(128));
        assert_eq!(severity(&off), None, "most come and go");
        (off.evidence.unanswered, off.capacity) = (16, Some(16));
        assert_eq!(severity(&off), Some(Severity::Warning));
        (off.evidence.unanswered, off.capacity) = (3, Some(3));
        assert_eq!(severity(&off), None, "too few to say");
        off.capacity = None;
        assert_eq!(severity(&off), None);
        off.evidence.unanswered = 32;
        assert_eq!(severity(&off), Some(Severity::Warning));
    }

    #[test]
    fn without_cookies_another_setting_bounds_the_backlog() {
        let settings = |syncookies| Limits {
            syncookies: Some(syncookies),
            max_syn_backlog: Some(128),
            ..Limits::default()
        };
        assert_eq!(capacity(4096, &settings(0)), 96);
        assert_eq!(capacity(4096, &settings(1)), 4096);
        assert_eq!(capacity(64, &settings(0)), 64);
        assert_eq!(capacity(0, &settings(0)), 1);
    }
}
