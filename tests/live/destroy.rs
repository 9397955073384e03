//! Closing connections from outside, against the kernel: what it answers in
//! each state, what both ends see, and that nothing but the one that was meant
//! is ever hit.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere, is_deep, program, where_anybody_may_run_it};
use super::patience::{PATIENCE, wait_for};
use super::watch::{Watch, row};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Instant;
use tcplens::control::sock_destroy::{ConnectionCloser, SockDestroy};
use tcplens::lab::DeviceChoice;
use tcplens::lab::address_kind::AddressKind;
use tcplens::lab::rig::Rig;
use tcplens::lab::rig_socket::RigSocket;
use tcplens::lab::socket_kind::RigSocketKind;
use tcplens::model::close::{CloseRefusal, CloseTarget};
use tcplens::model::observation::Observation;
use tcplens::model::row::{Phase, Row};
use tcplens::model::state::State;
use tcplens::source::SourceChoice;

const ECONNABORTED: i32 = 103;

/// What came of one parked socket.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// What the kernel, or this program before it, said.
    answer: &'static str,
    /// The state afterwards; none if it is gone.
    left: Option<State>,
    /// The error pending on the owner's descriptor.
    errno: Option<i32>,
    /// Whether the peer was reset; none if the rig plays none.
    reset: Option<bool>,
}

pub(crate) fn does_in_each_state_what_is_promised(namespace: &LabNamespace) -> Result<(), NotHere> {
    let mut control = SockDestroy;
    assert_eq!(
        control.check_available(),
        Ok(()),
        "the namespace is our own"
    );
    let mut rig = Rig::open(namespace, DeviceChoice::Auto).unwrap();
    for path in AddressKind::supported() {
        for kind in RigSocketKind::ALL
            .into_iter()
            .filter(|kind| kind.supports(path))
        {
            let before = rig.sockets().len();
            rig.create(kind, path).unwrap();
            let latest = &rig.sockets()[before..];
            let named = |parked: &RigSocket| parked.state == kind.state();
            let number = before + latest.iter().position(named).unwrap();
            let parked = rig.sockets()[number].clone();
            let outcome = destroy(&mut rig, number, &parked, &mut control);
            check(kind, &outcome);
            if path == AddressKind::V4 {
                tell(kind, &outcome);
            }
        }
    }
    Ok(())
}

fn destroy(
    rig: &mut Rig<'_>,
    number: usize,
    parked: &RigSocket,
    control: &mut SockDestroy,
) -> Outcome {
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let seen = watch.look();
    let shown = find(&seen, parked).unwrap_or_else(|| panic!("{parked:?}"));
    let owner = parked.inode.map(descriptor);
    let target = CloseTarget::from_row(&shown, seen.namespaces[0].id);
    let answer = match target.and_then(|target| control.close(&target)) {
        Ok(()) => "closed",
        Err(refusal) => refusal.key(),
    };
    let reset = rig.was_reset(number);
    let errno = owner.and_then(|owner| {
        let error = sockopt::socket_error(&owner).unwrap();
        error.err().map(rustix::io::Errno::raw_os_error)
    });
    let key = shown.socket.key();
    let seen = watch.look();
    let mut rows = seen.rows.iter();
    let left = rows.find(|row| row.phase != Phase::Closed && row.socket.key() == key);
    Outcome {
        answer,
        left: left.map(|row| row.socket.state),
        errno,
        reset,
    }
}

