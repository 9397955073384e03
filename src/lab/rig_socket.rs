//! Facts of each parked socket as the rig knows them: an independent reference.

use super::address_kind::AddressKind;
use super::socket_kind::RigSocketKind;
use crate::model::endpoint::Endpoint;
use crate::model::state::State;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A socket that is parked, or that parking another one took, such as the
/// listener of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RigSocket {
    /// Kind of the socket, or of the one it is part of.
    pub kind: RigSocketKind,
    /// Path to its peer.
    pub path: AddressKind,
    /// The state it must be in.
    #[serde(with = "state_key")]
    pub state: State,
    /// This machine's end, a v4-mapped address as IPv4.
    pub local: SocketAddr,
    /// The peer's end, where there is one.
    pub remote: Option<SocketAddr>,
    /// Its inode, where a program holds it.
    pub inode: Option<u64>,
    /// The processes that hold it, smallest first.
    pub pids: Vec<u32>,
}

impl RigSocket {
    /// Its ends as the model has them.
    #[must_use]
    pub fn endpoints(&self) -> (Endpoint, Option<Endpoint>) {
        let endpoint = |address: SocketAddr| Endpoint::new(address.ip(), address.port());
        (endpoint(self.local), self.remote.map(endpoint))
    }
}

/// An address without its scope, and v4-mapped ones as IPv4.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A state as its key in reports.
mod state_key {
    use crate::model::state::State;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    pub(super) fn serialize<S: Serializer>(state: &State, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(state.key())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<State, D::Error> {
        let key = String::deserialize(from)?;
        State::from_word(&key).ok_or_else(|| D::Error::custom(format!("unknown state {key}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rig_socket_round_trips() {
        let parked = RigSocket {
            kind: RigSocketKind::FinWait2Shrunk,
            path: AddressKind::LinkLocal,
            state: State::FinWait2,
            local: "[fe80::1]:80".parse().unwrap(),
            remote: Some("[fe80::2]:443".parse().unwrap()),
            inode: None,
            pids: vec![1, 2],
        };
        let told = serde_json::to_string(&parked).unwrap();
        assert_eq!(serde_json::from_str::<RigSocket>(&told).unwrap(), parked);
    }
}
