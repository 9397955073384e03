//! The lab's other processes: copies of the running program, each with a role.
//!
//! A copy gets its role by hidden first arguments, reports on its output when
//! it is ready, and ends when its input closes, or with the process that
//! started it.

use super::device::DeviceChoice;
use super::load::Share;
use super::namespace::Namespace;
use super::talker::Part;
use super::{LabError, holder, lesson, load, parking, talker};
use crate::model::lesson::Course;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::ffi::{CStr, OsString};
use std::io::{ErrorKind, Read, Write, stderr, stdin, stdout};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The hidden first argument of a copy.
const HELPER: &str = "--lab-helper";
/// This program, whatever its name and even if its file was removed.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Grace period of a helper between the request to end and the kill.
const GRACE: Duration = Duration::from_secs(2);

/// The last line of a helper that is ready.
const READY: &str = "ready";
/// Prefix of an error at the start.
const FAILED: &str = "failed ";
/// Answer to a completed request.
const DONE: &str = "done";
/// Prefix of an error of a request.
const SORRY: &str = "sorry ";

/// Role of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Park one socket of each kind.
    Park(DeviceChoice),
    /// Hold sockets that another process has, too.
    Hold,
    /// Hold a share of a load.
    Carry(Share),
    /// Show one socket of each state and perform the requested actions; or only
    /// play the peers of a tour.
    Teach(DeviceChoice, Course),
    /// Be a program of the tour.
    Talk(Part),
}

impl Role {
    fn arguments(self) -> Vec<String> {
        match self {
            Self::Park(choice) => vec!["park".to_owned(), choice.word().to_owned()],
            Self::Hold => vec!["hold".to_owned()],
            Self::Carry(share) => [vec!["carry".to_owned()], share.words()].concat(),
            Self::Teach(choice, course) => {
                let course = match course {
                    Course::States => "states",
                    Course::Tour => "tour",
                };
                ["teach", choice.word(), course].map(str::to_owned).to_vec()
            }
            Self::Talk(part) => vec!["talk".to_owned(), part.word().to_owned()],
        }
    }

    fn from_arguments(arguments: &[&str]) -> Option<Self> {
        match arguments {
            ["park", choice] => DeviceChoice::from_word(choice).map(Self::Park),
            ["hold"] => Some(Self::Hold),
            ["carry", share @ ..] => Share::from_words(share).map(Self::Carry),
            ["teach", choice, course] => {
                let choice = DeviceChoice::from_word(choice)?;
                let course = match *course {
                    "states" => Course::States,
                    "tour" => Course::Tour,
                    _ => return None,
                };
                Some(Self::Teach(choice, course))
            }
            ["talk", part] => Part::from_word(part).map(Self::Talk),
            _ => None,
        }
    }

    /// The name under which its process is listed; at most 15 bytes.
    fn name(self) -> &'static CStr {
        match self {
            Self::Park(_) => c"lab-park",
            Self::Hold => c"lab-hold",
            Self::Carry(_) => c"lab-load",
            Self::Teach(..) => c"lab-class",
            Self::Talk(Part::Server) => c"server",
            Self::Talk(Part::Client) => c"client",
        }
    }
}

/// Names of the helpers that keep sockets in states that would be troubles
/// elsewhere. Those of the tour are not among them: it shows real ones.
pub const STAGED: [&str; 4] = ["lab-park", "lab-hold", "lab-load", "lab-class"];

/// Runs its role, if this process is a helper according to its arguments, the
/// program's own name first. To be called first of all, by every program that
/// uses the lab: helpers are copies of it.
#[must_use]
pub fn play(arguments: &[OsString]) -> Option<ExitCode> {
    let (_, arguments) = arguments.split_first()?;
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let (first, rest) = words.split_first()?;
    if *first != HELPER {
        return None;
    }
    let Some((outside, role)) = rest
        .split_first()
        .and_then(|(outside, role)| Some((outside.parse().ok()?, Role::from_arguments(role)?)))
    else {
        let _ = writeln!(stderr(), "tcplens: {HELPER} is not for people");
        return Some(ExitCode::from(2));
    };
    Some(match be(role, outside) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stdout(), "{FAILED}{error}");
            ExitCode::from(2)
        }
    })
}

fn be(role: Role, outside: u64) -> Result<(), LabError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(LabError::io("ask to end with", "the parent process"))?;
    // Only for people who look at processes.
    let _ = rustix::thread::set_name(role.name());
    let namespace = Namespace::confirm(outside)?;
    match role {
        Role::Park(choice) => parking::play(&namespace, choice),
        Role::Hold => holder::play(),
        Role::Carry(share) => load::play(&namespace, share),
        Role::Teach(choice, course) => lesson::play(&namespace, choice, course),
        Role::Talk(_) => talker::play(&namespace),
    }
}

/// Reports that all is ready.
pub(super) fn say_ready() -> Result<(), LabError> {
    say(READY)
}

