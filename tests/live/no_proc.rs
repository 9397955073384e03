//! Where `/proc` is not mounted nothing is called well, hidden or somebody else's.

use super::namespace::{LabNamespace, NotHere};
use super::orders::order;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::net::TcpListener;

pub(crate) fn is_said(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let nothing: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let alone = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(nothing, "/", nothing, alone, nothing).unwrap();
    mount(
        Some("none"),
        "/proc",
        Some("tmpfs"),
        MsFlags::empty(),
        nothing,
    )
    .unwrap();

    let unknown = "TCPLENS UNKNOWN - /proc is not mounted";
    order("check --for 1s --oneline --events off", 3, &[unknown]);
    let json = "\"state\":\"unknown\"";
    let shortfall = "\"shortfall\":\"no_proc\"";
    order("check --for 1s --json --events off", 3, &[json, shortfall]);
    let missing = "no process is listed in /proc";
    for words in [format!("list :{port}"), format!("kill :{port} --yes")] {
        let code = i32::from(words.starts_with("kill"));
        let said = order(&words, code, &["/proc is not mounted"]);
        assert!(
            !said.contains("hidepid") && !said.contains("sudo"),
            "{said}"
        );
    }
    order("list", 0, &[missing]);
    let said = order("doctor", 1, &["mount -t proc proc /proc"]);
    assert!(!said.contains("rootless"), "{said}");
    Ok(())
}
