//! A small world that lives by a script and can be polled like a kernel.

use crate::kernel::Kernel;
use crate::script::{self, Burst, Outcome, Script, Told};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use tcplens::model::counters::Counters;
use tcplens::model::endpoint::Endpoint;
use tcplens::model::event::{EventProcess, EventSource, Events, StateChange};
use tcplens::model::namespace::Namespace;
use tcplens::model::owner::{Holder, OwnerSearch, OwnerSpan, ProcessId};
use tcplens::model::process::{OpenFiles, OtherFileSystem, Process, Program, ProgramFile};
use tcplens::model::protocol::{IpFamily, Protocol};
use tcplens::model::reading::{Reading, ReadingKind, Snapshot, SourceKind};
use tcplens::model::socket::Socket;
use tcplens::model::socket_memory::{Buffers, SocketMemory};
use tcplens::model::state::State;
use tcplens::model::tcp_info::TcpInfo;
use tcplens::model::time::Time;
use tcplens::model::timer::{Timer, TimerKind};
use tcplens::model::unit::{Unit, UnitKind, UnitManager};

/// When an unanswered SYN is sent again, in seconds after the first: Linux 6.5
/// and later with its defaults.
const RESENDS: [f64; 10] = [1.02, 2.04, 3.07, 4.1, 5.1, 7.2, 11.3, 19.5, 35.8, 68.0];

/// The same of a SYN+ACK, which has no steps of equal length.
const RESENDS_OF_SYN_ACK: [f64; 5] = [1.02, 3.07, 7.2, 15.4, 32.0];

/// About a minute.
const TIME_WAIT: f64 = 60.0;

/// Everything that will ever happen.
pub(crate) struct World<'a> {
    source: SourceKind,
    counters: bool,
    kernel: &'a Kernel,
    processes: Vec<(Arc<Process>, &'a script::Process)>,
    lives: Vec<Life<'a>>,
    told: &'a [Told],
}

/// One socket from its first state to its end.
struct Life<'a> {
    owner: Option<u32>,
    /// From when on the owner is found.
    owner_found: f64,
    protocol: Protocol,
    local: Endpoint,
    remote: Endpoint,
    /// Second and state, in order.
    stages: Vec<(f64, State)>,
    until: f64,
    /// Its queues and its timer, where the script says them.
    socket: Option<&'a script::Socket>,
}

impl<'a> World<'a> {
    pub(crate) fn new(script: &'a Script, source: SourceKind) -> Self {
        let processes = script.process.iter().map(|process| {
            let program = |path: &String| Program {
                path: path.as_str().into(),
                file: match (process.impostor, process.deleted) {
                    (true, _) => ProgramFile::OtherFileSystem(OtherFileSystem {
                        in_other_user_namespace: true,
                        path_exists_here: true,
                    }),
                    (false, true) => ProgramFile::Deleted,
                    (false, false) => ProgramFile::Verified,
                },
            };
            let made = Process {
                pid: process.pid,
                start_ticks: 1,
                name: process.name.as_str().into(),
                exe: process.exe.as_ref().map(program),
                unit: process.container.then(|| {
                    Unit::new(
                        "podman:0123456789ab",
                        UnitKind::Container,
                        UnitManager::System,
                    )
                }),
                ..Process::default()
            };
            (Arc::new(made), process)
        });
        let mut world = Self {
            source,
            counters: script.counters,
            kernel: &script.kernel,
            processes: processes.collect(),
            lives: Vec::new(),
            told: &script.told,
        };
        for socket in &script.socket {
            for number in 0..socket.count {
                world.add_socket(socket, number);
            }
        }
        for burst in &script.burst {
            world.add_burst(burst);
        }
        world
    }

