//! The order of rows: total and stable, so that it never depends on the order in
//! which the kernel listed them.
//!
//! Every row has a key of plain numbers, and sorting compares only those; names
//! are ranked beforehand, once per process and user. Rows with equal keys are
//! ordered by their identity.

mod key;

use super::column::{Column, UnknownColumn};
use super::rank::Ranks;
use crate::explain::urgency::{RowUrgencies, Urgency};
use crate::filter::services;
use crate::model::finding::Severity;
use crate::model::observation::Observation;
use crate::model::owner::ProcessId;
use crate::model::row::{LastOwner, Phase, Row};
use crate::model::state::State;
use crate::model::timer::TimerKind;
use key::{KeyPacking, PackedRow, SortKey};
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
    pub fn with_direction(by: SortBy, descending: bool) -> Self {
        Self {
            by,
            reverse: descending != by.is_naturally_descending(),
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
        self.reverse != self.by.is_naturally_descending()
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
    fn is_naturally_descending(self) -> bool {
        matches!(self, Self::Column(column) if column.sorts_descending())
    }

    /// True if tables must be read with TCP metrics.
    #[must_use]
    pub fn needs_tcp_metrics(self) -> bool {
        matches!(self, Self::Column(column) if column.shows_tcp_metrics())
    }

    /// The name accepted by [`Self::from_word`].
    #[must_use]
    pub fn sort_key(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Column(column) => column.key(),
        }
    }
}

