//! The doors that stand open: which listener takes what comes to a port.

use crate::model::row::Row;
use crate::model::socket::Socket;

/// Row numbers of the TCP listeners, by port.
#[derive(Default)]
pub(super) struct Listeners {
    by_port: Vec<(u16, u32)>,
}

impl Listeners {
    /// Adds one; [`Self::sort`] must follow before anything is asked.
    pub(super) fn add(&mut self, port: u16, row: u32) {
        self.by_port.push((port, row));
    }

    /// Puts them in order.
    pub(super) fn sort(&mut self) {
        self.by_port.sort_unstable();
    }

    /// Whether one of them takes what comes to the local end of `connection`.
    pub(super) fn take(&self, rows: &[Row], connection: &Socket) -> bool {
        let port = connection.local.port;
        let first = self.by_port.partition_point(|(known, _)| *known < port);
        self.by_port[first..]
            .iter()
            .take_while(|(known, _)| *known == port)
            .filter_map(|(_, row)| rows.get(*row as usize))
            .any(|listener| listener.socket.takes(connection))
    }

    /// Their rows, by port.
    pub(super) fn rows<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
        let numbers = self.by_port.iter();
        numbers.filter_map(|(_, number)| rows.get(*number as usize))
    }

    /// Port and row number of each, by port.
    pub(super) fn into_inner(self) -> Vec<(u16, u32)> {
        self.by_port
    }
}
