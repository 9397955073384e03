//! Facts about the processes that own sockets: name, program, command line,
//! user, start, ancestors.
//!
//! Facts are kept for as long as (pid, start time), name, parent and program file
//! stay the same: an `exec` changes the last, and so does an upgrade that removes
//! the file under a running program. A process that vanishes at any step
//! keeps what was read so far.

use super::cgroup;
use super::program_file::{self, FileId, ProgramVerifier};
use crate::model::gap::GapReason;
use crate::model::proc_stat::ProcStat;
use crate::model::process::{OpenFiles, Process, RunState};
use crate::model::text::Text;
use foldhash::{HashMap, HashMapExt};
use procfs::process::Process as ProcProcess;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest number of ancestors followed.
const MAX_ANCESTORS: usize = 8;
/// Longest command line read, bytes; texts are cut to less anyway.
const MAX_COMMAND_BYTES: u64 = 64 * 1024;
/// Room that holds most of these files whole.
const INITIAL_CAPACITY: usize = 4096;
/// Period, in tables, after which each process is read again: user and command
/// line may change without a visible sign.
const REFRESH_PERIOD: u32 = 16;
/// Most arguments kept.
const MAX_ARGUMENTS: usize = 256;

/// The facts of every process seen in the last table.
pub(super) struct ProcessCache {
    root: PathBuf,
    programs: ProgramVerifier,
    cache: HashMap<u32, Known>,
    boot_ms: Option<u64>,
    ticks_per_second: u64,
    round: u32,
    /// True if files could not be opened because no descriptor was left.
    out_of_descriptors: bool,
    /// Ancestors read for this table: processes of one family share them.
    ancestors: HashMap<u32, Option<(Text, u32)>>,
}

/// The facts of a process, and the file that it ran when they were read.
#[derive(Clone)]
struct Known {
    process: Arc<Process>,
    file: Option<FileId>,
}

