//! The tour: the classic session, then two troubles, a chapter at a time.

use super::LabError;
use super::classroom::standing::Standing;
use super::helper::{Helper, Role};
use super::namespace::Namespace;
use super::talker::{Line, Part};
use crate::model::state::State;
use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Port of the tour's server.
pub(super) const PORT: u16 = 8000;
/// Number of SYNs of the flood: enough for some twenty seconds.
const FLOOD: u16 = 6000;
/// Number of leaked connections.
const LEAK: u16 = 40;
const PATIENCE: Duration = Duration::from_secs(20);
/// More than the longest delay of an acknowledgement (`TCP_DELACK_MAX`).
const DELAYED: Duration = Duration::from_millis(500);
/// Between two looks, 5 ms.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// Request to the peers to start a flood.
pub(super) const FLOOD_ORDER: &str = "flood";

/// The two programs, and how far they have come.
#[derive(Debug)]
pub(super) struct Tour {
    server: Helper,
    client: Helper,
    /// The chapter that was played last.
    chapter: usize,
    /// Number of steps of the next chapter that have been done.
    done: usize,
}

impl Tour {
    pub(super) fn begin(namespace: &Namespace) -> Result<Self, LabError> {
        let start = |part| {
            let mut helper = Helper::start(namespace, Role::Talk(part))?;
            helper.ready(PATIENCE)?;
            Ok::<_, LabError>(helper)
        };
        Ok(Self {
            server: start(Part::Server)?,
            client: start(Part::Client)?,
            chapter: 0,
            done: 0,
        })
    }

    /// True if both programs are running.
    pub(super) fn is_whole(&mut self) -> bool {
        self.server.runs() && self.client.runs()
    }

    /// Plays the next chapter; `far_end` receives the requests to the peers.
    /// After a failure it continues at the failed step.
    pub(super) fn go_on(
        &mut self,
        namespace: &Namespace,
        far_end: &mut Helper,
    ) -> Result<(), LabError> {
        let deeds = script(self.chapter + 1);
        if deeds.is_empty() {
            return Err(LabError::Lesson("the tour is over"));
        }
        while let Some(deed) = deeds.get(self.done) {
            match deed {
                Deed::Serve(line) => self.server.order(&line.told(), PATIENCE)?,
                Deed::Call(line) => self.client.order(&line.told(), PATIENCE)?,
                Deed::Flood(count) => {
                    far_end.order(&format!("{FLOOD_ORDER} {PORT} {count}"), PATIENCE)?;
                }
                Deed::Heard => wait_for_acknowledgement()?,
                Deed::Renew => self.renew_server(namespace)?,
            }
            self.done += 1;
        }
        self.chapter += 1;
        self.done = 0;
        Ok(())
    }

    fn renew_server(&mut self, namespace: &Namespace) -> Result<(), LabError> {
        let mut server = Helper::start(namespace, Role::Talk(Part::Server))?;
        server.ready(PATIENCE)?;
        // The old one ends here, and the port is free.
        self.server = server;
        self.server.order(&Line::Listen(PORT).told(), PATIENCE)
    }
}

/// Waits until no FIN is on its way, or for as long as a delayed acknowledgement
/// may take.
fn wait_for_acknowledgement() -> Result<(), LabError> {
    let deadline = Instant::now() + DELAYED;
    while Standing::read()?.has_any(State::FinWait1) && Instant::now() < deadline {
        let none: &mut [PollFd<'_>] = &mut [];
        match poll(none, Some(&PAUSE)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(LabError::io("wait for", "an acknowledgement")(error)),
        }
    }
    Ok(())
}

/// One thing that happens in a chapter.
#[derive(Clone, Copy, Debug)]
enum Deed {
    /// A command of the server.
    Serve(Line),
    /// A call of the client.
    Call(Line),
    /// A number of forged SYNs.
    Flood(u16),
    /// The client's FIN is acknowledged: the kernel takes a short time for
    /// that.
    Heard,
    /// The server ends, and another takes its port.
    Renew,
}

/// Returns the steps of a chapter; empty after the last.
fn script(chapter: usize) -> Vec<Deed> {
    use Deed::{Call, Flood, Heard, Renew, Serve};
    match chapter {
        1 => vec![Serve(Line::Listen(PORT))],
        2 => vec![Call(Line::Connect(PORT, 1))],
        3 => vec![Serve(Line::Accept(1))],
        4 => vec![Call(Line::Write(100))],
        5 => vec![
            Serve(Line::Read(100)),
            Serve(Line::Write(20)),
            Call(Line::Read(20)),
        ],
        6 => vec![Call(Line::Close), Heard],
        7 => vec![Serve(Line::Close)],
        8 => vec![Flood(FLOOD)],
        // The flood has filled the server's queue: a leak needs a new one.
        9 => vec![
            Flood(0),
            Renew,
            Call(Line::Connect(PORT, LEAK)),
            Serve(Line::Accept(LEAK)),
            Call(Line::Close),
        ],
        10 => vec![Flood(0), Renew],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lesson::CHAPTERS;

    #[test]
    fn every_chapter_has_its_script() {
        for chapter in 1..CHAPTERS.len() {
            assert!(!script(chapter).is_empty(), "{chapter}");
        }
        assert!(script(CHAPTERS.len()).is_empty());
    }
}
