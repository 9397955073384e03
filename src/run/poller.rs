//! The thread that reads the kernel and updates the monitor.
//!
//! It sleeps waiting for commands, so a command is handled at once and nothing
//! else wakes it.

use super::adaptive_interval::{self, AdaptiveInterval};
use super::screen::Event;
use super::slot::ObservationSlot;
use crate::app::message::Message;
use crate::model::mute::Mute;
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::model::refresh_mode::RefreshMode;
use crate::model::socket::Socket;
use crate::monitor::Monitor;
use crate::source::ReadingSource;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Command to the poller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PollerCommand {
    /// Read the table now.
    Refresh,
    /// Read it this often.
    SetRefreshMode(RefreshMode),
    /// Read these network namespaces, and do it now.
    SetScope(NamespaceScope),
    /// Read CPU and memory of this process with each table, once more.
    MeasureUsage(u32),
    /// Read `TCP_INFO` of these sockets now and with each table.
    Watch(Vec<Socket>),
    /// Read tables with or without TCP counters from now on; the first one now.
    IncludeTcpCounters(bool),
    /// Read events between the tables too, or no longer.
    StreamEvents(bool),
    /// Mute these findings, and no others; the table is read at once.
    Mute(Vec<Mute>),
}

/// Shortest time between reads of visible rows while the user scrolls.
const MIN_DETAIL_INTERVAL: Duration = Duration::from_millis(100);
/// Interval between reads of events while their page is open. The kernel's
/// buffers are emptied every 20 ms, so a change is on screen within a quarter
/// of a second.
const EVENTS_INTERVAL: Duration = Duration::from_millis(150);

struct Poller {
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    interval: AdaptiveInterval,
    slot: ObservationSlot,
    events: Sender<Event>,
    /// Process whose CPU and memory were requested since the last table.
    usage_requested: Option<u32>,
    /// Process whose usage was read last.
    usage_read: Option<u32>,
    /// Sockets on screen.
    visible: Vec<Socket>,
    /// Time of their last read.
    details_read_at: Option<Instant>,
    /// True if they have changed since.
    details_stale: bool,
    /// Time of the last reading of events, while their page is open.
    events_read_at: Option<Instant>,
}

/// Starts the thread. It ends when the sender of commands is dropped.
pub(super) fn start(
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    pace: RefreshMode,
    slot: ObservationSlot,
    events: Sender<Event>,
) -> io::Result<Sender<PollerCommand>> {
    let (orders, ordered) = channel();
    let mut poller = Poller {
        source,
        monitor,
        interval: AdaptiveInterval::new(pace),
        slot,
        events,
        usage_requested: None,
        usage_read: None,
        visible: Vec::new(),
        details_read_at: None,
        details_stale: false,
        events_read_at: None,
    };
    thread::Builder::new()
        .name("poller".to_owned())
        .spawn(move || poller.run(&ordered))?;
    Ok(orders)
}

impl Poller {
    fn run(&mut self, orders: &Receiver<PollerCommand>) {
        // Rules may need it, whatever the screen shows.
        if self.monitor.uses_tcp_metrics() {
            self.source.include_tcp_counters(true);
        }
        // If it fails, the complete table fails too, which is reported.
        if let Ok(Some(reading)) = self.source.read_without_owners() {
            let observation = self.monitor.fold(reading);
            self.source.recycle(self.monitor.take_socket_buffer());
            self.publish(observation);
        }
        loop {
            #[cfg(debug_assertions)]
            super::terminal::panic_if_requested("poller");
            let began = Instant::now();
            self.update_interval();
            self.poll();
            self.interval.end_table(adaptive_interval::cpu_time());
            if !self.handle_commands_until(began, orders) {
                break;
            }
        }
    }

    fn poll(&mut self) {
        // First, so that an end is known before its row is removed.
        self.read_events();
        match self.source.read_table() {
            Ok(reading) => {
                let mut observation = self.monitor.fold(reading);
                let unsettled = self.monitor.pending_lookups();
                if !unsettled.is_empty() {
                    // "Closed" must be sure: a table may leave out a socket.
                    let answers = self.source.look_up(unsettled);
                    observation = self.monitor.fold(answers);
                }
                self.source.recycle(self.monitor.take_socket_buffer());
                if !self.visible.is_empty() || !self.monitor.probed().is_empty() {
                    // Dropped before the next reading: an observation with a
                    // single owner is not copied. One frame shows both.
                    drop(observation.take());
                    observation = self.read_details();
                }
                self.publish(observation);
                if let Some(pid) = self.usage_requested.take() {
                    self.read_usage(pid);
                }
            }
            Err(error) => {
                let failed = Message::ReadingFailed(error.to_string());
                let _ = self.events.send(Event::Message(Box::new(failed)));
            }
        }
    }

