//! The processes, the known facts about each, and the selection of those to
//! read.
//!
//! Since Linux 6.2 the size of `/proc/PID/fd` is the number of open descriptors
//! (`proc_readfd_count` in `fs/proc/fd.c`), so one stat shows that a process
//! has opened or closed something, and only such processes are read again,
//! within the budget of a table. A process that closes one descriptor and opens
//! another keeps the number: so every process is also read from time to time,
//! and sockets without a known owner are searched for (see `search`).

use super::budget::{self, Due};
use super::descriptors::{Cursor, Glance, Outcome, Part, ProcFolder, Target, Threads};
use crate::model::gap::GapReason;
use foldhash::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// Number of a pass over all processes.
pub(super) type Pass = u32;

/// Number of passes in which every process is read once.
const TURNS: u64 = 64;
/// Number of passes for which a process that opened or closed something is
/// considered likely to do it again.
const LIVELY: Pass = 16;
/// Number of passes after which a process that should have been read counts as unread:
/// rules look back ten seconds, and there is a table each second.
const LATE: Pass = 10;

/// Known facts about a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) glance: Glance,
    /// Pass of the last complete read of its descriptors; none before that.
    pub(super) read_at: Option<Pass>,
    /// Pass since which they are due; none if nothing is known to be new.
    due_since: Option<Pass>,
    /// Progress of a read that takes several tables.
    reading: Option<Reading>,
    /// Pass of the last read of any of its descriptors; 0 if never.
    served_at: Pass,
    pub(super) outcome: Outcome,
    /// Pass in which it was new, or its number of descriptors last changed.
    stirred_at: Pass,
    /// Pass in which it was last listed.
    seen_at: Pass,
    /// True if a thread was found to have a descriptor table of its own.
    pub(super) threads: bool,
    /// Pass of the last search of its threads for such tables.
    pub(super) threads_at: Option<Pass>,
}

/// A reading of a process that takes several tables.
#[derive(Clone, Copy, Debug)]
struct Reading {
    began: Pass,
    /// Number of descriptors that have been read.
    entries: u64,
    next: Cursor,
}

impl Known {
    /// Number of descriptors that are left to read, and something for itself.
    pub(super) fn cost_left(&self) -> u64 {
        let read = self.reading.map_or(0, |reading| reading.entries);
        cost(&self.glance).saturating_sub(read).max(1)
    }

    /// Returns a target of a limited number of descriptors, from the end of the last read.
    pub(super) fn target(&self, pid: u32, most: u64) -> Target {
        Target {
            pid,
            threads: if self.threads {
                Threads::All
            } else {
                Threads::First
            },
            from: self
                .reading
                .map_or(Cursor::default(), |reading| reading.next),
            most,
        }
    }

    /// True if its descriptors are unknown, or were read too long ago.
    fn is_late(&self, now: Pass) -> bool {
        let waits = self.due_since.map(|since| now.saturating_sub(since));
        waits.is_some_and(|waits| self.read_at.is_none() || waits >= LATE)
    }

    /// True if it opened or closed something recently.
    pub(super) fn is_lively(&self, now: Pass) -> bool {
        now.saturating_sub(self.stirred_at) < LIVELY
    }
}

#[derive(Default)]
pub(super) struct Roster {
    known: HashMap<u32, Known>,
    pass: Pass,
    /// Processes in the order of their rescan.
    turns: VecDeque<u32>,
    /// Descriptors that may still be read on turns.
    credit: i64,
    /// True if process 1 is not listed: every PID namespace has one, so
    /// `hidepid` hides it and an unknown number of others.
    first_hidden: bool,
    /// True if not even this process is listed.
    lists_nobody: bool,
}

/// Result of surveying all processes.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Processes to read, and their approximate number of descriptors.
    pub(super) targets: Vec<Target>,
    pub(super) size: u64,
    /// Processes that have ended, or are others under the same number.
    pub(super) ended: Vec<u32>,
}

impl Roster {
    /// The present pass.
    pub(super) fn pass(&self) -> Pass {
        self.pass
    }

