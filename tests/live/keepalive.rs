//! Keepalive probes that nobody answers, at times that the program has set.

use super::gone::{self, Configuration};
use super::namespace::{LabNamespace, NotHere, program};
use super::watch::{Watch, row};
use rustix::net::sockopt;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::explain::diagnosis::diagnose;
use tcplens::source::SourceChoice;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 97, 0, 7));

/// The peer's address goes: probes go out every two seconds, into nowhere.
pub(crate) fn spacing_is_observed(_: &LabNamespace) -> Result<(), NotHere> {
    let kernel = Configuration::open();
    kernel.add_address(PEER);
    let listener = TcpListener::bind((PEER, 0)).unwrap();
    let client = gone::connect_from(
        LabNamespace::LOCAL_ADDRESS.into(),
        listener.local_addr().unwrap(),
    );
    let _accepted = listener.accept().unwrap();
    sockopt::set_socket_keepalive(&client, true).unwrap();
    sockopt::set_tcp_keepidle(&client, Duration::from_secs(1)).unwrap();
    sockopt::set_tcp_keepintvl(&client, Duration::from_secs(2)).unwrap();
    kernel.remove_address(PEER);
    let (near, far) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    let words = Catalogue::of(Language::English);
    let (spacing, told) = Watch::begin(SourceChoice::Auto).until("two probes", |seen| {
        let row = row(seen, near, Some(far))?;
        let spacing = seen.probe_spacing(&row)?;
        Some((spacing, diagnose(&row, seen, words).sentences.join(" ")))
    });
    println!("set: 2 s, observed: {spacing:?}");
    // Timers fire late by up to an eighth of their length, on a busy machine by more.
    assert!((1900..2900).contains(&spacing.as_millis()), "{spacing:?}");
    for expected in [
        "Probes go out every 2 s (observed), not every 1 min 15 s",
        "With the system's 9 probes",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    // What explains it once waits for the next probe.
    let output = Command::new(program())
        .args(["explain", "--lang", "en", "sport", &near.port().to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let waits = String::from_utf8_lossy(&output.stderr);
    println!("{waits}{said}");
    assert!(
        waits.contains("waiting up to 3 s for the next keepalive probe"),
        "{waits}"
    );
    assert!(
        said.contains("Probes go out every 2 s (observed)"),
        "{said}"
    );
    Ok(())
}
