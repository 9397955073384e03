//! The programs of the tour: a server and a client that perform one command at
//! a time.

use super::LabError;
use super::helper::{obey, say_ready};
use super::namespace::Namespace;
use super::program::wait_until;
use rustix::event::PollFlags;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Over loopback, all is there at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Server,
    Client,
}

impl Part {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Server, Self::Client]
            .into_iter()
            .find(|part| part.word() == word)
    }
}

/// Command of such a program, encoded as one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
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

impl Line {
    pub(super) fn told(self) -> String {
        match self {
            Self::Listen(port) => format!("listen {port}"),
            Self::Accept(count) => format!("accept {count}"),
            Self::Connect(port, count) => format!("connect {port} {count}"),
            Self::Write(count) => format!("write {count}"),
            Self::Read(count) => format!("read {count}"),
            Self::Close => "close".to_owned(),
        }
    }

    fn understood(line: &str) -> Option<Self> {
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
pub(super) fn play(_proof: &Namespace) -> Result<(), LabError> {
    let mut talker = Talker::default();
    say_ready()?;
    obey(
        |_| None,
        |line| {
            let line = Line::understood(line).ok_or(LabError::Lesson("what was that?"))?;
            talker
                .follow(line)
                .map_err(LabError::io("follow", "the tour"))
        },
    )
}

#[derive(Default)]
struct Talker {
    listener: Option<TcpListener>,
    connections: Vec<TcpStream>,
}

impl Talker {
    fn follow(&mut self, line: Line) -> io::Result<()> {
        match line {
            Line::Listen(port) => {
                self.listener = Some(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?);
            }
            Line::Accept(count) => {
                let listener = self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                for _ in 0..count {
                    wait_until(listener, PollFlags::IN, "a client").map_err(io::Error::other)?;
                    let (connection, _) = listener.accept()?;
                    connection.set_read_timeout(Some(PATIENCE))?;
                    self.connections.push(connection);
                }
            }
            Line::Connect(port, count) => {
                let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                for _ in 0..count {
                    let connection = TcpStream::connect_timeout(&to, PATIENCE)?;
                    connection.set_read_timeout(Some(PATIENCE))?;
                    self.connections.push(connection);
                }
            }
            Line::Write(count) => self.first()?.write_all(&vec![b'x'; usize::from(count)])?,
            Line::Read(count) => self.first()?.read_exact(&mut vec![0; usize::from(count)])?,
            Line::Close => self.connections.clear(),
        }
        Ok(())
    }

    fn first(&mut self) -> io::Result<&mut TcpStream> {
        let none = || io::Error::from(io::ErrorKind::NotConnected);
        self.connections.first_mut().ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        for line in [
            Line::Listen(80),
            Line::Accept(3),
            Line::Connect(80, 40),
            Line::Write(100),
            Line::Read(100),
            Line::Close,
        ] {
            assert_eq!(Line::understood(&line.told()), Some(line));
        }
        assert_eq!(Line::understood("dance"), None);
        assert_eq!(Line::understood("listen x"), None);
    }
}
