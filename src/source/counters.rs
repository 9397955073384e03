//! Parses the kernel's protocol counters (`/proc/net/snmp`): pairs of lines,
//! the names and then the values. Pure.

/// `Tcp.ActiveOpens`: connections this namespace has tried to open since boot
/// (RFC 4022, tcpActiveOpens).
#[must_use]
pub fn active_opens(snmp: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(snmp).ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let names = lines.next()?.split_whitespace();
    let values = lines.next()?.split_whitespace();
    let (_, value) = names.zip(values).find(|(name, _)| *name == "ActiveOpens")?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_the_value_below_its_name() {
        let text = b"Ip: A B\nIp: 1 2\nTcp: RtoMin ActiveOpens PassiveOpens\nTcp: 200 7 9\n";
        assert_eq!(active_opens(text), Some(7));
        assert_eq!(active_opens(b"Tcp: RtoMin\nTcp: 1\n"), None);
        assert_eq!(active_opens(b"Tcp: ActiveOpens\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = active_opens(&bytes);
        }
    }
}
