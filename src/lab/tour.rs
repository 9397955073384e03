//! The tour: the classic session, then two troubles, a chapter at a time.

use super::LabError;
use super::helper::{Helper, HelperRole};
use super::namespace::LabNamespace;
use super::state_lab::kernel_state::KernelSockets;
use super::tour_process::{TourCommand, TourRole};
use crate::model::state::State;
use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Port of the tour's server.
pub(super) const SERVER_PORT: u16 = 8000;
/// Number of SYNs of the flood: enough for some twenty seconds.
const FLOOD_SYNS: u16 = 6000;
/// Number of leaked connections.
const LEAKED_CONNECTIONS: u16 = 40;
const STEP_TIMEOUT: Duration = Duration::from_secs(20);
/// More than the longest delay of an acknowledgement (`TCP_DELACK_MAX`).
const MAX_ACK_DELAY: Duration = Duration::from_millis(500);
/// Between two looks, 5 ms.
const POLL_INTERVAL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 5_000_000,
};

/// Request to the peers to start a flood.
pub(super) const FLOOD_COMMAND: &str = "flood";

/// The two programs, and how far they have come.
#[derive(Debug)]
pub(super) struct Tour {
    server: Helper,
    client: Helper,
    /// The chapter that was played last.
    chapter: usize,
    /// Number of steps of the next chapter that have been done.
    steps_done: usize,
}

impl Tour {
    pub(super) fn start(namespace: &LabNamespace) -> Result<Self, LabError> {
        let start = |part| {
            let mut helper = Helper::start(namespace, HelperRole::TourProcess(part))?;
            helper.wait_until_ready(STEP_TIMEOUT)?;
            Ok::<_, LabError>(helper)
        };
        Ok(Self {
            server: start(TourRole::Serve)?,
            client: start(TourRole::Client)?,
            chapter: 0,
            steps_done: 0,
        })
    }

    /// True if both programs are running.
    pub(super) fn is_running(&mut self) -> bool {
        self.server.is_running() && self.client.is_running()
    }

    /// Plays the next chapter; `far_end` receives the requests to the peers.
    /// After a failure it continues at the failed step.
    pub(super) fn play_next_chapter(
        &mut self,
        namespace: &LabNamespace,
        far_end: &mut Helper,
    ) -> Result<(), LabError> {
        let deeds = chapter_steps(self.chapter + 1);
        if deeds.is_empty() {
            return Err(LabError::NotApplicable("the tour is over"));
        }
        while let Some(deed) = deeds.get(self.steps_done) {
            match deed {
                TourStep::Server(line) => self.server.request(&line.to_line(), STEP_TIMEOUT)?,
                TourStep::Client(line) => self.client.request(&line.to_line(), STEP_TIMEOUT)?,
                TourStep::Flood(count) => {
                    far_end.request(
                        &format!("{FLOOD_COMMAND} {SERVER_PORT} {count}"),
                        STEP_TIMEOUT,
                    )?;
                }
                TourStep::AwaitFinAck => wait_for_fin_ack()?,
                TourStep::RestartServer => self.restart_server(namespace)?,
            }
            self.steps_done += 1;
        }
        self.chapter += 1;
        self.steps_done = 0;
        Ok(())
    }

    fn restart_server(&mut self, namespace: &LabNamespace) -> Result<(), LabError> {
        let mut server = Helper::start(namespace, HelperRole::TourProcess(TourRole::Serve))?;
        server.wait_until_ready(STEP_TIMEOUT)?;
        // The old one ends here, and the port is free.
        self.server = server;
        self.server
            .request(&TourCommand::Listen(SERVER_PORT).to_line(), STEP_TIMEOUT)
    }
}

/// Waits until no FIN is on its way, or for as long as a delayed acknowledgement
/// may take.
fn wait_for_fin_ack() -> Result<(), LabError> {
    let deadline = Instant::now() + MAX_ACK_DELAY;
    while KernelSockets::read()?.has_any(State::FinWait1) && Instant::now() < deadline {
        let none: &mut [PollFd<'_>] = &mut [];
        match poll(none, Some(&POLL_INTERVAL)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(LabError::io("wait for", "an acknowledgement")(error)),
        }
    }
    Ok(())
}

/// One thing that happens in a chapter.
#[derive(Clone, Copy, Debug)]
enum TourStep {
    /// A command of the server.
    Server(TourCommand),
    /// A call of the client.
    Client(TourCommand),
    /// A number of forged SYNs.
    Flood(u16),
    /// The client's FIN is acknowledged: the kernel takes a short time for
    /// that.
    AwaitFinAck,
    /// The server ends, and another takes its port.
    RestartServer,
}

/// Returns the steps of a chapter; empty after the last.
fn chapter_steps(chapter: usize) -> Vec<TourStep> {
    use TourStep::{AwaitFinAck, Client, Flood, RestartServer, Server};
    match chapter {
        1 => vec![Server(TourCommand::Listen(SERVER_PORT))],
        2 => vec![Client(TourCommand::Connect(SERVER_PORT, 1))],
        3 => vec![Server(TourCommand::Accept(1))],
        4 => vec![Client(TourCommand::Write(100))],
        5 => vec![
            Server(TourCommand::Read(100)),
            Server(TourCommand::Write(20)),
            Client(TourCommand::Read(20)),
        ],
        6 => vec![Client(TourCommand::Close), AwaitFinAck],
        7 => vec![Server(TourCommand::Close)],
        8 => vec![Flood(FLOOD_SYNS)],
        // The flood has filled the server's queue: a leak needs a new one.
        9 => vec![
            Flood(0),
            RestartServer,
            Client(TourCommand::Connect(SERVER_PORT, LEAKED_CONNECTIONS)),
            Server(TourCommand::Accept(LEAKED_CONNECTIONS)),
            Client(TourCommand::Close),
        ],
        10 => vec![Flood(0), RestartServer],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lab::CHAPTER_STATES;

    #[test]
    fn every_chapter_has_steps() {
        for chapter in 1..CHAPTER_STATES.len() {
            assert!(!chapter_steps(chapter).is_empty(), "{chapter}");
        }
        assert!(chapter_steps(CHAPTER_STATES.len()).is_empty());
    }
}