/// Prefix of a peer's address, IPv4 before IPv6, and the port if it fits.
fn peer_key(row: &Row) -> u64 {
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
pub(super) fn sort_rows(
    observation: &Observation,
    urgencies: &RowUrgencies,
    by: Sort,
    rows: impl Iterator<Item = u32>,
) -> Vec<u32> {
    let ranks = Ranks::new(observation);
    let all = &observation.rows;
    let row = |number: u32| all.get(number as usize);
    let key = |number: u32| {
        let urgency = urgencies.of_row_number(number);
        row(number).map_or(SortKey::LAST, |row| {
            key(row, urgency, observation, by, &ranks)
        })
    };
    let mut order = Vec::with_capacity(all.len());
    order.extend(rows.map(PackedRow::new));
    // A class, a process and a port, and then the peer.
    let short = (by.by == SortBy::Default && !by.reverse).then_some(KeyPacking::DEFAULT_ORDER);
    key::sort_packed(&mut order, short, &key, &|left, right| {
        let rows = row(left).zip(row(right));
        rows.map_or(Ordering::Equal, |(left, right)| {
            compare_identity(left, right)
        })
    });
    order.into_iter().map(PackedRow::row).collect()
}

/// Order of different sockets with equal keys.
fn compare_identity(left: &Row, right: &Row) -> Ordering {
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

fn key(row: &Row, urgency: Urgency, observation: &Observation, by: Sort, ranks: &Ranks) -> SortKey {
    let usual = default_key(row, urgency, observation, ranks);
    let descending = by.is_descending();
    let key = match by.by {
        SortBy::Default => SortKey::from_value(Some(usual.into()), 0, descending),
        SortBy::Column(Column::Local) => SortKey::from_address(Some(row.socket.local), descending),
        SortBy::Column(Column::Remote) => SortKey::from_address(row.socket.peer(), descending),
        SortBy::Column(Column::Mark) => {
            SortKey::from_value(mark_rank(row, urgency), usual, descending)
        }
        SortBy::Column(column) => SortKey::from_value(
            column_value(column, row, observation, ranks),
            usual,
            descending,
        ),
    };
    key.with_peer(peer_key(row))
}

/// The default order: eight bits for the class of a row, 32 for its process,
/// 16 for its port.
fn default_key(row: &Row, urgency: Urgency, observation: &Observation, ranks: &Ranks) -> u64 {
    let class: u64 = match (row.severity, row.socket.state) {
        (Some(Severity::Critical), _) => 0,
        _ if urgency == Urgency::Act => 1,
        (Some(Severity::Warning), _) => 2,
        (Some(Severity::Info), _) => 3,
        (None, State::Listen) => 4,
        (None, State::TimeWait) => 7,
        (None, _) if row.owners.count > 0 => 5,
        (None, _) => 6,
    };
    let process = first_holder(row, observation)
        .or_else(|| row.last_owner.map(LastOwner::process))
        .map_or(u32::MAX, |process| ranks.process(process));
    class << 48 | u64::from(process) << 16 | u64::from(row.socket.local.port)
}

/// The mark of a row as a number, larger for more important marks; none if it has
/// no mark.
fn mark_rank(row: &Row, urgency: Urgency) -> Option<u128> {
    Some(match (urgency, row.phase) {
        (Urgency::Act, _) => 8,
        (Urgency::Look, _) => 7,
        (Urgency::Normal, Phase::New) => 3,
        (Urgency::Normal, Phase::Changed { .. }) => 2,
        (Urgency::Normal, Phase::Closed) => 1,
        (Urgency::Normal, Phase::Unchanged) => match row.severity? {
            Severity::Critical => 6,
            Severity::Warning => 5,
            Severity::Info => 4,
        },
    })
}

/// Sort value of a row in a column other than those of addresses and marks; none
/// if the cell is empty.
fn column_value(
    column: Column,
    row: &Row,
    observation: &Observation,
    ranks: &Ranks,
) -> Option<u128> {
    let socket = &row.socket;
    let listens = socket.state == State::Listen;
    if row.phase == Phase::Closed && column.is_measured() {
        // A closed row has no size, rate or time.
        return None;
    }
    Some(match column {
        Column::Process => ranks.process(first_holder(row, observation)?).into(),
        Column::Pid => observation.first_owner(row)?.pid.into(),
        Column::User => ranks.user(observation, socket.known_uid()?).into(),
        Column::Proto => (socket.protocol as u128) << 8 | socket.family() as u128,
        Column::State | Column::WaitsFor => match socket.state {
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
        Column::Rtt => observation.table_metrics(row)?.rtt_us?.into(),
        Column::Retrans => observation.retransmits(row)?.into(),
        Column::Rx => observation
            .table_metrics(row)?
            .rx_rate?
            .bytes_per_second()
            .into(),
        Column::Tx => observation
            .table_metrics(row)?
            .tx_rate?
            .bytes_per_second()
            .into(),
        Column::Service => prefix_key(services::service_of(socket)?),
        Column::Unit => match first_holder(row, observation) {
            Some(process) => ranks.unit(process)?.into(),
            None => ranks.opener(row, observation)?.into(),
        },
        Column::Netns => match observation.namespace(socket) {
            Some(known) if known.is_current => 0,
            Some(known) => {
                let name = known.name.as_ref().map_or("", |name| name.as_str());
                1 << 127 | prefix_key(name) >> 1
            }
            None => return None,
        },
        Column::Inode => socket.inode?.get().into(),
        Column::Interface if socket.interface == 0 => return None,
        Column::Interface => match observation.interface(socket) {
            Some(name) => prefix_key(name.as_str()),
            None => socket.interface.into(),
        },
        Column::Drops => observation.drops(row)?.into(),
        Column::Local | Column::Remote | Column::Mark => return None,
    })
}

/// The first sixteen bytes of a name as a number of the same order. Names of
/// services and interfaces are never longer than fifteen.
fn prefix_key(name: &str) -> u128 {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    u128::from_be_bytes(bytes)
}

fn first_holder(row: &Row, observation: &Observation) -> Option<ProcessId> {
    let first = row.owners.resolve(&observation.holders).first()?;
    Some(first.process)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::{
        AVAHI_UDP, CURL_SYN_SENT, CURL_TIME_WAIT, HALF_OPEN, HIDDEN_OWNER, JAVA_CLOSE_WAIT,
        LINK_LOCAL, NGINX_CONNECTION, NGINX_LISTENER, RESOLVER_UDP, SSH_LISTENER, UNKNOWN_STATE,
        large_world, row, with_openers, world,
    };
    use crate::model::owner::OwnerSpan;
    use crate::model::protocol::Protocol;
    use crate::model::time::Timestamp;
    use crate::model::timer::Timer;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::num::{NonZeroU32, NonZeroU64};
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn units_that_opened_a_socket_are_sorted_among_those_of_processes() {
        for (opener, first) in [("a.service", HIDDEN_OWNER), ("z.service", JAVA_CLOSE_WAIT)] {
            let world = with_openers(world(), &[(HIDDEN_OWNER, opener)]);
            let order = sorted(&world, SortBy::Column(Column::Unit), false);
            assert_eq!(order[0], first, "{opener}");
            assert!(
                [HIDDEN_OWNER, JAVA_CLOSE_WAIT].contains(&order[1]),
                "{opener} {order:?}"
            );
        }
    }

    fn sorted(world: &Observation, by: SortBy, reverse: bool) -> Vec<u32> {
        let rows = 0..u32::try_from(world.rows.len()).unwrap();
        sort_rows(world, &RowUrgencies::default(), Sort { by, reverse }, rows)
    }

    #[test]
    fn default_order_puts_urgent_rows_first() {
        let mut world = world();
        let usual = [
            NGINX_LISTENER,
            SSH_LISTENER,
            AVAHI_UDP,
            CURL_SYN_SENT,
            JAVA_CLOSE_WAIT,
            NGINX_CONNECTION,
            LINK_LOCAL,
            RESOLVER_UDP,
            UNKNOWN_STATE,
            HALF_OPEN,
            HIDDEN_OWNER,
            CURL_TIME_WAIT,
        ];
        assert_eq!(sorted(&world, SortBy::Default, false), usual);
        let backwards: Vec<u32> = usual.iter().rev().copied().collect();
        assert_eq!(sorted(&world, SortBy::Default, true), backwards);

        let rows = Arc::make_mut(&mut world.rows);
        rows[CURL_TIME_WAIT as usize].severity = Some(Severity::Warning);
        rows[RESOLVER_UDP as usize].severity = Some(Severity::Critical);
        rows[SSH_LISTENER as usize].severity = Some(Severity::Info);
        let first = &sorted(&world, SortBy::Default, false)[..4];
        assert_eq!(
            first,
            [RESOLVER_UDP, CURL_TIME_WAIT, SSH_LISTENER, NGINX_LISTENER]
        );
    }

    #[test]
    fn columns_sort_by_value_with_empty_cells_last() {
        let world = world();
        let cases: &[(Column, &[u32])] = &[
            (
                Column::Pid,
                &[RESOLVER_UDP, AVAHI_UDP, SSH_LISTENER, LINK_LOCAL],
            ),
            (Column::Age, &[NGINX_LISTENER]),
            (
                Column::Timer,
                &[HALF_OPEN, UNKNOWN_STATE, CURL_SYN_SENT, JAVA_CLOSE_WAIT],
            ),
            (
                Column::Service,
                &[UNKNOWN_STATE, RESOLVER_UDP, JAVA_CLOSE_WAIT],
            ),
            (Column::Interface, &[LINK_LOCAL, NGINX_LISTENER]),
            (Column::Rtt, &[LINK_LOCAL, JAVA_CLOSE_WAIT, NGINX_LISTENER]),
            (Column::Rx, &[LINK_LOCAL, JAVA_CLOSE_WAIT, NGINX_LISTENER]),
            (
                Column::Mark,
                &[CURL_SYN_SENT, NGINX_CONNECTION, CURL_TIME_WAIT],
            ),
            (
                Column::Local,
                &[SSH_LISTENER, NGINX_LISTENER, UNKNOWN_STATE, HIDDEN_OWNER],
            ),
            (
                Column::Remote,
                &[
                    UNKNOWN_STATE,
                    HIDDEN_OWNER,
                    RESOLVER_UDP,
                    NGINX_CONNECTION,
                    HALF_OPEN,
                ],
            ),
            (
                Column::User,
                &[CURL_SYN_SENT, JAVA_CLOSE_WAIT, NGINX_LISTENER],
            ),
            (
                Column::State,
                &[NGINX_LISTENER, SSH_LISTENER, CURL_SYN_SENT],
            ),
            (
                Column::Proto,
                &[NGINX_LISTENER, SSH_LISTENER, CURL_SYN_SENT],
            ),
        ];
        let directed = |column, descending| {
            let sort = Sort::with_direction(SortBy::Column(column), descending);
            assert_eq!(sort.is_descending(), descending);
            sorted(&world, sort.by, sort.reverse)
        };
        for (column, first) in cases {
            let order = directed(*column, *column == Column::Mark);
            assert_eq!(&order[..first.len()], *first, "{column:?}");
        }
        let backwards = |column| directed(column, true);
        assert_eq!(
            backwards(Column::Pid)[..2],
            [CURL_SYN_SENT, JAVA_CLOSE_WAIT]
        );
        assert_eq!(backwards(Column::Inode)[0], NGINX_LISTENER);
        assert_eq!(backwards(Column::Rtt)[..2], [JAVA_CLOSE_WAIT, LINK_LOCAL]);
        assert_eq!(
            backwards(Column::Retrans)[..2],
            [JAVA_CLOSE_WAIT, CURL_SYN_SENT]
        );
        assert_eq!(
            backwards(Column::RecvQ)[..2],
            [JAVA_CLOSE_WAIT, NGINX_CONNECTION]
        );
        assert_eq!(backwards(Column::Age)[..2], [SSH_LISTENER, JAVA_CLOSE_WAIT]);
        assert_eq!(
            backwards(Column::Remote)[..2],
            [LINK_LOCAL, JAVA_CLOSE_WAIT]
        );
        // Rows without a process, in both directions.
        for reverse in [false, true] {
            let order = sorted(&world, SortBy::Column(Column::Process), reverse);
            assert_eq!(
                order[8..],
                [UNKNOWN_STATE, HALF_OPEN, HIDDEN_OWNER, CURL_TIME_WAIT]
            );
        }
    }

    #[test]
    fn amounts_begin_with_the_largest_and_names_with_the_first() {
        let world = world();
        let natural = |column| sorted(&world, SortBy::Column(column), false);
        assert_eq!(
            natural(Column::RecvQ)[..2],
            [JAVA_CLOSE_WAIT, NGINX_CONNECTION]
        );
        assert_eq!(natural(Column::Age)[..2], [SSH_LISTENER, JAVA_CLOSE_WAIT]);
        assert_eq!(natural(Column::Rtt)[..2], [JAVA_CLOSE_WAIT, LINK_LOCAL]);
        assert_eq!(natural(Column::Pid)[0], RESOLVER_UDP);
        assert_eq!(natural(Column::User)[0], CURL_SYN_SENT);
    }

    #[test]
    fn a_row_that_has_closed_comes_last_by_every_amount() {
        let mut world = world();
        Arc::make_mut(&mut world.rows)[JAVA_CLOSE_WAIT as usize].phase = Phase::Closed;
        let rows = world.rows.len();
        for column in Column::ALL
            .into_iter()
            .filter(|column| column.is_measured())
        {
            for reverse in [false, true] {
                let order = sorted(&world, SortBy::Column(column), reverse);
                let place = order
                    .iter()
                    .position(|row| *row == JAVA_CLOSE_WAIT)
                    .unwrap();
                let valued = (0..rows)
                    .filter(|row| {
                        let ranks = Ranks::new(&world);
                        column_value(column, &world.rows[*row], &world, &ranks).is_some()
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
        rows[RESOLVER_UDP as usize].severity = Some(Severity::Critical);
        rows[AVAHI_UDP as usize].severity = Some(Severity::Warning);
        let of = |row: &Row| match row.socket.tuple() {
            ends if ends == world.rows[JAVA_CLOSE_WAIT as usize].socket.tuple() => Urgency::Act,
            ends if ends == world.rows[NGINX_CONNECTION as usize].socket.tuple() => Urgency::Look,
            _ => Urgency::Normal,
        };
        let urgencies = RowUrgencies::new(&world, of);
        let counts = [Urgency::Act, Urgency::Look].map(|wanted| urgencies.count(wanted));
        assert_eq!(counts, [1, 1]);
        let by = |by| {
            let sort = super::Sort { by, reverse: false };
            super::sort_rows(&world, &urgencies, sort, 0..12)
        };
        assert_eq!(
            by(SortBy::Default)[..3],
            [RESOLVER_UDP, JAVA_CLOSE_WAIT, AVAHI_UDP]
        );
        let marked = by(SortBy::from_word("urgency").unwrap());
        assert_eq!(
            marked[..4],
            [JAVA_CLOSE_WAIT, NGINX_CONNECTION, RESOLVER_UDP, AVAHI_UDP]
        );
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
    fn orders_parse_their_names() {
        for by in every_order() {
            assert_eq!(SortBy::from_word(by.sort_key()), Ok(by));
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
                row.first_seen = Timestamp(since);
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
            println!("{best:7.2} ms  by {}, {what}", by.sort_key());
        }
    }

    /// Measures, with `cargo test --release -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement, not a test"]
    fn measure_sorting_a_hundred_thousand_rows() {
        let mut world = large_world(100_000, 200);
        measure(&world, "owned by 200 processes");
        // A busy server without privilege: next to all keys are equal.
        for row in Arc::make_mut(&mut world.rows) {
            row.owners = OwnerSpan::default();
            row.socket.local.port = 443;
        }
        measure(&world, "of one port and no owner");
    }
}
