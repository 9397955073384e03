//! Use of the port that a command's filter names, if it names one.

use crate::explain::catalogue::Catalogue;
use crate::explain::port::{PortStatus, Verdict, lines};
use crate::filter::Filter;
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::monitor::{Monitor, MonitorOptions};
use crate::report::json::port::PortEntry;
use crate::source::ReadingSource;

/// Use of a port, as text and for JSON.
pub(super) struct PortReport {
    pub(super) verdict: Verdict,
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
pub(super) fn report(
    filter: &Filter,
    observation: &Observation,
    source: &mut dyn ReadingSource,
    words: &Catalogue,
) -> Option<PortReport> {
    let port = filter.single_port()?;
    let found = PortStatus::of(port, observation);
    if found.verdict() != Verdict::Free || observation.spans_namespaces() {
        return Some(written(&found, observation, words));
    }
    source.set_scope(Scope::All);
    let reading = source.read_table();
    source.set_scope(Scope::Own);
    let all = reading
        .ok()
        .and_then(|reading| Monitor::new(MonitorOptions::default()).fold(reading));
    let seen = all.as_deref().unwrap_or(observation);
    let forwardings = source.read_forwardings(port);
    let wider = PortStatus::of(port, seen).with_forwardings(forwardings, seen);
    // A failed read of other namespaces does not change the result.
    Some(match wider.verdict() {
        Verdict::Unknown => written(&found, observation, words),
        _ => written(&wider, seen, words),
    })
}

fn written(found: &PortStatus<'_>, seen: &Observation, words: &Catalogue) -> PortReport {
    PortReport {
        verdict: found.verdict(),
        entry: PortEntry::of(found, seen),
        headline: found.headline(seen, words),
        advice: found.advice(seen, words),
    }
}
