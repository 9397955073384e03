//! Rule: a program does not close connections that its peers have closed. Each
//! such socket keeps a descriptor, and once these run out the program accepts
//! and opens nothing more.
//!
//! A few old ones are worth an info; a growing or a large number is a leak. A
//! number that rises once is none: a restarted server closes all connections of
//! a pool, which notices when it next uses them. A connection on which the
//! program still sends is none either: a peer may stop sending and go on
//! reading (a half-closed connection, RFC 9293, 3.6).

use super::active_findings::{ActiveFindings, SocketHolder, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::owner_key::OwnerKey;
use super::table_context::{ProcessKey, TableContext};
use super::thresholds::Thresholds;
use crate::model::evidence::{CloseWaitEvidence, Evidence};
use crate::model::finding::{Finding, Severity};
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Number of counts kept of a window, evenly spaced.
const WINDOW_SAMPLES: u32 = 30;

/// Minimum number of rises within the window for a number to grow.
const MIN_RISES: usize = 3;

/// A finding per process: a leak if there is one, else old sockets.
#[derive(Default)]
pub(super) struct CloseWaitDetector {
    leaks: ActiveFindings<OwnerKey>,
    old: ActiveFindings<OwnerKey>,
    histories: BTreeMap<OwnerKey, CountHistory>,
}

impl Detector for CloseWaitDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let old = count_old(case.context, case.limits);
        self.histories.retain(|party, history| {
            old.contains_key(party) || history.is_within(case.now, case.limits.leak_window)
        });
        for (party, (holder, count)) in old {
            let history = self.histories.entry(party).or_default();
            history.record(case.now, count, case.limits.leak_window);
            let signs = LeakIndicators {
                count,
                growth: history.growth(count),
                rises: history.rises(count),
            };
            let process = holder.process.map(|process| &**process);
            let leak = signs.level(process, case.limits);
            self.leaks.update(party, holder.clone(), leak, case.now);
            let old = TriggerLevel::Raise(Severity::Info, signs.evidence(process, case.limits));
            self.old.update(party, holder, old, case.now);
        }
        let mut findings = self.leaks.finish_round(case.now, case.limits.clearing);
        let leaking: BTreeSet<OwnerKey> = findings.iter().filter_map(owner_key_of).collect();
        let old = self.old.finish_round(case.now, case.limits.clearing);
        let known =
            |finding: &Finding| owner_key_of(finding).is_some_and(|of| leaking.contains(&of));
        findings.extend(old.into_iter().filter(|finding| !known(finding)));
        findings
    }
}

/// Number of old sockets in `CLOSE_WAIT` per owner, without those on which it
/// still sends.
fn count_old<'a>(
    scene: &TableContext<'a>,
    limits: &Thresholds,
) -> BTreeMap<OwnerKey, (SocketHolder<'a>, u32)> {
    let mut found = BTreeMap::new();
    let old = scene.row_groups.close_wait(scene.rows);
    let old = old.filter(|row| row.state_since.age(scene.now) >= limits.leak_age);
    let idle = old.filter(|row| !still_sends(row, scene, limits));
    for (party, holder) in idle.filter_map(|row| scene.owner_key(row)) {
        let (_, count) = found.entry(party).or_insert((holder, 0));
        *count += 1;
    }
    found
}

/// True if data was sent more recently than the age of an old socket. Before
/// the first data that time counts from the handshake.
fn still_sends(row: &Row, scene: &TableContext<'_>, limits: &Thresholds) -> bool {
    let detail = scene.details.find(&row.socket.key());
    detail.is_some_and(|detail| {
        Duration::from_millis(detail.info.last_data_sent_ms.into()) < limits.leak_age
    })
}

fn owner_key_of(finding: &Finding) -> Option<OwnerKey> {
    match (finding.process.as_deref(), finding.holder.unknown) {
        (Some(process), _) => Some(OwnerKey::Process(ProcessKey::of(process))),
        (None, Some(unseen)) => Some(OwnerKey::Unknown(unseen)),
        (None, None) => None,
    }
}

