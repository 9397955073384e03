//! A connection that the user asks to be closed: its unambiguous identity, the
//! effect on both ends, and the reasons for refusal.

use super::endpoint::Endpoint;
use super::inet_diag;
use super::protocol::Protocol;
use super::risk::Risk;
use super::row::{Phase, Row};
use super::socket::Socket;
use super::state::State;
use super::text::Text;
use super::timer::{Timer, TimerKind};
use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};

/// A cookie that names one socket.
///
/// All bits set is `INET_DIAG_NOCOOKIE`, which the kernel reads as "any socket
/// with these addresses". It is not a valid [`Cookie`], so code that requires one
/// can never send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(NonZeroU64);

impl Cookie {
    /// A cookie that the kernel never assigns: it counts from one.
    pub const NEVER_ASSIGNED: Self = Self(match NonZeroU64::new(u64::MAX - 1) {
        Some(number) => number,
        None => NonZeroU64::MIN,
    });

    /// Returns the cookie of a socket; none if it would name any socket.
    #[must_use]
    pub fn new(number: NonZeroU64) -> Option<Self> {
        (number != NonZeroU64::MAX).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> NonZeroU64 {
        self.0
    }
}

/// A socket that can be closed, as the table showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseTarget {
    socket: Socket,
    cookie: Cookie,
    /// True if it is known to be a path or a listener of MPTCP (RFC 8684).
    mptcp: bool,
}

impl CloseTarget {
    /// Returns the target for a row. `own` is the network namespace of this
    /// program, 0 if unknown: the kernel closes nothing in another one.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be closed.
    pub fn from_row(row: &Row, own: u32) -> Result<Self, CloseRefusal> {
        let socket = row.socket;
        if row.phase == Phase::Closed {
            return Err(CloseRefusal::Gone);
        }
        if own != 0 && socket.namespace != own {
            return Err(CloseRefusal::OtherNamespace(None));
        }
        let idle = matches!(
            socket.state,
            State::Unconnected | State::BoundInactive | State::Closed | State::Unknown(_)
        );
        if idle {
            return Err(CloseRefusal::NotConnected);
        }
        let cookie = socket.cookie.and_then(Cookie::new);
        let cookie = cookie.ok_or(CloseRefusal::NoCookie)?;
        Ok(Self {
            socket,
            cookie,
            mptcp: false,
        })
    }

    /// Returns the target as one of MPTCP.
    ///
    /// # Errors
    ///
    /// If it is a listener, which no kernel closes then.
    pub fn into_mptcp(self) -> Result<Self, CloseRefusal> {
        if self.socket.state == State::Listen {
            return Err(CloseRefusal::MptcpListener);
        }
        Ok(Self {
            mptcp: true,
            ..self
        })
    }

    /// True if it is known to belong to MPTCP.
    #[must_use]
    pub fn is_mptcp(&self) -> bool {
        self.mptcp
    }

    /// The socket as it was shown.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Returns the kernel's id of the socket, as `struct inet_diag_sockid` with
    /// its cookie.
    ///
    /// A UDP request to destroy names the ends in their natural order, unlike a
    /// query: `__udp_diag_destroy` in `net/ipv4/udp_diag.c`.
    #[must_use]
    pub fn socket_id(&self) -> [u8; 48] {
        self.socket_id_with_remote(self.socket.remote)
    }

    /// Returns further ids of a listener. Of several that share a port
    /// (`SO_REUSEPORT`) the kernel finds one by the address, chosen by a hash of
    /// both ends; only then it compares cookies. The request may therefore have
    /// to name several made-up peers until the kernel finds the right listener.
    /// There are none for a connection, whose addresses are unique.
    pub fn probe_ids(&self) -> impl Iterator<Item = [u8; 48]> {
        /// With 64 listeners the right one is missed once in three thousand
        /// times.
        const TRIES: u16 = 512;
        let tries = match self.socket.state {
            State::Listen => TRIES,
            _ => 0,
        };
        let nowhere = self.socket.remote.address();
        (1..=tries).map(move |port| self.socket_id_with_remote(Endpoint::new(nowhere, port)))
    }

