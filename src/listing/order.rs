//! The order of rows: total and stable, so that it never depends on the order in
//! which the kernel listed them.
//!
//! Every row has a key of plain numbers, and sorting compares only those; names
//! are ranked beforehand, once per process and user. Rows with equal keys are
//! ordered by their identity.

mod key;

use super::column::{Column, UnknownColumn};
use super::rank::Ranks;
use crate::explain::urgency::{Urgencies, Urgency};
use crate::filter::services;
use crate::model::finding::Severity;
use crate::model::observation::Observation;
use crate::model::owner::ProcessId;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::state::State;
use crate::model::timer::TimerKind;
use key::{Key, Packing, Place};
use std::cmp::Ordering;
use std::net::IpAddr;

/// Sort order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sort {
    /// The sort key.
    pub by: SortBy,
    /// Reverses the natural direction. Rows without a value in that column stay
    /// last.
    pub reverse: bool,
}

impl Sort {
    /// Returns the order in a given direction, whatever the natural one is.
    #[must_use]
    pub fn directed(by: SortBy, descending: bool) -> Self {
        Self {
            by,
            reverse: descending != by.descends(),
        }
    }

    /// The sort column; none in the default order.
    #[must_use]
    pub fn column(self) -> Option<Column> {
        match self.by {
            SortBy::Default => None,
            SortBy::Column(column) => Some(column),
        }
    }

    /// True if the largest value comes first.
    #[must_use]
    pub fn is_descending(self) -> bool {
        self.reverse != self.by.descends()
    }
}

/// Sort key of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SortBy {
    /// Rows of alarms, urgent rows, rows of other findings by severity, then
    /// listeners, then by process and port, then rows without an owner, and
    /// `TIME_WAIT` last.
    #[default]
    Default,
    /// By the values of a column; among equal ones, as by default.
    Column(Column),
}

impl SortBy {
    /// Parses `default`, or the name of a column.
    ///
    /// # Errors
    ///
    /// If there is no such column.
    pub fn from_word(word: &str) -> Result<Self, UnknownColumn> {
        if word.eq_ignore_ascii_case("default") {
            return Ok(Self::Default);
        }
        Column::from_word(word).map(Self::Column)
    }

    /// True if the natural direction is from the largest value to the smallest.
    fn descends(self) -> bool {
        matches!(self, Self::Column(column) if column.descends())
    }

    /// True if tables must be read with TCP metrics.
    #[must_use]
    pub fn needs_flows(self) -> bool {
        matches!(self, Self::Column(column) if column.is_of_flow())
    }

    /// The name accepted by [`Self::from_word`].
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Column(column) => column.key(),
        }
    }
}

/// Prefix of a peer's address, IPv4 before IPv6, and the port if it fits.
fn peer(row: &Row) -> u64 {
    let end = row.socket.remote;
    match end.address() {
        IpAddr::V4(v4) => u64::from(u32::from(v4)) << 16 | u64::from(end.port),
        IpAddr::V6(v6) => {
            let [first, second, third, fourth, ..] = v6.segments().map(u64::from);
            1 << 63 | (first << 48 | second << 32 | third << 16 | fourth) >> 1
        }
    }
}

/// Sorts rows of an observation.
pub(super) fn sort(
    observation: &Observation,
    urgencies: &Urgencies,
    by: Sort,
    rows: impl Iterator<Item = u32>,
) -> Vec<u32> {
    let ranks = Ranks::new(observation);
    let all = &observation.rows;
    let row = |number: u32| all.get(number as usize);
    let key = |number: u32| {
        let urgency = urgencies.at(number);
        row(number).map_or(Key::LAST, |row| key(row, urgency, observation, by, &ranks))
    };
    let mut order = Vec::with_capacity(all.len());
    order.extend(rows.map(Place::of));
    // A class, a process and a port, and then the peer.
    let short = (by.by == SortBy::Default && !by.reverse).then_some(Packing::SHORT);
    key::sort(&mut order, short, &key, &|left, right| {
        let rows = row(left).zip(row(right));
        rows.map_or(Ordering::Equal, |(left, right)| identity(left, right))
    });
    order.into_iter().map(Place::row).collect()
}

