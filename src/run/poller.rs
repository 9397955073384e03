//! The thread that reads the kernel and updates the monitor.
//!
//! It sleeps waiting for commands, so a command is handled at once and nothing
//! else wakes it.

use super::pace::{self, Pacer};
use super::screen::Event;
use super::slot::Slot;
use crate::app::message::Message;
use crate::model::mute::Mute;
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::model::pace::Pace;
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
pub(super) enum Order {
    /// Read the table now.
    Refresh,
    /// Read it this often.
    Pace(Pace),
    /// Read these network namespaces, and do it now.
    Scope(Scope),
    /// Read CPU and memory of this process with each table, once more.
    Usage(u32),
    /// Read `TCP_INFO` of these sockets now and with each table.
    Watch(Vec<Socket>),
    /// Read tables with or without TCP counters from now on; the first one now.
    IncludeFlows(bool),
    /// Read events between the tables too, or no longer.
    StreamEvents(bool),
    /// Mute these findings, and no others; the table is read at once.
    Mute(Vec<Mute>),
}

/// Shortest time between reads of visible rows while the user scrolls.
const GLANCE: Duration = Duration::from_millis(100);
/// Interval between reads of events while their page is open. The kernel's
/// buffers are emptied every 20 ms, so a change is on screen within a quarter
/// of a second.
const EVENTS_INTERVAL: Duration = Duration::from_millis(150);

struct Poller {
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    pacer: Pacer,
    slot: Slot,
    events: Sender<Event>,
    /// Process whose CPU and memory were requested since the last table.
    wanted: Option<u32>,
    /// Process whose usage was read last.
    measured: Option<u32>,
    /// Sockets on screen.
    watched: Vec<Socket>,
    /// Time of their last read.
    looked: Option<Instant>,
    /// True if they have changed since.
    unseen: bool,
    /// Time of the last reading of events, while their page is open.
    streamed: Option<Instant>,
}

/// Starts the thread. It ends when the sender of commands is dropped.
pub(super) fn start(
    source: Box<dyn ReadingSource>,
    monitor: Monitor,
    pace: Pace,
    slot: Slot,
    events: Sender<Event>,
) -> io::Result<Sender<Order>> {
    let (orders, ordered) = channel();
    let mut poller = Poller {
        source,
        monitor,
        pacer: Pacer::new(pace),
        slot,
        events,
        wanted: None,
        measured: None,
        watched: Vec::new(),
        looked: None,
        unseen: false,
        streamed: None,
    };
    thread::Builder::new()
        .name("poller".to_owned())
        .spawn(move || poller.run(&ordered))?;
    Ok(orders)
}

