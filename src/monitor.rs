//! Folds readings into observations: ages, phases, tallies and findings.
//!
//! The monitor is pure: no clock, no file, no thread. Time comes in with the
//! readings, so the same readings always give the same observations. It keeps
//! the latest observation and the state that cannot be read off it: the map
//! from keys to rows, process numbers, a short history and the memory of the
//! detectors.

mod accept_waits;
mod ages;
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
use crate::model::opener::Openers;
use crate::model::reading::{Matter, Reading, Snapshot, Usage};
use crate::model::row::Row;
use crate::model::socket::{Socket, SocketKey};
use crate::model::socket_memory::MemoryEntry;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::{Stamp, Time};
use crate::model::timer::TimerKind;
use accept_waits::AcceptWaits;
use ages::Ages;
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

/// Options of the monitor.
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    /// Duration for which a new or changed row is marked as such.
    pub marked_for: Duration,
    /// Duration for which a closed row stays in the observation.
    pub linger: Duration,
    /// Maximum number of sockets missing from a table that are looked up
    /// ([`Monitor::unsettled`]). Beyond that, and with 0, a missing socket is
    /// closed at once, or, where the table may omit open sockets, when it is
    /// missing twice.
    pub settled: usize,
    /// Number of tables in the history of arrivals.
    pub history: usize,
    /// True if the detection rules run.
    pub detects: bool,
    /// Thresholds of the rules.
    pub thresholds: Thresholds,
    /// Rules, baseline and mutes of the user.
    pub wishes: Wishes,
    /// Names of processes that cause problems on purpose, such as those of the
    /// lab: no finding is about them.
    pub staged: &'static [&'static str],
}

impl Default for MonitorOptions {
    /// Three seconds: at one table a second a mark is seen three times. Sixty
    /// tables of history fill a minute.
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

/// Maximum number of connections whose `TCP_INFO` the rules ask for.
const PROBED: usize = 256;

/// Folds readings into observations.
pub struct Monitor {
    options: MonitorOptions,
    ledger: Ledger,
    interner: Interner,
    history: History,
    detection: Detection,
    personal: Personal,
    /// Number of rows in each state, per table, the latest last.
    tallies: Vec<Tally>,
    clocks: Clocks,
    trends: Trends,
    usage: Vec<Usage>,
    details: Details,
    ages: Ages,
    accept_waits: AcceptWaits,
    probe_spacings: ProbeSpacings,
    /// Connections of the last table whose `TCP_INFO` the rules ask for.
    probed: Vec<Socket>,
    chronicler: Chronicler,
    /// The last table, while lookups of its missing sockets are pending.
    draft: Option<Box<Draft>>,
    /// The time of the first table.
    began: Option<Stamp>,
    /// Scope of the last table.
    scope: Option<Scope>,
    /// Latest time seen: a clock that goes back is ignored.
    now: Stamp,
    latest: Option<Arc<Observation>>,
    spares: Spares,
    /// Buffer that held the sockets of the last table.
    spent: Vec<Socket>,
}

/// Returns what a table reports of the kernel itself.
fn kernel_of(snapshot: &Snapshot) -> Kernel {
    Kernel {
        namespace: snapshot.own_namespace(),
        source: snapshot.source,
        counters: snapshot.counters,
        gauges: snapshot.gauges,
        settings: snapshot.limits,
        owner_search: snapshot.owner_search,
    }
}

impl Monitor {
    /// Returns a monitor without any reading.
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
            ages: Ages::default(),
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

    /// Processes a reading and returns the observation after it; none before
    /// the first table, and after a table with [pending
    /// lookups](Self::unsettled).
    ///
    /// A table makes a new observation, with the events that came before it.
    /// Usage and details go into a copy of the last one, with the same number
    /// and the very same rows.
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

    /// Sockets missing from the last table whose fate is unknown. The next
    /// reading should be the [`Matter::Absences`] of them; after any other
    /// reading they count as open until the next table.
    #[must_use]
    pub fn unsettled(&self) -> &[Socket] {
        self.draft
            .as_ref()
            .map_or(&[], |draft| &draft.turned.unsettled)
    }

    /// Connections of the last table whose [`Matter::Details`] the rules ask
    /// for, at most 256; to be read in addition to those that the user watches.
    #[must_use]
    pub fn probed(&self) -> &[Socket] {
        &self.probed
    }

    /// True if a rule needs tables with `TCP_INFO` counters.
    #[must_use]
    pub fn needs_flows(&self) -> bool {
        self.personal.needs_flows()
    }

    /// Returns the buffer of the last table's sockets, empty, for the next
    /// table.
    #[must_use]
    pub fn take_spent(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.spent)
    }

