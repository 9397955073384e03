//! A private network namespace for one test: whatever is sent in it stays in
//! it.
//!
//! A process with threads cannot enter a user namespace, and this test program
//! has threads. So it starts itself again, and the copy enters a namespace as
//! the first thing it does. Before anything is sent the copy makes sure that
//! it is not where the test program is.

use super::rtnetlink::Configuration;
use libtest_mimic::Failed;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid};
use std::fmt::Display;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, ExitCode, Stdio};

/// The hidden first argument of a copy.
const INSIDE: &str = "--inside-a-namespace";

/// Exit codes of a copy that could not do its test here.
const NO_NAMESPACE: u8 = 77;
const NO_ROOT: u8 = 78;

/// Set where a test that gets no namespace must fail.
const REQUIRED: &str = "TCPLENS_REQUIRE_NAMESPACES";

/// The namespace this process is in, once it has been made.
pub(crate) struct Namespace {
    /// Whether the test was started by root, which may become anybody.
    pub(crate) by_root: bool,
    outside: u64,
}

/// Why a test cannot run here.
pub(crate) enum NotHere {
    /// The machine gives no private namespace.
    NoNamespace(String),
    /// It takes processes of two users, which only root can start.
    NoRoot,
}

/// A test that runs in a namespace of its own.
pub(crate) type Body = fn(&Namespace) -> Result<(), NotHere>;

impl Namespace {
    /// This machine's own address in the network of silent addresses.
    pub(crate) const HERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
    /// A link-local address of loopback, the device with index 1.
    pub(crate) const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    /// An address from which nothing ever comes back.
    pub(crate) fn silent(number: u16) -> Ipv4Addr {
        let [high, low] = (number + 256).to_be_bytes();
        Ipv4Addr::new(10, 99, high, low)
    }

    /// The number of the namespace that the test program is in.
    pub(crate) fn outside(&self) -> u64 {
        self.outside
    }

    fn enter(outside: u64) -> Result<Self, NotHere> {
        let (uid, gid) = (Uid::effective(), Gid::effective());
        let by_root = uid.is_root() && unshare(CloneFlags::CLONE_NEWNET).is_ok();
        if !by_root {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
                .map_err(|error| refused("no private namespace is to be had", error))?;
            let map = |file: &str, text: String| fs::write(format!("/proc/self/{file}"), text);
            map("setgroups", "deny".to_owned())
                .and_then(|()| map("uid_map", format!("0 {uid} 1")))
                .and_then(|()| map("gid_map", format!("0 {gid} 1")))
                .map_err(|error| refused("the namespace gets no users", error))?;
        }
        assert_elsewhere(outside);
        furnish().map_err(|error| refused("the namespace gets no network", error))?;
        Ok(Self { by_root, outside })
    }
}

fn refused(what: &str, error: impl Display) -> NotHere {
    NotHere::NoNamespace(format!("{what}: {error}"))
}

/// Ends the process if it could reach a network: if it is where the test
/// program is, or if a route leads anywhere but to loopback.
pub(crate) fn assert_elsewhere(outside: u64) {
    assert_ne!(own(), outside, "still in the test program's namespace");
    let routes = fs::read_to_string("/proc/net/route").unwrap();
    let mut devices = routes
        .lines()
        .skip(1)
        .filter_map(|route| route.split_whitespace().next());
    assert!(devices.all(|device| device == "lo"), "{routes}");
}

/// The number of this process's network namespace.
fn own() -> u64 {
    fs::metadata("/proc/self/ns/net").unwrap().ino()
}

/// Loopback, a network of silent addresses, and a link-local address.
fn furnish() -> io::Result<()> {
    let configuration = Configuration::open()?;
    configuration.raise_loopback()?;
    configuration.add_address(IpAddr::V4(Namespace::HERE), 32)?;
    configuration.add_silent_network(Ipv4Addr::new(10, 99, 0, 0), 16, Namespace::HERE)?;
    configuration.add_address(IpAddr::V6(Namespace::LINK_LOCAL), 64)
}

/// In a copy of the test program: the test to run, and where the test program
/// is. None in the test program itself.
pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> Option<(String, u64)> {
    if arguments.next()? != INSIDE {
        return None;
    }
    Some((arguments.next()?, arguments.next()?.parse().ok()?))
}

/// Runs a test in this process, which is a copy.
pub(crate) fn play(body: Body, outside: u64) -> ExitCode {
    match Namespace::enter(outside).and_then(|namespace| body(&namespace)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(NotHere::NoNamespace(reason)) => {
            eprintln!("{reason}");
            ExitCode::from(NO_NAMESPACE)
        }
        Err(NotHere::NoRoot) => {
            eprintln!("only root can start processes of two users");
            ExitCode::from(NO_ROOT)
        }
    }
}

/// Runs a test in a copy of this program.
pub(crate) fn run(name: &str) -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .args([INSIDE, name, &own().to_string()])
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    match output.status.code() {
        Some(0) => {
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                println!("{name}: {line}");
            }
            Ok(())
        }
        Some(code) if [NO_NAMESPACE, NO_ROOT].map(i32::from).contains(&code) => {
            // No success that anybody should overlook.
            eprintln!("SKIPPED {name}: {said}");
            let required = std::env::var_os(REQUIRED).is_some_and(|required| required == "1");
            if required && code == i32::from(NO_NAMESPACE) {
                return Err(format!("{REQUIRED} is set, but {said}").into());
            }
            Ok(())
        }
        _ => Err(format!("{}\n{said}", output.status).into()),
    }
}
