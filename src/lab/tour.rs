//! The tour: the classic session, then two troubles, a chapter at a time.

use super::LabError;
use super::helper::{Helper, Role};
use super::namespace::Namespace;
use super::talker::{Line, Part};
use crate::model::lesson::CHAPTERS;
use std::time::Duration;

/// Where the server of the tour listens.
pub(super) const PORT: u16 = 8000;
/// How many SYNs the flood has: enough for some twenty seconds.
const FLOOD: u16 = 6000;
/// How many connections leak.
const LEAK: u16 = 40;
const PATIENCE: Duration = Duration::from_secs(20);

/// The order to the far end that begins a flood.
pub(super) const FLOOD_ORDER: &str = "flood";

/// The two programs, and how far they have come.
#[derive(Debug)]
pub(super) struct Tour {
    server: Helper,
    client: Helper,
    /// The chapter that was played last.
    chapter: usize,
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
        })
    }

    /// Plays the next chapter. `far_end` takes orders to the far end.
    pub(super) fn go_on(
        &mut self,
        namespace: &Namespace,
        far_end: &mut Helper,
    ) -> Result<(), LabError> {
        let chapter = self.chapter + 1;
        let (serve, call): (&[Line], &[Line]) = match chapter {
            1 => (&[Line::Listen(PORT)], &[]),
            2 => (&[], &[Line::Connect(PORT, 1)]),
            3 => (&[Line::Accept(1)], &[]),
            4 => (&[], &[Line::Write(100)]),
            5 => (&[Line::Read(100), Line::Write(20)], &[Line::Read(20)]),
            6 => (&[], &[Line::Close]),
            7 => (&[Line::Close], &[]),
            8 => {
                let order = format!("{FLOOD_ORDER} {PORT} {FLOOD}");
                far_end.order(&order, PATIENCE)?;
                (&[], &[])
            }
            9 => return self.leak(namespace),
            10 => return self.restart(namespace),
            _ => return Err(LabError::Lesson("the tour is over")),
        };
        for line in serve {
            self.server.order(&line.told(), PATIENCE)?;
        }
        for line in call {
            self.client.order(&line.told(), PATIENCE)?;
        }
        self.chapter = chapter;
        Ok(())
    }

    /// The flood has filled the server's queue: a leak needs a new one.
    fn leak(&mut self, namespace: &Namespace) -> Result<(), LabError> {
        self.renew_server(namespace)?;
        self.client
            .order(&Line::Connect(PORT, LEAK).told(), PATIENCE)?;
        self.server.order(&Line::Accept(LEAK).told(), PATIENCE)?;
        self.client.order(&Line::Close.told(), PATIENCE)?;
        self.chapter += 1;
        Ok(())
    }

    fn restart(&mut self, namespace: &Namespace) -> Result<(), LabError> {
        self.renew_server(namespace)?;
        self.chapter = CHAPTERS - 1;
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
