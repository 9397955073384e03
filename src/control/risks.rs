//! Risky processes to signal: those tcplens runs under, and those whose end
//! stops a container.

use super::process_tree::{self, process_dir};
use crate::model::risk::Risk;
use std::fs;

/// Returns the risks of signalling a process.
pub(super) fn risks_of(pid: u32, own: u32) -> Vec<Risk> {
    let mut cautions = Vec::new();
    if process_tree::ancestors(own).contains(&pid) || holds_terminal_master(pid, own) {
        cautions.push(Risk::OwnAncestor);
    }
    if is_container_init(pid) {
        cautions.push(Risk::ContainerInit);
    }
    cautions
}

/// True if it is process 1 of a PID namespace below that of `/proc` (`NSpid` of
/// `/proc/PID/status`, proc_pid_status(5)).
pub(super) fn is_container_init(pid: u32) -> bool {
    let status = fs::read(process_dir(pid).join("status")).unwrap_or_default();
    is_nested_init(&String::from_utf8_lossy(&status))
}

fn is_nested_init(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

/// True if it holds the other end of tcplens's terminal: a multiplexer's server
/// or a terminal window, which need not be an ancestor.
fn holds_terminal_master(pid: u32, own: u32) -> bool {
    let Some(terminal) = terminal_index(own) else {
        return false;
    };
    let entries = fs::read_dir(process_dir(pid).join("fd"))
        .into_iter()
        .flatten();
    entries.flatten().any(|entry| {
        let master = fs::read_link(entry.path()).is_ok_and(|target| target.ends_with("ptmx"));
        let told = || {
            let path = process_dir(pid).join("fdinfo").join(entry.file_name());
            fs::read_to_string(path).unwrap_or_default()
        };
        master && parse_tty_index(&told()) == Some(terminal)
    })
}

/// The number of the pseudo-terminal a process has as one of its standard
/// descriptors.
fn terminal_index(pid: u32) -> Option<u32> {
    (0..3).find_map(|number: u8| {
        let path = fs::read_link(process_dir(pid).join("fd").join(number.to_string())).ok()?;
        path.to_str()?.strip_prefix("/dev/pts/")?.parse().ok()
    })
}

/// The terminal's number in `/proc/PID/fdinfo/FD` of its other end.
fn parse_tty_index(told: &str) -> Option<u32> {
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("tty-index:"));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_init_of_a_nested_namespace_is_found_by_nspid() {
        let cases = [
            ("Name:\tx\nNSpid:\t4711\t1\n", true),
            ("NSpid:\t4711\t30\t1\n", true),
            ("NSpid:\t4711\t12\n", false),
            ("NSpid:\t1\n", false),
            ("NSpid:\t11\t11\n", false),
            ("Name:\tx\n", false),
            ("", false),
        ];
        for (status, first) in cases {
            assert_eq!(is_nested_init(status), first, "{status:?}");
        }
    }

    #[test]
    fn the_terminals_number_is_read() {
        let told = "pos:\t0\nflags:\t02\nmnt_id:\t31\ntty-index:\t7\n";
        assert_eq!(parse_tty_index(told), Some(7));
        assert_eq!(parse_tty_index("pos:\t0\n"), None);
    }

    #[test]
    fn a_parent_is_an_ancestor_and_the_test_itself_is_not() {
        let own = std::process::id();
        let parent = std::os::unix::process::parent_id();
        assert!(risks_of(parent, own).contains(&Risk::OwnAncestor));
        assert!(!process_tree::ancestors(own).contains(&own));
    }
}
