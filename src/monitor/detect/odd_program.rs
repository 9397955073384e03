//! Rule: a program with sockets has a name or a path that honest programs
//! seldom have. Like IEXPLORE beside EXPLORE: a worm hides behind a name one
//! letter off.

mod names;

use super::standing::{Holder, Level, Standing};
use super::{Actor, Case, Detector};
use crate::model::evidence::{Evidence, OddPrograms, Oddity};
use crate::model::finding::{Finding, Severity};
use crate::model::process::{Elsewhere, Process, Program};
use crate::model::text::Text;
use crate::model::unit::Unit;
use names::{copied, is_like_a_kernel_thread, resembled};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Folders of packaged programs: only root can put a file there.
const PACKAGED: [&str; 7] = [
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/opt/",
    "/snap/",
    "/nix/store/",
];

/// World-writable folders.
const ANYBODYS: [&str; 3] = ["/tmp/", "/var/tmp/", "/dev/shm/"];

/// Prefixes under which honest tools unpack programs: `AppImage`, and `go run`.
const UNPACKED: [&str; 2] = ["/tmp/.mount_", "/tmp/go-build"];

/// Prefix in the kernel's name of a file made by `memfd_create(2)`.
const MEMORY: &str = "/memfd:";

/// Maximum number of suspicious programs of a user that are reported one by
/// one; more are one finding, so that those of one user do not hide those of
/// another.
const ONE_BY_ONE: usize = 3;

/// Number of names in a group's finding.
const NAMED: usize = 3;

/// Maximum number of processes of a finding.
const MOST_PROCESSES: usize = 100;

/// Maximum number of findings, the most severe of them.
const MOST: usize = 50;

/// Subject of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Process(Actor),
    Group(Group),
}

/// Suspicious programs that are reported as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    severity: Severity,
    uid: Option<u32>,
    oddity: &'static str,
    /// World-writable folder; none where something else is suspicious.
    folder: Option<&'static str>,
}

impl Group {
    fn of(process: &Process, oddity: &Oddity, program: &Program) -> Self {
        let path = program.path.as_str();
        let anybodys = || ANYBODYS.into_iter().find(|folder| path.starts_with(folder));
        Self {
            severity: severity(oddity, program),
            uid: process.uid,
            oddity: oddity.key(),
            folder: if *oddity == Oddity::AnybodysFolder {
                anybodys()
            } else {
                None
            },
        }
    }
}

/// A finding per process, or for many of one user.
#[derive(Default)]
pub(super) struct OddProgram {
    standing: Standing<Subject>,
    /// Result for each process, so that it is evaluated once: a process whose
    /// name or file changes counts as another one.
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
        let mut groups: BTreeMap<Group, Vec<Odd<'_>>> = BTreeMap::new();
        for (actor, (process, oddity)) in &self.judged {
            if let Some((oddity, program)) = oddity.as_ref().zip(process.exe.as_ref()) {
                let group = Group::of(process, oddity, program);
                groups
                    .entry(group)
                    .or_default()
                    .push((*actor, process, oddity, program));
            }
        }
        for (group, odd) in groups {
            let many = odd.len() > ONE_BY_ONE;
            for (actor, process, oddity, program) in &odd {
                let evidence = Evidence::OddProgram {
                    oddity: (*oddity).clone(),
                    program: program.marked(),
                };
                let level = if many {
                    Level::Explained
                } else {
                    Level::Raise(group.severity, evidence)
                };
                let subject = Subject::Process(*actor);
                self.standing
                    .judge(subject, Some(*process), level, case.now);
            }
            let level = if many {
                Level::Raise(group.severity, together(&group, &odd))
            } else {
                Level::Explained
            };
            let mut processes = odd.iter().map(|(_, process, ..)| *process);
            let holder = Holder {
                process: processes.next(),
                workers: processes.take(MOST_PROCESSES).collect(),
                ..Holder::default()
            };
            self.standing
                .judge(Subject::Group(group), holder, level, case.now);
        }
        let mut findings = self.standing.findings(case.now, case.limits.clearing);
        findings.sort_by_key(|finding| Reverse(finding.severity));
        findings.truncate(MOST);
        findings
    }
}

type Odd<'a> = (Actor, &'a Arc<Process>, &'a Oddity, &'a Program);