    /// What the kernel has told since the last poll, where the script has it
    /// tell anything.
    pub(crate) fn tell(&self, second: f64, interval: f64) -> Option<Reading> {
        let mut changes = Vec::new();
        for (told, place) in self.told.iter().zip(0..) {
            let name = &told.process;
            let (process, _) = &self.processes[self.process(name) as usize];
            let caller = Arc::new(EventProcess {
                pid: process.pid,
                name: name.as_str().into(),
                start_ticks: process.start_ticks,
                namespace: Some(1 + u32::from(told.elsewhere)),
            });
            let (begin, end) = (told.from, told.from + told.over);
            let mut number =
                microseconds((second - interval - begin).max(0.0) * told.rate) / 1_000_000;
            loop {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a scenario has thousands at most"
                )]
                let at = begin + number as f64 / told.rate;
                if at >= second.min(end) {
                    break;
                }
                if at >= second - interval {
                    changes.extend(connect(at, number, (told, place), &caller));
                }
                number += 1;
            }
        }
        changes.sort_by_key(|change| change.at_us);
        (!self.told.is_empty()).then(|| Reading {
            time: Time::default(),
            kind: ReadingKind::Events(Box::new(Events {
                source: EventSource::StateChanges,
                changes,
                ..Events::default()
            })),
        })
    }

    /// `TCP_INFO` of these sockets, where the script has it tell anything.
    pub(crate) fn details(&self, second: f64, asked: &[Socket]) -> Reading {
        let known = asked.iter().filter_map(|socket| {
            let number = socket.cookie?.get().checked_sub(1)?;
            let life = self.lives.get(usize::try_from(number).unwrap())?;
            Some((socket.key(), life.info(second)?))
        });
        Reading {
            time: time(second),
            kind: ReadingKind::Details(known.collect()),
        }
    }

    fn process(&self, name: &str) -> u32 {
        let place = self
            .processes
            .iter()
            .position(|(process, _)| process.name.as_str() == name);
        u32::try_from(place.unwrap_or_else(|| panic!("no process {name}"))).unwrap()
    }

    fn add_socket(&mut self, socket: &'a script::Socket, number: u32) {
        let late = socket.over * f64::from(number) / f64::from(socket.count);
        let stages = socket.stages.iter().map(|(at, word)| {
            let state = State::from_word(word).unwrap_or_else(|| panic!("no state {word}"));
            (*at + late, state)
        });
        let peer = |remote: &str| {
            let first = endpoint(remote);
            Endpoint::new(nth_address(first.address(), number), first.port)
        };
        self.lives.push(Life {
            owner: socket.process.as_deref().map(|name| self.process(name)),
            owner_found: 0.0,
            protocol: if socket.udp {
                Protocol::Udp
            } else {
                Protocol::Tcp
            },
            local: endpoint(&socket.local),
            remote: socket.remote.as_deref().map(peer).unwrap_or_default(),
            stages: stages.collect(),
            until: socket.until,
            socket: Some(socket),
        });
    }

    fn add_burst(&mut self, burst: &Burst) {
        let attempts = burst.hosts * burst.ports * burst.times;
        for attempt in 0..attempts {
            let at = burst.from + burst.over * f64::from(attempt) / f64::from(attempts);
            let life = self.attempt(burst, attempt, at);
            self.lives.push(life);
        }
    }

    fn attempt(&self, burst: &Burst, attempt: u32, at: f64) -> Life<'a> {
        let host = attempt % burst.hosts;
        let number = u32::try_from(self.lives.len()).unwrap();
        let far = Endpoint::new(
            nth_address(burst.network, host),
            far_port(burst, attempt, host),
        );
        let ephemeral = match burst.local_ports {
            None => number % 28_000,
            // As `connect` chooses: from a place of the destination's own, in steps of two.
            Some(ports) => (host * 7918 + attempt / burst.hosts * 2) % u32::from(ports),
        };
        let ephemeral = u16::try_from(32_768 + ephemeral).unwrap();
        let here = nth_address(own_address(burst.network), number / 28_000);
        let (stages, until) = if burst.inbound {
            visit(burst, host, at)
        } else {
            errand(burst, host, at)
        };
        let (local, remote) = if burst.inbound {
            let caller = Endpoint::new(far.address(), ephemeral);
            (
                Endpoint::new(own_address(burst.network), burst.port),
                caller,
            )
        } else {
            (Endpoint::new(here, ephemeral), far)
        };
        Life {
            owner: Some(self.process(&burst.process)),
            owner_found: at + burst.owner_found,
            protocol: Protocol::Tcp,
            local,
            remote,
            stages,
            until,
            socket: None,
        }
    }

    /// What a poll at that second sees.
    pub(crate) fn poll(&self, second: f64) -> Reading {
        let mut snapshot = Snapshot {
            source: self.source,
            owner_search: self.owner_search(),
            namespaces: vec![Namespace {
                id: 1,
                name: None,
                is_current: true,
                entry: None,
            }],
            counters: Counters {
                active_opens: self.counters.then(|| self.active_opens(second)),
                ..Counters::default()
            },
            gauges: self.kernel.gauges(second),
            limits: self.kernel.settings(),
            ..Snapshot::default()
        };
        self.kernel.count(second, &mut snapshot.counters);
        let mut ids = vec![None; self.processes.len()];
        for ((process, script), id) in self.processes.iter().zip(&mut ids) {
            if second < script.until {
                *id = Some(ProcessId(u32::try_from(snapshot.processes.len()).unwrap()));
                snapshot.processes.push(at_work(process, script, second));
            }
        }
        for (number, life) in (1u32..).zip(&self.lives) {
            self.show(&mut snapshot, number, life, second, &ids);
        }
        Reading {
            time: time(second),
            kind: ReadingKind::Table(Box::new(snapshot)),
        }
    }

    fn owner_search(&self) -> OwnerSearch {
        if self
            .processes
            .iter()
            .any(|(_, script)| script.hidden.is_some())
        {
            OwnerSearch::Partial
        } else {
            OwnerSearch::Complete
        }
    }

    fn show(
        &self,
        snapshot: &mut Snapshot,
        number: u32,
        life: &Life,
        second: f64,
        ids: &[Option<ProcessId>],
    ) {
        let Some((since, state)) = life.stage(second) else {
            return;
        };
        let owner = life.owner.filter(|_| has_owner(state));
        let process = owner.and_then(|owner| ids[owner as usize]);
        if owner.is_some() && process.is_none() {
            // Its process has ended, and the kernel closes what it held.
            return;
        }
        let unheld = life.socket.is_some_and(|socket| socket.unheld);
        let hidden = owner.and_then(|owner| self.processes[owner as usize].1.hidden);
        let found = process.filter(|_| second >= life.owner_found && hidden.is_none());
        let cookie =
            NonZeroU64::new(u64::from(number)).filter(|_| self.source.has_cookies(life.protocol));
        snapshot.owners.push(OwnerSpan {
            start: u32::try_from(snapshot.holders.len()).unwrap(),
            count: u32::from(found.is_some()),
        });
        snapshot.holders.extend(found.map(|process| Holder {
            process,
            fd: number,
        }));
        if let Some(drops) = life.socket.and_then(|socket| socket.drops.as_ref()) {
            let place = u32::try_from(snapshot.sockets.len()).unwrap();
            let buffers = Buffers {
                receive_used: 212_000,
                receive_limit: 212_992,
                ..Buffers::default()
            };
            let memory = SocketMemory {
                buffers: cookie.map(|_| buffers),
                drops: Some(drops.small(second)),
            };
            snapshot.memory.push((place, memory));
        }
        snapshot.sockets.push(Socket {
            cookie,
            local: life.local,
            remote: life.remote,
            inode: NonZeroU32::new(number).filter(|_| process.is_some() || unheld),
            uid: hidden.unwrap_or_else(|| life.socket.map_or(0, |socket| socket.uid)),
            interface: 0,
            recv_queue: life.socket.map_or(0, |socket| socket.recv.small(second)),
            send_queue: life.socket.map_or(0, |socket| {
                // Through /proc the backlog is not told.
                let told = state != State::Listen || cookie.is_some();
                if told { socket.send.small(second) } else { 0 }
            }),
            namespace: 1,
            timer: life.timer(state, second, since),
            protocol: life.protocol,
            socket_family: IpFamily::from_address(life.local.address()).into(),
            state,
        });
    }

    fn active_opens(&self, second: f64) -> u64 {
        let begun = |life: &&Life| {
            let (at, state) = life.stages[0];
            state == State::SynSent && at <= second
        };
        self.lives.iter().filter(begun).count() as u64
    }
}

