//! The `/proc` source against files captured from Linux 6.18 in a private
//! network namespace that held a socket in each of these states.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![cfg(target_endian = "little")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tcplens::model::gap::GapKind;
use tcplens::model::observation::Observation;
use tcplens::model::owner::NoOwnerReason;
use tcplens::model::protocol::IpFamily;
use tcplens::model::reading::SourceKind;
use tcplens::model::row::Row;
use tcplens::model::state::State;
use tcplens::model::timer::TimerKind;
use tcplens::monitor::Monitor;
use tcplens::source::live::{LiveOptions, LiveSource};
use tcplens::source::{ReadingSource, SourceChoice};

fn observe(root: &Path) -> std::sync::Arc<Observation> {
    let options = LiveOptions {
        source: SourceChoice::Proc,
        resolve_names: false,
        proc_root: root.to_path_buf(),
        ..LiveOptions::default()
    };
    let reading = LiveSource::open(&options).unwrap().read_table().unwrap();
    Monitor::default().fold(reading).unwrap()
}

fn captured() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured")
}

fn with_local_port(observation: &Observation, port: u16) -> Row {
    let found = observation
        .rows
        .iter()
        .find(|row| row.socket.local.port == port);
    *found.unwrap_or_else(|| panic!("port {port}"))
}

#[test]
fn every_row_of_the_captured_tables_is_there() {
    let observation = observe(&captured());
    assert_eq!(observation.source, SourceKind::Proc);
    assert_eq!(observation.gaps, []);
    let mut states: BTreeMap<State, u32> = BTreeMap::new();
    for row in observation.rows.iter() {
        *states.entry(row.socket.state).or_default() += 1;
    }
    let expected = [
        (State::Listen, 3),
        (State::SynSent, 1),
        (State::Established, 13),
        (State::FinWait2, 3),
        (State::TimeWait, 1),
        (State::CloseWait, 3),
        (State::Unconnected, 1),
    ];
    assert_eq!(states, BTreeMap::from(expected));
}

#[test]
fn the_fields_of_telling_rows_are_right() {
    let observation = observe(&captured());
    let knocking = with_local_port(&observation, 0xE6CE).socket;
    assert_eq!(knocking.local.to_string(), "192.0.2.10:59086");
    assert_eq!(knocking.remote.to_string(), "192.0.2.99:443");
    let timer = knocking.timer.unwrap();
    assert_eq!(timer.kind, TimerKind::Retransmit);
    assert_eq!((timer.expires_ms, timer.retransmits), (800, 1));
    let queue = with_local_port(&observation, 8443).socket;
    assert_eq!(queue.recv_queue, 2, "two wait to be accepted");
    assert_eq!(queue.backlog(), None, "/proc has no backlog");
    let unread = observation
        .rows
        .iter()
        .find(|row| row.socket.recv_queue == 33)
        .unwrap();
    assert_eq!(unread.socket.state, State::CloseWait);
    let mapped = with_local_port(&observation, 0x9ADE).socket;
    assert_eq!(mapped.remote.to_string(), "127.0.0.1:7070");
    let accepted = |row: &&Row| row.socket.local.port == 7070 && row.socket.peer().is_some();
    let accepted = observation.rows.iter().find(accepted).unwrap().socket;
    assert_eq!(accepted.local.to_string(), "127.0.0.1:7070");
    assert_eq!(
        accepted.family(),
        IpFamily::Inet6,
        "v4-mapped, opened for IPv6"
    );
}

#[test]
fn rows_without_an_inode_say_why() {
    let observation = observe(&captured());
    let reason = |state: State| {
        observation
            .rows
            .iter()
            .find(|row| row.socket.state == state && row.socket.inode.is_none())
            .and_then(|row| row.no_owner_reason)
    };
    assert_eq!(reason(State::TimeWait), Some(NoOwnerReason::TimeWait));
    assert_eq!(reason(State::FinWait2), Some(NoOwnerReason::Orphan));
    assert_eq!(reason(State::Established), Some(NoOwnerReason::AcceptQueue));
}

#[test]
fn a_truncated_or_scribbled_table_loses_its_bad_lines_only() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("net")).unwrap();
    fs::create_dir_all(root.path().join("1/fd")).unwrap();
    for name in ["tcp", "tcp6", "udp", "udp6"] {
        fs::copy(
            captured().join("net").join(name),
            root.path().join("net").join(name),
        )
        .unwrap();
    }
    let whole = observe(root.path()).rows.len();
    let tcp = root.path().join("net/tcp");
    let mut text = fs::read_to_string(&tcp).unwrap();
    text.truncate(text.len() - 120);
    text.push_str("\n\u{0}\u{1b}[2J garbage\n");
    fs::write(&tcp, text).unwrap();
    let observation = observe(root.path());
    assert_eq!(observation.rows.len(), whole - 1);
    let [gap] = observation.gaps[..] else {
        panic!("{:?}", observation.gaps)
    };
    assert_eq!((gap.kind, gap.count), (GapKind::LinesMalformed, 2));
}