impl ProcessCache {
    /// `root` is `/proc`, or a fixture.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
            programs: ProgramVerifier::new(root),
            cache: HashMap::new(),
            boot_ms: procfs::boot_time_secs().ok().map(|seconds| seconds * 1000),
            ticks_per_second: procfs::ticks_per_second().max(1),
            round: 0,
            out_of_descriptors: false,
            ancestors: HashMap::new(),
        }
    }

    /// Facts of these processes, in the same order. One that has vanished keeps
    /// only its pid.
    pub(super) fn facts(&mut self, pids: &[u32]) -> Vec<Arc<Process>> {
        self.ancestors.clear();
        self.out_of_descriptors = false;
        self.round = self.round.wrapping_add(1);
        let known: Vec<Known> = pids.iter().map(|pid| self.process(*pid)).collect();
        let facts = known.iter().map(|known| Arc::clone(&known.process));
        let facts = facts.collect();
        // Only processes of this table are kept: pids are reused.
        self.cache = pids.iter().copied().zip(known).collect();
        facts
    }

    /// True if facts are missing because no descriptor was left to read them.
    pub(super) fn out_of_descriptors(&self) -> bool {
        self.out_of_descriptors
    }

    fn process(&mut self, pid: u32) -> Known {
        let known = self.cache.get(&pid).cloned();
        let Some(stat) = self.stat(pid) else {
            return known.unwrap_or_else(|| Known {
                process: Arc::new(unnamed_process(pid)),
                file: None,
            });
        };
        // Before what is read from the file: if it changes meanwhile, the next table
        // finds another one.
        let file = program_file::running(&self.root, pid);
        let due = self.round.wrapping_add(pid).is_multiple_of(REFRESH_PERIOD);
        match known {
            Some(Known {
                process: known,
                file: before,
            }) if !due
                && before == file
                && known.start_ticks == stat.start_ticks
                && known.name.raw() == stat.name
                && known.ancestors.first().map_or(0, |(parent, _)| *parent) == stat.parent_pid
                && self.runs_same_program(&known) =>
            {
                let run_state = RunState::from_letter(stat.state);
                let process = if known.run_state == run_state {
                    known
                } else {
                    Arc::new(Process {
                        run_state,
                        ..Process::clone(&known)
                    })
                };
                Known { process, file }
            }
            _ => Known {
                process: Arc::new(self.read(pid, &stat)),
                file,
            },
        }
    }

    fn stat(&mut self, pid: u32) -> Option<ProcStat> {
        let opened = File::open(self.process_dir(pid).join("stat"));
        if let Err(error) = &opened {
            self.out_of_descriptors |=
                GapReason::from_io_error(error) == GapReason::DescriptorLimit;
        }
        ProcStat::parse(&read_small(opened.ok()?)?)
    }

    /// True if the program file of a process is the known one.
    fn runs_same_program(&self, known: &Process) -> bool {
        let link = program_file::read_exe_link(&self.root, known.pid).ok();
        match (&known.exe, link) {
            (Some(program), Some(link)) => program_file::matches_link(program, &link),
            (None, None) => true,
            _ => false,
        }
    }

    fn read_link(&self, pid: u32, name: &str) -> Option<Vec<u8>> {
        let path = std::fs::read_link(self.process_dir(pid).join(name)).ok()?;
        Some(path.into_os_string().into_vec())
    }

    fn process_dir(&self, pid: u32) -> PathBuf {
        self.root.join(pid.to_string())
    }

    fn read(&mut self, pid: u32, stat: &ProcStat) -> Process {
        let link = program_file::read_exe_link(&self.root, pid).ok();
        let exe = link.map(|link| self.programs.identify(pid, &link));
        let process = ProcProcess::new_with_root(self.process_dir(pid)).ok();
        let read = |name: &str| {
            let file = process.as_ref()?.open_relative(name).ok()?;
            read_small(file.take(MAX_COMMAND_BYTES))
        };
        let cgroup = read("cgroup");
        Process {
            pid,
            start_ticks: stat.start_ticks,
            started_ms: self
                .boot_ms
                .map(|boot| boot + stat.start_ticks.saturating_mul(1000) / self.ticks_per_second),
            name: Text::new(&stat.name),
            exe,
            command_line: read("cmdline").map_or_else(Vec::new, |bytes| parse_arguments(&bytes)),
            uid: read("status").and_then(|bytes| parse_real_uid(&bytes)),
            unit: cgroup.as_ref().and_then(|bytes| cgroup::parse_unit(bytes)),
            cgroup: cgroup.and_then(|bytes| cgroup::parse_group(&bytes)),
            working_directory: self.read_link(pid, "cwd").map(|path| Text::new(&path)),
            ancestors: self.parents(stat.parent_pid),
            kernel_thread: stat.kernel_thread,
            open_files: read("limits")
                .and_then(|bytes| parse_open_files_limit(&bytes))
                .and_then(|most| self.descriptors(pid, most)),
            run_state: RunState::from_letter(stat.state),
        }
    }

    /// The size of the folder is the number of descriptors since Linux 6.2
    /// (`proc_readfd_count` in `fs/proc/fd.c`), and 0 before.
    fn descriptors(&self, pid: u32, most: u32) -> Option<OpenFiles> {
        let open = std::fs::metadata(self.process_dir(pid).join("fd"))
            .ok()?
            .len();
        let open = u32::try_from(open).ok().filter(|open| *open > 0)?;
        Some(OpenFiles { open, limit: most })
    }

    fn parents(&mut self, first: u32) -> Vec<(u32, Text)> {
        let mut parents = Vec::new();
        let mut pid = first;
        while pid != 0 && parents.len() < MAX_ANCESTORS {
            let Some((name, parent)) = self.ancestor(pid) else {
                parents.push((pid, Text::default()));
                break;
            };
            parents.push((pid, name));
            pid = parent;
        }
        parents
    }

    /// Name and parent of a process.
    fn ancestor(&mut self, pid: u32) -> Option<(Text, u32)> {
        if let Some(known) = self.ancestors.get(&pid) {
            return known.clone();
        }
        let read = self
            .stat(pid)
            .map(|stat| (Text::new(&stat.name), stat.parent_pid));
        self.ancestors.insert(pid, read.clone());
        read
    }
}

