//! Folds readings into observations: ages, phases, tallies and findings.
//!
//! The monitor is pure: no clock, no file, no thread. Time comes in with the
//! readings, so the same readings always give the same observations. It keeps
//! one observation, the last, and what cannot be read off it: where the row of
//! a key is, the numbers of processes, a short history and the detectors'
//! memory.

mod accept_waits;
mod census;
mod chronicle;
mod clocks;
mod details;
mod detect;
mod history;
mod horizon;
mod interner;
mod ledger;
mod listeners;
mod muster;
mod phase;
mod probe_spacings;
mod seats;
mod spares;
mod trend;
mod unowned;

use crate::model::finding::Finding;
use crate::model::gap::GapKind;
use crate::model::mute::Mute;
use crate::model::namespace::Scope;
use crate::model::observation::{Observation, Tally};
use crate::model::reading::{Matter, Reading, Snapshot, Usage};
use crate::model::row::Row;
use crate::model::socket::{Socket, SocketKey};
use crate::model::socket_memory::MemoryEntry;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::{Stamp, Time};
use crate::model::timer::TimerKind;
use accept_waits::AcceptWaits;
use census::Census;
use chronicle::Chronicler;
use clocks::Clocks;
use details::Details;
use detect::personal::Personal;
pub use detect::personal::Wishes;
pub use detect::thresholds::Thresholds;
pub use detect::user_rule::{Per, RuleLimit, UserRule};
use detect::{Detection, Kernel, Scene};
use history::History;
use horizon::Horizon;
use interner::Interner;
use ledger::{Clock, Ledger, Page, Turned};
use phase::Moment;
use probe_spacings::ProbeSpacings;
use spares::Spares;
use std::sync::Arc;
use std::time::Duration;
use trend::Trends;

/// What may be chosen about watching.
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    /// How long a new or changed row is marked as such.
    pub marked_for: Duration,
    /// How long a row that closed stays in the observation.
    pub linger: Duration,
    /// Of how many sockets that a table lacks it is asked what has become of
    /// them ([`Monitor::unsettled`]); beyond that, and with 0, a table that is
    /// not in doubt is believed, and any other only the second time.
    pub settled: usize,
    /// How many tables the history of arrivals reaches back.
    pub history: usize,
    /// Whether troubles are looked for.
    pub detects: bool,
    /// The limits of the rules.
    pub thresholds: Thresholds,
    /// What a person adds to them.
    pub wishes: Wishes,
    /// Names of processes that show troubles on purpose, as the lab's do: nothing
    /// is found about them.
    pub staged: &'static [&'static str],
}

impl Default for MonitorOptions {
    /// Three seconds: at one table a second a mark is seen thrice. Sixty tables
    /// of history fill a minute.
    fn default() -> Self {
        Self {
            marked_for: Duration::from_secs(3),
            linger: Duration::from_secs(3),
            settled: 0,
            history: 60,
            detects: true,
            thresholds: Thresholds::default(),
            wishes: Wishes::default(),
            staged: &[],
        }
    }
}

/// Of so many connections the rules ask for `TCP_INFO` at most.
const PROBED: usize = 256;

/// Makes of all readings so far what the faces show.
pub struct Monitor {
    options: MonitorOptions,
    ledger: Ledger,
    interner: Interner,
    history: History,
    detection: Detection,
    personal: Personal,
    /// How many rows were in each state, per table, the latest last.
    tallies: Vec<Tally>,
    clocks: Clocks,
    trends: Trends,
    usage: Vec<Usage>,
    details: Details,
    accept_waits: AcceptWaits,
    probe_spacings: ProbeSpacings,
    /// Connections of the last table whose `TCP_INFO` the rules ask for.
    probed: Vec<Socket>,
    chronicler: Chronicler,
    /// The last table, while some of its absences are not settled.
    draft: Option<Box<Draft>>,
    /// The time of the first table.
    began: Option<Stamp>,
    /// What the last table was of.
    scope: Option<Scope>,
    /// The latest time seen; a clock that goes back is not believed.
    now: Stamp,
    latest: Option<Arc<Observation>>,
    spares: Spares,
    /// The memory that the sockets of the last table were in.
    spent: Vec<Socket>,
}

