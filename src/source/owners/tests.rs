//! The search for owners against fixtures and this machine's kernel.

use super::descriptors::ScanOutcome;
use super::*;
use crate::model::endpoint::Endpoint;
use crate::model::protocol::{IpFamily, Protocol};
use crate::model::state::State;
use std::net::{TcpListener, UdpSocket};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

fn socket(inode: u32) -> Socket {
    Socket {
        cookie: None,
        local: Endpoint::default(),
        remote: Endpoint::default(),
        inode: NonZeroU32::new(inode),
        uid: 0,
        interface: 0,
        recv_queue: 0,
        send_queue: 0,
        namespace: 0,
        timer: None,
        protocol: Protocol::Tcp,
        socket_family: IpFamily::Inet.into(),
        state: State::Listen,
    }
}

/// One table: the processes and descriptors that hold each of the sockets.
fn table(owners: &mut SocketOwners, inodes: &[u32]) -> Vec<Vec<(u32, u32)>> {
    let scan = owners.plan_scan();
    std::thread::scope(|scope| {
        scope.spawn(|| scan.run());
        scan.run();
    });
    owners.apply_scan(scan);
    assigned(owners, inodes)
}

fn assigned(owners: &mut SocketOwners, inodes: &[u32]) -> Vec<Vec<(u32, u32)>> {
    let sockets: Vec<Socket> = inodes.iter().copied().map(socket).collect();
    let assigned = owners.assign(&sockets);
    let holder = |holder: &crate::model::owner::Holder| {
        (assigned.pids[holder.process.0 as usize], holder.fd)
    };
    assigned
        .spans
        .iter()
        .map(|span| span.resolve(&assigned.holders).iter().map(holder).collect())
        .collect()
}

fn inode(socket: impl AsFd) -> u32 {
    let inode = rustix::fs::fstat(socket).unwrap().st_ino;
    u32::try_from(inode).unwrap()
}

/// A process that holds a socket as its descriptor 1, and ends with its input.
fn spawn_holder(socket: impl Into<OwnedFd>) -> Child {
    Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::from(socket.into()))
        .spawn()
        .unwrap()
}

fn end_child(mut child: Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn finds_every_holder_and_survives_what_is_not_there() {
    let root = tempfile::tempdir().unwrap();
    for (pid, fds) in [("12", &["3", "4"][..]), ("7", &["5"]), ("99", &[])] {
        let folder = root.path().join(pid).join("fd");
        std::fs::create_dir_all(&folder).unwrap();
        for fd in fds {
            symlink("socket:[500]", folder.join(fd)).unwrap();
        }
    }
    std::fs::create_dir_all(root.path().join("1/fd")).unwrap();
    symlink("/dev/null", root.path().join("7/fd/0")).unwrap();
    symlink("socket:[x]", root.path().join("7/fd/1")).unwrap();
    // A process that has exited when it is visited.
    std::fs::create_dir(root.path().join("13")).unwrap();
    std::fs::create_dir(root.path().join("sys")).unwrap();
    let mut owners = SocketOwners::new(root.path(), None);
    let found = table(&mut owners, &[500, 501]);
    assert_eq!(found, [vec![(7, 5), (12, 3), (12, 4)], vec![]]);
    assert_eq!(owners.gaps(false), []);
}

#[test]
fn a_proc_without_any_process_is_no_proc() {
    let root = tempfile::tempdir().unwrap();
    let mut owners = SocketOwners::new(root.path(), None);
    table(&mut owners, &[]);
    let missing = Gap {
        kind: GapKind::ProcMissing,
        count: 1,
        reason: GapReason::NoProc,
    };
    assert_eq!(owners.gaps(false), [missing]);
    // It comes back.
    std::fs::create_dir_all(root.path().join("1/fd")).unwrap();
    table(&mut owners, &[]);
    assert_eq!(owners.gaps(false), []);
}

#[test]
fn a_proc_without_process_1_hides_processes() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("7/fd")).unwrap();
    let mut owners = SocketOwners::new(root.path(), None);
    table(&mut owners, &[]);
    let gaps = |short| {
        let gaps = owners.gaps(short).into_iter();
        gaps.map(|gap| (gap.kind, gap.reason)).collect::<Vec<_>>()
    };
    let hidden = (GapKind::ProcessesHidden, GapReason::Hidepid);
    assert_eq!(gaps(false), [hidden]);
    let starved = (GapKind::ProcessesUnreadable, GapReason::DescriptorLimit);
    assert_eq!(gaps(true), [starved, hidden]);
}

