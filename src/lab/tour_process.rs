//! The programs of the tour: a server and a client that perform one command at
//! a time.

use super::LabError;
use super::helper::{send_ready, serve};
use super::local_sockets::poll_until;
use super::namespace::LabNamespace;
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Over loopback, all is there at once.
const IO_TIMEOUT: Duration = Duration::from_secs(5);

/// One of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TourRole {
    Serve,
    Client,
}

impl TourRole {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Serve => "server",
            Self::Client => "client",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Serve, Self::Client]
            .into_iter()
            .find(|part| part.word() == word)
    }
}

/// Command of such a program, encoded as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TourCommand {
    /// Listen on this port of every address.
    Listen(u16),
    /// Accept a number of connections.
    Accept(u16),
    /// Connect to this local port, a number of times.
    Connect(u16, u16),
    /// Send a number of bytes on the oldest connection.
    Write(u16),
    /// Receive a number of bytes on the oldest connection.
    Read(u16),
    /// Close all connections.
    Close,
}

impl TourCommand {
    pub(super) fn to_line(self) -> String {
        match self {
            Self::Listen(port) => format!("listen {port}"),
            Self::Accept(count) => format!("accept {count}"),
            Self::Connect(port, count) => format!("connect {port} {count}"),
            Self::Write(count) => format!("write {count}"),
            Self::Read(count) => format!("read {count}"),
            Self::Close => "close".to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |place: usize| words.get(place)?.parse().ok();
        Some(match *words.first()? {
            "listen" => Self::Listen(number(1)?),
            "accept" => Self::Accept(number(1)?),
            "connect" => Self::Connect(number(1)?, number(2)?),
            "write" => Self::Write(number(1)?),
            "read" => Self::Read(number(1)?),
            "close" => Self::Close,
            _ => return None,
        })
    }
}

/// In the program's own process.
pub(super) fn run(_proof: &LabNamespace) -> Result<(), LabError> {
    let mut talker = TourProcess::default();
    send_ready()?;
    serve(
        |_| None,
        |line| {
            let line = TourCommand::parse(line).ok_or(LabError::NotApplicable("what was that?"))?;
            talker
                .execute(line)
                .map_err(LabError::io("follow", "the tour"))
        },
    )
}

#[derive(Default)]
struct TourProcess {
    listener: Option<TcpListener>,
    connections: Vec<TcpStream>,
}

impl TourProcess {
    fn execute(&mut self, line: TourCommand) -> io::Result<()> {
        match line {
            TourCommand::Listen(port) => {
                self.listener = Some(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?);
            }
            TourCommand::Accept(count) => {
                let listener = self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                for _ in 0..count {
                    poll_until(listener, PollFlags::IN, "a client").map_err(io::Error::other)?;
                    let (connection, _) = listener.accept()?;
                    connection.set_read_timeout(Some(IO_TIMEOUT))?;
                    self.connections.push(connection);
                }
            }
            TourCommand::Connect(port, count) => {
                let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                for _ in 0..count {
                    let connection = TcpStream::connect_timeout(&to, IO_TIMEOUT)?;
                    connection.set_read_timeout(Some(IO_TIMEOUT))?;
                    self.connections.push(connection);
                }
            }
            TourCommand::Write(count) => {
                self.first_connection()?
                    .write_all(&vec![b'x'; usize::from(count)])?;
            }
            TourCommand::Read(count) => self
                .first_connection()?
                .read_exact(&mut vec![0; usize::from(count)])?,
            TourCommand::Close => self.connections.clear(),
        }
        Ok(())
    }

    fn first_connection(&mut self) -> io::Result<&mut TcpStream> {
        let none = || io::Error::from(io::ErrorKind::NotConnected);
        self.connections.first_mut().ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_round_trip() {
        for line in [
            TourCommand::Listen(80),
            TourCommand::Accept(3),
            TourCommand::Connect(80, 40),
            TourCommand::Write(100),
            TourCommand::Read(100),
            TourCommand::Close,
        ] {
            assert_eq!(TourCommand::parse(&line.to_line()), Some(line));
        }
        assert_eq!(TourCommand::parse("dance"), None);
        assert_eq!(TourCommand::parse("listen x"), None);
    }
}
