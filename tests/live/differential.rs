//! The program's list against independent readings of the same table, row by
//! row, in a namespace where nothing moves.

use super::namespace::{Namespace, NotHere};
use super::parked::Parked;
use super::patience::wait_for;
use super::table::{Difference, Facts, Table, compare, listed, table};
use super::witness;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

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

pub(crate) fn agrees_row_by_row(namespace: &Namespace) -> Result<(), NotHere> {
    let parked = Parked::everything(namespace);
    let readings = read_steadily();
    let proc = table(&readings.proc, false);
    let mut diag = table(&readings.diag, true);

    // Only sock_diag tells of sockets that merely have a port, and ss does not
    // ask for them: they are compared with those that were made.
    let is_bound = |facts: &Facts| facts.state == "bound_inactive";
    let bound: Table = diag.extract_if(.., |_, facts| is_bound(facts)).collect();
    assert_bound(&bound, &parked);
    assert!(!proc.values().any(is_bound));

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
    assert_everything_was_there(&readings.witness);
    println!("bound_inactive against those made: {} rows", bound.len());
    drop(parked);
    Ok(())
}

fn assert_nothing(difference: &Difference, source: &str, witness: &str) {
    let wrong = difference.missing + difference.extra + difference.other;
    let Difference { report, .. } = difference;
    assert_eq!(wrong, 0, "--source {source} against {witness}:\n{report}");
}

fn assert_bound(listed: &Table, parked: &Parked) {
    if !kernel_is_at_least(6, 8) {
        println!("this kernel does not tell of bound sockets");
        assert!(listed.is_empty());
        return;
    }
    let mut found: Vec<_> = listed
        .iter()
        .map(|(key, facts)| {
            assert_eq!((key.protocol, key.remote), ("tcp", None));
            let owners: Vec<u32> = facts.owners.keys().copied().collect();
            assert_eq!(owners, [std::process::id()]);
            (key.local, key.inode.unwrap())
        })
        .collect();
    let mut made = parked.bound.clone();
    found.sort_unstable();
    made.sort_unstable();
    assert_eq!(found, made);
}

fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|number| number.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next()) >= (major, minor)
}

/// A comparison of tables that lack a state would prove nothing of it.
fn assert_everything_was_there(table: &Table) {
    let mut states: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (key, facts) in table {
        *states.entry((key.protocol, &facts.state)).or_default() += 1;
    }
    let counted: Vec<String> = states
        .iter()
        .map(|((protocol, state), count)| format!("{protocol} {state} {count}"))
        .collect();
    println!("among them {}", counted.join(", "));
    for state in [
        "listen",
        "syn_sent",
        "syn_received",
        "established",
        "fin_wait_1",
        "fin_wait_2",
        "close_wait",
        "last_ack",
        "time_wait",
    ] {
        assert!(states.contains_key(&("tcp", state)), "nothing in {state}");
    }
    assert!(states.contains_key(&("udp", "unconnected")));
    assert!(states.contains_key(&("udp", "established")));
    let shared = table.values().filter(|facts| facts.owners.len() == 2);
    assert_eq!(shared.count(), 2, "two sockets have two owners");
}

/// Every row that nobody holds says why, and the reason is the right one.
pub(crate) fn says_why_nobody_holds_it(namespace: &Namespace) -> Result<(), NotHere> {
    let parked = Parked::everything(namespace);
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
                "fin_wait_1" | "fin_wait_2" | "last_ack" => "orphan",
                other => panic!("nobody holds {other}: {socket}"),
            };
            let unowned = &socket["unowned"];
            assert_eq!(unowned["reason"], expected, "{socket}");
            if matches!(expected, "listener_request" | "accept_queue") {
                let listener = &unowned["listener"];
                assert_eq!(listener["port"], socket["local"]["port"], "{socket}");
                let us = u64::from(std::process::id());
                assert_eq!(listener["pids"][0].as_u64(), Some(us), "{socket}");
            }
            *reasons.entry(expected.to_owned()).or_default() += 1;
        }
        println!("--source {source}: {reasons:?}");
        assert_eq!(reasons.len(), 4, "{reasons:?}");
    }
    drop(parked);
    Ok(())
}