impl Life<'_> {
    fn timer(&self, state: State, second: f64, since: f64) -> Option<Timer> {
        let probing = self.socket.and_then(|socket| socket.probing);
        let resending = self.socket.into_iter().flat_map(|socket| &socket.resending);
        let mut resending = resending.filter(|(from, to)| (*from..*to).contains(&second));
        match (state, probing) {
            (State::SynSent, _) => Some(syn_timer(&RESENDS, second - since)),
            (State::SynReceived, _) => Some(syn_timer(&RESENDS_OF_SYN_ACK, second - since)),
            (_, Some((from, to))) if (from..to).contains(&second) => Some(Timer {
                kind: TimerKind::ZeroWindowProbe,
                expires_ms: 500,
                retransmits: 0,
            }),
            _ => resending.next().map(|(from, _)| data_timer(second - from)),
        }
    }

    /// `TCP_INFO` at that second, where the script says when data comes.
    fn info(&self, second: f64) -> Option<TcpInfo> {
        let receiving = self.socket?.receiving.as_ref()?;
        let began = self.stages.first()?.0;
        let last = receiving.iter().filter(|(from, _)| *from <= second);
        let last = last.map(|(_, to)| to.min(second)).fold(began, f64::max);
        let idle = microseconds(second - last) / 1000;
        Some(TcpInfo {
            last_data_received_ms: u32::try_from(idle).unwrap(),
            ..TcpInfo::default()
        })
    }

    /// The state at that second, and since when.
    fn stage(&self, second: f64) -> Option<(f64, State)> {
        if second >= self.until {
            return None;
        }
        let begun = self.stages.iter().take_while(|(at, _)| *at <= second);
        begun.last().copied()
    }
}

