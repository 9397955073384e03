//! The program's list against independent readings of the same table, row by
//! row, in a namespace where nothing moves: the kernel's text tables, ss(8),
//! and the lab's own list of what it has parked.

use super::crowd::Crowd;
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use super::table::{Difference, Facts, Key, Table, compare, listed, table};
use super::witness;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use tcplens::lab::DeviceChoice;
use tcplens::lab::address_kind::AddressKind;
use tcplens::lab::rig_process::RigProcess;
use tcplens::lab::rig_socket::RigSocket;
use tcplens::lab::socket_kind::RigSocketKind;
use tcplens::model::protocol::Protocol;
use tcplens::model::state::State;

/// Everything read while the table stood still.
struct Readings {
    diag: Value,
    proc: Value,
    witness: Table,
    ss: Option<Table>,
}

/// Reads until the witness says the same before and after.
fn read_steadily() -> Readings {
    wait_for("a table that stands still", || {
        let before = witness::proc();
        let readings = Readings {
            diag: listed(&["--source", "sock-diag"]),
            proc: listed(&["--source", "proc"]),
            ss: witness::ss(),
            witness: witness::proc(),
        };
        (before == readings.witness).then_some(readings)
    })
}

/// With the device that is to be had.
pub(crate) fn agrees_row_by_row(namespace: &LabNamespace) -> Result<(), NotHere> {
    agree(namespace, DeviceChoice::Auto);
    Ok(())
}

/// With the device for those who may not open a better one.
pub(crate) fn agrees_on_a_pair_of_devices(namespace: &LabNamespace) -> Result<(), NotHere> {
    agree(namespace, DeviceChoice::Pair);
    Ok(())
}

fn agree(namespace: &LabNamespace, choice: DeviceChoice) {
    let parking = RigProcess::start(namespace, choice).unwrap();
    let crowd = Crowd::gather(namespace);
    let readings = read_steadily();
    drop(crowd);
    let proc = table(&readings.proc, false);
    let mut diag = table(&readings.diag, true);
    assert_parked(&parking, &diag, true);
    assert_parked(&parking, &proc, false);
    print_matrix(parking.sockets(), &diag, &proc, &readings);

    // Only sock_diag tells of sockets that merely have a port, and ss does not
    // ask for them: the lab is the witness.
    let is_bound = |facts: &Facts| facts.state == "bound_inactive";
    let bound: Table = diag.extract_if(.., |_, facts| is_bound(facts)).collect();
    let made = parking.sockets().iter();
    let made = made
        .filter(|made| made.kind == RigSocketKind::Bound)
        .count();
    assert_eq!(bound.len(), if tells_of_bound() { made } else { 0 });

    assert!(
        diag.values()
            .all(|row| row.cookie.is_some() && row.send.is_some())
    );
    for row in proc.values() {
        assert_eq!(row.send.is_none(), row.state == "listen", "{row:?}");
    }
    let witnesses = [
        ("/proc", Some(&readings.witness)),
        ("ss", readings.ss.as_ref()),
    ];
    for (name, witness) in witnesses {
        let Some(witness) = witness else {
            println!("{name} is not installed here");
            continue;
        };
        for (source, listed) in [("sock-diag", &diag), ("proc", &proc)] {
            let difference = compare(listed, witness);
            println!(
                "--source {source} against {name}: {} rows the same, {} missing, {} extra, {} different",
                difference.same, difference.missing, difference.extra, difference.other
            );
            assert_nothing(&difference, source, name);
        }
    }
    println!(
        "the lab's own list: {} sockets in both, and nothing else on its addresses; bound: {}",
        parking.sockets().len() - made,
        bound.len()
    );
}

fn assert_nothing(difference: &Difference, source: &str, witness: &str) {
    let wrong = difference.missing + difference.extra + difference.other;
    let Difference { report, .. } = difference;
    assert_eq!(wrong, 0, "--source {source} against {witness}:\n{report}");
}

fn key(parked: &RigSocket) -> Key {
    Key {
        protocol: match parked.kind.protocol() {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        },
        local: parked.local,
        remote: parked.remote,
        inode: parked.inode,
    }
}

