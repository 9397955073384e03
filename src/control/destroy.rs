//! Closes one connection from outside: `SOCK_DESTROY` of `sock_diag`.
//!
//! The kernel compares addresses and cookie, so a connection that has taken
//! the addresses of the one that was shown is not touched: that answer is
//! `ENOENT`. See `sock_diag_destroy` in `net/core/sock_diag.c` and `tcp_abort`
//! in `net/ipv4/tcp.c`.

use super::{Refusing, netlink};
use crate::model::closing::{Closable, CloseRefusal, Cookie, Now};
use crate::model::endpoint::Endpoint;
use crate::model::inet_diag;
use crate::model::protocol::{Family, Protocol};
use crate::model::state::State;
use crate::model::text::Text;
use crate::model::timer::TimerKind;
use rustix::io::Errno;
use std::io;
use std::num::NonZeroU32;

/// Actions on connections.
pub trait Close: Send {
    /// Checks, without any effect, that connections of this network namespace
    /// can be closed.
    ///
    /// # Errors
    ///
    /// The reason why no connection could be closed.
    fn ready(&mut self) -> Result<(), CloseRefusal>;

    /// Returns true if a connection belongs to MPTCP. It has no effect on it.
    fn is_mptcp(&mut self, target: &Closable) -> bool;

    /// Closes a connection, immediately and on both ends.
    ///
    /// # Errors
    ///
    /// The reason why it was not closed; nothing has changed then.
    fn close(&mut self, target: &Closable) -> Result<(), CloseRefusal>;
}

/// Closer by `SOCK_DESTROY`.
#[derive(Debug, Default)]
pub struct SockDestroy;

/// `SOCK_DIAG_BY_FAMILY`.
const LOOK: u16 = 20;
/// `SOCK_DESTROY`.
const DESTROY: u16 = 21;
/// `RTM_DELNEIGH`.
const FORGET_NEIGHBOUR: u16 = 29;