impl Poller {
    fn run(&mut self, orders: &Receiver<Order>) {
        // Rules may need it, whatever the screen shows.
        if self.monitor.needs_flows() {
            self.source.include_flows(true);
        }
        // If it fails, the complete table fails too, which is reported.
        if let Ok(Some(reading)) = self.source.read_first() {
            let observation = self.monitor.fold(reading);
            self.source.reuse(self.monitor.take_spent());
            self.hand_over(observation);
        }
        loop {
            #[cfg(debug_assertions)]
            super::terminal::panic_if_asked("poller");
            let began = Instant::now();
            self.keep_pace();
            self.poll();
            self.pacer.end_table(pace::processor_time());
            if !self.obey_until(began, orders) {
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
                let unsettled = self.monitor.unsettled();
                if !unsettled.is_empty() {
                    // "Closed" must be sure: a table may leave out a socket.
                    let answers = self.source.look_up(unsettled);
                    observation = self.monitor.fold(answers);
                }
                self.source.reuse(self.monitor.take_spent());
                if !self.watched.is_empty() || !self.monitor.probed().is_empty() {
                    // Dropped before the next reading: an observation with a
                    // single owner is not copied. One frame shows both.
                    drop(observation.take());
                    observation = self.look_closer();
                }
                self.hand_over(observation);
                if let Some(pid) = self.wanted.take() {
                    self.measure(pid);
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
        self.streamed = self.streamed.map(|_| Instant::now());
    }

    /// Shows the events that came since they were read last.
    fn stream_events(&mut self) {
        self.read_events();
        let observation = self.monitor.with_new_events();
        self.hand_over(observation);
    }

    /// Notifies the screen when the interval changes by itself.
    fn keep_pace(&mut self) {
        if self.pacer.begin_table(pace::processor_time()) {
            self.tell_interval();
        }
    }

    fn tell_interval(&self) {
        let paced = Message::Paced(self.pacer.interval(), self.pacer.slowed_by());
        let _ = self.events.send(Event::Message(Box::new(paced)));
    }

    /// Reads the TCP counters of the connections on screen, and of those that
    /// rules need.
    fn look_closer(&mut self) -> Option<Arc<Observation>> {
        self.looked = Some(Instant::now());
        self.unseen = false;
        let mut sockets = self.watched.clone();
        sockets.extend_from_slice(self.monitor.probed());
        let reading = self.source.read_details(&sockets);
        self.monitor.fold(reading)
    }

    /// Returns the wait until the visible rows may be read again, if needed:
    /// short if they have changed, else a second.
    fn until_glance(&self) -> Option<Duration> {
        let patience = if self.unseen { GLANCE } else { Pace::QUICKEST };
        let since = self.looked.map_or(patience, |looked| looked.elapsed());
        (!self.watched.is_empty()).then(|| patience.saturating_sub(since))
    }

    /// Time until events are due, while their page is open.
    fn until_events(&self) -> Option<Duration> {
        let streamed = self.streamed?;
        Some(EVENTS_INTERVAL.saturating_sub(streamed.elapsed()))
    }

    fn measure(&mut self, pid: u32) {
        self.measured = Some(pid);
        let reading = self.source.read_usage(&[pid]);
        let observation = self.monitor.fold(reading);
        self.hand_over(observation);
    }

    /// The receiver is dropped only when the program ends.
    fn hand_over(&self, observation: Option<Arc<Observation>>) {
        if let Some(observation) = observation
            && self.slot.put(observation)
        {
            let _ = self.events.send(Event::Observed);
        }
    }

    /// Handles commands until the next table is due. Returns false to end the
    /// thread.
    fn obey_until(&mut self, began: Instant, orders: &Receiver<Order>) -> bool {
        loop {
            let left = self.pacer.interval().saturating_sub(began.elapsed());
            let glance = self.until_glance().filter(|glance| *glance < left);
            let events = self.until_events().filter(|events| *events < left);
            let nearest = [glance, events].into_iter().flatten().min();
            match orders.recv_timeout(nearest.unwrap_or(left)) {
                Err(RecvTimeoutError::Timeout) if events.is_some() && events == nearest => {
                    self.stream_events();
                }
                Err(RecvTimeoutError::Timeout) if glance.is_some() => {
                    let observation = self.look_closer();
                    self.hand_over(observation);
                }
                Err(RecvTimeoutError::Timeout) | Ok(Order::Refresh) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
                Ok(Order::Scope(scope)) => {
                    self.source.set_scope(scope);
                    self.pacer.expect_others();
                    return true;
                }
                Ok(Order::Watch(sockets)) => {
                    self.monitor.follow(&sockets);
                    // Ended connections, and those hardly begun, have no details.
                    let mut readable = sockets;
                    readable.retain(|socket| socket.is_connection() && socket.cookie.is_some());
                    let keys = |some: &[Socket]| some.iter().map(Socket::key).collect::<Vec<_>>();
                    self.unseen |= keys(&readable) != keys(&self.watched);
                    self.watched = readable;
                }
                Ok(Order::IncludeFlows(wanted)) => {
                    self.source
                        .include_flows(wanted || self.monitor.needs_flows());
                    // Unwanted counters disappear with the next table.
                    if wanted {
                        return true;
                    }
                }
                Ok(Order::StreamEvents(wanted)) => {
                    self.streamed = wanted.then(Instant::now);
                    if wanted {
                        self.stream_events();
                    }
                }
                Ok(Order::Mute(mutes)) => {
                    self.monitor.set_mutes(mutes);
                    return true;
                }
                Ok(Order::Pace(pace)) => {
                    self.pacer.choose(pace);
                    self.tell_interval();
                }
                Ok(Order::Usage(pid)) => {
                    self.wanted = Some(pid);
                    if self.measured != Some(pid) {
                        self.measure(pid);
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
    use crate::model::event::{Change, Events, Feed};
    use crate::model::protocol::{Family, Protocol};
    use crate::model::reading::{Matter, Reading, Snapshot};
    use crate::model::state::State;
    use crate::model::time::Time;
    use crate::monitor::MonitorOptions;
    use crate::source::SourceError;
    use std::num::NonZeroU64;

    /// Call of the source.
    #[derive(Debug, PartialEq, Eq)]
    enum Asked {
        Table,
        Details(usize),
        LookUp(usize),
        Flows(bool),
        Events,
    }

    /// A source that records its calls, and whose tables have one socket fewer
    /// each.
    struct Telltale {
        asked: Sender<Asked>,
        left: u64,
        telling_events: bool,
    }

    impl Telltale {
        fn say(&self, asked: Asked, matter: Matter) -> Reading {
            let _ = self.asked.send(asked);
            Reading {
                time: Time::default(),
                matter,
            }
        }
    }

    impl ReadingSource for Telltale {
        fn read_table(&mut self) -> Result<Reading, SourceError> {
            let sockets = (1..=self.left).map(connection).collect();
            self.left = self.left.saturating_sub(1);
            let snapshot = Snapshot {
                sockets,
                ..Snapshot::default()
            };
            Ok(self.say(Asked::Table, Matter::Table(Box::new(snapshot))))
        }

        fn set_scope(&mut self, _: Scope) {}

        fn read_usage(&mut self, _: &[u32]) -> Reading {
            panic!("nobody asks for usage")
        }

        fn read_details(&mut self, sockets: &[Socket]) -> Reading {
            let asked = Asked::Details(sockets.len());
            self.say(asked, Matter::Details(Vec::new()))
        }

        fn look_up(&mut self, sockets: &[Socket]) -> Reading {
            let there = sockets.iter().map(|socket| (socket.key(), Some(*socket)));
            let matter = Matter::Absences(there.collect());
            self.say(Asked::LookUp(sockets.len()), matter)
        }

        fn include_flows(&mut self, wanted: bool) {
            let _ = self.asked.send(Asked::Flows(wanted));
        }

        fn read_events(&mut self) -> Option<Reading> {
            let asked = self.telling_events.then_some(Asked::Events)?;
            let change = Change {
                at_us: 1,
                socket: 1,
                local: Endpoint::new([192, 0, 2, 1].into(), 80),
                remote: Endpoint::new([192, 0, 2, 1].into(), 81),
                family: Family::Inet,
                from: State::Closed,
                to: State::SynSent,
                interrupt: false,
                caller: None,
            };
            let events = Events {
                feed: Feed::Changes,
                changes: vec![change],
                ..Events::default()
            };
            Some(self.say(asked, Matter::Events(Box::new(events))))
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
            opened: Family::Inet.into(),
            state: State::Established,
        }
    }

    #[test]
    fn what_is_on_screen_is_read_at_once_and_with_each_table() {
        let (asked, heard) = channel();
        let (events, _screen) = channel();
        let source = Box::new(Telltale {
            asked,
            left: 3,
            telling_events: false,
        });
        let monitor = Monitor::new(MonitorOptions {
            settled: 8,
            ..MonitorOptions::default()
        });
        let slot = Slot::default();
        let rarely = Pace::Fixed(Duration::from_hours(1));
        let orders = start(source, monitor, rarely, slot.clone(), events).unwrap();
        // Visible rows may be read again in between at any time.
        let until = |wanted: Asked| loop {
            let asked = heard.recv_timeout(Duration::from_mins(1)).unwrap();
            if asked == wanted {
                break;
            }
            assert!(matches!(asked, Asked::Details(_)), "{asked:?}");
        };
        until(Asked::Table);

        orders.send(Order::Watch(vec![connection(1)])).unwrap();
        until(Asked::Details(1));
        // Of commands that arrive faster than they are handled, the last
        // counts.
        orders.send(Order::Watch(vec![connection(2); 2])).unwrap();
        orders.send(Order::Watch(vec![connection(3); 3])).unwrap();
        until(Asked::Details(3));
        // The second table lacks one socket, which is looked up before the
        // observation is published.
        orders.send(Order::Refresh).unwrap();
        until(Asked::Table);
        until(Asked::LookUp(1));
        until(Asked::Details(3));

        orders.send(Order::IncludeFlows(true)).unwrap();
        until(Asked::Flows(true));
        until(Asked::Table);
        until(Asked::LookUp(2));
        until(Asked::Details(3));
        orders.send(Order::IncludeFlows(false)).unwrap();
        until(Asked::Flows(false));
        // No table for that, and the thread ends.
        drop(orders);
        assert!(heard.iter().all(|asked| asked == Asked::Details(3)));
        let seen = slot.take().unwrap();
        assert_eq!((seen.number, seen.rows.len()), (3, 3));
    }

    #[test]
    fn events_come_between_tables_while_their_page_is_open() {
        let (asked, heard) = channel();
        let (events, screen) = channel();
        let source = Box::new(Telltale {
            asked,
            left: 3,
            telling_events: true,
        });
        let slot = Slot::default();
        let rarely = Pace::Fixed(Duration::from_hours(1));
        let monitor = Monitor::new(MonitorOptions::default());
        let orders = start(source, monitor, rarely, slot.clone(), events).unwrap();
        let patience = Duration::from_mins(1);
        let next = || heard.recv_timeout(patience).unwrap();
        assert_eq!((next(), next()), (Asked::Events, Asked::Table));
        assert!(matches!(screen.recv_timeout(patience), Ok(Event::Observed)));
        slot.take();
        orders.send(Order::StreamEvents(true)).unwrap();
        // At once, and then again and again.
        for number in 2..5 {
            assert_eq!(next(), Asked::Events);
            assert!(matches!(screen.recv_timeout(patience), Ok(Event::Observed)));
            let seen = slot.take().unwrap();
            assert_eq!((seen.number, seen.chronicle.stream.len()), (1, number));
        }
        assert!(EVENTS_INTERVAL + Duration::from_millis(50) < Duration::from_millis(250));
        orders.send(Order::StreamEvents(false)).unwrap();
        orders.send(Order::Refresh).unwrap();
        drop(orders);
        let rest: Vec<Asked> = heard.iter().collect();
        assert!(rest.ends_with(&[Asked::Events, Asked::Table]), "{rest:?}");
    }
}
