//! A socket table in the form in which two of them are compared, and the
//! program's own table in that form.

use super::namespace::program;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// What tells a socket from all others of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) protocol: &'static str,
    pub(crate) local: SocketAddr,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) inode: Option<u64>,
}

/// What is said of it. Where a table cannot know something it says none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) state: String,
    pub(crate) family: Option<String>,
    pub(crate) uid: Option<u32>,
    /// Descriptors by process.
    pub(crate) owners: BTreeMap<u32, BTreeSet<u32>>,
    pub(crate) recv: u64,
    pub(crate) send: Option<u64>,
    /// [`NONE`] where no timer runs.
    pub(crate) timer: Option<&'static str>,
    pub(crate) retransmits: Option<u64>,
    pub(crate) cookie: Option<String>,
    /// [`NONE`] where it is bound to none.
    pub(crate) interface: Option<String>,
}

/// That there is nothing, which is more than not to know.
pub(crate) const NONE: &str = "none";

pub(crate) type Table = BTreeMap<Key, Facts>;

/// What the program lists as JSON.
pub(crate) fn listed(arguments: &[&str]) -> Value {
    let output = Command::new(program())
        .args(["list", "--json"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sockets of a listing; `interfaces` says whether its source knows them.
pub(crate) fn table(listing: &Value, interfaces: bool) -> Table {
    let sockets = listing["sockets"].as_array().unwrap();
    let table: Table = sockets
        .iter()
        .map(|socket| row(socket, interfaces))
        .collect();
    assert_eq!(table.len(), sockets.len(), "a row is listed twice");
    table
}

fn row(socket: &Value, interfaces: bool) -> (Key, Facts) {
    let protocol = match socket["protocol"].as_str() {
        Some("tcp") => "tcp",
        Some("udp") => "udp",
        other => panic!("protocol {other:?}"),
    };
    let key = Key {
        protocol,
        local: endpoint(&socket["local"]).unwrap(),
        remote: endpoint(&socket["remote"]),
        inode: socket["inode"].as_u64(),
    };
    let timer = match socket["timer"]["kind"].as_str() {
        None => NONE,
        Some("retransmit") => "retransmit",
        Some("keepalive") => "keepalive",
        Some("time_wait") => "time_wait",
        Some("zero_window_probe") => "zero_window_probe",
        other => panic!("timer {other:?}"),
    };
    let retransmits = socket["timer"]["retransmits"].as_u64();
    let interface = socket["local"]["interface"].as_str().unwrap_or(NONE);
    let facts = Facts {
        state: socket["state"].as_str().unwrap().to_owned(),
        family: socket["family"].as_str().map(str::to_owned),
        uid: socket["uid"].as_u64().map(|uid| uid.try_into().unwrap()),
        owners: owners(&socket["owners"]),
        recv: socket["recv_queue"].as_u64().unwrap(),
        send: socket["send_queue"].as_u64(),
        timer: Some(timer),
        retransmits: retransmits.filter(|_| timer == "retransmit"),
        cookie: socket["cookie"].as_str().map(str::to_owned),
        interface: interfaces.then(|| interface.to_owned()),
    };
    (key, facts)
}

fn endpoint(value: &Value) -> Option<SocketAddr> {
    let address = value["address"].as_str()?.parse().unwrap();
    let port = value["port"].as_u64().unwrap().try_into().unwrap();
    Some(SocketAddr::new(address, port))
}

fn owners(value: &Value) -> BTreeMap<u32, BTreeSet<u32>> {
    let number = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
    let owners = value.as_array().unwrap().iter();
    owners
        .map(|owner| {
            let fds = owner["fds"].as_array().unwrap().iter();
            (number(&owner["pid"]), fds.map(number).collect())
        })
        .collect()
}

/// What two tables differ in.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) same: usize,
    pub(crate) missing: usize,
    pub(crate) extra: usize,
    pub(crate) other: usize,
    pub(crate) report: String,
}

/// Compares what is listed with what a witness says.
pub(crate) fn compare(listed: &Table, witness: &Table) -> Difference {
    let mut difference = Difference::default();
    for (key, expected) in witness {
        match listed.get(key) {
            None => {
                difference.missing += 1;
                let _ = writeln!(difference.report, "missing: {key:?} {expected:?}");
            }
            Some(found) if agrees(found, expected) => difference.same += 1,
            Some(found) => {
                difference.other += 1;
                let report = &mut difference.report;
                let _ = writeln!(report, "{key:?}\n  listed {found:?}\n  is     {expected:?}");
            }
        }
    }
    for (key, found) in listed.iter().filter(|(key, _)| !witness.contains_key(*key)) {
        difference.extra += 1;
        let _ = writeln!(difference.report, "extra: {key:?} {found:?}");
    }
    difference
}

/// Whether all agrees that both know.
fn agrees(found: &Facts, expected: &Facts) -> bool {
    fn same<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
        one.is_none() || other.is_none() || one == other
    }
    found.state == expected.state
        && same(found.family.as_ref(), expected.family.as_ref())
        && found.uid == expected.uid
        && found.owners == expected.owners
        && found.recv == expected.recv
        && same(found.send.as_ref(), expected.send.as_ref())
        && same(found.timer.as_ref(), expected.timer.as_ref())
        && same(found.retransmits.as_ref(), expected.retransmits.as_ref())
        && same(found.cookie.as_ref(), expected.cookie.as_ref())
        && same(found.interface.as_ref(), expected.interface.as_ref())
}
