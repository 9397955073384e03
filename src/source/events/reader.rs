//! The thread that reads events, and its buffers.
//!
//! It waits in the kernel while nothing happens, so an idle machine costs
//! nothing. Once something does, it reads in turns of some milliseconds: one
//! wake-up for many events.

use super::destroyed::DestroyListener;
use super::instance::{SharedInstance, TraceLayout};
use super::ring_buffer::RingPage;
use super::state_change;
use super::thread_resolver::ThreadResolver;
use crate::model::event::{SocketDestroyed, StateChange};
use rustix::event::epoll;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};
use rustix::time::{ClockId, clock_gettime};
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Interval between two polls: the buffers hold three times as much at the
/// highest rate that was measured.
const POLL_INTERVAL_NS: u32 = 20_000_000;
/// Poll interval with a small receive buffer.
const SMALL_BUFFER_POLL_INTERVAL_NS: u32 = 2_000_000;
/// Largest number of changes kept between two tables, 80 bytes each; further
/// ones are lost.
const MAX_CHANGES: usize = 1_000_000;
/// Largest number of destroyed sockets kept, which are ten times as large.
const MAX_DESTROYED: usize = 50_000;
/// Largest number of pages read of each processor at a time: 16 MiB.
const MAX_PAGES: usize = 4096;

/// State shared by the thread and its consumers.
pub(super) struct SharedState {
    trace: Option<ActiveTrace>,
    buffers: Mutex<EventBuffers>,
    epoll: OwnedFd,
    /// Written to once, to stop the thread.
    stop_fd: OwnedFd,
    is_stopped: AtomicBool,
    /// CPU time used by the thread so far, in nanoseconds.
    used_ns: AtomicU64,
    /// The time of the clock from which all times are counted.
    origin_ns: u64,
}

/// A trace, and how to read it.
pub(super) struct ActiveTrace {
    pub(super) instance: SharedInstance,
    pub(super) layout: TraceLayout,
    pub(super) resolver: Mutex<ThreadResolver>,
}

/// Events that were read and not yet drained.
#[derive(Default)]
pub(super) struct EventBuffers {
    pub(super) changes: Vec<StateChange>,
    /// Changes that may be preceded by ones still unread on another processor.
    unordered: Vec<StateChange>,
    pub(super) destroyed_sockets: Vec<SocketDestroyed>,
    /// Number of changes lost because the buffer was full.
    pub(super) lost_changes: u64,
    /// Number of destroyed sockets lost here or in the kernel.
    pub(super) lost_destroyed: u64,
    destroy_listener: Option<DestroyListener>,
    page: Vec<u8>,
}

impl EventBuffers {
    /// Drains everything up to now, in the order of time.
    fn drain(&mut self) -> EventBatch {
        let mut changes = mem::take(&mut self.changes);
        // Long runs are in order already.
        changes.sort_by_key(|change| change.at_us);
        // The next turn will be as large as the last.
        self.changes.reserve(changes.len().min(MAX_CHANGES / 8));
        let endings = mem::take(&mut self.destroyed_sockets);
        EventBatch {
            changes,
            destroyed_sockets: endings,
            lost_changes: mem::take(&mut self.lost_changes),
            lost_destroyed: mem::take(&mut self.lost_destroyed),
        }
    }

    fn read_destroyed(&mut self, at_us: u64) -> bool {
        let Some(destroyed) = &mut self.destroy_listener else {
            return false;
        };
        let heard = destroyed.read(at_us, MAX_DESTROYED);
        let came = !heard.sockets.is_empty();
        self.lost_destroyed += heard.losses;
        self.destroyed_sockets.extend(heard.sockets);
        // The latest destroyed sockets are the most useful.
        let surplus = self.destroyed_sockets.len().saturating_sub(MAX_DESTROYED);
        self.destroyed_sockets.drain(..surplus);
        self.lost_destroyed += surplus as u64;
        came
    }

    /// Moves the changes that are complete up to a time.
    fn flush_until(&mut self, until_us: u64) {
        let Self {
            unordered: fresh,
            changes,
            ..
        } = self;
        let room = MAX_CHANGES.saturating_sub(changes.len());
        let before = changes.len();
        changes.extend(
            fresh
                .extract_if(.., |change| change.at_us <= until_us)
                .take(room),
        );
        if changes.len() - before == room {
            let lost = fresh.extract_if(.., |change| change.at_us <= until_us);
            self.lost_changes += lost.count() as u64;
        }
    }
}

/// Events since the last drain.
pub(super) struct EventBatch {
    pub(super) changes: Vec<StateChange>,
    pub(super) destroyed_sockets: Vec<SocketDestroyed>,
    pub(super) lost_changes: u64,
    pub(super) lost_destroyed: u64,
}

/// The thread and its shared state.
pub(super) struct EventReader {
    pub(super) shared: Arc<SharedState>,
    thread: Option<JoinHandle<()>>,
}

