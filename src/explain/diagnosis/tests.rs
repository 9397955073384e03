//! Which evidence leads to which words, from the row to what is told: a table,
//! each case rendered in both languages.

use super::super::catalogue::Language;
use super::*;
use crate::filter::sample::{process, row};
use crate::model::flow::Flow;
use crate::model::limits::Limits;
use crate::model::namespace::Entrance;
use crate::model::network::{GoneInterface, Network, Reach};
use crate::model::observation::Detail;
use crate::model::owner::{Holder, OwnerSpan, ProcessId};
use crate::model::protocol::{Opened, Protocol};
use crate::model::row::LastOwner;
use crate::model::state::State;
use crate::model::tcp_info::TcpInfo;
use crate::model::time::{Stamp, Time};
use crate::model::timer::{Timer, TimerKind};
use crate::model::trend::{Heap, Trend};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Two lines a case: the evidence, as [`World::of`] understands it, and what
/// must come of it: sentences, urgency, who acts next, what to do.
const CASES: &str = include_str!("tests/cases.txt");

/// Places of processes.
const SERVER: ProcessId = ProcessId(0);

/// The row that is explained comes first.
struct World {
    observation: Observation,
    rows: Vec<Row>,
}

impl World {
    /// Without further words: a TCP socket of one process, in its state for five
    /// seconds, seen to begin, with nothing in its queues.
    fn of(words: &str) -> Observation {
        let mut words = words.split_whitespace();
        let (protocol, state) = match words.next().unwrap() {
            "udp" => (Protocol::Udp, words.next().unwrap()),
            state => (Protocol::Tcp, state),
        };
        let state = State::from_word(state).unwrap_or(State::Unknown(42));
        let remote = match state {
            State::Listen | State::Unconnected | State::BoundInactive | State::Closed => "-",
            _ => "198.51.100.7:443",
        };
        let mut world = Self {
            observation: observation(),
            rows: vec![row(protocol, state, "192.0.2.10:8080", remote)],
        };
        world.since(5);
        world.held_by(1);
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            world.add(name, value);
        }
        world.observation.rows = Arc::new(world.rows);
        world.observation
    }

    fn add(&mut self, name: &str, value: &str) {
        let number = || value.parse::<u32>().unwrap();
        let end = || {
            let at: SocketAddr = value.parse().unwrap();
            crate::model::endpoint::Endpoint::new(at.ip(), at.port())
        };
        let mut parts = value.split(':');
        let row = &mut self.rows[0];
        match name {
            "recv" => row.socket.recv_queue = number(),
            "send" => row.socket.send_queue = number(),
            "local" => row.socket.local = end(),
            "remote" => row.socket.remote = end(),
            "device" => row.socket.interface = 2,
            "proc" => row.socket.cookie = None,
            "unseen" => row.entry_seen = false,
            "was" => {
                row.phase = Phase::Changed {
                    from: State::from_word(value).unwrap(),
                }
            }
            "closed" => row.phase = Phase::Closed,
            "last" => row.last_owner = Some(LastOwner::new(SERVER)),
            "timer" => row.socket.timer = Some(timer(&mut parts)),
            "age" => self.since(number()),
            "owners" => self.held_by(u16::try_from(number()).unwrap()),
            "nobody" => self.leave(value),
            "like" => self.repeat(number(), |_| {}),
            // Those of another namespace, and those of another interface.
            "foreign" => self.repeat(number(), |row| row.socket.namespace = 8),
            "apart" => self.repeat(number(), |row| row.socket.interface += 1),
            "elsewhere" => self.repeat(number(), |row| row.socket.remote.port += 1),
            "listener" => self.listen(value == "full"),
            "change" => self.trend(value.parse().unwrap()),
            "data" => self.data(&mut parts),
            "room" => self.room(number()),
            "v6" => {
                let only = Some(value == "only");
                row.socket.opened = Opened::Inet6 { only };
            }
            "shut" => self.info().receiving_shut = Some(true),
            "subflow" => self.info().is_subflow = true,
            "unsent" => self.info().segments_out = Some(0),
            "abroad" => self.move_out(Some(Entrance::Process(812))),
            "sealed" => self.move_out(None),
            // What is not there, and what there is.
            "gone" => self.lose(value),
            "reach" => self.reach(value),
            "once" => self.observation.number = 1,
            other => panic!("{other}"),
        }
    }

    fn lose(&mut self, what: &str) {
        let socket = self.rows[0].socket;
        match what {
            "interface" => self.observation.gone_interfaces.push(GoneInterface {
                namespace: socket.namespace,
                index: socket.interface,
            }),
            _ => self.network().missing.push(socket.local.address()),
        }
    }

    fn reach(&mut self, interface: &str) {
        let network = self.network();
        network.is_loopback_only = interface == "lo";
        network.reached_over = (interface != "lo")
            .then(|| Reach {
                interface: interface.into(),
                v4: true,
                v6: false,
            })
            .into_iter()
            .collect();
    }

    fn network(&mut self) -> &mut Network {
        let networks = &mut self.observation.networks;
        if networks.is_empty() {
            networks.push(Network {
                namespace: self.rows[0].socket.namespace,
                is_loopback_only: false,
                reached_over: Vec::new(),
                missing: Vec::new(),
            });
        }
        &mut networks[0]
    }

    fn since(&mut self, seconds: u32) {
        let now = self.observation.time.stamp();
        self.rows[0].state_since = Stamp(now.0 - seconds * 100);
    }

    fn held_by(&mut self, count: u16) {
        let holders = (0..count).map(|number| Holder {
            process: ProcessId(number.into()),
            fd: 7,
        });
        self.observation.holders = holders.collect();
        self.rows[0].socket.inode = NonZeroU32::new(99);
        self.rows[0].owners = OwnerSpan { start: 0, count };
    }

    fn leave(&mut self, why: &str) {
        let unowned = Unowned::ALL.into_iter().find(|known| known.key() == why);
        let held = matches!(
            unowned,
            Some(Unowned::Hidden | Unowned::Pending | Unowned::Kernel)
        );
        let row = &mut self.rows[0];
        row.owners = OwnerSpan::default();
        row.socket.inode = NonZeroU32::new(u32::from(held));
        assert!(unowned.is_some(), "{why}");
        row.unowned = unowned;
    }

    fn repeat(&mut self, count: u32, change: impl Fn(&mut Row)) {
        let mut other = self.rows[0];
        change(&mut other);
        self.rows.extend((0..count).map(|_| other));
    }

    fn listen(&mut self, full: bool) {
        let mut listener = row(Protocol::Tcp, State::Listen, "0.0.0.0:8080", "-");
        listener.socket.inode = NonZeroU32::new(98);
        listener.socket.send_queue = 4;
        listener.socket.recv_queue = if full { 5 } else { 1 };
        listener.owners = OwnerSpan { start: 0, count: 1 };
        self.observation.listeners = vec![(8080, u32::try_from(self.rows.len()).unwrap())];
        self.rows.push(listener);
    }

    fn trend(&mut self, change: i64) {
        let row = &self.rows[0];
        let heap = match (row.socket.state, row.owners.count) {
            (State::TimeWait, _) => Heap::Machine,
            (_, 0) => Heap::Port(row.socket.local.port),
            _ => Heap::Process(SERVER),
        };
        self.observation.trends = vec![Trend {
            heap,
            state: row.socket.state,
            change,
            over: Duration::from_mins(5),
        }];
    }

    /// Which way, and how many seconds ago it came and went.
    fn data<'a>(&mut self, parts: &mut impl Iterator<Item = &'a str>) {
        let ways = parts.next().unwrap();
        let mut ms = || parts.next().unwrap().parse::<u32>().unwrap() * 1000;
        let gone = |way: &str| Some(if ways == way || ways == "both" { 99 } else { 0 });
        let info = self.info();
        info.bytes_received = gone("came");
        info.bytes_sent = gone("went");
        info.last_data_received_ms = ms();
        info.last_data_sent_ms = ms();
    }

    /// How many bytes the peer will take.
    fn room(&mut self, bytes: u32) {
        let info = self.info();
        info.peer_window = Some(bytes);
        (info.snd_mss, info.rto_us) = (1448, 204_000);
        // Long after it has begun.
        info.last_data_received_ms = 3_600_000;
        (info.bytes_received, info.bytes_sent) = (Some(0), Some(99));
    }

    fn info(&mut self) -> &mut TcpInfo {
        if self.observation.details.is_empty() {
            self.observation.details.push(Detail {
                key: self.rows[0].socket.key(),
                info: TcpInfo::default(),
                flow: Flow::default(),
            });
        }
        &mut self.observation.details[0].info
    }

    /// To another network namespace than this program is in.
    fn move_out(&mut self, entrance: Option<Entrance>) {
        let namespace = |id, own, entrance| crate::model::namespace::Namespace {
            id,
            name: None,
            own,
            entrance,
        };
        let there = namespace(8, false, entrance);
        self.observation.namespaces = vec![namespace(1, true, None), there];
        self.rows[0].socket.namespace = 8;
    }
}

