//! The socket units of the system's manager, from its files: pure parsing, and the
//! folders that systemd.unit(5) lists.
//!
//! Read only while process 1 holds a socket, and as it sees the file system. Units of
//! users, and instances of templates, are left out.

use crate::model::protocol::Protocol;
use crate::model::socket_unit::{ListenAddress, SocketUnit};
use crate::model::unit::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where units are, those that go before others first.
const FOLDERS: [&str; 8] = [
    "run/systemd/generator.early",
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
    "run/systemd/generator.late",
];
/// From one reading to the next.
const READ_INTERVAL: Duration = Duration::from_secs(30);
/// No more of a file is read.
const MAX_LENGTH: u64 = 64 * 1024;

/// The socket units as they were read last.
pub(super) struct SocketUnits {
    /// The file system of process 1.
    root: PathBuf,
    units: Arc<Vec<SocketUnit>>,
    read: Option<Instant>,
}

impl SocketUnits {
    /// Those of process 1 in the proc file system at `proc`.
    pub(super) fn new(proc: &Path) -> Self {
        Self {
            root: proc.join("1/root"),
            units: Arc::default(),
            read: None,
        }
    }

    /// All units with an IP socket; read anew if that is long ago.
    pub(super) fn units(&mut self, now: Instant) -> Arc<Vec<SocketUnit>> {
        let is_due = |last: Instant| now.saturating_duration_since(last) >= READ_INTERVAL;
        if self.read.is_none_or(is_due) {
            self.units = Arc::new(read(&self.root));
            self.read = Some(now);
        }
        Arc::clone(&self.units)
    }
}

fn read(root: &Path) -> Vec<SocketUnit> {
    let folders = FOLDERS.map(|folder| root.join(folder));
    let mut names = BTreeSet::new();
    for folder in &folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let is_alias = || is_alias(&entry.path(), &name);
            if name.ends_with(".socket") && !name.contains("@.") && !is_alias() {
                names.insert(name);
            }
        }
    }
    let units = names.into_iter().map(|name| SocketUnit {
        addresses: addresses(&files(&folders, &name)),
        unit: Unit::system(&name),
    });
    units.filter(|unit| !unit.addresses.is_empty()).collect()
}

/// True for a link to a unit of another name.
fn is_alias(path: &Path, name: &str) -> bool {
    let target = fs::read_link(path).ok();
    let target = target.as_deref().and_then(Path::file_name);
    target.is_some_and(|target| target != name && target != "null")
}

/// The texts of a unit: its file, then what is added to it, by file name.
fn files(folders: &[PathBuf], name: &str) -> Vec<String> {
    let mut own = folders.iter().map(|folder| folder.join(name));
    let first = own.find(|path| fs::symlink_metadata(path).is_ok());
    let mut added: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in folders {
        let folder = folder.join(format!("{name}.d"));
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "conf")
            {
                added.entry(entry.file_name()).or_insert(path);
            }
        }
    }
    let paths = first.into_iter().chain(added.into_values());
    paths.filter_map(|path| text(&path)).collect()
}

/// The content of a plain file. A unit that is masked is a link to `/dev/null`.
fn text(path: &Path) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_LENGTH).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The IP addresses of a unit in the texts of its files.
fn addresses(texts: &[String]) -> Vec<ListenAddress> {
    let mut found = Vec::new();
    for text in texts {
        let mut is_socket = false;
        for line in text.replace("\\\n", " ").lines() {
            let line = line.trim();
            if line.starts_with('[') && line.ends_with(']') {
                is_socket = line == "[Socket]";
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| is_socket) else {
                continue;
            };
            let (key, value) = (key.trim_end(), value.trim_start());
            if key.starts_with("Listen") && value.is_empty() {
                // Any of them takes all back.
                found.clear();
                continue;
            }
            let protocol = match key {
                "ListenStream" => Protocol::Tcp,
                "ListenDatagram" => Protocol::Udp,
                _ => continue,
            };
            found.extend(address(value).map(|(address, port)| ListenAddress {
                protocol,
                address,
                port,
            }));
        }
    }
    found
}

