//! Two network namespaces in one table, each with a server, each server with
//! its owner.

use super::checks::Folder;
use super::namespace::{LabNamespace, NotHere};
use super::orders::order;
use super::table::listed;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, stdin};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, ExitCode, Stdio};

/// The hidden first argument of the process in the other namespace.
const NEIGHBOUR: &str = "--neighbour";

/// In that process: where the test program is.
pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> Option<u64> {
    (arguments.next()? == NEIGHBOUR).then_some(())?;
    arguments.next()?.parse().ok()
}

/// Enters a namespace of its own, listens there and tells the port, until its
/// input closes.
pub(crate) fn play(outside: u64) -> ExitCode {
    let namespace = LabNamespace::enter().unwrap();
    assert_ne!(namespace.id(), outside, "where the test program is");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    println!("{port}");
    stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(listener);
    ExitCode::SUCCESS
}

struct Neighbour {
    process: Child,
    port: u16,
}

impl Neighbour {
    fn move_in(outside: u64) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut process = Command::new(program)
            .args([NEIGHBOUR, &outside.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().unwrap();
        Self { process, port }
    }

    fn namespace(&self) -> u64 {
        let link = format!("/proc/{}/ns/net", self.process.id());
        std::fs::metadata(link).unwrap().ino()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Port, namespace and owners of the listeners on either of two ports.
fn listeners(listing: &Value, ports: [u16; 2]) -> Vec<(u64, u64, Vec<u64>)> {
    let sockets = listing["sockets"].as_array().unwrap().iter();
    let mut found: Vec<_> = sockets
        .filter(|socket| socket["state"] == "listen")
        .map(|socket| {
            let owners = socket["owners"].as_array().unwrap().iter();
            (
                socket["local"]["port"].as_u64().unwrap(),
                socket["namespace"].as_u64().unwrap(),
                owners.map(|owner| owner["pid"].as_u64().unwrap()).collect(),
            )
        })
        .filter(|(port, _, _)| ports.map(u64::from).contains(port))
        .collect();
    found.sort_unstable();
    found
}

pub(crate) fn stands_in_the_same_table(namespace: &LabNamespace) -> Result<(), NotHere> {
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = here.local_addr().unwrap().port();
    let own = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
    let neighbour = Neighbour::move_in(namespace.host_id());
    let there = (
        u64::from(neighbour.port),
        neighbour.namespace(),
        vec![u64::from(neighbour.process.id())],
    );
    let us = (u64::from(port), own, vec![u64::from(std::process::id())]);
    let mut both = [us.clone(), there];
    both.sort_unstable();
    let ports = [port, neighbour.port];
    for source in ["sock-diag", "proc"] {
        let everywhere = listed(&["--source", source, "--all-netns"]);
        let found = listeners(&everywhere, ports);
        println!("--source {source} --all-netns: {found:?}");
        assert_eq!(found, both, "--source {source}");
        let alone = listeners(&listed(&["--source", source]), ports);
        assert_eq!(alone.first(), Some(&us), "--source {source}");
        assert!(alone.iter().all(|(_, at, _)| *at == own), "{alone:?}");
    }
    Ok(())
}

/// All that is asked of one namespace is answered about it, and about no other.
pub(crate) fn is_read_alone_by_a_process_in_it(namespace: &LabNamespace) -> Result<(), NotHere> {
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = here.local_addr().unwrap().port();
    let neighbour = Neighbour::move_in(namespace.host_id());
    let pid = neighbour.process.id();
    let there = (
        u64::from(neighbour.port),
        neighbour.namespace(),
        vec![u64::from(pid)],
    );
    let listing = listed(&["--netns", &pid.to_string()]);
    assert_eq!(listeners(&listing, [port, neighbour.port]), [there]);
    let asked = |words: &str| format!("{words} --netns {pid}");
    order(
        &asked(&format!("explain :{}", neighbour.port)),
        0,
        &["listens on"],
    );
    order(&asked(&format!("list :{port}")), 1, &["in others: "]);
    let target = format!("({pid})");
    let to_kill = format!("kill :{} --dry-run", neighbour.port);
    order(&asked(&to_kill), 0, &[&target, "would go to 1"]);

    let folder = Folder::new();
    let baseline = folder.path("baseline.json");
    let settings = folder.settings("nothing.toml", "");
    let rest = format!("--for 2s --oneline --events off --config {settings} --baseline {baseline}");
    order(&asked(&format!("baseline save {baseline}")), 0, &[": 1\n"]);
    order(
        &asked(&format!("check {rest}")),
        0,
        &["0 findings", "sockets=1;;"],
    );
    let unlisted = format!("tcp 127.0.0.1:{port}: not in the baseline");
    order(&format!("check {rest}"), 1, &[&unlisted]);

    for name in ["no-such-name", "4194305"] {
        let said = format!("no network namespace {name}: ");
        order(&format!("list --netns {name}"), 2, &[&said]);
    }
    order(&asked("list --all-netns"), 2, &["exclude each other"]);
    Ok(())
}