/// Kind, repetitions, and seconds until it fires.
fn timer<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Timer {
    Timer {
        kind: match parts.next().unwrap() {
            "resend" => TimerKind::Retransmit,
            "keepalive" => TimerKind::Keepalive,
            "window" => TimerKind::ZeroWindowProbe,
            "wait" => TimerKind::TimeWait,
            other => panic!("{other}"),
        },
        retransmits: parts.next().unwrap().parse().unwrap(),
        expires_ms: parts.next().unwrap().parse::<u32>().unwrap() * 1000,
    }
}

/// A machine with the usual settings, long watched.
fn observation() -> Observation {
    Observation {
        number: 9,
        time: Time {
            wall_ms: 0,
            monotonic_ms: 259_200_000,
        },
        processes: [(812, "server"), (813, "worker"), (814, "worker")]
            .map(|(pid, name)| process(pid, name, "/usr/bin/server"))
            .to_vec(),
        interfaces: vec![crate::model::namespace::Interface {
            namespace: 1,
            index: 2,
            name: "eth0".into(),
        }],
        limits: Limits {
            syn_retries: Some(6),
            syn_linear_timeouts: Some(4),
            synack_retries: Some(5),
            fin_timeout: Some(60),
            orphan_retries: Some(0),
            retries2: Some(15),
            keepalive_time: Some(7200),
            keepalive_interval: Some(75),
            keepalive_probes: Some(9),
            somaxconn: Some(4096),
            local_ports: Some((40_001, 40_400)),
            ..Limits::default()
        },
        ..Observation::default()
    }
}

