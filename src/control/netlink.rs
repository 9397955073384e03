//! One request to the kernel over netlink, and its answer: success, the
//! requested data, or an error number (netlink(7)).

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netlink,
    recvfrom, sendto, socket_with, sockopt,
};
use std::io;
use std::time::Duration;

/// Length of `struct nlmsghdr`.
const NLMSGHDR_LEN: usize = 16;
/// `NLM_F_REQUEST`.
const FLAGS_REQUEST: u16 = 0x1;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const FLAGS_REQUEST_ACK: u16 = 0x5;
/// `NLMSG_ERROR`, which also reports success.
const TYPE_ERROR: u16 = 2;
/// `NETLINK_SOCK_DIAG`.
pub(super) const SOCK_DIAG: Option<Protocol> = Some(netlink::SOCK_DIAG);
/// `NETLINK_ROUTE` has the number 0, the same as none.
pub(super) const ROUTE: Option<Protocol> = None;
/// Number of the only request of a socket.
const SEQUENCE: u32 = 1;
/// Timeout of a reply: the kernel replies before the request returns.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a request and returns the kernel's acknowledgement.
///
/// # Errors
///
/// If the kernel could not be queried, or its answer is malformed.
pub(super) fn request_ack(
    family: Option<Protocol>,
    kind: u16,
    body: &[u8],
) -> io::Result<Result<(), Errno>> {
    let answer = exchange(family, &encode_message(kind, FLAGS_REQUEST_ACK, body))?;
    parse_ack(&answer).ok_or_else(invalid_answer)
}

/// Sends a request whose answer has the same type, and returns its payload.
///
/// # Errors
///
/// If the kernel could not be queried, or its answer is malformed.
pub(super) fn request_one(
    family: Option<Protocol>,
    kind: u16,
    body: &[u8],
) -> io::Result<Result<Vec<u8>, Errno>> {
    let answer = exchange(family, &encode_message(kind, FLAGS_REQUEST, body))?;
    match parse_ack(&answer) {
        Some(Err(error)) => Ok(Err(error)),
        Some(Ok(())) => Err(invalid_answer()),
        None => parse_payload(&answer, kind)
            .map(Ok)
            .ok_or_else(invalid_answer),
    }
}

fn invalid_answer() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an odd answer")
}

/// Each request has a socket of its own, so that no late answer can be taken
/// for another's.
fn exchange(family: Option<Protocol>, question: &[u8]) -> io::Result<Vec<u8>> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        family,
    )?;
    bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(REPLY_TIMEOUT))?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    sendto(&socket, question, SendFlags::empty(), &kernel)?;
    let mut buffer = [0; 1024];
    loop {
        let received = recvfrom(&socket, &mut buffer[..], RecvFlags::empty());
        let (answer, _, sender) = match received {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let from_kernel = sender
            .and_then(|sender| netlink::SocketAddrNetlink::try_from(sender).ok())
            .is_some_and(|sender| sender.pid() == 0);
        if from_kernel {
            return Ok(buffer.get(..answer).unwrap_or_default().to_vec());
        }
    }
}

fn encode_message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(NLMSGHDR_LEN + body.len()).unwrap_or_default();
    let mut message = Vec::with_capacity(NLMSGHDR_LEN + body.len());
    message.extend_from_slice(&length.to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&SEQUENCE.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(body);
    message
}

/// Parses an acknowledgement; none if it does not belong to the request.
pub(super) fn parse_ack(answer: &[u8]) -> Option<Result<(), Errno>> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let sequence = u32::from_ne_bytes(answer.get(8..12)?.try_into().ok()?);
    let number = i32::from_ne_bytes(
        answer
            .get(NLMSGHDR_LEN..NLMSGHDR_LEN + 4)?
            .try_into()
            .ok()?,
    );
    if kind != TYPE_ERROR || sequence != SEQUENCE {
        return None;
    }
    // The kernel writes errors as negative numbers, down to `MAX_ERRNO` in
    // `include/linux/err.h`.
    match number {
        0 => Some(Ok(())),
        -4095..0 => Some(Err(Errno::from_raw_os_error(-number))),
        _ => None,
    }
}

/// Returns the payload of an answer of this type.
pub(super) fn parse_payload(answer: &[u8], wanted: u16) -> Option<Vec<u8>> {
    let length = u32::from_ne_bytes(answer.get(..4)?.try_into().ok()?);
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let sequence = u32::from_ne_bytes(answer.get(8..12)?.try_into().ok()?);
    let body = answer.get(NLMSGHDR_LEN..usize::try_from(length).ok()?)?;
    (kind == wanted && sequence == SEQUENCE).then(|| body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_or_refused() {
        let answer = |kind: u16, sequence: u32, number: i32| {
            let mut bytes = encode_message(kind, 0, &number.to_ne_bytes());
            bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
            bytes
        };
        assert_eq!(parse_ack(&answer(2, 1, 0)), Some(Ok(())));
        assert_eq!(parse_ack(&answer(2, 1, -2)), Some(Err(Errno::NOENT)));
        assert_eq!(parse_ack(&answer(2, 9, 0)), None, "to another question");
        assert_eq!(parse_ack(&answer(3, 1, 0)), None, "no verdict");
        assert_eq!(parse_ack(&answer(2, 1, 0)[..18]), None, "cut short");
        for number in [1, -4096, i32::MIN, i32::MAX] {
            assert_eq!(parse_ack(&answer(2, 1, number)), None, "no error");
        }
        assert_eq!(
            parse_payload(&answer(20, 1, 7), 20),
            Some(7i32.to_ne_bytes().into())
        );
        assert_eq!(
            parse_payload(&answer(21, 1, 7), 20),
            None,
            "of another kind"
        );
        assert_eq!(
            parse_payload(&answer(20, 1, 7)[..18], 20),
            None,
            "cut short"
        );
    }
}
