//! What one reading does not know is neither listed, nor ended, nor closed.

use super::namespace::{LabNamespace, NotHere};
use super::orders::order;
use super::other::Other;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;

pub(crate) fn is_neither_yes_nor_no(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut victim = Other::holding(listener, &mut Command::new("cat"));
    let pid = victim.0.id();
    for age in ["age < 5m", "age > 5m", "not age > 5m", "age != 5m"] {
        let filter = format!("{age} and :{port}");
        let left = "1 socket left out: unknown whether it matches";
        order(&format!("list {filter}"), 1, &[left, "a single reading"]);
        let meant = format!("unknown whether cat ({pid}) 127.0.0.1:{port} is meant: age unknown");
        order(&format!("kill {filter} --yes"), 2, &[&meant]);
        let meant = format!("unknown whether 127.0.0.1:{port} is meant: age unknown");
        let typed = format!("close {filter} --confirm {port}");
        order(&typed, 2, &[&meant, "nothing was done"]);
    }
    assert_eq!(victim.0.try_wait().unwrap(), None, "nothing was sent");
    // Of who serves the port it is known, and the others are left alone.
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let known = format!("kill :{port} and (state listen or age > 1h)");
    order(&format!("{known} --dry-run"), 0, &["would go to 1"]);
    let meant = format!("unknown whether cat ({pid})");
    order(
        &format!("{known} --clients --dry-run"),
        2,
        &["unknown whether"],
    );
    order(
        &format!("kill :{port} and age > 1h --dry-run"),
        2,
        &[&meant],
    );
    drop(client);
    // What else is said decides.
    order(
        &format!("list age < 5m and udp and :{port}"),
        1,
        &["no socket matches"],
    );
    order(&format!("list age < 5m or :{port}"), 0, &[&pid.to_string()]);
    order(
        &format!("kill cmd:cat :{port} --dry-run"),
        0,
        &["would go to 1"],
    );
    order(&format!("list pid {pid}"), 0, &["LISTEN"]);
    order(&format!("list cwd:/ pid:1,{pid} :{port}"), 0, &["LISTEN"]);
    // The arguments of another process name it; that is not the process.
    let (bystander, other) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat; : browserlike"]);
        (Other::holding(listener, &mut shell), port)
    };
    order(&format!("list browserlike :{other}"), 0, &["LISTEN"]);
    let named = "cmd:browserlike";
    order("kill browserlike --yes", 1, &["no socket matches", named]);
    order(
        "close browserlike --confirm 1",
        1,
        &["no socket matches", named],
    );
    drop(bystander);
    order("list ngnix", 1, &["`ngnix` is searched as text"]);
    order(
        "list cmdd:cat",
        2,
        &["unknown field `cmdd`", "did you mean `cmd`?"],
    );
    Ok(())
}

pub(crate) fn dual_stack_is_told_apart(_: &LabNamespace) -> Result<(), NotHere> {
    let both = TcpListener::bind("[::]:0").unwrap();
    let port = both.local_addr().unwrap().port();
    let datagrams = UdpSocket::bind("[::]:0").unwrap();
    let shown = format!("*:{port}");
    for filter in [
        format!("-4 :{port}"),
        format!("0.0.0.0:{port}"),
        format!("src *:{port}"),
        format!("*:{port}"),
        format!("[::]:{port}"),
        format!("v4 :{port}"),
    ] {
        order(&format!("list {filter}"), 0, &[&shown]);
    }
    let json = order(&format!("list --json :{port}"), 0, &[]);
    assert!(json.contains("\"v6only\":false"), "{json}");
    // `/proc` does not report it.
    let unknown = ["1 socket left out", "/proc does not report it"];
    order(&format!("list --source proc 0.0.0.0:{port}"), 1, &unknown);
    let udp = datagrams.local_addr().unwrap().port();
    order(&format!("list -u4 :{udp}"), 0, &[&format!("*:{udp}")]);
    Ok(())
}
