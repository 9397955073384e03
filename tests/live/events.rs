//! What no table shows: connections that come and go between two, told by the
//! kernel, counted against its own counters.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere, is_deep, program, where_anybody_may_run_it};
use super::patience::wait_for;
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tcplens::model::event::{EventSource, Events, EventsMode};
use tcplens::model::namespace::NamespaceScope;
use tcplens::model::observation::Observation;
use tcplens::model::reading::ReadingKind;
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::monitor::{Monitor, MonitorOptions};
use tcplens::source::ReadingSource;
use tcplens::source::live::{LiveOptions, LiveSource};

/// Where our instances appear.
const INSTANCES: &str = "/sys/kernel/tracing/instances";
const MANY: usize = 1_000;
/// How often a table is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tables, and what is told between them.
pub(crate) struct Watch {
    live: LiveSource,
    monitor: Monitor,
    /// Ends of connections to a port that any table has shown.
    shown: HashSet<(u16, u16)>,
    sums: Sums,
    began: Instant,
    tables: u32,
    /// What folding events has used of a processor.
    folding: Duration,
}

/// What was told of connects to one port.
#[derive(Debug, Default)]
struct Sums {
    port: u16,
    begun: usize,
    begun_by_us: usize,
    answered: usize,
    refused: usize,
    /// Of this port.
    all: usize,
    /// Of any port.
    told: u64,
    lost: u64,
    ended: usize,
    cost_permille: Vec<u16>,
}

impl Sums {
    fn take(&mut self, events: &Events) {
        self.lost += events.lost;
        self.ended += events.destroyed.len();
        self.cost_permille.extend(events.cost_permille);
        self.told += events.changes.len() as u64;
        let mut last = 0;
        for change in &events.changes {
            assert!(change.at_us >= last, "out of order");
            last = change.at_us;
            if change.remote.port != self.port {
                continue;
            }
            self.all += 1;
            match (change.from, change.to) {
                (State::Closed, State::SynSent) => {
                    self.begun += 1;
                    let caller = change.process.as_ref();
                    let us = caller.is_some_and(|caller| caller.pid == std::process::id());
                    self.begun_by_us += usize::from(us);
                }
                (State::SynSent, State::Established) => self.answered += 1,
                (State::SynSent, State::Closed) => self.refused += 1,
                _ => {}
            }
        }
    }
}

impl Watch {
    pub(crate) fn begin(port: u16) -> Result<Self, NotHere> {
        Self::by(LiveOptions::default(), port)
    }

    /// Over one namespace, or all.
    pub(crate) fn over(scope: NamespaceScope, port: u16) -> Result<Self, NotHere> {
        let options = LiveOptions {
            scope,
            ..LiveOptions::default()
        };
        Self::by(options, port)
    }

    fn by(options: LiveOptions, port: u16) -> Result<Self, NotHere> {
        let options = LiveOptions {
            events_mode: EventsMode::On,
            ..options
        };
        let mut watch = Self {
            live: LiveSource::open(&options).unwrap(),
            monitor: Monitor::new(MonitorOptions::default()),
            shown: HashSet::new(),
            sums: Sums {
                port,
                ..Sums::default()
            },
            began: Instant::now(),
            tables: 0,
            folding: Duration::ZERO,
        };
        let first = watch.look();
        match first.event_history.source {
            EventSource::StateChanges => Ok(watch),
            other => Err(NotHere::NoTrace(format!("{other:?}"))),
        }
    }

    /// Whose ways the next tables tell.
    pub(crate) fn follow(&mut self, sockets: &[Socket]) {
        self.monitor.set_followed(sockets);
    }