/// Order of different sockets with equal keys.
fn identity(left: &Row, right: &Row) -> Ordering {
    let parts = |row: &Row| {
        let socket = &row.socket;
        (
            (socket.remote, socket.local, socket.protocol),
            (socket.inode, socket.namespace, socket.cookie),
            // A pair of addresses may return while the old row is still shown.
            (row.first_seen, socket.state),
        )
    };
    parts(left).cmp(&parts(right))
}

fn key(row: &Row, urgency: Urgency, observation: &Observation, by: Sort, ranks: &Ranks) -> Key {
    let usual = default_key(row, urgency, observation, ranks);
    let descending = by.is_descending();
    let key = match by.by {
        SortBy::Default => Key::new(Some(usual.into()), 0, descending),
        SortBy::Column(Column::Local) => Key::address(Some(row.socket.local), descending),
        SortBy::Column(Column::Remote) => Key::address(row.socket.peer(), descending),
        SortBy::Column(Column::Mark) => Key::new(mark(row, urgency), usual, descending),
        SortBy::Column(column) => {
            Key::new(value(column, row, observation, ranks), usual, descending)
        }
    };
    key.with_peer(peer(row))
}

/// The default order: eight bits for the class of a row, 32 for its process,
/// 16 for its port.
fn default_key(row: &Row, urgency: Urgency, observation: &Observation, ranks: &Ranks) -> u64 {
    let class: u64 = match (row.flagged, row.socket.state) {
        (Some(Severity::Alarm), _) => 0,
        _ if urgency == Urgency::Act => 1,
        (Some(Severity::Warn), _) => 2,
        (Some(Severity::Info), _) => 3,
        (None, State::Listen) => 4,
        (None, State::TimeWait) => 7,
        (None, _) if row.owners.count > 0 => 5,
        (None, _) => 6,
    };
    let process = holder(row, observation)
        .or_else(|| row.last_owner.map(LastOwner::process))
        .map_or(u32::MAX, |process| ranks.process(process));
    class << 48 | u64::from(process) << 16 | u64::from(row.socket.local.port)
}

/// The mark of a row as a number, larger for more important marks; none if it has
/// no mark.
fn mark(row: &Row, urgency: Urgency) -> Option<u128> {
    Some(match (urgency, row.phase) {
        (Urgency::Act, _) => 8,
        (Urgency::Look, _) => 7,
        (Urgency::Normal, Phase::New) => 3,
        (Urgency::Normal, Phase::Changed { .. }) => 2,
        (Urgency::Normal, Phase::Closed) => 1,
        (Urgency::Normal, Phase::Steady) => match row.flagged? {
            Severity::Alarm => 6,
            Severity::Warn => 5,
            Severity::Info => 4,
        },
    })
}

/// Sort value of a row in a column other than those of addresses and marks; none
/// if the cell is empty.
fn value(column: Column, row: &Row, observation: &Observation, ranks: &Ranks) -> Option<u128> {
    let socket = &row.socket;
    let listens = socket.state == State::Listen;
    if row.phase == Phase::Closed && column.is_measured() {
        // A closed row has no size, rate or time.
        return None;
    }
    Some(match column {
        Column::Process => ranks.process(holder(row, observation)?).into(),
        Column::Pid => observation.first_owner(row)?.pid.into(),
        Column::User => ranks.user(observation, socket.user()?).into(),
        Column::Proto => (socket.protocol as u128) << 8 | socket.family() as u128,
        Column::State | Column::Awaits => match socket.state {
            State::Unknown(number) => 0x100 + u128::from(number),
            known => State::ALL.iter().position(|state| *state == known)? as u128,
        },
        Column::Age => observation.state_age(row).at_least.as_millis(),
        Column::Timer => {
            let timer = socket.timer?;
            let kind = match timer.kind {
                TimerKind::Unknown(number) => 0x100 + u128::from(number),
                known => TimerKind::ALL.iter().position(|kind| *kind == known)? as u128,
            };
            u128::from(timer.expires_ms) << 16 | kind
        }
        Column::RecvQ => socket.recv_queue.into(),
        Column::SendQ if listens => socket.backlog()?.into(),
        Column::SendQ => socket.send_queue.into(),
        Column::Rtt => observation.table_flow(row)?.rtt_us?.into(),
        Column::Retrans => observation.retransmits(row)?.into(),
        Column::Rx => observation.table_flow(row)?.rx?.bytes().into(),
        Column::Tx => observation.table_flow(row)?.tx?.bytes().into(),
        Column::Service => beginning(services::of(socket)?),
        Column::Unit => match holder(row, observation) {
            Some(process) => ranks.unit(process)?.into(),
            None => ranks.opener(row, observation)?.into(),
        },
        Column::Netns => match observation.namespace(socket) {
            Some(known) if known.own => 0,
            Some(known) => {
                let name = known.name.as_ref().map_or("", |name| name.as_str());
                1 << 127 | beginning(name) >> 1
            }
            None => return None,
        },
        Column::Inode => socket.inode?.get().into(),
        Column::Interface if socket.interface == 0 => return None,
        Column::Interface => match observation.interface(socket) {
            Some(name) => beginning(name.as_str()),
            None => socket.interface.into(),
        },
        Column::Drops => observation.drops(row)?.into(),
        Column::Local | Column::Remote | Column::Mark => return None,
    })
}

