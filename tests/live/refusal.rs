//! Where the lab may not be had it says so in a line, and what would help, and
//! leaves nothing behind.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere, program, where_anybody_may_run_it};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) fn is_a_line_that_helps(_: &LabNamespace) -> Result<(), NotHere> {
    adopt_what_is_left();
    too_many();
    no_namespace();
    assert!(helpers().is_empty(), "{:?}", helpers());
    Ok(())
}

/// An ordinary user who insists on a device that he may not open.
pub(crate) fn of_a_device_is_a_line(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let device = Path::new("/dev/net/tun");
    let mut able = Command::new("test");
    able.arg("-w").arg(device).uid(NOBODY).gid(NOBODY);
    if device.exists() && able.status().unwrap().success() {
        let reason = "everybody may open /dev/net/tun here";
        return Err(NotHere::Missing(reason.to_owned()));
    }
    adopt_what_is_left();
    let folder = tempfile::tempdir().unwrap();
    let program = where_anybody_may_run_it(&program(), folder.path()).unwrap();
    let mut command = Command::new(program);
    command.args(["lab", "--far-end", "tun"]).current_dir("/");
    command.uid(NOBODY).gid(NOBODY);
    assert_refused(&mut command, &["cannot open /dev/net/tun"]);
    assert!(helpers().is_empty(), "{:?}", helpers());
    Ok(())
}

/// Makes whatever a refused lab leaves behind a child of this process.
fn adopt_what_is_left() {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
}

/// Asked for more than the processes may hold.
fn too_many() {
    let mut command = Command::new(program());
    command.args(["lab", "--sockets", "1000000", "--processes", "1"]);
    assert_refused(&mut command, &["descriptors", "ulimit -n"]);
}

/// Where no more namespaces may be made. The limits are those of a user
/// namespace of our own.
fn no_namespace() {
    unshare(CloneFlags::CLONE_NEWUSER).unwrap();
    fs::write("/proc/self/setgroups", "deny").unwrap();
    fs::write("/proc/self/uid_map", "0 0 1").unwrap();
    fs::write("/proc/self/gid_map", "0 0 1").unwrap();
    for limit in ["max_user_namespaces", "max_net_namespaces"] {
        fs::write(format!("/proc/sys/user/{limit}"), "0").unwrap();
    }
    let helps = ["user.max_user_namespaces", "root"];
    assert_refused(Command::new(program()).arg("lab"), &helps);
}

fn assert_refused(command: &mut Command, helps: &[&str]) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("tcplens: "), "{said}");
    assert!(helps.iter().all(|help| said.contains(help)), "{said}");
    println!("{}", said.trim_end());
}

/// Processes that this one has started, or inherited, and that have not ended.
fn helpers() -> Vec<String> {
    let own = std::process::id();
    let tasks = fs::read_dir(format!("/proc/{own}/task")).unwrap();
    tasks
        .flat_map(|task| {
            let children = task.unwrap().path().join("children");
            let pids = fs::read_to_string(children).unwrap();
            let pids: Vec<String> = pids.split_whitespace().map(str::to_owned).collect();
            pids
        })
        .collect()
}