    pub(crate) fn look(&mut self) -> std::sync::Arc<Observation> {
        let reading = self.live.read_events().unwrap();
        if let ReadingKind::Events(events) = &reading.kind {
            self.sums.take(events);
        }
        let before = own_time();
        self.monitor.fold(reading);
        self.folding += own_time().saturating_sub(before);
        let table = self.live.read_table().unwrap();
        let observation = self.monitor.fold(table).unwrap();
        let to_us = observation.rows.iter().map(|row| row.socket);
        let ends = to_us.filter(|socket| socket.remote.port == self.sums.port);
        self.shown
            .extend(ends.map(|socket| (socket.local.port, socket.remote.port)));
        observation
    }

    /// A table each second while a load runs, and one afterwards.
    fn during(&mut self, load: impl FnOnce() + Send) -> std::sync::Arc<Observation> {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                load();
                over.store(true, Ordering::SeqCst);
            });
            while !over.load(Ordering::SeqCst) {
                self.tables += 1;
                let due = self.began + INTERVAL * self.tables;
                while Instant::now() < due && !over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(5));
                }
                self.look();
            }
        });
        self.look()
    }
}

/// A port of loopback at which nobody listens.
pub(crate) fn nobodys_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn refused(port: u16, many: usize) {
    for _ in 0..many {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}

/// Of `Tcp:` in `/proc/net/snmp`: `AttemptFails`.
fn counted_failures() -> u64 {
    let text = fs::read_to_string("/proc/net/snmp").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut pairs = names.split(' ').zip(values.split(' '));
    let (_, count) = pairs.find(|(name, _)| *name == "AttemptFails").unwrap();
    count.parse().unwrap()
}

pub(crate) fn tell_of_refused_connects(_: &LabNamespace) -> Result<(), NotHere> {
    let port = nobodys_port();
    let mut watch = Watch::begin(port)?;
    let before = counted_failures();
    let last = watch.during(|| refused(port, MANY));
    let counted = counted_failures() - before;
    let sums = &watch.sums;
    println!(
        "{MANY} refused connects: tables showed {}, the kernel counted {counted}, told {} \
         (owner right: {}), lost {}",
        watch.shown.len(),
        sums.refused,
        sums.begun_by_us,
        sums.lost
    );
    assert_eq!(counted, MANY as u64);
    assert_eq!((sums.begun, sums.begun_by_us), (MANY, MANY));
    assert_eq!((sums.refused, sums.lost), (MANY, 0));
    assert!(watch.shown.len() < MANY / 10);
    assert!(last.event_history.short_lived >= MANY as u64 - watch.shown.len() as u64);
    Ok(())
}

pub(crate) fn tell_of_brief_connections(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let mut watch = Watch::begin(address.port())?;
    let server = thread::spawn(move || {
        for _ in 0..MANY {
            // Until the client closes.
            let (mut taken, _) = listener.accept().unwrap();
            let _ = std::io::copy(&mut taken, &mut std::io::sink());
        }
    });
    let last = watch.during(|| {
        for _ in 0..MANY {
            let connection = TcpStream::connect(address).unwrap();
            thread::sleep(Duration::from_millis(1));
            drop(connection);
        }
    });
    server.join().unwrap();
    let sums = &watch.sums;
    println!(
        "{MANY} connections of 1 ms: tables showed {} (most in TIME_WAIT), told {} \
         (owner right: {}), brief {}, endings {}, lost {}",
        watch.shown.len(),
        sums.answered,
        sums.begun_by_us,
        last.event_history.short_lived,
        sums.ended,
        sums.lost
    );
    assert_eq!((sums.begun, sums.begun_by_us), (MANY, MANY));
    assert_eq!((sums.answered, sums.lost), (MANY, 0));
    assert!(sums.ended >= MANY);
    // Tables show what stays of the clients' ends; the servers' are brief, but
    // for those into which a table fell.
    assert!(last.event_history.short_lived >= MANY as u64 * 9 / 10);
    assert!(last.event_history.short_lived <= MANY as u64 * 11 / 10);
    let stream = last.event_history.events.iter();
    assert!(stream.filter(|line| line.payload.is_some()).count() > 10);
    Ok(())
}

/// Processor time of this process, children excluded.
fn cpu_time() -> Duration {
    let used = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let time = |value: nix::sys::time::TimeVal| {
        Duration::new(
            value.tv_sec().try_into().unwrap(),
            u32::try_from(value.tv_usec()).unwrap() * 1000,
        )
    };
    time(used.user_time()) + time(used.system_time())
}

/// Processor time of this thread.
fn own_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.try_into().unwrap(),
        now.tv_nsec.try_into().unwrap(),
    )
}

