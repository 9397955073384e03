//! A socket as the kernel reports it, in 80 bytes, `Copy`.

use super::endpoint::Endpoint;
use super::protocol::{IpFamily, Protocol, SocketFamily};
use super::state::State;
use super::timer::{Timer, TimerKind};
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};

/// A socket as one reading of the kernel's table shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The kernel's name for this socket, kept from `SYN_RECV` through
    /// `TIME_WAIT` and never used again. Only `sock_diag` offers it.
    pub cookie: Option<NonZeroU64>,
    /// This machine's end.
    pub local: Endpoint,
    /// The peer's end; [`Endpoint::is_none`] if there is no peer.
    pub remote: Endpoint,
    /// The inode that `/proc/PID/fd` links to; none once no program holds it.
    pub inode: Option<NonZeroU32>,
    /// User id of the opener. Meaningless in `TIME_WAIT`, for which the kernel
    /// reports 0.
    pub uid: u32,
    /// Index of the interface it is bound to, 0 for none. `sock_diag` only.
    pub interface: u32,
    /// Bytes received and not yet read; for a listener, finished connections
    /// waiting to be accepted. A received FIN counts one.
    pub recv_queue: u32,
    /// Bytes sent and not yet acknowledged; for a listener, the maximum number of
    /// finished connections that may wait.
    pub send_queue: u32,
    /// Inode number of the network namespace (`/proc/self/ns/net`), 0 if it
    /// could not be read.
    pub namespace: u32,
    /// The running timer, if any.
    pub timer: Option<Timer>,
    /// Transport.
    pub protocol: Protocol,
    /// The family it was opened for. One opened for IPv6 may hold v4-mapped
    /// addresses, which show as IPv4.
    pub socket_family: SocketFamily,
    /// State.
    pub state: State,
}

impl Socket {
    /// The family it was opened for.
    #[must_use]
    pub fn family(&self) -> IpFamily {
        self.socket_family.family()
    }

    /// True if it accepts IPv6 only, if reported: see [`SocketFamily`].
    #[must_use]
    pub fn is_v6_only(&self) -> Option<bool> {
        match self.socket_family {
            SocketFamily::Inet => None,
            SocketFamily::Inet6 { only } => only,
        }
    }

    /// True if it carries packets of a family; none if its source does not report
    /// if a socket bound to `::` accepts IPv4, too. One opened for IPv6 that has
    /// a v4-mapped address carries both.
    #[must_use]
    pub fn carries_family(&self, family: IpFamily) -> Option<bool> {
        match (family, self.socket_family) {
            (IpFamily::Inet, SocketFamily::Inet) => Some(true),
            (IpFamily::Inet6, opened) => Some(opened.family() == IpFamily::Inet6),
            (IpFamily::Inet, SocketFamily::Inet6 { .. }) if self.local.is_v4() => Some(true),
            (IpFamily::Inet, SocketFamily::Inet6 { only })
                if self.local.is_unspecified() && self.peer().is_none() =>
            {
                only.map(|only| !only)
            }
            (IpFamily::Inet, SocketFamily::Inet6 { .. }) => Some(false),
        }
    }

    /// True if it is bound to `::` and accepts IPv4, too (ss(8) shows `*`).
    #[must_use]
    pub fn is_dual_stack(&self) -> bool {
        let any = self.local.is_unspecified() && !self.local.is_v4();
        any && self.carries_family(IpFamily::Inet) == Some(true)
    }

    /// Returns the peer, if there is one.
    #[must_use]
    pub fn peer(&self) -> Option<Endpoint> {
        (!self.remote.is_none()).then_some(self.remote)
    }

    /// True if its keepalive timer runs and probes are unanswered. The kernel runs the
    /// same timer for an orphan in `FIN_WAIT_2`, and sends no probes.
    #[must_use]
    pub fn has_unanswered_probes(&self) -> bool {
        let orphan = self.state == State::FinWait2 && self.inode.is_none();
        let probed = self
            .timer
            .is_some_and(|timer| timer.kind == TimerKind::Keepalive && timer.retransmits > 0);
        probed && !orphan
    }

