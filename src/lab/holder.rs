//! A second process that holds sockets of the first: the result of `fork`, or
//! of socket activation.
//!
//! It is started before there is a device, whose descriptor it would inherit,
//! and is sent the sockets later (`SCM_RIGHTS`, unix(7)).

use super::LabError;
use super::helper::{Helper, Role, say_ready};
use super::namespace::Namespace;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg,
    socketpair,
};
use std::io::{IoSlice, IoSliceMut, stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// Name in errors.
const NAME: &str = "the second holder";

/// The other process.
#[derive(Debug)]
pub(super) struct Holder {
    /// Closed before waiting for the helper, which requests it to end.
    line: OwnedFd,
    helper: Helper,
}

impl Holder {
    pub(super) fn start(namespace: &Namespace) -> Result<Self, LabError> {
        let (line, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(LabError::io("make a line to", NAME))?;
        let mut helper = Helper::start_with(namespace, Role::Hold, Stdio::from(theirs))?;
        helper.ready(PATIENCE)?;
        Ok(Self { line, helper })
    }

    pub(super) fn pid(&self) -> u32 {
        self.helper.pid()
    }

    /// Makes the other process hold this socket, too, and waits until it does.
    pub(super) fn share(&self, socket: BorrowedFd<'_>) -> Result<(), LabError> {
        let failed = LabError::io::<Errno>("hand a socket to", NAME);
        self.hand_over(socket).map_err(failed)
    }

    fn hand_over(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        let sockets = [socket];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
        sendmsg(
            &self.line,
            &[IoSlice::new(b"s")],
            &mut ancillary,
            SendFlags::empty(),
        )?;
        recv(&self.line, &mut [0; 1][..], RecvFlags::empty())?;
        Ok(())
    }
}

/// Holds the sockets it receives, until its input closes.
pub(super) fn play() -> Result<(), LabError> {
    say_ready()?;
    let line = stdin();
    let mut kept = Vec::new();
    let failed = |error: Errno| LabError::io("take a socket from", "the parent process")(error);
    while let Some(sockets) = take(line.as_fd()).map_err(failed)? {
        kept.extend(sockets);
        send(&line, b"k", SendFlags::empty()).map_err(failed)?;
    }
    Ok(())
}

/// The next sockets; none once the line is closed.
fn take(line: BorrowedFd<'_>) -> Result<Option<Vec<OwnedFd>>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(
        line,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let sockets = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    Ok(Some(sockets.flatten().collect()))
}
