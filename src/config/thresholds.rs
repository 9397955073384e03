//! Limits of the rules by name, with their valid ranges.

use super::diagnostics::DiagnosticCollector;
use super::section::Section;
use crate::monitor::Thresholds;
use std::time::Duration;

/// A threshold, as a way to it.
enum ThresholdField {
    /// A length of time.
    Length(fn(&mut Thresholds) -> &mut Duration),
    /// A share, 0 to 1.
    Share(fn(&mut Thresholds) -> &mut f64),
    /// A factor or a ratio.
    Factor(fn(&mut Thresholds) -> &mut f64),
    /// A number.
    Count(fn(&mut Thresholds) -> &mut u32),
    /// A small number.
    Small(fn(&mut Thresholds) -> &mut u8),
    /// A capacity.
    Room(fn(&mut Thresholds) -> &mut usize),
}

/// Every threshold: the names and, by type, the kinds of its fields.
macro_rules! fields {
    ($($kind:ident: $($name:ident)+;)+) => {
        &[$($((stringify!($name), ThresholdField::$kind(|limits| &mut limits.$name)),)+)+]
    };
}

const THRESHOLD_FIELDS: &[(&str, ThresholdField)] = fields! {
    Length: window patience settling clearing dead_after down_after down_excuse leak_age
        leak_window fin_wait_2_after unacknowledged_after self_connection_after still_after accept_stalled_after listener_fresh;
    Share: scan_share dead_share ipv6_share peers_share_least peers_share_most
        peers_port_share queue_share time_wait_share orphan_share half_open_share
        cookies_flood cookies_honest leak_share leak_descriptors unacknowledged_share storm_share ports_amber
        ports_red;
    Factor: walk_failure walk_success walk_alarm walk_ceiling;
    Count: scan_hosts scan_ports scan_queue scan_contacts dead_destinations dead_waiting
        ipv6_failed peers_failed peers_ports down_programs down_hosts queue_waiting
        half_open_least half_open_unmeasured cookies_least cookies_always leak_growth leak_many fin_wait_2_many still_bytes still_sockets storm_failed
        udp_drops udp_drop_tables;
    Small: settled_retransmits;
    Room: contacts_each contacts_all;
};

const MAX_DURATION: Duration = Duration::from_hours(24 * 7);
const MIN_DURATION: Duration = Duration::from_millis(100);
const MAX_FACTOR: f64 = 1e12;
/// Range of a capacity: it must suffice for the rules, and not exhaust the
/// memory.
const CAPACITY_RANGE: std::ops::RangeInclusive<u32> = 64..=1_000_000;

/// Reads the thresholds of a section.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    thresholds: &mut Thresholds,
    notes: &mut DiagnosticCollector<'_>,
) {
    for (name, field) in THRESHOLD_FIELDS {
        match field {
            ThresholdField::Length(of) => {
                assign(
                    of(thresholds),
                    section.duration(name, MIN_DURATION..=MAX_DURATION, notes),
                );
            }
            ThresholdField::Share(of) => {
                assign(of(thresholds), section.parse_f64(name, 0.0..=1.0, notes));
            }
            ThresholdField::Factor(of) => assign(
                of(thresholds),
                section.parse_f64(name, 0.0..=MAX_FACTOR, notes),
            ),
            ThresholdField::Count(of) => {
                assign(of(thresholds), section.integer(name, 1..=u32::MAX, notes));
            }
            ThresholdField::Small(of) => {
                let number = section.integer(name, 1..=u8::MAX.into(), notes);
                let number = number.and_then(|number| u8::try_from(number).ok());
                assign(of(thresholds), number);
            }
            ThresholdField::Room(of) => {
                let room = section.integer(name, CAPACITY_RANGE, notes);
                assign(of(thresholds), room.map(|room| room as usize));
            }
        }
    }
    check_order(section, thresholds, notes);
}

fn assign<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Pairs of which one must not be above the other.
fn check_order(
    section: &Section<'_, '_>,
    limits: &Thresholds,
    notes: &mut DiagnosticCollector<'_>,
) {
    let pairs = [
        (
            "ports_amber",
            limits.ports_amber,
            "ports_red",
            limits.ports_red,
        ),
        (
            "cookies_flood",
            limits.cookies_flood,
            "cookies_honest",
            limits.cookies_honest,
        ),
        (
            "peers_share_least",
            limits.peers_share_least,
            "peers_share_most",
            limits.peers_share_most,
        ),
        (
            "walk_alarm",
            limits.walk_alarm,
            "walk_ceiling",
            limits.walk_ceiling,
        ),
    ];
    for (lower, low, upper, high) in pairs {
        if low > high {
            let message =
                format!("{lower} is {low} and {upper} is {high}: it must not be above it");
            notes.error(section.span(), message);
        }
    }
}

/// Every threshold by its name, as it is written in a file.
pub(super) fn to_entries(thresholds: &Thresholds) -> Vec<(&'static str, String)> {
    let mut limits = thresholds.clone();
    THRESHOLD_FIELDS
        .iter()
        .map(|(name, field)| {
            let value = match field {
                ThresholdField::Length(of) => {
                    format!("\"{}\"", humantime::format_duration(*of(&mut limits)))
                }
                ThresholdField::Share(of) | ThresholdField::Factor(of) => {
                    of(&mut limits).to_string()
                }
                ThresholdField::Count(of) => of(&mut limits).to_string(),
                ThresholdField::Small(of) => of(&mut limits).to_string(),
                ThresholdField::Room(of) => of(&mut limits).to_string(),
            };
            (*name, value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields' own names, from the type's `Debug` output.
    fn names() -> Vec<String> {
        let shown = format!("{:?}", Thresholds::default());
        let (_, fields) = shown.split_once('{').unwrap();
        fields
            .split(',')
            .filter_map(|field| field.split_once(':'))
            .map(|(name, _)| name.trim().to_owned())
            .collect()
    }

    #[test]
    fn every_threshold_can_be_set() {
        let mut known: Vec<&str> = THRESHOLD_FIELDS.iter().map(|(name, _)| *name).collect();
        known.sort_unstable();
        let mut names = names();
        names.sort_unstable();
        assert_eq!(known, names);
    }

    #[test]
    fn what_is_told_reads_back_as_the_same() {
        let mut changed = Thresholds {
            window: Duration::from_secs(90),
            scan_hosts: 7,
            ports_red: 0.95,
            contacts_all: 1000,
            ..Thresholds::default()
        };
        changed.settled_retransmits = 9;
        for limits in [Thresholds::default(), changed] {
            let lines: Vec<String> = to_entries(&limits)
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            let text = format!("[thresholds]\n{}", lines.join("\n"));
            let parsed = super::super::parse(&text).unwrap();
            assert_eq!(parsed.settings.thresholds, limits);
            assert!(parsed.warnings.is_empty());
        }
    }
}