    /// Sets the muted findings, from the next table on.
    pub fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.personal.set_mutes(mutes);
    }

    /// Sets the sockets whose timelines are in the observations, at most 256,
    /// from the next table on.
    pub fn follow(&mut self, sockets: &[Socket]) {
        self.chronicler.follow(sockets.iter().map(Socket::key));
    }

    fn fold_details(
        &mut self,
        read: Vec<(SocketKey, TcpInfo)>,
        time: Time,
    ) -> Option<Arc<Observation>> {
        self.details.take(read, time);
        self.accept_waits.measure(&self.details);
        let latest = self.latest.as_mut()?;
        let shown = Arc::make_mut(latest);
        shown.accept_waits = self.accept_waits.all().to_vec();
        shown.details = self.details.all().to_vec();
        if self.chronicler.is_behind() {
            // Newly followed sockets need not wait for the next table.
            return self.write_chronicle();
        }
        Some(Arc::clone(latest))
    }

    /// The last observation with the ages that a reading of [`Matter::Details`] bounds,
    /// which is not kept otherwise. With [`Self::fold`] they appear in the next table.
    pub fn learn_ages(&mut self, reading: Reading) -> Option<Arc<Observation>> {
        self.conclude(Vec::new());
        let latest = self.latest.as_mut()?;
        if let Matter::Details(read) = reading.matter {
            let mut details = Details::default();
            details.take(read, reading.time);
            let find = |key: &SocketKey| latest.rows.get(self.ledger.row_of(key)?);
            self.ages.update(&details, find);
            Arc::make_mut(latest).unwatched = self.ages.all();
        }
        Some(Arc::clone(latest))
    }

    /// Returns the last observation with the events received since; none if
    /// there are none. The rows are the very same.
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
        let openers = std::mem::take(&mut snapshot.openers);
        let openers = openers.rename(|place| Some(snapshot.sockets.get(place as usize)?.key()));
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
            openers: Arc::new(openers),
        }));
        if settled {
            self.conclude(Vec::new())
        } else {
            None
        }
    }

    /// Makes the observation of the last table if that waits for lookups;
    /// returns none if it does not.
    fn conclude(&mut self, answers: Vec<(SocketKey, Option<Socket>)>) -> Option<Arc<Observation>> {
        let Draft {
            time,
            snapshot,
            mut turned,
            listed_holders,
            memory,
            openers,
        } = *self.draft.take()?;
        let moment = self.clock().moment;
        self.ledger.settle(&mut turned, answers, moment);
        let find = |key: &SocketKey| turned.rows.get(self.ledger.row_of(key)?);
        self.ages.update(&self.details, find);
        self.spent = std::mem::take(&mut turned.spent);
        // A holder carried over from the last table may hold nothing that is in
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
        let kernel = kernel_of(&snapshot);
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
        let (findings, muted) = self.detect(&mut turned, &census, &kernel, &memory, &openers);
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
            openers,
            socket_units: snapshot.socket_units,
            details: self.details.all().to_vec(),
            unwatched: self.ages.all(),
            limits: snapshot.limits,
            tallies: self.tallies.clone(),
            chronicle,
            trends,
        };
        let clearing = self.options.thresholds.clearing;
        self.personal.judge(&mut observation, self.now, clearing);
        Some(self.publish(observation))
    }

    /// Chooses the connections whose `TCP_INFO` the rules ask for: those not
    /// yet accepted, those that their peers closed some time ago, those that
    /// programs have half-closed, and those whose data does not get through.
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
        // Only TCP_INFO reports why data waits in these: their marks need it
        // although they may not be on screen.
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

    /// Drops the findings of another scope: they do not hold for this part of
    /// the machine.
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
            // A socket that an exempt process has closed has no owner.
            None => !staged.is_empty(),
        }
    }

    /// Returns the findings to report, and the muted ones.
    fn detect(
        &mut self,
        turned: &mut Turned,
        census: &Census,
        kernel: &Kernel,
        memory: &[MemoryEntry],
        openers: &Openers<SocketKey>,
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
        detect::name_openers(&mut found, &turned.rows, openers);
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

/// Buffer memory of a table, by the keys of its sockets, ascending. Of a key
/// that comes twice the later entry counts, as in the ledger.
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

/// A table whose rows are merged and whose observation is not made yet.
struct Draft {
    time: Time,
    /// Rest of the snapshot.
    snapshot: Snapshot,
    turned: Turned,
    /// Number of holders from the table itself; those behind are carried over
    /// with missing rows.
    listed_holders: usize,
    /// Buffer memory of its sockets, ascending by key.
    memory: Arc<Vec<MemoryEntry>>,
    openers: Arc<Openers<SocketKey>>,
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
