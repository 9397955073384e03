//! What the kernel of a scenario tells beside its sockets: counters, gauges,
//! settings. What is not named is not told.

use crate::curve::Curve;
use serde::Deserialize;
use std::collections::BTreeMap;
use tcplens::model::counters::{Counters, Gauges};
use tcplens::model::limits::Limits;

/// As in the file, by the names that the model has for them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kernel {
    #[serde(default)]
    counters: BTreeMap<String, Curve>,
    #[serde(default)]
    gauges: BTreeMap<String, Curve>,
    #[serde(default)]
    settings: BTreeMap<String, u32>,
    /// `ip_local_port_range`.
    local_ports: Option<(u16, u16)>,
}

impl Kernel {
    /// Adds what is counted at that second.
    pub(crate) fn count(&self, second: f64, counters: &mut Counters) {
        for (name, curve) in &self.counters {
            let counter = match name.as_str() {
                "active_opens" => &mut counters.active_opens,
                "attempt_fails" => &mut counters.attempt_fails,
                "embryonic_resets" => &mut counters.embryonic_resets,
                "listen_overflows" => &mut counters.listen_overflows,
                "listen_drops" => &mut counters.listen_drops,
                "queue_full_cookies" => &mut counters.queue_full_cookies,
                "queue_full_drops" => &mut counters.queue_full_drops,
                "cookies_sent" => &mut counters.cookies_sent,
                "cookies_returned" => &mut counters.cookies_returned,
                "time_wait_overflows" => &mut counters.time_wait_overflows,
                "window_probes" => &mut counters.window_probes,
                "windows_closed" => &mut counters.zero_windows_advertised,
                _ => panic!("no counter {name}"),
            };
            *counter = Some(curve.at(second));
        }
    }

    pub(crate) fn gauges(&self, second: f64) -> Gauges {
        let mut gauges = Gauges::default();
        for (name, curve) in &self.gauges {
            let gauge = match name.as_str() {
                "orphans" => &mut gauges.orphans,
                "time_waits" => &mut gauges.time_waits,
                _ => panic!("no gauge {name}"),
            };
            *gauge = Some(curve.small(second));
        }
        gauges
    }

    pub(crate) fn settings(&self) -> Limits {
        let mut limits = Limits {
            local_ports: self.local_ports,
            ..Limits::default()
        };
        for (name, value) in &self.settings {
            let setting = match name.as_str() {
                "syncookies" => &mut limits.syncookies,
                "max_syn_backlog" => &mut limits.max_syn_backlog,
                "max_time_wait" => &mut limits.max_time_wait,
                "max_orphans" => &mut limits.max_orphans,
                "reserved_ports" => &mut limits.reserved_ports,
                "time_wait_reuse" => &mut limits.time_wait_reuse,
                _ => panic!("no setting {name}"),
            };
            *setting = Some(*value);
        }
        limits
    }
}
