//! The lab's other processes: copies of the running program, each with a role.
//!
//! A copy gets its role by hidden first arguments, reports on its output when
//! it is ready, and ends when its input closes, or with the process that
//! started it.

use super::device::DeviceChoice;
use super::load::LoadShare;
use super::namespace::LabNamespace;
use super::tour_process::TourRole;
use super::{LabError, fd_holder, load, rig_process, session, tour_process};
use crate::model::lab::LabMode;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::ffi::{CStr, OsString};
use std::io::{ErrorKind, Read, Write, stderr, stdin, stdout};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The hidden first argument of a copy.
const HELPER_FLAG: &str = "--lab-helper";
/// This program, whatever its name and even if its file was removed.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Grace period of a helper between the request to end and the kill.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// The last line of a helper that is ready.
const READY_LINE: &str = "ready";
/// Prefix of an error at the start.
const FAILED_PREFIX: &str = "failed ";
/// Answer to a completed request.
const DONE_LINE: &str = "done";
/// Prefix of an error of a request.
const ERROR_PREFIX: &str = "sorry ";

/// Role of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HelperRole {
    /// Park one socket of each kind.
    Rig(DeviceChoice),
    /// Hold sockets that another process has, too.
    HoldFds,
    /// Hold a share of a load.
    Load(LoadShare),
    /// Show one socket of each state and perform the requested actions; or only
    /// play the peers of a tour.
    Lab(DeviceChoice, LabMode),
    /// Be a program of the tour.
    TourProcess(TourRole),
}

impl HelperRole {
    fn arguments(self) -> Vec<String> {
        match self {
            Self::Rig(choice) => vec!["park".to_owned(), choice.word().to_owned()],
            Self::HoldFds => vec!["hold".to_owned()],
            Self::Load(share) => [vec!["carry".to_owned()], share.to_words()].concat(),
            Self::Lab(choice, course) => {
                let course = match course {
                    LabMode::States => "states",
                    LabMode::Tour => "tour",
                };
                ["teach", choice.word(), course].map(str::to_owned).to_vec()
            }
            Self::TourProcess(part) => vec!["talk".to_owned(), part.word().to_owned()],
        }
    }

    fn from_arguments(arguments: &[&str]) -> Option<Self> {
        match arguments {
            ["park", choice] => DeviceChoice::from_word(choice).map(Self::Rig),
            ["hold"] => Some(Self::HoldFds),
            ["carry", share @ ..] => LoadShare::from_words(share).map(Self::Load),
            ["teach", choice, course] => {
                let choice = DeviceChoice::from_word(choice)?;
                let course = match *course {
                    "states" => LabMode::States,
                    "tour" => LabMode::Tour,
                    _ => return None,
                };
                Some(Self::Lab(choice, course))
            }
            ["talk", part] => TourRole::from_word(part).map(Self::TourProcess),
            _ => None,
        }
    }

    /// The name under which its process is listed; at most 15 bytes.
    fn name(self) -> &'static CStr {
        match self {
            Self::Rig(_) => c"lab-park",
            Self::HoldFds => c"lab-hold",
            Self::Load(_) => c"lab-load",
            Self::Lab(..) => c"lab-class",
            Self::TourProcess(TourRole::Serve) => c"server",
            Self::TourProcess(TourRole::Client) => c"client",
        }
    }
}

/// Names of the helpers that keep sockets in states that would be troubles
/// elsewhere. Those of the tour are not among them: it shows real ones.
pub const STAGED_PROCESSES: [&str; 4] = ["lab-park", "lab-hold", "lab-load", "lab-class"];

/// Runs its role, if this process is a helper according to its arguments, the
/// program's own name first. To be called first of all, by every program that
/// uses the lab: helpers are copies of it.
#[must_use]
pub fn run_if_helper(arguments: &[OsString]) -> Option<ExitCode> {
    let (_, arguments) = arguments.split_first()?;
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let (first, rest) = words.split_first()?;
    if *first != HELPER_FLAG {
        return None;
    }
    let Some((outside, role)) = rest.split_first().and_then(|(outside, role)| {
        Some((outside.parse().ok()?, HelperRole::from_arguments(role)?))
    }) else {
        let _ = writeln!(stderr(), "tcplens: {HELPER_FLAG} is not for people");
        return Some(ExitCode::from(2));
    };
    Some(match run_role(role, outside) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stdout(), "{FAILED_PREFIX}{error}");
            ExitCode::from(2)
        }
    })
}

