//! The socket table as independent witnesses tell it: the kernel's text
//! tables, read here by other code, and ss(8).

use super::table::{Facts, Key, NONE, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;

/// Every process's sockets: for each inode the processes with their
/// descriptors.
type Holders = BTreeMap<u64, BTreeMap<u32, BTreeSet<u32>>>;

/// Reads `/proc/net/*` and `/proc/PID/fd`.
pub(crate) fn proc() -> Table {
    let holders = holders();
    let mut table = Table::new();
    for (file, protocol) in [
        ("tcp", "tcp"),
        ("tcp6", "tcp"),
        ("udp", "udp"),
        ("udp6", "udp"),
    ] {
        let text = fs::read_to_string(format!("/proc/net/{file}")).unwrap();
        for line in text.lines().skip(1) {
            let (key, mut facts) = proc_line(line, protocol, &holders);
            // Also where both ends are IPv4: the socket is what counts.
            let family = if file.ends_with('6') { "inet6" } else { "inet" };
            facts.family = Some(family.to_owned());
            let before = table.insert(key, facts);
            assert!(before.is_none(), "twice in /proc/net/{file}: {line}");
        }
    }
    table
}

fn proc_line(line: &str, protocol: &'static str, holders: &Holders) -> (Key, Facts) {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let (send, recv) = fields[4].split_once(':').unwrap();
    let (timer, _) = fields[5].split_once(':').unwrap();
    let inode: u64 = fields[9].parse().unwrap();
    let state = proc_state(protocol, fields[3]);
    let key = Key {
        protocol,
        local: proc_address(fields[1]),
        remote: peer(proc_address(fields[2])),
        inode: (inode != 0).then_some(inode),
    };
    let facts = Facts {
        state: state.to_owned(),
        family: None,
        uid: uid(fields[7].parse().unwrap(), key.inode),
        owners: holders.get(&inode).cloned().unwrap_or_default(),
        recv: hex(recv),
        send: (state != "listen").then(|| hex(send)),
        timer: Some(proc_timer(timer)),
        retransmits: (timer == "01").then(|| hex(fields[6])),
        cookie: None,
        interface: None,
    };
    (key, facts)
}

fn proc_state(protocol: &str, number: &str) -> &'static str {
    match (protocol, number) {
        (_, "01") => "established",
        ("udp", "07") => "unconnected",
        ("tcp", "02") => "syn_sent",
        ("tcp", "03") => "syn_received",
        ("tcp", "04") => "fin_wait_1",
        ("tcp", "05") => "fin_wait_2",
        ("tcp", "06") => "time_wait",
        ("tcp", "08") => "close_wait",
        ("tcp", "09") => "last_ack",
        ("tcp", "0A") => "listen",
        ("tcp", "0B") => "closing",
        other => panic!("a state nobody parked: {other:?}"),
    }
}

fn proc_timer(number: &str) -> &'static str {
    match number {
        "00" => NONE,
        "01" => "retransmit",
        "02" => "keepalive",
        "03" => "time_wait",
        "04" => "zero_window_probe",
        other => panic!("timer {other}"),
    }
}

/// `0100007F:0016`: each word of the address as this machine keeps numbers.
fn proc_address(field: &str) -> SocketAddr {
    let (address, port) = field.split_once(':').unwrap();
    let bytes: Vec<u8> = (0..address.len())
        .step_by(8)
        .flat_map(|start| {
            let word = u32::from_str_radix(&address[start..start + 8], 16).unwrap();
            word.to_ne_bytes()
        })
        .collect();
    let port = u16::from_str_radix(port, 16).unwrap();
    let address = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).unwrap()).to_canonical(),
    };
    SocketAddr::new(address, port)
}

/// Runs ss(8); none where it is not installed.
pub(crate) fn ss() -> Option<Table> {
    let output = Command::new("ss").arg("-tuanpeOH").output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let table: Table = text.lines().map(ss_line).collect();
    assert_eq!(table.len(), text.lines().count(), "ss lists a row twice");
    Some(table)
}

