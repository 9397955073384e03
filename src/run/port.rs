//! Use of the port that a command's filter names, if it names one.

use crate::explain::catalogue::Catalogue;
use crate::explain::port::{PortStatus, PortVerdict, lines};
use crate::filter::Filter;
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::monitor::{Monitor, MonitorOptions};
use crate::report::json::port::PortEntry;
use crate::source::ReadingSource;

/// Use of a port, as text and for JSON.
pub(super) struct PortReport {
    pub(super) verdict: PortVerdict,
    pub(super) entry: PortEntry,
    /// The verdict in a sentence.
    pub(super) headline: String,
    /// Advice.
    pub(super) advice: Vec<String>,
}

impl PortReport {
    /// The verdict, then the advice; none is empty.
    pub(super) fn lines(&self, words: &Catalogue) -> Vec<String> {
        lines(self.headline.clone(), &self.advice, words)
    }
}

/// Returns the report if the filter is one local port. Where no socket has the port,
/// the other network namespaces are read as well.
pub(super) fn port_report(
    filter: &Filter,
    observation: &Observation,
    source: &mut dyn ReadingSource,
    words: &Catalogue,
) -> Option<PortReport> {
    let port = filter.only_local_port()?;
    let found = PortStatus::of(port, observation);
    if found.verdict() != PortVerdict::Free || observation.has_several_namespaces() {
        return Some(build_report(&found, observation, words));
    }
    source.set_scope(NamespaceScope::All);
    let reading = source.read_table();
    source.set_scope(NamespaceScope::Current);
    let all = reading
        .ok()
        .and_then(|reading| Monitor::new(MonitorOptions::default()).fold(reading));
    let seen = all.as_deref().unwrap_or(observation);
    let forwardings = source.read_forwardings(port);
    let wider = PortStatus::of(port, seen).with_forwardings(forwardings, seen);
    // A failed read of other namespaces does not change the result.
    Some(match wider.verdict() {
        PortVerdict::Unknown => build_report(&found, observation, words),
        _ => build_report(&wider, seen, words),
    })
}

fn build_report(found: &PortStatus<'_>, seen: &Observation, words: &Catalogue) -> PortReport {
    PortReport {
        verdict: found.verdict(),
        entry: PortEntry::of(found, seen),
        headline: found.headline(seen, words),
        advice: found.advice(seen, words),
    }
}