/// The table of outcomes, as the dialog and the README promise it.
fn check(kind: RigSocketKind, outcome: &Outcome) {
    use State::{BoundInactive, Unconnected};
    let owned = matches!(
        kind,
        RigSocketKind::SynSent
            | RigSocketKind::Established
            | RigSocketKind::EstablishedShared
            | RigSocketKind::EstablishedUnread
            | RigSocketKind::EstablishedUnacknowledged
            | RigSocketKind::EstablishedBlocked
            | RigSocketKind::FinWait1
            | RigSocketKind::FinWait2
            | RigSocketKind::Closing
            | RigSocketKind::CloseWait
            | RigSocketKind::CloseWaitUnread
            | RigSocketKind::LastAck
    );
    let expected = match kind {
        RigSocketKind::Bound => ("no_connection", Some(BoundInactive), None),
        RigSocketKind::Datagrams => ("no_connection", Some(Unconnected), None),
        // The ports were the kernel's choice, so nothing keeps them.
        RigSocketKind::DatagramsConnected
        | RigSocketKind::Listens
        | RigSocketKind::ListenerAnywhere
        | RigSocketKind::PortShared
        | RigSocketKind::ListenerShared
        | RigSocketKind::QueueFull => ("closed", None, Some(ECONNABORTED)),
        _ => ("closed", None, owned.then_some(ECONNABORTED)),
    };
    let got = (outcome.answer, outcome.left, outcome.errno);
    assert_eq!(got, expected, "{kind:?}: {outcome:?}");
    // Where the peer may still send, it hears of it.
    let reset = match kind.state() {
        State::Established | State::CloseWait | State::FinWait1 => true,
        State::FinWait2 => kind != RigSocketKind::FinWait2Shrunk,
        _ => false,
    };
    if let Some(heard) = outcome.reset {
        assert_eq!(heard, reset, "{kind:?}: {outcome:?}");
    }
}

fn tell(kind: RigSocketKind, outcome: &Outcome) {
    let left = outcome
        .left
        .map_or("gone".to_owned(), |state| format!("stays as {state}"));
    let errno = match outcome.errno {
        Some(ECONNABORTED) => "ECONNABORTED".to_owned(),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    };
    let reset = match outcome.reset {
        Some(true) => "RST",
        Some(false) => "nothing",
        None => "-",
    };
    println!(
        "{:26} {:12} {:14} {left:18} owner {errno:13} peer {reset}",
        format!("{kind:?}"),
        kind.state().to_string(),
        outcome.answer,
    );
}

fn find(seen: &Observation, parked: &RigSocket) -> Option<Row> {
    let ends = parked.endpoints();
    let mut rows = seen.rows.iter();
    rows.find(|row| {
        let inode = row.socket.inode.map(|inode| u64::from(inode.get()));
        (row.socket.local, row.socket.peer()) == ends && inode == parked.inode
    })
    .copied()
}

/// A second descriptor of a socket of this process.
fn descriptor(inode: u64) -> OwnedFd {
    let wanted = format!("socket:[{inode}]");
    let number = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .find(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.to_str() == Some(&wanted)))
        .and_then(|entry| entry.file_name().to_str()?.parse().ok())
        .unwrap();
    let this: Pid = getpid();
    let this = pidfd_open(this, PidfdFlags::empty()).unwrap();
    pidfd_getfd(this, number, PidfdGetfdFlags::empty()).unwrap()
}

/// A client at an address of its own choosing, to come back to.
fn client(from: SocketAddr, to: SocketAddr) -> TcpStream {
    let kind = (AddressFamily::INET, SocketType::STREAM);
    let socket = socket_with(kind.0, kind.1, SocketFlags::CLOEXEC, None).unwrap();
    sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &from).unwrap();
    connect(&socket, &to).unwrap();
    TcpStream::from(socket)
}

