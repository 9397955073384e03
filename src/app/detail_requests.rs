//! Requests for data beyond the table: details of the rows on screen, metrics of
//! all rows while they are sorted or filtered by them, and events while their
//! page is open.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::model::protocol::Protocol;
use crate::model::row::Phase;
use crate::model::socket::{Socket, SocketKey};

/// Maximum number of rows to read details of; no screen shows more.
const MAX_DETAIL_ROWS: usize = 256;

/// Requests so far.
#[derive(Debug, Default)]
pub(super) struct RequestedDetails {
    /// The connections on screen, in the order of their keys: the request changes
    /// only when a connection comes or goes.
    keys: Vec<SocketKey>,
    tcp_metrics: bool,
    events: bool,
}

impl App {
    /// Requests details of the connections that a frame shows, if they are not
    /// those of the frame before. The details are drawn, too, but the connections
    /// stay the same, so that an idle screen causes no further request.
    pub(super) fn request_row_details(&mut self, top: usize, page: usize) -> Vec<Effect> {
        let shown = self
            .row_order
            .iter()
            .skip(top)
            .take(page.min(MAX_DETAIL_ROWS));
        let mut sockets: Vec<Socket> = shown
            .filter_map(|number| self.observation.rows.get(*number as usize))
            .filter(|row| row.phase != Phase::Closed && row.socket.is_connection())
            .filter(|row| row.socket.cookie.is_some())
            .map(|row| row.socket)
            .collect();
        // The timeline of the selected socket is shown, too, also after its end.
        let selected = self.selected().map(|row| row.socket);
        sockets.extend(
            selected.filter(|socket| socket.protocol == Protocol::Tcp && socket.peer().is_some()),
        );
        sockets.sort_unstable_by_key(Socket::key);
        sockets.dedup_by_key(|socket| socket.key());
        let keys: Vec<SocketKey> = sockets.iter().map(Socket::key).collect();
        if keys == self.requested_details.keys {
            return Vec::new();
        }
        self.requested_details.keys = keys;
        vec![Effect::ReadDetails(sockets)]
    }

    /// Requests or releases the metrics of all rows, as filter and order need
    /// them.
    pub(super) fn request_tcp_metrics(&mut self) -> Option<Effect> {
        let wanted = self.filter.uses_tcp_metrics() || self.sort.by.needs_tcp_metrics();
        let changed = wanted != self.requested_details.tcp_metrics;
        self.requested_details.tcp_metrics = wanted;
        changed.then_some(Effect::IncludeTcpMetrics(wanted))
    }

    /// Requests events as they come while their page is open.
    pub(super) fn request_events(&mut self) -> Option<Effect> {
        let wanted = matches!(self.mode, Mode::Events(_));
        let changed = wanted != self.requested_details.events;
        self.requested_details.events = wanted;
        changed.then_some(Effect::StreamEvents(wanted))
    }
}
