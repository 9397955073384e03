//! `TCP_INFO`: the kernel's data on one TCP connection beyond the table.
//!
//! Source: `struct tcp_info` in `include/uapi/linux/tcp.h`, filled by
//! `tcp_get_info` in `net/ipv4/tcp.c`. It has grown with the kernel: fields of
//! later kernels are optional here, and a number by which the kernel means "none"
//! is none.

use super::socket_memory::SocketMemory;
use super::state::State;
use super::text::Text;
use std::time::Duration;

/// `TCP_INFO` of one connection at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TcpInfo {
    /// State of congestion control.
    pub congestion_state: CongestionState,
    /// Number of retransmissions of the current segment without an answer.
    pub retransmits: u8,
    /// Keepalive or window probes sent and not answered.
    pub probes: u8,
    /// Number of times the wait before the next attempt has been doubled.
    pub backoff: u8,
    /// True if its SYN carried data that was acknowledged with it (TCP Fast Open,
    /// RFC 7413).
    pub data_in_syn: bool,
    /// Retransmission timeout in µs.
    pub rto_us: u32,
    /// Delay before a delayed acknowledgement is sent, in µs.
    pub ato_us: u32,
    /// Longest segment sent, in bytes, options not counted.
    pub snd_mss: u32,
    /// Longest segment received, as estimated, in bytes.
    pub rcv_mss: u32,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Number of these that the peer has acknowledged selectively (SACK): it has
    /// them, but not one before them.
    pub sacked: u32,
    /// Number of these that are believed lost.
    pub lost: u32,
    /// Number of retransmissions of these under way. A retransmission that cannot
    /// leave this machine is not counted (`__tcp_retransmit_skb`).
    pub retrans: u32,
    /// Milliseconds since data was sent last, retransmissions and window probes
    /// included. Before the first data, since the connection was made.
    pub last_data_sent_ms: u32,
    /// Milliseconds since data was received last. Before the first data, since
    /// the connection was made.
    pub last_data_received_ms: u32,
    /// Milliseconds since an acknowledgement was received last.
    pub last_ack_received_ms: u32,
    /// Longest packet the path is believed to carry, in bytes.
    pub path_mtu: u32,
    /// Smoothed round-trip time in µs; none before the first sample.
    pub rtt_us: Option<u32>,
    /// Variation of the round-trip time (mean deviation), in µs.
    pub rtt_variation_us: u32,
    /// Segments up to which the window grows by slow start; none while there is
    /// no limit yet.
    pub slow_start_threshold: Option<u32>,
    /// Congestion window: segments that may be under way.
    pub congestion_window: u32,
    /// Longest segment this end has offered to take, in bytes.
    pub advertised_mss: u32,
    /// Round-trip time as estimated by the receiving side, in µs; none before
    /// enough data has come.
    pub receiver_rtt_us: Option<u32>,
    /// Bytes that the receive buffer is tuned to take in a round trip.
    pub receive_space: u32,
    /// Number of retransmitted segments over the connection's life, SYNs
    /// included.
    pub total_retransmits: u32,
    /// Maximum number of bytes a second that are sent; none if nothing paces
    /// (Linux 3.15).
    pub pacing_rate: Option<u64>,
    /// The program's limit for it (`SO_MAX_PACING_RATE`); none if it has set none
    /// (Linux 3.15).
    pub max_pacing_rate: Option<u64>,
    /// Bytes sent that the peer has acknowledged, a SYN counted as one
    /// (Linux 4.1).
    pub bytes_acked: Option<u64>,
    /// Bytes received in order, a FIN counted as one (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// Segments sent, those without data included (Linux 4.2).
    pub segments_out: Option<u32>,
    /// Segments received, those without data included (Linux 4.2).
    pub segments_in: Option<u32>,
    /// Bytes that wait to be sent for the first time (Linux 4.6).
    pub not_sent_bytes: Option<u32>,
    /// Smallest round-trip time of the last minutes (`tcp_min_rtt_wlen`), in µs
    /// (Linux 4.6).
    pub min_rtt_us: Option<u32>,
    /// Segments received that brought data (Linux 4.6).
    pub data_segments_in: Option<u32>,
    /// Segments sent that carried data, retransmissions included (Linux 4.6).
    pub data_segments_out: Option<u32>,
    /// Bytes a second that last reached the peer (Linux 4.9).
    pub delivery_rate: Option<u64>,
    /// True if that was limited by the program's data, so that the path may carry
    /// more (Linux 4.9).
    pub delivery_rate_app_limited: bool,
    /// µs during which data was under way or waited to be (Linux 4.10).
    pub busy_us: Option<u64>,
    /// µs of these during which the peer's window held it back (Linux 4.10).
    pub peer_window_limited_us: Option<u64>,
    /// µs of these during which a full send buffer held it back (Linux 4.10).
    pub send_buffer_limited_us: Option<u64>,
    /// Segments that reached the peer (Linux 4.18).
    pub delivered: Option<u32>,
    /// Number of these with a congestion mark (ECN; Linux 4.18).
    pub delivered_ce: Option<u32>,
    /// Bytes of data sent, retransmissions included (Linux 4.19).
    pub bytes_sent: Option<u64>,
    /// Bytes of data retransmitted (Linux 4.19).
    pub bytes_retransmitted: Option<u64>,
    /// Reports of the peer that it got data twice (RFC 2883; Linux 4.19).
    pub dsack_duplicates: Option<u32>,
    /// Number of reordering events seen (Linux 4.19).
    pub reorderings: Option<u32>,
    /// Segments received out of order (Linux 5.5).
    pub received_out_of_order: Option<u32>,
    /// The peer's window in bytes: the amount it accepts (Linux 5.5).
    pub peer_window: Option<u32>,
    /// This end's window in bytes: the amount the peer may send (Linux 6.2).
    pub local_window: Option<u32>,
    /// Retransmission timeouts over the connection's life (Linux 6.7).
    pub timeouts: Option<u16>,
    /// Number of recoveries from one or several timeouts in a row, a present one
    /// included (Linux 6.7).
    pub timeout_recoveries: Option<u16>,
    /// Milliseconds from timeouts to recoveries, in all (Linux 6.7).
    pub timeout_ms: Option<u32>,
    /// The algorithm of congestion control, such as `cubic`.
    pub congestion_control: Option<Text>,
    /// True if its receiving half is shut down: by the program (`SHUT_RD` or
    /// `SHUT_RDWR` of shutdown(2)), or by the peer's FIN. Reported beside
    /// `TCP_INFO`, since Linux 3.6.
    pub receive_shutdown: Option<bool>,
    /// True if it is a path of an MPTCP connection (RFC 8684), which has a state
    /// of its own. Reported beside `TCP_INFO`, since Linux 5.6.
    pub is_subflow: bool,
    /// Use and limits of its buffers.
    pub memory: Option<SocketMemory>,
}

