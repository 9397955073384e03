//! Reads the kernel's counters of a network namespace: `/proc/net/snmp` and
//! `/proc/net/netstat` (pairs of lines, names and then values), and
//! `/proc/net/sockstat` (names and values in turn). The parsers are pure.

use crate::model::counters::{Counters, Gauges};
use std::fs;
use std::path::Path;

/// Reads the counters below a proc file system; missing ones stay unknown.
pub(super) fn read(root: &Path) -> Counters {
    let bytes = |name: &str| fs::read(root.join("net").join(name)).unwrap_or_default();
    parse(&bytes("snmp"), &bytes("netstat"))
}

/// Reads the current gauges; missing ones stay unknown.
pub(super) fn read_gauges(root: &Path) -> Gauges {
    parse_gauges(&fs::read(root.join("net/sockstat")).unwrap_or_default())
}

/// Parses both texts.
#[must_use]
pub fn parse(snmp: &[u8], netstat: &[u8]) -> Counters {
    let tcp = NamedValues::find(snmp, "Tcp:");
    let extended = NamedValues::find(netstat, "TcpExt:");
    Counters {
        active_opens: tcp.value("ActiveOpens"),
        attempt_fails: tcp.value("AttemptFails"),
        embryonic_resets: extended.value("EmbryonicRsts"),
        listen_overflows: extended.value("ListenOverflows"),
        listen_drops: extended.value("ListenDrops"),
        queue_full_cookies: extended.value("TCPReqQFullDoCookies"),
        queue_full_drops: extended.value("TCPReqQFullDrop"),
        cookies_sent: extended.value("SyncookiesSent"),
        cookies_returned: extended.value("SyncookiesRecv"),
        time_wait_overflows: extended.value("TCPTimeWaitOverflow"),
        window_probes: extended.value("TCPWinProbe"),
        zero_windows_advertised: extended.value("TCPToZeroWindowAdv"),
    }
}

/// Parses `/proc/net/sockstat`.
#[must_use]
pub fn parse_gauges(sockstat: &[u8]) -> Gauges {
    let text = std::str::from_utf8(sockstat).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"));
    let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    let value = |name: &str| {
        let place = words.iter().step_by(2).position(|word| *word == name)?;
        words.get(place * 2 + 1)?.parse().ok()
    };
    Gauges {
        orphans: value("orphan"),
        time_waits: value("tw"),
    }
}

/// A line of names and the line of their values.
struct NamedValues<'a> {
    names: &'a str,
    values: &'a str,
}

impl<'a> NamedValues<'a> {
    fn find(bytes: &'a [u8], prefix: &str) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        Self {
            names: lines.next().unwrap_or_default(),
            values: lines.next().unwrap_or_default(),
        }
    }

    fn value(&self, name: &str) -> Option<u64> {
        let names = self.names.split_ascii_whitespace();
        let place = names.into_iter().position(|known| known == name)?;
        self.values
            .split_ascii_whitespace()
            .nth(place)?
            .parse()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_value_below_its_name() {
        let snmp = b"Ip: A B\nIp: 1 2\nTcp: RtoMin ActiveOpens MaxConn\nTcp: 200 7 -1\n";
        let netstat = b"TcpExt: SyncookiesSent ListenDrops\nTcpExt: 5 6\nIpExt: X\nIpExt: 1\n";
        let counters = parse(snmp, netstat);
        assert_eq!(counters.active_opens, Some(7));
        assert_eq!(counters.cookies_sent, Some(5));
        assert_eq!(counters.listen_drops, Some(6));
        assert_eq!(counters.cookies_returned, None);
        assert_eq!(parse(b"Tcp: ActiveOpens\n", b""), Counters::default());
    }

    #[test]
    fn finds_what_there_is_at_present() {
        let text = b"sockets: used 9\nTCP: inuse 3 orphan 1 tw 40 alloc 5 mem 2\nUDP: inuse 1\n";
        let gauges = parse_gauges(text);
        assert_eq!((gauges.orphans, gauges.time_waits), (Some(1), Some(40)));
        assert_eq!(parse_gauges(b"TCP: orphan"), Gauges::default());
    }

    #[test]
    fn this_kernel_has_them() {
        let counters = read(Path::new("/proc"));
        assert!(counters.active_opens.is_some() && counters.listen_drops.is_some());
        assert!(read_gauges(Path::new("/proc")).orphans.is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse(&bytes, &bytes), parse_gauges(&bytes));
        }
    }
}
