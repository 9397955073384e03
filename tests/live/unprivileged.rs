//! What a user without privilege sees: every row, the owners that may be seen,
//! and how many may not.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere, program, where_anybody_may_run_it};
use super::other::Other;
use super::patience::wait_for;
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) fn sees_every_row_and_why_not_more(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let folder = tempfile::tempdir().unwrap();
    let program = where_anybody_may_run_it(&program(), folder.path()).unwrap();

    let ours: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let visible = listener.local_addr().unwrap().port();
    let own = Other::holding(listener, Command::new("cat").uid(NOBODY).gid(NOBODY));
    let own = own.0.id();
    wait_for("a process of that user", || {
        let name = fs::read_to_string(format!("/proc/{own}/comm")).unwrap();
        (name.trim() == "cat").then_some(())
    });

    for source in ["sock-diag", "proc"] {
        let listing = list_as_nobody(&program, source);
        let sockets = listing["sockets"].as_array().unwrap();
        assert_eq!(sockets.len(), 5, "every row is there: {listing}");
        let at = |port: u16| {
            let found = sockets.iter().find(|row| row["local"]["port"] == port);
            found.unwrap()
        };
        let hidden = ours.iter().map(|ours| ours.local_addr().unwrap().port());
        let hidden = hidden.chain([datagrams.local_addr().unwrap().port()]);
        for port in hidden {
            let row = at(port);
            assert_eq!(row["owners"], json!([]), "{row}");
            assert_eq!(row["unowned"]["reason"], "hidden", "{row}");
            assert_eq!(row["uid"], 0, "who opened it is known: {row}");
        }
        let seen = at(visible);
        assert_eq!(seen["owners"][0]["pid"], own, "{seen}");
        assert_eq!(seen["unowned"], Value::Null);

        let gap = json!({"kind": "owners_hidden", "count": 4, "reason": "permission"});
        let gaps = listing["gaps"].as_array().unwrap();
        assert!(gaps.contains(&gap), "{gaps:?}");
        println!("--source {source}: 5 rows, 1 with its owner, 4 hidden");
    }
    Ok(())
}

fn list_as_nobody(program: &Path, source: &str) -> Value {
    let output = Command::new(program)
        .args(["list", "--json", "--source", source])
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
