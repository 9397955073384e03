//! The shape of one socket in the JSON contract: field names and their order.

use super::info::InfoEntry;
use super::owner::{OwnerEntry, OwnerFactsCache};
use crate::explain::urgency::Urgency;
use crate::model::endpoint::Endpoint;
use crate::model::gap::Gap;
use crate::model::namespace_addresses::MissingBindTarget;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::row::Row;
use crate::model::socket::Socket;
use crate::model::socket_memory::Buffers;
use crate::model::state::State;
use crate::model::text::Text;
use crate::model::timer::{Timer, TimerKind};
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Serialize)]
pub(super) struct GapEntry {
    kind: &'static str,
    count: u64,
    reason: &'static str,
}

impl GapEntry {
    pub(super) fn of(gap: &Gap) -> Self {
        Self {
            kind: gap.kind.key(),
            count: gap.count,
            reason: gap.reason.key(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct SocketEntry<'a> {
    protocol: &'static str,
    family: &'static str,
    /// True if it accepts IPv6 only; null for IPv4, for connections, and if the
    /// source does not report it.
    v6only: Option<bool>,
    state: Cow<'static, str>,
    namespace: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace_name: Option<Cow<'a, str>>,
    local: EndpointEntry,
    remote: Option<EndpointEntry>,
    /// The missing thing that it is bound to: `address` or `interface`.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'static str>,
    inode: Option<u32>,
    cookie: Option<String>,
    uid: Option<u32>,
    user: Option<Cow<'a, str>>,
    owners: Vec<OwnerEntry>,
    unowned: Option<UnownedEntry<'a>>,
    recv_queue: u32,
    send_queue: Option<u32>,
    urgency: &'static str,
    drops: Option<u32>,
    buffers: Option<BuffersEntry>,
    timer: Option<TimerEntry>,
    state_age: AgeEntry,
    tcp_info: Option<InfoEntry<'a>>,
}

impl<'a> SocketEntry<'a> {
    pub(super) fn of(
        row: &Row,
        urgency: Urgency,
        observation: &'a Observation,
        portraits: &OwnerFactsCache,
    ) -> Self {
        let socket = &row.socket;
        let memory = observation.socket_memory(row);
        let uid = socket.known_uid();
        Self {
            protocol: socket.protocol.word(),
            family: socket.family().word(),
            v6only: socket.is_v6_only(),
            state: state(socket.state),
            namespace: (socket.namespace != 0).then_some(socket.namespace),
            namespace_name: observation
                .namespace(socket)
                .and_then(|namespace| Some(text(namespace.name.as_ref()?))),
            local: EndpointEntry::of(socket.local, socket, observation),
            remote: socket
                .peer()
                .map(|peer| EndpointEntry::of(peer, socket, observation)),
            lost: observation
                .missing_bind_target(socket)
                .map(MissingBindTarget::key),
            inode: socket.inode.map(std::num::NonZeroU32::get),
            cookie: socket.cookie.map(|cookie| format!("{cookie:x}")),
            uid,
            user: user(uid, observation),
            owners: observation
                .owners(row)
                .map(|(process, fds)| portraits.owner(process, fds, observation))
                .collect(),
            unowned: row
                .no_owner_reason
                .map(|reason| UnownedEntry::of(reason, row, observation)),
            recv_queue: socket.recv_queue,
            send_queue: send_queue(socket),
            urgency: urgency.key(),
            drops: memory.and_then(|memory| memory.drops),
            buffers: memory
                .and_then(|memory| memory.buffers)
                .map(BuffersEntry::of),
            timer: socket.timer.map(TimerEntry::of),
            state_age: AgeEntry::of(row, observation),
            tcp_info: observation.detail(row).map(InfoEntry::of),
        }
    }
}

pub(super) fn state(state: State) -> Cow<'static, str> {
    match state {
        State::Unknown(number) => format!("unknown_{number}").into(),
        known => known.key().into(),
    }
}

pub(super) fn user(uid: Option<u32>, observation: &Observation) -> Option<Cow<'_, str>> {
    Some(text(observation.user(uid?)?))
}

/// `/proc` has no backlog and always reports 0 for it, which is not a number.
fn send_queue(socket: &Socket) -> Option<u32> {
    match socket.state {
        State::Listen => socket.backlog(),
        _ => Some(socket.send_queue),
    }
}

#[derive(Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "in the contract the unit is part of a name"
)]
struct BuffersEntry {
    receive_used_bytes: u32,
    receive_buffer_bytes: u32,
    send_used_bytes: u32,
    send_buffer_bytes: u32,
}

