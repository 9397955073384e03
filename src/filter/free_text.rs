//! Search for a bare word in all visible text of a row, ignoring case.

use super::display::{SocketEnd, has_zone, protocol_label, write_address};
use super::matcher::users_named;
use super::process_matches::{ProcessMatches, command_line, is_vanished};
use super::services;
use super::state_set::StateSet;
use super::truth::Truth;
use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::row::Row;
use crate::model::state::State;
use std::fmt::{self, Write};

/// A search term, and all results that do not depend on a single row.
#[derive(Debug)]
pub(super) struct Needle {
    /// In lower case.
    text: String,
    /// Processes with a name, program, command line or number that contains it.
    processes: ProcessMatches,
    /// States with a word that contains it.
    states: StateSet,
    /// Users with a name that contains it, ascending.
    users: Vec<u32>,
    /// Well-known ports with a name that contains it, ascending.
    tcp_services: Vec<u16>,
    udp_services: Vec<u16>,
    /// True if it can be part of an address with a port.
    can_be_in_address: bool,
    /// True if it consists of digits.
    can_be_in_number: bool,
}

impl Needle {
    /// `everywhere` includes command lines and paths of programs.
    pub(super) fn new(text: &str, observation: &Observation, everywhere: bool) -> Self {
        let text = text.to_lowercase();
        let within = |hay: &str| hay.to_lowercase().contains(&text);
        // A state is found by its word on screen, with either kind of dash.
        let dashed = text.replace('-', "_");
        Self {
            processes: ProcessMatches::new(observation, |process| {
                let exe = process.exe.as_ref();
                let path = exe.map_or("", |exe| exe.path.as_str());
                let base = path.rsplit('/').next().unwrap_or_default();
                let found = within(process.name.as_str())
                    || within(if everywhere { path } else { base })
                    || (everywhere && within(&command_line(process)))
                    || process.pid.to_string().contains(&text);
                if is_vanished(process) {
                    Truth::yes_or_unknown(found)
                } else {
                    found.into()
                }
            }),
            states: StateSet::matching(|state| state.word().to_lowercase().contains(&dashed)),
            users: users_named(observation, within),
            tcp_services: services::ports_named(Protocol::Tcp, within),
            udp_services: services::ports_named(Protocol::Udp, within),
            can_be_in_address: text
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || b".:[]*".contains(&byte)),
            can_be_in_number: text.bytes().all(|byte| byte.is_ascii_digit()),
            text,
        }
    }

    /// Unknown if it may be in an unknown text of the owner. A term without
    /// letters is searched in addresses and numbers, which are known.
    pub(super) fn evaluate(&self, row: &Row, observation: &Observation) -> Truth {
        let owner = self.processes.evaluate_holders(row, observation, true);
        if owner == Truth::Yes || self.is_in_visible_text(row, observation) {
            return Truth::Yes;
        }
        if self.can_be_in_address {
            Truth::No
        } else {
            owner
        }
    }

    fn is_in_visible_text(&self, row: &Row, observation: &Observation) -> bool {
        self.is_in_state(row.socket.state)
            || protocol_label(row).contains(self.text.as_str())
            || self.is_in_user(row, observation)
            || self.is_in_service(row)
            || self.is_in_address(SocketEnd::Local, row, observation)
            || self.is_in_address(SocketEnd::Remote, row, observation)
    }

    fn is_in_state(&self, state: State) -> bool {
        match state {
            State::Unknown(_) => state.to_string().to_lowercase().contains(&self.text),
            known => self.states.contains(known),
        }
    }

    /// A user without a name is shown by number.
    fn is_in_user(&self, row: &Row, observation: &Observation) -> bool {
        row.socket.known_uid().is_some_and(|uid| {
            self.users.binary_search(&uid).is_ok()
                || (self.can_be_in_number
                    && observation.user(uid).is_none()
                    && uid.to_string().contains(&self.text))
        })
    }

    fn is_in_service(&self, row: &Row) -> bool {
        let named = match row.socket.protocol {
            Protocol::Tcp => &self.tcp_services,
            Protocol::Udp => &self.udp_services,
        };
        !named.is_empty()
            && named
                .binary_search(&services::service_port(&row.socket))
                .is_ok()
    }

    fn is_in_address(&self, side: SocketEnd, row: &Row, observation: &Observation) -> bool {
        let end = match side {
            SocketEnd::Local => row.socket.local,
            SocketEnd::Remote => row.socket.remote,
        };
        if has_zone(row, end) {
            // The interface's name may be any text, and such rows are few.
            let mut line = String::new();
            return write_address(&mut line, side, row, observation).is_ok()
                && line.to_lowercase().contains(&self.text);
        }
        if !self.can_be_in_address {
            return false;
        }
        let mut line = AddressBuffer::default();
        write_address(&mut line, side, row, observation).is_ok()
            && line.contains(self.text.as_bytes())
    }
}

/// Text of one address, built without allocation.
struct AddressBuffer {
    /// Long enough for `[` 39 characters `]:65535`.
    bytes: [u8; 48],
    length: usize,
}

impl Default for AddressBuffer {
    fn default() -> Self {
        Self {
            bytes: [0; 48],
            length: 0,
        }
    }
}

impl AddressBuffer {
    fn contains(&self, needle: &[u8]) -> bool {
        let hay = self.bytes.get(..self.length).unwrap_or_default();
        hay.windows(needle.len().max(1))
            .any(|window| window == needle)
    }
}

impl Write for AddressBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