impl Monitor {
    /// A monitor that has seen nothing.
    #[must_use]
    pub fn new(options: MonitorOptions) -> Self {
        Self {
            history: History::new(options.history),
            detection: Detection::new(options.thresholds.clone()),
            personal: Personal::new(options.wishes.clone()),
            ledger: Ledger::new(options.settled),
            options,
            interner: Interner::default(),
            tallies: Vec::new(),
            clocks: Clocks::default(),
            trends: Trends::default(),
            usage: Vec::new(),
            details: Details::default(),
            accept_waits: AcceptWaits::default(),
            probe_spacings: ProbeSpacings::default(),
            probed: Vec::new(),
            chronicler: Chronicler::default(),
            draft: None,
            began: None,
            scope: None,
            now: Stamp::default(),
            latest: None,
            spares: Spares::default(),
            spent: Vec::new(),
        }
    }

    /// Takes in a reading and gives the state of the world after it; none as
    /// long as no table has been read, and after a table of which something is
    /// [unsettled](Self::unsettled).
    ///
    /// A table makes a new observation, and tells what events came before it.
    /// Usage and details go into a copy of the
    /// last one, with the same number and the very same rows.
    pub fn fold(&mut self, reading: Reading) -> Option<Arc<Observation>> {
        match reading.matter {
            Matter::Table(snapshot) => {
                self.conclude(Vec::new());
                self.fold_table(*snapshot, reading.time)
            }
            Matter::Absences(answers) => self.conclude(answers),
            Matter::Usage(usage) => {
                self.conclude(Vec::new());
                self.fold_usage(usage)
            }
            Matter::Details(read) => {
                self.conclude(Vec::new());
                self.fold_details(read, reading.time)
            }
            Matter::Events(events) => {
                self.chronicler.fold(*events, self.latest.as_deref());
                self.latest.clone()
            }
        }
    }

    /// Sockets that the last table lacks, of which it is not known yet whether
    /// they are gone. The next reading should be the [`Matter::Absences`] of
    /// them; any other takes them for not gone until the next table.
    #[must_use]
    pub fn unsettled(&self) -> &[Socket] {
        self.draft
            .as_ref()
            .map_or(&[], |draft| &draft.turned.unsettled)
    }

    /// Connections of the last table whose [`Matter::Details`] the rules ask for,
    /// at most 256; they are to be read beside those that a person watches.
    #[must_use]
    pub fn probed(&self) -> &[Socket] {
        &self.probed
    }

    /// Whether tables must be read with what connections carry, for the rules'
    /// sake.
    #[must_use]
    pub fn needs_flows(&self) -> bool {
        self.personal.needs_flows()
    }

