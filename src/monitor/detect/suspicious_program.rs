//! Rule: a program with sockets has a name or a path that honest programs
//! seldom have. Like IEXPLORE beside EXPLORE: a worm hides behind a name one
//! letter off.

mod names;

use super::active_findings::{ActiveFindings, SocketHolder, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::table_context::ProcessKey;
use crate::model::evidence::{Evidence, ProgramAnomaly, SuspiciousProgramsEvidence};
use crate::model::finding::{Finding, Severity};
use crate::model::process::{OtherFileSystem, Process, Program};
use crate::model::text::Text;
use crate::model::unit::Unit;
use names::{homoglyph_of, is_kernel_thread_name, one_edit_from};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Folders of packaged programs: only root can put a file there.
const PACKAGE_DIRECTORIES: [&str; 7] = [
    "/usr/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/opt/",
    "/snap/",
    "/nix/store/",
];

/// World-writable folders.
const WORLD_WRITABLE_DIRECTORIES: [&str; 3] = ["/tmp/", "/var/tmp/", "/dev/shm/"];

/// Prefixes under which honest tools unpack programs: `AppImage`, and `go run`.
const UNPACK_PREFIXES: [&str; 2] = ["/tmp/.mount_", "/tmp/go-build"];

/// Prefix in the kernel's name of a file made by `memfd_create(2)`.
const MEMFD_PREFIX: &str = "/memfd:";

/// Maximum number of suspicious programs of a user that are reported one by
/// one; more are one finding, so that those of one user do not hide those of
/// another.
const MAX_SINGLE_FINDINGS: usize = 3;

/// Number of names in a group's finding.
const MAX_NAMES: usize = 3;

/// Maximum number of processes of a finding.
const MAX_PROCESSES: usize = 100;

/// Maximum number of findings, the most severe of them.
const MAX_FINDINGS: usize = 50;

/// Subject of a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum FindingSubject {
    Process(ProcessKey),
    Group(ProgramGroup),
}

/// Suspicious programs that are reported as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ProgramGroup {
    severity: Severity,
    uid: Option<u32>,
    anomaly: &'static str,
    /// World-writable folder; none where something else is suspicious.
    folder: Option<&'static str>,
}

impl ProgramGroup {
    fn of(process: &Process, oddity: &ProgramAnomaly, program: &Program) -> Self {
        let path = program.path.as_str();
        let anybodys = || {
            WORLD_WRITABLE_DIRECTORIES
                .into_iter()
                .find(|folder| path.starts_with(folder))
        };
        Self {
            severity: severity(oddity, program),
            uid: process.uid,
            anomaly: oddity.key(),
            folder: if *oddity == ProgramAnomaly::WorldWritableDirectory {
                anybodys()
            } else {
                None
            },
        }
    }
}

/// A finding per process, or for many of one user.
#[derive(Default)]
pub(super) struct SuspiciousProgramDetector {
    active: ActiveFindings<FindingSubject>,
    /// Result for each process, so that it is evaluated once: a process whose
    /// name or file changes counts as another one.
    evaluated: BTreeMap<ProcessKey, (Arc<Process>, Option<ProgramAnomaly>)>,
}