    /// Surveys all processes, and selects those to read within the budget.
    pub(super) fn survey(
        &mut self,
        pids: &[u32],
        proc: &ProcFolder,
        descriptors: Option<u64>,
    ) -> Survey {
        let mut survey = Survey::default();
        self.pass += 1;
        self.first_hidden = !pids.contains(&1);
        self.lists_nobody = pids.is_empty();
        for pid in pids {
            if let Some(glance) = proc.glance(*pid) {
                self.meet(*pid, glance, &mut survey);
            }
        }
        let now = self.pass;
        self.known.retain(|pid, known| {
            let there = known.seen_at == now;
            if !there {
                survey.ended.push(*pid);
            }
            there
        });
        self.take_turns();
        self.share_out(&mut survey, descriptors);
        survey
    }

    /// Adds the processes that are due, as far as the budget goes.
    fn share_out(&self, survey: &mut Survey, descriptors: Option<u64>) {
        let due = self
            .known
            .iter()
            .filter(|(_, known)| known.due_since.is_some());
        let due = due.map(|(pid, known)| Due {
            pid: *pid,
            cost: known.cost_left(),
            served_at: known.served_at,
        });
        for share in budget::share_out(due.collect(), descriptors) {
            if let Some(known) = self.known.get(&share.pid) {
                survey.size += known.cost_left().min(share.most);
                survey.targets.push(known.target(share.pid, share.most));
            }
        }
    }

    fn meet(&mut self, pid: u32, glance: Glance, survey: &mut Survey) {
        let now = self.pass;
        let fresh = Known {
            glance,
            read_at: None,
            due_since: Some(now),
            reading: None,
            served_at: 0,
            outcome: Outcome::Unread,
            stirred_at: now,
            seen_at: now,
            threads: false,
            // A process that starts while watching can hold older sockets only
            // through a table that is read anyway.
            threads_at: (now > 1).then_some(now),
        };
        let known = self.known.entry(pid).or_insert_with(|| {
            self.turns.push_back(pid);
            fresh
        });
        known.seen_at = now;
        if known.glance.identity != glance.identity {
            survey.ended.push(pid);
            *known = fresh;
        } else if known.glance.count != glance.count {
            known.glance = glance;
            known.stirred_at = now;
            known.due_since.get_or_insert(now);
        }
    }

    /// Marks processes due for a rescan, so that all are read within [`TURNS`]
    /// passes. A large one uses up the credit of many passes.
    fn take_turns(&mut self) {
        let all: u64 = self.known.values().map(|known| cost(&known.glance)).sum();
        let share = i64::try_from(all.div_ceil(TURNS)).unwrap_or(i64::MAX);
        self.credit = self.credit.saturating_add(share).min(share);
        for _ in 0..self.turns.len() {
            if self.credit <= 0 {
                break;
            }
            let Some(pid) = self.turns.pop_front() else {
                break;
            };
            // One that has ended gives up its place.
            let Some(known) = self.known.get_mut(&pid) else {
                continue;
            };
            self.turns.push_back(pid);
            let old = known
                .read_at
                .is_some_and(|read| u64::from(self.pass - read) >= TURNS / 2);
            if old && known.due_since.is_none() {
                self.credit -= i64::try_from(cost(&known.glance)).unwrap_or(i64::MAX);
                known.due_since = Some(self.pass);
            }
        }
    }

    /// Records the result of reading a process, or a part of it, in this pass.
    pub(super) fn note(&mut self, pid: u32, part: &Part) {
        let now = self.pass;
        let Some(known) = self.known.get_mut(&pid) else {
            return;
        };
        known.served_at = now;
        let reading = known.reading.take();
        let began = reading.map_or(now, |reading| reading.began);
        if let Some(next) = part.rest {
            known.reading = Some(Reading {
                began,
                entries: reading.map_or(0, |reading| reading.entries) + part.entries,
                next,
            });
            return;
        }
        known.outcome = part.outcome;
        if part.outcome == Outcome::Refused(GapReason::DescriptorLimit) {
            // Another time there may be descriptors left to read with.
            known.read_at = None;
            known.due_since.get_or_insert(now);
            return;
        }
        known.read_at = Some(began);
        // A change during a read in parts may be in a part that was already
        // read.
        known.due_since = (known.stirred_at > began).then_some(known.stirred_at);
    }

