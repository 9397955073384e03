//! `TCP_INFO` against ss(8), connection by connection, and rates against what
//! was really sent.

use super::crowd::Crowd;
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use super::table::listed;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use tcplens::model::reading::{Reading, ReadingKind};
use tcplens::model::row::Row;
use tcplens::model::socket::Socket;
use tcplens::model::tcp_metrics::Rate;
use tcplens::monitor::Monitor;
use tcplens::source::ReadingSource;
use tcplens::source::live::{LiveOptions, LiveSource};

/// What both tell of a connection, by the names of the JSON.
type Told = BTreeMap<&'static str, u64>;

pub(crate) fn agree_with_ss(namespace: &LabNamespace) -> Result<(), NotHere> {
    if ss().is_none() {
        return Err(NotHere::NoTool("ss"));
    }
    let crowd = Crowd::gather(namespace);
    let (witnessed, listing) = wait_for("connections that rest", || {
        let before = ss()?;
        let listing = listed(&["--info", "tcp"]);
        let after = ss()?;
        (before == after).then_some((after, listing))
    });
    let mut compared = 0;
    for socket in listing["sockets"].as_array().unwrap() {
        let Some(told) = witnessed.get(socket["cookie"].as_str().unwrap()) else {
            // Only records and listeners have nothing to tell.
            let state = socket["state"].as_str().unwrap();
            let bare = ["listen", "time_wait", "syn_received", "bound_inactive"];
            let record = socket["timer"]["kind"] == "time_wait";
            assert!(bare.contains(&state) || record, "{socket}");
            assert!(socket["tcp_info"].is_null(), "{socket}");
            continue;
        };
        let info = &socket["tcp_info"];
        assert!(info.is_object(), "{socket}");
        for (name, value) in told {
            let ours = info[name].as_u64();
            assert_eq!(ours, Some(*value), "{name} of {socket}");
        }
        compared += 1;
    }
    println!("{compared} connections, of each up to 13 numbers, as ss has them");
    assert!(compared > 100, "of a whole crowd");
    drop(crowd);
    Ok(())
}

/// What ss tells of each connection that sends nothing now, by cookie; none
/// where it is not installed.
fn ss() -> Option<BTreeMap<String, Told>> {
    let output = Command::new("ss").arg("-tineOH").output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().filter_map(line).collect())
}

fn line(line: &str) -> Option<(String, Told)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let named = |name: &str| fields.iter().find_map(|field| field.strip_prefix(name));
    let whole = |name: &str| named(name)?.parse::<u64>().ok();
    // Only with TCP_INFO there is a window.
    let window = whole("cwnd:")?;
    let mut told = Told::from([("congestion_window_segments", window)]);
    let mut tell = |name, value: Option<u64>| {
        if let Some(value) = value {
            told.insert(name, value);
        }
    };
    let micros = |text: &str| {
        let (whole, thousandths) = text.split_once('.').unwrap_or((text, ""));
        let padded = format!("{thousandths:0<3}");
        Some(whole.parse::<u64>().ok()? * 1000 + padded.parse::<u64>().ok()?)
    };
    if let Some((rtt, variation)) = named("rtt:").and_then(|both| both.split_once('/')) {
        tell("rtt_us", micros(rtt));
        tell("rtt_variation_us", micros(variation));
    }
    tell("min_rtt_us", named("minrtt:").and_then(micros));
    tell("rto_us", named("rto:").and_then(micros));
    tell("snd_mss_bytes", whole("mss:"));
    tell("path_mtu_bytes", whole("pmtu:"));
    tell("bytes_sent", whole("bytes_sent:"));
    tell("bytes_acked", whole("bytes_acked:"));
    tell("bytes_received", whole("bytes_received:"));
    tell("segments_out", whole("segs_out:"));
    tell("segments_in", whole("segs_in:"));
    tell("peer_window_bytes", whole("snd_wnd:"));
    Some((named("sk:")?.to_owned(), told))
}

pub(crate) fn rates_are_those_of_what_was_sent(_: &LabNamespace) -> Result<(), NotHere> {
    const AMOUNT: usize = 60_000;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut live = LiveSource::open(&LiveOptions::default()).unwrap();
        let mut monitor = Monitor::default();
        let seen = monitor.fold(live.read_table().unwrap()).unwrap();
        let connections: Vec<Socket> = seen
            .rows
            .iter()
            .map(|row| row.socket)
            .filter(Socket::is_connection)
            .collect();
        assert_eq!(connections.len(), 2);
        let first = live.read_details(&connections);
        let began = first.time.monotonic_ms;
        monitor.fold(first);
        client.write_all(&vec![7; AMOUNT]).unwrap();
        server.read_exact(&mut vec![0; AMOUNT]).unwrap();
        let (ended, seen) = wait_for("rates", || {
            let reading = live.read_details(&connections);
            let ended = reading.time.monotonic_ms;
            let seen = monitor.fold(reading)?;
            let acked = |row: &Row| {
                seen.tcp_metrics(row)
                    .is_some_and(|flow| flow.tx_rate.is_some())
            };
            seen.rows.iter().any(acked).then(|| (ended, seen.clone()))
        });
        let sent = Rate::from_bytes(u64::try_from(AMOUNT).unwrap(), ended - began);
        let nothing = Rate::from_bytes(0, 1);
        let here = server.peer_addr().unwrap();
        for row in seen.rows.iter().filter(|row| row.socket.is_connection()) {
            let flow = seen.tcp_metrics(row).unwrap();
            let expected = if row.socket.local.port == here.port() {
                (nothing, sent)
            } else {
                (sent, nothing)
            };
            assert_eq!(flow.rx_rate.zip(flow.tx_rate), Some(expected), "{row:?}");
        }
        assert_exact(&mut live, &connections);
        println!("{address}: {} bytes a second", sent.bytes_per_second());
    }
    Ok(())
}

/// Only the socket that was meant answers.
fn assert_exact(live: &mut LiveSource, connections: &[Socket]) {
    let known = |reading: Reading| match reading.kind {
        ReadingKind::Details(known) => known.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(known(live.read_details(connections)), connections.len());
    let changed = |change: &dyn Fn(&mut Socket)| -> Vec<Socket> {
        connections
            .iter()
            .map(|socket| {
                let mut socket = *socket;
                change(&mut socket);
                socket
            })
            .collect()
    };
    let others = changed(&|socket| socket.cookie = socket.cookie.map(|n| n.saturating_add(1)));
    assert_eq!(known(live.read_details(&others)), 0, "another cookie");
    let unknown = changed(&|socket| socket.cookie = None);
    assert_eq!(known(live.read_details(&unknown)), 0, "no cookie");
    let elsewhere = changed(&|socket| socket.namespace += 1);
    assert_eq!(known(live.read_details(&elsewhere)), 0, "elsewhere");
    // More than fit into one batch, most of them gone.
    let mut many = others.repeat(200);
    many.extend_from_slice(connections);
    assert_eq!(known(live.read_details(&many)), connections.len());
    let mut again = connections.repeat(200);
    again.truncate(301);
    assert_eq!(known(live.read_details(&again)), 301, "none is lost");
}