    fn read_events(&mut self) {
        if let Some(events) = self.source.read_events() {
            self.monitor.fold(events);
        }
        self.events_read_at = self.events_read_at.map(|_| Instant::now());
    }

    /// Shows the events that came since they were read last.
    fn stream_events(&mut self) {
        self.read_events();
        let observation = self.monitor.with_new_events();
        self.publish(observation);
    }

    /// Notifies the screen when the interval changes by itself.
    fn update_interval(&mut self) {
        if self.interval.begin_table(adaptive_interval::cpu_time()) {
            self.report_interval();
        }
    }

    fn report_interval(&self) {
        let paced =
            Message::IntervalChanged(self.interval.interval(), self.interval.slowing_cost());
        let _ = self.events.send(Event::Message(Box::new(paced)));
    }

    /// Reads the TCP counters of the connections on screen, and of those that
    /// rules need.
    fn read_details(&mut self) -> Option<Arc<Observation>> {
        self.details_read_at = Some(Instant::now());
        self.details_stale = false;
        let mut sockets = self.visible.clone();
        sockets.extend_from_slice(self.monitor.probed());
        let reading = self.source.read_details(&sockets);
        self.monitor.fold(reading)
    }

    /// Returns the wait until the visible rows may be read again, if needed:
    /// short if they have changed, else a second.
    fn next_detail_read(&self) -> Option<Duration> {
        let timeout = if self.details_stale {
            MIN_DETAIL_INTERVAL
        } else {
            RefreshMode::MIN_ADAPTIVE_INTERVAL
        };
        let since = self
            .details_read_at
            .map_or(timeout, |looked| looked.elapsed());
        (!self.visible.is_empty()).then(|| timeout.saturating_sub(since))
    }

    /// Time until events are due, while their page is open.
    fn next_event_read(&self) -> Option<Duration> {
        let streamed = self.events_read_at?;
        Some(EVENTS_INTERVAL.saturating_sub(streamed.elapsed()))
    }

    fn read_usage(&mut self, pid: u32) {
        self.usage_read = Some(pid);
        let reading = self.source.read_usage(&[pid]);
        let observation = self.monitor.fold(reading);
        self.publish(observation);
    }

    /// The receiver is dropped only when the program ends.
    fn publish(&self, observation: Option<Arc<Observation>>) {
        if let Some(observation) = observation
            && self.slot.put(observation)
        {
            let _ = self.events.send(Event::Observed);
        }
    }