    /// The memory that the sockets of the last table were in, empty: the next
    /// may be read into it.
    #[must_use]
    pub fn take_spent(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.spent)
    }

    /// From the next table on these findings are muted, and no others.
    pub fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.personal.set_mutes(mutes);
    }

    /// From the next table on the ways of these sockets are told, and of no
    /// others; of at most 256.
    pub fn follow(&mut self, sockets: &[Socket]) {
        self.chronicler.follow(sockets.iter().map(Socket::key));
    }

    fn fold_details(
        &mut self,
        read: Vec<(SocketKey, TcpInfo)>,
        time: Time,
    ) -> Option<Arc<Observation>> {
        self.details.take(read, time.monotonic_ms);
        self.accept_waits.measure(&self.details);
        let latest = self.latest.as_mut()?;
        let shown = Arc::make_mut(latest);
        shown.accept_waits = self.accept_waits.all().to_vec();
        shown.details = self.details.all().to_vec();
        if self.chronicler.is_behind() {
            // What has come on screen need not wait for the next table.
            return self.write_chronicle();
        }
        Some(Arc::clone(latest))
    }

    /// The last observation with the events that came since; none if none did.
    /// The rows are the very same.
    pub fn with_new_events(&mut self) -> Option<Arc<Observation>> {
        if !self.chronicler.has_news() {
            return None;
        }
        self.conclude(Vec::new());
        self.write_chronicle()
    }

    fn write_chronicle(&mut self) -> Option<Arc<Observation>> {
        let latest = self.latest.as_mut()?;
        let shown = Arc::make_mut(latest);
        let ledger = &self.ledger;
        let find = |key: &SocketKey| shown.rows.get(ledger.row_of(key)?);
        let began = self.began.unwrap_or_default();
        shown.chronicle = self.chronicler.write(find, began);
        Some(Arc::clone(latest))
    }

    fn fold_usage(&mut self, usage: Vec<Usage>) -> Option<Arc<Observation>> {
        self.usage = usage;
        let latest = self.latest.as_mut()?;
        Arc::make_mut(latest).usage.clone_from(&self.usage);
        Some(Arc::clone(latest))
    }

    fn fold_table(&mut self, mut snapshot: Snapshot, time: Time) -> Option<Arc<Observation>> {
        let time = self.clocks.steady(time);
        self.now = self.now.max(time.stamp());
        let roll = self.interner.enrol(std::mem::take(&mut snapshot.processes));
        roll.translate(&mut snapshot.holders);
        let listed_holders = snapshot.holders.len();
        let memory = memory_by_key(&mut snapshot);
        let page = Page {
            sockets: std::mem::take(&mut snapshot.sockets),
            owners: std::mem::take(&mut snapshot.owners),
            holders: std::mem::take(&mut snapshot.holders),
            flows: std::mem::take(&mut snapshot.flows),
            monotonic_ms: time.monotonic_ms,
            source: snapshot.source,
            horizon: Horizon::of(&snapshot),
            doubtful: snapshot.gaps.iter().any(|gap| {
                matches!(
                    gap.kind,
                    GapKind::DumpsInterrupted
                        | GapKind::TablesUnreadable
                        | GapKind::MessagesMalformed
                        | GapKind::NamespacesUnreadable
                )
            }),
        };
        let clock = self.clock();
        let buffer = self.spares.take();
        let turned = self
            .ledger
            .turn(page, self.latest.as_deref(), clock, buffer);
        let settled = turned.unsettled.is_empty();
        self.draft = Some(Box::new(Draft {
            time,
            snapshot,
            turned,
            listed_holders,
            memory,
        }));
        if settled {
            self.conclude(Vec::new())
        } else {
            None
        }
    }

    /// Makes the observation of the last table, if that waits for answers;
    /// nothing if it does not.
    fn conclude(&mut self, answers: Vec<(SocketKey, Option<Socket>)>) -> Option<Arc<Observation>> {
        let Draft {
            time,
            snapshot,
            mut turned,
            listed_holders,
            memory,
        } = *self.draft.take()?;
        let moment = self.clock().moment;
        self.ledger.settle(&mut turned, answers, moment);
        self.spent = std::mem::take(&mut turned.spent);
        // Who holds what only the last table had may hold nothing that is in
        // this one.
        for holder in turned.holders.iter().skip(listed_holders) {
            self.interner.keep(holder.process);
        }
        let census = Census::of(&turned.rows);
        let hidden = unowned::give_reasons(&mut turned.rows, &census, snapshot.owner_search);
        self.remember_owners(&turned.rows, &census.ownerless);
        self.history.push(turned.arrivals);
        let surplus = (self.tallies.len() + 1).saturating_sub(self.options.history);
        self.tallies.drain(..surplus);
        self.tallies.push(census.tally.clone());
        let trends = self.trends.fold(
            &census.muster,
            &census.tally,
            &turned.rows,
            &turned.holders,
            &self.interner,
            self.now,
        );
        let kernel = Kernel {
            namespace: snapshot.own_namespace(),
            source: snapshot.source,
            counters: snapshot.counters,
            gauges: snapshot.gauges,
            settings: snapshot.limits,
            owner_search: snapshot.owner_search,
        };
        let began = *self.began.get_or_insert(self.now);
        self.accept_waits.fold(
            &turned.rows,
            &census.ownerless,
            &census.listeners,
            self.now,
            began,
        );
        self.accept_waits.measure(&self.details);
        let unanswered = census.muster.unanswered(&turned.rows);
        self.probe_spacings.fold(unanswered, time.monotonic_ms);
        self.probe(&turned, &census);
        self.chronicler.note(&turned, self.now, began);
        self.watch(snapshot.scope);
        let (findings, muted) = self.detect(&mut turned, &census, &kernel, &memory);
        let only =
            (snapshot.scope == Scope::Own && kernel.namespace != 0).then_some(kernel.namespace);
        self.chronicler.end_table(only);
        let blind = self.detection.blind(&kernel);
        let ledger = &self.ledger;
        let find = |key: &SocketKey| turned.rows.get(ledger.row_of(key)?);
        let chronicle = self.chronicler.write(find, began);
        let mut gaps = snapshot.gaps;
        gaps.extend(unowned::gap(hidden, &gaps));
        let mut observation = Observation {
            time,
            number: self.latest.as_ref().map_or(1, |last| last.number + 1),
            host: snapshot.host,
            source: snapshot.source,
            rows: Arc::new(turned.rows),
            holders: turned.holders,
            processes: self.interner.processes().to_vec(),
            users: snapshot.users,
            interfaces: snapshot.interfaces,
            gone_interfaces: snapshot.gone_interfaces,
            networks: snapshot.networks,
            namespaces: snapshot.namespaces,
            listeners: census.listeners.into_inner(),
            accept_waits: self.accept_waits.all().to_vec(),
            probe_spacings: self.probe_spacings.all(),
            tally: census.tally,
            arrivals: self.history.counts(),
            gaps,
            owner_search: snapshot.owner_search,
            findings,
            muted,
            blind,
            usage: self.usage.clone(),
            flows: Arc::new(turned.flows),
            memory,
            details: self.details.all().to_vec(),
            limits: snapshot.limits,
            tallies: self.tallies.clone(),
            chronicle,
            trends,
        };
        let clearing = self.options.thresholds.clearing;
        self.personal.judge(&mut observation, self.now, clearing);
        Some(self.publish(observation))
    }

    /// Chooses the connections whose `TCP_INFO` the rules ask for: those that
    /// nobody has accepted, those that their peers closed some time ago, those
    /// that programs have half-closed, and those whose data does not get through.
    fn probe(&mut self, turned: &Turned, census: &Census) {
        let limits = &self.options.thresholds;
        let lasts = |row: &&Row, limit: Duration| {
            !row.entry_seen || row.state_since.age(self.now) >= limit / 2
        };
        let heads = self.accept_waits.heads();
        let heads = heads.filter_map(|key| {
            let number = self.ledger.row_of(key)?;
            turned.rows.get(number)
        });
        let closed = census.muster.close_wait(&turned.rows);
        let closed = closed.filter(|row| lasts(row, limits.leak_age));
        let half_closed = census.muster.passing(&turned.rows).filter(|row| {
            let held = row.socket.inode.is_some();
            held && row.socket.state == State::FinWait2 && lasts(row, limits.fin_wait_2_after)
        });
        // Why data waits in these, only TCP_INFO tells: their marks need it although
        // they may not be on screen.
        let stuck = census.muster.queued(&turned.rows).filter(|row| {
            let timer = row.socket.timer;
            timer.is_some_and(|timer| {
                timer.kind == TimerKind::ZeroWindowProbe || timer.retransmits > 1
            })
        });
        let rows = heads.chain(closed).chain(half_closed).chain(stuck);
        let sockets = rows.map(|row| row.socket);
        let sockets = sockets.filter(|socket| socket.is_connection() && socket.cookie.is_some());
        self.probed = sockets.take(PROBED).collect();
    }

    /// What was found elsewhere does not stand over another part of the machine.
    fn watch(&mut self, scope: Scope) {
        let before = self.scope.replace(scope);
        if before.is_some_and(|before| before != scope) {
            self.detection = Detection::new(self.options.thresholds.clone());
            self.personal.restart(self.options.wishes.clone());
        }
    }

    fn is_staged(&self, finding: &Finding) -> bool {
        let staged = self.options.staged;
        match &finding.process {
            Some(process) => staged.iter().any(|name| process.name.as_str() == *name),
            // What a staged process has closed belongs to nobody.
            None => !staged.is_empty(),
        }
    }

    /// The findings to be told, and those that are muted.
    fn detect(
        &mut self,
        turned: &mut Turned,
        census: &Census,
        kernel: &Kernel,
        memory: &[MemoryEntry],
    ) -> (Vec<Finding>, Vec<Finding>) {
        if !self.options.detects {
            return (Vec::new(), Vec::new());
        }
        let scene = Scene {
            now: self.now,
            began: self.began.unwrap_or(self.now),
            rows: &turned.rows,
            stirred: &turned.stirred,
            holders: &turned.holders,
            interner: &self.interner,
            listeners: &census.listeners,
            muster: &census.muster,
            details: &self.details,
            accept_waits: self.accept_waits.all(),
            memory,
            kernel: *kernel,
            attempts: self.chronicler.attempts(),
        };
        let mut found = self.detection.judge(&scene);
        found.retain(|finding| !self.is_staged(finding));
        let (told, muted) = self.personal.part(found);
        detect::flag(turned, &self.interner, &told);
        (told, muted)
    }

    fn clock(&self) -> Clock {
        Clock {
            moment: Moment {
                now: self.now,
                marked_for: self.options.marked_for,
            },
            linger: self.options.linger,
        }
    }

    fn remember_owners(&mut self, rows: &[Row], ownerless: &[u32]) {
        for number in ownerless {
            let row = rows.get(*number as usize);
            if let Some(owner) = row.and_then(|row| row.last_owner) {
                self.interner.keep(owner.process());
            }
        }
        self.interner.sweep();
    }

    fn publish(&mut self, observation: Observation) -> Arc<Observation> {
        let observation = Arc::new(observation);
        let last = self.latest.replace(Arc::clone(&observation));
        if let Some(last) = last {
            self.spares.keep(&last.rows);
        }
        observation
    }
}