    fn socket_id_with_remote(&self, far: Endpoint) -> [u8; 48] {
        let ends = (self.socket.local, far);
        let cookie = self.cookie.get();
        inet_diag::socket_id(ends, self.socket.family(), self.socket.interface, cookie)
    }

    /// True if closing it still has the effect that was shown, given its current
    /// state: a connection may have reached `TIME_WAIT`, or its owner may have
    /// closed it.
    #[must_use]
    pub fn effect_unchanged(&self, now: CurrentSocketState) -> bool {
        let mut found = *self;
        found.socket.state = now.state;
        found.socket.inode = now.inode;
        found.socket.timer = now.timer.map(|kind| Timer {
            kind,
            expires_ms: 0,
            retransmits: 0,
        });
        (found.risk(), found.effect_on_owner()) == (self.risk(), self.effect_on_owner())
    }

    /// True if its current state can and must be queried. A listener, which may
    /// share its address, and a UDP socket need no query: they do not change.
    #[must_use]
    pub fn can_be_looked_up(&self) -> bool {
        self.socket.protocol == Protocol::Tcp && self.socket.state != State::Listen
    }

    /// Returns the risk of closing it.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        match self.socket.state {
            State::Listen => Some(Risk::Listens),
            State::TimeWait => Some(Risk::TimeWait),
            _ if self.is_minisocket() => Some(Risk::TimeWait),
            _ => None,
        }
    }

    /// Returns the message key of the effect on its owner.
    #[must_use]
    pub fn effect_on_owner(&self) -> &'static str {
        match (self.socket.state, self.socket.inode) {
            (State::Listen, _) => "owner_listener",
            (_, None) => "owner_nobody",
            _ if self.mptcp => "owner_mptcp",
            _ if self.socket.protocol == Protocol::Udp => "owner_datagrams",
            _ => "owner_aborted",
        }
    }

    /// Returns the message key of the effect on its peer. The kernel resets the
    /// connection if the peer may still send (`tcp_need_reset`); it drops a
    /// request sock or minisocket silently.
    #[must_use]
    pub fn effect_on_peer(&self) -> &'static str {
        if self.socket.protocol == Protocol::Udp {
            return "peer_datagrams";
        }
        if self.mptcp && self.socket.state == State::Established {
            return "peer_mptcp";
        }
        match self.socket.state {
            State::Listen => "peer_listener",
            State::SynSent => "peer_unasked",
            State::SynReceived => "peer_unanswered",
            State::Closing | State::LastAck | State::TimeWait => "peer_done",
            _ if self.is_minisocket() => "peer_late",
            _ => "peer_reset",
        }
    }

    /// Every message key of an effect.
    pub const EFFECT_KEYS: [&'static str; 13] = [
        "owner_mptcp",
        "peer_mptcp",
        "owner_listener",
        "owner_nobody",
        "owner_datagrams",
        "owner_aborted",
        "peer_datagrams",
        "peer_listener",
        "peer_unasked",
        "peer_unanswered",
        "peer_done",
        "peer_late",
        "peer_reset",
    ];

    /// True if the kernel keeps only a minisocket of it, as in `TIME_WAIT`.
    fn is_minisocket(&self) -> bool {
        let timer = self.socket.timer;
        timer.is_some_and(|timer| timer.kind == TimerKind::TimeWait)
    }
}