/// Sends a line to the process that started this one.
pub(super) fn say(line: &str) -> Result<(), LabError> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(LabError::io("write to", "the parent process"))
}

/// Waits until the input closes or, if it is given, for this long. True once
/// it has closed.
pub(super) fn wait_for_end(patience: Option<Duration>) -> Result<bool, LabError> {
    let input = stdin();
    let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
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
pub(super) enum Upkeep {
    /// Query whether maintenance is needed.
    Asked,
    /// Maintenance is due.
    Due,
}

/// Serves requests, a line each, until the input closes, and answers each with
/// success or the error. Between them, and however many arrive, it runs the
/// maintenance, which returns the time until its next run, if any, and is
/// queried after each request, too.
pub(super) fn obey(
    mut keep_up: impl FnMut(Upkeep) -> Option<Duration>,
    mut order: impl FnMut(&str) -> Result<(), LabError>,
) -> Result<(), LabError> {
    let input = stdin();
    let mut heard = Vec::new();
    let after = |rest: Option<Duration>| Instant::now().checked_add(rest?);
    let mut due = after(keep_up(Upkeep::Asked));
    loop {
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            due = after(keep_up(Upkeep::Due));
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
                Ok(()) => say(DONE)?,
                Err(error) => say(&format!("{SORRY}{error}"))?,
            }
            due = due.or_else(|| after(keep_up(Upkeep::Asked)));
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
    said: Vec<u8>,
}

impl Helper {
    /// Starts a copy with an input that closes when this is dropped, or when
    /// this process ends.
    pub(super) fn start(namespace: &Namespace, role: Role) -> Result<Self, LabError> {
        Self::start_with(namespace, role, Stdio::piped())
    }

    pub(super) fn start_with(
        namespace: &Namespace,
        role: Role,
        input: Stdio,
    ) -> Result<Self, LabError> {
        let mut child = Command::new(OWN_PROGRAM)
            .arg0("tcplens")
            .arg(HELPER)
            .arg(namespace.outside().to_string())
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
            said: Vec::new(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True if it has not exited.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Requests it to end, without waiting.
    pub(super) fn dismiss(&mut self) {
        drop(self.input.take());
    }

    /// Waits until the helper is ready and returns the lines it wrote before.
    pub(super) fn ready(&mut self, patience: Duration) -> Result<Vec<String>, LabError> {
        let deadline = Instant::now() + patience;
        let mut lines = Vec::new();
        loop {
            while let Some(line) = take_line(&mut self.said) {
                if line == READY {
                    return Ok(lines);
                }
                if let Some(reason) = line.strip_prefix(FAILED) {
                    return Err(LabError::Helper(reason.to_owned()));
                }
                lines.push(line);
            }
            self.listen(deadline)?;
        }
    }

    /// Sends a request and waits for its completion. A helper that does not
    /// answer in time is not used again: its answer would be taken for that of
    /// the next request.
    pub(super) fn order(&mut self, line: &str, patience: Duration) -> Result<(), LabError> {
        let input = self.input.as_mut().ok_or(LabError::Gone)?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .map_err(|_| LabError::Gone)?;
        let deadline = Instant::now() + patience;
        loop {
            while let Some(line) = take_line(&mut self.said) {
                if line == DONE {
                    return Ok(());
                }
                if let Some(reason) = line.strip_prefix(SORRY) {
                    return Err(LabError::Helper(reason.to_owned()));
                }
            }
            if self.listen(deadline).is_err() {
                self.dismiss();
                return Err(LabError::Gone);
            }
        }
    }

    /// Waits for more output.
    fn listen(&mut self, deadline: Instant) -> Result<(), LabError> {
        let late = || LabError::Late("a helper process".to_owned());
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
                self.said.extend_from_slice(&buffer[..count]);
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
        self.dismiss();
        let deadline = Instant::now() + GRACE;
        while self.listen(deadline).is_ok() {}
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
        let share = Share {
            pairs: 7,
            ..Share::default()
        };
        for role in [
            Role::Park(DeviceChoice::Pair),
            Role::Hold,
            Role::Carry(share),
            Role::Teach(DeviceChoice::Auto, Course::Tour),
            Role::Teach(DeviceChoice::Tun, Course::States),
            Role::Talk(Part::Client),
        ] {
            let told = role.arguments();
            let words: Vec<&str> = told.iter().map(String::as_str).collect();
            assert_eq!(Role::from_arguments(&words), Some(role));
            assert!(role.name().to_bytes().len() < 16);
        }
    }

    #[test]
    fn only_the_hidden_argument_makes_a_helper() {
        for words in [&["tcplens"][..], &["tcplens", "lab"], &[]] {
            assert!(play(&arguments(words)).is_none());
        }
        // An unknown role is refused, and never taken for a filter.
        let nonsense = arguments(&["tcplens", HELPER, "1", "dance"]);
        assert_eq!(play(&nonsense), Some(ExitCode::from(2)));
    }
}
