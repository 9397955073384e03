//! Formatting of times and amounts in short form with units.

use std::time::Duration;

/// The units of time with their length in seconds, the longest first.
const TIME_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// The units of data with their size in bytes, the smallest first.
const BYTE_UNITS: [(&str, u64); 3] = [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];

/// Formats an age in whole units, rounded down: `2s`, `41m`, `3h`, `2d`.
#[must_use]
pub fn format_age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (unit, length) = TIME_UNITS
        .into_iter()
        .find(|(_, length)| seconds >= *length)
        .unwrap_or(("s", 1));
    format!("{}{unit}", seconds / length)
}

/// Formats the remaining time of a timer: in tenths of a second below ten
/// seconds, then like [`format_age`]. `4.2s`, `3s`, `12s`, `41m`.
#[must_use]
pub fn format_time_left(milliseconds: u32) -> String {
    let tenths = (u64::from(milliseconds) + 50) / 100;
    if tenths >= 100 {
        return format_age(Duration::from_millis(tenths * 100));
    }
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole}s"),
        (whole, tenth) => format!("{whole}.{tenth}s"),
    }
}

/// Formats a number of bytes with two or three digits: `0`, `32 B`, `4.2 kB`,
/// `118 kB`. A kilobyte has a thousand bytes.
#[must_use]
pub fn format_bytes(count: u64) -> String {
    match count {
        0 => return "0".to_owned(),
        1..1_000 => return format!("{count} B"),
        _ => {}
    }
    for (unit, size) in BYTE_UNITS {
        let tenths = divide_rounded(count, size / 10);
        if tenths < 100 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        let whole = divide_rounded(count, size);
        if whole < 1_000 || unit == "GB" {
            return format!("{whole} {unit}");
        }
    }
    format!("{count} B")
}

/// Formats a round-trip time given in microseconds, with two or three digits:
/// `0.04ms`, `4.2ms`, `120ms`, `1.2s`, `31s`.
#[must_use]
pub fn format_round_trip(microseconds: u32) -> String {
    let exact = u64::from(microseconds);
    // In hundredths, tenths and wholes of a millisecond, then likewise seconds.
    let (hundredths, tenths, whole) = (
        divide_rounded(exact, 10),
        divide_rounded(exact, 100),
        divide_rounded(exact, 1000),
    );
    if hundredths < 100 {
        return format!("0.{hundredths:02}ms");
    }
    if tenths < 100 {
        return format!("{}.{}ms", tenths / 10, tenths % 10);
    }
    if whole < 1000 {
        return format!("{whole}ms");
    }
    match divide_rounded(exact, 100_000) {
        tenths @ ..100 => format!("{}.{}s", tenths / 10, tenths % 10),
        _ => format!("{}s", divide_rounded(exact, 1_000_000)),
    }
}

fn divide_rounded(count: u64, size: u64) -> u64 {
    count.saturating_add(size / 2) / size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (41 * 60 + 59, "41m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (864_000, "10d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(format_age(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn times_left() {
        let cases = [
            (0, "0s"),
            (40, "0s"),
            (200, "0.2s"),
            (3_000, "3s"),
            (4_200, "4.2s"),
            (9_949, "9.9s"),
            (9_950, "10s"),
            (12_345, "12s"),
            (2_460_000, "41m"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(format_time_left(milliseconds), text);
        }
    }

    #[test]
    fn round_trips() {
        let cases = [
            (1, "0.00ms"),
            (44, "0.04ms"),
            (994, "0.99ms"),
            (995, "1.0ms"),
            (4_200, "4.2ms"),
            (9_949, "9.9ms"),
            (9_950, "10ms"),
            (120_400, "120ms"),
            (999_499, "999ms"),
            (999_500, "1.0s"),
            (1_249_000, "1.2s"),
            (31_000_000, "31s"),
            (u32::MAX, "4295s"),
        ];
        for (microseconds, text) in cases {
            assert_eq!(format_round_trip(microseconds), text);
        }
    }

    #[test]
    fn amounts() {
        let cases = [
            (0, "0"),
            (32, "32 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (4_200, "4.2 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (118_000, "118 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (2_500_000, "2.5 MB"),
            (u64::from(u32::MAX), "4.3 GB"),
            (5_000_000_000_000, "5000 GB"),
        ];
        for (count, text) in cases {
            assert_eq!(format_bytes(count), text);
        }
        assert!(format_bytes(u64::MAX).ends_with(" GB"));
    }
}