/// Reason why a socket was not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseRefusal {
    /// It is from `/proc`, which has no cookies: another socket with the same
    /// addresses could be hit.
    NoCookie,
    /// It is in another network namespace: a process there, if known.
    OtherNamespace(Option<u32>),
    /// It is no connection and no listener.
    NotConnected,
    /// It is gone (`ENOENT`), even if its addresses are in use again.
    Gone,
    /// It has changed since the question: the effect would not be the one shown
    /// and confirmed.
    Changed,
    /// It takes `CAP_NET_ADMIN` (`EPERM`).
    NotPermitted,
    /// This kernel cannot do it (`EOPNOTSUPP`): it was built without
    /// `CONFIG_INET_DIAG_DESTROY`.
    Unsupported,
    /// This kernel closes other sockets, but not this one (`EINVAL`,
    /// `EOPNOTSUPP`).
    UnsupportedForSocket,
    /// A path of MPTCP that was shown as a plain connection: the effect would not
    /// be the one shown.
    MptcpSubflow,
    /// A listener of MPTCP, which no kernel closes from outside:
    /// `tcp_abort_override` in `net/mptcp/subflow.c` answers `EINVAL`.
    MptcpListener,
    /// Actions are switched off here.
    Disabled,
    /// The system reported another error.
    Failed(Text),
}

impl CloseRefusal {
    /// The key in assets.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::NoCookie => "no_cookie",
            Self::OtherNamespace(None) => "other_namespace",
            Self::OtherNamespace(Some(_)) => "other_namespace_of",
            Self::NotConnected => "no_connection",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::NotPermitted => "not_permitted",
            Self::Unsupported => "not_offered",
            Self::UnsupportedForSocket => "not_this_one",
            Self::MptcpSubflow => "mptcp_path",
            Self::MptcpListener => "mptcp_listener",
            Self::Disabled => "disabled",
            Self::Failed(_) => "failed",
        }
    }

    /// Every key a refusal can have.
    pub const KEYS: [&'static str; 13] = [
        "mptcp_path",
        "not_this_one",
        "mptcp_listener",
        "no_cookie",
        "other_namespace",
        "other_namespace_of",
        "no_connection",
        "gone",
        "changed",
        "not_permitted",
        "not_offered",
        "disabled",
        "failed",
    ];
}

/// Current state of a socket, as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentSocketState {
    /// Its state.
    pub state: State,
    /// Its inode, as long as a program holds it.
    pub inode: Option<NonZeroU32>,
    /// Kind of the running timer.
    pub timer: Option<TimerKind>,
}

/// Outcome of closing one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseResult {
    /// The socket.
    pub target: CloseTarget,
    /// Result reported by the kernel.
    pub result: Result<(), CloseRefusal>,
    /// True if it was closed by closing its other end, on this machine too: then
    /// its owner sees a reset.
    pub closed_with_peer: bool,
}

