//! Processes that are never signalled.

use super::facts::Facts;
use crate::model::action::{Refusal, Target};
use crate::model::text::Text;

/// Refuses by pid alone, before anything is opened.
pub(super) fn by_number(pid: u32, own: u32) -> Result<(), Refusal> {
    match pid {
        0 | 1 => Err(Refusal::Init),
        pid if pid == own => Err(Refusal::Itself),
        _ => Ok(()),
    }
}

/// Refuses a process other than the chosen one: one with a reused pid, or one that no
/// longer holds the socket of its row. Name and program are not part of the identity: a
/// process changes its name at will (prctl(2), `PR_SET_NAME`), and could protect itself
/// by that.
pub(super) fn by_identity(facts: &Facts, target: &Target) -> Result<(), Refusal> {
    if facts.stat.kernel_thread {
        return Err(Refusal::KernelThread);
    }
    if facts.stat.start_ticks != target.start_ticks {
        return Err(Refusal::Replaced);
    }
    match target.inode {
        // A zombie holds nothing any more, and a signal to it does nothing.
        Some(inode) if !facts.stat.zombie && facts.holds(inode) == Some(false) => {
            Err(Refusal::NotHolder)
        }
        _ => Ok(()),
    }
}

/// Returns the name and the program of a process, each if it has changed since the
/// target was chosen: the confirm dialog must show it.
pub(super) fn changes(facts: &Facts, target: &Target) -> (Option<Text>, Option<Text>) {
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
    use super::super::facts::RunProgram;
    use super::*;
    use crate::model::stat::Stat;
    use std::num::NonZeroU32;

    fn target() -> Target {
        Target {
            pid: 812,
            start_ticks: 50,
            name: Text::from("nginx"),
            exe: Some(Text::from("/usr/sbin/nginx")),
            inode: NonZeroU32::new(7),
        }
    }

    fn facts(start_ticks: u64, name: &str, inodes: Option<Vec<u32>>) -> Facts {
        let stat = Stat {
            name: name.into(),
            parent: 1,
            start_ticks,
            kernel_thread: false,
            zombie: false,
            state: 'S',
        };
        Facts {
            stat,
            ended: false,
            program: None,
            inodes,
        }
    }

    #[test]
    fn some_numbers_are_refused_at_once() {
        assert_eq!(by_number(1, 99), Err(Refusal::Init));
        assert_eq!(by_number(0, 99), Err(Refusal::Init));
        assert_eq!(by_number(99, 99), Err(Refusal::Itself));
        assert_eq!(by_number(2, 99), Ok(()));
    }

    #[test]
    fn what_has_changed_since_the_choice_is_known() {
        let running = |name: &str, path: &str| Facts {
            program: Some(RunProgram {
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
            assert_eq!(changes(&facts, &target()), expected, "{facts:?}");
        }
    }

    #[test]
    fn only_the_process_that_was_shown_passes() {
        let mut thread = facts(50, "nginx", None);
        thread.stat.kernel_thread = true;
        let mut zombie = facts(50, "nginx", Some(vec![]));
        zombie.stat.zombie = true;
        let running = |path: &str| Facts {
            program: Some(RunProgram {
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
            (facts(51, "nginx", Some(vec![7])), Err(Refusal::Replaced)),
            (facts(50, "bash", Some(vec![7])), Ok(())),
            (facts(50, "nginx", Some(vec![8])), Err(Refusal::NotHolder)),
            (thread, Err(Refusal::KernelThread)),
            (zombie, Ok(())),
        ];
        for (facts, verdict) in cases {
            assert_eq!(by_identity(&facts, &target()), verdict, "{facts:?}");
        }
    }
}