    /// Records that the threads of a process have been searched in this pass,
    /// and if one has descriptors of its own.
    pub(super) fn note_threads(&mut self, pid: u32, apart: bool) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.threads |= apart;
            known.threads_at = Some(self.pass);
        }
    }

    /// Returns the known facts about a process.
    pub(super) fn known(&self, pid: u32) -> Option<&Known> {
        self.known.get(&pid)
    }

    /// Iterates over the processes that may hold sockets, by pid and the
    /// identity that distinguishes a reused pid.
    pub(super) fn identities(&self) -> impl Iterator<Item = (u32, u64)> {
        self.known
            .iter()
            .filter(|(_, known)| known.outcome != Outcome::Empty)
            .map(|(pid, known)| (*pid, known.glance.identity))
    }

    /// Processes whose descriptors could be read, or perhaps can.
    pub(super) fn readable(&self) -> impl Iterator<Item = (u32, &Known)> {
        let readable = [Outcome::Read, Outcome::Unread];
        self.known
            .iter()
            .filter(move |(_, known)| readable.contains(&known.outcome))
            .map(|(pid, known)| (*pid, known))
    }

    /// Pass since which every readable process has been read, its threads too.
    pub(super) fn all_read_since(&self) -> Pass {
        self.readable()
            .map(|(_, known)| known.read_at.min(known.threads_at).unwrap_or(0))
            .min()
            .unwrap_or(Pass::MAX)
    }

    /// True if not even process 1 is listed: `hidepid` hides it, and others with
    /// it.
    pub(super) fn hides_processes(&self) -> bool {
        self.first_hidden
    }

    /// True if no process is listed, not even this one, which `hidepid` leaves: the
    /// folder is no procfs.
    pub(super) fn lists_nobody(&self) -> bool {
        self.lists_nobody
    }

    /// True if process 1 is unreadable, whatever other processes are.
    pub(super) fn refuses_init(&self) -> bool {
        let refused = Outcome::Refused(GapReason::Permission);
        self.known
            .get(&1)
            .is_some_and(|first| first.outcome == refused)
    }

    /// Counts the unreadable processes by reason, including those beyond the budget.
    pub(super) fn unreadable(&self) -> BTreeMap<GapReason, u64> {
        let mut counts = BTreeMap::new();
        for known in self.known.values() {
            match known.outcome {
                Outcome::Refused(reason) => *counts.entry(reason).or_default() += 1,
                _ if known.is_late(self.pass) => {
                    *counts.entry(GapReason::TooMuch).or_default() += 1;
                }
                _ => {}
            }
        }
        counts
    }
}