#[test]
fn an_unreadable_init_has_its_own_gap() {
    let mut owners = SocketOwners::new(Path::new("/nowhere"), None);
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("1/fd")).unwrap();
    std::fs::create_dir_all(root.path().join("7/fd")).unwrap();
    owners.root = root.path().to_path_buf();
    table(&mut owners, &[]);
    assert_eq!(owners.gaps(false), []);
    let refused = ScanOutcome::Unreadable(GapReason::Permission);
    let whole = |outcome| ScanPart {
        outcome,
        entries: 0,
        next: None,
    };
    let refused = whole(refused);
    owners.process_index.record_scan(1, &refused);
    assert_eq!(owners.gaps(false)[0].kind, GapKind::InitUnreadable);
    owners.process_index.record_scan(7, &refused);
    let gap = owners.gaps(false)[0];
    assert_eq!((gap.kind, gap.count), (GapKind::ProcessesUnreadable, 2));
    owners
        .process_index
        .record_scan(1, &whole(ScanOutcome::Read));
    assert_eq!(owners.gaps(false)[0].kind, GapKind::ProcessesUnreadable);
}

#[test]
fn a_missing_proc_is_a_gap() {
    let mut owners = SocketOwners::new(Path::new("/nowhere"), None);
    assert_eq!(table(&mut owners, &[500]), [vec![]]);
    assert_eq!(owners.gaps(false)[0].kind, GapKind::ProcessesUnreadable);
}

#[test]
fn owners_follow_open_share_and_close() {
    let mut owners = SocketOwners::new(Path::new("/proc"), None);
    let own = std::process::id();
    let first = UdpSocket::bind("127.0.0.1:0").unwrap();
    let fd = u32::try_from(first.as_raw_fd()).unwrap();
    assert_eq!(table(&mut owners, &[inode(&first)]), [[(own, fd)]]);

    // The tests beside this one open and close sockets in this process, too: a
    // socket without a hint is found with the table after the next.
    let mut holder = |number: u32, wanted: (u32, u32)| {
        (0..3).any(|_| table(&mut owners, &[number])[0].contains(&wanted))
    };
    let second = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = inode(&second);
    let fd = u32::try_from(second.as_raw_fd()).unwrap();
    assert!(holder(number, (own, fd)));

    let child = spawn_holder(second.try_clone().unwrap());
    assert!(holder(number, (child.id(), 1)));
    drop(second);
    assert!(holder(number, (child.id(), 1)));
    end_child(child);
    // Another test may have opened something as this one closed its own: then
    // this process must first get its turn.
    assert!((0..256).any(|_| table(&mut owners, &[number])[0].is_empty()));
}

/// The trap: closing one descriptor and opening another keeps their number.
#[test]
fn finds_a_socket_opened_at_an_unchanged_fd_count() {
    let root = tempfile::tempdir().unwrap();
    for pid in ["1", "7", "8"] {
        let folder = root.path().join(pid).join("fd");
        std::fs::create_dir_all(&folder).unwrap();
        symlink(format!("socket:[10{pid}]"), folder.join("3")).unwrap();
    }
    let mut owners = SocketOwners::new(root.path(), None);
    assert_eq!(table(&mut owners, &[107])[0], [(7, 3)]);
    let link = root.path().join("7/fd/3");
    std::fs::remove_file(&link).unwrap();
    symlink("socket:[555]", &link).unwrap();
    assert_eq!(table(&mut owners, &[108, 555])[0], [(8, 3)]);
    assert_eq!(table(&mut owners, &[108, 555]), [[(8, 3)], [(7, 3)]]);
}

