//! Rule: a program does not close connections that its peers have closed. Each
//! such socket keeps a descriptor, and once these run out the program accepts
//! and opens nothing more.
//!
//! A few old ones are worth an info; a growing or a large number is a leak. A
//! number that rises once is none: a restarted server closes all connections of
//! a pool, which notices when it next uses them. A connection on which the
//! program still sends is none either: a peer may stop sending and go on
//! reading (a half-closed connection, RFC 9293, 3.6).

use super::party::Party;
use super::standing::{Holder, Level, Standing};
use super::thresholds::Thresholds;
use super::{Actor, Case, Detector, Scene};
use crate::model::evidence::{Evidence, Leak};
use crate::model::finding::{Finding, Severity};
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::time::Stamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Number of counts kept of a window, evenly spaced.
const STEPS: u32 = 30;

/// Minimum number of rises within the window for a number to grow.
const RISES: usize = 3;

/// A finding per process: a leak if there is one, else old sockets.
#[derive(Default)]
pub(super) struct CloseWait {
    leaks: Standing<Party>,
    old: Standing<Party>,
    histories: BTreeMap<Party, History>,
}

impl Detector for CloseWait {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let old = old_ones(case.scene, case.limits);
        self.histories.retain(|party, history| {
            old.contains_key(party) || history.reaches_back(case.now, case.limits.leak_window)
        });
        for (party, (holder, count)) in old {
            let history = self.histories.entry(party).or_default();
            history.note(case.now, count, case.limits.leak_window);
            let signs = Signs {
                count,
                growth: history.growth(count),
                rises: history.rises(count),
            };
            let process = holder.process.map(|process| &**process);
            let leak = signs.leak(process, case.limits);
            self.leaks.judge(party, holder.clone(), leak, case.now);
            let old = Level::Raise(Severity::Info, signs.evidence(process, case.limits));
            self.old.judge(party, holder, old, case.now);
        }
        let mut findings = self.leaks.findings(case.now, case.limits.clearing);
        let leaking: BTreeSet<Party> = findings.iter().filter_map(whose).collect();
        let old = self.old.findings(case.now, case.limits.clearing);
        let known = |finding: &Finding| whose(finding).is_some_and(|of| leaking.contains(&of));
        findings.extend(old.into_iter().filter(|finding| !known(finding)));
        findings
    }
}

/// Number of old sockets in `CLOSE_WAIT` per owner, without those on which it
/// still sends.
fn old_ones<'a>(scene: &Scene<'a>, limits: &Thresholds) -> BTreeMap<Party, (Holder<'a>, u32)> {
    let mut found = BTreeMap::new();
    let old = scene.muster.close_wait(scene.rows);
    let old = old.filter(|row| row.state_since.age(scene.now) >= limits.leak_age);
    let idle = old.filter(|row| !still_sends(row, scene, limits));
    for (party, holder) in idle.filter_map(|row| scene.party(row)) {
        let (_, count) = found.entry(party).or_insert((holder, 0));
        *count += 1;
    }
    found
}

/// True if data was sent more recently than the age of an old socket. Before
/// the first data that time counts from the handshake.
fn still_sends(row: &Row, scene: &Scene<'_>, limits: &Thresholds) -> bool {
    let detail = scene.details.find(&row.socket.key());
    detail.is_some_and(|detail| {
        Duration::from_millis(detail.info.last_data_sent_ms.into()) < limits.leak_age
    })
}

fn whose(finding: &Finding) -> Option<Party> {
    match (finding.process.as_deref(), finding.holder.unseen) {
        (Some(process), _) => Some(Party::Process(Actor::of(process))),
        (None, Some(unseen)) => Some(Party::Unseen(unseen)),
        (None, None) => None,
    }
}

/// Counts of the old sockets of a process.
struct Signs {
    count: u32,
    /// Increase since the beginning of the window.
    growth: u32,
    /// Number of steps in which they came.
    rises: usize,
}

