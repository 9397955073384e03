//! Closes one connection from outside: `SOCK_DESTROY` of `sock_diag`.
//!
//! The kernel compares addresses and cookie, so a connection that has taken
//! the addresses of the one that was shown is not touched: that answer is
//! `ENOENT`. See `sock_diag_destroy` in `net/core/sock_diag.c` and `tcp_abort`
//! in `net/ipv4/tcp.c`.

use super::{ReadOnlyControl, netlink};
use crate::model::close::{CloseRefusal, CloseTarget, Cookie, CurrentSocketState};
use crate::model::endpoint::Endpoint;
use crate::model::inet_diag;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::state::State;
use crate::model::text::Text;
use crate::model::timer::TimerKind;
use rustix::io::Errno;
use std::io;
use std::num::NonZeroU32;

/// Actions on connections.
pub trait ConnectionCloser: Send {
    /// Checks, without any effect, that connections of this network namespace
    /// can be closed.
    ///
    /// # Errors
    ///
    /// The reason why no connection could be closed.
    fn check_available(&mut self) -> Result<(), CloseRefusal>;

    /// Returns true if a connection belongs to MPTCP. It has no effect on it.
    fn is_mptcp(&mut self, target: &CloseTarget) -> bool;

    /// Closes a connection, immediately and on both ends.
    ///
    /// # Errors
    ///
    /// The reason why it was not closed; nothing has changed then.
    fn close(&mut self, target: &CloseTarget) -> Result<(), CloseRefusal>;
}

/// Closer by `SOCK_DESTROY`.
#[derive(Debug, Default)]
pub struct SockDestroy;

/// `SOCK_DIAG_BY_FAMILY`.
const TYPE_BY_FAMILY: u16 = 20;
/// `SOCK_DESTROY`.
const TYPE_DESTROY: u16 = 21;
/// `RTM_DELNEIGH`.
const TYPE_DELNEIGH: u16 = 29;