/// The first sixteen bytes of a name as a number of the same order. Names of
/// services and interfaces are never longer than fifteen.
fn beginning(name: &str) -> u128 {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    u128::from_be_bytes(bytes)
}

fn holder(row: &Row, observation: &Observation) -> Option<ProcessId> {
    let first = row.owners.of(&observation.holders).first()?;
    Some(first.process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sample::{
        AVAHI, CURL_CONNECTS, CURL_WAS, HALF_OPEN, HIDDEN, JAVA, LINK_LOCAL, NGINX, NGINX_LISTENS,
        ODD, RESOLVER, SSH_LISTENS, crowd, row, with_openers, world,
    };
    use crate::model::owner::OwnerSpan;
    use crate::model::protocol::Protocol;
    use crate::model::time::Stamp;
    use crate::model::timer::Timer;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::num::{NonZeroU32, NonZeroU64};
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn units_that_opened_a_socket_are_sorted_among_those_of_processes() {
        for (opener, first) in [("a.service", HIDDEN), ("z.service", JAVA)] {
            let world = with_openers(world(), &[(HIDDEN, opener)]);
            let order = sorted(&world, SortBy::Column(Column::Unit), false);
            assert_eq!(order[0], first, "{opener}");
            assert!([HIDDEN, JAVA].contains(&order[1]), "{opener} {order:?}");
        }
    }

    fn sorted(world: &Observation, by: SortBy, reverse: bool) -> Vec<u32> {
        let rows = 0..u32::try_from(world.rows.len()).unwrap();
        sort(world, &Urgencies::default(), Sort { by, reverse }, rows)
    }

    #[test]
    fn the_default_order_puts_first_what_deserves_a_look() {
        let mut world = world();
        let usual = [
            NGINX_LISTENS,
            SSH_LISTENS,
            AVAHI,
            CURL_CONNECTS,
            JAVA,
            NGINX,
            LINK_LOCAL,
            RESOLVER,
            ODD,
            HALF_OPEN,
            HIDDEN,
            CURL_WAS,
        ];
        assert_eq!(sorted(&world, SortBy::Default, false), usual);
        let backwards: Vec<u32> = usual.iter().rev().copied().collect();
        assert_eq!(sorted(&world, SortBy::Default, true), backwards);

        let rows = Arc::make_mut(&mut world.rows);
        rows[CURL_WAS as usize].flagged = Some(Severity::Warn);
        rows[RESOLVER as usize].flagged = Some(Severity::Alarm);
        rows[SSH_LISTENS as usize].flagged = Some(Severity::Info);
        let first = &sorted(&world, SortBy::Default, false)[..4];
        assert_eq!(first, [RESOLVER, CURL_WAS, SSH_LISTENS, NGINX_LISTENS]);
    }

    #[test]
    fn columns_sort_by_value_and_leave_the_empty_for_the_end() {
        let world = world();
        let cases: &[(Column, &[u32])] = &[
            (Column::Pid, &[RESOLVER, AVAHI, SSH_LISTENS, LINK_LOCAL]),
            (Column::Age, &[NGINX_LISTENS]),
            (Column::Timer, &[HALF_OPEN, ODD, CURL_CONNECTS, JAVA]),
            (Column::Service, &[ODD, RESOLVER, JAVA]),
            (Column::Interface, &[LINK_LOCAL, NGINX_LISTENS]),
            (Column::Rtt, &[LINK_LOCAL, JAVA, NGINX_LISTENS]),
            (Column::Rx, &[LINK_LOCAL, JAVA, NGINX_LISTENS]),
            (Column::Mark, &[CURL_CONNECTS, NGINX, CURL_WAS]),
            (Column::Local, &[SSH_LISTENS, NGINX_LISTENS, ODD, HIDDEN]),
            (Column::Remote, &[ODD, HIDDEN, RESOLVER, NGINX, HALF_OPEN]),
            (Column::User, &[CURL_CONNECTS, JAVA, NGINX_LISTENS]),
            (Column::State, &[NGINX_LISTENS, SSH_LISTENS, CURL_CONNECTS]),
            (Column::Proto, &[NGINX_LISTENS, SSH_LISTENS, CURL_CONNECTS]),
        ];
        let directed = |column, descending| {
            let sort = Sort::directed(SortBy::Column(column), descending);
            assert_eq!(sort.is_descending(), descending);
            sorted(&world, sort.by, sort.reverse)
        };
        for (column, first) in cases {
            let order = directed(*column, *column == Column::Mark);
            assert_eq!(&order[..first.len()], *first, "{column:?}");
        }
        let backwards = |column| directed(column, true);
        assert_eq!(backwards(Column::Pid)[..2], [CURL_CONNECTS, JAVA]);
        assert_eq!(backwards(Column::Inode)[0], NGINX_LISTENS);
        assert_eq!(backwards(Column::Rtt)[..2], [JAVA, LINK_LOCAL]);
        assert_eq!(backwards(Column::Retrans)[..2], [JAVA, CURL_CONNECTS]);
        assert_eq!(backwards(Column::RecvQ)[..2], [JAVA, NGINX]);
        assert_eq!(backwards(Column::Age)[..2], [SSH_LISTENS, JAVA]);
        assert_eq!(backwards(Column::Remote)[..2], [LINK_LOCAL, JAVA]);
        // Rows without a process, in both directions.
        for reverse in [false, true] {
            let order = sorted(&world, SortBy::Column(Column::Process), reverse);
            assert_eq!(order[8..], [ODD, HALF_OPEN, HIDDEN, CURL_WAS]);
        }
    }

    #[test]
    fn amounts_begin_with_the_largest_and_names_with_the_first() {
        let world = world();
        let natural = |column| sorted(&world, SortBy::Column(column), false);
        assert_eq!(natural(Column::RecvQ)[..2], [JAVA, NGINX]);
        assert_eq!(natural(Column::Age)[..2], [SSH_LISTENS, JAVA]);
        assert_eq!(natural(Column::Rtt)[..2], [JAVA, LINK_LOCAL]);
        assert_eq!(natural(Column::Pid)[0], RESOLVER);
        assert_eq!(natural(Column::User)[0], CURL_CONNECTS);
    }

    #[test]
    fn a_row_that_has_closed_comes_last_by_every_amount() {
        let mut world = world();
        Arc::make_mut(&mut world.rows)[JAVA as usize].phase = Phase::Closed;
        let rows = world.rows.len();
        for column in Column::ALL
            .into_iter()
            .filter(|column| column.is_measured())
        {
            for reverse in [false, true] {
                let order = sorted(&world, SortBy::Column(column), reverse);
                let place = order.iter().position(|row| *row == JAVA).unwrap();
                let valued = (0..rows)
                    .filter(|row| {
                        let ranks = Ranks::new(&world);
                        value(column, &world.rows[*row], &world, &ranks).is_some()
                    })
                    .count();
                assert!(place >= valued, "{column:?}: {order:?}");
            }
        }
    }

    #[test]
    fn urgent_rows_come_before_all_but_alarms() {
        let mut world = world();
        let rows = Arc::make_mut(&mut world.rows);
        rows[RESOLVER as usize].flagged = Some(Severity::Alarm);
        rows[AVAHI as usize].flagged = Some(Severity::Warn);
        let of = |row: &Row| match row.socket.tuple() {
            ends if ends == world.rows[JAVA as usize].socket.tuple() => Urgency::Act,
            ends if ends == world.rows[NGINX as usize].socket.tuple() => Urgency::Look,
            _ => Urgency::Normal,
        };
        let urgencies = Urgencies::new(&world, of);
        let counts = [Urgency::Act, Urgency::Look].map(|wanted| urgencies.count(wanted));
        assert_eq!(counts, [1, 1]);
        let by = |by| {
            let sort = super::Sort { by, reverse: false };
            super::sort(&world, &urgencies, sort, 0..12)
        };
        assert_eq!(by(SortBy::Default)[..3], [RESOLVER, JAVA, AVAHI]);
        let marked = by(SortBy::from_word("urgency").unwrap());
        assert_eq!(marked[..4], [JAVA, NGINX, RESOLVER, AVAHI]);
    }

    #[test]
    fn neighbouring_addresses_stay_apart() {
        let mut world = world();
        let rows = [
            "[2001:db8::2]:9",
            "[2001:db8::3]:1",
            "[2001:db8::2]:1",
            "[2001:db8::1]:5",
        ];
        let rows = rows.map(|local| row(Protocol::Tcp, State::Established, local, "[::9]:1"));
        world.rows = Arc::new(rows.to_vec());
        assert_eq!(
            sorted(&world, SortBy::Column(Column::Local), false),
            [3, 2, 0, 1]
        );
        assert_eq!(
            sorted(&world, SortBy::Column(Column::Local), true),
            [1, 0, 2, 3]
        );
    }

    fn every_order() -> impl Iterator<Item = SortBy> {
        let columns = Column::ALL.into_iter().map(SortBy::Column);
        columns.chain([SortBy::Default])
    }

    #[test]
    fn orders_answer_to_their_words() {
        for by in every_order() {
            assert_eq!(SortBy::from_word(by.key()), Ok(by));
        }
        let error = SortBy::from_word("prots").unwrap_err();
        assert_eq!(error.suggestion, Some("proto"));
    }

    /// Rows that are nearly equal.
    fn alike() -> impl Strategy<Value = Row> {
        let place = (
            0..State::ALL.len(),
            0_u8..3,
            0_u8..3,
            0_u16..3,
            any::<bool>(),
        );
        let identity = (0_u32..4, 0_u64..6, 0_u32..2);
        (place, identity).prop_map(
            |((state, local, remote, port, udp), (inode, cookie, since))| {
                let ends = ["0.0.0.0", "10.0.0.1", "[::1]"];
                let end = |place: u8| format!("{}:{port}", ends[usize::from(place)]);
                let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
                let mut row = row(protocol, State::ALL[state], &end(local), &end(remote));
                row.socket.inode = NonZeroU32::new(inode);
                row.socket.cookie = NonZeroU64::new(cookie);
                row.socket.interface = inode % 3;
                row.socket.timer = (cookie > 2).then_some(Timer {
                    kind: TimerKind::Retransmit,
                    expires_ms: since,
                    retransmits: 1,
                });
                row.owners = OwnerSpan {
                    start: inode,
                    count: u32::from(inode > 1),
                };
                row.first_seen = Stamp(since);
                row
            },
        )
    }

    proptest! {
        #[test]
        fn no_order_depends_on_the_order_of_the_input(
            (rows, shuffled) in proptest::collection::vec(alike(), 0..40).prop_flat_map(|mut rows| {
                let mut known = HashSet::new();
                rows.retain(|row| known.insert((row.socket.key(), row.first_seen.0)));
                (Just(rows.clone()), Just(rows).prop_shuffle())
            })
        ) {
            let mut one = world();
            one.rows = Arc::new(rows);
            let mut other = one.clone();
            other.rows = Arc::new(shuffled);
            for by in every_order() {
                for reverse in [false, true] {
                    let shown = |world: &Observation| -> Vec<String> {
                        let order = sorted(world, by, reverse);
                        order.iter().map(|place| format!("{:?}", world.rows[*place as usize])).collect()
                    };
                    prop_assert_eq!(shown(&one), shown(&other), "{:?}", by);
                }
            }
        }
    }

    fn measure(world: &Observation, what: &str) {
        for by in every_order() {
            let mut best = f64::MAX;
            for _ in 0..7 {
                let start = Instant::now();
                assert_eq!(sorted(world, by, false).len(), world.rows.len());
                best = best.min(start.elapsed().as_secs_f64() * 1000.0);
            }
            println!("{best:7.2} ms  by {}, {what}", by.key());
        }
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn how_long_sorting_a_hundred_thousand_rows_takes() {
        let mut world = crowd(100_000, 200);
        measure(&world, "owned by 200 processes");
        // A busy server without privilege: next to all keys are equal.
        for row in Arc::make_mut(&mut world.rows) {
            row.owners = OwnerSpan::default();
            row.socket.local.port = 443;
        }
        measure(&world, "of one port and no owner");
    }
}
