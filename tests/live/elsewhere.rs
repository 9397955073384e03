//! Connections of another network namespace, of which the kernel tells as of
//! our own: they are none of the table's business unless all are asked for.

use super::events::{Watch, nobodys_port, refused};
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use std::io::{BufRead, BufReader, Write, stdin};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, ExitCode, Stdio};
use tcplens::model::event_history::ConnectionEvent;
use tcplens::model::namespace::NamespaceScope;

/// The hidden first argument of the process in the other namespace.
const ELSEWHERE: &str = "--connects-elsewhere";
/// Connects that are refused, and as many that are taken.
const MANY: usize = 200;

/// In that process: where the test program is.
pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> Option<u64> {
    (arguments.next()? == ELSEWHERE).then_some(())?;
    arguments.next()?.parse().ok()
}

/// Enters a namespace of its own, tells the ports it goes for, and does so once
/// a line comes.
pub(crate) fn play(outside: u64) -> ExitCode {
    let namespace = LabNamespace::enter().unwrap();
    assert_ne!(namespace.id(), outside, "where the test program is");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let closed = nobodys_port();
    println!("{closed} {}", address.port());
    let mut line = String::new();
    stdin().read_line(&mut line).unwrap();
    refused(closed, MANY);
    for _ in 0..MANY {
        let client = TcpStream::connect(address).unwrap();
        let (served, _) = listener.accept().unwrap();
        drop(client);
        drop(served);
    }
    println!("done");
    stdin().read_line(&mut line).unwrap();
    ExitCode::SUCCESS
}

/// How many lines are about one of these ports.
fn about(stream: &[ConnectionEvent], ports: [u16; 2]) -> usize {
    let of = |line: &&ConnectionEvent| {
        ports.contains(&line.local.port) || ports.contains(&line.remote.port)
    };
    stream.iter().filter(of).count()
}

pub(crate) fn is_told_only_if_asked_for(namespace: &LabNamespace) -> Result<(), NotHere> {
    for (scope, shown) in [
        (NamespaceScope::Current, false),
        (NamespaceScope::All, true),
    ] {
        let mut watch = Watch::over(scope, 1)?;
        let mut neighbour = Command::new(std::env::current_exe().unwrap())
            .args([ELSEWHERE, &namespace.host_id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = neighbour.stdin.take().unwrap();
        let mut output = BufReader::new(neighbour.stdout.take().unwrap());
        let mut said = || {
            let mut line = String::new();
            output.read_line(&mut line).unwrap();
            line
        };
        let ports: Vec<u16> = said()
            .split(' ')
            .map(|port| port.trim().parse().unwrap())
            .collect();
        let ports = [ports[0], ports[1]];
        let before = watch.look();
        input.write_all(b"go\n").unwrap();
        assert_eq!(said(), "done\n");
        // What happens here is told all the same.
        let here = nobodys_port();
        refused(here, 3);
        let after = wait_for("what happened here", || {
            let after = watch.look();
            let to_it = after.event_history.events.iter();
            let to_it = to_it.filter(|line| line.remote.port == here).count();
            // Where all of the machine is told, others may push it out.
            let brief = after.event_history.short_lived - before.event_history.short_lived;
            let told = if shown {
                brief >= 2 * MANY as u64 + 3
            } else {
                to_it == 6
            };
            told.then_some(after)
        });
        let lines = about(&after.event_history.events, ports);
        let brief = after.event_history.short_lived - before.event_history.short_lived;
        println!("{scope:?}: {lines} lines of elsewhere, {brief} brief connections");
        // Elsewhere as many were refused as were taken, whose servers' ends are
        // brief, too.
        if !shown {
            assert_eq!((lines, brief), (0, 3));
        }
        drop(input);
        neighbour.wait().unwrap();
    }
    Ok(())
}
