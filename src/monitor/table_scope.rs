//! Network namespaces that a table covers.

use crate::model::namespace::NamespaceScope;
use crate::model::reading::Snapshot;
use crate::model::socket::Socket;

/// Network namespaces that a table covers. A socket outside of them is neither
/// open nor closed: it is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct TableScope {
    scope: NamespaceScope,
    /// The namespace of this program; 0 if unknown.
    own: u32,
}

impl TableScope {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            scope: snapshot.scope,
            own: snapshot.current_namespace(),
        }
    }

    /// True if a socket is within.
    pub(super) fn covers(self, socket: &Socket) -> bool {
        self.scope == NamespaceScope::All || self.own == 0 || socket.namespace == self.own
    }
}
