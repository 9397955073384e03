//! Suspicious names: a letter off a known one, or like those of kernel threads.
//! And the many that look so and are honest.

use crate::model::text::is_deceptive;

/// Names worth copying.
const KNOWN_NAMES: [&str; 44] = [
    "systemd",
    "systemd-resolve",
    "systemd-network",
    "systemd-timesyn",
    "systemd-logind",
    "systemd-journal",
    "dbus-daemon",
    "dbus-broker",
    "NetworkManager",
    "avahi-daemon",
    "chronyd",
    "ntpd",
    "crond",
    "cron",
    "rsyslogd",
    "syslogd",
    "sshd",
    "sshd-session",
    "cupsd",
    "dnsmasq",
    "named",
    "unbound",
    "nginx",
    "apache2",
    "httpd",
    "haproxy",
    "postgres",
    "mysqld",
    "mariadbd",
    "redis-server",
    "mongod",
    "memcached",
    "dockerd",
    "containerd",
    "kubelet",
    "firefox",
    "firefox-bin",
    "chrome",
    "chromium",
    "postfix",
    "dovecot",
    "smbd",
    "nmbd",
    "winbindd",
];

/// Honest programs a letter off a known one: clients of a server, older names,
/// unrelated programs. They are neither copies nor worth copying.
const HONEST_NEIGHBOURS: [&str; 28] = [
    "apache",
    "chroma",
    "chronyc",
    "container",
    "crowd",
    "cups",
    "docker",
    "http",
    "http2",
    "https",
    "httpx",
    "inbound",
    "mariadb",
    "memcache",
    "mongo",
    "mongoc",
    "mongos",
    "mysql",
    "mysqlx",
    "postgre",
    "postgrest",
    "rsyslog",
    "shttpd",
    "syslog",
    "system",
    "thttpd",
    "upsd",
    "winbind",
];

/// Minimum length of a name for comparison by one edit. Shorter names have too
/// many honest neighbours one letter off: only one of the same letters is a
/// copy.
const MIN_FUZZY_LENGTH: usize = 5;

/// Names of kernel threads that a CPU's or a node's number follows.
const NUMBERED_KERNEL_THREADS: [&str; 4] = ["kworker/", "ksoftirqd/", "migration/", "kswapd"];

/// Names of single kernel threads.
const SINGLE_KERNEL_THREADS: [&str; 2] = ["kthreadd", "khugepaged"];

/// True if a name is one that the kernel gives its threads, or that name in
/// brackets, as `ps` shows it. Brackets alone prove nothing: Celery, for one,
/// writes the task of a worker into its name.
pub(super) fn is_kernel_thread_name(name: &str) -> bool {
    // The end may have been cut off: a name has fifteen bytes at most.
    let name = name.strip_prefix('[').unwrap_or(name);
    let name = name.strip_suffix(']').unwrap_or(name);
    let is_numbered = |known: &&str| {
        let rest = name.strip_prefix(*known);
        rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    SINGLE_KERNEL_THREADS.contains(&name)
        || name.starts_with("rcu_")
        // Workers of no CPU in particular.
        || name.starts_with("kworker/u")
        || NUMBERED_KERNEL_THREADS.iter().any(is_numbered)
}

/// Returns the known name that is one letter off.
pub(super) fn one_edit_from(name: &str) -> Option<&'static str> {
    if KNOWN_NAMES.contains(&name) || HONEST_NEIGHBOURS.contains(&name) {
        return None;
    }
    let is_copy = |known: &&&str| {
        if known.len() >= MIN_FUZZY_LENGTH {
            is_one_edit_apart(name, known)
        } else {
            // `sshd` has no honest neighbour of the same letters.
            known.ends_with('d') && is_misspelt(name, known)
        }
    };
    KNOWN_NAMES.iter().find(is_copy).copied()
}

/// Returns the known name that looks the same: with letters of another script,
/// blanks or invisible characters.
pub(super) fn homoglyph_of(name: &str) -> Option<&'static str> {
    let skeleton: String = name.chars().filter_map(latin_lookalike).collect();
    let known = KNOWN_NAMES.iter().find(|known| **known == skeleton);
    known.copied().filter(|known| *known != name)
}

/// The Latin letter that a character looks like; none for an invisible one.
fn latin_lookalike(character: char) -> Option<char> {
    Some(match character {
        'а' | 'α' | 'ɑ' => 'a',
        'ь' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' => 'e',
        'ɡ' => 'g',
        'һ' => 'h',
        'і' | 'ι' | 'ı' | 'ɩ' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'п' | 'ո' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'ѕ' | 'ꜱ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' => 'v',
        'ԝ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0)?,
        _ if character.is_whitespace() || is_deceptive(character) || character == '\u{2800}' => {
            return None;
        }
        _ => character,
    })
}

