//! A pseudo-terminal with the program behind it: what a person would see, and
//! the state in which the terminal is left.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::termios::{
    Action, OptionalActions, SpecialCodeIndex, Termios, tcflow, tcgetattr, tcsetattr,
};
use std::fs;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use vt100::{Parser, Screen};

/// The longest anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A little longer than a question must have stood before an answer counts.
const READING_TIME: Duration = Duration::from_millis(500);

/// A program that writes nothing for this long has finished its drawing.
const QUIET: Duration = Duration::from_millis(300);

/// How fast somebody presses a key that seems to be of no use.
const PRESSED_AGAIN: Duration = Duration::from_millis(100);

/// A program with a terminal of its own.
pub(crate) struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    /// Held open so that the terminal outlives the program and can be asked
    /// how it was left.
    slave: Option<OwnedFd>,
    before: Termios,
    display: Arc<Display>,
    reader: Option<JoinHandle<()>>,
    over: bool,
}

/// How a program left its terminal.
pub(crate) struct Ended {
    pub(crate) code: u32,
    pub(crate) screen: Screen,
    /// Everything that was written.
    pub(crate) bytes: Vec<u8>,
    /// Whether the terminal's modes are what they were before the start.
    pub(crate) modes_restored: bool,
}

impl Ended {
    /// Asserts that the program was left by `press_until_ended` with ^C. A press after it
    /// has given the terminal back is a signal if it has not ended yet, and has the
    /// terminal throw away what was written and not shown.
    pub(crate) fn assert_left_by_presses(&self) {
        assert!(matches!(self.code, 0 | 130), "{}", self.code);
        assert!(self.modes_restored, "the terminal is not cooked again");
    }
}

/// How a program ended after its terminal had vanished.
pub(crate) struct Vanished {
    pub(crate) code: u32,
    pub(crate) after: Duration,
    /// Processor time used from then on, children included.
    pub(crate) cpu: Duration,
}

#[derive(Default)]
struct Display {
    shown: Mutex<Option<Shown>>,
    changed: Condvar,
}

struct Shown {
    parser: Parser,
    bytes: Vec<u8>,
    closed: bool,
    /// The reading thread is asked to let go of the terminal.
    let_go: bool,
}