/// Processor time of the thread that reads events.
fn reading_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let reader = tasks.map(|task| task.path()).find(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "events")
    });
    let spent = reader.and_then(|task| fs::read_to_string(task.join("schedstat")).ok());
    let spent = spent.and_then(|text| text.split(' ').next()?.parse().ok());
    Duration::from_nanos(spent.unwrap_or(0))
}

/// Two threads that are refused as fast as they can be, each with one socket
/// that has its port: what is measured is the kernel, not making sockets. How
/// long that took.
fn storm(port: u16, many: usize) -> Duration {
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let socket = rustix::net::socket(
                    rustix::net::AddressFamily::INET,
                    rustix::net::SocketType::STREAM,
                    None,
                )
                .unwrap();
                let here = SocketAddr::from(([127, 0, 0, 1], 0));
                rustix::net::bind(&socket, &here).unwrap();
                let to = SocketAddr::from(([127, 0, 0, 1], port));
                for _ in 0..many / 2 {
                    assert!(rustix::net::connect(&socket, &to).is_err());
                }
            });
        }
    });
    began.elapsed()
}

pub(crate) fn keep_up_with_a_storm(_: &LabNamespace) -> Result<(), NotHere> {
    let port = nobodys_port();
    let many: u32 = if is_deep() { 500_000 } else { 20_000 };
    let pairs = if is_deep() { 5 } else { 1 };
    for _ in 0..pairs {
        let before = cpu_time();
        let bare = storm(port, many as usize);
        let bare_cpu = cpu_time().saturating_sub(before);
        let mut watch = Watch::begin(port)?;
        let (before, reading) = (cpu_time(), reading_time());
        let mut told = Duration::ZERO;
        watch.during(|| told = storm(port, many as usize));
        let told_cpu = cpu_time().saturating_sub(before);
        let reading = reading_time().saturating_sub(reading);
        let sums = &watch.sums;
        let rate = |time: Duration| f64::from(many) / time.as_secs_f64();
        let extra = told_cpu.saturating_sub(bare_cpu).as_secs_f64() * 1e6 / f64::from(many);
        let each = |time: Duration| time.as_nanos() / u128::from(sums.told.max(1));
        println!(
            "{many} refused at {:.0} a second ({:.0} without): {} changes told, {} lost; reading \
             takes {reading:?} ({} ns a change, {:?} permille of a core), folding {:?} ({} ns a \
             change); {extra:.2} µs a connect more in all",
            rate(told),
            rate(bare),
            sums.told,
            sums.lost,
            each(reading),
            sums.cost_permille,
            watch.folding,
            each(watch.folding),
        );
        // Each connect is two changes; nothing is lost that is not counted.
        let missing = (2 * many as usize - sums.begun - sums.refused) as u64;
        assert!(missing <= sums.lost, "{missing} of {sums:?}");
        assert!(sums.lost == 0 || is_deep(), "{sums:?}");
    }
    Ok(())
}

