//! The parsers of this module as functions of bytes, for [`crate::fuzzing`].

use super::events::fuzzing as events;
use super::{
    cgroup, conntrack, counters, diag_info, diag_memory, diag_message, limits, proc_net, processes,
    program_file, rtnetlink as route,
};
use crate::model::io_uring::registered_sockets;
use crate::model::proc_stat::ProcStat;
use crate::model::protocol::Protocol;
use crate::model::text::{Text, is_deceptive};

fn assert_displayable(text: &Text) {
    assert!(!text.as_str().contains(is_deceptive), "{text:?}");
}

/// A file of `/proc/net`: a bad line loses one line.
pub(crate) fn proc_net(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"sl "));
    let count = u64::try_from(lines.count()).unwrap_or(u64::MAX);
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let parsed = proc_net::parse_table(bytes, protocol, 1);
        let read = u64::try_from(parsed.sockets.len()).unwrap_or(u64::MAX);
        assert_eq!(read + parsed.malformed, count);
    }
}

/// A datagram of `sock_diag`, and the same bytes as attributes of a socket.
pub(crate) fn sock_diag(bytes: &[u8]) {
    for (count, message) in diag_message::messages(bytes).enumerate() {
        assert!(count < bytes.len(), "more messages than bytes");
        if let diag_message::DiagPayload::Socket(entry) = message.payload {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                let _ = entry.decode_socket(protocol, 1);
            }
            let _ = entry.is_transparent();
            attributes(entry.attributes());
        }
    }
    attributes(bytes);
}

fn attributes(bytes: &[u8]) {
    if let Some(info) = diag_info::parse_info(bytes) {
        info.congestion_control.iter().for_each(assert_displayable);
    }
    let _ = diag_info::parse_counters(bytes);
    let _ = diag_memory::parse_memory(bytes);
}

/// A datagram of rtnetlink that answers the request number 1.
pub(crate) fn rtnetlink(bytes: &[u8]) {
    assert!(route::replies(bytes, 1).count() <= bytes.len());
}

/// The counters of the network stack, and a list of reserved ports.
pub(crate) fn counters(bytes: &[u8]) {
    // Either file may be cut short.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for (snmp, netstat) in [(bytes, bytes), (first, second)] {
        let _ = counters::parse(snmp, netstat);
    }
    let _ = counters::parse_gauges(bytes);
    let _ = limits::count_reserved(&String::from_utf8_lossy(bytes), (32_768, 60_999));
}

/// A table of forwarded connections.
pub(crate) fn conntrack(bytes: &[u8]) {
    let found = conntrack::parse_forwardings(bytes, 8080);
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(found.is_ok_and(|found| found.len() <= lines));
}

/// The files and links of a process.
pub(crate) fn process_files(bytes: &[u8]) {
    let _ = ProcStat::parse(bytes);
    let _ = processes::parse_real_uid(bytes);
    let _ = processes::parse_open_files_limit(bytes);
    processes::parse_arguments(bytes)
        .iter()
        .for_each(assert_displayable);
    assert_displayable(&Text::new(program_file::split_deleted(bytes).0));
    if let Some(unit) = cgroup::parse_unit(bytes) {
        assert_displayable(unit.text());
    }
    cgroup::parse_group(bytes)
        .iter()
        .for_each(assert_displayable);
    events::thread_files(bytes);
}

/// The `fdinfo` of an instance of `io_uring`.
pub(crate) fn io_uring(bytes: &[u8]) {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(registered_sockets(bytes).count() <= lines);
}

/// A page of the trace's ring buffer.
pub(crate) fn trace_ring(bytes: &[u8]) {
    events::ring(bytes);
}

/// The files that describe the layout of the trace.
pub(crate) fn trace_format(bytes: &[u8]) {
    events::format(bytes);
}