fn run_role(role: HelperRole, outside: u64) -> Result<(), LabError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(LabError::io("ask to end with", "the parent process"))?;
    // Only for people who look at processes.
    let _ = rustix::thread::set_name(role.name());
    let namespace = LabNamespace::verify(outside)?;
    match role {
        HelperRole::Rig(choice) => rig_process::run(&namespace, choice),
        HelperRole::HoldFds => fd_holder::run(),
        HelperRole::Load(share) => load::run(&namespace, share),
        HelperRole::Lab(choice, course) => session::run(&namespace, choice, course),
        HelperRole::TourProcess(_) => tour_process::run(&namespace),
    }
}

/// Reports that all is ready.
pub(super) fn send_ready() -> Result<(), LabError> {
    send_line(READY_LINE)
}

/// Sends a line to the process that started this one.
pub(super) fn send_line(line: &str) -> Result<(), LabError> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(LabError::io("write to", "the parent process"))
}

/// Waits until the input closes or, if it is given, for this long. True once
/// it has closed.
pub(super) fn wait_for_end(limit: Option<Duration>) -> Result<bool, LabError> {
    let input = stdin();
    let timeout = limit.and_then(|limit| Timespec::try_from(limit).ok());
    let mut descriptors = [PollFd::new(&input, PollFlags::IN)];
    match poll(&mut descriptors, timeout.as_ref()) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(LabError::io("wait for", "the parent process")(error)),
        Ok(_) => {
            let read = input.lock().read(&mut [0; 64]);
            Ok(read.is_ok_and(|count| count == 0))
        }
    }
}

/// Reason of a call for maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maintenance {
    /// Query whether maintenance is needed.
    Query,
    /// Maintenance is due.
    Due,
}

/// Serves requests, a line each, until the input closes, and answers each with
/// success or the error. Between them, and however many arrive, it runs the
/// maintenance, which returns the time until its next run, if any, and is
/// queried after each request, too.
pub(super) fn serve(
    mut keep_up: impl FnMut(Maintenance) -> Option<Duration>,
    mut order: impl FnMut(&str) -> Result<(), LabError>,
) -> Result<(), LabError> {
    let input = stdin();
    let mut heard = Vec::new();
    let after = |rest: Option<Duration>| Instant::now().checked_add(rest?);
    let mut due = after(keep_up(Maintenance::Query));
    loop {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            due = after(keep_up(Maintenance::Due));
            continue;
        }
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut descriptors = [PollFd::new(&input, PollFlags::IN)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(LabError::io("wait for", "orders")(error)),
            Ok(_) => {
                let mut buffer = [0; 1024];
                // Unbuffered: what is buffered would not wake the wait.
                match rustix::io::read(&input, &mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(count) => heard.extend_from_slice(&buffer[..count]),
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(LabError::io("read", "orders")(error)),
                }
            }
        }
        while let Some(line) = take_line(&mut heard) {
            match order(&line) {
                Ok(()) => send_line(DONE_LINE)?,
                Err(error) => send_line(&format!("{ERROR_PREFIX}{error}"))?,
            }
            due = due.or_else(|| after(keep_up(Maintenance::Query)));
        }
    }
}

/// Takes a complete line out of the buffer.
fn take_line(heard: &mut Vec<u8>) -> Option<String> {
    let end = heard.iter().position(|byte| *byte == b'\n')?;
    let line: Vec<u8> = heard.drain(..=end).collect();
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// A helper process. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Helper {
    child: Child,
    /// Closing it requests the helper to end.
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    output_buffer: Vec<u8>,
}

impl Helper {
    /// Starts a copy with an input that closes when this is dropped, or when
    /// this process ends.
    pub(super) fn start(namespace: &LabNamespace, role: HelperRole) -> Result<Self, LabError> {
        Self::start_with(namespace, role, Stdio::piped())
    }