/// A person looks at a connection, it ends, the same addresses are taken by
/// another one, and only then the person closes what they saw.
pub(crate) fn never_hits_who_came_to_the_same_addresses(_: &LabNamespace) -> Result<(), NotHere> {
    let rounds = if is_deep() { 10_000 } else { 200 };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let from: SocketAddr = "127.0.0.1:45000".parse().unwrap();
    let mut control = SockDestroy;
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let mut near = client(from, at);
    let (mut far, _) = listener.accept().unwrap();
    let began = Instant::now();
    let mut answers: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut wrong = 0;
    for round in 0..rounds {
        // Both ends: each has a cookie of its own.
        let (local, peer) = if round % 2 == 0 {
            (from, at)
        } else {
            (at, from)
        };
        let shown = watch.until("the connection", |seen| {
            row(seen, local, Some(peer)).filter(|row| row.phase != Phase::Closed)
        });
        let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
        // Reset, so that no TIME_WAIT keeps the addresses.
        sockopt::set_socket_linger(&near, Some(std::time::Duration::ZERO)).unwrap();
        drop(near);
        drop(far);
        near = client(from, at);
        (far, _) = listener.accept().unwrap();
        let answer = control.close(&target).map_err(|refusal| refusal.key());
        *answers.entry(answer.err().unwrap_or("closed")).or_default() += 1;
        near.set_read_timeout(Some(PATIENCE)).unwrap();
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        let alive = talk(&mut near, &mut far).and_then(|()| talk(&mut far, &mut near));
        wrong += u32::from(alive.is_err());
    }
    println!(
        "{rounds} stale cookies at reused addresses: {answers:?}, {wrong} wrong closes, {:?}",
        began.elapsed()
    );
    assert_eq!((answers.get("gone"), wrong), (Some(&rounds), 0));
    // That the test can fail: the cookie of the one that is there does close it.
    let shown = row(&watch.look(), from, Some(at)).unwrap();
    let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
    assert_eq!(control.close(&target), Ok(()));
    assert!(talk(&mut near, &mut far).is_err());
    Ok(())
}

fn talk(from: &mut TcpStream, to: &mut TcpStream) -> std::io::Result<()> {
    from.write_all(b"still here")?;
    let mut heard = [0; 10];
    to.read_exact(&mut heard)
}

/// The question may stand for long: a connection that has come to `TIME_WAIT`
/// meanwhile has the same cookie, but closing it was not what was confirmed.
pub(crate) fn leaves_alone_what_has_changed(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let near = TcpStream::connect(at).unwrap();
    let from = near.local_addr().unwrap();
    let (far, _) = listener.accept().unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let shown = watch.until("the connection", |seen| row(seen, from, Some(at)));
    let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
    drop(near);
    drop(far);
    let waits = |seen: &Observation| {
        let there = |row: &Row| row.phase != Phase::Closed;
        row(seen, from, Some(at)).filter(|row| there(row) && row.socket.state == State::TimeWait)
    };
    let changed = watch.until("TIME_WAIT", |seen| waits(seen));
    assert_eq!(
        changed.socket.cookie, shown.socket.cookie,
        "or nothing is proved"
    );
    assert_eq!(SockDestroy.close(&target), Err(CloseRefusal::Changed));
    assert!(waits(&watch.look()).is_some(), "it is still there");
    // Asked about as it is now, it is closed.
    let target = CloseTarget::from_row(&changed, changed.socket.namespace).unwrap();
    assert_eq!(SockDestroy.close(&target), Ok(()));
    assert!(waits(&watch.look()).is_none());
    println!("a connection that had come to TIME_WAIT was left alone");
    Ok(())
}