/// Every socket that the lab has parked is listed as what it is, and no other
/// is listed for it.
fn assert_parked(parking: &RigProcess, listed: &Table, is_diag: bool) {
    let mut known = BTreeSet::new();
    let shown = |state| state != State::BoundInactive || (is_diag && tells_of_bound());
    for parked in parking.sockets() {
        let key = key(parked);
        let Some(found) = listed.get(&key) else {
            assert!(!shown(parked.state), "missing: {parked:?}");
            continue;
        };
        assert_eq!(found.state, parked.state.key(), "{parked:?}");
        let family = parked.path.family().word();
        assert_eq!(found.family.as_deref(), Some(family), "{parked:?}");
        let pids: Vec<u32> = found.owners.keys().copied().collect();
        assert_eq!(pids, parked.pids, "{parked:?}");
        if is_diag && parked.path == AddressKind::LinkLocal {
            assert_eq!(found.interface.as_deref(), Some("lab0"), "{parked:?}");
        }
        assert!(known.insert(key), "parked twice: {parked:?}");
    }
    let strangers: Vec<_> = listed
        .iter()
        .filter(|(key, facts)| {
            is_the_labs(key.local.ip()) || facts.owners.contains_key(&parking.pid())
        })
        .filter(|(key, _)| !known.contains(*key))
        .collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

fn is_the_labs(address: IpAddr) -> bool {
    AddressKind::ALL
        .iter()
        .any(|path| path.local_address() == address)
}

/// State by path, and in each field how many the lab parked and how many each
/// reading shows in that state.
fn print_matrix(parked: &[RigSocket], diag: &Table, proc: &Table, readings: &Readings) {
    let tables = [
        Some(diag),
        Some(proc),
        Some(&readings.witness),
        readings.ss.as_ref(),
    ];
    let mut counts: BTreeMap<(&str, State), BTreeMap<AddressKind, [usize; 5]>> = BTreeMap::new();
    for parked in parked {
        let state = (key(parked).protocol, parked.state);
        let field = counts.entry(state).or_default();
        let field = field.entry(parked.path).or_default();
        field[0] += 1;
        for (count, table) in field[1..].iter_mut().zip(tables) {
            let found = table.and_then(|table| table.get(&key(parked)));
            let is_right = |found: &Facts| found.state == parked.state.key();
            *count += usize::from(found.is_some_and(is_right));
        }
    }
    println!("parked · sock-diag · proc · /proc by other code · ss");
    let mut head = format!("{:<21}", "");
    for path in AddressKind::ALL {
        let _ = write!(head, "{:<21}", path.word());
    }
    println!("{}", head.trim_end());
    for ((protocol, state), paths) in &counts {
        let mut line = format!("{:<21}", format!("{protocol} {}", state.key()));
        for path in AddressKind::ALL {
            let field = paths.get(&path).copied().unwrap_or_default();
            let field = field.map(|count| count.to_string()).join(" · ");
            let _ = write!(line, "{field:<21}");
        }
        println!("{}", line.trim_end());
    }
    let sum = |place: usize| -> usize {
        let fields = counts.values().flat_map(BTreeMap::values);
        fields.map(|field| field[place]).sum()
    };
    println!(
        "{:<21}{}",
        "sum",
        [0, 1, 2, 3, 4]
            .map(|place| sum(place).to_string())
            .join(" · ")
    );
}

/// Whether this kernel tells of sockets that are only bound.
fn tells_of_bound() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next()) >= (6, 8)
}

/// Every row that nobody holds says why, and the reason is the right one.
pub(crate) fn says_why_nobody_holds_it(namespace: &LabNamespace) -> Result<(), NotHere> {
    let parking = RigProcess::start(namespace, DeviceChoice::Auto).unwrap();
    let readings = read_steadily();
    for (source, listing) in [("sock-diag", &readings.diag), ("proc", &readings.proc)] {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for socket in listing["sockets"].as_array().unwrap() {
            let owned = !socket["owners"].as_array().unwrap().is_empty();
            assert_eq!(socket["unowned"].is_null(), owned, "{socket}");
            if owned {
                continue;
            }
            assert!(
                socket["inode"].is_null() && socket["uid"].is_null(),
                "{socket}"
            );
            let expected = match socket["state"].as_str().unwrap() {
                "time_wait" => "time_wait",
                "syn_received" => "listener_request",
                "established" | "close_wait" => "accept_queue",
                "fin_wait_1" | "fin_wait_2" | "closing" | "last_ack" => "orphan",
                other => panic!("nobody holds {other}: {socket}"),
            };
            let unowned = &socket["unowned"];
            assert_eq!(unowned["reason"], expected, "{socket}");
            if matches!(expected, "listener_request" | "accept_queue") {
                let listener = &unowned["listener"];
                assert_eq!(listener["port"], socket["local"]["port"], "{socket}");
                let holder = u64::from(parking.pid());
                assert_eq!(listener["pids"][0].as_u64(), Some(holder), "{socket}");
            }
            *reasons.entry(expected.to_owned()).or_default() += 1;
        }
        println!("--source {source}: {reasons:?}");
        assert_eq!(reasons.len(), 4, "{reasons:?}");
    }
    Ok(())
}
