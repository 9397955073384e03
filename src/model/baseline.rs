//! Who is meant to listen on this machine, as it was once written down.

use super::endpoint::Endpoint;
use super::limits::Limits;
use super::observation::Observation;
use super::protocol::Protocol;
use super::row::{Phase, Row};
use super::state::State;
use super::text::Text;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Somebody who listens: where, and which program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Over what.
    pub protocol: Protocol,
    /// The address it is bound to; unspecified for all.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The program file, where it is known.
    pub program: Option<Text>,
}

impl Listener {
    /// The listener that a row is; none if it is none. Datagrams know no
    /// listeners: a UDP socket without a peer counts as one where its port is
    /// not of the range that the kernel hands out to clients. A baseline knows no
    /// namespaces: those of others, such as containers, are none here.
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
        counts.then(|| {
            let owner = observation.first_owner(row);
            let program = owner.and_then(|process| process.exe.as_ref());
            Self {
                protocol: socket.protocol,
                address: socket.local.address(),
                port: socket.local.port,
                program: program.map(|program| program.path.clone()),
            }
        })
    }

    /// Its local end.
    #[must_use]
    pub fn end(&self) -> Endpoint {
        Endpoint::new(self.address, self.port)
    }

    /// Whether both may be the same: a program that is not known, on either
    /// side, may be any.
    #[must_use]
    pub fn fits(&self, other: &Self) -> bool {
        let place = |one: &Self| (one.protocol, one.address, one.port);
        let programs = self.program.as_ref().zip(other.program.as_ref());
        // As written down: bytes that are no text were escaped.
        let same = |(one, other): (&Text, &Text)| one.as_str() == other.as_str();
        place(self) == place(other) && programs.is_none_or(same)
    }
}

fn is_service(port: u16, limits: &Limits) -> bool {
    let range = limits.local_ports;
    range.is_some_and(|(first, last)| port != 0 && !(first..=last).contains(&port))
}

/// All who are meant to listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// One by one.
    pub listeners: BTreeSet<Listener>,
}

impl Baseline {
    /// Who listens now.
    #[must_use]
    pub fn of(observation: &Observation) -> Self {
        let rows = observation.rows.iter();
        Self {
            listeners: rows
                .filter_map(|row| Listener::of(row, observation))
                .collect(),
        }
    }

    /// Whether this one is meant to.
    #[must_use]
    pub fn lists(&self, listener: &Listener) -> bool {
        // Those at the same place stand together, whatever their program.
        let first = Listener {
            program: None,
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
            program: program.map(Text::from),
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