/// A port, or an address with a port; none for a path, a name or `vsock`.
fn address(value: &str) -> Option<(Option<IpAddr>, u16)> {
    if let Ok(port) = value.parse() {
        return Some((None, port));
    }
    // An interface may stand behind an address in brackets.
    let value = match value.rsplit_once('%') {
        Some((address, _)) if address.contains(']') => address,
        _ => value,
    };
    let end: SocketAddr = value.parse().ok()?;
    Some((Some(end.ip().to_canonical()), end.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    #[test]
    fn addresses_are_what_the_files_say_together() {
        let tcp = |address: Option<&str>, port| ListenAddress {
            protocol: Protocol::Tcp,
            address: address.map(|address| address.parse().unwrap()),
            port,
        };
        let udp = |port| ListenAddress {
            protocol: Protocol::Udp,
            ..tcp(None, port)
        };
        let cases: [(&[&str], Vec<ListenAddress>); 9] = [
            (&["[Socket]\nListenStream=22\n"], vec![tcp(None, 22)]),
            (
                &[
                    "[Socket]\nListenStream = 192.0.2.1:80\nListenStream=[::1]:631\nListenDatagram=69",
                ],
                vec![tcp(Some("192.0.2.1"), 80), tcp(Some("::1"), 631), udp(69)],
            ),
            (
                &["[Socket]\nListenStream=[fe80::1]:80%eth0"],
                vec![tcp(Some("fe80::1"), 80)],
            ),
            // A generator gives ssh.socket other addresses so.
            (
                &[
                    "[Socket]\nListenStream=22\n",
                    "[Socket]\nListenStream=\nListenStream=0.0.0.0:2222\n",
                ],
                vec![tcp(Some("0.0.0.0"), 2222)],
            ),
            (&["[Socket]\nListenStream=1\nListenFIFO="], vec![]),
            (&["[Socket]\nListenStream=\\\n22"], vec![tcp(None, 22)]),
            (&["[Unit]\nListenStream=22\n# ListenStream=23"], vec![]),
            (&["ListenStream=22\n[Socket]\n;ListenStream=1"], vec![]),
            (
                &[
                    "[Socket]\nListenStream=/run/x\nListenStream=@y\nListenStream=vsock::22\n\
                   ListenStream=65536\nListenStream=-1\nListenSequentialPacket=5\nListenStream",
                ],
                vec![],
            ),
        ];
        for (texts, expected) in cases {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(addresses(&texts), expected, "{texts:?}");
        }
    }

    #[test]
    fn units_are_found_where_the_system_has_them() {
        let root = TempDir::new().unwrap();
        let file = |path: &str, text: &str| {
            let path = root.path().join("1/root").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let listens = |port: u16| format!("[Socket]\nListenStream={port}\n");
        file("usr/lib/systemd/system/ssh.socket", &listens(22));
        file(
            "run/systemd/generator/ssh.socket.d/addresses.conf",
            "[Socket]\nListenStream=\nListenStream=0.0.0.0:2222\n",
        );
        file("usr/lib/systemd/system/ssh.socket.d/README", &listens(9));
        file("usr/lib/systemd/system/cups.socket", &listens(631));
        file("etc/systemd/system/cups.socket", &listens(632));
        file("usr/lib/systemd/system/masked.socket", &listens(7));
        file("usr/lib/systemd/system/finger@.socket", &listens(79));
        file("usr/lib/systemd/system/plain.service", &listens(8));
        file(
            "usr/lib/systemd/system/dbus.socket",
            "[Socket]\nListenStream=/run/dbus\n",
        );
        file("usr/lib/systemd/user/pipe.socket", &listens(4713));
        file("home/anna/.config/systemd/user/own.socket", &listens(1234));
        let etc = root.path().join("1/root/etc/systemd/system");
        symlink("/dev/null", etc.join("masked.socket")).unwrap();
        symlink("/lib/systemd/system/ssh.socket", etc.join("sshd.socket")).unwrap();

        let mut units = SocketUnits::new(root.path());
        let began = Instant::now();
        let found = units.units(began);
        let found: Vec<_> = found
            .iter()
            .map(|unit| {
                (
                    unit.unit.as_str(),
                    unit.addresses[0].port,
                    unit.addresses.len(),
                )
            })
            .collect();
        assert_eq!(found, [("cups.socket", 632, 1), ("ssh.socket", 2222, 1)]);
        file("etc/systemd/system/late.socket", &listens(1));
        assert_eq!(units.units(began + Duration::from_secs(29)).len(), 2);
        assert_eq!(units.units(began + READ_INTERVAL).len(), 3);
    }
}
