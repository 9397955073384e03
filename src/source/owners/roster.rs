//! The processes there are, what is known of each, and which must be read.
//!
//! Since Linux 6.2 the size of `/proc/PID/fd` is the number of open
//! descriptors (`proc_readfd_count` in `fs/proc/fd.c`), so a glance tells that
//! a process has opened or closed something, and only such processes are read
//! again. One that closes a descriptor and opens another keeps the number: so
//! every process also gets its turn from time to time, and what the table has
//! and nobody is known to hold is searched for (see `search`).

use super::descriptors::{Glance, Outcome, ProcFolder};
use super::errand::Target;
use crate::model::gap::GapReason;
use foldhash::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// Counts the times that processes were looked at.
pub(super) type Pass = u32;

/// In so many passes every process gets its turn.
const TURNS: u64 = 64;
/// A process that opened or closed something within so many passes is likely
/// to do it again.
const LIVELY: Pass = 16;

/// What is known of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) glance: Glance,
    /// When its descriptors were read last; none until they have been.
    pub(super) read_at: Option<Pass>,
    pub(super) outcome: Outcome,
    /// When it last was new or had another number of descriptors.
    stirred_at: Pass,
    /// When it was last seen to be there.
    seen_at: Pass,
    /// Whether a thread has been found to have descriptors of its own.
    pub(super) threads: bool,
    /// When its threads were searched for such.
    pub(super) threads_at: Option<Pass>,
}

impl Known {
    /// Whether it opened or closed something lately.
    pub(super) fn is_lively(&self, now: Pass) -> bool {
        now.saturating_sub(self.stirred_at) < LIVELY
    }
}

#[derive(Default)]
pub(super) struct Roster {
    known: HashMap<u32, Known>,
    pass: Pass,
    /// Processes in the order in which their turn comes.
    turns: VecDeque<u32>,
    /// Descriptors that may still be read on turns.
    credit: i64,
    /// Every PID namespace has a process 1. Where it cannot be seen, `hidepid`
    /// keeps processes out of sight, and who knows how many.
    first_hidden: bool,
}

/// What a look at all processes says.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Processes to read, and about how many descriptors they have together.
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

    /// Looks at every process; says which must be read.
    pub(super) fn survey(&mut self, pids: &[u32], proc: &ProcFolder) -> Survey {
        let mut survey = Survey::default();
        self.pass += 1;
        self.first_hidden = !pids.contains(&1);
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
        self.take_turns(&mut survey);
        survey
    }

    fn meet(&mut self, pid: u32, glance: Glance, survey: &mut Survey) {
        let now = self.pass;
        let fresh = Known {
            glance,
            read_at: None,
            outcome: Outcome::Gone,
            stirred_at: now,
            seen_at: now,
            threads: false,
            // One that is born while watching cannot hold what was there
            // before it but through a table that is read anyway.
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
            known.read_at = None;
        }
        if known.read_at.is_none() {
            survey.add(pid, known);
        }
    }

    /// Adds those whose turn it is, so that all are read within [`TURNS`]
    /// passes. A large one uses up the credit of many passes.
    fn take_turns(&mut self, survey: &mut Survey) {
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
            let due = known
                .read_at
                .is_some_and(|read| u64::from(self.pass - read) >= TURNS / 2);
            if due {
                self.credit -= i64::try_from(cost(&known.glance)).unwrap_or(i64::MAX);
                known.read_at = None;
                survey.add(pid, known);
            }
        }
    }

    /// Notes what came of reading a process in this pass.
    pub(super) fn note(&mut self, pid: u32, outcome: Outcome) {
        let Some(known) = self.known.get_mut(&pid) else {
            return;
        };
        known.outcome = outcome;
        known.read_at = match outcome {
            // Another time there may be descriptors left to read with.
            Outcome::Refused(GapReason::DescriptorLimit) => None,
            _ => Some(self.pass),
        };
    }

    /// Notes that the threads of a process have been searched in this pass, and
    /// whether one has descriptors of its own.
    pub(super) fn note_threads(&mut self, pid: u32, apart: bool) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.threads |= apart;
            known.threads_at = Some(self.pass);
        }
    }

    /// Every process that may hold sockets, with what tells it from a later
    /// one under the same number.
    pub(super) fn identities(&self) -> impl Iterator<Item = (u32, u64)> {
        self.known
            .iter()
            .filter(|(_, known)| known.outcome != Outcome::Empty)
            .map(|(pid, known)| (*pid, known.glance.identity))
    }

    /// Processes whose descriptors could be read.
    pub(super) fn readable(&self) -> impl Iterator<Item = (u32, &Known)> {
        self.known
            .iter()
            .filter(|(_, known)| known.outcome == Outcome::Read)
            .map(|(pid, known)| (*pid, known))
    }

    /// Since when every readable process has been read, its threads too.
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

    /// True if process 1 may not be looked into, whatever may be others.
    pub(super) fn refuses_init(&self) -> bool {
        let refused = Outcome::Refused(GapReason::Permission);
        self.known
            .get(&1)
            .is_some_and(|first| first.outcome == refused)
    }

    /// Processes whose descriptors could not be read, by reason.
    pub(super) fn unreadable(&self) -> BTreeMap<GapReason, u64> {
        let mut counts = BTreeMap::new();
        for known in self.known.values() {
            if let Outcome::Refused(reason) = known.outcome {
                *counts.entry(reason).or_default() += 1;
            }
        }
        counts
    }
}

impl Survey {
    fn add(&mut self, pid: u32, known: &Known) {
        self.size += cost(&known.glance);
        self.targets.push(Target {
            pid,
            threads: known.threads,
        });
    }
}

/// What it takes to read a process: its descriptors, and something for itself.
/// Where the kernel does not count them, nobody knows.
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

    /// A pass over processes as given; all that must be read are read.
    fn pass(roster: &mut Roster, processes: &[(u32, Glance)]) -> Vec<u32> {
        roster.pass += 1;
        let mut survey = Survey::default();
        for (pid, glance) in processes {
            roster.meet(*pid, *glance, &mut survey);
        }
        let read: Vec<u32> = survey.targets.iter().map(|target| target.pid).collect();
        for pid in &read {
            roster.note(*pid, Outcome::Read);
        }
        read
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
        let survey = roster.survey(&[own], &proc);
        assert_eq!(survey.targets.len(), 1);
        assert_eq!(roster.survey(&[], &proc).ended, [own]);
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
            roster.take_turns(&mut survey);
            size += survey.size;
            for target in survey.targets {
                *reads.entry(target.pid).or_default() += 1;
                roster.note(target.pid, Outcome::Read);
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
        roster.note(7, Outcome::Refused(GapReason::DescriptorLimit));
        assert_eq!(
            roster.unreadable(),
            BTreeMap::from([(GapReason::DescriptorLimit, 1)])
        );
        assert_eq!(pass(&mut roster, &seven), [7]);
    }
}
