//! A path-MTU black hole on real packets: a router whose link to the server carries
//! shorter packets than both ends believe, and whose ICMP message about it has no route.

use super::namespace::{LabNamespace, NotHere, program};
use super::patience::wait_for;
use nix::sched::{CloneFlags, setns};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::thread;

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "198.51.100.1";
/// A segment of full size, and one that is shorter than any link.
const TWO_SEGMENTS: usize = 1448 + 452;

/// Another network namespace, there as long as its process is.
struct Neighbour(Child);

impl Neighbour {
    fn new() -> Result<Self, NotHere> {
        let child = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|_| NotHere::NoTool("unshare"))?;
        let neighbour = Self(child);
        let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
        wait_for("a namespace of its own", || {
            let its = fs::metadata(neighbour.entrance()).ok()?.ino();
            (its != own).then_some(())
        });
        Ok(neighbour)
    }

    fn entrance(&self) -> String {
        format!("/proc/{}/ns/net", self.0.id())
    }

    /// Does something in that namespace.
    fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let entrance = File::open(self.entrance()).unwrap();
        let entered = || {
            setns(&entrance, CloneFlags::CLONE_NEWNET).unwrap();
            act()
        };
        thread::scope(|scope| scope.spawn(entered).join().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Configures the namespace of this thread; false if the kernel refuses.
fn is_done(words: &str) -> bool {
    let output = Command::new("ip").args(words.split_whitespace()).output();
    let output = output.unwrap();
    let reason = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("# ip {words} {reason}");
    output.status.success()
}

fn ip(words: &str) {
    assert!(is_done(words), "ip {words}");
}

/// A connection over the router, its ends at the client and the server.
fn connected(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let mut dialled = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut accepted = listener.accept().unwrap().0;
    // Short segments pass.
    dialled.write_all(b"hi").unwrap();
    accepted.read_exact(&mut [0; 2]).unwrap();
    (dialled, accepted)
}

pub(crate) fn black_hole_is_named(_: &LabNamespace) -> Result<(), NotHere> {
    if Command::new("ip").arg("-V").output().is_err() {
        return Err(NotHere::NoTool("ip"));
    }
    let (router, server) = (Neighbour::new()?, Neighbour::new()?);
    ip("link add near0 type veth peer name near1");
    ip(&format!("link set near1 netns {}", router.0.id()));
    ip(&format!("addr add {CLIENT}/24 dev near0"));
    ip("link set near0 up");
    ip("route add 198.51.100.0/24 via 192.0.2.254");
    router.within(|| {
        ip("link set lo up");
        ip("link add far0 type veth peer name far1");
        ip(&format!("link set far1 netns {}", server.0.id()));
        ip("addr add 192.0.2.254/24 dev near1");
        ip("addr add 198.51.100.254/24 dev far0");
        ip("link set near1 up");
        ip("link set far0 mtu 1200 up");
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    });
    let listener = server.within(|| {
        ip(&format!("addr add {SERVER}/24 dev far1"));
        ip("link set far1 up");
        ip("route add default via 198.51.100.254");
        TcpListener::bind((SERVER, 0)).unwrap()
    });
    fs::write("/proc/sys/net/ipv4/tcp_mtu_probing", "0").unwrap();
    let port = listener.local_addr().unwrap().port();

    // While the message comes through, the client sends shorter packets.
    let (mut dialled, mut accepted) = connected(&listener);
    dialled.write_all(&[b'k'; TWO_SEGMENTS]).unwrap();
    accepted.read_exact(&mut [0; TWO_SEGMENTS]).unwrap();
    drop((dialled, accepted));

    if !router.within(|| is_done(&format!("rule add iif lo to {CLIENT} blackhole"))) {
        return Err(NotHere::Missing("no policy routing".to_owned()));
    }
    ip("route flush cache");
    let (mut dialled, _accepted) = connected(&listener);
    dialled.write_all(&[b'k'; TWO_SEGMENTS]).unwrap();
    let said = wait_for("a path-MTU black hole", || {
        let output = Command::new(program())
            .args(["explain", "--lang", "en", "state", "established"])
            .args(["and", "dport", &port.to_string()])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        said.contains("path-MTU black hole").then_some(said)
    });
    println!("{said}");
    for part in [
        "has acknowledged later bytes, but not a segment of full size (1,448 bytes)",
        "below 1,500 bytes (MTU)",
        "tracepath -n 198.51.100.1",
        "net.ipv4.tcp_mtu_probing=1",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    Ok(())
}