/// What the kernel counted in the trace of this process: written, and of that
/// overwritten before it was read.
fn counted() -> (u64, u64) {
    let mark = format!("-{}-", std::process::id());
    let traces = fs::read_dir(INSTANCES).unwrap().flatten();
    let mut ours = traces.filter(|each| each.file_name().to_string_lossy().contains(&mark));
    let processors = fs::read_dir(ours.next().unwrap().path().join("per_cpu")).unwrap();
    let (mut written, mut overwritten) = (0, 0);
    for processor in processors.flatten() {
        let stats = read_at_once(&processor.path().join("stats"));
        let count = |wanted: &str| -> u64 {
            let mut lines = stats.lines().filter_map(|line| line.split_once(": "));
            let (_, count) = lines.find(|(name, _)| *name == wanted).unwrap();
            count.trim().parse().unwrap()
        };
        written += count("entries") + count("overrun") + count("read events");
        overwritten += count("overrun") + count("dropped events");
    }
    (written, overwritten)
}

/// A text that the kernel writes anew for each reading: a second one would go on
/// in the middle of other numbers, and with more digits leave a line out.
fn read_at_once(path: &Path) -> String {
    let mut bytes = vec![0; 4096];
    let length = fs::File::open(path).unwrap().read(&mut bytes).unwrap();
    assert!(length < bytes.len(), "longer than was read");
    bytes.truncate(length);
    String::from_utf8(bytes).unwrap()
}

/// With room for a hundred changes, most of a storm is overwritten unread: what
/// is told and what is said to be lost make up what the kernel wrote.
pub(crate) fn that_are_lost_are_counted(_: &LabNamespace) -> Result<(), NotHere> {
    let port = nobodys_port();
    let options = LiveOptions {
        event_buffer_kib: Some(8),
        ..LiveOptions::default()
    };
    let mut watch = Watch::by(options, port)?;
    if !Path::new(INSTANCES).is_dir() {
        return Err(NotHere::NoTrace("tracefs is mounted nowhere".to_owned()));
    }
    let many = if is_deep() { 500_000 } else { 20_000 };
    watch.during(|| {
        storm(port, many);
    });
    // Others on this machine connect, too: until nothing comes in between.
    let (written, overwritten) = wait_for("a moment of rest", || {
        let before = counted();
        watch.look();
        (counted() == before).then_some(before)
    });
    let sums = &watch.sums;
    println!(
        "{many} refused with 8 KiB: the kernel wrote {written} changes and overwrote \
         {overwritten}; told {}, lost {}",
        sums.told, sums.lost
    );
    assert!(written >= 2 * many as u64, "{written}");
    assert!(sums.lost > 0, "nothing was lost: this tests nothing");
    assert_eq!(sums.told + sums.lost, written);
    assert_eq!(sums.lost, overwritten);
    Ok(())
}

/// The instances of a process.
fn instances(child: &Child) -> Vec<String> {
    let names = fs::read_dir(INSTANCES).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mark = format!("-{}-", child.id());
    names
        .filter(|name| name.starts_with("tcplens-") && name.contains(&mark))
        .collect()
}

