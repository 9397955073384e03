//! Ages that one reading knows: an idle connection has been there at least since its
//! last segment, and the handshake is one on both ends.

use super::namespace::{LabNamespace, NotHere, program};
use super::orders::order;
use super::patience::wait_for;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

/// Both ends of a connection, the one that dialled first.
fn connected(address: &str) -> (TcpStream, TcpStream, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let local = listener.local_addr().unwrap();
    let dialled = TcpStream::connect(local).unwrap();
    (dialled, listener.accept().unwrap().0, local.port())
}

/// Output of a command that lists; nothing if no socket matches.
fn listed(words: &str) -> Option<String> {
    let output = Command::new(program())
        .args(words.split_whitespace())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(said)
}

pub(crate) fn of_idle_connections_are_known(_: &LabNamespace) -> Result<(), NotHere> {
    for address in ["127.0.0.1", "::1"] {
        let began = Instant::now();
        let (dialled, accepted, port) = connected(address);
        let old = format!("list age > 4s and state established and :{port} --columns age,local");
        let young = format!("list age < 1h and :{port}");
        // An upper bound is never known.
        order(&young, 1, &["2 sockets left out", "a single reading"]);
        let both = wait_for("an idle connection is old", || {
            listed(&old).filter(|said| said.lines().count() == 3)
        });
        assert!(began.elapsed() >= Duration::from_secs(4), "{both}");
        assert_eq!(both.matches('≥').count(), 2, "{both}");
        order(&young, 1, &["2 sockets left out", "s old; unknown whether"]);
        order(
            &format!("list age < 2s and :{port}"),
            1,
            &["no socket matches"],
        );
        order(
            &format!("close age > 4s and sport :{port} --dry-run"),
            0,
            &["it would be 1"],
        );
        order(
            &format!("explain sport :{port} and state established"),
            0,
            &["ESTABLISHED for at least"],
        );
        // A state has its own age, and the one before counts no more.
        let half = Instant::now();
        dialled.shutdown(Shutdown::Write).unwrap();
        let old = format!("list age > 4s and :{port}");
        wait_for("both ends know of the FIN", || {
            let closing = format!("list state close-wait,fin-wait-2 and :{port}");
            listed(&closing).filter(|said| said.lines().count() == 3)
        });
        if half.elapsed() < Duration::from_secs(3) {
            order(&old, 1, &["2 sockets left out"]);
        }
        let both = wait_for("both ends are old in their state", || {
            listed(&old).filter(|said| said.lines().count() == 3)
        });
        assert!(half.elapsed() >= Duration::from_secs(4), "{both}");
        drop(accepted);
    }
    Ok(())
}
