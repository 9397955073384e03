//! Real servers at limits of their own: what is said of them must be true, and nobody
//! else is accused.

use super::hunt::Hunt;
use super::namespace::{LabNamespace, NotHere};
use super::orders::order;
use super::other::Other;
use super::patience::wait_for;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::explain::findings::describe;
use tcplens::model::finding::{Rule, Severity};
use tcplens::monitor::Thresholds;

/// Connections it serves at a time, and those that wait beyond.
const SERVED: usize = 5;
const WAITING: usize = 20;

/// HAProxy stops accepting at the `maxconn` of its frontend; whoever comes waits in the
/// kernel's queue.
pub(crate) fn haproxy_at_its_limit(_: &LabNamespace) -> Result<(), NotHere> {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("haproxy.cfg");
    let text = format!(
        "global\n maxconn 100\n\
         defaults\n mode tcp\n timeout connect 1h\n timeout client 1h\n timeout server 1h\n\
         frontend in\n bind 127.0.0.1:8080 backlog 64\n maxconn {SERVED}\n default_backend out\n\
         backend out\n server one {}\n",
        backend.local_addr().unwrap()
    );
    fs::write(&settings, text).unwrap();
    let haproxy = Command::new("haproxy")
        .arg("-db")
        .arg("-f")
        .arg(&settings)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| NotHere::Missing(format!("haproxy: {error}")))?;
    let mut haproxy = Killed(Other(haproxy));
    let mut clients = vec![wait_for("haproxy", || {
        assert_eq!(haproxy.0.0.try_wait().unwrap(), None, "it ended");
        TcpStream::connect("127.0.0.1:8080").ok()
    })];
    let connect = || TcpStream::connect("127.0.0.1:8080").unwrap();
    clients.extend((1..SERVED).map(|_| connect()));
    // All of them have come through.
    let _served: Vec<TcpStream> = (0..SERVED).map(|_| backend.accept().unwrap().0).collect();
    clients.extend((0..WAITING).map(|_| connect()));
    let thresholds = Thresholds {
        accept_stalled_after: Duration::from_secs(3),
        ..Thresholds::default()
    };
    println!("stalled after 3 s instead of 20");
    let mut hunt = Hunt::begin(thresholds, &[]);
    let found = hunt.until_found((Rule::NotAccepting, Severity::Warning), || {});
    hunt.end();
    let words = describe(&found, Catalogue::of(Language::English));
    let said = format!("{words:?}");
    for part in ["haproxy", "waiting: 20", "maxconn of HAProxy"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let told = ["Waiting to be accepted: 20", "room for 65"];
    order("explain listen sport = :8080", 0, &told);
    Ok(())
}

/// A server that goes on for ever.
struct Killed(Other);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.0.kill();
    }
}
