//! Expected listeners of this machine, as once saved.

use super::endpoint::Endpoint;
use super::limits::Limits;
use super::observation::Observation;
use super::owner::Unowned;
use super::protocol::Protocol;
use super::row::{Phase, Row};
use super::state::State;
use super::text::Text;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A listener: its address and program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Transport.
    pub protocol: Protocol,
    /// The address it is bound to; unspecified for all.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The program file.
    pub program: ListenerProgram,
    /// User id of the socket's owner; none in a baseline without user ids.
    pub uid: Option<u32>,
}

/// Program of a listener, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenerProgram {
    /// Unknown: its owner is hidden, or the baseline does not name it.
    Unknown,
    /// No file of this file system: no process holds the socket although every
    /// process could be read, or its program has a file system of its own.
    NoneHere,
    /// This file.
    File(Text),
}

impl ListenerProgram {
    fn of(row: &Row, observation: &Observation) -> Self {
        let Some(owner) = observation.first_owner(row) else {
            return match row.unowned {
                Some(Unowned::Kernel) if observation.owner_search.is_of_the_machine() => {
                    Self::NoneHere
                }
                _ => Self::Unknown,
            };
        };
        match &owner.exe {
            None if owner.kernel_thread => Self::NoneHere,
            None => Self::Unknown,
            Some(program) => match program.proven_path() {
                Some(path) => Self::File(path.clone()),
                None if program.elsewhere().is_some() => Self::NoneHere,
                None => Self::Unknown,
            },
        }
    }

    /// The path, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Text> {
        match self {
            Self::File(path) => Some(path),
            Self::Unknown | Self::NoneHere => None,
        }
    }

    /// True if a program in the baseline may be that of a present listener.
    fn fits(&self, present: &Self) -> bool {
        match (self, present) {
            (Self::File(wanted), Self::File(path)) => path.is_written_as(wanted),
            (Self::File(_), Self::NoneHere) => false,
            _ => true,
        }
    }
}

impl Listener {
    /// Returns the listener that a row is; none if it is none. UDP has no
    /// listeners: a UDP socket without a peer counts as one if its port is
    /// outside the range that the kernel assigns to clients. A baseline covers
    /// the namespace of this program only: listeners of others, such as
    /// containers, do not count.
    #[must_use]
    pub fn of(row: &Row, observation: &Observation) -> Option<Self> {
        let socket = &row.socket;
        let listens = match socket.protocol {
            Protocol::Tcp => socket.state == State::Listen,
            Protocol::Udp => {
                socket.state == State::Unconnected
                    && is_service(socket.local.port, &observation.limits)
            }
        };
        let counts = listens && row.phase != Phase::Closed && observation.is_own(row);
        counts.then(|| Self {
            protocol: socket.protocol,
            address: socket.local.address(),
            port: socket.local.port,
            program: ListenerProgram::of(row, observation),
            uid: Some(socket.uid),
        })
    }

    /// Its local end.
    #[must_use]
    pub fn end(&self) -> Endpoint {
        Endpoint::new(self.address, self.port)
    }

    /// True if this line of a baseline allows a listener: an unknown program or
    /// user, on either side, matches any.
    #[must_use]
    pub fn fits(&self, present: &Self) -> bool {
        let place = |one: &Self| (one.protocol, one.address, one.port);
        let users = self.uid.zip(present.uid);
        place(self) == place(present)
            && self.program.fits(&present.program)
            && users.is_none_or(|(wanted, uid)| wanted == uid)
    }
}

fn is_service(port: u16, limits: &Limits) -> bool {
    let range = limits.local_ports;
    range.is_some_and(|(first, last)| port != 0 && !(first..=last).contains(&port))
}

/// The expected listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The listeners, each once.
    pub listeners: BTreeSet<Listener>,
}

impl Baseline {
    /// Returns the listeners that are present now.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        let rows = observation.rows.iter();
        Self {
            listeners: rows
                .filter_map(|row| Listener::of(row, observation))
                .collect(),
        }
    }

    /// Number of lines without a user id.
    #[must_use]
    pub fn without_user(&self) -> usize {
        let listeners = self.listeners.iter();
        listeners.filter(|each| each.uid.is_none()).count()
    }

    /// True if this listener is expected.
    #[must_use]
    pub fn lists(&self, listener: &Listener) -> bool {
        // Listeners of the same address are adjacent, whatever their program.
        let first = Listener {
            program: ListenerProgram::Unknown,
            uid: None,
            ..listener.clone()
        };
        self.listeners
            .range(first..)
            .take_while(|known| known.end() == listener.end())
            .any(|known| known.fits(listener))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(port: u16, program: Option<&str>) -> Listener {
        Listener {
            protocol: Protocol::Tcp,
            address: IpAddr::from([0, 0, 0, 0]),
            port,
            program: program.map_or(ListenerProgram::Unknown, |path| {
                ListenerProgram::File(Text::from(path))
            }),
            uid: None,
        }
    }

    #[test]
    fn a_program_that_is_not_known_may_be_any() {
        let baseline = Baseline {
            listeners: BTreeSet::from([
                listener(22, Some("/usr/sbin/sshd")),
                listener(80, None),
                listener(443, Some("/usr/sbin/nginx")),
                listener(443, Some("/usr/sbin/apache2")),
            ]),
        };
        let cases = [
            (22, Some("/usr/sbin/sshd"), true),
            (22, Some("/tmp/sshd"), false),
            (22, None, true),
            (80, Some("/usr/bin/any"), true),
            (443, Some("/usr/sbin/nginx"), true),
            (443, Some("/usr/sbin/other"), false),
            (8080, None, false),
        ];
        for (port, program, expected) in cases {
            let listed = baseline.lists(&listener(port, program));
            assert_eq!(listed, expected, "{port} {program:?}");
        }
        let mut datagrams = listener(22, Some("/usr/sbin/sshd"));
        datagrams.protocol = Protocol::Udp;
        assert!(!baseline.lists(&datagrams));
    }

    #[test]
    fn a_holder_that_is_known_to_be_no_program_of_this_machine_fits_no_line_with_one() {
        let named = listener(80, Some("/usr/sbin/nginx"));
        let bare = listener(80, None);
        let stranger = Listener {
            program: ListenerProgram::NoneHere,
            ..bare.clone()
        };
        assert!(!named.fits(&stranger));
        assert!(bare.fits(&stranger));
        assert!(named.fits(&bare), "a hidden owner may be any");
    }

    #[test]
    fn another_user_is_another_listener_where_the_line_says_the_user() {
        let of = |uid| Listener {
            uid,
            ..listener(80, Some("/usr/sbin/nginx"))
        };
        for (wanted, present, expected) in [
            (Some(33), Some(33), true),
            (Some(33), Some(2001), false),
            (None, Some(2001), true),
        ] {
            let baseline = Baseline {
                listeners: BTreeSet::from([of(wanted)]),
            };
            let listed = baseline.lists(&of(present));
            assert_eq!(listed, expected, "{wanted:?} {present:?}");
            assert_eq!(baseline.without_user(), usize::from(wanted.is_none()));
        }
    }

    #[test]
    fn only_ports_that_no_client_is_given_are_of_services() {
        let limits = Limits {
            local_ports: Some((32_768, 60_999)),
            ..Limits::default()
        };
        for (port, expected) in [(0, false), (53, true), (40_000, false), (61_000, true)] {
            assert_eq!(is_service(port, &limits), expected, "{port}");
        }
        assert!(!is_service(53, &Limits::default()));
    }
}