/// Of listeners that share a port the kernel finds any: the one that is meant
/// is closed, and no other.
pub(crate) fn finds_one_listener_among_many(_: &LabNamespace) -> Result<(), NotHere> {
    const TOGETHER: usize = 16;
    let mut at: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut listeners = Vec::new();
    for _ in 0..TOGETHER {
        let kind = (AddressFamily::INET, SocketType::STREAM);
        let socket = socket_with(kind.0, kind.1, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_socket_reuseport(&socket, true).unwrap();
        bind(&socket, &at).unwrap();
        rustix::net::listen(&socket, 8).unwrap();
        let listener = TcpListener::from(socket);
        at = listener.local_addr().unwrap();
        listeners.push(listener);
    }
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let errors = |listeners: &[TcpListener]| {
        let pending = listeners.iter().map(|one| one.take_error().unwrap());
        pending.flatten().count()
    };
    for round in 0..TOGETHER {
        let seen = watch.look();
        let open = |row: &&Row| row.socket.state == State::Listen && row.phase != Phase::Closed;
        assert_eq!(seen.rows.iter().filter(open).count(), TOGETHER - round);
        let shown = *seen.rows.iter().rfind(open).unwrap();
        let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
        assert_eq!(SockDestroy.close(&target), Ok(()), "{round}");
        // Asking takes the error away.
        assert_eq!(errors(&listeners), 1);
        assert_eq!(SockDestroy.close(&target), Err(CloseRefusal::Gone));
        assert_eq!(errors(&listeners), 0);
    }
    println!("{TOGETHER} listeners on one port closed one by one");
    Ok(())
}

/// Who has no privilege is told so, beforehand and by the kernel, and nothing
/// is closed.
pub(crate) fn is_refused_to_an_ordinary_user(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, from) = listener.accept().unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let shown = row(&watch.look(), from, Some(listener.local_addr().unwrap())).unwrap();
    let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
    let mut control = SockDestroy;
    assert_eq!(control.check_available(), Ok(()));
    let folder = tempfile::tempdir().unwrap();
    let program = where_anybody_may_run_it(&program(), folder.path()).unwrap();

    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(NOBODY)).unwrap();
    setuid(Uid::from_raw(NOBODY)).unwrap();
    assert_eq!(control.check_available(), Err(CloseRefusal::NotPermitted));
    assert_eq!(control.close(&target), Err(CloseRefusal::NotPermitted));
    let port = from.port();
    let order = format!("close sport = :{port} --yes");
    let output = Command::new(program)
        .args(order.split_whitespace())
        .current_dir("/")
        // Those of root may not be looked for, which is an error of its own.
        .env("XDG_CONFIG_HOME", "/nowhere/at/all")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    print!("{said}");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("nothing can be closed here"), "{said}");
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");
    talk(&mut near, &mut far).unwrap();
    println!("uid {NOBODY}: refused beforehand and by the kernel, the connection carries on");
    Ok(())
}

/// Ends of a connection on loopback see what the dialog says they will.
pub(crate) fn is_seen_by_both_ends(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let mut near = TcpStream::connect(at).unwrap();
    let (mut far, from) = listener.accept().unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);
    let mut control = SockDestroy;
    let mut close = |local, peer| {
        let shown = row(&watch.look(), local, peer).unwrap();
        let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
        control.close(&target).unwrap();
    };
    close(at, Some(from));
    let owner = far.read(&mut [0; 1]).unwrap_err();
    assert_eq!(owner.kind(), ErrorKind::ConnectionAborted);
    let peer = near.read(&mut [0; 1]).unwrap_err();
    assert_eq!(peer.kind(), ErrorKind::ConnectionReset);

    close(at, None);
    let refused = TcpStream::connect(at).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let owner = listener.accept().unwrap_err();
    println!("owner ECONNABORTED, its listener {owner}, newcomers refused");
    assert_eq!(owner.raw_os_error(), Some(22));
    wait_for("the listener gone from the table", || {
        let seen = watch.look();
        let listens = |row: &Row| row.socket.state == State::Listen && row.phase != Phase::Closed;
        (!seen.rows.iter().any(listens)).then_some(())
    });

    // What was bound to a port of its own choice keeps it.
    let at: SocketAddr = "127.0.0.1:5300".parse().unwrap();
    let datagrams = UdpSocket::bind(at).unwrap();
    let peer: SocketAddr = "127.0.0.1:5301".parse().unwrap();
    datagrams.connect(peer).unwrap();
    let shown = row(&watch.look(), at, Some(peer)).unwrap();
    let target = CloseTarget::from_row(&shown, shown.socket.namespace).unwrap();
    SockDestroy.close(&target).unwrap();
    let owner = datagrams.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(owner.kind(), ErrorKind::ConnectionAborted);
    let left = row(&watch.look(), at, None).unwrap();
    assert_eq!(left.socket.state, State::Unconnected);
    assert_eq!(left.socket.key(), shown.socket.key(), "the same socket");
    Ok(())
}