impl Detector for SuspiciousProgramDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let before = std::mem::take(&mut self.evaluated);
        let interner = case.context.interner;
        let processes = interner.processes().iter();
        for process in processes.filter(|process| interner.is_listed(process)) {
            let actor = ProcessKey::of(process);
            let known = before.get(&actor);
            let same = known.filter(|(seen, _)| Arc::ptr_eq(seen, process));
            let oddity = same.map_or_else(|| anomaly_of(process), |(_, oddity)| oddity.clone());
            self.evaluated.insert(actor, (Arc::clone(process), oddity));
        }
        let mut groups: BTreeMap<ProgramGroup, Vec<SuspiciousProcess<'_>>> = BTreeMap::new();
        for (actor, (process, oddity)) in &self.evaluated {
            if let Some((oddity, program)) = oddity.as_ref().zip(process.exe.as_ref()) {
                let group = ProgramGroup::of(process, oddity, program);
                groups
                    .entry(group)
                    .or_default()
                    .push((*actor, process, oddity, program));
            }
        }
        for (group, suspicious) in groups {
            let many = suspicious.len() > MAX_SINGLE_FINDINGS;
            for (actor, process, oddity, program) in &suspicious {
                let evidence = Evidence::SuspiciousProgram {
                    anomaly: (*oddity).clone(),
                    program: program.display_path(),
                };
                let level = if many {
                    TriggerLevel::Suppress
                } else {
                    TriggerLevel::Raise(group.severity, evidence)
                };
                let subject = FindingSubject::Process(*actor);
                self.active.update(subject, Some(*process), level, case.now);
            }
            let level = if many {
                TriggerLevel::Raise(group.severity, group_evidence(&group, &suspicious))
            } else {
                TriggerLevel::Suppress
            };
            let mut processes = suspicious.iter().map(|(_, process, ..)| *process);
            let holder = SocketHolder {
                process: processes.next(),
                workers: processes.take(MAX_PROCESSES).collect(),
                ..SocketHolder::default()
            };
            self.active
                .update(FindingSubject::Group(group), holder, level, case.now);
        }
        let mut findings = self.active.finish_round(case.now, case.limits.clearing);
        findings.sort_by_key(|finding| Reverse(finding.severity));
        findings.truncate(MAX_FINDINGS);
        findings
    }
}

type SuspiciousProcess<'a> = (
    ProcessKey,
    &'a Arc<Process>,
    &'a ProgramAnomaly,
    &'a Program,
);