    pub(super) fn start_with(
        namespace: &LabNamespace,
        role: HelperRole,
        input: Stdio,
    ) -> Result<Self, LabError> {
        let mut child = Command::new(OWN_PROGRAM)
            .arg0("tcplens")
            .arg(HELPER_FLAG)
            .arg(namespace.host_id().to_string())
            .args(role.arguments())
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(LabError::io("start", OWN_PROGRAM))?;
        Ok(Self {
            input: child.stdin.take(),
            output: child.stdout.take(),
            child,
            output_buffer: Vec::new(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True if it has not exited.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Requests it to end, without waiting.
    pub(super) fn shut_down(&mut self) {
        drop(self.input.take());
    }

    /// Waits until the helper is ready and returns the lines it wrote before.
    pub(super) fn wait_until_ready(&mut self, limit: Duration) -> Result<Vec<String>, LabError> {
        let deadline = Instant::now() + limit;
        let mut lines = Vec::new();
        loop {
            while let Some(line) = take_line(&mut self.output_buffer) {
                if line == READY_LINE {
                    return Ok(lines);
                }
                if let Some(reason) = line.strip_prefix(FAILED_PREFIX) {
                    return Err(LabError::Helper(reason.to_owned()));
                }
                lines.push(line);
            }
            self.read_output(deadline)?;
        }
    }

    /// Sends a request and waits for its completion. A helper that does not
    /// answer in time is not used again: its answer would be taken for that of
    /// the next request.
    pub(super) fn request(&mut self, line: &str, limit: Duration) -> Result<(), LabError> {
        let input = self.input.as_mut().ok_or(LabError::HelperGone)?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .map_err(|_| LabError::HelperGone)?;
        let deadline = Instant::now() + limit;
        loop {
            while let Some(line) = take_line(&mut self.output_buffer) {
                if line == DONE_LINE {
                    return Ok(());
                }
                if let Some(reason) = line.strip_prefix(ERROR_PREFIX) {
                    return Err(LabError::Helper(reason.to_owned()));
                }
            }
            if self.read_output(deadline).is_err() {
                self.shut_down();
                return Err(LabError::HelperGone);
            }
        }
    }

    /// Waits for more output.
    fn read_output(&mut self, deadline: Instant) -> Result<(), LabError> {
        let late = || LabError::Timeout("a helper process".to_owned());
        let output = self.output.as_mut().ok_or_else(late)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| late())?;
        let mut descriptors = [PollFd::new(output, PollFlags::IN)];
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(0) => return Err(late()),
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(LabError::io("listen to", "a helper process")(error)),
            Ok(_) => {}
        }
        let mut buffer = [0; 4096];
        match output.read(&mut buffer) {
            Ok(0) => Err(LabError::Helper(
                "lab: a helper process ended before it was ready".to_owned(),
            )),
            Ok(count) => {
                self.output_buffer.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(LabError::io("listen to", "a helper process")(error)),
        }
    }
}

impl Drop for Helper {
    /// A helper that ends by itself ends its own helpers.
    fn drop(&mut self) {
        self.shut_down();
        let deadline = Instant::now() + EXIT_GRACE;
        while self.read_output(deadline).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_role_is_told_and_understood() {
        let share = LoadShare {
            pairs: 7,
            ..LoadShare::default()
        };
        for role in [
            HelperRole::Rig(DeviceChoice::Pair),
            HelperRole::HoldFds,
            HelperRole::Load(share),
            HelperRole::Lab(DeviceChoice::Auto, LabMode::Tour),
            HelperRole::Lab(DeviceChoice::Tun, LabMode::States),
            HelperRole::TourProcess(TourRole::Client),
        ] {
            let told = role.arguments();
            let words: Vec<&str> = told.iter().map(String::as_str).collect();
            assert_eq!(HelperRole::from_arguments(&words), Some(role));
            assert!(role.name().to_bytes().len() < 16);
        }
    }

    #[test]
    fn only_the_hidden_argument_makes_a_helper() {
        for words in [&["tcplens"][..], &["tcplens", "lab"], &[]] {
            assert!(run_if_helper(&arguments(words)).is_none());
        }
        // An unknown role is refused, and never taken for a filter.
        let nonsense = arguments(&["tcplens", HELPER_FLAG, "1", "dance"]);
        assert_eq!(run_if_helper(&nonsense), Some(ExitCode::from(2)));
    }
}