/// A socket of MPTCP; none where this kernel has none.
fn mptcp() -> Option<OwnedFd> {
    let protocol = Some(rustix::net::ipproto::MPTCP);
    let flags = SocketFlags::CLOEXEC;
    socket_with(AddressFamily::INET, SocketType::STREAM, flags, protocol).ok()
}

/// Listeners of MPTCP are refused one by one, a path that is closed is not told to
/// its program, and where the peer speaks TCP alone all is as ever.
pub(crate) fn of_mptcp_does_what_is_said(_: &LabNamespace) -> Result<(), NotHere> {
    let Some(listener) = mptcp() else {
        return Err(NotHere::Missing("this kernel has no MPTCP".to_owned()));
    };
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    rustix::net::listen(&listener, 5).unwrap();
    let listener = TcpListener::from(listener);
    let at = listener.local_addr().unwrap();
    let mut watch = Watch::begin(SourceChoice::SockDiag);

    let shown = row(&watch.look(), at, None).unwrap();
    let namespace = shown.socket.namespace;
    let target = CloseTarget::from_row(&shown, namespace).unwrap();
    assert!(SockDestroy.is_mptcp(&target), "the listener is known");
    assert_eq!(target.into_mptcp(), Err(CloseRefusal::MptcpListener));
    // What the kernel itself says, and that it closes others all the same.
    let answer = SockDestroy.close(&target);
    println!("mptcp listener: {answer:?}");
    assert_eq!(answer, Err(CloseRefusal::UnsupportedForSocket));
    assert_eq!(SockDestroy.check_available(), Ok(()));

    let near = mptcp().unwrap();
    connect(&near, &at).unwrap();
    let mut near = TcpStream::from(near);
    let (mut far, from) = listener.accept().unwrap();
    talk(&mut near, &mut far).unwrap();
    talk(&mut far, &mut near).unwrap();
    let shown = row(&watch.look(), at, Some(from)).unwrap();
    let target = CloseTarget::from_row(&shown, namespace).unwrap();
    // Taken for a plain connection, it is left alone.
    assert_eq!(SockDestroy.close(&target), Err(CloseRefusal::MptcpSubflow));
    assert!(SockDestroy.is_mptcp(&target));
    let target = target.into_mptcp().unwrap();
    let seen = (target.effect_on_owner(), target.effect_on_peer());
    assert_eq!(seen, ("owner_mptcp", "peer_mptcp"));
    assert_eq!(SockDestroy.close(&target), Ok(()));
    wait_for("the path to go from the table", || {
        let there = row(&watch.look(), at, Some(from));
        there
            .is_none_or(|row| row.phase == Phase::Closed)
            .then_some(())
    });
    for end in [&mut near, &mut far] {
        end.set_nonblocking(true).unwrap();
        let told = end.read(&mut [0; 1]).unwrap_err();
        assert_eq!(told.kind(), ErrorKind::WouldBlock, "neither end is told");
    }

    // Every Go server listens so, and most of its clients speak TCP alone.
    let mut near = TcpStream::connect(at).unwrap();
    let (mut far, from) = listener.accept().unwrap();
    talk(&mut near, &mut far).unwrap();
    let shown = row(&watch.look(), at, Some(from)).unwrap();
    let target = CloseTarget::from_row(&shown, namespace).unwrap();
    assert!(!SockDestroy.is_mptcp(&target), "it fell back to TCP");
    assert_eq!(target.effect_on_owner(), "owner_aborted");
    SockDestroy.close(&target).unwrap();
    let owner = far.read(&mut [0; 1]).unwrap_err();
    assert_eq!(owner.kind(), ErrorKind::ConnectionAborted);
    let peer = near.read(&mut [0; 1]).unwrap_err();
    assert_eq!(peer.kind(), ErrorKind::ConnectionReset);
    Ok(())
}