impl Signs {
    fn evidence(&self, process: Option<&Process>, limits: &Thresholds) -> Evidence {
        let descriptors = process.and_then(|process| process.descriptors);
        Evidence::CloseWait(Leak {
            count: self.count,
            growth: self.growth,
            window: limits.leak_window,
            open: descriptors.map(|each| each.open),
            most: descriptors.map(|each| each.most),
        })
    }

    fn leak(&self, process: Option<&Process>, limits: &Thresholds) -> Level {
        let descriptors = process.and_then(|process| process.descriptors);
        let running_out = descriptors.is_some_and(|each| {
            f64::from(each.open) >= limits.leak_descriptors * f64::from(each.most)
        });
        let before = f64::from(self.count.saturating_sub(self.growth));
        let least = f64::from(limits.leak_growth).max(before * limits.leak_share);
        let evidence = self.evidence(process, limits);
        let growth = f64::from(self.growth);
        let grows = growth >= least && self.rises >= RISES;
        match (grows || self.count >= limits.leak_many, running_out) {
            (true, true) => Level::Raise(Severity::Alarm, evidence),
            (true, false) => Level::Raise(Severity::Warn, evidence),
            (false, _) if growth * 2.0 >= least => Level::Hold(evidence),
            (false, _) => Level::Below,
        }
    }
}

/// Counts of one process over the window.
#[derive(Debug, Default)]
struct History {
    counts: VecDeque<(Stamp, u32)>,
}

impl History {
    fn note(&mut self, now: Stamp, count: u32, window: Duration) {
        let due = self
            .counts
            .back()
            .is_none_or(|(at, _)| at.age(now) >= window / STEPS);
        if due {
            self.counts.push_back((now, count));
        }
        while let Some((at, _)) = self.counts.front()
            && at.age(now) > window
        {
            self.counts.pop_front();
        }
    }

    fn reaches_back(&self, now: Stamp, window: Duration) -> bool {
        self.counts
            .back()
            .is_some_and(|(at, _)| at.age(now) <= window)
    }

    /// Increase within the window. Sockets that were old when watching began
    /// grew at an unknown time.
    fn growth(&self, count: u32) -> u32 {
        self.counts
            .front()
            .map_or(0, |(_, first)| count.saturating_sub(*first))
    }

    /// Number of steps in which the number rose.
    fn rises(&self, count: u32) -> usize {
        let counts = self.counts.iter().map(|(_, count)| *count);
        let later = counts.clone().skip(1).chain([count]);
        counts.zip(later).filter(|(a, b)| b > a).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::Descriptors;

    fn judged(count: u32, growth: u32, open: u32) -> Option<Severity> {
        let process = Process {
            descriptors: Some(Descriptors { open, most: 1024 }),
            ..Process::default()
        };
        let signs = Signs {
            count,
            growth,
            rises: RISES,
        };
        match signs.leak(Some(&process), &Thresholds::default()) {
            Level::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn growing_ones_are_warned_of_and_running_out_is_an_alarm() {
        assert_eq!(judged(3, 0, 100), None);
        assert_eq!(judged(25, 19, 100), None);
        assert_eq!(judged(25, 20, 100), Some(Severity::Warn));
        assert_eq!(judged(800, 200, 900), Some(Severity::Alarm));
        assert_eq!(judged(49, 0, 100), None);
        assert_eq!(judged(50, 0, 100), Some(Severity::Warn), "many");
        assert_eq!(judged(3, 0, 1000), None, "not by these");
    }

    #[test]
    fn growth_is_what_came_within_the_window() {
        let window = Duration::from_mins(5);
        let mut history = History::default();
        assert_eq!(history.growth(7), 0);
        for second in 0..400u32 {
            history.note(Stamp(second * 100), second, window);
        }
        assert_eq!(history.growth(400), 300);
        assert!(history.counts.len() <= 31);
        assert!(history.rises(400) >= 29);
    }

    #[test]
    fn what_comes_at_once_does_not_grow() {
        let mut history = History::default();
        for second in 0..100u32 {
            let count = if second < 50 { 1 } else { 40 };
            history.note(Stamp(second * 100), count, Duration::from_mins(5));
        }
        assert_eq!(history.growth(40), 39);
        assert_eq!(history.rises(40), 1);
    }
}