fn together(group: &Group, odd: &[Odd<'_>]) -> Evidence {
    let mut names: Vec<Text> = Vec::new();
    for (_, process, ..) in odd {
        if names.len() < NAMED && !names.contains(&process.name) {
            names.push(process.name.clone());
        }
    }
    Evidence::OddPrograms(OddPrograms {
        uid: group.uid,
        oddity: group.oddity,
        folder: group
            .folder
            .map(|folder| Text::from(folder.trim_end_matches('/'))),
        count: u32::try_from(odd.len()).unwrap_or(u32::MAX),
        names,
    })
}

/// Returns the reason for suspicion, if the program file is known.
fn oddity(process: &Process) -> Option<Oddity> {
    let program = process.exe.as_ref()?;
    let path = program.path.as_str();
    let name = process.name.as_str();
    if is_like_a_kernel_thread(name) {
        return Some(Oddity::KernelName);
    }
    let as_chosen = std::str::from_utf8(process.name.raw()).unwrap_or(name);
    if let Some(known) = copied(as_chosen) {
        return Some(Oddity::Resembles(Text::from(known)));
    }
    if path.starts_with(MEMORY) {
        return Some(Oddity::InMemory);
    }
    if let Some(elsewhere) = program.elsewhere() {
        return own_file_system(process, elsewhere);
    }
    if is_in(path, &ANYBODYS) {
        return Some(Oddity::AnybodysFolder);
    }
    let packaged = is_in(path, &PACKAGED);
    let misspelt = (!packaged).then(|| resembled(name)).flatten();
    misspelt.map(|known| Oddity::Resembles(Text::from(known)))
}

/// Returns the reason for suspicion of a program with a file system of its own;
/// none for one that root made, or a container's.
fn own_file_system(process: &Process, elsewhere: Elsewhere) -> Option<Oddity> {
    let in_container = process.unit.as_ref().is_some_and(Unit::is_container);
    if in_container || !elsewhere.foreign_user_namespace {
        return None;
    }
    Some(if elsewhere.path_taken {
        Oddity::OtherFile
    } else {
        Oddity::OwnFileSystem
    })
}

/// Severity of a reason: a program that an honest tool unpacked, and a sandbox
/// whose path does not exist here, are only worth an info.
fn severity(oddity: &Oddity, program: &Program) -> Severity {
    let unpacked = is_in(program.path.as_str(), &UNPACKED);
    match oddity {
        Oddity::AnybodysFolder if unpacked => Severity::Info,
        Oddity::OwnFileSystem => Severity::Info,
        _ => Severity::Warn,
    }
}

fn is_in(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// True if a listener's program file is suspicious: deleted, or in a
/// world-writable folder or a file system of its own.
pub(super) fn is_doubtful(program: &Program) -> bool {
    let path = program.path.as_str();
    // Includes files in memory only: the kernel calls them deleted.
    let in_own_file_system = program
        .elsewhere()
        .is_some_and(|elsewhere| elsewhere.foreign_user_namespace);
    program.is_deleted() || in_own_file_system || is_in(path, &ANYBODYS) && !is_in(path, &UNPACKED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::ProgramFile;
    use crate::model::unit::{Manager, UnitKind};

    fn judged(name: &str, path: &str) -> Option<Oddity> {
        oddity(&Process {
            name: Text::from(name),
            exe: Some(Program::here(path)),
            ..Process::default()
        })
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
    }

    #[test]
    fn what_honest_tools_unpack_is_worth_a_word_only() {
        for (path, expected) in [
            ("/tmp/.mount_KeePassXy1/usr/bin/keepassxc", Severity::Info),
            ("/tmp/go-build123456/b001/exe/main", Severity::Info),
            ("/tmp/.mounted/x", Severity::Warn),
            ("/tmp/x", Severity::Warn),
            ("/var/tmp/go-build1/x", Severity::Warn),
            ("/dev/shm/.mount_x/x", Severity::Warn),
        ] {
            let program = Program::here(path);
            let found = judged("x", path).unwrap();
            assert_eq!(found, Oddity::AnybodysFolder, "{path}");
            assert_eq!(severity(&found, &program), expected, "{path}");
            assert_eq!(is_doubtful(&program), expected == Severity::Warn, "{path}");
        }
    }

    #[test]
    fn a_file_system_of_its_own_is_odd_unless_root_or_a_container_has_made_it() {
        let container = Unit::new("podman:0123456789ab", UnitKind::Container, Manager::System);
        for (foreign, taken, unit, expected) in [
            (true, true, None, Some(Oddity::OtherFile)),
            (true, false, None, Some(Oddity::OwnFileSystem)),
            (false, true, None, None),
            (true, true, Some(container), None),
            (
                true,
                true,
                Some(Unit::of_system("ssh.service")),
                Some(Oddity::OtherFile),
            ),
        ] {
            let process = Process {
                name: Text::from("sshd"),
                exe: Some(Program {
                    path: Text::from("/usr/sbin/sshd"),
                    file: ProgramFile::Elsewhere(Elsewhere {
                        foreign_user_namespace: foreign,
                        path_taken: taken,
                    }),
                }),
                unit,
                ..Process::default()
            };
            assert_eq!(oddity(&process), expected, "{process:?}");
        }
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