/// The time of that second.
fn time(second: f64) -> Time {
    let monotonic_ms = microseconds(second) / 1000;
    Time {
        wall_ms: 1_700_000_000_000 + monotonic_ms,
        monotonic_ms,
    }
}

/// The timer of data that was sent first so many seconds ago: waits double from
/// 0.2 s on.
fn data_timer(passed: f64) -> Timer {
    let (mut wait, mut sent, mut retransmits) = (0.2, 0.0, 0);
    while sent + wait <= passed {
        sent += wait;
        wait = f64::min(wait * 2.0, 120.0);
        retransmits += 1;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most two minutes"
    )]
    let expires_ms = ((sent + wait - passed) * 1000.0) as u32;
    Timer {
        kind: TimerKind::Retransmit,
        expires_ms,
        retransmits,
    }
}

/// The life of an outgoing connection.
fn errand(burst: &Burst, host: u32, at: f64) -> (Vec<(f64, State)>, f64) {
    let dice = fate(burst.seed, host);
    let mut stages = vec![(at, State::SynSent)];
    if dice < burst.silent {
        return (stages, at + burst.gives_up);
    }
    let lost = if dice < burst.silent + burst.lossy {
        RESENDS[0]
    } else {
        0.0
    };
    let open = at + lost + burst.answer;
    let closed = open + burst.stays;
    stages.push((open, State::Established));
    if burst.peer_closes {
        return (stages, closed);
    }
    stages.push((closed, State::TimeWait));
    (stages, closed + TIME_WAIT)
}

