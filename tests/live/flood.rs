//! A worm's outbound SYN flood must be found, and a busy but healthy client
//! must not.

use super::namespace::{LabNamespace, NotHere, run_from_anybodys_folder};
use super::watch::Watch;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tcplens::model::evidence::{Evidence, ScanKind};
use tcplens::model::finding::{Finding, Rule, Severity};
use tcplens::source::SourceChoice;

/// The hidden first argument of the process that floods.
const FLOOD: &str = "--flood";
/// How many addresses it asks.
const ADDRESSES: u16 = 2000;
const PORT: u16 = 445;
/// An alarm later than this is too late.
const IN_TIME: Duration = Duration::from_secs(10);
/// As the program itself reads by default.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many connections a healthy client makes.
const HEALTHY: u16 = 200;

/// In the process that floods: where the test program is.
pub(crate) fn asked(mut arguments: impl Iterator<Item = String>) -> Option<u64> {
    (arguments.next()? == FLOOD).then_some(())?;
    arguments.next()?.parse().ok()
}

/// Floods, and holds its sockets until its input closes.
pub(crate) fn play(outside: u64) -> ExitCode {
    LabNamespace::verify(outside).unwrap();
    let limit = getrlimit(Resource::Nofile);
    let enough = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, enough).unwrap();
    let sockets: Vec<_> = (0..ADDRESSES)
        .map(|number| knock((LabNamespace::silent_address(number), PORT)))
        .collect();
    stdout().write_all(b"all asked\n").unwrap();
    stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(sockets);
    ExitCode::SUCCESS
}

/// Asks for a connection without waiting for it.
fn knock((host, port): (Ipv4Addr, u16)) -> OwnedFd {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    let asked = connect(&socket, &SocketAddrV4::new(host, port));
    assert_eq!(asked, Err(Errno::INPROGRESS));
    socket
}

struct Flood(Child);

impl Flood {
    fn begin(outside: u64) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program)
            .args([FLOOD, &outside.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 10];
        let output = child.stdout.as_mut().unwrap();
        output.read_exact(&mut said).unwrap();
        Self(child)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Waits until the next table is due.
fn rest(since: Instant, tables: u32) {
    let due = since + INTERVAL * tables;
    thread::sleep(due.saturating_duration_since(Instant::now()));
}

pub(crate) fn is_found_in_time(namespace: &LabNamespace) -> Result<(), NotHere> {
    for source in [SourceChoice::SockDiag, SourceChoice::Proc] {
        let mut watch = Watch::begin(source);
        let began = Instant::now();
        let flood = Flood::begin(namespace.host_id());
        for tables in 1.. {
            rest(began, tables);
            let seen = watch.look();
            let alarm = seen
                .findings
                .iter()
                .find(|finding| finding.severity == Severity::Critical);
            let after = began.elapsed();
            let Some(alarm) = alarm else {
                assert!(after < IN_TIME, "{source:?}: {:?}", seen.findings);
                continue;
            };
            let Evidence::OutboundScan(evidence) = &alarm.evidence else {
                panic!("{alarm:?}");
            };
            let process = alarm.process.as_ref().unwrap();
            assert_eq!(process.pid, flood.0.id());
            assert!(
                matches!(evidence.kind, ScanKind::Hosts { port: PORT, .. }),
                "{evidence:?}"
            );
            assert!(evidence.waiting > u32::from(ADDRESSES) * 9 / 10);
            println!(
                "{source:?}: alarm {after:.1?} after the start of the flood, for {} (pid {}): \
                 {} of {} first contacts failed",
                process.name, process.pid, evidence.failed, evidence.contacts
            );
            assert!(after < IN_TIME);
            break;
        }
        drop(flood);
    }
    Ok(())
}

/// To as many hosts, and as fast, but all of them answer.
pub(crate) fn is_not_seen_in_success(_: &LabNamespace) -> Result<(), NotHere> {
    // A listener that comes while watching is a finding of its own.
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut watch = Watch::begin(SourceChoice::Auto);
    let mut kept = Vec::new();
    let began = Instant::now();
    let mut most = 0;
    for tables in 1..=10_u16 {
        let share = HEALTHY / 10;
        for number in (tables - 1) * share..tables * share {
            let [high, low] = (number + 256).to_be_bytes();
            let host = Ipv4Addr::new(127, 1, high, low);
            let client = TcpStream::connect((host, port)).unwrap();
            let (server, _) = listener.accept().unwrap();
            // Half of them stay, half are closed at once.
            if number % 2 == 0 {
                kept.push((client, server));
            }
        }
        rest(began, tables.into());
        let seen = watch.look();
        most = most.max(seen.rows.len());
        let odd = |each: &&Finding| each.evidence.rule() == Rule::SuspiciousProgram;
        let own = seen.findings.iter().filter(odd).count();
        assert_eq!(own, usize::from(run_from_anybodys_folder()));
        assert_eq!(
            seen.findings.len(),
            own,
            "after {}: {:?}",
            tables * share,
            seen.findings
        );
    }
    println!("{HEALTHY} connections while watching, up to {most} rows: no finding");
    drop(kept);
    Ok(())
}