/// The cases: evidence, and what must come of it.
fn cases() -> Vec<(&'static str, &'static str)> {
    let lines: Vec<&str> = CASES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let pairs = lines.chunks(2);
    pairs.map(|pair| (pair[0], pair[1].trim_start())).collect()
}

/// What came of it, by names.
fn outcome(observation: &Observation) -> String {
    let row = &observation.rows[0];
    let case = Case::new(row, observation, Catalogue::of(Language::English));
    let choice = pick(&case.evidence());
    let names = |said: Vec<(&'static str, String)>| {
        let names: Vec<_> = said.into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    };
    format!(
        "{} | {} | {} | {}",
        names(sentences(&case, &choice)),
        choice.urgency.key(),
        choice.who.unwrap_or("usual"),
        names(next(&case, &choice)),
    )
}

#[test]
fn evidence_leads_to_its_words() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .map(|(words, expected)| (words, *expected, outcome(&World::of(words))))
        .filter(|(_, expected, found)| expected != found)
        .map(|(words, _, found)| format!("{words}\n  {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every state is among them, with an owner and without where it may have both,
/// and so is every sentence that an owner, a queue or a timer can lead to.
#[test]
fn the_cases_leave_nothing_out() {
    let cases = cases();
    for state in State::ALL {
        let of_state: Vec<&str> = cases
            .iter()
            .map(|(words, _)| words.trim_start_matches("udp "))
            .filter(|words| words.split(' ').next() == Some(state.key()))
            .collect();
        let held = of_state.iter().any(|words| !words.contains("nobody="));
        let unheld = of_state.iter().any(|words| words.contains("nobody="));
        let record = matches!(state, State::TimeWait | State::SynReceived);
        assert!(unheld, "{state} without an owner");
        assert!(record || held, "{state} with an owner");
    }
    let said: BTreeSet<&str> = cases
        .iter()
        .flat_map(|(_, expected)| expected.split_whitespace())
        .collect();
    for name in "gives_up grows shrinks stays shared_owner last_owner last_data last_sent \
                 last_received no_data unread unread_fin recv_pending send_pending zero_window \
                 keepalive keepalive_failing no_keepalive full queue queue_full limit_zero \
                 owned orphan simultaneous first_or_both accept_queue leak many ports \
                 window_given_up window_silent stuck_here keepalive_failed fast_open unsent"
        .split_whitespace()
    {
        assert!(said.contains(name), "no case of {name}");
    }
}

#[test]
fn whatever_is_told_is_whole_in_both_languages() {
    for (words, _) in cases() {
        let observation = World::of(words);
        for language in [Language::English, Language::Chinese] {
            let catalogue = Catalogue::of(language);
            let told = diagnose(&observation.rows[0], &observation, catalogue);
            assert!(!told.sentences.is_empty(), "{words}");
            let closed = observation.rows[0].phase == Phase::Closed;
            assert_eq!((1..=3).contains(&told.next.len()), !closed, "{words}");
            assert_eq!(told.waits_for.is_empty(), closed, "{words}");
            let texts = told.sentences.iter().chain(&told.next);
            let command = (!words.contains("sealed")).then_some(&told.same_as);
            let texts = texts.chain([&told.headline]).chain(command);
            for text in texts.chain(&told.unowned) {
                assert!(!text.trim().is_empty(), "{words}");
                assert!(!text.contains("{}") && !has_place(text), "{words}: {text}");
            }
        }
    }
}

/// Rows without an owner have commands, too, and each is one for their namespace.
#[test]
fn commands_are_for_the_namespace_of_the_socket() {
    for evidence in [
        "time_wait @ nobody=time_wait like=120",
        "fin_wait_1 @ nobody=orphan timer=resend:3:2",
        "established @ nobody=accept_queue listener=full",
        "syn_received @ nobody=listener_request listener=full",
        "syn_sent @ timer=resend:3:1",
        "syn_sent @ remote=192.0.2.10:443 timer=resend:2:1",
        "established @ send=700 timer=window:4:3 room=65160",
        "close_wait @",
        "close_wait @ elsewhere=120 change=100",
        "syn_received @ elsewhere=120 change=100",
        "listen @ send=4 recv=5",
        "udp unconnected @ recv=200000",
    ] {
        for language in [Language::English, Language::Chinese] {
            let words = Catalogue::of(language);
            let told = |place: &str| {
                let observation = World::of(&evidence.replace('@', place));
                diagnose(&observation.rows[0], &observation, words)
            };
            let commands = |told: &Diagnosis| -> Vec<String> {
                let texts = told.next.iter().chain([&told.same_as]);
                let bound = [
                    "ss -",
                    "nstat ",
                    "tcpdump ",
                    "nft ",
                    "iptables ",
                    "sysctl ",
                    "traceroute ",
                    "ip route ",
                    "tcplens close ",
                ];
                texts
                    .flat_map(|text| bound.iter().filter_map(|name| text.split_once(name)))
                    .map(|(before, _)| before.to_owned())
                    .collect()
            };
            let here = commands(&told(""));
            let abroad = commands(&told("abroad"));
            assert_eq!(here.len(), abroad.len(), "{evidence}");
            assert!(!here.iter().any(|before| before.contains("nsenter")));
            for before in &abroad {
                assert!(
                    before.ends_with("nsenter -t 812 -n "),
                    "{evidence}: {before}"
                );
            }
            let sealed = told("sealed");
            assert_eq!(commands(&sealed), Vec::<String>::new(), "{evidence}");
            assert!(!sealed.next.is_empty(), "{evidence}");
        }
    }
}

/// A stop behind a command would be copied with it.
#[test]
fn commands_end_where_they_end() {
    for language in [Language::English, Language::Chinese] {
        for (words, _) in cases() {
            let observation = World::of(words);
            let catalogue = Catalogue::of(language);
            let told = diagnose(&observation.rows[0], &observation, catalogue);
            for text in told.next.iter().skip(1).chain([&told.same_as]) {
                let last = text.chars().next_back();
                let stop = last.is_none_or(|last| ".,;:。，；".contains(last));
                let command = [": ", "："].iter().any(|colon| text.contains(colon));
                assert!(!stop || !command, "{words}: {text}");
            }
        }
    }
}

/// The numbers behind the words.
#[test]
fn numbers_are_told_as_the_kernel_counts() {
    for (evidence, expected) in [
        // One more fits than the backlog says.
        (
            "listen send=4 recv=4",
            "room for 5, so the queue is 80 % full",
        ),
        ("udp unconnected recv=768", "nstat -az UdpRcvbufErrors"),
        (
            "udp unconnected local=[::]:53 recv=768",
            "nstat -az UdpRcvbufErrors Udp6RcvbufErrors",
        ),
        (
            "udp unconnected local=[2001:db8::1]:53 recv=768",
            "nstat -az Udp6RcvbufErrors",
        ),
    ] {
        let observation = World::of(evidence);
        let words = Catalogue::of(Language::English);
        let told = diagnose(&observation.rows[0], &observation, words);
        let texts = told.sentences.iter().chain(&told.next);
        let texts: Vec<&String> = texts.collect();
        let found = texts
            .iter()
            .any(|text| text.trim_end_matches('.').ends_with(expected));
        assert!(found, "{evidence}: {texts:?}");
    }
}

/// A time that was not seen to begin is at least so long.
#[test]
fn only_what_was_seen_to_begin_has_its_length() {
    for (words, expected) in [
        ("close_wait age=90", "CLOSE_WAIT for 1 min 30 s"),
        (
            "close_wait age=90 unseen",
            "CLOSE_WAIT for at least 1 min 30 s",
        ),
        (
            "close_wait age=3 was=established",
            "CLOSE_WAIT for 3 s, was ESTABLISHED",
        ),
        ("close_wait unseen once", "CLOSE_WAIT"),
        ("close_wait unseen age=0", "CLOSE_WAIT"),
        ("close_wait age=0", "CLOSE_WAIT for <1 s"),
        ("established closed", "ESTABLISHED"),
    ] {
        let observation = World::of(words);
        let words = Catalogue::of(Language::English);
        let told = diagnose(&observation.rows[0], &observation, words);
        assert_eq!(told.headline, expected);
    }
}

/// In the lab a time that was raised stands beside the one outside, and only
/// where the two differ.
#[test]
fn what_the_lab_holds_longer_is_told_with_the_usual_time() {
    let outside = Limits {
        syn_retries: Some(6),
        syn_linear_timeouts: Some(4),
        synack_retries: Some(5),
        retries2: Some(15),
        orphan_retries: Some(0),
        ..Limits::default()
    };
    let raised = Limits {
        syn_retries: Some(127),
        synack_retries: Some(255),
        retries2: Some(255),
        ..outside
    };
    let cases = [
        (
            "syn_sent timer=resend:2:1",
            "(outside the lab about 2 min 11 s in all)",
        ),
        ("last_ack timer=resend:2:3", "(outside the lab about 15 min"),
        (
            "syn_received nobody=listener_request listener=ok timer=resend:2:3",
            "(outside the lab about 1 min 3 s)",
        ),
        (
            "fin_wait_1 timer=resend:2:3",
            "(outside the lab about 15 min",
        ),
        ("fin_wait_1 nobody=orphan timer=resend:2:3", ""),
        ("established", ""),
        (
            "time_wait nobody=time_wait timer=wait:0:59 age=9",
            "the minute begins anew",
        ),
        ("time_wait nobody=time_wait timer=wait:0:51 age=9", ""),
    ];
    for (words, expected) in cases {
        let mut observation = World::of(words);
        observation.limits = raised;
        let words_of = |language| {
            let words = Catalogue::of(language);
            let row = &observation.rows[0];
            let told = diagnose_in_lab(row, &observation, &outside, words);
            let same = diagnose(row, &observation, words);
            (told.sentences.concat(), same.sentences.concat())
        };
        let (told, same) = words_of(Language::English);
        assert!(told.contains(expected), "{words}: {told}");
        assert_eq!(told == same, expected.is_empty(), "{words}: {told}");
        let (told, same) = words_of(Language::Chinese);
        assert_eq!(told == same, expected.is_empty(), "{words}: {told}");
        let english = Catalogue::of(Language::English);
        let held = diagnose_in_lab(&observation.rows[0], &observation, &outside, english).outside;
        assert_eq!(held.is_none(), expected.is_empty(), "{words}: {held:?}");
        observation.limits = outside;
        let here = diagnose(&observation.rows[0], &observation, english);
        assert!(!here.sentences.concat().contains("the lab"), "{words}");
    }
}

/// Whether a place was left as it stands in the assets.
fn has_place(text: &str) -> bool {
    text.split('{').skip(1).any(|rest| {
        let name = rest.split('}').next().unwrap_or_default();
        name.chars()
            .all(|sign| sign.is_ascii_lowercase() || sign == '_')
    })
}
