//! Well-known ports and their names, embedded in the program: `/etc/services`
//! is missing on small machines and differs from one to the next.

use crate::model::protocol::Protocol;
use crate::model::socket::Socket;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The table as in the asset, keys still text.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServicesFile {
    both: BTreeMap<String, String>,
    tcp: BTreeMap<String, String>,
    udp: BTreeMap<String, String>,
    aliases: BTreeMap<String, String>,
}

/// The table prepared for look-ups.
#[derive(Debug)]
struct Services {
    /// By port, for TCP.
    tcp: Vec<(u16, String)>,
    /// By port, for UDP.
    udp: Vec<(u16, String)>,
    /// By name, aliases included.
    ports: BTreeMap<String, u16>,
}

const ASSET: &str = include_str!("../../assets/services.toml");

/// Returns the name of a port, if it is a well-known one.
#[must_use]
pub fn service_name(protocol: Protocol, port: u16) -> Option<&'static str> {
    let table = table(protocol);
    let place = table
        .binary_search_by_key(&port, |(known, _)| *known)
        .ok()?;
    table.get(place).map(|(_, name)| name.as_str())
}

/// Returns the port with this name or alias, ignoring case.
#[must_use]
pub fn port_by_name(name: &str) -> Option<u16> {
    services().ports.get(&name.to_ascii_lowercase()).copied()
}

/// Every name accepted by [`port_by_name`], in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    services().ports.keys().map(String::as_str)
}

/// Returns the port that identifies a socket's service: its own without a peer,
/// else the peer's if that one is well known, else its own if that one is.
///
/// The initiator is not recorded, but its port is a random one and rarely has a
/// name.
#[must_use]
pub fn service_port(socket: &Socket) -> u16 {
    let Some(peer) = socket.peer() else {
        return socket.local.port;
    };
    let known = |port| service_name(socket.protocol, port).is_some();
    if !known(peer.port) && known(socket.local.port) {
        socket.local.port
    } else {
        peer.port
    }
}

/// The name of the service a socket belongs to, by [`service_port`].
#[must_use]
pub fn service_of(socket: &Socket) -> Option<&'static str> {
    service_name(socket.protocol, service_port(socket))
}

/// Returns the ports of a protocol whose names satisfy a condition, ascending.
pub(super) fn ports_named(protocol: Protocol, wanted: impl Fn(&str) -> bool) -> Vec<u16> {
    let named = table(protocol).iter().filter(|(_, name)| wanted(name));
    named.map(|(port, _)| *port).collect()
}

fn table(protocol: Protocol) -> &'static [(u16, String)] {
    match protocol {
        Protocol::Tcp => &services().tcp,
        Protocol::Udp => &services().udp,
    }
}

fn services() -> &'static Services {
    static SERVICES: OnceLock<Services> = OnceLock::new();
    // The asset is part of the program and a test parses it, so that an error in
    // it could only cause a table without names.
    SERVICES.get_or_init(|| build_tables(&toml::from_str(ASSET).unwrap_or_default()))
}

fn build_tables(asset: &ServicesFile) -> Services {
    let with_both = |own: &BTreeMap<String, String>| {
        let mut table: Vec<(u16, String)> = asset
            .both
            .iter()
            .chain(own)
            .filter_map(|(port, name)| Some((port.parse().ok()?, name.clone())))
            .collect();
        table.sort_unstable();
        table
    };
    let tcp = with_both(&asset.tcp);
    let udp = with_both(&asset.udp);
    let mut ports: BTreeMap<String, u16> = tcp
        .iter()
        .chain(&udp)
        .map(|(port, name)| (name.clone(), *port))
        .collect();
    for (alias, name) in &asset.aliases {
        if let Some(port) = ports.get(name).copied() {
            ports.insert(alias.clone(), port);
        }
    }
    Services { tcp, udp, ports }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_asset_is_sound() {
        let asset: ServicesFile = toml::from_str(ASSET).unwrap();
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (port, name) in asset.both.iter().chain(&asset.tcp).chain(&asset.udp) {
            assert!(port.parse::<u16>().is_ok_and(|number| number > 0), "{port}");
            assert!((1..=15).contains(&name.len()), "{name}");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
            assert_eq!(
                *owners.entry(name).or_insert(port),
                port,
                "{name} is double"
            );
        }
        let both: BTreeSet<&String> = asset.both.keys().collect();
        for port in asset.tcp.keys().chain(asset.udp.keys()) {
            assert!(!both.contains(port), "{port} is double");
        }
        for (alias, name) in &asset.aliases {
            assert!(owners.contains_key(name.as_str()), "{alias} of {name}");
            assert!(!owners.contains_key(alias.as_str()), "{alias} is double");
        }
    }

    #[test]
    fn names_and_ports_find_each_other() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for (number, known) in table(protocol) {
                assert_eq!(service_name(protocol, *number), Some(known.as_str()));
                assert_eq!(port_by_name(known), Some(*number));
            }
        }
        assert_eq!(service_name(Protocol::Tcp, 443), Some("https"));
        assert_eq!(service_name(Protocol::Tcp, 514), Some("shell"));
        assert_eq!(service_name(Protocol::Udp, 514), Some("syslog"));
        assert_eq!(service_name(Protocol::Udp, 22), None);
        assert_eq!(port_by_name("WWW"), Some(80));
        assert_eq!(port_by_name("no-such-thing"), None);
    }
}