/// True if two neighbouring letters are swapped, or a letter is doubled or
/// undoubled.
fn is_misspelt(name: &str, known: &str) -> bool {
    let undoubled = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.dedup();
        letters
    };
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    is_one_edit_apart(name, known)
        && (undoubled(name) == undoubled(known) || sorted(name) == sorted(known))
}

/// True if inserting, deleting or replacing one letter, or swapping two
/// neighbouring ones, makes one of the other.
fn is_one_edit_apart(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let head = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let (left, right) = (&left[head..], &right[head..]);
    let tail = left.iter().rev().zip(right.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    match (&left[..left.len() - tail], &right[..right.len() - tail]) {
        ([_], [_] | []) | ([], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_off_is_seen() {
        for (left, right) in [
            ("nginy", "nginx"),
            ("ngnix", "nginx"),
            ("nginxx", "nginx"),
            ("nginx", "nginxx"),
            ("ginx", "nginx"),
        ] {
            assert!(is_one_edit_apart(left, right), "{left} {right}");
        }
        for (left, right) in [
            ("nginx", "nginx"),
            ("nging", "ngxin"),
            ("", "ab"),
            ("bash", "dish"),
        ] {
            assert!(!is_one_edit_apart(left, right), "{left} {right}");
        }
    }

    #[test]
    fn only_the_forms_that_the_kernel_uses_are_names_of_its_threads() {
        for name in [
            "kworker/3:1H",
            "kworker/u16:0",
            "[kworker/0:1]",
            "[kworker/u16:0-e",
            "ksoftirqd/0",
            "migration/11",
            "kthreadd",
            "[kthreadd]",
            "rcu_preempt",
            "kswapd0",
            "[kswapd1]",
            "khugepaged",
        ] {
            assert!(is_kernel_thread_name(name), "{name}");
        }
        for name in [
            "[celeryd: celer",
            "[kthread]",
            "[",
            "[]",
            "kworker/",
            "kworker/main",
            "ksoftirqd",
            "migration/db",
            "kthreadd-ui",
            "kswapd",
            "kswapdump",
            "khugepagedx",
        ] {
            assert!(!is_kernel_thread_name(name), "{name}");
        }
    }

    #[test]
    fn short_names_are_copied_by_their_own_letters_only() {
        for (name, known) in [
            ("ssshd", Some("sshd")),
            ("sshdd", Some("sshd")),
            ("shd", Some("sshd")),
            ("shsd", Some("sshd")),
            ("sshe", None),
            ("ssh", None),
            ("rshd", None),
            ("corn", None),
            ("sshd", None),
        ] {
            assert_eq!(one_edit_from(name), known, "{name}");
        }
    }

    #[test]
    fn what_looks_the_same_is_a_copy() {
        for (name, known) in [
            ("\u{455}shd", Some("sshd")),
            ("\u{455}\u{455}\u{4bb}\u{501}", Some("sshd")),
            ("sshd ", Some("sshd")),
            ("sshd\u{a0}", Some("sshd")),
            ("ss\u{200b}hd", Some("sshd")),
            ("n\u{261}inx", Some("nginx")),
            ("\u{ff4e}ginx", Some("nginx")),
            ("sshd", None),
            ("сервер", None),
            ("sshd x", None),
        ] {
            assert_eq!(homoglyph_of(name), known, "{name}");
        }
    }

    #[test]
    fn honest_neighbours_are_no_copies() {
        for (neighbour, known) in [
            ("mysql", "mysqld"),
            ("mariadb", "mariadbd"),
            ("mongo", "mongod"),
            ("mongos", "mongod"),
            ("docker", "dockerd"),
            ("http", "httpd"),
            ("httpx", "httpd"),
            ("thttpd", "httpd"),
            ("chronyc", "chronyd"),
            ("cron", "crond"),
            ("crowd", "crond"),
            ("upsd", "cupsd"),
            ("inbound", "unbound"),
            ("postgrest", "postgres"),
            ("chroma", "chrome"),
            ("syslogd", "rsyslogd"),
        ] {
            assert!(is_one_edit_apart(neighbour, known), "{neighbour} {known}");
            assert_eq!(one_edit_from(neighbour), None, "{neighbour}");
        }
        // An entry that resembles no known name is there by mistake.
        for neighbour in HONEST_NEIGHBOURS {
            let mut names = KNOWN_NAMES
                .iter()
                .filter(|known| known.len() >= MIN_FUZZY_LENGTH);
            assert!(
                names.any(|known| is_one_edit_apart(neighbour, known)),
                "{neighbour}"
            );
        }
        for copy in ["redis-serve", "nginxd", "nameb", "mysqle", "sshd-sesion"] {
            assert!(one_edit_from(copy).is_some(), "{copy}");
        }
    }
}
