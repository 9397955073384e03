//! Which processes are never signalled.

use super::facts::Facts;
use crate::model::action::{Refusal, Target};

/// Refuses by number alone, before anything is opened.
pub(super) fn by_number(pid: u32, own: u32) -> Result<(), Refusal> {
    match pid {
        0 | 1 => Err(Refusal::Init),
        pid if pid == own => Err(Refusal::Itself),
        _ => Ok(()),
    }
}

/// Refuses what is not the process that was pointed at. Start times have the
/// grain of a clock tick, so the name and the program must agree as well; and
/// the process must still hold the socket of the row it was picked from.
pub(super) fn by_identity(facts: &Facts, target: &Target) -> Result<(), Refusal> {
    if facts.stat.kernel_thread {
        return Err(Refusal::KernelThread);
    }
    if facts.stat.start_ticks != target.start_ticks {
        return Err(Refusal::Replaced);
    }
    if facts.stat.name != target.name.raw() {
        return Err(Refusal::Renamed);
    }
    let program = facts.program.as_ref().map(|program| &program.path);
    if let (Some(shown), Some(runs)) = (&target.exe, program)
        && shown.raw() != runs.raw()
    {
        return Err(Refusal::OtherProgram);
    }
    match target.inode {
        // A zombie holds nothing any more, and a signal to it does nothing.
        Some(inode) if !facts.stat.zombie && facts.holds(inode) == Some(false) => {
            Err(Refusal::NotHolder)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::RunProgram;
    use super::*;
    use crate::model::stat::Stat;
    use crate::model::text::Text;
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
            (running("/tmp/nginx"), Err(Refusal::OtherProgram)),
            (facts(50, "nginx", Some(vec![7])), Ok(())),
            (facts(50, "nginx", None), Ok(())),
            (facts(51, "nginx", Some(vec![7])), Err(Refusal::Replaced)),
            (facts(50, "bash", Some(vec![7])), Err(Refusal::Renamed)),
            (facts(50, "nginx", Some(vec![8])), Err(Refusal::NotHolder)),
            (thread, Err(Refusal::KernelThread)),
            (zombie, Ok(())),
        ];
        for (facts, verdict) in cases {
            assert_eq!(by_identity(&facts, &target()), verdict, "{facts:?}");
        }
    }
}
