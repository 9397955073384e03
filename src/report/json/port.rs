//! Use of one local port in the JSON contract, for a filter such as `:8080`. It is
//! owned, because its sockets may be read with a wider scope than the rest.

use super::entry::{EndpointEntry, lossy_string, state, user};
use crate::explain::port::{PortHolder, PortRole, PortStatus};
use crate::model::observation::Observation;
use serde::Serialize;
use std::time::Duration;

/// The use of one local port.
#[derive(Debug, Serialize)]
pub struct PortEntry {
    port: u16,
    /// [`crate::explain::port::PortVerdict::key`].
    verdict: &'static str,
    /// Connections accepted on it while a listener is there.
    accepted: usize,
    /// True if it is one of the ports for outgoing connections; null if the range is
    /// unknown.
    ephemeral: Option<bool>,
    /// Seconds until the last socket that only the kernel keeps ends, rounded up; null
    /// if that is unknown, or a program has the port.
    free_in_s: Option<u64>,
    /// Its holders in this network namespace, the most important first.
    holders: Vec<HolderEntry>,
    /// Its holders, and targets of its NAT, in other network namespaces.
    elsewhere: Vec<HolderEntry>,
    /// Targets to which NAT forwards connections to it.
    forwarded_to: Vec<TargetEntry>,
}

#[derive(Debug, Serialize)]
struct HolderEntry {
    /// `listener`, `bound`, `outgoing`, `connection`, `remnant` or `datagrams`.
    role: &'static str,
    /// The state of its sockets; null if it is not the same for all.
    state: Option<String>,
    /// Number of sockets.
    sockets: usize,
    /// Seconds until the last of them ends, for remnants with a timer.
    free_in_s: Option<u64>,
    /// Local ends, each once.
    local: Vec<EndpointEntry>,
    /// The peer, where there is one socket with a peer.
    remote: Option<EndpointEntry>,
    namespace: Option<u32>,
    pid: Option<u32>,
    process: Option<String>,
    uid: Option<u32>,
    user: Option<String>,
    /// The unit or container whose process created it, where no holder is known.
    opened_by_unit: Option<String>,
}

#[derive(Debug, Serialize)]
struct TargetEntry {
    address: String,
    port: u16,
    connections: u32,
}

impl PortEntry {
    /// The use of a port, with names from the observation it was found in.
    #[must_use]
    pub fn of(found: &PortStatus<'_>, seen: &Observation) -> Self {
        let all = |holders: &[PortHolder<'_>]| {
            let entries = holders.iter().map(|holder| HolderEntry::of(holder, seen));
            entries.collect()
        };
        Self {
            port: found.port(),
            verdict: found.verdict().key(),
            accepted: found.accepted(),
            ephemeral: found.is_ephemeral(),
            free_in_s: found.free_in().map(ceil_seconds),
            holders: all(found.here()),
            elsewhere: all(found.other_namespaces()),
            forwarded_to: found
                .forwardings()
                .iter()
                .map(|one| TargetEntry {
                    address: one.target.address().to_string(),
                    port: one.target.port,
                    connections: one.connections,
                })
                .collect(),
        }
    }
}

impl HolderEntry {
    fn of(holder: &PortHolder<'_>, seen: &Observation) -> Self {
        let socket = &holder.row.socket;
        let same_state = holder
            .rows
            .iter()
            .all(|row| row.socket.state == socket.state);
        let mut ends: Vec<_> = holder.rows.iter().map(|row| &row.socket).collect();
        ends.sort_by_key(|socket| (socket.local.address(), socket.interface));
        ends.dedup_by_key(|socket| (socket.local.address(), socket.interface));
        let peer = socket.peer().filter(|_| holder.rows.len() == 1);
        // The uid of a socket that only the kernel keeps is not that of an owner.
        let uid = socket
            .known_uid()
            .filter(|_| !matches!(holder.role, PortRole::KernelOnly(_)));
        Self {
            role: holder.role.key(),
            state: same_state.then(|| state(socket.state).into_owned()),
            sockets: holder.rows.len(),
            free_in_s: holder.remaining.map(ceil_seconds),
            local: ends
                .into_iter()
                .map(|socket| EndpointEntry::of(socket.local, socket, seen))
                .collect(),
            remote: peer.map(|peer| EndpointEntry::of(peer, socket, seen)),
            namespace: (socket.namespace != 0).then_some(socket.namespace),
            pid: holder.process.map(|process| process.pid),
            process: holder.process.map(|process| lossy_string(&process.name)),
            uid,
            user: user(uid, seen).map(std::borrow::Cow::into_owned),
            opened_by_unit: seen
                .opener(holder.row)
                .map(|unit| lossy_string(unit.text())),
        }
    }
}