impl Close for SockDestroy {
    /// Tries two operations that cannot succeed. Destroying a socket that
    /// cannot exist shows whether the kernel supports it at all; but the kernel
    /// looks up the socket before it checks the privilege. The same privilege
    /// (`CAP_NET_ADMIN` over this namespace) is required by every change of
    /// network settings, and checked before the request is parsed: so one that
    /// is too short to be valid is sent.
    fn ready(&mut self) -> Result<(), CloseRefusal> {
        offered()?;
        match netlink::ask(netlink::ROUTE, FORGET_NEIGHBOUR, &[0; 4]) {
            Ok(Err(Errno::PERM)) => Err(CloseRefusal::NotPermitted),
            // Any other error: the privilege was sufficient.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn is_mptcp(&mut self, target: &Closable) -> bool {
        let found = target.socket().protocol == Protocol::Tcp;
        found && matches!(look(target), Ok(Ok(answer)) if belongs_to_mptcp(&answer))
    }

    fn close(&mut self, target: &Closable) -> Result<(), CloseRefusal> {
        still_as_told(target)?;
        let socket = target.socket();
        let with = |id| destroy(socket.protocol, socket.family(), id);
        match with(target.id()) {
            Err(CloseRefusal::Gone) => target
                .further_ids()
                .map(with)
                .find(|answer| *answer != Err(CloseRefusal::Gone))
                .unwrap_or(Err(CloseRefusal::Gone)),
            // The refusal may concern this socket alone.
            Err(CloseRefusal::NotOffered) if offered().is_ok() => Err(CloseRefusal::NotThisOne),
            answer => answer,
        }
    }
}

/// Checks that the kernel supports closing, with a cookie and addresses of no socket.
fn offered() -> Result<(), CloseRefusal> {
    let nobody = Endpoint::default();
    let cookie = Cookie::OF_NOBODY.get();
    let id = inet_diag::socket_id((nobody, nobody), Family::Inet, 0, cookie);
    match destroy(Protocol::Tcp, Family::Inet, id) {
        Err(CloseRefusal::Gone) | Ok(()) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

impl Close for Refusing {
    fn ready(&mut self) -> Result<(), CloseRefusal> {
        Err(CloseRefusal::Disabled)
    }

    fn is_mptcp(&mut self, _: &Closable) -> bool {
        false
    }

    fn close(&mut self, _: &Closable) -> Result<(), CloseRefusal> {
        Err(CloseRefusal::Disabled)
    }
}

/// Verifies the socket once more: the confirmation may have taken long, and the
/// cookie stays the same into `TIME_WAIT`.
fn still_as_told(target: &Closable) -> Result<(), CloseRefusal> {
    if !target.can_change() {
        return Ok(());
    }
    match look(target) {
        Ok(Ok(answer)) if belongs_to_mptcp(&answer) != target.is_mptcp() => {
            Err(CloseRefusal::MptcpPath)
        }
        Ok(Ok(answer)) => match now(&answer) {
            Some(now) if target.is_as_told(now) => Ok(()),
            _ => Err(CloseRefusal::Changed),
        },
        Ok(Err(error)) => Err(refusal(error)),
        Err(error) => Err(failed(&error)),
    }
}

/// Queries one socket with its ULP information, which the kernel sends with
/// `INET_DIAG_INFO` only.
fn look(target: &Closable) -> io::Result<Result<Vec<u8>, Errno>> {
    /// `1 << (INET_DIAG_INFO - 1)`.
    const WITH_INFO: u8 = 1 << 1;
    let socket = target.socket();
    let family = inet_diag::family_number(socket.family());
    let question = inet_diag::request(socket.protocol, family, WITH_INFO, u32::MAX, target.id());
    netlink::look(netlink::SOCK_DIAG, LOOK, &question)
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
        .and_then(|attributes| attribute(attributes, UPPER));
    let name = upper.and_then(|upper| attribute(upper, NAME));
    name.and_then(|name| name.strip_suffix(b"\0")) == Some(b"mptcp")
}

/// The value of the first `struct nlattr` of a type; its upper bits are flags.
fn attribute(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
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
fn now(answer: &[u8]) -> Option<Now> {
    /// After the header of four bytes, the id, and four numbers.
    const INODE: usize = 4 + 48 + 16;
    let inode = answer.get(INODE..INODE + 4)?.try_into().ok()?;
    Some(Now {
        state: State::from_kernel(Protocol::Tcp, *answer.get(1)?),
        inode: NonZeroU32::new(u32::from_ne_bytes(inode)),
        timer: TimerKind::from_kernel(*answer.get(2)?),
    })
}

fn destroy(protocol: Protocol, family: Family, id: [u8; 48]) -> Result<(), CloseRefusal> {
    let family = inet_diag::family_number(family);
    // All states: the cookie identifies the socket.
    let body = inet_diag::request(protocol, family, 0, u32::MAX, id);
    match netlink::ask(netlink::SOCK_DIAG, DESTROY, &body) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(refusal(error)),
        Err(error) => Err(Errno::from_io_error(&error).map_or_else(|| failed(&error), refusal)),
    }
}

fn refusal(error: Errno) -> CloseRefusal {
    match error {
        Errno::NOENT => CloseRefusal::Gone,
        Errno::PERM | Errno::ACCESS => CloseRefusal::NotPermitted,
        // Before Linux 4.5 the kind of message itself is unknown.
        Errno::OPNOTSUPP | Errno::INVAL => CloseRefusal::NotOffered,
        // socket(2) of a kernel without the protocol, or of a seccomp filter.
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::SOCKTNOSUPPORT | Errno::NOSYS => {
            CloseRefusal::NotOffered
        }
        other => failed(&io::Error::from(other)),
    }
}

fn failed(error: &io::Error) -> CloseRefusal {
    CloseRefusal::Failed(Text::from(error.to_string().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_mean_what_they_mean() {
        let cases = [
            (Errno::NOENT, "gone"),
            (Errno::PERM, "not_permitted"),
            (Errno::OPNOTSUPP, "not_offered"),
            (Errno::INVAL, "not_offered"),
            (Errno::NOMEM, "failed"),
        ];
        for (error, key) in cases {
            assert_eq!(refusal(error).key(), key, "{error}");
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
    fn asking_whether_it_could_be_done_is_answered() {
        let told = SockDestroy.ready().map_err(|refusal| refusal.key());
        let known = [Ok(()), Err("not_permitted"), Err("not_offered")];
        assert!(known.contains(&told), "{told:?}");
    }
}
