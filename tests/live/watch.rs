//! The kernel watched through the library: a live source and a monitor.

use super::patience::{PATIENCE, wait_for};
use std::net::SocketAddr;
use std::sync::Arc;
use tcplens::model::endpoint::Endpoint;
use tcplens::model::observation::Observation;
use tcplens::model::row::Row;
use tcplens::monitor::{Monitor, MonitorOptions, Thresholds};
use tcplens::source::live::{LiveOptions, LiveSource};
use tcplens::source::{ReadingSource, SourceChoice};

pub(crate) struct Watch {
    live: LiveSource,
    monitor: Monitor,
}

impl Watch {
    /// Begins to watch, with a first table.
    pub(crate) fn begin(source: SourceChoice) -> Self {
        Self::by(source, Thresholds::default())
    }

    /// The same by other limits.
    pub(crate) fn by(source: SourceChoice, thresholds: Thresholds) -> Self {
        let options = LiveOptions {
            source,
            ..LiveOptions::default()
        };
        let mut watch = Self {
            live: LiveSource::open(&options).unwrap(),
            monitor: Monitor::new(MonitorOptions {
                // A machine that pauses must not put the marks out.
                highlight_for: PATIENCE,
                thresholds,
                ..MonitorOptions::default()
            }),
        };
        watch.look();
        watch
    }

    /// Reads another table.
    pub(crate) fn look(&mut self) -> Arc<Observation> {
        let reading = self.live.read_table().unwrap();
        self.monitor.fold(reading).unwrap()
    }

    /// Reads tables until one is as described.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        condition: impl Fn(&Observation) -> Option<T>,
    ) -> T {
        wait_for(what, || condition(&self.look()))
    }
}

/// The row with this local end and, unless it is a listener, this remote one.
pub(crate) fn row(
    observation: &Observation,
    local: SocketAddr,
    remote: Option<SocketAddr>,
) -> Option<Row> {
    let endpoint = |address: SocketAddr| Endpoint::new(address.ip(), address.port());
    let rows = observation.rows.iter();
    let mut found = rows.filter(|row| {
        row.socket.local == endpoint(local) && row.socket.peer() == remote.map(endpoint)
    });
    found.next().copied()
}