impl EventReader {
    /// Starts the thread.
    pub(super) fn start(
        trace: Option<ActiveTrace>,
        destroyed: Option<DestroyListener>,
        origin_ns: u64,
    ) -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let data = || epoll::EventData::new_u64(0);
        epoll::add(&epoll, &end, data(), epoll::EventFlags::IN)?;
        if let Some(destroyed) = &destroyed {
            epoll::add(&epoll, destroyed, data(), epoll::EventFlags::IN)?;
        }
        if let Some(trace) = &trace {
            // They leave by themselves when the instance ends.
            for pipe in lock_ignoring_poison(&trace.instance)
                .iter()
                .flat_map(|held| &held.pipes)
            {
                epoll::add(&epoll, pipe, data(), epoll::EventFlags::IN)?;
            }
        }
        let page = trace.as_ref().map_or(0, |trace| trace.layout.page_len);
        let shared = Arc::new(SharedState {
            trace,
            buffers: Mutex::new(EventBuffers {
                destroy_listener: destroyed,
                page: vec![0; page],
                ..EventBuffers::default()
            }),
            epoll,
            stop_fd: end,
            is_stopped: AtomicBool::new(false),
            used_ns: AtomicU64::new(0),
            origin_ns,
        });
        let thread = thread::Builder::new().name("events".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        });
        let thread =
            thread.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        let _ = write(&self.shared.stop_fd, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.stop_trace();
    }
}

impl SharedState {
    fn run(&self) {
        while !self.is_stopped.load(Ordering::SeqCst) {
            self.wait_for_events();
            while !self.is_stopped.load(Ordering::SeqCst) && self.read_available() {
                self.used_ns
                    .store(clock_ns(ClockId::ThreadCPUTime), Ordering::Relaxed);
                self.wait_for_next_poll();
            }
            self.used_ns
                .store(clock_ns(ClockId::ThreadCPUTime), Ordering::Relaxed);
        }
    }

    /// Waits for an event or the stop.
    fn wait_for_events(&self) {
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 1];
        match epoll::wait(&self.epoll, &mut events, None) {
            Ok(_) | Err(Errno::INTR) => {}
            // A thread that cannot wait must not spin.
            Err(_) => self.is_stopped.store(true, Ordering::SeqCst),
        }
    }

    /// Waits for the next poll.
    fn wait_for_next_poll(&self) {
        let narrow = self
            .buffers()
            .destroy_listener
            .as_ref()
            .is_some_and(DestroyListener::has_small_buffer);
        let turn = Timespec {
            tv_sec: 0,
            tv_nsec: if narrow {
                SMALL_BUFFER_POLL_INTERVAL_NS
            } else {
                POLL_INTERVAL_NS
            }
            .into(),
        };
        let mut end = [PollFd::new(&self.stop_fd, PollFlags::IN)];
        let _ = poll(&mut end, Some(&turn));
    }

    fn buffers(&self) -> MutexGuard<'_, EventBuffers> {
        lock_ignoring_poison(&self.buffers)
    }

    fn now_us(&self) -> u64 {
        clock_ns(ClockId::Monotonic).saturating_sub(self.origin_ns) / 1000
    }

    /// Reads everything available; returns true if that was anything.
    pub(super) fn read_available(&self) -> bool {
        let mut gathered = self.buffers();
        // All changes up to now are readable, on every processor.
        let until_us = self.now_us();
        let came = gathered.read_destroyed(until_us);
        let changed = self
            .trace
            .as_ref()
            .is_some_and(|trace| trace.read(&mut gathered, self.origin_ns));
        gathered.flush_until(until_us);
        came || changed || !gathered.unordered.is_empty()
    }

    /// Drains everything up to now.
    pub(super) fn drain(&self) -> EventBatch {
        self.read_available();
        self.buffers().drain()
    }

    /// Returns the number of changes that the kernel has dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        let held = self
            .trace
            .as_ref()
            .map(|trace| lock_ignoring_poison(&trace.instance));
        held.map_or(0, |held| {
            held.as_ref()
                .map_or(0, super::instance::TraceInstance::parse_dropped)
        })
    }

    /// Returns the CPU time used by the thread so far.
    pub(super) fn used_ns(&self) -> u64 {
        self.used_ns.load(Ordering::Relaxed)
    }

    /// Stops reading destroyed sockets.
    pub(super) fn stop_destroyed(&self) {
        self.buffers().destroy_listener = None;
    }

    /// Stops reading changes.
    pub(super) fn stop_trace(&self) {
        if let Some(trace) = &self.trace {
            drop(lock_ignoring_poison(&trace.instance).take());
        }
    }
}

impl ActiveTrace {
    /// Reads the pipes of all processors; returns true if anything was read.
    fn read(&self, gathered: &mut EventBuffers, origin_ns: u64) -> bool {
        let held = lock_ignoring_poison(&self.instance);
        let Some(instance) = held.as_ref() else {
            return false;
        };
        let mut callers = lock_ignoring_poison(&self.resolver);
        let now_ns = clock_ns(ClockId::Monotonic);
        let mut came = false;
        let EventBuffers {
            unordered: fresh,
            page,
            ..
        } = gathered;
        for pipe in &instance.pipes {
            for _ in 0..MAX_PAGES {
                let length = match read(pipe, &mut page[..]) {
                    Ok(0) => break,
                    Ok(length) => length,
                    Err(Errno::INTR) => continue,
                    Err(_) => break,
                };
                came = true;
                for record in RingPage::new(page.get(..length).unwrap_or_default()) {
                    let Some(told) = state_change::decode(&record, &self.layout.format, origin_ns)
                    else {
                        continue;
                    };
                    let mut change = told.change;
                    change.process = told
                        .thread
                        .and_then(|thread| callers.resolve(thread, now_ns));
                    fresh.push(change);
                }
            }
        }
        came
    }
}

/// A clock in nanoseconds.
pub(super) fn clock_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Locks a mutex even if a thread panicked while holding it: the state is good
/// enough to shut down.
fn lock_ignoring_poison<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