fn check(length: &str) -> Child {
    Command::new(program())
        .args(["check", "--events", "on", "--for", length])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A check that has begun its trace.
fn tracing(length: &str) -> Child {
    let child = check(length);
    wait_for("an instance", || {
        (!instances(&child).is_empty()).then_some(())
    });
    child
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Who asks for events and may not have them is told, and the check goes on.
pub(crate) fn are_missed_aloud(_: &LabNamespace) -> Result<(), NotHere> {
    if !rustix::process::geteuid().is_root() {
        return Err(NotHere::NoRoot);
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = where_anybody_may_run_it(&program(), folder.path()).unwrap();
    let said = |events: &str| {
        let output = Command::new(&copy)
            .args(["check", "--for", "1s", "--events", events])
            // No settings, rather than those of somebody else.
            .env("HOME", folder.path())
            .env_remove("XDG_CONFIG_HOME")
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(3), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said("on").contains("--events on: Changes of state are not told"));
    assert!(!said("auto").contains("--events"));
    Ok(())
}

pub(crate) fn leave_nothing_behind(_: &LabNamespace) -> Result<(), NotHere> {
    use rustix::process::Signal;
    drop(Watch::begin(1)?);
    if !Path::new(INSTANCES).is_dir() {
        return Err(NotHere::NoTrace("tracefs is mounted nowhere".to_owned()));
    }
    let mut ends = tracing("1s");
    ends.wait().unwrap();
    assert_eq!(instances(&ends), Vec::<String>::new(), "after its end");
    for sent in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut child = tracing("60s");
        signal(&child, sent);
        child.wait().unwrap();
        assert_eq!(instances(&child), Vec::<String>::new(), "after {sent:?}");
    }
    let mut killed = tracing("60s");
    let mut living = tracing("60s");
    signal(&killed, Signal::KILL);
    killed.wait().unwrap();
    assert_eq!(instances(&killed).len(), 1, "nobody could remove it");
    let mut next = tracing("60s");
    assert_eq!(instances(&killed).len(), 0, "the next start removes it");
    assert_eq!(instances(&living).len(), 1, "but not one that is in use");
    for child in [&mut living, &mut next] {
        signal(child, Signal::TERM);
        child.wait().unwrap();
        assert_eq!(instances(child), Vec::<String>::new());
    }
    println!("no instance outlives its program; what kill -9 leaves goes with the next start");
    Ok(())
}

/// A check in a PID namespace of its own, and that namespace's number.
fn check_in_a_pid_namespace() -> (Child, u64) {
    let child = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(program())
        .args(["check", "--events", "on", "--for", "60s"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let link = format!("/proc/{}/ns/pid_for_children", child.id());
    let ours = fs::metadata("/proc/self/ns/pid").unwrap().ino();
    let number = wait_for("a namespace", || {
        let number = fs::metadata(&link).ok()?.ino();
        // Before unshare(2) it is the one of all tests.
        (number != ours && !instances_of(number).is_empty()).then_some(number)
    });
    (child, number)
}

/// The only child of a process.
fn child_of(child: &Child) -> rustix::process::Pid {
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let children = fs::read_to_string(children).unwrap();
    rustix::process::Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

fn instances_of(pid_namespace: u64) -> Vec<String> {
    let names = fs::read_dir(INSTANCES).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mark = format!("tcplens-{pid_namespace}-");
    names.filter(|name| name.starts_with(&mark)).collect()
}

/// What a killed container leaves behind is removed from outside, and nothing of one
/// that runs.
pub(crate) fn of_a_dead_pid_namespace_are_removed(_: &LabNamespace) -> Result<(), NotHere> {
    drop(Watch::begin(1)?);
    if !Path::new(INSTANCES).is_dir() {
        return Err(NotHere::NoTrace("tracefs is mounted nowhere".to_owned()));
    }
    let first = fs::read_link("/proc/self/ns/pid").unwrap();
    if first.as_os_str() != "pid:[4026531836]" {
        let reason = "whether another PID namespace lives is told only in the first";
        return Err(NotHere::NoTrace(reason.to_owned()));
    }
    let (mut killed, dead) = check_in_a_pid_namespace();
    let (running, alive) = check_in_a_pid_namespace();
    let inside = child_of(&killed);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let gone = || fs::metadata(format!("/proc/{}", inside.as_raw_nonzero())).is_err();
    wait_for("its end", || gone().then_some(()));
    assert_eq!(instances_of(dead).len(), 1, "nobody could remove it");
    let own = tracing("60s");
    assert_eq!(
        instances_of(dead),
        Vec::<String>::new(),
        "its namespace is dead"
    );
    assert_eq!(instances_of(alive).len(), 1, "but not one that is in use");
    rustix::process::kill_process(child_of(&running), rustix::process::Signal::TERM).unwrap();
    signal(&own, rustix::process::Signal::TERM);
    for mut child in [own, running] {
        child.wait().unwrap();
    }
    assert_eq!(instances_of(alive), Vec::<String>::new(), "after its end");
    Ok(())
}