#[test]
fn a_socket_that_nobody_has_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("1/fd")).unwrap();
    let mut owners = SocketOwners::new(root.path(), None);
    table(&mut owners, &[]);
    // The first time it may just have come, the second it is searched for.
    table(&mut owners, &[900]);
    table(&mut owners, &[900]);
    let before = owners.process_index.run_pass();
    table(&mut owners, &[900]);
    assert_eq!(
        owners.process_index.run_pass(),
        before + 1,
        "no second look for it"
    );
}

#[test]
fn an_unfinished_search_is_pending() {
    let root = tempfile::tempdir().unwrap();
    for pid in 1..=20 {
        std::fs::create_dir_all(root.path().join(pid.to_string()).join("fd")).unwrap();
    }
    let mut owners = SocketOwners::new(root.path(), None);
    owners.search_budget = 100;
    table(&mut owners, &[]);
    let pending = |owners: &mut SocketOwners| {
        let scan = owners.plan_scan();
        owners.apply_scan(scan);
        owners.assign(&[socket(900)]).spans[0].is_pending()
    };
    assert!(pending(&mut owners), "more than the budget");
    assert!((0..20).any(|_| !pending(&mut owners)), "it ends");
    assert!(!pending(&mut owners), "and stays so");
}

/// A thread that has left the table of descriptors it shared.
#[test]
fn finds_what_only_a_thread_holds() {
    let mut owners = SocketOwners::new(Path::new("/proc"), None);
    let (opened, tell) = mpsc::channel();
    let (done, wait) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
        // Two more than the others have, so that the number differs.
        let _other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        opened.send(inode(&socket)).unwrap();
        let _ = wait.recv();
    });
    table(&mut owners, &[]);
    let number = tell.recv().unwrap();
    let own = std::process::id();
    let holds = |found: &[Vec<(u32, u32)>]| found[0].iter().any(|(pid, _)| *pid == own);
    // The number of tables depends on what else runs on the machine.
    let found = (0..256).any(|_| holds(&table(&mut owners, &[number])));
    assert!(found);
    assert!(holds(&table(&mut owners, &[number])), "and it stays found");
    // There may be no second table.
    let mut others = SocketOwners::new(Path::new("/proc"), None);
    others.search_budget = u64::MAX;
    assert!(holds(&table(&mut others, &[number])), "by the first table");
    drop(done);
    thread.join().unwrap();
}

/// Any user may hold more descriptors than the budget of one table.
#[test]
fn a_process_of_too_many_descriptors_is_read_over_several_tables() {
    let root = tempfile::tempdir().unwrap();
    for pid in ["1", "7"] {
        std::fs::create_dir_all(root.path().join(pid).join("fd")).unwrap();
    }
    symlink("socket:[500]", root.path().join("1/fd/3")).unwrap();
    for fd in 0..8000 {
        let link = root.path().join(format!("7/fd/{fd}"));
        symlink(format!("socket:[{}]", 1000 + fd), link).unwrap();
    }
    let mut owners = SocketOwners::new(root.path(), Some(800));
    owners.search_budget = 100;
    owners.first_table_budget = 2000;
    let inodes: Vec<u32> = (500..501).chain(1000..9000).collect();
    let mut found_in = |tables: usize| {
        let mut found = Vec::new();
        for _ in 0..tables {
            found = table(&mut owners, &inodes);
        }
        let unread = owners.gaps(false).iter().any(|gap| {
            (gap.kind, gap.reason) == (GapKind::ProcessesUnreadable, GapReason::BudgetExceeded)
        });
        let held = found.iter().filter(|holders| !holders.is_empty()).count();
        assert!(found.iter().all(|holders| holders.len() <= 1), "each once");
        (held, unread)
    };
    let (held, unread) = found_in(1);
    assert!(held > 0 && held < 8001 && unread, "{held} {unread}");
    assert!(
        (0..40).any(|_| found_in(1) == (8001, false)),
        "all in the end"
    );
}
