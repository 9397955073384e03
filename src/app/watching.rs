//! What must be read beyond the table: of the rows on screen, of all rows while
//! they are sorted or filtered by it, and of events while their page is open.

use super::App;
use super::effect::Effect;
use super::mode::Mode;
use crate::model::protocol::Protocol;
use crate::model::row::Phase;
use crate::model::socket::{Socket, SocketKey};

/// No more rows than this are read beyond the table; no screen shows more.
const MOST: usize = 256;

/// What has been asked for so far.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// The connections on screen, in the order of their keys: what is asked for
    /// again only changes when a connection comes or goes.
    keys: Vec<SocketKey>,
    flows: bool,
    events: bool,
}

impl App {
    /// After a frame: asks for the connections it shows, if they are not those
    /// of the frame before. What comes of it is drawn, too, but shows the same
    /// connections, so an idle screen rests.
    pub(super) fn watch_rows(&mut self, top: usize, page: usize) -> Vec<Effect> {
        let shown = self.order.iter().skip(top).take(page.min(MOST));
        let mut sockets: Vec<Socket> = shown
            .filter_map(|number| self.observation.rows.get(*number as usize))
            .filter(|row| row.phase != Phase::Closed && row.socket.is_connection())
            .filter(|row| row.socket.cookie.is_some())
            .map(|row| row.socket)
            .collect();
        // Of the selected one the way is told, too, also after its end.
        let selected = self.selected().map(|row| row.socket);
        sockets.extend(
            selected.filter(|socket| socket.protocol == Protocol::Tcp && socket.peer().is_some()),
        );
        sockets.sort_unstable_by_key(Socket::key);
        sockets.dedup_by_key(|socket| socket.key());
        let keys: Vec<SocketKey> = sockets.iter().map(Socket::key).collect();
        if keys == self.watched.keys {
            return Vec::new();
        }
        self.watched.keys = keys;
        vec![Effect::Watch(sockets)]
    }

    /// After anything: asks for what all rows carry, or no longer, as filter and
    /// order want it.
    pub(super) fn watch_flows(&mut self) -> Option<Effect> {
        let wanted = self.filter.needs_flows() || self.sort.by.needs_flows();
        let changed = wanted != self.watched.flows;
        self.watched.flows = wanted;
        changed.then_some(Effect::IncludeFlows(wanted))
    }

    /// After anything: asks for events as they come while their page is open.
    pub(super) fn watch_events(&mut self) -> Option<Effect> {
        let wanted = matches!(self.mode, Mode::Events(_));
        let changed = wanted != self.watched.events;
        self.watched.events = wanted;
        changed.then_some(Effect::StreamEvents(wanted))
    }
}