    /// Handles commands until the next table is due. Returns false to end the
    /// thread.
    fn handle_commands_until(&mut self, began: Instant, orders: &Receiver<PollerCommand>) -> bool {
        loop {
            let left = self.interval.interval().saturating_sub(began.elapsed());
            let glance = self.next_detail_read().filter(|glance| *glance < left);
            let events = self.next_event_read().filter(|events| *events < left);
            let nearest = [glance, events].into_iter().flatten().min();
            match orders.recv_timeout(nearest.unwrap_or(left)) {
                Err(RecvTimeoutError::Timeout) if events.is_some() && events == nearest => {
                    self.stream_events();
                }
                Err(RecvTimeoutError::Timeout) if glance.is_some() => {
                    let observation = self.read_details();
                    self.publish(observation);
                }
                Err(RecvTimeoutError::Timeout) | Ok(PollerCommand::Refresh) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
                Ok(PollerCommand::SetScope(scope)) => {
                    self.source.set_scope(scope);
                    self.interval.reset();
                    return true;
                }
                Ok(PollerCommand::Watch(sockets)) => {
                    self.monitor.set_followed(&sockets);
                    // Ended connections, and those hardly begun, have no details.
                    let mut readable = sockets;
                    readable.retain(|socket| socket.is_connection() && socket.cookie.is_some());
                    let keys = |some: &[Socket]| some.iter().map(Socket::key).collect::<Vec<_>>();
                    self.details_stale |= keys(&readable) != keys(&self.visible);
                    self.visible = readable;
                }
                Ok(PollerCommand::IncludeTcpCounters(wanted)) => {
                    self.source
                        .include_tcp_counters(wanted || self.monitor.uses_tcp_metrics());
                    // Unwanted counters disappear with the next table.
                    if wanted {
                        return true;
                    }
                }
                Ok(PollerCommand::StreamEvents(wanted)) => {
                    self.events_read_at = wanted.then(Instant::now);
                    if wanted {
                        self.stream_events();
                    }
                }
                Ok(PollerCommand::Mute(mutes)) => {
                    self.monitor.set_mutes(mutes);
                    return true;
                }
                Ok(PollerCommand::SetRefreshMode(pace)) => {
                    self.interval.set_mode(pace);
                    self.report_interval();
                }
                Ok(PollerCommand::MeasureUsage(pid)) => {
                    self.usage_requested = Some(pid);
                    if self.usage_read != Some(pid) {
                        self.read_usage(pid);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::event::{EventSource, Events, StateChange};
    use crate::model::protocol::{IpFamily, Protocol};
    use crate::model::reading::{Reading, ReadingKind, Snapshot};
    use crate::model::state::State;
    use crate::model::time::Time;
    use crate::monitor::MonitorOptions;
    use crate::source::SourceError;
    use std::num::NonZeroU64;

    /// Call of the source.
    #[derive(Debug, PartialEq, Eq)]
    enum SourceCall {
        Table,
        Details(usize),
        LookUp(usize),
        Flows(bool),
        Events,
    }

    /// A source that records its calls, and whose tables have one socket fewer
    /// each.
    struct RecordingSource {
        asked: Sender<SourceCall>,
        left: u64,
        has_events: bool,
    }

    impl RecordingSource {
        fn answer(&self, asked: SourceCall, matter: ReadingKind) -> Reading {
            let _ = self.asked.send(asked);
            Reading {
                time: Time::default(),
                kind: matter,
            }
        }
    }

    impl ReadingSource for RecordingSource {
        fn read_table(&mut self) -> Result<Reading, SourceError> {
            let sockets = (1..=self.left).map(connection).collect();
            self.left = self.left.saturating_sub(1);
            let snapshot = Snapshot {
                sockets,
                ..Snapshot::default()
            };
            Ok(self.answer(SourceCall::Table, ReadingKind::Table(Box::new(snapshot))))
        }

        fn set_scope(&mut self, _: NamespaceScope) {}

        fn read_usage(&mut self, _: &[u32]) -> Reading {
            panic!("nobody asks for usage")
        }

        fn read_details(&mut self, sockets: &[Socket]) -> Reading {
            let asked = SourceCall::Details(sockets.len());
            self.answer(asked, ReadingKind::Details(Vec::new()))
        }

        fn look_up(&mut self, sockets: &[Socket]) -> Reading {
            let there = sockets.iter().map(|socket| (socket.key(), Some(*socket)));
            let matter = ReadingKind::Lookups(there.collect());
            self.answer(SourceCall::LookUp(sockets.len()), matter)
        }

        fn include_tcp_counters(&mut self, wanted: bool) {
            let _ = self.asked.send(SourceCall::Flows(wanted));
        }

        fn read_events(&mut self) -> Option<Reading> {
            let asked = self.has_events.then_some(SourceCall::Events)?;
            let change = StateChange {
                at_us: 1,
                socket: 1,
                local: Endpoint::new([192, 0, 2, 1].into(), 80),
                remote: Endpoint::new([192, 0, 2, 1].into(), 81),
                family: IpFamily::Inet,
                from: State::Closed,
                to: State::SynSent,
                in_interrupt: false,
                process: None,
            };
            let events = Events {
                source: EventSource::StateChanges,
                changes: vec![change],
                ..Events::default()
            };
            Some(self.answer(asked, ReadingKind::Events(Box::new(events))))
        }
    }

    fn connection(number: u64) -> Socket {
        let end = |port| Endpoint::new([192, 0, 2, 1].into(), port);
        Socket {
            cookie: NonZeroU64::new(number),
            local: end(80),
            remote: end(u16::try_from(number).unwrap()),
            inode: None,
            uid: 0,
            interface: 0,
            recv_queue: 0,
            send_queue: 0,
            namespace: 1,
            timer: None,
            protocol: Protocol::Tcp,
            socket_family: IpFamily::Inet.into(),
            state: State::Established,
        }
    }

    #[test]
    fn what_is_on_screen_is_read_at_once_and_with_each_table() {
        let (asked, heard) = channel();
        let (events, _screen) = channel();
        let source = Box::new(RecordingSource {
            asked,
            left: 3,
            has_events: false,
        });
        let monitor = Monitor::new(MonitorOptions {
            lookup_budget: 8,
            ..MonitorOptions::default()
        });
        let slot = ObservationSlot::default();
        let rarely = RefreshMode::Fixed(Duration::from_hours(1));
        let orders = start(source, monitor, rarely, slot.clone(), events).unwrap();
        // Visible rows may be read again in between at any time.
        let until = |wanted: SourceCall| loop {
            let asked = heard.recv_timeout(Duration::from_mins(1)).unwrap();
            if asked == wanted {
                break;
            }
            assert!(matches!(asked, SourceCall::Details(_)), "{asked:?}");
        };
        until(SourceCall::Table);

        orders
            .send(PollerCommand::Watch(vec![connection(1)]))
            .unwrap();
        until(SourceCall::Details(1));
        // Of commands that arrive faster than they are handled, the last
        // counts.
        orders
            .send(PollerCommand::Watch(vec![connection(2); 2]))
            .unwrap();
        orders
            .send(PollerCommand::Watch(vec![connection(3); 3]))
            .unwrap();
        until(SourceCall::Details(3));
        // The second table lacks one socket, which is looked up before the
        // observation is published.
        orders.send(PollerCommand::Refresh).unwrap();
        until(SourceCall::Table);
        until(SourceCall::LookUp(1));
        until(SourceCall::Details(3));

        orders
            .send(PollerCommand::IncludeTcpCounters(true))
            .unwrap();
        until(SourceCall::Flows(true));
        until(SourceCall::Table);
        until(SourceCall::LookUp(2));
        until(SourceCall::Details(3));
        orders
            .send(PollerCommand::IncludeTcpCounters(false))
            .unwrap();
        until(SourceCall::Flows(false));
        // No table for that, and the thread ends.
        drop(orders);
        assert!(heard.iter().all(|asked| asked == SourceCall::Details(3)));
        let seen = slot.take().unwrap();
        assert_eq!((seen.table_number, seen.rows.len()), (3, 3));
    }

    #[test]
    fn events_come_between_tables_while_their_page_is_open() {
        let (asked, heard) = channel();
        let (events, screen) = channel();
        let source = Box::new(RecordingSource {
            asked,
            left: 3,
            has_events: true,
        });
        let slot = ObservationSlot::default();
        let rarely = RefreshMode::Fixed(Duration::from_hours(1));
        let monitor = Monitor::new(MonitorOptions::default());
        let orders = start(source, monitor, rarely, slot.clone(), events).unwrap();
        let timeout = Duration::from_mins(1);
        let next = || heard.recv_timeout(timeout).unwrap();
        assert_eq!((next(), next()), (SourceCall::Events, SourceCall::Table));
        assert!(matches!(screen.recv_timeout(timeout), Ok(Event::Observed)));
        slot.take();
        orders.send(PollerCommand::StreamEvents(true)).unwrap();
        // At once, and then again and again.
        for number in 2..5 {
            assert_eq!(next(), SourceCall::Events);
            assert!(matches!(screen.recv_timeout(timeout), Ok(Event::Observed)));
            let seen = slot.take().unwrap();
            assert_eq!(
                (seen.table_number, seen.event_history.events.len()),
                (1, number)
            );
        }
        assert!(EVENTS_INTERVAL + Duration::from_millis(50) < Duration::from_millis(250));
        orders.send(PollerCommand::StreamEvents(false)).unwrap();
        orders.send(PollerCommand::Refresh).unwrap();
        drop(orders);
        let rest: Vec<SourceCall> = heard.iter().collect();
        assert!(
            rest.ends_with(&[SourceCall::Events, SourceCall::Table]),
            "{rest:?}"
        );
    }
}
