//! CPU and memory of the processes on screen.

use crate::model::reading::ProcessUsage;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Samples only the requested processes.
#[derive(Default)]
pub(super) struct UsageMeter {
    /// Made when first used: a single table never needs it.
    system: Option<System>,
    previous_pids: Vec<u32>,
}

impl UsageMeter {
    /// A share of CPU needs two samples, so the first answer has none.
    pub(super) fn sample(&mut self, pids: &[u32]) -> Vec<ProcessUsage> {
        if self.system.is_none() {
            self.system = System::new().ok();
        }
        let Some(system) = &mut self.system else {
            return Vec::new();
        };
        let wanted: Vec<Pid> = pids.iter().copied().map(Pid::from_u32).collect();
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&wanted), true, kind);
        let usage = wanted
            .iter()
            .filter_map(|pid| Some((pid.as_u32(), system.process(*pid)?)))
            .map(|(pid, process)| ProcessUsage {
                pid,
                cpu_percent: self
                    .previous_pids
                    .contains(&pid)
                    .then(|| process.cpu_usage()),
                memory: process.memory(),
            })
            .collect();
        self.previous_pids = pids.to_vec();
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_this_process_and_skips_missing_ones() {
        let mut meter = UsageMeter::default();
        let first = meter.sample(&[std::process::id(), u32::MAX / 2]);
        assert_eq!(first.len(), 1);
        assert!(first[0].memory > 0 && first[0].cpu_percent.is_none());
        assert!(meter.sample(&[std::process::id()])[0].cpu_percent.is_some());
    }
}
