//! Names of network interfaces: queried by index, in the network namespace of
//! the calling thread.

use crate::model::namespace::Interface;
use crate::model::namespace_addresses::GoneInterface;
use crate::model::socket::Socket;
use crate::model::text::Text;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use std::collections::BTreeSet;

/// The interfaces that sockets are bound to.
#[derive(Clone, Debug, Default)]
pub(super) struct BoundInterfaces {
    pub(super) interfaces: Vec<Interface>,
    /// Bound interfaces that no longer exist.
    pub(super) missing: Vec<GoneInterface>,
}

/// The interfaces that these sockets of one namespace are bound to. One whose name could
/// not be read is left out.
pub(super) fn bound_interfaces(sockets: &[Socket], namespace: u32) -> BoundInterfaces {
    let indexes: BTreeSet<u32> = sockets
        .iter()
        .map(|socket| socket.interface)
        .filter(|index| *index != 0)
        .collect();
    let mut found = BoundInterfaces::default();
    if indexes.is_empty() {
        return found;
    }
    let Ok(asking) = socket(AddressFamily::INET, SocketType::DGRAM, None) else {
        return found;
    };
    for index in indexes {
        match netdevice::index_to_name(&asking, index) {
            Ok(name) => found.interfaces.push(Interface {
                namespace,
                index,
                name: Text::new(name.as_bytes()),
            }),
            Err(Errno::NODEV) => found.missing.push(GoneInterface { namespace, index }),
            Err(_) => {}
        }
    }
    found
}
