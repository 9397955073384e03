//! How far a table reaches: which network namespaces it is about.

use crate::model::namespace::Scope;
use crate::model::reading::Snapshot;
use crate::model::socket::Socket;

/// Which network namespaces a table is about. A socket beyond is neither there
/// nor gone: nobody has looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Horizon {
    scope: Scope,
    /// The namespace that this program is in; 0 if that is not known.
    own: u32,
}

impl Horizon {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        Self {
            scope: snapshot.scope,
            own: snapshot.own_namespace(),
        }
    }

    /// Whether a socket is within.
    pub(super) fn covers(self, socket: &Socket) -> bool {
        self.scope == Scope::All || self.own == 0 || socket.namespace == self.own
    }
}
