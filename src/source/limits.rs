//! Reads the kernel's settings that bound how long a state may last.

use crate::model::limits::Limits;
use std::path::Path;
use std::str::FromStr;

/// Reads `sys/net` below `root`; a setting that is missing stays unknown.
#[must_use]
pub fn read(root: &Path) -> Limits {
    let net = root.join("sys/net");
    let ipv4 = |name: &str| number(&net.join("ipv4").join(name));
    let local_ports = port_range(&net.join("ipv4/ip_local_port_range"));
    Limits {
        syn_retries: ipv4("tcp_syn_retries"),
        syn_linear_timeouts: ipv4("tcp_syn_linear_timeouts"),
        synack_retries: ipv4("tcp_synack_retries"),
        fin_timeout: ipv4("tcp_fin_timeout"),
        orphan_retries: ipv4("tcp_orphan_retries"),
        retries2: ipv4("tcp_retries2"),
        rto_max_ms: ipv4("tcp_rto_max_ms"),
        keepalive_time: ipv4("tcp_keepalive_time"),
        keepalive_interval: ipv4("tcp_keepalive_intvl"),
        keepalive_probes: ipv4("tcp_keepalive_probes"),
        somaxconn: number(&net.join("core/somaxconn")),
        syncookies: ipv4("tcp_syncookies"),
        max_syn_backlog: ipv4("tcp_max_syn_backlog"),
        max_time_wait: ipv4("tcp_max_tw_buckets"),
        max_orphans: ipv4("tcp_max_orphans"),
        local_ports,
        reserved_ports: std::fs::read_to_string(net.join("ipv4/ip_local_reserved_ports"))
            .ok()
            .zip(local_ports)
            .map(|(text, range)| count_reserved(&text, range)),
        time_wait_reuse: ipv4("tcp_tw_reuse"),
    }
}

fn number<T: FromStr>(path: &Path) -> Option<T> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn port_range(path: &Path) -> Option<(u16, u16)> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut fields = text.split_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// Number of ports of a range that are in a list such as `8080,9000-9010`.
pub(super) fn count_reserved(list: &str, (lowest, highest): (u16, u16)) -> u32 {
    let ranges = list.trim().split(',').filter_map(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some((from.parse::<u16>().ok()?, to.parse::<u16>().ok()?))
    });
    let within = |(from, to): (u16, u16)| {
        let (from, to) = (from.max(lowest), to.min(highest));
        to.checked_sub(from).map_or(0, |more| u32::from(more) + 1)
    };
    ranges.map(within).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_count_within_the_range() {
        let range = (100, 200);
        for (list, expected) in [
            ("\n", 0),
            ("150\n", 1),
            ("99,100,201", 1),
            ("90-110,150,190-300", 11 + 1 + 11),
            ("odd,120", 1),
        ] {
            assert_eq!(count_reserved(list, range), expected, "{list}");
        }
    }

    #[test]
    fn missing_settings_stay_unknown() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/net/ipv4");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("tcp_fin_timeout"), "60\n").unwrap();
        std::fs::write(folder.join("ip_local_port_range"), "32768\t60999\n").unwrap();
        std::fs::write(folder.join("tcp_syn_retries"), "many\n").unwrap();
        let limits = read(root.path());
        assert_eq!(limits.fin_timeout, Some(60));
        assert_eq!(limits.local_ports, Some((32768, 60999)));
        assert_eq!((limits.syn_retries, limits.retries2), (None, None));
    }
}