/// State of congestion control (`tcpi_ca_state`, `enum tcp_ca_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum CongestionState {
    /// No problem.
    #[default]
    Open,
    /// Acknowledgements repeat or are selective: a segment may be missing.
    Disorder,
    /// The window shrinks because of a congestion mark (ECN).
    Cwr,
    /// A segment is missing and is retransmitted at once.
    Recovery,
    /// A retransmission timed out: everything under way is considered lost.
    Loss,
    /// A number this program does not know.
    Unknown(u8),
}

impl CongestionState {
    /// The state behind the kernel's number.
    #[must_use]
    pub fn from_kernel(number: u8) -> Self {
        match number {
            0 => Self::Open,
            1 => Self::Disorder,
            2 => Self::Cwr,
            3 => Self::Recovery,
            4 => Self::Loss,
            other => Self::Unknown(other),
        }
    }

    /// The key in reports.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Disorder => "disorder",
            Self::Cwr => "cwr",
            Self::Recovery => "recovery",
            Self::Loss => "loss",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl TcpInfo {
    /// Bytes of the peer's program that arrived in order; none before Linux 4.1.
    /// The kernel counts a FIN as a byte: `finished` is true if it has arrived.
    #[must_use]
    pub fn payload_received(&self, finished: bool) -> Option<u64> {
        let received = self.bytes_received?;
        // Then all of it is a FIN, even if its arrival is not known.
        let bare = self.data_segments_in == Some(0);
        Some(received.saturating_sub((finished || bare).into()))
    }

    /// Bytes of the program that were sent, each once. Before Linux 4.19 those
    /// that the peer has acknowledged, and SYN and FIN with them; none before 4.1.
    #[must_use]
    pub fn payload_sent(&self) -> Option<u64> {
        let sent = self.bytes_sent.zip(self.bytes_retransmitted);
        sent.map(|(all, again)| all.saturating_sub(again))
            .or(self.bytes_acked)
    }

    /// Least time that the connection has been in `state`, the state of the same moment:
    /// since the last segment of a kind that cannot have come, or gone, before that
    /// state began. None in states in which there is none.
    ///
    /// On both ends the handshake sets all three times (`tcp_finish_connect`,
    /// `tcp_create_openreq_child`, `tcp_ack`). A FIN, and the acknowledgement of one, is
    /// an acknowledgement received as well. `busy_us` bounds nothing: it also runs
    /// while a SYN with data waits.
    #[must_use]
    pub fn least_age(&self, state: State) -> Option<Duration> {
        let since_event_ms = match state {
            State::Established => self
                .last_data_sent_ms
                .max(self.last_data_received_ms)
                .max(self.last_ack_received_ms),
            State::CloseWait | State::FinWait2 | State::Closing => self.last_ack_received_ms,
            _ => return None,
        };
        Some(Duration::from_millis(since_event_ms.into()))
    }

    /// True if this side opened the connection, if the counters show it. The peer
    /// has acknowledged the SYN of the opener, which counts as a byte; the count
    /// of the other side begins after its SYN (`tcp_create_openreq_child`).
    /// `state` is that of the same moment. None while data is under way, in
    /// states in which a FIN may be, and before Linux 4.19.
    #[must_use]
    pub fn is_initiator(&self, state: State) -> Option<bool> {
        let finished = match state {
            State::Established | State::CloseWait => 0,
            State::FinWait2 => 1,
            _ => return None,
        };
        let sent = self.bytes_sent?.checked_sub(self.bytes_retransmitted?)?;
        let beyond = self.bytes_acked?.checked_sub(sent + finished)?;
        match beyond {
            _ if self.unacked > 0 => None,
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Both, if both are known.
    #[must_use]
    pub fn payload(&self, finished: bool) -> Option<Payload> {
        let both = self.payload_received(finished).zip(self.payload_sent());
        both.map(|(received, sent)| Payload { received, sent })
    }

    /// Returns the factor that limited sending and its share of the busy time, in
    /// percent rounded down; none if the path was the limit or nothing was sent.
    #[must_use]
    pub fn send_limit(&self) -> Option<(SendLimit, u64)> {
        let busy = self.busy_us.filter(|busy| *busy > 0)?;
        let share = |limited: Option<u64>| limited.unwrap_or(0).saturating_mul(100) / busy;
        let peer = share(self.peer_window_limited_us);
        let buffer = share(self.send_buffer_limited_us);
        match (peer, buffer) {
            (0, 0) => None,
            (peer, buffer) if peer >= buffer => Some((SendLimit::PeerWindow, peer)),
            (_, buffer) => Some((SendLimit::SendBuffer, buffer)),
        }
    }
}

/// Payload of a connection: bytes of its programs, without SYN and FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent, each once.
    pub sent: u64,
}

/// Factor that limits sending, if not the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendLimit {
    /// The peer's window.
    PeerWindow,
    /// The size of this machine's send buffer.
    SendBuffer,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_send_limit_is_reported() {
        let of = |busy, peer, buffer| {
            TcpInfo {
                busy_us: busy,
                peer_window_limited_us: peer,
                send_buffer_limited_us: buffer,
                ..TcpInfo::default()
            }
            .send_limit()
        };
        assert_eq!(of(None, None, None), None);
        assert_eq!(of(Some(0), Some(0), Some(0)), None);
        assert_eq!(of(Some(1000), Some(9), Some(0)), None, "below one percent");
        let peer = Some((SendLimit::PeerWindow, 50));
        assert_eq!(of(Some(1000), Some(500), Some(100)), peer);
        let buffer = Some((SendLimit::SendBuffer, 100));
        assert_eq!(of(Some(1000), Some(500), Some(1000)), buffer);
    }

    #[test]
    fn only_events_within_the_state_bound_its_age() {
        let info = TcpInfo {
            last_data_sent_ms: 9000,
            last_data_received_ms: 4000,
            last_ack_received_ms: 2000,
            ..TcpInfo::default()
        };
        let seconds = |state| info.least_age(state).map(|age| age.as_secs());
        assert_eq!(seconds(State::Established), Some(9));
        for after_fin in [State::CloseWait, State::FinWait2, State::Closing] {
            assert_eq!(seconds(after_fin), Some(2), "{after_fin}");
        }
        // Sockets that were never connected have any number there.
        for without in [
            State::Closed,
            State::Listen,
            State::SynSent,
            State::SynReceived,
            State::FinWait1,
            State::LastAck,
            State::TimeWait,
        ] {
            assert_eq!(seconds(without), None, "{without}");
        }
    }

    #[test]
    fn unknown_congestion_states_survive() {
        assert_eq!(CongestionState::from_kernel(4), CongestionState::Loss);
        assert_eq!(
            CongestionState::from_kernel(77),
            CongestionState::Unknown(77)
        );
    }
}
