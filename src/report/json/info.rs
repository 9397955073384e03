//! The shape of `tcp_info` in the JSON contract. Times and rates carry their
//! unit in their name; what this kernel does not tell is null.

use crate::model::flow::Rate;
use crate::model::observation::Detail;
use crate::model::tcp_info::CongestionState;
use crate::model::text::Text;
use serde::Serialize;
use std::borrow::Cow;

/// Fields as in `TcpInfo`, in the order: round trips, losses, windows, sizes,
/// amounts, speed, times.
#[derive(Serialize)]
pub(super) struct InfoEntry<'a> {
    rtt_us: Option<u32>,
    rtt_variation_us: u32,
    min_rtt_us: Option<u32>,
    receiver_rtt_us: Option<u32>,
    rto_us: u32,
    ato_us: u32,
    retransmits: u8,
    backoff: u8,
    total_retransmits: u32,
    unacked_segments: u32,
    lost_segments: u32,
    retransmitted_segments: u32,
    duplicates_reported: Option<u32>,
    reorderings: Option<u32>,
    received_out_of_order: Option<u32>,
    congestion_control: Option<&'a str>,
    congestion_state: Cow<'static, str>,
    congestion_window_segments: u32,
    slow_start_threshold_segments: Option<u32>,
    peer_window_bytes: Option<u32>,
    own_window_bytes: Option<u32>,
    receive_space_bytes: u32,
    snd_mss_bytes: u32,
    rcv_mss_bytes: u32,
    advertised_mss_bytes: u32,
    path_mtu_bytes: u32,
    bytes_sent: Option<u64>,
    bytes_acked: Option<u64>,
    bytes_received: Option<u64>,
    bytes_retransmitted: Option<u64>,
    bytes_not_sent: Option<u32>,
    segments_out: Option<u32>,
    segments_in: Option<u32>,
    rx_bytes_per_second: Option<u64>,
    tx_bytes_per_second: Option<u64>,
    delivery_rate_bytes_per_second: Option<u64>,
    delivery_rate_app_limited: bool,
    pacing_rate_bytes_per_second: Option<u64>,
    busy_us: Option<u64>,
    peer_window_limited_us: Option<u64>,
    send_buffer_limited_us: Option<u64>,
    last_data_sent_ms: u32,
    last_data_received_ms: u32,
    last_ack_received_ms: u32,
}

impl<'a> InfoEntry<'a> {
    pub(super) fn of(detail: &'a Detail) -> Self {
        let info = &detail.info;
        Self {
            rtt_us: info.rtt_us,
            rtt_variation_us: info.rtt_variation_us,
            min_rtt_us: info.min_rtt_us,
            receiver_rtt_us: info.receiver_rtt_us,
            rto_us: info.rto_us,
            ato_us: info.ato_us,
            retransmits: info.retransmits,
            backoff: info.backoff,
            total_retransmits: info.total_retransmits,
            unacked_segments: info.unacked,
            lost_segments: info.lost,
            retransmitted_segments: info.retrans,
            duplicates_reported: info.duplicates_reported,
            reorderings: info.reorderings,
            received_out_of_order: info.received_out_of_order,
            congestion_control: info.congestion_control.as_ref().map(Text::as_str),
            congestion_state: congestion_state(info.congestion_state),
            congestion_window_segments: info.congestion_window,
            slow_start_threshold_segments: info.slow_start_threshold,
            peer_window_bytes: info.peer_window,
            own_window_bytes: info.own_window,
            receive_space_bytes: info.receive_space,
            snd_mss_bytes: info.snd_mss,
            rcv_mss_bytes: info.rcv_mss,
            advertised_mss_bytes: info.advertised_mss,
            path_mtu_bytes: info.path_mtu,
            bytes_sent: info.bytes_sent,
            bytes_acked: info.bytes_acked,
            bytes_received: info.bytes_received,
            bytes_retransmitted: info.bytes_retransmitted,
            bytes_not_sent: info.not_sent_bytes,
            segments_out: info.segments_out,
            segments_in: info.segments_in,
            rx_bytes_per_second: detail.flow.rx.map(Rate::bytes),
            tx_bytes_per_second: detail.flow.tx.map(Rate::bytes),
            delivery_rate_bytes_per_second: info.delivery_rate,
            delivery_rate_app_limited: info.delivery_rate_is_programs,
            pacing_rate_bytes_per_second: info.pacing_rate,
            busy_us: info.busy_us,
            peer_window_limited_us: info.peer_window_limited_us,
            send_buffer_limited_us: info.send_buffer_limited_us,
            last_data_sent_ms: info.last_data_sent_ms,
            last_data_received_ms: info.last_data_received_ms,
            last_ack_received_ms: info.last_ack_received_ms,
        }
    }
}

fn congestion_state(state: CongestionState) -> Cow<'static, str> {
    match state {
        CongestionState::Unknown(number) => format!("unknown_{number}").into(),
        known => known.key().into(),
    }
}