fn ss_line(line: &str) -> (Key, Facts) {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let protocol = if fields[0] == "tcp" { "tcp" } else { "udp" };
    let named = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
    let inode: u64 = named("ino:").unwrap().parse().unwrap();
    let (local, interface) = ss_address(fields[4]);
    let (remote, _) = ss_address(fields[5]);
    let key = Key {
        protocol,
        local,
        remote: peer(remote),
        inode: (inode != 0).then_some(inode),
    };
    let facts = Facts {
        state: ss_state(fields[1]).to_owned(),
        family: None,
        uid: uid(
            named("uid:").map_or(0, |uid| uid.parse().unwrap()),
            key.inode,
        ),
        owners: named("users:").map(ss_owners).unwrap_or_default(),
        recv: fields[2].parse().unwrap(),
        send: Some(fields[3].parse().unwrap()),
        timer: None,
        retransmits: None,
        cookie: named("sk:").map(str::to_owned),
        interface: Some(interface.to_owned()),
    };
    (key, facts)
}

fn ss_state(word: &str) -> &'static str {
    match word {
        "ESTAB" => "established",
        "UNCONN" => "unconnected",
        "SYN-SENT" => "syn_sent",
        "SYN-RECV" => "syn_received",
        "FIN-WAIT-1" => "fin_wait_1",
        "FIN-WAIT-2" => "fin_wait_2",
        "TIME-WAIT" => "time_wait",
        "CLOSE-WAIT" => "close_wait",
        "LAST-ACK" => "last_ack",
        "LISTEN" => "listen",
        "CLOSING" => "closing",
        other => panic!("a state nobody parked: {other}"),
    }
}

/// `127.0.0.1:22`, `[::1]:22`, `*:22`, `[fe80::1]%lo:22`, with `*` for no port.
fn ss_address(field: &str) -> (SocketAddr, &str) {
    let (address, port) = field.rsplit_once(':').unwrap();
    let (address, interface) = match address.split_once('%') {
        Some(both) => both,
        None => (address, NONE),
    };
    let address: IpAddr = match address.trim_matches(['[', ']']) {
        "*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        address => address.parse::<IpAddr>().unwrap().to_canonical(),
    };
    let port = if port == "*" {
        0
    } else {
        port.parse().unwrap()
    };
    (SocketAddr::new(address, port), interface)
}

/// `(("cat",pid=7,fd=1),("cat",pid=8,fd=1))`.
fn ss_owners(users: &str) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut owners: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for user in users.split("pid=").skip(1) {
        let (pid, rest) = user.split_once(",fd=").unwrap();
        let (fd, _) = rest.split_once(')').unwrap();
        let fds = owners.entry(pid.parse().unwrap()).or_default();
        fds.insert(fd.parse().unwrap());
    }
    owners
}

/// The kernel says 0 for what no program holds, which is not root.
fn uid(uid: u32, inode: Option<u64>) -> Option<u32> {
    (inode.is_some() || uid != 0).then_some(uid)
}

fn peer(remote: SocketAddr) -> Option<SocketAddr> {
    let nobody = remote.ip().is_unspecified() && remote.port() == 0;
    (!nobody).then_some(remote)
}

/// Walks `/proc/PID/fd`. What vanishes or is refused meanwhile holds nothing.
fn holders() -> Holders {
    let mut holders = Holders::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = number(&process.file_name()) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            let target = fs::read_link(descriptor.path()).unwrap_or_default();
            let inode = target
                .to_str()
                .and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'));
            if let (Some(inode), Some(fd)) = (inode, number(&descriptor.file_name())) {
                let owners = holders.entry(inode.parse().unwrap()).or_default();
                owners.entry(pid).or_default().insert(fd);
            }
        }
    }
    holders
}

fn number(name: &std::ffi::OsStr) -> Option<u32> {
    name.to_str()?.parse().ok()
}