fn group_evidence(group: &ProgramGroup, suspicious: &[SuspiciousProcess<'_>]) -> Evidence {
    let mut names: Vec<Text> = Vec::new();
    for (_, process, ..) in suspicious {
        if names.len() < MAX_NAMES && !names.contains(&process.name) {
            names.push(process.name.clone());
        }
    }
    Evidence::SuspiciousPrograms(SuspiciousProgramsEvidence {
        uid: group.uid,
        anomaly: group.anomaly,
        folder: group
            .folder
            .map(|folder| Text::from(folder.trim_end_matches('/'))),
        count: u32::try_from(suspicious.len()).unwrap_or(u32::MAX),
        names,
    })
}

/// Returns the reason for suspicion, if the program file is known.
fn anomaly_of(process: &Process) -> Option<ProgramAnomaly> {
    let program = process.exe.as_ref()?;
    let path = program.path.as_str();
    let name = process.name.as_str();
    if is_kernel_thread_name(name) {
        return Some(ProgramAnomaly::KernelThreadName);
    }
    let as_chosen = std::str::from_utf8(process.name.raw()).unwrap_or(name);
    if let Some(known) = homoglyph_of(as_chosen) {
        return Some(ProgramAnomaly::SimilarName(Text::from(known)));
    }
    if path.starts_with(MEMFD_PREFIX) {
        return Some(ProgramAnomaly::InMemory);
    }
    if let Some(elsewhere) = program.other_file_system() {
        return private_file_system(process, elsewhere);
    }
    if is_in(path, &WORLD_WRITABLE_DIRECTORIES) {
        return Some(ProgramAnomaly::WorldWritableDirectory);
    }
    let packaged = is_in(path, &PACKAGE_DIRECTORIES);
    let misspelt = (!packaged).then(|| one_edit_from(name)).flatten();
    misspelt.map(|known| ProgramAnomaly::SimilarName(Text::from(known)))
}

/// Returns the reason for suspicion of a program with a file system of its own;
/// none for one that root made, or a container's.
fn private_file_system(process: &Process, elsewhere: OtherFileSystem) -> Option<ProgramAnomaly> {
    let in_container = process.unit.as_ref().is_some_and(Unit::is_container);
    if in_container || !elsewhere.in_other_user_namespace {
        return None;
    }
    Some(if elsewhere.path_exists_here {
        ProgramAnomaly::DifferentFile
    } else {
        ProgramAnomaly::PrivateFileSystem
    })
}

/// Severity of a reason: a program that an honest tool unpacked, and a sandbox
/// whose path does not exist here, are only worth an info.
fn severity(oddity: &ProgramAnomaly, program: &Program) -> Severity {
    let unpacked = is_in(program.path.as_str(), &UNPACK_PREFIXES);
    match oddity {
        ProgramAnomaly::WorldWritableDirectory if unpacked => Severity::Info,
        ProgramAnomaly::PrivateFileSystem => Severity::Info,
        _ => Severity::Warning,
    }
}

fn is_in(path: &str, folders: &[&str]) -> bool {
    folders.iter().any(|folder| path.starts_with(folder))
}

/// True if a listener's program file is suspicious: deleted, or in a
/// world-writable folder or a file system of its own.
pub(super) fn is_suspicious(program: &Program) -> bool {
    let path = program.path.as_str();
    // Includes files in memory only: the kernel calls them deleted.
    let in_own_file_system = program
        .other_file_system()
        .is_some_and(|elsewhere| elsewhere.in_other_user_namespace);
    program.is_deleted()
        || in_own_file_system
        || is_in(path, &WORLD_WRITABLE_DIRECTORIES) && !is_in(path, &UNPACK_PREFIXES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::process::ProgramFile;
    use crate::model::unit::{UnitKind, UnitManager};

    fn judged(name: &str, path: &str) -> Option<ProgramAnomaly> {
        anomaly_of(&Process {
            name: Text::from(name),
            exe: Some(Program::verified(path)),
            ..Process::default()
        })
    }

    #[test]
    fn copies_temporary_programs_and_false_kernel_threads_are_odd() {
        let like = |name| Some(ProgramAnomaly::SimilarName(Text::from(name)));
        assert_eq!(judged("nginxx", "/home/u/nginxx"), like("nginx"));
        assert_eq!(judged("rsyslogs", "/var/lib/x/rsyslogs"), like("rsyslogd"));
        assert_eq!(
            judged("miner", "/dev/shm/miner"),
            Some(ProgramAnomaly::WorldWritableDirectory)
        );
        assert_eq!(judged("x", "/memfd:x"), Some(ProgramAnomaly::InMemory));
        assert_eq!(
            judged("kworker/0:1", "/usr/bin/x"),
            Some(ProgramAnomaly::KernelThreadName)
        );
    }

    #[test]
    fn what_honest_tools_unpack_is_worth_a_word_only() {
        for (path, expected) in [
            ("/tmp/.mount_KeePassXy1/usr/bin/keepassxc", Severity::Info),
            ("/tmp/go-build123456/b001/exe/main", Severity::Info),
            ("/tmp/.mounted/x", Severity::Warning),
            ("/tmp/x", Severity::Warning),
            ("/var/tmp/go-build1/x", Severity::Warning),
            ("/dev/shm/.mount_x/x", Severity::Warning),
        ] {
            let program = Program::verified(path);
            let found = judged("x", path).unwrap();
            assert_eq!(found, ProgramAnomaly::WorldWritableDirectory, "{path}");
            assert_eq!(severity(&found, &program), expected, "{path}");
            assert_eq!(
                is_suspicious(&program),
                expected == Severity::Warning,
                "{path}"
            );
        }
    }

    #[test]
    fn a_file_system_of_its_own_is_odd_unless_root_or_a_container_has_made_it() {
        let container = Unit::new(
            "podman:0123456789ab",
            UnitKind::Container,
            UnitManager::System,
        );
        for (foreign, taken, unit, expected) in [
            (true, true, None, Some(ProgramAnomaly::DifferentFile)),
            (true, false, None, Some(ProgramAnomaly::PrivateFileSystem)),
            (false, true, None, None),
            (true, true, Some(container), None),
            (
                true,
                true,
                Some(Unit::system("ssh.service")),
                Some(ProgramAnomaly::DifferentFile),
            ),
        ] {
            let process = Process {
                name: Text::from("sshd"),
                exe: Some(Program {
                    path: Text::from("/usr/sbin/sshd"),
                    file: ProgramFile::OtherFileSystem(OtherFileSystem {
                        in_other_user_namespace: foreign,
                        path_exists_here: taken,
                    }),
                }),
                unit,
                ..Process::default()
            };
            assert_eq!(anomaly_of(&process), expected, "{process:?}");
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
        assert_eq!(anomaly_of(&Process::default()), None, "no file, no verdict");
    }
}
