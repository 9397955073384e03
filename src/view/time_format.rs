//! Formatting of times and short durations in events and timelines.

use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::model::time::Time;
use std::time::Duration;

const DAY_MS: u64 = 86_400_000;

/// Formats the time of day in UTC of a moment on the monotonic clock, before or
/// after `now`; with its date if that was more than a day ago.
pub(super) fn time_of_day(at_us: u64, now: Time) -> String {
    let event_ms = at_us / 1000;
    let ago_ms = now.monotonic_ms.saturating_sub(event_ms);
    let ahead_ms = event_ms.saturating_sub(now.monotonic_ms);
    let wall_ms = now.wall_ms.saturating_sub(ago_ms).saturating_add(ahead_ms);
    let of_day = wall_ms % DAY_MS;
    let (seconds, milliseconds) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if ago_ms < DAY_MS {
        return format!("{hour:02}:{minute:02}:{second:02}.{milliseconds:03}");
    }
    let (month, day) = month_and_day(wall_ms / DAY_MS);
    format!("{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Month and day of a number of days since 1970-01-01, in the Gregorian
/// calendar: counted from 1 March of the year 0, so that a leap day is the last
/// of its year.
fn month_and_day(days: u64) -> (u64, u64) {
    const FOUR_CENTURIES: u64 = 146_097;
    let day = (days + 719_468) % FOUR_CENTURIES;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    ((month + 2) % 12 + 1, day_of_month)
}

/// Formats a duration, also one below a hundredth of a second.
pub(super) fn format_duration_us(microseconds: u64, words: &Catalogue) -> String {
    let tenths = microseconds / 100;
    let (name, number) = match tenths {
        // A state lasts longer than zero.
        0 => ("micro", microseconds.max(1).to_string()),
        1..100 => ("milli", format!("{}.{}", tenths / 10, tenths % 10)),
        _ => return words.duration_text(Duration::from_micros(microseconds)),
    };
    let sentence = words.screen("timeline", name);
    render(sentence, |_| Some(number.clone())).unwrap_or_default()
}

/// Formats a duration below a second in whole milliseconds, a longer one as
/// usual.
pub(super) fn format_milliseconds(length: Duration, words: &Catalogue) -> String {
    if length >= Duration::from_secs(1) {
        return words.duration_text(length);
    }
    let number = length.as_millis().to_string();
    render(words.screen("timeline", "milli"), |_| Some(number.clone())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;

    /// 2026-11-22T10:00:00Z, an hour after watching began.
    const NOW: Time = Time {
        wall_ms: 1_795_341_600_000,
        monotonic_ms: 3_600_000,
    };

    #[test]
    fn times_are_shown_as_time_of_day() {
        assert_eq!(time_of_day(3_600_000_000, NOW), "10:00:00.000");
        assert_eq!(time_of_day(3_599_880_000, NOW), "09:59:59.880");
        assert_eq!(time_of_day(0, NOW), "09:00:00.000");
        // The event is later than the table.
        assert_eq!(time_of_day(3_600_400_000, NOW), "10:00:00.400");
        let later = Time {
            wall_ms: NOW.wall_ms + 2 * DAY_MS,
            monotonic_ms: NOW.monotonic_ms + 2 * DAY_MS,
        };
        assert_eq!(time_of_day(3_600_000_000, later), "11-22 10:00:00");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, (1, 1)),
            (31, (2, 1)),
            (59, (3, 1)),
            (11_016, (2, 29)),
            (11_017, (3, 1)),
            (20_453, (12, 31)),
            (20_454, (1, 1)),
        ];
        for (days, date) in cases {
            assert_eq!(month_and_day(days), date, "{days}");
        }
    }

    #[test]
    fn durations_below_a_millisecond_are_shown() {
        let words = Catalogue::of(Language::English);
        let cases = [
            (0, "1 µs"),
            (40, "40 µs"),
            (300, "0.3 ms"),
            (1_240, "1.2 ms"),
            (9_990, "9.9 ms"),
            (38_000, "38 ms"),
            (1_213_000, "1.2 s"),
        ];
        for (microseconds, shown) in cases {
            assert_eq!(format_duration_us(microseconds, words), shown);
        }
    }
}