/// Cost of reading a process: its descriptors, and a constant overhead. The
/// number is a guess if the kernel does not count descriptors.
pub(super) fn cost(glance: &Glance) -> u64 {
    const UNCOUNTED: u64 = 16;
    match glance.count {
        0 => UNCOUNTED,
        count => count + 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn glance(identity: u64, count: u64) -> Glance {
        Glance {
            identity,
            count,
            uid: 0,
        }
    }

    /// The end of a process, or all of it.
    fn whole(outcome: Outcome) -> Part {
        Part {
            outcome,
            entries: 0,
            rest: None,
        }
    }

    /// A pass over processes as given; all that must be read are read.
    fn pass(roster: &mut Roster, processes: &[(u32, Glance)]) -> Vec<u32> {
        roster.pass += 1;
        let mut survey = Survey::default();
        for (pid, glance) in processes {
            roster.meet(*pid, *glance, &mut survey);
        }
        roster.share_out(&mut survey, None);
        let mut read: Vec<u32> = survey.targets.iter().map(|target| target.pid).collect();
        read.sort_unstable();
        for pid in &read {
            roster.note(*pid, &whole(Outcome::Read));
        }
        read
    }

    #[test]
    fn a_large_process_is_read_over_several_tables() {
        let mut roster = Roster::default();
        let mut counts = vec![50_u64, 40_000, 300_000];
        let mut passes = 0;
        let mut read = [0; 3];
        while passes < 40 {
            roster.pass += 1;
            passes += 1;
            let mut survey = Survey::default();
            for (pid, count) in (1..).zip(&counts) {
                roster.meet(pid, glance(u64::from(pid), *count), &mut survey);
            }
            roster.share_out(&mut survey, Some(65_536));
            assert!(survey.size <= 65_536, "{}", survey.size);
            for target in survey.targets {
                let place = usize::try_from(target.pid).unwrap() - 1;
                let from = roster.known(target.pid).unwrap().reading;
                let from = from.map_or(0, |reading| reading.entries);
                let entries = target.most.min(counts[place] - from);
                let ends = from + entries == counts[place];
                read[place] += u32::from(ends);
                let part = Part {
                    outcome: if ends { Outcome::Read } else { Outcome::Unread },
                    entries,
                    rest: (!ends).then(Cursor::default),
                };
                roster.note(target.pid, &part);
            }
            let unread = roster.unreadable().get(&GapReason::TooMuch).copied();
            if passes == 1 {
                assert_eq!(unread, Some(2), "the first table has the small one");
            }
            // All of them open something all the time.
            for count in &mut counts {
                *count += 1;
            }
        }
        assert_eq!(read[0], 40, "with each table");
        assert!(read[1] > 15, "{read:?}");
        assert!(read[2] >= 4, "{read:?}");
        assert_eq!(roster.unreadable(), BTreeMap::new(), "all in time");
    }

    #[test]
    fn only_what_changed_is_read_again() {
        let mut roster = Roster::default();
        let (seven, eight) = ((7, glance(70, 5)), (8, glance(80, 5)));
        assert_eq!(pass(&mut roster, &[seven, eight]), [7, 8]);
        assert_eq!(pass(&mut roster, &[seven, eight]), [0; 0]);
        assert_eq!(pass(&mut roster, &[(7, glance(70, 6)), eight]), [7]);
        let successor = (8, glance(81, 5));
        assert_eq!(pass(&mut roster, &[seven, successor]), [7, 8]);
    }

    #[test]
    fn a_process_that_has_ended_is_told() {
        let proc = ProcFolder::open(Path::new("/proc")).unwrap();
        let mut roster = Roster::default();
        let own = std::process::id();
        let survey = roster.survey(&[own], &proc, None);
        assert_eq!(survey.targets.len(), 1);
        assert_eq!(roster.survey(&[], &proc, None).ended, [own]);
    }

    #[test]
    fn everybody_gets_a_turn_and_large_ones_are_paid_for() {
        let mut roster = Roster::default();
        let mut processes: Vec<(u32, Glance)> = (1..=100)
            .map(|pid| (pid, glance(u64::from(pid), 10)))
            .collect();
        processes.push((101, glance(101, 20_000)));
        pass(&mut roster, &processes);
        let mut reads: HashMap<u32, u32> = HashMap::default();
        let mut size = 0;
        let passes = 256;
        for _ in 0..passes {
            roster.pass += 1;
            let mut survey = Survey::default();
            for (pid, glance) in &processes {
                roster.meet(*pid, *glance, &mut survey);
            }
            roster.take_turns();
            roster.share_out(&mut survey, None);
            size += survey.size;
            for target in survey.targets {
                *reads.entry(target.pid).or_default() += 1;
                roster.note(target.pid, &whole(Outcome::Read));
            }
        }
        assert_eq!(reads.len(), processes.len(), "everybody");
        assert!(reads[&101] <= 5, "{}", reads[&101]);
        assert!(size / passes < 700, "{size}");
    }

    #[test]
    fn one_that_could_not_be_read_for_want_of_descriptors_is_tried_again() {
        let mut roster = Roster::default();
        let seven = [(7, glance(70, 5))];
        pass(&mut roster, &seven);
        roster.note(7, &whole(Outcome::Refused(GapReason::DescriptorLimit)));
        assert_eq!(
            roster.unreadable(),
            BTreeMap::from([(GapReason::DescriptorLimit, 1)])
        );
        assert_eq!(pass(&mut roster, &seven), [7]);
    }
}