/// Reads a file of `/proc`. Its size is reported as 0, which would make the
/// standard library begin with many tiny reads.
fn read_small(mut file: impl Read) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(INITIAL_CAPACITY);
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn unnamed_process(pid: u32) -> Process {
    Process {
        pid,
        ..Process::default()
    }
}

/// Each argument ends in a NUL; a process may overwrite them with any bytes.
pub(super) fn parse_arguments(bytes: &[u8]) -> Vec<Text> {
    let trimmed = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    if trimmed.is_empty() {
        return Vec::new();
    }
    trimmed
        .split(|byte| *byte == 0)
        .take(MAX_ARGUMENTS)
        .map(Text::from_command_line)
        .collect()
}

/// The first number of the `Uid:` line of `/proc/PID/status`.
pub(super) fn parse_real_uid(status: &[u8]) -> Option<u32> {
    let line = status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))?;
    let first = line
        .split(u8::is_ascii_whitespace)
        .find(|field| !field.is_empty())?;
    std::str::from_utf8(first).ok()?.parse().ok()
}

/// The soft limit of open files in `/proc/PID/limits`; an unlimited one is the
/// largest number.
pub(super) fn parse_open_files_limit(limits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(limits).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u32::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_limit_of_open_files_is_found() {
        let text = b"Limit Soft Hard Units\nMax open files            1024        4096   files\n";
        assert_eq!(parse_open_files_limit(text), Some(1024));
        let text = b"Max open files            unlimited   unlimited   files\n";
        assert_eq!(parse_open_files_limit(text), Some(u32::MAX));
        assert_eq!(parse_open_files_limit(b"Max open files"), None);
        assert_eq!(parse_open_files_limit(b"\xff"), None);
    }

    use super::*;
    use crate::source::program_file;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    /// Name, parent, start and path stay the same.
    #[test]
    fn another_program_under_the_same_path_is_noticed_with_the_next_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::copy(std::fs::canonicalize("/bin/sh").unwrap(), &path).unwrap();
        let script = "read x; exec \"$0\" -";
        let mut child = Command::new(&path)
            .args(["-c", script])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        let root = Path::new("/proc");
        let mut processes = ProcessCache::new(root);
        let before = processes.facts(&[pid]).remove(0);
        let ran = program_file::running(root, pid);
        let other = folder.path().join("other");
        std::fs::copy(std::fs::canonicalize("/bin/cat").unwrap(), &other).unwrap();
        std::fs::rename(&other, &path).unwrap();
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        let begins = |command: &[u8]| command.ends_with(b"\0-\0");
        while !std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|read| begins(&read)) {
            assert!(Instant::now() < deadline, "it never begins");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_ne!(program_file::running(root, pid), ran);
        let after = processes.facts(&[pid]).remove(0);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!((&after.name, after.pid), (&before.name, before.pid));
        assert_eq!(after.start_ticks, before.start_ticks);
        let command = |process: &Process| process.command_line.last().map(ToString::to_string);
        assert_eq!(command(&after).as_deref(), Some("-"));
        assert_ne!(command(&after), command(&before));
    }

    #[test]
    fn splits_command_lines() {
        let shown = |bytes: &[u8]| {
            parse_arguments(bytes)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(b"nginx\0-g\0\0x\0"), ["nginx", "-g", "", "x"]);
        assert_eq!(shown(b"nginx: worker"), ["nginx: worker"]);
        assert!(shown(b"").is_empty());
    }

    #[test]
    fn reads_this_process() {
        let mut processes = ProcessCache::new(Path::new("/proc"));
        let own = std::process::id();
        let facts = processes.facts(&[own, u32::MAX]);
        assert_eq!(facts[0].pid, own);
        assert!(facts[0].exe.is_some() && facts[0].uid.is_some());
        assert!(!facts[0].command_line.is_empty() && !facts[0].ancestors.is_empty());
        assert!(
            facts[1].name.is_empty(),
            "a vanished process keeps its number"
        );
        let again = processes.facts(&[own]);
        let later = processes.facts(&[own]);
        let kept = Arc::ptr_eq(&facts[0], &again[0]) || Arc::ptr_eq(&again[0], &later[0]);
        assert!(kept, "facts are kept");
    }
}