/// Whole seconds, rounded up: before them the port is not free.
fn ceil_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::{process, row, with_openers};
    use crate::model::namespace::Namespace;
    use crate::model::namespace_addresses::NatForwarding;
    use crate::model::owner::{Holder as LinkTarget, OwnerSpan, ProcessId};
    use crate::model::protocol::Protocol;
    use crate::model::row::Row;
    use crate::model::state::State;
    use crate::model::timer::{Timer, TimerKind};
    use serde_json::{Value, json};
    use std::num::NonZeroU32;

    fn world(rows: Vec<Row>) -> Observation {
        let namespace = |id, own| Namespace {
            id,
            name: None,
            is_current: own,
            entry: None,
        };
        let mut world = Observation {
            processes: vec![process(812, "python3", "/usr/bin/python3")],
            holders: vec![LinkTarget {
                process: ProcessId(0),
                fd: 3,
            }],
            namespaces: vec![namespace(1, true), namespace(2, false)],
            rows: rows.into(),
            ..Observation::default()
        };
        world.limits.local_ports = Some((32_768, 60_999));
        world
    }

    fn entry(world: &Observation) -> Value {
        let found = PortStatus::of(8081, world);
        serde_json::to_value(PortEntry::of(&found, world)).unwrap()
    }

    fn remnant(state: State, peer: &str, left: Option<u32>) -> Row {
        let mut row = row(Protocol::Tcp, state, "127.0.0.1:8081", peer);
        row.socket.timer = left.map(|expires_ms| Timer {
            kind: TimerKind::TimeWait,
            expires_ms,
            retransmits: 0,
        });
        row
    }

    fn held(mut row: Row) -> Row {
        row.socket.inode = NonZeroU32::new(7);
        row.owners = OwnerSpan { start: 0, count: 1 };
        row
    }

    #[test]
    fn a_hidden_holder_has_the_unit_that_opened_the_socket() {
        use crate::model::owner::NoOwnerReason;
        let mut listener = row(Protocol::Tcp, State::Listen, "0.0.0.0:8081", "-");
        listener.socket.inode = NonZeroU32::new(7);
        listener.socket.uid = 33;
        listener.no_owner_reason = Some(NoOwnerReason::Hidden);
        let world = world(vec![listener]);
        assert_eq!(entry(&world)["holders"][0]["opened_by_unit"], Value::Null);
        let world = with_openers(world, &[(0, "web.service")]);
        let holder = &entry(&world)["holders"][0];
        assert_eq!(holder["opened_by_unit"], "web.service");
        assert_eq!(holder["pid"], Value::Null);
    }

    #[test]
    fn remnants_have_seconds_until_free() {
        let world = world(vec![
            remnant(State::TimeWait, "127.0.0.1:40000", Some(58_700)),
            remnant(State::TimeWait, "127.0.0.1:40001", Some(2_000)),
            remnant(State::FinWait2, "127.0.0.1:40002", Some(30_001)),
        ]);
        let entry = entry(&world);
        assert_eq!(entry["port"], 8081);
        assert_eq!(entry["verdict"], "remnants");
        // A FIN_WAIT2 may become a TIME_WAIT of a whole minute.
        assert_eq!(entry["free_in_s"], 91);
        assert_eq!(entry["ephemeral"], false);
        let told: Vec<_> = entry["holders"]
            .as_array()
            .unwrap()
            .iter()
            .map(|holder| (&holder["state"], &holder["sockets"], &holder["free_in_s"]))
            .collect();
        let (fin, wait) = (json!("fin_wait_2"), json!("time_wait"));
        assert_eq!(
            told,
            [
                (&fin, &json!(1), &json!(91)),
                (&wait, &json!(2), &json!(59)),
            ]
        );
        assert_eq!(entry["holders"][0]["role"], "remnant");
        assert_eq!(entry["holders"][0]["remote"]["port"], 40002);
        assert_eq!(entry["holders"][1]["remote"], Value::Null);
        assert_eq!(entry["holders"][0]["pid"], Value::Null);
    }

    #[test]
    fn seconds_are_null_where_they_are_unknown_or_mean_nothing() {
        let untimed = world(vec![
            remnant(State::TimeWait, "127.0.0.1:40000", Some(2_000)),
            remnant(State::LastAck, "127.0.0.1:40001", None),
        ]);
        assert_eq!(entry(&untimed)["free_in_s"], Value::Null);
        let taken = world(vec![
            remnant(State::TimeWait, "127.0.0.1:40000", Some(2_000)),
            held(row(
                Protocol::Tcp,
                State::Established,
                "127.0.0.1:8081",
                "127.0.0.1:443",
            )),
        ]);
        let taken = entry(&taken);
        assert_eq!(taken["verdict"], "taken");
        assert_eq!(taken["free_in_s"], Value::Null);
        let free = entry(&world(Vec::new()));
        assert_eq!(
            (&free["verdict"], &free["holders"]),
            (&json!("free"), &json!([]))
        );
    }

    #[test]
    fn owners_and_addresses_are_fields() {
        let listener = |local: &str| held(row(Protocol::Tcp, State::Listen, local, "-"));
        let mut other = listener("0.0.0.0:8081");
        other.socket.namespace = 2;
        let client = held(row(
            Protocol::Tcp,
            State::Established,
            "127.0.0.1:8081",
            "127.0.0.1:40000",
        ));
        let world = world(vec![
            listener("127.0.0.1:8081"),
            listener("192.0.2.1:8081"),
            client,
            other,
        ]);
        let entry = entry(&world);
        assert_eq!(entry["verdict"], "listened");
        assert_eq!(entry["accepted"], 1);
        let holder = &entry["holders"][0];
        assert_eq!(
            (&holder["pid"], &holder["process"]),
            (&json!(812), &json!("python3"))
        );
        let addresses: Vec<_> = holder["local"].as_array().unwrap().iter().collect();
        assert_eq!(addresses.len(), 2, "{holder}");
        assert_eq!(addresses[1]["address"], "192.0.2.1");
        assert_eq!(entry["elsewhere"][0]["namespace"], 2);
        let target = NatForwarding {
            target: row(Protocol::Tcp, State::Listen, "172.17.0.2:80", "-")
                .socket
                .local,
            connections: 3,
        };
        let found = PortStatus::of(8082, &world).with_forwardings(vec![target], &world);
        let forwarded = serde_json::to_value(PortEntry::of(&found, &world)).unwrap();
        assert_eq!(forwarded["verdict"], "forwarded");
        assert_eq!(
            forwarded["forwarded_to"],
            json!([{"address": "172.17.0.2", "port": 80, "connections": 3}])
        );
    }
}