/// The buffer memory of a table by the keys of its sockets, ascending. Of a key
/// that comes twice the later sighting counts, as in the ledger.
fn memory_by_key(snapshot: &mut Snapshot) -> Arc<Vec<MemoryEntry>> {
    let listed = std::mem::take(&mut snapshot.memory);
    let entry = |(place, memory): (u32, _)| {
        let key = snapshot.sockets.get(place as usize)?.key();
        Some(MemoryEntry { key, memory })
    };
    let mut entries: Vec<MemoryEntry> = listed.into_iter().rev().filter_map(entry).collect();
    entries.sort_by_key(|entry| entry.key);
    entries.dedup_by_key(|entry| entry.key);
    Arc::new(entries)
}

/// A table whose rows are made, but not yet what follows from them.
struct Draft {
    time: Time,
    /// What is left of it.
    snapshot: Snapshot,
    turned: Turned,
    /// How many holders are the table's own; those behind are carried over with
    /// rows it lacks.
    listed_holders: usize,
    /// Buffer memory of its sockets, ascending by key.
    memory: Arc<Vec<MemoryEntry>>,
}

impl Default for Monitor {
    fn default() -> Self {
        Self::new(MonitorOptions::default())
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod property;
#[cfg(test)]
mod settling;
#[cfg(test)]
mod story;