/// Marks the results of sockets closed one after the other. If both ends of a
/// connection are on this machine, closing one resets the other, which is then no
/// failure.
#[must_use]
pub fn mark_closed_with_peer(mut results: Vec<CloseResult>) -> Vec<CloseResult> {
    let done: BTreeSet<(Endpoint, Endpoint)> = results
        .iter()
        .filter(|closed| closed.result.is_ok() && closed.target.socket.peer().is_some())
        .map(|closed| (closed.target.socket.local, closed.target.socket.remote))
        .collect();
    for closed in &mut results {
        let socket = closed.target.socket;
        if closed.result == Err(CloseRefusal::Gone)
            && socket.protocol == Protocol::Tcp
            && done.contains(&(socket.remote, socket.local))
        {
            closed.result = Ok(());
            closed.closed_with_peer = true;
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::owner::OwnerSpan;
    use crate::model::protocol::IpFamily;
    use crate::model::time::Timestamp;

    fn row(protocol: Protocol, state: State) -> Row {
        let end = |port| Endpoint::new([192, 0, 2, 1].into(), port);
        Row {
            socket: Socket {
                cookie: NonZeroU64::new(7),
                local: end(443),
                remote: end(50000),
                inode: NonZeroU32::new(9),
                uid: 0,
                interface: 0,
                recv_queue: 0,
                send_queue: 0,
                namespace: 5,
                timer: None,
                protocol,
                socket_family: IpFamily::Inet.into(),
                state,
            },
            owners: OwnerSpan::default(),
            no_owner_reason: None,
            last_owner: None,
            first_seen: Timestamp::default(),
            state_since: Timestamp::default(),
            saw_state_entry: false,
            phase: Phase::Unchanged,
            severity: None,
            metrics: None,
        }
    }

    #[test]
    fn only_connections_with_a_cookie_can_be_closed() {
        let tcp = |state| row(Protocol::Tcp, state);
        let with = |cookie: Option<u64>| {
            let mut row = tcp(State::Established);
            row.socket.cookie = cookie.and_then(NonZeroU64::new);
            row
        };
        let mut closed = tcp(State::Established);
        closed.phase = Phase::Closed;
        let mut elsewhere = tcp(State::Established);
        elsewhere.socket.namespace = 6;
        let cases = [
            (with(Some(1)), None),
            (with(None), Some("no_cookie")),
            (with(Some(u64::MAX)), Some("no_cookie")),
            (closed, Some("gone")),
            (elsewhere, Some("other_namespace")),
            (tcp(State::BoundInactive), Some("no_connection")),
            (tcp(State::Closed), Some("no_connection")),
            (
                row(Protocol::Udp, State::Unconnected),
                Some("no_connection"),
            ),
            (row(Protocol::Udp, State::Established), None),
        ];
        for (row, refusal) in cases {
            let told = CloseTarget::from_row(&row, 5).err();
            assert_eq!(told.map(|told| told.key()), refusal, "{row:?}");
        }
        assert!(
            CloseTarget::from_row(&elsewhere, 0).is_ok(),
            "nobody knows better"
        );
    }

    #[test]
    fn end_reset_by_closing_its_peer_counts_as_closed() {
        let shown = row(Protocol::Tcp, State::Established);
        let mut mirrored = shown;
        mirrored.socket.local = shown.socket.remote;
        mirrored.socket.remote = shown.socket.local;
        let gone = || Err(CloseRefusal::Gone);
        let told = |first, second| {
            let closed = |row: &Row, result| CloseResult {
                target: CloseTarget::from_row(row, 5).unwrap(),
                result,
                closed_with_peer: false,
            };
            let results = vec![closed(&shown, first), closed(&mirrored, second)];
            let results = mark_closed_with_peer(results);
            results
                .iter()
                .map(|closed| closed.result.is_ok())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(Ok(()), gone()), [true, true]);
        assert_eq!(told(gone(), gone()), [false, false]);
        let refused = Err(CloseRefusal::NotPermitted);
        assert_eq!(told(Ok(()), refused), [true, false]);
    }

    #[test]
    fn each_state_has_its_effect_on_both_ends() {
        let cases = [
            (State::Listen, Some(Risk::Listens), "peer_listener"),
            (State::SynSent, None, "peer_unasked"),
            (State::SynReceived, None, "peer_unanswered"),
            (State::Established, None, "peer_reset"),
            (State::FinWait1, None, "peer_reset"),
            (State::FinWait2, None, "peer_reset"),
            (State::CloseWait, None, "peer_reset"),
            (State::Closing, None, "peer_done"),
            (State::LastAck, None, "peer_done"),
            (State::TimeWait, Some(Risk::TimeWait), "peer_done"),
        ];
        for (state, caution, peer) in cases {
            let target = CloseTarget::from_row(&row(Protocol::Tcp, state), 5).unwrap();
            assert_eq!(target.risk(), caution, "{state}");
            assert_eq!(target.effect_on_peer(), peer, "{state}");
            assert!(CloseTarget::EFFECT_KEYS.contains(&target.effect_on_owner()));
        }
        let udp = CloseTarget::from_row(&row(Protocol::Udp, State::Established), 5).unwrap();
        assert_eq!(udp.effect_on_peer(), "peer_datagrams");
        let mptcp = |state| {
            let target = CloseTarget::from_row(&row(Protocol::Tcp, state), 5);
            target.and_then(CloseTarget::into_mptcp)
        };
        assert_eq!(mptcp(State::Listen), Err(CloseRefusal::MptcpListener));
        let path = mptcp(State::Established).unwrap();
        assert_eq!(path.effect_on_owner(), "owner_mptcp");
        assert_eq!(path.effect_on_peer(), "peer_mptcp");
    }
}