impl ConnectionCloser for SockDestroy {
    /// Tries two operations that cannot succeed. Destroying a socket that
    /// cannot exist shows whether the kernel supports it at all; but the kernel
    /// looks up the socket before it checks the privilege. The same privilege
    /// (`CAP_NET_ADMIN` over this namespace) is required by every change of
    /// network settings, and checked before the request is parsed: so one that
    /// is too short to be valid is sent.
    fn check_available(&mut self) -> Result<(), CloseRefusal> {
        check_supported()?;
        match netlink::request_ack(netlink::ROUTE, TYPE_DELNEIGH, &[0; 4]) {
            Ok(Err(Errno::PERM)) => Err(CloseRefusal::NotPermitted),
            // Any other error: the privilege was sufficient.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn is_mptcp(&mut self, target: &CloseTarget) -> bool {
        let found = target.socket().protocol == Protocol::Tcp;
        found && matches!(query_socket(target), Ok(Ok(answer)) if belongs_to_mptcp(&answer))
    }

    fn close(&mut self, target: &CloseTarget) -> Result<(), CloseRefusal> {
        verify_unchanged(target)?;
        let socket = target.socket();
        let with = |id| send_destroy(socket.protocol, socket.family(), id);
        match with(target.socket_id()) {
            Err(CloseRefusal::Gone) => target
                .probe_ids()
                .map(with)
                .find(|answer| *answer != Err(CloseRefusal::Gone))
                .unwrap_or(Err(CloseRefusal::Gone)),
            // The refusal may concern this socket alone.
            Err(CloseRefusal::Unsupported) if check_supported().is_ok() => {
                Err(CloseRefusal::UnsupportedForSocket)
            }
            answer => answer,
        }
    }
}

/// Checks that the kernel supports closing, with a cookie and addresses of no socket.
fn check_supported() -> Result<(), CloseRefusal> {
    let nobody = Endpoint::default();
    let cookie = Cookie::NEVER_ASSIGNED.get();
    let id = inet_diag::socket_id((nobody, nobody), IpFamily::Inet, 0, cookie);
    match send_destroy(Protocol::Tcp, IpFamily::Inet, id) {
        Err(CloseRefusal::Gone) | Ok(()) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

impl ConnectionCloser for ReadOnlyControl {
    fn check_available(&mut self) -> Result<(), CloseRefusal> {
        Err(CloseRefusal::Disabled)
    }

    fn is_mptcp(&mut self, _: &CloseTarget) -> bool {
        false
    }

    fn close(&mut self, _: &CloseTarget) -> Result<(), CloseRefusal> {
        Err(CloseRefusal::Disabled)
    }
}

/// Verifies the socket once more: the confirmation may have taken long, and the
/// cookie stays the same into `TIME_WAIT`.
fn verify_unchanged(target: &CloseTarget) -> Result<(), CloseRefusal> {
    if !target.can_be_looked_up() {
        return Ok(());
    }
    match query_socket(target) {
        Ok(Ok(answer)) if belongs_to_mptcp(&answer) != target.is_mptcp() => {
            Err(CloseRefusal::MptcpSubflow)
        }
        Ok(Ok(answer)) => match decode_current(&answer) {
            Some(now) if target.effect_unchanged(now) => Ok(()),
            _ => Err(CloseRefusal::Changed),
        },
        Ok(Err(error)) => Err(refusal_from_errno(error)),
        Err(error) => Err(failed_refusal(&error)),
    }
}

/// Queries one socket with its ULP information, which the kernel sends with
/// `INET_DIAG_INFO` only.
fn query_socket(target: &CloseTarget) -> io::Result<Result<Vec<u8>, Errno>> {
    /// `1 << (INET_DIAG_INFO - 1)`.
    const WITH_INFO: u8 = 1 << 1;
    let socket = target.socket();
    let family = inet_diag::family_number(socket.family());
    let question = inet_diag::request_body(
        socket.protocol,
        family,
        WITH_INFO,
        u32::MAX,
        target.socket_id(),
    );
    netlink::request_one(netlink::SOCK_DIAG, TYPE_BY_FAMILY, &question)
}

/// True if the answer names MPTCP as the protocol above TCP
/// (`INET_DIAG_ULP_INFO` with `INET_ULP_INFO_NAME`, `subflow_ulp_ops` in
/// `net/mptcp/subflow.c`).
fn belongs_to_mptcp(answer: &[u8]) -> bool {
    /// Length of `struct inet_diag_msg`.
    const MESSAGE: usize = 72;
    const UPPER: u16 = 19;
    const NAME: u16 = 1;
    let upper = answer
        .get(MESSAGE..)
        .and_then(|attributes| find_attribute(attributes, UPPER));
    let name = upper.and_then(|upper| find_attribute(upper, NAME));
    name.and_then(|name| name.strip_suffix(b"\0")) == Some(b"mptcp")
}

/// The value of the first `struct nlattr` of a type; its upper bits are flags.
fn find_attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut rest = attributes;
    loop {
        let [low, high, kind @ ..] = *rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let value = rest.get(4..length)?;
        if u16::from_ne_bytes(kind) & 0x3fff == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// Relevant fields of `struct inet_diag_msg`.
fn decode_current(answer: &[u8]) -> Option<CurrentSocketState> {
    /// After the header of four bytes, the id, and four numbers.
    const INODE: usize = 4 + 48 + 16;
    let inode = answer.get(INODE..INODE + 4)?.try_into().ok()?;
    Some(CurrentSocketState {
        state: State::from_kernel(Protocol::Tcp, *answer.get(1)?),
        inode: NonZeroU32::new(u32::from_ne_bytes(inode)),
        timer: TimerKind::from_kernel(*answer.get(2)?),
    })
}

fn send_destroy(protocol: Protocol, family: IpFamily, id: [u8; 48]) -> Result<(), CloseRefusal> {
    let family = inet_diag::family_number(family);
    // All states: the cookie identifies the socket.
    let body = inet_diag::request_body(protocol, family, 0, u32::MAX, id);
    match netlink::request_ack(netlink::SOCK_DIAG, TYPE_DESTROY, &body) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refusal_from_errno(error)),
        Err(error) => {
            Err(Errno::from_io_error(&error)
                .map_or_else(|| failed_refusal(&error), refusal_from_errno))
        }
    }
}

fn refusal_from_errno(error: Errno) -> CloseRefusal {
    match error {
        Errno::NOENT => CloseRefusal::Gone,
        Errno::PERM | Errno::ACCESS => CloseRefusal::NotPermitted,
        // Before Linux 4.5 the kind of message itself is unknown.
        Errno::OPNOTSUPP | Errno::INVAL => CloseRefusal::Unsupported,
        // socket(2) of a kernel without the protocol, or of a seccomp filter.
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::SOCKTNOSUPPORT | Errno::NOSYS => {
            CloseRefusal::Unsupported
        }
        other => failed_refusal(&io::Error::from(other)),
    }
}

fn failed_refusal(error: &io::Error) -> CloseRefusal {
    CloseRefusal::Failed(Text::from(error.to_string().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_map_to_refusals() {
        let cases = [
            (Errno::NOENT, "gone"),
            (Errno::PERM, "not_permitted"),
            (Errno::OPNOTSUPP, "not_offered"),
            (Errno::INVAL, "not_offered"),
            (Errno::NOMEM, "failed"),
        ];
        for (error, key) in cases {
            assert_eq!(refusal_from_errno(error).key(), key, "{error}");
        }
    }

    #[test]
    fn mptcp_is_known_by_its_name_above_tcp() {
        let named = |name: &[u8]| {
            let length = |bytes: usize| u16::try_from(bytes).unwrap().to_ne_bytes();
            let mut answer = vec![0; 72];
            // The state of both halves comes before it.
            answer.extend([5, 0, 8, 0, 0, 0, 0, 0]);
            answer.extend(length(8 + name.len()));
            answer.extend(19_u16.to_ne_bytes());
            answer.extend(length(4 + name.len()));
            answer.extend(1_u16.to_ne_bytes());
            answer.extend(name);
            answer
        };
        assert!(belongs_to_mptcp(&named(b"mptcp\0")));
        assert!(!belongs_to_mptcp(&named(b"tls\0")));
        assert!(!belongs_to_mptcp(&named(b"mptcp\0")[..85]));
        assert!(!belongs_to_mptcp(&[0; 72]));
        assert!(!belongs_to_mptcp(&[]));
    }

    #[test]
    fn availability_is_reported() {
        let told = SockDestroy
            .check_available()
            .map_err(|refusal| refusal.key());
        let known = [Ok(()), Err("not_permitted"), Err("not_offered")];
        assert!(known.contains(&told), "{told:?}");
    }
}
