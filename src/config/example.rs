//! The file written by `tcplens config init`: every setting, commented out, so
//! that it changes nothing until a `#` is removed.

use super::thresholds;
use crate::monitor::Thresholds;
use std::fmt::Write as _;

const HEAD: &str = "\
# Settings of tcplens. What stands behind a single # is how it is without it;
# take the # away and change it. `tcplens config show` tells what is in force.

# No key ends or closes anything, nor do `tcplens kill` and `tcplens close`.
#read_only = false

# The language of all words, en or zh; else that of the locale.
#language = \"en\"

# Ring the terminal's bell once when an alarm begins.
#bell = false

# What the kernel tells of connections between two tables, down to those that
# last a millisecond: auto (where permitted, and given up when it takes more
# than 5 % of a core), on, or off.
#events = \"auto\"

# Who is meant to listen, as `tcplens baseline save` wrote it; relative to the
# folder of this file. Whoever is not in it is a finding.
#baseline = \"baseline.json\"

# The limits of the rules. Times are written \"90s\", \"5m\"; shares are 0 to 1.
#[thresholds]
";

const TAIL: &str = "
# What is not to be told as news: it stays on the page of findings (F), dim, and
# is counted. Without a program the whole rule is muted. F and m write this out.
#[[mute]]
#rule = \"new_listener\"
#program = \"/usr/bin/python3\"

# Rules of your own. The filter is that of the table; count: more sockets than
# this; per: total, process, remote or local_port; for: how long that must last.
#[[rule]]
#name = \"too many to the database\"
#filter = \"state established and dport = :5432\"
#count = 200
#per = \"process\"
#for = \"10s\"
#severity = \"warn\"
#text = \"{process} (pid {pid}) has {count} connections to the database\"

# Instead of count: growth, so many more sockets than there were within a time.
#[[rule]]
#name = \"CLOSE_WAIT piles up\"
#filter = \"state close-wait\"
#growth = 50
#within = \"5m\"
";

/// The text of the file.
#[must_use]
pub fn text() -> String {
    let mut text = HEAD.to_owned();
    for (name, value) in thresholds::to_entries(&Thresholds::default()) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "#{name} = {value}");
    }
    text.push_str(TAIL);
    text
}

/// Same text with the `#` before every setting removed.
#[cfg(test)]
pub(super) fn uncommented() -> String {
    let lines = text();
    let lines = lines.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, parse};
    use super::*;

    #[test]
    fn the_example_changes_nothing_and_could_be_taken_as_it_is() {
        let parsed = parse(&text()).unwrap();
        assert_eq!(parsed.settings, Settings::default());
        let parsed = parse(&uncommented()).unwrap();
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        let settings = parsed.settings;
        assert_eq!(settings.thresholds, Thresholds::default());
        assert_eq!((settings.rules.len(), settings.mutes.len()), (2, 1));
        assert!(text().lines().all(|line| line.chars().count() <= 80));
    }
}
