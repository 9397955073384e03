//! Predicates on the processes that hold a socket: evaluated once for each
//! process, so that a row needs only look-ups.

use super::ast::ProcessField;
use super::truth::Truth;
use crate::model::observation::Observation;
use crate::model::owner::{NoOwnerReason, ProcessId};
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::text::Text;

/// The result for every process of an observation.
#[derive(Debug)]
pub(super) struct ProcessMatches(Vec<Truth>);

impl ProcessMatches {
    pub(super) fn new(observation: &Observation, wanted: impl Fn(&Process) -> Truth) -> Self {
        let processes = observation.processes.iter();
        Self(processes.map(|process| wanted(process)).collect())
    }

    fn get(&self, id: ProcessId) -> Truth {
        let found = self.0.get(id.0 as usize).copied();
        found.unwrap_or(Truth::Unknown)
    }

    /// Returns the result for the holders of a row, and if requested for its last
    /// owner.
    pub(super) fn evaluate_holders(
        &self,
        row: &Row,
        observation: &Observation,
        or_last: bool,
    ) -> Truth {
        let holders = row.owners.resolve(&observation.holders);
        let present = Truth::any(holders.iter().map(|holder| self.get(holder.process)));
        let last = row.last_owner.filter(|_| or_last);
        let last = last.map_or(Truth::No, |last| self.get(last.process()));
        let hidden = Truth::yes_or_unknown(!has_hidden_holder(row)).negated();
        present.max(last).max(hidden)
    }
}

/// Units that a filter wants, among those that opened the sockets without a known
/// holder. That another unit opened a socket does not tell in which its holder is.
#[derive(Debug, Default)]
pub(super) struct OpenerSet(Vec<bool>);

impl OpenerSet {
    /// Those whose name contains a text in lower case.
    pub(super) fn new(observation: &Observation, needle: &str) -> Self {
        let units = observation.openers.units().iter();
        Self(
            units
                .map(|unit| unit.as_str().to_lowercase().contains(needle))
                .collect(),
        )
    }

    /// True if one of them opened the row.
    pub(super) fn opened(&self, row: &Row, observation: &Observation) -> bool {
        if row.no_owner_reason.is_none() || !self.0.contains(&true) {
            return false;
        }
        let place = observation.openers.place(&row.socket.key());
        place.is_some_and(|place| self.0.get(place) == Some(&true))
    }
}

/// True if an unknown process may hold the row.
pub(super) fn has_hidden_holder(row: &Row) -> bool {
    matches!(
        row.no_owner_reason,
        Some(NoOwnerReason::Hidden | NoOwnerReason::Pending)
    )
}

/// Evaluates a predicate on a text of a process.
pub(super) fn evaluate_process_field(process: &Process, fact: ProcessField, needle: &str) -> Truth {
    let contains = |text: &str| text.to_lowercase().contains(needle);
    let (found, known) = match fact {
        ProcessField::Name => {
            let exe = process.exe.as_ref();
            let base = exe.and_then(|exe| exe.path.as_str().rsplit('/').next());
            let found = contains(process.name.as_str()) || base.is_some_and(contains);
            (found, exe.is_some())
        }
        ProcessField::Unit => {
            let unit = process.unit.as_ref();
            let found = unit.is_some_and(|unit| contains(unit.as_str()));
            // The root group has neither unit nor container.
            (found, !is_vanished(process))
        }
        ProcessField::CommandLine => (
            contains(&command_line(process)),
            !process.command_line.is_empty(),
        ),
        ProcessField::Exe => {
            let exe = process.exe.as_ref();
            let found = exe.is_some_and(|exe| contains(exe.path.as_str()));
            (found, exe.is_some())
        }
        ProcessField::WorkingDirectory => {
            let directory = process.working_directory.as_ref();
            let found = directory.is_some_and(|path| contains(path.as_str()));
            (found, directory.is_some())
        }
        ProcessField::Cgroup => {
            let group = process.cgroup.as_ref();
            let found = group.is_some_and(|path| is_cgroup_within(path.as_str(), needle));
            (found, group.is_some())
        }
    };
    if found {
        Truth::Yes
    } else if known || process.kernel_thread {
        Truth::No
    } else {
        Truth::Unknown
    }
}

/// True if a process ended before anything but its number was read.
pub(super) fn is_vanished(process: &Process) -> bool {
    process.name.is_empty() && process.start_ticks == 0
}

/// The arguments as typed, without quotation marks.
pub(super) fn command_line(process: &Process) -> String {
    let arguments: Vec<&str> = process.command_line.iter().map(Text::as_str).collect();
    arguments.join(" ")
}

/// True if a control group is the one of this path or below it. The path may
/// begin at the mount point of the hierarchy, as in ss(8).
fn is_cgroup_within(group: &str, path: &str) -> bool {
    let path = path.strip_prefix("/sys/fs/cgroup/unified").unwrap_or(path);
    let path = path.strip_prefix("/sys/fs/cgroup").unwrap_or(path);
    let path = path.trim_matches('/');
    let group = group.to_lowercase();
    let rest = group.trim_start_matches('/').strip_prefix(path);
    rest.is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_unknown() {
        let bare = Process {
            pid: 7,
            name: "nginx".into(),
            start_ticks: 1,
            ..Process::default()
        };
        for fact in [
            ProcessField::Name,
            ProcessField::CommandLine,
            ProcessField::Exe,
            ProcessField::WorkingDirectory,
            ProcessField::Cgroup,
        ] {
            assert_eq!(
                evaluate_process_field(&bare, fact, "curl"),
                Truth::Unknown,
                "{fact:?}"
            );
        }
        assert_eq!(
            evaluate_process_field(&bare, ProcessField::Name, "ngin"),
            Truth::Yes
        );
        assert_eq!(
            evaluate_process_field(&bare, ProcessField::Unit, "curl"),
            Truth::No
        );
        let kernel = Process {
            kernel_thread: true,
            ..bare
        };
        assert_eq!(
            evaluate_process_field(&kernel, ProcessField::CommandLine, "curl"),
            Truth::No
        );
        let vanished = Process {
            pid: 7,
            ..Process::default()
        };
        assert_eq!(
            evaluate_process_field(&vanished, ProcessField::Unit, "curl"),
            Truth::Unknown
        );
    }

    #[test]
    fn a_control_group_has_those_below_it() {
        let group = "/system.slice/nginx.service";
        for (path, within) in [
            ("/", true),
            ("/system.slice", true),
            ("system.slice/", true),
            ("/sys/fs/cgroup/system.slice/nginx.service", true),
            ("/system.slice/nginx.service/", true),
            ("/system.slice/nginx", false),
            ("/nginx.service", false),
        ] {
            assert_eq!(is_cgroup_within(group, path), within, "{path}");
        }
    }
}
