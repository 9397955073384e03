//! Folds readings into observations: ages, phases, tallies and findings.
//!
//! The monitor is pure: no clock, no file, no thread. Time comes in with the
//! readings, so the same readings always give the same observations. It keeps
//! the latest observation and the state that cannot be read off it: the map
//! from keys to rows, process numbers, a short history and the memory of the
//! detectors.

mod accept_waits;
mod ages;
mod details;
mod detect;
mod events;
mod interner;
mod ledger;
mod listeners;
mod new_socket_history;
mod no_owner;
mod phase;
mod probe_spacings;
mod row_groups;
mod row_pool;
mod slots;
mod table_scope;
mod table_stats;
mod trends;
mod wall_clock;

use crate::model::finding::Finding;
use crate::model::gap::GapKind;
use crate::model::mute::Mute;
use crate::model::namespace::NamespaceScope;
use crate::model::observation::{Observation, StateCounts};
use crate::model::opener::Openers;
use crate::model::reading::{ProcessUsage, Reading, ReadingKind, Snapshot};
use crate::model::row::Row;
use crate::model::socket::{Socket, SocketKey};
use crate::model::socket_memory::MemoryEntry;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::{Time, Timestamp};
use crate::model::timer::TimerKind;
use accept_waits::AcceptWaits;
use ages::Ages;
use details::Details;
pub use detect::thresholds::Thresholds;
pub use detect::user_rule::{GroupBy, RuleLimit, UserRule};
use detect::user_rule_engine::UserRuleEngine;
pub use detect::user_rule_engine::UserRules;
use detect::{Detection, KernelStats, TableContext};
use events::EventTracker;
use interner::Interner;
use ledger::{Ledger, MergeTiming, TableInput, TableUpdate};
use new_socket_history::NewSocketHistory;
use phase::MarkTiming;
use probe_spacings::ProbeSpacings;
use row_pool::RowPool;
use std::sync::Arc;
use std::time::Duration;
use table_scope::TableScope;
use table_stats::TableStats;
use trends::Trends;
use wall_clock::WallClock;

/// Options of the monitor.
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    /// Duration for which a new or changed row is marked as such.
    pub highlight_for: Duration,
    /// Duration for which a closed row stays in the observation.
    pub keep_closed_for: Duration,
    /// Maximum number of sockets missing from a table that are looked up
    /// ([`Monitor::pending_lookups`]). Beyond that, and with 0, a missing socket is
    /// closed at once, or, where the table may omit open sockets, when it is
    /// missing twice.
    pub lookup_budget: usize,
    /// Number of tables in the history of arrivals.
    pub history_tables: usize,
    /// True if the detection rules run.
    pub detection_enabled: bool,
    /// Thresholds of the rules.
    pub thresholds: Thresholds,
    /// Rules, baseline and mutes of the user.
    pub user_rules: UserRules,
    /// Names of processes that cause problems on purpose, such as those of the
    /// lab: no finding is about them.
    pub exempt_processes: &'static [&'static str],
}

impl Default for MonitorOptions {
    /// Three seconds: at one table a second a mark is seen three times. Sixty
    /// tables of history fill a minute.
    fn default() -> Self {
        Self {
            highlight_for: Duration::from_secs(3),
            keep_closed_for: Duration::from_secs(3),
            lookup_budget: 0,
            history_tables: 60,
            detection_enabled: true,
            thresholds: Thresholds::default(),
            user_rules: UserRules::default(),
            exempt_processes: &[],
        }
    }
}

/// Maximum number of connections whose `TCP_INFO` the rules ask for.
const MAX_PROBED: usize = 256;

/// Folds readings into observations.
pub struct Monitor {
    options: MonitorOptions,
    ledger: Ledger,
    interner: Interner,
    new_socket_history: NewSocketHistory,
    detection: Detection,
    user_rules: UserRuleEngine,
    /// Number of rows in each state, per table, the latest last.
    state_count_history: Vec<StateCounts>,
    wall_clock: WallClock,
    trends: Trends,
    usage: Vec<ProcessUsage>,
    details: Details,
    ages: Ages,
    accept_waits: AcceptWaits,
    probe_spacings: ProbeSpacings,
    /// Connections of the last table whose `TCP_INFO` the rules ask for.
    probed: Vec<Socket>,
    events: EventTracker,
    /// The last table, while lookups of its missing sockets are pending.
    pending: Option<Box<PendingTable>>,
    /// The time of the first table.
    first_table: Option<Timestamp>,
    /// Scope of the last table.
    scope: Option<NamespaceScope>,
    /// Latest time seen: a clock that goes back is ignored.
    now: Timestamp,
    latest: Option<Arc<Observation>>,
    row_pool: RowPool,
    /// Buffer that held the sockets of the last table.
    socket_buffer: Vec<Socket>,
}

