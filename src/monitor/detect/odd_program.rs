//! Rule: a program with sockets goes by a name, or runs from a place, that
//! honest programs seldom have. The old lesson of IEXPLORE beside EXPLORE: a
//! worm hides behind a name one letter off.

use super::standing::{Level, Standing};
use super::{Actor, Case, Detector};
use crate::model::evidence::{Evidence, Oddity};
use crate::model::finding::{Finding, Severity};
use crate::model::process::{Process, Program};
use crate::model::text::Text;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names that are worth copying, and those that honest programs have beside
/// them: these are no copies of each other.
const KNOWN: [&str; 44] = [
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

/// Shorter names have too many honest neighbours one letter off.
const SHORTEST: usize = 5;

/// Where packages put their programs: what lies there was put there by root.
const PACKAGED: [&str; 7] = [
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/opt/",
    "/snap/",
    "/nix/store/",
];

/// Where anybody may put a file.
const ANYBODYS: [&str; 3] = ["/tmp/", "/var/tmp/", "/dev/shm/"];

/// How the kernel names a file that was made by `memfd_create(2)`.
const MEMORY: &str = "/memfd:";

/// How the kernel names its own threads.
const KERNEL_NAMES: [&str; 8] = [
    "kworker/",
    "ksoftirqd/",
    "migration/",
    "kthreadd",
    "rcu_",
    "kswapd",
    "khugepaged",
    "[",
];

/// A finding per process.
#[derive(Default)]
pub(super) struct OddProgram {
    standing: Standing<Actor>,
    /// What was said of each process, so that it is asked once: a process whose
    /// name or file changes is another one here.
    judged: BTreeMap<Actor, (Arc<Process>, Option<Oddity>)>,
}

impl Detector for OddProgram {
    fn judge(&mut self, case: &Case<'_>) -> Vec<Finding> {
        let before = std::mem::take(&mut self.judged);
        let interner = case.scene.interner;
        let processes = interner.processes().iter();
        for process in processes.filter(|process| interner.is_enrolled(process)) {
            let actor = Actor::of(process);
            let known = before.get(&actor);
            let same = known.filter(|(seen, _)| Arc::ptr_eq(seen, process));
            let oddity = same.map_or_else(|| oddity(process), |(_, oddity)| oddity.clone());
            self.judged.insert(actor, (Arc::clone(process), oddity));
        }
        for (actor, (process, oddity)) in &self.judged {
            let Some((oddity, program)) = oddity.as_ref().zip(process.exe.as_ref()) else {
                continue;
            };
            let evidence = Evidence::OddProgram {
                oddity: oddity.clone(),
                program: program.marked(),
            };
            let level = Level::Raise(Severity::Warn, evidence);
            self.standing.judge(*actor, Some(process), level, case.now);
        }
        self.standing.findings(case.now, case.limits.clearing)
    }
}

/// What is odd about a process, if its program file is known.
fn oddity(process: &Process) -> Option<Oddity> {
    let program = process.exe.as_ref()?;
    let path = program.path.as_str();
    let name = process.name.as_str();
    if is_like_a_kernel_thread(name) {
        return Some(Oddity::KernelName);
    }
    if path.starts_with(MEMORY) {
        return Some(Oddity::InMemory);
    }
    if ANYBODYS.iter().any(|folder| path.starts_with(folder)) {
        return Some(Oddity::AnybodysFolder);
    }
    let packaged = PACKAGED.iter().any(|folder| path.starts_with(folder));
    let copied = (!packaged).then(|| resembled(name)).flatten();
    copied.map(|known| Oddity::Resembles(Text::from(known)))
}

/// Whether a listener's program file is one to be wary of: removed, or where
/// anybody may have put it.
pub(super) fn is_doubtful(program: &Program) -> bool {
    let path = program.path.as_str();
    // Which covers what is in memory only: the kernel calls it deleted.
    program.deleted || ANYBODYS.iter().any(|folder| path.starts_with(folder))
}

fn is_like_a_kernel_thread(name: &str) -> bool {
    KERNEL_NAMES.iter().any(|known| name.starts_with(known))
}

/// The known name that is one letter off.
fn resembled(name: &str) -> Option<&'static str> {
    if KNOWN.contains(&name) {
        return None;
    }
    let mut names = KNOWN.iter().filter(|known| known.len() >= SHORTEST);
    names.find(|known| is_one_edit_apart(name, known)).copied()
}

/// Whether one letter put in, left out or replaced makes one of the other, or
/// two neighbours in the other order.
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

    fn judged(name: &str, path: &str) -> Option<Oddity> {
        oddity(&Process {
            name: Text::from(name),
            exe: Some(Program {
                path: Text::from(path),
                deleted: false,
            }),
            ..Process::default()
        })
    }

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
    fn copies_temporary_programs_and_false_kernel_threads_are_odd() {
        let like = |name| Some(Oddity::Resembles(Text::from(name)));
        assert_eq!(judged("nginxx", "/home/u/nginxx"), like("nginx"));
        assert_eq!(judged("rsyslogs", "/var/lib/x/rsyslogs"), like("rsyslogd"));
        assert_eq!(
            judged("miner", "/dev/shm/miner"),
            Some(Oddity::AnybodysFolder)
        );
        assert_eq!(judged("x", "/memfd:x"), Some(Oddity::InMemory));
        assert_eq!(
            judged("kworker/0:1", "/usr/bin/x"),
            Some(Oddity::KernelName)
        );
        assert_eq!(judged("[kthread]", "/usr/bin/x"), Some(Oddity::KernelName));
    }

    #[test]
    fn honest_programs_are_not() {
        for (name, path) in [
            ("nginx", "/home/u/build/nginx"),
            ("nginxx", "/usr/sbin/nginxx"),
            ("crond", "/usr/sbin/crond"),
            ("cron", "/home/u/cron"),
            ("sshe", "/home/u/sshe"),
            ("python3", "/home/u/.venv/bin/python3"),
            ("tmpfiles", "/home/u/tmp/tmpfiles"),
            ("", "/home/u/x"),
        ] {
            assert_eq!(judged(name, path), None, "{name} {path}");
        }
        assert_eq!(oddity(&Process::default()), None, "no file, no verdict");
    }
}
