//! Connections that NAT forwards, from `/proc/net/nf_conntrack`: a published port of a
//! container may have no socket in this network namespace at all.
//!
//! Format: `ct_seq_show` in `net/netfilter/nf_conntrack_standalone.c`: the tuple of the
//! first packet, then that of the answers. It takes root, and a kernel with
//! `CONFIG_NF_CONNTRACK_PROCFS`.

use crate::model::endpoint::Endpoint;
use crate::model::namespace_addresses::NatForwarding;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Largest part read: the file may have hundreds of thousands of lines.
const MAX_BYTES: u64 = 16 << 20;

/// Reads where NAT forwards the connections to a port, by target; `root` is the folder of
/// a process in the network namespace.
///
/// # Errors
///
/// If the file does not exist or is unreadable.
pub(super) fn read(root: &Path, port: u16) -> io::Result<Vec<NatForwarding>> {
    let file = File::open(root.join("net/nf_conntrack"))?;
    parse_forwardings(BufReader::new(file.take(MAX_BYTES)), port)
}

pub(super) fn parse_forwardings(
    mut lines: impl BufRead,
    port: u16,
) -> io::Result<Vec<NatForwarding>> {
    let mut found: BTreeMap<Endpoint, u32> = BTreeMap::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Some(target) = forward_target(&String::from_utf8_lossy(&line), port) {
            *found.entry(target).or_default() += 1;
        }
        line.clear();
    }
    Ok(found
        .into_iter()
        .map(|(target, connections)| NatForwarding {
            target,
            connections,
        })
        .collect())
}

/// Returns the forwarding target of a connection to the port: the sender of its
/// replies. None if it is not forwarded.
fn forward_target(line: &str, port: u16) -> Option<Endpoint> {
    let mut words = line.split_ascii_whitespace();
    let mut next = |name: &str| words.find_map(|word| word.strip_prefix(name));
    let end =
        |address: &str, port: &str| Some(Endpoint::new(address.parse().ok()?, port.parse().ok()?));
    // In the order of the fields of a line.
    let (address, number) = (next("dst=")?, next("dport=")?);
    let meant = end(address, number)?;
    let (address, number) = (next("src=")?, next("sport=")?);
    let answers = end(address, number)?;
    (meant.port == port && meant != answers).then_some(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINES: &str = "\
ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.2 dst=192.0.2.1 sport=60858 dport=8080 src=198.51.100.2 dst=192.0.2.2 sport=80 dport=60858 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.3 dst=192.0.2.1 sport=60859 dport=8080 src=198.51.100.2 dst=192.0.2.3 sport=80 dport=60859 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 300 ESTABLISHED src=192.0.2.2 dst=192.0.2.1 sport=60860 dport=8080 src=192.0.2.1 dst=192.0.2.2 sport=8080 dport=60860 [ASSURED] mark=0 zone=0 use=2
ipv6     10 udp      17 29 src=2001:db8::2 dst=2001:db8::1 sport=40000 dport=8080 [UNREPLIED] src=fd00::7 dst=2001:db8::2 sport=53 dport=40000 mark=0 zone=0 use=2
ipv4     2 icmp     1 29 src=192.0.2.2 dst=192.0.2.1 type=8 code=0 id=1 src=192.0.2.1 dst=192.0.2.2 type=0 code=0 id=1 mark=0 use=2
";

    #[test]
    fn forwarded_connections_are_counted_by_target() {
        let told = |port| -> Vec<(String, u32)> {
            let found = parse_forwardings(LINES.as_bytes(), port).unwrap();
            let pair = |one: NatForwarding| (one.target.to_string(), one.connections);
            found.into_iter().map(pair).collect()
        };
        let expected = [
            ("198.51.100.2:80".to_owned(), 2),
            ("[fd00::7]:53".to_owned(), 1),
        ];
        let mut found = told(8080);
        found.sort();
        assert_eq!(found, expected);
        // The port that the target has is not the one that is published.
        assert!(told(80).is_empty());
        assert!(told(60858).is_empty());
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in ".{0,200}") {
            let _ = forward_target(&line, 8080);
        }
    }
}