impl Session {
    /// Starts `program` on a terminal of 24 lines of 80 columns.
    pub(crate) fn start(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let pair = native_pty_system().openpty(size(24, 80)).unwrap();
        let slave = open(
            pair.master.tty_name().unwrap(),
            OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .unwrap();
        let before = tcgetattr(&slave).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        for name in [
            "LC_ALL",
            "LC_CTYPE",
            "NO_COLOR",
            "TCPLENS_TEST_PANIC",
            // Its lines would push the message off the small screen.
            "RUST_BACKTRACE",
        ] {
            command.env_remove(name);
        }
        // Not the settings of who runs the tests.
        command.env("XDG_CONFIG_HOME", "/nowhere/at/all");
        command.env("LANG", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        let display = Arc::new(Display::default());
        *display.lock() = Some(Shown {
            parser: parser(24, 80),
            bytes: Vec::new(),
            closed: false,
            let_go: false,
        });
        let source = pair.master.try_clone_reader().unwrap();
        let reader = {
            let display = Arc::clone(&display);
            thread::spawn(move || display.follow(source))
        };
        let child = pair.slave.spawn_command(command).unwrap();
        Self {
            child,
            writer: Some(pair.master.take_writer().unwrap()),
            master: Some(pair.master),
            slave: Some(slave),
            before,
            display,
            reader: Some(reader),
            over: false,
        }
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Types.
    pub(crate) fn keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    /// Answers the question on the screen, as somebody does who has read it: what
    /// comes sooner does not count.
    pub(crate) fn answer(&mut self, keys: &str) {
        thread::sleep(READING_TIME);
        self.keys(keys);
    }

    /// Types a lot: the program must take it all in time.
    pub(crate) fn flood(&mut self, bytes: &[u8]) {
        let mut writer = self.writer.take().unwrap();
        let bytes = bytes.to_vec();
        let (sender, taken) = mpsc::channel();
        thread::spawn(move || {
            writer
                .write_all(&bytes)
                .and_then(|()| writer.flush())
                .unwrap();
            let _ = sender.send(writer);
        });
        let Ok(writer) = taken.recv_timeout(PATIENCE) else {
            panic!("it takes no input; its screen:\n{}", self.words());
        };
        self.writer = Some(writer);
    }

    /// True if the program has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        has_ended(&self.process(), Duration::ZERO)
    }

    /// The program, which is not reaped before `ended`.
    fn process(&self) -> OwnedFd {
        let raw = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        pidfd_open(raw, PidfdFlags::empty()).unwrap()
    }

    /// Presses a key again and again until the program has ended.
    pub(crate) fn press_until_ended(&mut self, key: &str) {
        let process = self.process();
        let deadline = Instant::now() + PATIENCE;
        self.keys(key);
        while !has_ended(&process, PRESSED_AGAIN) {
            assert!(Instant::now() < deadline, "it obeys no key");
            self.keys(key);
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the screen is as described.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&Screen) -> bool) {
        self.display
            .wait(what, |shown| condition(shown.parser.screen()));
    }

    /// Waits until the screen shows a text, whatever line breaks are in it.
    pub(crate) fn wait_for_text(&self, text: &str) {
        self.wait_for(text, |screen| words(screen).contains(text));
    }

    /// What the screen shows now, with single spaces between words.
    pub(crate) fn words(&self) -> String {
        let shown = self.display.lock();
        words(shown.as_ref().unwrap().parser.screen())
    }

    /// Whether the terminal's modes are now what they were before the start.
    pub(crate) fn modes_restored(&self) -> bool {
        let now = tcgetattr(self.slave.as_ref().unwrap()).unwrap();
        same_modes(&self.before, &now)
    }

    /// Gives the terminal another size, and waits for nothing. The screen that
    /// is looked at keeps its own, so it should not be larger.
    pub(crate) fn set_size(&self, rows: u16, columns: u16) {
        let master = self.master.as_ref().unwrap();
        master.resize(size(rows, columns)).unwrap();
    }

    /// Gives the terminal another size, and waits until the program has drawn
    /// everything anew.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let from = {
            let mut shown = self.display.lock();
            let shown = shown.as_mut().unwrap();
            shown
                .parser
                .screen_mut()
                .set_size(cells(rows), cells(columns));
            shown.bytes.len()
        };
        let master = self.master.as_ref().unwrap();
        master.resize(size(rows, columns)).unwrap();
        let clears = |shown: &Shown| {
            let new = &shown.bytes[from..];
            new.windows(4).any(|bytes| bytes == b"\x1b[2J")
        };
        self.display.wait("a cleared screen", clears);
    }

    /// Makes the terminal take nothing more: who writes to it waits for ever.
    pub(crate) fn freeze(&self) {
        tcflow(self.slave.as_ref().unwrap(), Action::OOff).unwrap();
    }

    /// Waits until the program has ended by itself.
    pub(crate) fn ended(mut self) -> Ended {
        let code = self.wait_for_end();
        let modes_restored = self.modes_restored();
        // With the last descriptor of the terminal's other side its output
        // comes to an end.
        self.slave = None;
        self.display.wait("the end of output", |shown| shown.closed);
        let mut shown = self.display.lock();
        let shown = shown.as_mut().unwrap();
        Ended {
            code,
            screen: shown.parser.screen().clone(),
            bytes: std::mem::take(&mut shown.bytes),
            modes_restored,
        }
    }

