//! The thread that reads events, and its buffers.
//!
//! It waits in the kernel while nothing happens, so an idle machine costs
//! nothing. Once something does, it reads in turns of some milliseconds: one
//! wake-up for many events.

use super::callers::Callers;
use super::change;
use super::destroyed::Destroyed;
use super::instance::{Held, Layout};
use super::ring::Page;
use crate::model::event::{Change, Ending};
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
const TURN_NS: u32 = 20_000_000;
/// Poll interval with a small receive buffer.
const NARROW_TURN_NS: u32 = 2_000_000;
/// Largest number of changes kept between two tables, 80 bytes each; further
/// ones are lost.
const MOST_CHANGES: usize = 1_000_000;
/// Largest number of destroyed sockets kept, which are ten times as large.
const MOST_ENDINGS: usize = 50_000;
/// Largest number of pages read of each processor at a time: 16 MiB.
const MOST_PAGES: usize = 4096;

/// State shared by the thread and its consumers.
pub(super) struct Shared {
    trace: Option<Trace>,
    gathered: Mutex<Gathered>,
    epoll: OwnedFd,
    /// Written to once, to stop the thread.
    end: OwnedFd,
    ended: AtomicBool,
    /// CPU time used by the thread so far, in nanoseconds.
    used_ns: AtomicU64,
    /// The time of the clock from which all times are counted.
    origin_ns: u64,
}

/// A trace, and how to read it.
pub(super) struct Trace {
    pub(super) held: Held,
    pub(super) layout: Layout,
    pub(super) callers: Mutex<Callers>,
}

/// Events that were read and not yet drained.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) changes: Vec<Change>,
    /// Changes that may be preceded by ones still unread on another processor.
    fresh: Vec<Change>,
    pub(super) endings: Vec<Ending>,
    /// Number of changes lost because the buffer was full.
    pub(super) overflowed: u64,
    /// Number of destroyed sockets lost here or in the kernel.
    pub(super) missed: u64,
    destroyed: Option<Destroyed>,
    page: Vec<u8>,
}

impl Gathered {
    /// Drains everything up to now, in the order of time.
    fn take(&mut self) -> Taken {
        let mut changes = mem::take(&mut self.changes);
        // Long runs are in order already.
        changes.sort_by_key(|change| change.at_us);
        // The next turn will be as large as the last.
        self.changes.reserve(changes.len().min(MOST_CHANGES / 8));
        let endings = mem::take(&mut self.endings);
        Taken {
            changes,
            endings,
            overflowed: mem::take(&mut self.overflowed),
            missed: mem::take(&mut self.missed),
        }
    }

    fn read_endings(&mut self, at_us: u64) -> bool {
        let Some(destroyed) = &mut self.destroyed else {
            return false;
        };
        let heard = destroyed.read(at_us, MOST_ENDINGS);
        let came = !heard.endings.is_empty();
        self.missed += heard.losses;
        self.endings.extend(heard.endings);
        // The latest destroyed sockets are the most useful.
        let surplus = self.endings.len().saturating_sub(MOST_ENDINGS);
        self.endings.drain(..surplus);
        self.missed += surplus as u64;
        came
    }

    /// Moves the changes that are complete up to a time.
    fn settle(&mut self, until_us: u64) {
        let Self { fresh, changes, .. } = self;
        let room = MOST_CHANGES.saturating_sub(changes.len());
        let before = changes.len();
        changes.extend(
            fresh
                .extract_if(.., |change| change.at_us <= until_us)
                .take(room),
        );
        if changes.len() - before == room {
            let lost = fresh.extract_if(.., |change| change.at_us <= until_us);
            self.overflowed += lost.count() as u64;
        }
    }
}

/// Events since the last drain.
pub(super) struct Taken {
    pub(super) changes: Vec<Change>,
    pub(super) endings: Vec<Ending>,
    pub(super) overflowed: u64,
    pub(super) missed: u64,
}

