//! Expected listeners of this machine, as once saved.

use super::endpoint::Endpoint;
use super::limits::Limits;
use super::observation::Observation;
use super::owner::NoOwnerReason;
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
    NotLocalFile,
    /// This file.
    File(Text),
}

impl ListenerProgram {
    fn from_row(row: &Row, observation: &Observation) -> Self {
        let Some(owner) = observation.first_owner(row) else {
            return match row.no_owner_reason {
                Some(NoOwnerReason::Kernel) if observation.owner_search.covers_machine() => {
                    Self::NotLocalFile
                }
                _ => Self::Unknown,
            };
        };
        match &owner.exe {
            None if owner.kernel_thread => Self::NotLocalFile,
            None => Self::Unknown,
            Some(program) => match program.verified_path() {
                Some(path) => Self::File(path.clone()),
                None if program.other_file_system().is_some() => Self::NotLocalFile,
                None => Self::Unknown,
            },
        }
    }

    /// The path, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Text> {
        match self {
            Self::File(path) => Some(path),
            Self::Unknown | Self::NotLocalFile => None,
        }
    }

    /// True if a program in the baseline may be that of a present listener.
    fn matches(&self, present: &Self) -> bool {
        match (self, present) {
            (Self::File(wanted), Self::File(path)) => path.matches_written(wanted),
            (Self::File(_), Self::NotLocalFile) => false,
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
    pub fn from_row(row: &Row, observation: &Observation) -> Option<Self> {
        let socket = &row.socket;
        let listens = match socket.protocol {
            Protocol::Tcp => socket.state == State::Listen,
            Protocol::Udp => {
                socket.state == State::Unconnected
                    && is_service_port(socket.local.port, &observation.limits)
            }
        };
        let counts =
            listens && row.phase != Phase::Closed && observation.is_in_current_namespace(row);
        counts.then(|| Self {
            protocol: socket.protocol,
            address: socket.local.address(),
            port: socket.local.port,
            program: ListenerProgram::from_row(row, observation),
            uid: Some(socket.uid),
        })
    }

    /// Its local end.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.address, self.port)
    }

    /// True if this line of a baseline allows a listener: an unknown program or
    /// user, on either side, matches any.
    #[must_use]
    pub fn matches(&self, present: &Self) -> bool {
        let place = |one: &Self| (one.protocol, one.address, one.port);
        let users = self.uid.zip(present.uid);
        place(self) == place(present)
            && self.program.matches(&present.program)
            && users.is_none_or(|(wanted, uid)| wanted == uid)
    }
}

fn is_service_port(port: u16, limits: &Limits) -> bool {
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
    pub fn from_observation(observation: &Observation) -> Self {
        let rows = observation.rows.iter();
        Self {
            listeners: rows
                .filter_map(|row| Listener::from_row(row, observation))
                .collect(),
        }
    }

    /// Number of lines without a user id.
    #[must_use]
    pub fn count_without_user(&self) -> usize {
        let listeners = self.listeners.iter();
        listeners.filter(|each| each.uid.is_none()).count()
    }

    /// True if this listener is expected.
    #[must_use]
    pub fn contains(&self, listener: &Listener) -> bool {
        // Listeners of the same address are adjacent, whatever their program.
        let first = Listener {
            program: ListenerProgram::Unknown,
            uid: None,
            ..listener.clone()
        };
        self.listeners
            .range(first..)
            .take_while(|known| known.endpoint() == listener.endpoint())
            .any(|known| known.matches(listener))
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
    fn unknown_program_matches_any_program() {
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
            let listed = baseline.contains(&listener(port, program));
            assert_eq!(listed, expected, "{port} {program:?}");
        }
        let mut datagrams = listener(22, Some("/usr/sbin/sshd"));
        datagrams.protocol = Protocol::Udp;
        assert!(!baseline.contains(&datagrams));
    }

    #[test]
    fn program_not_on_this_file_system_matches_no_named_program() {
        let named = listener(80, Some("/usr/sbin/nginx"));
        let bare = listener(80, None);
        let stranger = Listener {
            program: ListenerProgram::NotLocalFile,
            ..bare.clone()
        };
        assert!(!named.matches(&stranger));
        assert!(bare.matches(&stranger));
        assert!(named.matches(&bare), "a hidden owner may be any");
    }

    #[test]
    fn listener_of_another_user_does_not_match_a_line_with_a_user() {
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
            let listed = baseline.contains(&of(present));
            assert_eq!(listed, expected, "{wanted:?} {present:?}");
            assert_eq!(baseline.count_without_user(), usize::from(wanted.is_none()));
        }
    }

    #[test]
    fn service_ports_are_outside_the_local_port_range() {
        let limits = Limits {
            local_ports: Some((32_768, 60_999)),
            ..Limits::default()
        };
        for (port, expected) in [(0, false), (53, true), (40_000, false), (61_000, true)] {
            assert_eq!(is_service_port(port, &limits), expected, "{port}");
        }
        assert!(!is_service_port(53, &Limits::default()));
    }
}
