//! A listener whose descriptor is in flight: no process holds it.

use super::NOBODY;
use super::checks::Folder;
use super::namespace::{LabNamespace, NotHere};
use super::orders::order;
use rustix::fs::Uid;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;

/// Where every process of the machine is in `/proc`.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

pub(crate) fn listener_is_told_of(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let pids = fs::read_link("/proc/self/ns/pid").unwrap();
    if pids.as_os_str() != FIRST_PID_NAMESPACE {
        let why = "others may hold it outside this PID namespace".to_owned();
        return Err(NotHere::NoNamespace(why));
    }
    let folder = Folder::new();
    let nothing = folder.settings("nothing.toml", "");
    let check = format!("check --oneline --config {nothing} --for 4s");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    // Root's is left alone: it may be the kernel's own.
    rustix::fs::fchown(&listener, Some(Uid::from_raw(NOBODY)), None).unwrap();
    let baseline = folder.path("baseline.json");
    order(&format!("baseline save {baseline}"), 0, &[": 1\n"]);
    order(&check, 0, &["0 findings"]);

    let (near, _far) = UnixDatagram::pair().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let descriptors = [listener.as_fd()];
    assert!(message.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(b"x")];
    sendmsg(&near, &bytes, &mut message, SendFlags::empty()).unwrap();
    drop(listener);

    let told = format!("uid {NOBODY} listens on {end}, and no process holds the socket");
    order(&check, 1, &[&told]);
    let unlisted = format!("tcp {end}, through no process seen here: not in the baseline");
    order(
        &format!("{check} --baseline {baseline}"),
        1,
        &[&told, &unlisted],
    );
    Ok(())
}