    /// Takes the terminal away, in the midst of nothing, and waits until the
    /// program has ended.
    pub(crate) fn vanish(mut self) -> Vanished {
        self.display.wait_for_quiet();
        let process = self.process();
        if let Some(shown) = self.display.lock().as_mut() {
            shown.let_go = true;
        }
        // Wakes the reading thread, which then sees that it should let go.
        let slave = self.slave.take().unwrap();
        rustix::io::write(&slave, b".").unwrap();
        self.reader.take().unwrap().join().unwrap();
        // The writer would type an end of file when it goes, and the program
        // would notice the loss by drawing: it must notice without.
        let mut modes = tcgetattr(&slave).unwrap();
        modes.special_codes[SpecialCodeIndex::VEOF] = 0;
        tcsetattr(&slave, OptionalActions::Now, &modes).unwrap();
        self.writer = None;
        let used = cpu(self.pid());
        let since = Instant::now();
        self.master = None;
        assert!(has_ended(&process, PATIENCE), "it still runs");
        let after = since.elapsed();
        // Not reaped yet, so that its times can still be read.
        let cpu = cpu(self.pid()).saturating_sub(used);
        let code = self.wait_for_end();
        Vanished { code, after, cpu }
    }

    fn wait_for_end(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.over = true;
                assert_eq!(status.signal(), None, "it was killed");
                return status.exit_code();
            }
            assert!(
                Instant::now() < deadline,
                "it never ended; its screen:\n{}",
                self.words()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Session {
    /// A failed test leaves nothing behind.
    fn drop(&mut self) {
        if !self.over {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Display {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows everything the program writes, until there is no more.
    fn follow(&self, mut source: Box<dyn Read + Send>) {
        let mut buffer = [0; 16 * 1024];
        loop {
            let length = source.read(&mut buffer).unwrap_or(0);
            let mut shown = self.lock();
            let shown = shown.as_mut().unwrap();
            if shown.let_go {
                return;
            }
            shown.closed = length == 0;
            shown.parser.process(&buffer[..length]);
            shown.bytes.extend_from_slice(&buffer[..length]);
            self.changed.notify_all();
            if shown.closed {
                return;
            }
        }
    }

    fn wait_for_quiet(&self) {
        let mut shown = self.lock();
        loop {
            let written = shown.as_ref().unwrap().bytes.len();
            let silent = |shown: &mut Option<Shown>| shown.as_ref().unwrap().bytes.len() == written;
            let (guard, timeout) = self
                .changed
                .wait_timeout_while(shown, QUIET, silent)
                .unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return;
            }
            shown = guard;
        }
    }

    fn wait(&self, what: &str, condition: impl Fn(&Shown) -> bool) {
        let shown = self.lock();
        let waiting = |shown: &mut Option<Shown>| !condition(shown.as_ref().unwrap());
        let (shown, timeout) = self
            .changed
            .wait_timeout_while(shown, PATIENCE, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "never seen: {what}; the screen:\n{}",
            shown.as_ref().unwrap().parser.screen().contents()
        );
    }
}

/// State and processor time of a process, from `/proc/PID/stat` (proc(5)).
fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, behind_name) = text.rsplit_once(')').unwrap();
    behind_name.split_whitespace().map(str::to_owned).collect()
}

/// The letter of a process's state, such as T for stopped.
pub(crate) fn process_state(pid: u32) -> char {
    stat(pid)[0].chars().next().unwrap()
}

/// Processor time of a process and its children that have ended.
fn cpu(pid: u32) -> Duration {
    let ticks: u64 = stat(pid)[11..15]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// Waits until a process is in the state with this letter.
pub(crate) fn wait_for_state(pid: u32, letters: &[char]) {
    let deadline = Instant::now() + PATIENCE;
    while !letters.contains(&process_state(pid)) {
        assert!(
            Instant::now() < deadline,
            "process {pid} is {} and not {letters:?}",
            process_state(pid)
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process ends in time.
fn has_ended(process: &OwnedFd, patience: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: patience.as_secs().try_into().unwrap(),
        tv_nsec: 0,
    };
    let mut watched = [PollFd::new(process, PollFlags::IN)];
    poll(&mut watched, Some(&timeout)).unwrap() == 1
}

fn same_modes(one: &Termios, other: &Termios) -> bool {
    one.input_modes == other.input_modes
        && one.output_modes == other.output_modes
        && one.control_modes == other.control_modes
        && one.local_modes == other.local_modes
}

/// The text of a screen with single spaces between words.
pub(crate) fn words(screen: &Screen) -> String {
    let contents = screen.contents();
    contents.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn parser(rows: u16, columns: u16) -> Parser {
    Parser::new(cells(rows), cells(columns), 0)
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}
