//! `tcplens kill` and `tcplens close` as scripts give them: what is said, what
//! is done, and with which exit code.

use super::namespace::{LabNamespace, NotHere, program};
use super::other::Other;
use super::patience::wait_for;
use super::watch::{Watch, row};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use tcplens::model::process::Process;
use tcplens::model::row::Row;
use tcplens::model::state::State;
use tcplens::source::SourceChoice;

/// Runs the program where nobody can be asked, and holds its answer against
/// what must be in it. Each is told as a transcript.
pub(crate) fn order(words: &str, code: i32, expected: &[&str]) -> String {
    let output = Command::new(program())
        .args(words.split_whitespace())
        // Not those of who runs the tests.
        .env("XDG_CONFIG_HOME", "/nowhere/at/all")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    println!("$ tcplens {words}\n{said}exit {:?}", output.status.code());
    assert_eq!(output.status.code(), Some(code), "{words}:\n{said}");
    for part in expected {
        assert!(said.contains(part), "{words}: no {part:?} in\n{said}");
    }
    said
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A process that listens until it is ended, and where.
fn victim() -> (Other, u16) {
    let (listener, port) = listener();
    (Other::holding(listener, &mut Command::new("cat")), port)
}

pub(crate) fn kill_who_is_meant(_: &LabNamespace) -> Result<(), NotHere> {
    order("kill", 2, &["needs a filter", "tcplens kill :8080"]);
    order("kill -t", 2, &["needs a filter"]);
    order("kill :1 --json", 2, &["no JSON"]);
    order("kill :1 --signal TREM", 2, &["did you mean TERM?"]);
    order("kill :1 --yes", 1, &["no socket matches"]);

    let (mut victim, port) = self::victim();
    let pid = victim.0.id();
    let line = format!("cat ({pid})");
    let told = [line.as_str(), "1 socket: cat"];
    order(&format!("kill :{port} --dry-run"), 0, &told);
    order(&format!("kill :{port}"), 2, &["add --yes"]);
    let wrong = format!("--confirm {pid}");
    order(&format!("kill :{port} --confirm 1"), 2, &[&wrong]);
    assert_eq!(victim.0.try_wait().unwrap(), None, "nothing was sent");
    let sent = format!("sent CONT: cat ({pid})");
    order(&format!("kill :{port} --signal CONT --yes"), 0, &[&sent]);
    let ended = format!("ended: cat ({pid}) after");
    order(&format!("kill :{port} -s sigterm -y"), 0, &[&ended]);
    assert_eq!(victim.0.wait().unwrap().signal(), Some(15));

    kill_the_holder_of_a_port();
    kill_several();
    kill_whom_it_cannot();
    Ok(())
}

/// A port is the local one: its client is named and left alone, and takes a number
/// where it is included.
fn kill_the_holder_of_a_port() {
    let (socket, port) = listener();
    let near = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (far, _) = socket.accept().unwrap();
    let mut server = Other::holding(socket, &mut Command::new("cat"));
    let mut client = Other::holding(near, &mut Command::new("cat"));
    let mut worker = Other::holding(far, &mut Command::new("cat"));
    let pids = [&server, &client, &worker].map(|other| other.0.id());
    let [first, connects, is_available] = pids;
    let server_line = format!("cat ({first}) root: listens on 127.0.0.1:{port}; 1 socket");
    let client_line = format!("cat ({connects}): client of 127.0.0.1:{port}");
    let worker_line = format!("cat ({is_available}): connection from 127.0.0.1:");
    let alone = format!("left alone: {client_line}");
    let one = "would go to 1";
    let said = [&server_line, alone.as_str(), &worker_line, one];
    order(&format!("kill :{port} --dry-run"), 0, &said);
    for all in [format!("either :{port}"), format!(":{port} --clients")] {
        let said = ["would go to 3", "only by the remote end"];
        order(&format!("kill {all} --dry-run"), 0, &said);
    }
    let two = ["would go to 2"];
    order(&format!("kill sport :{port} --dry-run"), 0, &two);
    // A client alone: a yes is not enough for it.
    let typed = format!("--confirm {connects}");
    order(&format!("kill dport :{port} --yes"), 2, &[&typed]);

    let still = format!("Nobody listens on port {port}, but it is still taken: ");
    order(&format!("kill :{port} --yes"), 0, &["ended: ", &still]);
    assert_eq!(server.0.wait().unwrap().signal(), Some(15));
    // Without the listener nobody knows who opened what; the ends are known.
    let alone = format!("left alone: cat ({connects}): ");
    order(&format!("kill :{port} --yes"), 0, &[&alone, "ended: "]);
    assert_eq!(worker.0.wait().unwrap().signal(), Some(15));
    // What is left of the port here are connections to it.
    let (far, there) = listener();
    let near = TcpStream::connect(("127.0.0.1", there)).unwrap();
    drop(far.accept().unwrap());
    drop(far);
    let mut only = Other::holding(near, &mut Command::new("cat"));
    let left = ["left alone: cat (", "--clients", "nothing is left"];
    order(&format!("kill :{there} --yes"), 1, &left);
    for other in [&mut client, &mut only] {
        assert_eq!(other.0.try_wait().unwrap(), None, "left alone");
    }
}

/// Where the numbers of `/proc` are those of another PID namespace, the refusal
/// says so, and not that a living process has ended.
pub(crate) fn kill_nobody_by_foreign_numbers(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let (mut victim, port) = victim();
    let outside = fs::File::open("/proc/self/ns/pid").unwrap();
    unshare(CloneFlags::CLONE_NEWPID).unwrap();
    let said = order(
        &format!("kill :{port} --yes"),
        1,
        &["left out: cat (", "/proc belongs to another PID namespace"],
    );
    setns(outside, CloneFlags::CLONE_NEWPID).unwrap();
    assert!(!said.contains("ended by itself"), "{said}");
    assert_eq!(victim.0.try_wait().unwrap(), None, "nothing was sent");
    Ok(())
}

fn kill_several() {
    let (mut one, port) = victim();
    let (mut other, second) = victim();
    let both = format!("kill :{port} or :{second}");
    order(
        &format!("{both} --yes"),
        2,
        &["--yes does not do", "--confirm 2"],
    );
    order(&format!("{both} --confirm 3"), 2, &["--confirm 2"]);
    let most = ["2 match", "--max 2"];
    order(&format!("{both} --confirm 2 --max 1"), 2, &most);
    assert_eq!(one.0.try_wait().unwrap(), None, "nothing was sent");
    order(&format!("{both} --confirm 2"), 0, &["ended: "]);
    for victim in [&mut one, &mut other] {
        assert_eq!(victim.0.wait().unwrap().signal(), Some(15));
    }
}

fn kill_whom_it_cannot() {
    let (socket, port) = listener();
    // The shell, and what it starts, which holds the socket, too.
    let deaf = "trap '' TERM; cat; :";
    let mut stubborn = Other::holding(socket, Command::new("sh").args(["-c", deaf]));
    let shell = stubborn.0.id();
    wait_for("both to hold it", || {
        holders(port).filter(|count| *count == 2)
    });
    // Of two who hold it, the one that is named.
    let only = format!("kill pid:{shell}");
    order(&format!("{only} --dry-run"), 0, &["TERM would go to 1"]);
    let runs = format!("still runs: sh ({shell}) after 5");
    order(&format!("{only} --yes"), 1, &[&runs]);
    let both = format!("kill :{port} -s KILL --confirm 2");
    order(&both, 0, &["sh (", "cat (", "ended: "]);
    stubborn.0.wait().unwrap();

    // What nobody holds is left out, and says why.
    let (listener, port) = listener();
    let near = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (far, _) = listener.accept().unwrap();
    drop(near);
    drop(far);
    let left = [
        "left out: 127.0.0.1:",
        "nobody to signal",
        "nothing is left",
    ];
    order(
        &format!("kill state time-wait and dport = :{port}"),
        1,
        &left,
    );
}

/// How many processes hold a listener.
fn holders(port: u16) -> Option<usize> {
    let at: SocketAddr = ([127, 0, 0, 1], port).into();
    let seen = Watch::begin(SourceChoice::Auto).look();
    let names = |process: &Process| process.name.as_str() == "sh" || process.name.as_str() == "cat";
    let row = row(&seen, at, None)?;
    Some(seen.owners(&row).filter(|(owner, _)| names(owner)).count())
}

/// How many ends on a port are open.
fn established(port: u16) -> usize {
    let seen = Watch::begin(SourceChoice::SockDiag).look();
    let open = |row: &&Row| {
        let socket = &row.socket;
        socket.state == State::Established
            && [socket.local.port, socket.remote.port].contains(&port)
    };
    seen.rows.iter().filter(open).count()
}

pub(crate) fn close_what_is_meant(_: &LabNamespace) -> Result<(), NotHere> {
    order("close", 2, &["needs a filter", "tcplens close :8080"]);
    order("close :1", 1, &["no socket matches"]);
    let (listener, port) = listener();
    let at: SocketAddr = ([127, 0, 0, 1], port).into();
    let mut near = TcpStream::connect(at).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let one = format!("close state established and sport = :{port}");
    order(
        &format!("{one} --dry-run"),
        0,
        &["ESTABLISHED live-", "it would be 1"],
    );
    order(&one, 2, &["add --yes"]);
    order(&format!("{one} --source proc -y"), 1, &["no cookies"]);
    near.set_nonblocking(true).unwrap();
    let nothing = near.read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock, "nothing was done");
    near.set_nonblocking(false).unwrap();
    order(
        &format!("{one} --yes"),
        0,
        &["closed; live-", "ECONNABORTED"],
    );
    let owner = far.read(&mut [0; 1]).unwrap_err();
    assert_eq!(owner.kind(), ErrorKind::ConnectionAborted);
    let peer = near.read(&mut [0; 1]).unwrap_err();
    assert_eq!(peer.kind(), ErrorKind::ConnectionReset);

    let pair = [TcpStream::connect(at), TcpStream::connect(at)].map(Result::unwrap);
    let several = format!("close state established and dport = :{port}");
    order(&format!("{several} -y"), 2, &["--confirm 2"]);
    order(&format!("{several} --confirm 2"), 0, &[" closed"]);
    drop(pair);

    // One end goes with the other: that is no failure.
    let _near = TcpStream::connect(at).unwrap();
    let _far = listener.accept().unwrap();
    let both = format!("close state established and :{port} --confirm");
    let ends = established(port);
    order(&format!("{both} {ends}"), 0, &[" closed"]);
    assert_eq!(established(port), 0);

    let listening = format!("close state listen and :{port}");
    let typed = format!("--confirm {port}");
    order(
        &format!("{listening} -y"),
        2,
        &["refuses everybody", &typed],
    );
    order(
        &format!("{listening} {typed}"),
        0,
        &["the port refuses, live-"],
    );
    let refused = TcpStream::connect(at).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    Ok(())
}