impl BuffersEntry {
    fn of(buffers: Buffers) -> Self {
        Self {
            receive_used_bytes: buffers.receive_used,
            receive_buffer_bytes: buffers.receive_limit,
            send_used_bytes: buffers.send_used,
            send_buffer_bytes: buffers.send_limit,
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct EndpointEntry {
    address: String,
    port: u16,
    interface: Option<String>,
}

impl EndpointEntry {
    pub(super) fn of(endpoint: Endpoint, socket: &Socket, observation: &Observation) -> Self {
        let index = (socket.interface != 0).then_some(socket.interface);
        Self {
            address: endpoint.address().to_string(),
            port: endpoint.port,
            interface: index.map(|index| {
                observation
                    .interface(socket)
                    .map_or_else(|| format!("#{index}"), lossy_string)
            }),
        }
    }
}

#[derive(Serialize)]
struct UnownedEntry<'a> {
    reason: &'static str,
    listener: Option<ListenerEntry>,
    last_owner: Option<LastOwnerEntry<'a>>,
    /// The unit or container whose process created the socket.
    opened_by_unit: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct ListenerEntry {
    #[serde(flatten)]
    place: EndpointEntry,
    pids: Vec<u32>,
}

#[derive(Serialize)]
struct LastOwnerEntry<'a> {
    pid: u32,
    name: Option<Cow<'a, str>>,
}

impl<'a> UnownedEntry<'a> {
    fn of(reason: NoOwnerReason, row: &Row, observation: &'a Observation) -> Self {
        let queued = matches!(
            reason,
            NoOwnerReason::ListenerRequest | NoOwnerReason::AcceptQueue
        );
        let listener = queued
            .then(|| {
                let listener = observation.best_listeners(row).next()?;
                let place = EndpointEntry::of(listener.socket.local, &listener.socket, observation);
                let owners = observation.owners(listener);
                let pids = owners.map(|(process, _)| process.pid).collect();
                Some(ListenerEntry { place, pids })
            })
            .flatten();
        Self {
            reason: reason.key(),
            listener,
            last_owner: observation.last_owner(row).map(|process| LastOwnerEntry {
                pid: process.pid,
                name: (!process.name.is_empty()).then(|| text(&process.name)),
            }),
            opened_by_unit: observation.opener(row).map(|unit| text(unit.text())),
        }
    }
}

#[derive(Serialize)]
struct TimerEntry {
    kind: Cow<'static, str>,
    expires_ms: u32,
    retransmits: u8,
}

impl TimerEntry {
    fn of(timer: Timer) -> Self {
        Self {
            kind: match timer.kind {
                TimerKind::Unknown(number) => format!("unknown_{number}").into(),
                known => known.key().into(),
            },
            expires_ms: timer.expires_ms,
            retransmits: timer.retransmits,
        }
    }
}

/// The time in the present state.
#[derive(Serialize)]
struct AgeEntry {
    at_least_ms: u64,
    /// False if it may be older.
    exact: bool,
}

impl AgeEntry {
    fn of(row: &Row, observation: &Observation) -> Self {
        let age = observation.state_age(row);
        Self {
            at_least_ms: u64::try_from(age.at_least.as_millis()).unwrap_or(u64::MAX),
            exact: age.is_exact,
        }
    }
}

/// The text; bytes that are not UTF-8 become U+FFFD.
pub(super) fn text(text: &Text) -> Cow<'_, str> {
    String::from_utf8_lossy(text.raw())
}

pub(super) fn lossy_string(value: &Text) -> String {
    text(value).into_owned()
}

pub(super) fn is_utf8(text: &Text) -> bool {
    std::str::from_utf8(text.raw()).is_ok()
}

/// The bytes in hexadecimal, for a text that is not UTF-8.
pub(super) fn non_utf8_hex(text: &Text) -> Option<String> {
    (!is_utf8(text)).then(|| hexadecimal(text.raw()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// RFC 3339 in UTC; whole seconds without a fraction.
pub(super) fn timestamp(wall_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(wall_ms);
    if wall_ms.is_multiple_of(1000) {
        humantime::format_rfc3339_seconds(time).to_string()
    } else {
        humantime::format_rfc3339_millis(time).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_utf8_bytes_are_added_in_hexadecimal() {
        let name = Text::new(b"a\xff");
        assert_eq!(text(&name), "a\u{fffd}");
        assert_eq!(non_utf8_hex(&name).as_deref(), Some("61ff"));
        assert_eq!(non_utf8_hex(&Text::from("ordinary\u{202e}")), None);
    }

    /// The column, a filter and JSON have the same age, and the same bound.
    #[test]
    fn ages_agree_everywhere() {
        use crate::explain::catalogue::{Catalogue, Language};
        use crate::filter::test_world::{row, world};
        use crate::filter::{Filter, Matcher, Truth};
        use crate::listing::{Column, cell};
        use crate::model::protocol::Protocol;
        use crate::model::row::Phase;
        let mut world = world();
        let mut waits = row(
            Protocol::Tcp,
            State::TimeWait,
            "127.0.0.1:80",
            "127.0.0.1:40000",
        );
        waits.saw_state_entry = false;
        waits.state_since = world.time.timestamp();
        waits.socket.timer = Some(Timer {
            kind: TimerKind::TimeWait,
            expires_ms: 38_000,
            retransmits: 0,
        });
        let mut rows = world.rows.to_vec();
        rows.push(waits);
        world.rows = rows.into();
        let filter = Filter::parse("age < 365d").unwrap();
        let matcher = Matcher::new(&filter, &world);
        let words = Catalogue::of(Language::English);
        let (mut exact, mut bounds) = (0, 0);
        let open = world.rows.iter().filter(|row| row.phase != Phase::Closed);
        for row in open {
            let age = AgeEntry::of(row, &world);
            let shown = cell(Column::Age, row, &world, false, words)
                .text
                .to_string();
            assert_eq!(shown.starts_with('≥'), !age.exact, "{shown}");
            let answer = if age.exact {
                Truth::Yes
            } else {
                Truth::Unknown
            };
            assert_eq!(matcher.evaluate(row), answer, "{shown}");
            *(if age.exact { &mut exact } else { &mut bounds }) += 1;
        }
        assert!(exact > 1 && bounds > 0, "{exact} {bounds}");
        let age = AgeEntry::of(&waits, &world);
        assert_eq!((age.at_least_ms, age.exact), (22_000, true));
        let shown = cell(Column::Age, &waits, &world, false, words).text;
        assert_eq!(shown.to_string(), "22s");
        let is_that_old = Filter::parse("age = 22s").unwrap();
        assert!(is_that_old.matches(&waits, &world));
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(timestamp(1_795_341_600_123), "2026-11-22T10:00:00.123Z");
        assert_eq!(timestamp(1_795_341_600_000), "2026-11-22T10:00:00Z");
    }

    #[test]
    fn the_proc_table_has_no_backlog() {
        let mut socket = Socket {
            cookie: None,
            local: Endpoint::default(),
            remote: Endpoint::default(),
            inode: None,
            uid: 0,
            interface: 0,
            recv_queue: 0,
            send_queue: 0,
            namespace: 0,
            timer: None,
            protocol: crate::model::protocol::Protocol::Tcp,
            socket_family: crate::model::protocol::IpFamily::Inet.into(),
            state: State::Listen,
        };
        assert_eq!(send_queue(&socket), None);
        socket.cookie = std::num::NonZeroU64::new(1);
        assert_eq!(send_queue(&socket), Some(0));
    }
}
