//! A second process that holds sockets of the first: the result of `fork`, or
//! of socket activation.
//!
//! It is started before there is a device, whose descriptor it would inherit,
//! and is sent the sockets later (`SCM_RIGHTS`, unix(7)).

use super::LabError;
use super::helper::{Helper, HelperRole, send_ready};
use super::namespace::LabNamespace;
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

const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Name in errors.
const ERROR_NAME: &str = "the second holder";

/// The other process.
#[derive(Debug)]
pub(super) struct FdHolder {
    /// Closed before waiting for the helper, which requests it to end.
    channel: OwnedFd,
    helper: Helper,
}

impl FdHolder {
    pub(super) fn start(namespace: &LabNamespace) -> Result<Self, LabError> {
        let (line, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(LabError::io("make a line to", ERROR_NAME))?;
        let mut helper = Helper::start_with(namespace, HelperRole::HoldFds, Stdio::from(theirs))?;
        helper.wait_until_ready(START_TIMEOUT)?;
        Ok(Self {
            channel: line,
            helper,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.helper.pid()
    }

    /// Makes the other process hold this socket, too, and waits until it does.
    pub(super) fn share(&self, socket: BorrowedFd<'_>) -> Result<(), LabError> {
        let failed = LabError::io::<Errno>("hand a socket to", ERROR_NAME);
        self.send_fd(socket).map_err(failed)
    }

    fn send_fd(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        let sockets = [socket];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
        sendmsg(
            &self.channel,
            &[IoSlice::new(b"s")],
            &mut ancillary,
            SendFlags::empty(),
        )?;
        recv(&self.channel, &mut [0; 1][..], RecvFlags::empty())?;
        Ok(())
    }
}

/// Holds the sockets it receives, until its input closes.
pub(super) fn run() -> Result<(), LabError> {
    send_ready()?;
    let line = stdin();
    let mut kept = Vec::new();
    let failed = |error: Errno| LabError::io("take a socket from", "the parent process")(error);
    while let Some(sockets) = receive_fds(line.as_fd()).map_err(failed)? {
        kept.extend(sockets);
        send(&line, b"k", SendFlags::empty()).map_err(failed)?;
    }
    Ok(())
}

/// The next sockets; none once the line is closed.
fn receive_fds(line: BorrowedFd<'_>) -> Result<Option<Vec<OwnedFd>>, Errno> {
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
