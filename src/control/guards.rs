//! Processes that are never signalled.

use super::process_facts::ProcessFacts;
use crate::model::action::{ProcessTarget, SignalRefusal};
use crate::model::text::Text;

/// Refuses by pid alone, before anything is opened.
pub(super) fn check_pid(pid: u32, own: u32) -> Result<(), SignalRefusal> {
    match pid {
        0 | 1 => Err(SignalRefusal::Init),
        pid if pid == own => Err(SignalRefusal::OwnProcess),
        _ => Ok(()),
    }
}

/// Refuses a process other than the chosen one: one with a reused pid, or one that no
/// longer holds the socket of its row. Name and program are not part of the identity: a
/// process changes its name at will (prctl(2), `PR_SET_NAME`), and could protect itself
/// by that.
pub(super) fn check_identity(
    facts: &ProcessFacts,
    target: &ProcessTarget,
) -> Result<(), SignalRefusal> {
    if facts.stat.kernel_thread {
        return Err(SignalRefusal::KernelThread);
    }
    if facts.stat.start_ticks != target.start_ticks {
        return Err(SignalRefusal::PidReused);
    }
    match target.inode {
        // A zombie holds nothing any more, and a signal to it does nothing.
        Some(inode) if !facts.stat.zombie && facts.holds_inode(inode) == Some(false) => {
            Err(SignalRefusal::NotHolder)
        }
        _ => Ok(()),
    }
}

/// Returns the name and the program of a process, each if it has changed since the
/// target was chosen: the confirm dialog must show it.
pub(super) fn changed_identity(
    facts: &ProcessFacts,
    target: &ProcessTarget,
) -> (Option<Text>, Option<Text>) {
    let name = Text::new(&facts.stat.name);
    let program = facts.program.as_ref().map(|program| &program.path);
    let program = match (&target.exe, program) {
        (Some(shown), Some(runs)) if shown.raw() != runs.raw() => Some(runs.clone()),
        _ => None,
    };
    ((name.raw() != target.name.raw()).then_some(name), program)
}

#[cfg(test)]
mod tests {
    use super::super::process_facts::RunningProgram;
    use super::*;
    use crate::model::proc_stat::ProcStat;
    use std::num::NonZeroU32;

    fn target() -> ProcessTarget {
        ProcessTarget {
            pid: 812,
            start_ticks: 50,
            name: Text::from("nginx"),
            exe: Some(Text::from("/usr/sbin/nginx")),
            inode: NonZeroU32::new(7),
        }
    }

    fn facts(start_ticks: u64, name: &str, inodes: Option<Vec<u32>>) -> ProcessFacts {
        let stat = ProcStat {
            name: name.into(),
            parent_pid: 1,
            start_ticks,
            kernel_thread: false,
            zombie: false,
            state: 'S',
        };
        ProcessFacts {
            stat,
            ended: false,
            program: None,
            inodes,
        }
    }

    #[test]
    fn init_and_self_are_refused() {
        assert_eq!(check_pid(1, 99), Err(SignalRefusal::Init));
        assert_eq!(check_pid(0, 99), Err(SignalRefusal::Init));
        assert_eq!(check_pid(99, 99), Err(SignalRefusal::OwnProcess));
        assert_eq!(check_pid(2, 99), Ok(()));
    }

    #[test]
    fn changed_name_and_program_are_reported() {
        let running = |name: &str, path: &str| ProcessFacts {
            program: Some(RunningProgram {
                path: Text::from(path),
                file: None,
            }),
            ..facts(50, name, None)
        };
        let cases = [
            (running("nginx", "/usr/sbin/nginx"), None, None),
            (running("w1", "/usr/sbin/nginx"), Some("w1"), None),
            (running("nginx", "/tmp/x"), None, Some("/tmp/x")),
            (facts(50, "w2", None), Some("w2"), None),
        ];
        for (facts, name, program) in cases {
            let expected = (name.map(Text::from), program.map(Text::from));
            assert_eq!(changed_identity(&facts, &target()), expected, "{facts:?}");
        }
    }

    #[test]
    fn only_the_process_that_was_shown_passes() {
        let mut thread = facts(50, "nginx", None);
        thread.stat.kernel_thread = true;
        let mut zombie = facts(50, "nginx", Some(vec![]));
        zombie.stat.zombie = true;
        let running = |path: &str| ProcessFacts {
            program: Some(RunningProgram {
                path: Text::from(path),
                file: None,
            }),
            ..facts(50, "nginx", Some(vec![7]))
        };
        let cases = [
            (running("/usr/sbin/nginx"), Ok(())),
            (running("/tmp/nginx"), Ok(())),
            (facts(50, "nginx", Some(vec![7])), Ok(())),
            (facts(50, "nginx", None), Ok(())),
            (
                facts(51, "nginx", Some(vec![7])),
                Err(SignalRefusal::PidReused),
            ),
            (facts(50, "bash", Some(vec![7])), Ok(())),
            (
                facts(50, "nginx", Some(vec![8])),
                Err(SignalRefusal::NotHolder),
            ),
            (thread, Err(SignalRefusal::KernelThread)),
            (zombie, Ok(())),
        ];
        for (facts, verdict) in cases {
            assert_eq!(check_identity(&facts, &target()), verdict, "{facts:?}");
        }
    }
}
