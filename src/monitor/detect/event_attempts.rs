//! Outcomes of contacts from the kernel's events: exact, also of those too
//! short for any table.

use super::table_context::TableContext;
use crate::model::endpoint::Endpoint;
use crate::model::event::EventProcess;
use crate::model::process::Process;
use crate::monitor::events::attempts::AttemptOutcomes;
use foldhash::HashMap;
use std::sync::Arc;

/// Contacts reported since the last table.
pub(super) fn contacts<'s>(
    context: &'s TableContext<'_>,
) -> impl Iterator<Item = (Arc<Process>, Endpoint, AttemptOutcomes)> + 's {
    let told = &context.attempts.by_process;
    let known: HashMap<u32, &Arc<Process>> = if told.is_empty() {
        HashMap::default()
    } else {
        let known = context.interner.processes().iter();
        known.map(|process| (process.pid, process)).collect()
    };
    // One process for all of its contacts.
    let mut named: HashMap<u32, Arc<Process>> = HashMap::default();
    told.iter().map(move |((pid, destination), told)| {
        let (caller, outcomes) = told;
        let process = named.entry(*pid).or_insert_with(|| {
            let known = known.get(pid).filter(|known| is_same(caller, known));
            known.map_or_else(|| Arc::new(process(caller)), |known| Arc::clone(known))
        });
        (Arc::clone(process), *destination, *outcomes)
    })
}

/// A process that may have no socket in any table.
pub(super) fn process(caller: &EventProcess) -> Process {
    Process {
        pid: caller.pid,
        name: caller.name.clone(),
        start_ticks: caller.start_ticks,
        ..Process::default()
    }
}

/// True if a caller is this process with the same pid.
fn is_same(caller: &EventProcess, known: &Process) -> bool {
    caller.start_ticks == 0 || caller.start_ticks == known.start_ticks
}