/// The life of an incoming connection; one that is not answered stays half
/// open.
fn visit(burst: &Burst, host: u32, at: f64) -> (Vec<(f64, State)>, f64) {
    let mut stages = vec![(at, State::SynReceived)];
    if fate(burst.seed, host) < burst.silent {
        return (stages, at + burst.gives_up);
    }
    let open = at + burst.answer;
    stages.push((open, State::Established));
    (stages, open + burst.stays)
}

fn far_port(burst: &Burst, attempt: u32, host: u32) -> u16 {
    if fate(burst.seed ^ 0x5ca7, host) < burst.scattered {
        let high = 10_000 + (dice(burst.seed ^ 0xbeef, host) % 50_000);
        return u16::try_from(high).unwrap();
    }
    let offset = (attempt / burst.hosts) % burst.ports;
    burst.port + u16::try_from(offset).unwrap()
}

fn has_owner(state: State) -> bool {
    !matches!(state, State::TimeWait | State::SynReceived)
}

/// A process with the files it has open at that second.
fn at_work(process: &Arc<Process>, script: &script::Process, second: f64) -> Arc<Process> {
    let Some(most) = script.most else {
        return Arc::clone(process);
    };
    let open = script.open.small(second);
    Arc::new(Process {
        open_files: Some(OpenFiles { open, limit: most }),
        ..Process::clone(process)
    })
}

fn syn_timer(resends: &[f64], age: f64) -> Timer {
    let resent = resends.iter().filter(|at| **at <= age).count();
    Timer {
        kind: TimerKind::Retransmit,
        expires_ms: 500,
        retransmits: u8::try_from(resent).unwrap(),
    }
}

fn own_address(network: IpAddr) -> IpAddr {
    match network {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 10)),
    }
}

fn nth_address(first: IpAddr, number: u32) -> IpAddr {
    match first {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) + number)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) + u128::from(number))),
    }
}

fn endpoint(text: &str) -> Endpoint {
    let (address, port) = text.rsplit_once(':').unwrap();
    let address = address.trim_matches(['[', ']']);
    Endpoint::new(address.parse().unwrap(), port.parse().unwrap())
}

/// A number from 0 to 1 that looks like chance and is always the same.
fn fate(seed: u64, number: u32) -> f64 {
    f64::from(dice(seed, number)) / f64::from(u32::MAX)
}

/// The upper half of one step of SplitMix64 (Steele, Lea, Flood 2014).
fn dice(seed: u64, number: u32) -> u32 {
    let start = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(number).wrapping_add(1);
    let mut mixed = start.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    u32::try_from(mixed >> 32).unwrap()
}

/// A connect as the kernel's events tell it.
fn connect(
    second: f64,
    number: u64,
    (told, place): (&Told, u64),
    caller: &Arc<EventProcess>,
) -> Vec<StateChange> {
    let at_us = microseconds(second);
    let first = endpoint(&told.remote);
    let host = u32::try_from(number % u64::from(told.hosts)).unwrap();
    let remote = Endpoint::new(nth_address(first.address(), host), first.port);
    let begun = StateChange {
        at_us,
        socket: (at_us << 8) + place,
        local: Endpoint::new(own_address(first.address()), 0),
        remote,
        family: IpFamily::from_address(remote.address()),
        from: State::Closed,
        to: State::SynSent,
        in_interrupt: false,
        process: Some(Arc::clone(caller)),
    };
    let after = |times: f64, from: State, to: State| StateChange {
        at_us: microseconds(second + told.after * times),
        from,
        to,
        in_interrupt: told.outcome != Outcome::GivenUp,
        process: None,
        ..begun.clone()
    };
    let ends = match told.outcome {
        Outcome::Failed | Outcome::GivenUp => vec![after(1.0, State::SynSent, State::Closed)],
        Outcome::Answered => vec![
            after(1.0, State::SynSent, State::Established),
            after(2.0, State::Established, State::Closed),
        ],
    };
    let mut changes = vec![begun];
    changes.extend(ends);
    changes
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a script are small and not negative"
)]
fn microseconds(second: f64) -> u64 {
    (second * 1e6) as u64
}