/// The thread and its shared state.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts the thread.
    pub(super) fn start(
        trace: Option<Trace>,
        destroyed: Option<Destroyed>,
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
            for pipe in lock(&trace.held).iter().flat_map(|held| &held.pipes) {
                epoll::add(&epoll, pipe, data(), epoll::EventFlags::IN)?;
            }
        }
        let page = trace.as_ref().map_or(0, |trace| trace.layout.page);
        let shared = Arc::new(Shared {
            trace,
            gathered: Mutex::new(Gathered {
                destroyed,
                page: vec![0; page],
                ..Gathered::default()
            }),
            epoll,
            end,
            ended: AtomicBool::new(false),
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

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = write(&self.shared.end, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.end_trace();
    }
}

impl Shared {
    fn run(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            self.wait();
            while !self.ended.load(Ordering::SeqCst) && self.read() {
                self.used_ns
                    .store(clock_ns(ClockId::ThreadCPUTime), Ordering::Relaxed);
                self.rest();
            }
            self.used_ns
                .store(clock_ns(ClockId::ThreadCPUTime), Ordering::Relaxed);
        }
    }

    /// Waits for an event or the stop.
    fn wait(&self) {
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 1];
        match epoll::wait(&self.epoll, &mut events, None) {
            Ok(_) | Err(Errno::INTR) => {}
            // A thread that cannot wait must not spin.
            Err(_) => self.ended.store(true, Ordering::SeqCst),
        }
    }

    /// Waits for the next poll.
    fn rest(&self) {
        let narrow = self
            .gathered()
            .destroyed
            .as_ref()
            .is_some_and(Destroyed::is_narrow);
        let turn = Timespec {
            tv_sec: 0,
            tv_nsec: if narrow { NARROW_TURN_NS } else { TURN_NS }.into(),
        };
        let mut end = [PollFd::new(&self.end, PollFlags::IN)];
        let _ = poll(&mut end, Some(&turn));
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        lock(&self.gathered)
    }

    fn now_us(&self) -> u64 {
        clock_ns(ClockId::Monotonic).saturating_sub(self.origin_ns) / 1000
    }

    /// Reads everything available; returns true if that was anything.
    pub(super) fn read(&self) -> bool {
        let mut gathered = self.gathered();
        // All changes up to now are readable, on every processor.
        let until_us = self.now_us();
        let came = gathered.read_endings(until_us);
        let changed = self
            .trace
            .as_ref()
            .is_some_and(|trace| trace.read(&mut gathered, self.origin_ns));
        gathered.settle(until_us);
        came || changed || !gathered.fresh.is_empty()
    }

    /// Drains everything up to now.
    pub(super) fn take(&self) -> Taken {
        self.read();
        self.gathered().take()
    }

    /// Returns the number of changes that the kernel has dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        let held = self.trace.as_ref().map(|trace| lock(&trace.held));
        held.map_or(0, |held| {
            held.as_ref().map_or(0, super::instance::Instance::dropped)
        })
    }

    /// Returns the CPU time used by the thread so far.
    pub(super) fn used_ns(&self) -> u64 {
        self.used_ns.load(Ordering::Relaxed)
    }

    /// Stops reading destroyed sockets.
    pub(super) fn end_endings(&self) {
        self.gathered().destroyed = None;
    }

    /// Stops reading changes.
    pub(super) fn end_trace(&self) {
        if let Some(trace) = &self.trace {
            drop(lock(&trace.held).take());
        }
    }
}

impl Trace {
    /// Reads the pipes of all processors; returns true if anything was read.
    fn read(&self, gathered: &mut Gathered, origin_ns: u64) -> bool {
        let held = lock(&self.held);
        let Some(instance) = held.as_ref() else {
            return false;
        };
        let mut callers = lock(&self.callers);
        let now_ns = clock_ns(ClockId::Monotonic);
        let mut came = false;
        let Gathered { fresh, page, .. } = gathered;
        for pipe in &instance.pipes {
            for _ in 0..MOST_PAGES {
                let length = match read(pipe, &mut page[..]) {
                    Ok(0) => break,
                    Ok(length) => length,
                    Err(Errno::INTR) => continue,
                    Err(_) => break,
                };
                came = true;
                for record in Page::new(page.get(..length).unwrap_or_default()) {
                    let Some(told) = change::decode(&record, &self.layout.format, origin_ns) else {
                        continue;
                    };
                    let mut change = told.change;
                    change.caller = told.thread.and_then(|thread| callers.find(thread, now_ns));
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
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
