//! Quick filters beside the typed one: one key each.

use crate::model::protocol::{IpFamily, Protocol};
use crate::model::row::Row;
use crate::model::state::State;

/// Quick filters. The default matches everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct QuickFilter {
    /// Only this protocol; none for both.
    pub protocol: Option<Protocol>,
    /// Only sockets that carry this family, or may; none for both.
    pub family: Option<IpFamily>,
    /// Only these states; none for all.
    pub class: Option<StateClass>,
}

/// Coarse classes of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateClass {
    /// Open to anyone: `LISTEN`, and UDP sockets without a peer.
    Listening,
    /// `ESTABLISHED`.
    Established,
    /// Everything else: opening, closing, closed, unknown.
    Other,
}

impl StateClass {
    /// The class of a state.
    #[must_use]
    pub fn from_state(state: State) -> Self {
        match state {
            State::Listen | State::Unconnected => Self::Listening,
            State::Established => Self::Established,
            _ => Self::Other,
        }
    }
}

impl QuickFilter {
    /// True if everything matches.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// True if a row matches.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        let socket = &row.socket;
        self.protocol.is_none_or(|only| only == socket.protocol)
            && self
                .family
                .is_none_or(|only| socket.carries_family(only) != Some(false))
            && self
                .class
                .is_none_or(|only| only == StateClass::from_state(socket.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::test_world::{AVAHI_UDP, NGINX_LISTENER, SSH_LISTENER, world};

    #[test]
    fn toggles_narrow_together() {
        let kept = |quick: QuickFilter| -> Vec<u32> {
            (0_u32..)
                .zip(world().rows.iter())
                .filter(|(_, row)| quick.matches(row))
                .map(|(number, _)| number)
                .collect()
        };
        assert_eq!(kept(QuickFilter::default()).len(), 12);
        let listening = QuickFilter {
            class: Some(StateClass::Listening),
            ..QuickFilter::default()
        };
        assert_eq!(kept(listening), [SSH_LISTENER, AVAHI_UDP, NGINX_LISTENER]);
        let udp = QuickFilter {
            protocol: Some(Protocol::Udp),
            family: Some(IpFamily::Inet6),
            ..listening
        };
        assert_eq!(kept(udp), [AVAHI_UDP]);
        let classes = [
            StateClass::Listening,
            StateClass::Established,
            StateClass::Other,
        ]
        .map(|class| {
            kept(QuickFilter {
                class: Some(class),
                ..QuickFilter::default()
            })
            .len()
        });
        assert_eq!(classes, [3, 4, 5]);
    }
}
