//! Traffic of a connection, in a few lines of the details: round trip, bytes both
//! ways, the window and its limits.

use crate::app::App;
use crate::explain::template::render;
use crate::listing::units::{format_bytes as size, format_round_trip};
use crate::model::observation::ConnectionDetail;
use crate::model::row::Row;
use crate::model::tcp_info::SendLimit;
use crate::model::tcp_metrics::Rate;
use std::time::Duration;

/// Returns each line with the name of its label.
pub(super) fn lines(app: &App, row: &Row) -> Vec<(&'static str, String)> {
    if !row.socket.is_connection() {
        return Vec::new();
    }
    let told = TrafficWriter { app };
    match app.observation.detail(row) {
        Some(detail) => vec![
            ("round_trip", told.round_trip(detail)),
            ("received", told.received(detail, row)),
            ("sent", told.sent(detail)),
            ("window", told.window(detail)),
        ],
        None if row.socket.cookie.is_none() => {
            let why = told.word("info_needs_sock_diag").to_owned();
            vec![("info_absent", why)]
        }
        None => Vec::new(),
    }
}

struct TrafficWriter<'a> {
    app: &'a App,
}

impl TrafficWriter<'_> {
    fn word(&self, name: &str) -> &str {
        self.app.messages.screen("details", name)
    }

    /// Returns a message of the assets; empty if a value is missing.
    fn message(&self, name: &str, value: impl Fn(&str) -> Option<String>) -> String {
        render(self.word(name), value).unwrap_or_default()
    }

    fn round_trip(&self, detail: &ConnectionDetail) -> String {
        let info = &detail.info;
        let value = |place: &str| match place {
            "rtt" => info.rtt_us.map(format_round_trip),
            "variation" => Some(format_round_trip(info.rtt_variation_us)),
            "least" => info.min_rtt_us.map(format_round_trip),
            "rto" => Some(format_round_trip(info.rto_us)),
            _ => None,
        };
        let whole = self.message("round_trip_line", value);
        if whole.is_empty() {
            self.message("round_trip_bare", value)
        } else {
            whole
        }
    }

    fn received(&self, detail: &ConnectionDetail, row: &Row) -> String {
        let info = &detail.info;
        let received = info.payload_received(row.socket.state.has_received_fin());
        let line = self.message("received_line", |place| match place {
            "bytes" => received.map(size),
            _ => Some(self.rate(detail.metrics.rx_rate)),
        });
        // Before any data the kernel counts from the start of the connection.
        let some = received.is_some_and(|bytes| bytes > 0);
        line + &self.last_data(info.last_data_received_ms, some)
    }

    fn sent(&self, detail: &ConnectionDetail) -> String {
        let info = &detail.info;
        let mut line = self.message("sent_line", |place| match place {
            "bytes" => info.payload_sent().map(size),
            _ => Some(self.rate(detail.metrics.tx_rate)),
        });
        let some = info.bytes_sent.is_some_and(|bytes| bytes > 0);
        line.push_str(&self.last_data(info.last_data_sent_ms, some));
        if info.total_retransmits > 0 {
            let count = info.total_retransmits.to_string();
            line.push_str(&self.message("repeated", |_| Some(count.clone())));
        }
        line
    }

    fn rate(&self, rate: Option<Rate>) -> String {
        self.message("rate", |_| rate.map(|rate| size(rate.bytes_per_second())))
    }

    fn last_data(&self, milliseconds: u32, some: bool) -> String {
        let age = self
            .app
            .messages
            .duration_text(Duration::from_millis(milliseconds.into()));
        self.message("last_data", |_| some.then(|| age.clone()))
    }

    fn window(&self, detail: &ConnectionDetail) -> String {
        let info = &detail.info;
        let value = |place: &str| match place {
            "window" => Some(info.congestion_window.to_string()),
            "mss" => Some(format!("{} B", info.snd_mss)),
            "unacked" => Some(info.unacked.to_string()),
            "algorithm" => info.congestion_control.as_ref().map(ToString::to_string),
            _ => None,
        };
        let mut line = self.message("window_line", value);
        if line.is_empty() {
            line = self.message("window_bare", value);
        }
        let peer = |_: &str| info.peer_window.map(|bytes| size(bytes.into()));
        line.push_str(&self.message("peer_window", peer));
        if let Some((by, percent)) = info.send_limit() {
            let name = match by {
                SendLimit::PeerWindow => "held_by_peer",
                SendLimit::SendBuffer => "held_by_buffer",
            };
            line.push_str(&self.message(name, |_| Some(percent.to_string())));
        }
        line
    }
}
