//! Names of network interfaces: asked for by index, in the network namespace of
//! the calling thread.

use crate::model::namespace::Interface;
use crate::model::socket::Socket;
use crate::model::text::Text;
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use std::collections::BTreeSet;

/// The interfaces that these sockets of one namespace are bound to. One that
/// is gone by now is left out.
pub(super) fn of(sockets: &[Socket], namespace: u32) -> Vec<Interface> {
    let indexes: BTreeSet<u32> = sockets
        .iter()
        .map(|socket| socket.interface)
        .filter(|index| *index != 0)
        .collect();
    if indexes.is_empty() {
        return Vec::new();
    }
    let Ok(asking) = socket(AddressFamily::INET, SocketType::DGRAM, None) else {
        return Vec::new();
    };
    indexes
        .into_iter()
        .filter_map(|index| {
            let name = netdevice::index_to_name(&asking, index).ok()?;
            Some(Interface {
                namespace,
                index,
                name: Text::from(name.as_str()),
            })
        })
        .collect()
}