    /// True if it is a TCP connection with a full socket in the kernel: not a
    /// listener, and neither a request sock nor a minisocket, which stand for a
    /// connection before and after its life. An orphan in `FIN_WAIT_2` becomes a
    /// minisocket, too: then its timer is that of `TIME_WAIT`.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        let whole = !matches!(
            self.state,
            State::Listen | State::SynReceived | State::TimeWait
        );
        let record = self
            .timer
            .is_some_and(|timer| timer.kind == TimerKind::TimeWait);
        self.protocol == Protocol::Tcp && whole && !record && self.peer().is_some()
    }

    /// Maximum number of finished connections that may wait, for a listener whose
    /// source reports it: `/proc`, which gives no cookies, does not.
    #[must_use]
    pub fn backlog(&self) -> Option<u32> {
        (self.state == State::Listen && self.cookie.is_some()).then_some(self.send_queue)
    }

    /// Capacity of a listener's queue, if its backlog is reported: one more than
    /// that, as the kernel compares with "greater" (`sk_acceptq_is_full`).
    #[must_use]
    pub fn accept_queue_capacity(&self) -> Option<u32> {
        self.backlog().map(|backlog| backlog.saturating_add(1))
    }

    /// True if more connections wait at this listener than its backlog: a new
    /// client is not answered. False if the backlog is not reported.
    #[must_use]
    pub fn is_accept_queue_full(&self) -> bool {
        self.backlog()
            .is_some_and(|backlog| self.recv_queue > backlog)
    }

    /// User id of the opener, if the kernel reports it. For a socket that no
    /// program holds it reports 0 instead, which is not root.
    #[must_use]
    pub fn known_uid(&self) -> Option<u32> {
        (self.inode.is_some() || self.uid != 0).then_some(self.uid)
    }

    /// True if this listener would accept a connection that arrives at the local
    /// end of `connection`: same namespace and port, and bound to that address or
    /// to any. A connection accepted by a listener that is bound to an interface
    /// is bound to it, too (`inet_request_bound_dev_if`).
    ///
    /// A listener on `::` accepts IPv4 too unless it is limited to IPv6, which
    /// not every source reports.
    #[must_use]
    pub fn accepts_connection(&self, connection: &Self) -> bool {
        let fits = match (self.local.address(), connection.local.address()) {
            (bound, wanted) if bound == wanted => true,
            (IpAddr::V4(bound), IpAddr::V4(_)) => bound.is_unspecified(),
            (IpAddr::V6(bound), IpAddr::V4(_)) => {
                bound.is_unspecified() && self.is_v6_only() != Some(true)
            }
            (IpAddr::V6(bound), IpAddr::V6(_)) => bound.is_unspecified(),
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        };
        fits && self.local.port == connection.local.port
            && self.namespace == connection.namespace
            && [0, connection.interface].contains(&self.interface)
    }

    /// The identity of this socket within its namespace.
    #[must_use]
    pub fn key(&self) -> SocketKey {
        match self.cookie {
            Some(cookie) => SocketKey::Cookie {
                namespace: self.namespace,
                cookie,
            },
            None => SocketKey::Tuple(self.tuple()),
        }
    }

    /// Returns the identity that every source provides, without a cookie.
    ///
    /// Listeners and UDP sockets may share their addresses (`SO_REUSEPORT`), so
    /// for them the inode is part of it. For connections it is not: the same
    /// pair going from inode n to none is the same connection closing.
    #[must_use]
    pub fn tuple(&self) -> SocketTuple {
        let shared = self.protocol == Protocol::Udp
            || matches!(
                self.state,
                State::Listen | State::Closed | State::BoundInactive
            );
        SocketTuple {
            namespace: self.namespace,
            protocol: self.protocol,
            local: self.local,
            remote: self.remote,
            inode: if shared { self.inode } else { None },
        }
    }
}

/// A socket's identity, used by selection, marks and history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SocketKey {
    /// By the kernel's cookie.
    Cookie {
        /// Network namespace.
        namespace: u32,
        /// The cookie.
        cookie: NonZeroU64,
    },
    /// By addresses, if the source has no cookies.
    Tuple(SocketTuple),
}

/// Addresses, protocol and, if these may be shared, the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketTuple {
    /// Network namespace.
    pub namespace: u32,
    /// Transport.
    pub protocol: Protocol,
    /// This machine's end.
    pub local: Endpoint,
    /// The peer's end.
    pub remote: Endpoint,
    /// Only for sockets that may share their addresses.
    pub inode: Option<NonZeroU32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_compact() {
        assert!(size_of::<Socket>() <= 80, "{}", size_of::<Socket>());
    }

    fn at(local: &str, state: State) -> Socket {
        let (address, port) = local.rsplit_once(':').unwrap();
        Socket {
            cookie: None,
            local: Endpoint::new(address.parse().unwrap(), port.parse().unwrap()),
            remote: Endpoint::default(),
            inode: None,
            uid: 0,
            interface: 0,
            recv_queue: 0,
            send_queue: 0,
            namespace: 1,
            timer: None,
            protocol: Protocol::Tcp,
            socket_family: IpFamily::Inet.into(),
            state,
        }
    }

    #[test]
    fn listener_accepts_connections_to_its_address() {
        let cases = [
            ("192.0.2.1:80", "192.0.2.1:80", true),
            ("0.0.0.0:80", "192.0.2.1:80", true),
            (":::80", "192.0.2.1:80", true),
            (":::80", "2001:db8::1:80", true),
            ("0.0.0.0:80", "2001:db8::1:80", false),
            ("127.0.0.1:80", "192.0.2.1:80", false),
            ("0.0.0.0:80", "192.0.2.1:81", false),
        ];
        for (bound, arrived, takes) in cases {
            let listener = at(bound, State::Listen);
            let connection = at(arrived, State::Established);
            assert_eq!(
                listener.accepts_connection(&connection),
                takes,
                "{bound} {arrived}"
            );
        }
        for (only, takes) in [(None, true), (Some(false), true), (Some(true), false)] {
            let listener = Socket {
                socket_family: SocketFamily::Inet6 { only },
                ..at(":::80", State::Listen)
            };
            assert_eq!(
                listener.accepts_connection(&at("192.0.2.1:80", State::Established)),
                takes
            );
            assert!(listener.accepts_connection(&at("2001:db8::1:80", State::Established)));
        }
        let elsewhere = Socket {
            namespace: 2,
            ..at("0.0.0.0:80", State::Listen)
        };
        let connection = at("192.0.2.1:80", State::Established);
        assert!(!elsewhere.accepts_connection(&connection));
        let through = |interface, socket| Socket {
            interface,
            ..socket
        };
        let listener = at("0.0.0.0:80", State::Listen);
        for (bound, came, takes) in [(2, 0, false), (2, 3, false), (2, 2, true), (0, 2, true)] {
            let listener = through(bound, listener);
            assert_eq!(
                listener.accepts_connection(&through(came, connection)),
                takes
            );
        }
    }
}
