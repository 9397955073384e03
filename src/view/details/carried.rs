//! Traffic of a connection, in a few lines of the details: round trip, bytes both
//! ways, the window and its limits.

use crate::app::App;
use crate::explain::sentence::fill;
use crate::listing::quantity::{bytes as size, round_trip};
use crate::model::flow::Rate;
use crate::model::observation::Detail;
use crate::model::row::Row;
use crate::model::tcp_info::HeldBack;
use std::time::Duration;

/// Returns each line with the name of its label.
pub(super) fn lines(app: &App, row: &Row) -> Vec<(&'static str, String)> {
    if !row.socket.is_connection() {
        return Vec::new();
    }
    let told = Told { app };
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

struct Told<'a> {
    app: &'a App,
}

impl Told<'_> {
    fn word(&self, name: &str) -> &str {
        self.app.words.screen("details", name)
    }

    /// Returns a message of the assets; empty if a value is missing.
    fn say(&self, name: &str, value: impl Fn(&str) -> Option<String>) -> String {
        fill(self.word(name), value).unwrap_or_default()
    }

    fn round_trip(&self, detail: &Detail) -> String {
        let info = &detail.info;
        let value = |place: &str| match place {
            "rtt" => info.rtt_us.map(round_trip),
            "variation" => Some(round_trip(info.rtt_variation_us)),
            "least" => info.min_rtt_us.map(round_trip),
            "rto" => Some(round_trip(info.rto_us)),
            _ => None,
        };
        let whole = self.say("round_trip_line", value);
        if whole.is_empty() {
            self.say("round_trip_bare", value)
        } else {
            whole
        }
    }

    fn received(&self, detail: &Detail, row: &Row) -> String {
        let info = &detail.info;
        let received = info.received(row.socket.state.has_peer_finished());
        let line = self.say("received_line", |place| match place {
            "bytes" => received.map(size),
            _ => Some(self.rate(detail.flow.rx)),
        });
        // Before any data the kernel counts from the start of the connection.
        let some = received.is_some_and(|bytes| bytes > 0);
        line + &self.last(info.last_data_received_ms, some)
    }

    fn sent(&self, detail: &Detail) -> String {
        let info = &detail.info;
        let mut line = self.say("sent_line", |place| match place {
            "bytes" => info.sent().map(size),
            _ => Some(self.rate(detail.flow.tx)),
        });
        let some = info.bytes_sent.is_some_and(|bytes| bytes > 0);
        line.push_str(&self.last(info.last_data_sent_ms, some));
        if info.total_retransmits > 0 {
            let count = info.total_retransmits.to_string();
            line.push_str(&self.say("repeated", |_| Some(count.clone())));
        }
        line
    }

    fn rate(&self, rate: Option<Rate>) -> String {
        self.say("rate", |_| rate.map(|rate| size(rate.bytes())))
    }

    fn last(&self, milliseconds: u32, some: bool) -> String {
        let age = self
            .app
            .words
            .length(Duration::from_millis(milliseconds.into()));
        self.say("last_data", |_| some.then(|| age.clone()))
    }

    fn window(&self, detail: &Detail) -> String {
        let info = &detail.info;
        let value = |place: &str| match place {
            "window" => Some(info.congestion_window.to_string()),
            "mss" => Some(format!("{} B", info.snd_mss)),
            "unacked" => Some(info.unacked.to_string()),
            "algorithm" => info.congestion_control.as_ref().map(ToString::to_string),
            _ => None,
        };
        let mut line = self.say("window_line", value);
        if line.is_empty() {
            line = self.say("window_bare", value);
        }
        let peer = |_: &str| info.peer_window.map(|bytes| size(bytes.into()));
        line.push_str(&self.say("peer_window", peer));
        if let Some((by, percent)) = info.held_back() {
            let name = match by {
                HeldBack::ByPeerWindow => "held_by_peer",
                HeldBack::BySendBuffer => "held_by_buffer",
            };
            line.push_str(&self.say(name, |_| Some(percent.to_string())));
        }
        line
    }
}