/// Returns what a table reports of the kernel itself.
fn kernel_of(snapshot: &Snapshot) -> KernelStats {
    KernelStats {
        namespace: snapshot.current_namespace(),
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
            new_socket_history: NewSocketHistory::new(options.history_tables),
            detection: Detection::new(options.thresholds.clone()),
            user_rules: UserRuleEngine::new(options.user_rules.clone()),
            ledger: Ledger::new(options.lookup_budget),
            options,
            interner: Interner::default(),
            state_count_history: Vec::new(),
            wall_clock: WallClock::default(),
            trends: Trends::default(),
            usage: Vec::new(),
            details: Details::default(),
            ages: Ages::default(),
            accept_waits: AcceptWaits::default(),
            probe_spacings: ProbeSpacings::default(),
            probed: Vec::new(),
            events: EventTracker::default(),
            pending: None,
            first_table: None,
            scope: None,
            now: Timestamp::default(),
            latest: None,
            row_pool: RowPool::default(),
            socket_buffer: Vec::new(),
        }
    }

    /// Processes a reading and returns the observation after it; none before
    /// the first table, and after a table with [pending
    /// lookups](Self::pending_lookups).
    ///
    /// A table makes a new observation, with the events that came before it.
    /// Usage and details go into a copy of the last one, with the same number
    /// and the very same rows.
    pub fn fold(&mut self, reading: Reading) -> Option<Arc<Observation>> {
        match reading.kind {
            ReadingKind::Table(snapshot) => {
                self.finish_table(Vec::new());
                self.fold_table(*snapshot, reading.time)
            }
            ReadingKind::Lookups(answers) => self.finish_table(answers),
            ReadingKind::Usage(usage) => {
                self.finish_table(Vec::new());
                self.fold_usage(usage)
            }
            ReadingKind::Details(read) => {
                self.finish_table(Vec::new());
                self.fold_details(read, reading.time)
            }
            ReadingKind::Events(events) => {
                self.events.fold_events(*events, self.latest.as_deref());
                self.latest.clone()
            }
        }
    }

    /// Sockets missing from the last table whose fate is unknown. The next
    /// reading should be the [`ReadingKind::Lookups`] of them; after any other
    /// reading they count as open until the next table.
    #[must_use]
    pub fn pending_lookups(&self) -> &[Socket] {
        self.pending
            .as_ref()
            .map_or(&[], |draft| &draft.update.pending_lookups)
    }

    /// Connections of the last table whose [`ReadingKind::Details`] the rules ask
    /// for, at most 256; to be read in addition to those that the user watches.
    #[must_use]
    pub fn probed(&self) -> &[Socket] {
        &self.probed
    }

    /// True if a rule needs tables with `TCP_INFO` counters.
    #[must_use]
    pub fn uses_tcp_metrics(&self) -> bool {
        self.user_rules.uses_tcp_metrics()
    }

    /// Returns the buffer of the last table's sockets, empty, for the next
    /// table.
    #[must_use]
    pub fn take_socket_buffer(&mut self) -> Vec<Socket> {
        std::mem::take(&mut self.socket_buffer)
    }

    /// Sets the muted findings, from the next table on.
    pub fn set_mutes(&mut self, mutes: Vec<Mute>) {
        self.user_rules.set_mutes(mutes);
    }

    /// Sets the sockets whose timelines are in the observations, at most 256,
    /// from the next table on.
    pub fn set_followed(&mut self, sockets: &[Socket]) {
        self.events.follow(sockets.iter().map(Socket::key));
    }

    fn fold_details(
        &mut self,
        read: Vec<(SocketKey, TcpInfo)>,
        time: Time,
    ) -> Option<Arc<Observation>> {
        self.details.fold(read, time);
        self.accept_waits.apply_details(&self.details);
        let latest = self.latest.as_mut()?;
        let shown = Arc::make_mut(latest);
        shown.accept_waits = self.accept_waits.all().to_vec();
        shown.details = self.details.all().to_vec();
        if self.events.has_stale_timelines() {
            // Newly followed sockets need not wait for the next table.
            return self.publish_history();
        }
        Some(Arc::clone(latest))
    }

    /// The last observation with the ages that a reading of [`ReadingKind::Details`] bounds,
    /// which is not kept otherwise. With [`Self::fold`] they appear in the next table.
    pub fn learn_ages(&mut self, reading: Reading) -> Option<Arc<Observation>> {
        self.finish_table(Vec::new());
        let latest = self.latest.as_mut()?;
        if let ReadingKind::Details(read) = reading.kind {
            let mut details = Details::default();
            details.fold(read, reading.time);
            let find = |key: &SocketKey| latest.rows.get(self.ledger.row_of(key)?);
            self.ages.update(&details, find);
            Arc::make_mut(latest).unwatched = self.ages.all();
        }
        Some(Arc::clone(latest))
    }

    /// Returns the last observation with the events received since; none if
    /// there are none. The rows are the very same.
    pub fn with_new_events(&mut self) -> Option<Arc<Observation>> {
        if !self.events.has_new_events() {
            return None;
        }
        self.finish_table(Vec::new());
        self.publish_history()
    }

    fn publish_history(&mut self) -> Option<Arc<Observation>> {
        let latest = self.latest.as_mut()?;
        let shown = Arc::make_mut(latest);
        let ledger = &self.ledger;
        let find = |key: &SocketKey| shown.rows.get(ledger.row_of(key)?);
        let began = self.first_table.unwrap_or_default();
        shown.event_history = self.events.history(find, began);
        Some(Arc::clone(latest))
    }

    fn fold_usage(&mut self, usage: Vec<ProcessUsage>) -> Option<Arc<Observation>> {
        self.usage = usage;
        let latest = self.latest.as_mut()?;
        Arc::make_mut(latest).usage.clone_from(&self.usage);
        Some(Arc::clone(latest))
    }

    fn fold_table(&mut self, mut snapshot: Snapshot, time: Time) -> Option<Arc<Observation>> {
        let time = self.wall_clock.align(time);
        self.now = self.now.max(time.timestamp());
        let ids = self
            .interner
            .intern_table(std::mem::take(&mut snapshot.processes));
        ids.translate(&mut snapshot.holders);
        let listed_holders = snapshot.holders.len();
        let memory = memory_by_key(&mut snapshot);
        let openers = std::mem::take(&mut snapshot.openers);
        let openers = openers.rename(|place| Some(snapshot.sockets.get(place as usize)?.key()));
        let page = TableInput {
            sockets: std::mem::take(&mut snapshot.sockets),
            owners: std::mem::take(&mut snapshot.owners),
            holders: std::mem::take(&mut snapshot.holders),
            tcp_counters: std::mem::take(&mut snapshot.tcp_counters),
            monotonic_ms: time.monotonic_ms,
            source: snapshot.source,
            scope: TableScope::of(&snapshot),
            incomplete: snapshot.gaps.iter().any(|gap| {
                matches!(
                    gap.kind,
                    GapKind::DumpsInterrupted
                        | GapKind::TablesUnreadable
                        | GapKind::MessagesMalformed
                        | GapKind::NamespacesUnreadable
                )
            }),
        };
        let clock = self.timing();
        let buffer = self.row_pool.take();
        let turned = self
            .ledger
            .merge(page, self.latest.as_deref(), clock, buffer);
        let settled = turned.pending_lookups.is_empty();
        self.pending = Some(Box::new(PendingTable {
            time,
            snapshot,
            update: turned,
            listed_holders,
            memory,
            openers: Arc::new(openers),
        }));
        if settled {
            self.finish_table(Vec::new())
        } else {
            None
        }
    }

    /// Makes the observation of the last table if that waits for lookups;
    /// returns none if it does not.
    fn finish_table(
        &mut self,
        answers: Vec<(SocketKey, Option<Socket>)>,
    ) -> Option<Arc<Observation>> {
        let PendingTable {
            time,
            snapshot,
            update: mut turned,
            listed_holders,
            memory,
            openers,
        } = *self.pending.take()?;
        let moment = self.timing().marks;
        self.ledger.apply_lookups(&mut turned, answers, moment);
        let find = |key: &SocketKey| turned.rows.get(self.ledger.row_of(key)?);
        self.ages.update(&self.details, find);
        self.socket_buffer = std::mem::take(&mut turned.socket_buffer);
        // A holder carried over from the last table may hold nothing that is in
        // this one.
        for holder in turned.holders.iter().skip(listed_holders) {
            self.interner.mark_referenced(holder.process);
        }
        let stats = TableStats::of(&turned.rows);
        let hidden =
            no_owner::assign_no_owner_reasons(&mut turned.rows, &stats, snapshot.owner_search);
        self.remember_owners(&turned.rows, &stats.ownerless);
        self.new_socket_history.push(turned.new_sockets);
        let surplus =
            (self.state_count_history.len() + 1).saturating_sub(self.options.history_tables);
        self.state_count_history.drain(..surplus);
        self.state_count_history.push(stats.state_counts.clone());
        let trends = self.trends.fold(
            &stats.row_groups,
            &stats.state_counts,
            &turned.rows,
            &turned.holders,
            &self.interner,
            self.now,
        );
        let kernel = kernel_of(&snapshot);
        let began = *self.first_table.get_or_insert(self.now);
        self.accept_waits.fold(
            &turned.rows,
            &stats.ownerless,
            &stats.listeners,
            self.now,
            began,
        );
        self.accept_waits.apply_details(&self.details);
        let unanswered = stats.row_groups.unanswered_probes(&turned.rows);
        self.probe_spacings.fold(unanswered, time.monotonic_ms);
        self.choose_probed(&turned, &stats);
        self.events.fold_table(&turned, self.now, began);
        self.reset_on_scope_change(snapshot.scope);
        let (findings, muted) = self.detect(&mut turned, &stats, &kernel, &memory, &openers);
        let only = (snapshot.scope == NamespaceScope::Current && kernel.namespace != 0)
            .then_some(kernel.namespace);
        self.events.end_table(only);
        let blind = self.detection.inactive_rules(&kernel);
        let ledger = &self.ledger;
        let find = |key: &SocketKey| turned.rows.get(ledger.row_of(key)?);
        let chronicle = self.events.history(find, began);
        let mut gaps = snapshot.gaps;
        gaps.extend(no_owner::hidden_owners_gap(hidden, &gaps));
        let mut observation = Observation {
            time,
            table_number: self.latest.as_ref().map_or(1, |last| last.table_number + 1),
            host: snapshot.host,
            source: snapshot.source,
            rows: Arc::new(turned.rows),
            holders: turned.holders,
            processes: self.interner.processes().to_vec(),
            users: snapshot.users,
            interfaces: snapshot.interfaces,
            gone_interfaces: snapshot.gone_interfaces,
            namespace_addresses: snapshot.namespace_addresses,
            namespaces: snapshot.namespaces,
            listeners: stats.listeners.into_inner(),
            accept_waits: self.accept_waits.all().to_vec(),
            probe_spacings: self.probe_spacings.all(),
            state_counts: stats.state_counts,
            new_socket_history: self.new_socket_history.counts(),
            gaps,
            owner_search: snapshot.owner_search,
            findings,
            muted,
            inactive_rules: blind,
            usage: self.usage.clone(),
            tcp_metrics: Arc::new(turned.tcp_metrics),
            memory,
            openers,
            socket_units: snapshot.socket_units,
            details: self.details.all().to_vec(),
            unwatched: self.ages.all(),
            limits: snapshot.limits,
            state_count_history: self.state_count_history.clone(),
            event_history: chronicle,
            trends,
        };
        let clearing = self.options.thresholds.clearing;
        self.user_rules
            .evaluate(&mut observation, self.now, clearing);
        Some(self.publish(observation))
    }

    /// Chooses the connections whose `TCP_INFO` the rules ask for: those not
    /// yet accepted, those that their peers closed some time ago, those that
    /// programs have half-closed, and those whose data does not get through.
    fn choose_probed(&mut self, turned: &TableUpdate, stats: &TableStats) {
        let limits = &self.options.thresholds;
        let lasts = |row: &&Row, limit: Duration| {
            !row.saw_state_entry || row.state_since.age(self.now) >= limit / 2
        };
        let heads = self.accept_waits.heads();
        let heads = heads.filter_map(|key| {
            let number = self.ledger.row_of(key)?;
            turned.rows.get(number)
        });
        let closed = stats.row_groups.close_wait(&turned.rows);
        let closed = closed.filter(|row| lasts(row, limits.leak_age));
        let half_closed = stats.row_groups.transient(&turned.rows).filter(|row| {
            let held = row.socket.inode.is_some();
            held && row.socket.state == State::FinWait2 && lasts(row, limits.fin_wait_2_after)
        });
        // Only TCP_INFO reports why data waits in these: their marks need it
        // although they may not be on screen.
        let stuck = stats.row_groups.queued(&turned.rows).filter(|row| {
            let timer = row.socket.timer;
            timer.is_some_and(|timer| {
                timer.kind == TimerKind::ZeroWindowProbe || timer.retransmits > 1
            })
        });
        let rows = heads.chain(closed).chain(half_closed).chain(stuck);
        let sockets = rows.map(|row| row.socket);
        let sockets = sockets.filter(|socket| socket.is_connection() && socket.cookie.is_some());
        self.probed = sockets.take(MAX_PROBED).collect();
    }

    /// Drops the findings of another scope: they do not hold for this part of
    /// the machine.
    fn reset_on_scope_change(&mut self, scope: NamespaceScope) {
        let before = self.scope.replace(scope);
        if before.is_some_and(|before| before != scope) {
            self.detection = Detection::new(self.options.thresholds.clone());
            self.user_rules.reset(self.options.user_rules.clone());
        }
    }

    fn is_exempt(&self, finding: &Finding) -> bool {
        let staged = self.options.exempt_processes;
        match &finding.process {
            Some(process) => staged.iter().any(|name| process.name.as_str() == *name),
            // A socket that an exempt process has closed has no owner.
            None => !staged.is_empty(),
        }
    }

    /// Returns the findings to report, and the muted ones.
    fn detect(
        &mut self,
        turned: &mut TableUpdate,
        stats: &TableStats,
        kernel: &KernelStats,
        memory: &[MemoryEntry],
        openers: &Openers<SocketKey>,
    ) -> (Vec<Finding>, Vec<Finding>) {
        if !self.options.detection_enabled {
            return (Vec::new(), Vec::new());
        }
        let scene = TableContext {
            now: self.now,
            first_table: self.first_table.unwrap_or(self.now),
            rows: &turned.rows,
            changed: &turned.changed,
            holders: &turned.holders,
            interner: &self.interner,
            listeners: &stats.listeners,
            row_groups: &stats.row_groups,
            details: &self.details,
            accept_waits: self.accept_waits.all(),
            memory,
            kernel: *kernel,
            attempts: self.events.attempts(),
        };
        let mut found = self.detection.evaluate(&scene);
        found.retain(|finding| !self.is_exempt(finding));
        detect::name_openers(&mut found, &turned.rows, openers);
        let (told, muted) = self.user_rules.split_muted(found);
        detect::set_row_severities(turned, &self.interner, &told);
        (told, muted)
    }

    fn timing(&self) -> MergeTiming {
        MergeTiming {
            marks: MarkTiming {
                now: self.now,
                highlight_for: self.options.highlight_for,
            },
            keep_closed_for: self.options.keep_closed_for,
        }
    }

    fn remember_owners(&mut self, rows: &[Row], ownerless: &[u32]) {
        for number in ownerless {
            let row = rows.get(*number as usize);
            if let Some(owner) = row.and_then(|row| row.last_owner) {
                self.interner.mark_referenced(owner.process());
            }
        }
        self.interner.sweep();
    }

    fn publish(&mut self, observation: Observation) -> Arc<Observation> {
        let observation = Arc::new(observation);
        let last = self.latest.replace(Arc::clone(&observation));
        if let Some(last) = last {
            self.row_pool.recycle(&last.rows);
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
struct PendingTable {
    time: Time,
    /// Rest of the snapshot.
    snapshot: Snapshot,
    update: TableUpdate,
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
mod lookup_tests;
#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tracking_tests;
