//! The unit of a process that an ordinary user may not look into, by the control group
//! which the kernel keeps with the socket.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere, program, where_anybody_may_run_it};
use super::other::Other;
use super::patience::wait_for;
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Another ordinary user.
const OWNER: u32 = 33;
/// Where a tree of control groups may be mounted.
const TREES: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
/// Begin of the names of the groups that are made.
const PREFIX: &str = "tcplens-test";

/// A control group made here, named like a unit.
struct Group(PathBuf);

impl Group {
    fn make(name: &str) -> Result<Self, NotHere> {
        let trees = TREES.iter().map(Path::new);
        let tree = trees
            .into_iter()
            .find(|tree| tree.join("cgroup.procs").exists());
        let tree = tree.ok_or_else(|| NotHere::Missing("no cgroup2 is mounted".to_owned()))?;
        let folder = tree.join(format!("{PREFIX}-{}-{name}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => Ok(Self(folder)),
            Err(error) => Err(NotHere::Missing(format!("no control group: {error}"))),
        }
    }

    fn name(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that has ended leaves its group a moment later.
        wait_for("an empty control group", || {
            let gone = fs::remove_dir(&self.0).is_ok() || !self.0.exists();
            gone.then_some(())
        });
    }
}

/// Moves this process into a group, to open a socket there, and back.
fn opened_in<T>(group: &Group, open: impl FnOnce() -> T) -> T {
    let home = group
        .0
        .parent()
        .unwrap()
        .join(own_group().trim_start_matches('/'));
    let enter = |folder: &Path| {
        fs::write(folder.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    };
    enter(&group.0);
    let opened = open();
    enter(&home);
    opened
}

fn own_group() -> String {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut lines = groups.lines();
    let line = lines.find_map(|line| line.strip_prefix("0::"));
    line.unwrap().to_owned()
}

pub(crate) fn are_told_without_privilege(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let group = Group::make("web.service")?;
    let removed = Group::make("gone.service")?;
    let folder = tempfile::tempdir().unwrap();
    let program = where_anybody_may_run_it(&program(), folder.path()).unwrap();

    let listener = opened_in(&group, || TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    // Not accepted yet: the kernel alone has it.
    let _waits = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let owner = Other::holding(listener, Command::new("cat").uid(OWNER).gid(OWNER));
    let lost = opened_in(&removed, || TcpListener::bind("127.0.0.1:0").unwrap());
    let lost_port = lost.local_addr().unwrap().port();
    drop(removed);
    wait_for("a process of that user", || {
        let name = fs::read_to_string(format!("/proc/{}/comm", owner.0.id())).unwrap();
        (name.trim() == "cat").then_some(())
    });

    let unit = group.name();
    let listing: Value = serde_json::from_str(&as_nobody(&program, &["list", "--json"])).unwrap();
    let sockets = listing["sockets"].as_array().unwrap();
    let at = |port: u16, state: &str| {
        let mut found = sockets.iter();
        let is_it = |row: &&Value| row["local"]["port"] == port && row["state"] == state;
        found.find(is_it).unwrap()["unowned"].clone()
    };
    let listens = at(port, "listen");
    assert_eq!(
        (&listens["reason"], &listens["opened_by_unit"]),
        (&json!("hidden"), &json!(unit))
    );
    let queued = at(port, "established");
    assert_eq!(
        (&queued["reason"], &queued["opened_by_unit"]),
        (&json!("accept_queue"), &json!(unit))
    );
    // Its group is no more.
    assert_eq!(at(lost_port, "listen")["opened_by_unit"], Value::Null);

    let table = as_nobody(
        &program,
        &[
            "list",
            "--columns",
            "process,local,unit",
            "state",
            "listening",
        ],
    );
    let cells = format!("(uid 0, {unit})");
    assert!(table.contains(&cells), "{cells} is not in {table}");
    let filter = format!("unit:{unit}");
    let found = as_nobody(&program, &["list", "--no-header", &filter]);
    assert_eq!(found.lines().count(), 2, "{found}");
    let explained = as_nobody(&program, &["explain", &format!(":{port}")]);
    assert!(
        explained.contains(&format!("(opened by {unit})")),
        "{explained}"
    );
    println!(
        "{}",
        table.lines().find(|line| line.contains(unit)).unwrap()
    );
    Ok(())
}

fn as_nobody(program: &Path, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        .env("HOME", "/")
        .env("COLUMNS", "200")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("XDG_CONFIG_HOME")
        .uid(NOBODY)
        .gid(NOBODY)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