/// Counts of the old sockets of a process.
struct LeakIndicators {
    count: u32,
    /// Increase since the beginning of the window.
    growth: u32,
    /// Number of steps in which they came.
    rises: usize,
}

impl LeakIndicators {
    fn evidence(&self, process: Option<&Process>, limits: &Thresholds) -> Evidence {
        let descriptors = process.and_then(|process| process.open_files);
        Evidence::CloseWait(CloseWaitEvidence {
            count: self.count,
            growth: self.growth,
            window: limits.leak_window,
            open_files: descriptors.map(|each| each.open),
            open_files_limit: descriptors.map(|each| each.limit),
        })
    }

    fn level(&self, process: Option<&Process>, limits: &Thresholds) -> TriggerLevel {
        let descriptors = process.and_then(|process| process.open_files);
        let running_out = descriptors.is_some_and(|each| {
            f64::from(each.open) >= limits.leak_descriptors * f64::from(each.limit)
        });
        let before = f64::from(self.count.saturating_sub(self.growth));
        let least = f64::from(limits.leak_growth).max(before * limits.leak_share);
        let evidence = self.evidence(process, limits);
        let growth = f64::from(self.growth);
        let grows = growth >= least && self.rises >= MIN_RISES;
        match (grows || self.count >= limits.leak_many, running_out) {
            (true, true) => TriggerLevel::Raise(Severity::Critical, evidence),
            (true, false) => TriggerLevel::Raise(Severity::Warning, evidence),
            (false, _) if growth * 2.0 >= least => TriggerLevel::Sustain(evidence),
            (false, _) => TriggerLevel::Clear,
        }
    }
}

/// Counts of one process over the window.
#[derive(Debug, Default)]
struct CountHistory {
    counts: VecDeque<(Timestamp, u32)>,
}

impl CountHistory {
    fn record(&mut self, now: Timestamp, count: u32, window: Duration) {
        let due = self
            .counts
            .back()
            .is_none_or(|(at, _)| at.age(now) >= window / WINDOW_SAMPLES);
        if due {
            self.counts.push_back((now, count));
        }
        while let Some((at, _)) = self.counts.front()
            && at.age(now) > window
        {
            self.counts.pop_front();
        }
    }

    fn is_within(&self, now: Timestamp, window: Duration) -> bool {
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
    use crate::model::process::OpenFiles;

    fn judged(count: u32, growth: u32, open: u32) -> Option<Severity> {
        let process = Process {
            open_files: Some(OpenFiles { open, limit: 1024 }),
            ..Process::default()
        };
        let signs = LeakIndicators {
            count,
            growth,
            rises: MIN_RISES,
        };
        match signs.level(Some(&process), &Thresholds::default()) {
            TriggerLevel::Raise(severity, _) => Some(severity),
            _ => None,
        }
    }

    #[test]
    fn growing_ones_are_warned_of_and_running_out_is_an_alarm() {
        assert_eq!(judged(3, 0, 100), None);
        assert_eq!(judged(25, 19, 100), None);
        assert_eq!(judged(25, 20, 100), Some(Severity::Warning));
        assert_eq!(judged(800, 200, 900), Some(Severity::Critical));
        assert_eq!(judged(49, 0, 100), None);
        assert_eq!(judged(50, 0, 100), Some(Severity::Warning), "many");
        assert_eq!(judged(3, 0, 1000), None, "not by these");
    }

    #[test]
    fn growth_is_what_came_within_the_window() {
        let window = Duration::from_mins(5);
        let mut history = CountHistory::default();
        assert_eq!(history.growth(7), 0);
        for second in 0..400u32 {
            history.record(Timestamp(second * 100), second, window);
        }
        assert_eq!(history.growth(400), 300);
        assert!(history.counts.len() <= 31);
        assert!(history.rises(400) >= 29);
    }

    #[test]
    fn what_comes_at_once_does_not_grow() {
        let mut history = CountHistory::default();
        for second in 0..100u32 {
            let count = if second < 50 { 1 } else { 40 };
            history.record(Timestamp(second * 100), count, Duration::from_mins(5));
        }
        assert_eq!(history.growth(40), 39);
        assert_eq!(history.rises(40), 1);
    }
}
